//! The page on which a person lets an app into their drive, as both vendors have it.

use axum::response::Response;

use crate::call::Call;
use crate::reply;

/// What the app asked in the page's address.
pub(crate) struct Request {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) state: Option<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) query: std::collections::HashMap<String, String>,
}

/// Why the drive shows no consent page. It does not send the browser back either: the address may be an attacker's.
pub(crate) enum Unfit {
    Client,
    Address,
    Kind,
    Challenge,
}

/// What the person decided.
pub(crate) struct Decision {
    pub(crate) person: String,
    pub(crate) says_yes: bool,
    /// The person took the right to files out of what they grant.
    pub(crate) grants_nothing: bool,
}

impl Request {
    pub(crate) fn read(call: &Call, client_id: &str) -> Result<Request, Unfit> {
        let query = call.query();
        let field = |name: &str| query.get(name).cloned();
        if field("client_id").as_deref() != Some(client_id) {
            return Err(Unfit::Client);
        }
        let redirect_uri = field("redirect_uri").filter(|uri| is_registered(uri)).ok_or(Unfit::Address)?;
        if field("response_type").as_deref() != Some("code") {
            return Err(Unfit::Kind);
        }
        let challenge = field("code_challenge");
        if challenge.is_some() && field("code_challenge_method").as_deref() != Some("S256") {
            return Err(Unfit::Challenge);
        }
        Ok(Request {
            client_id: client_id.to_owned(),
            redirect_uri,
            scope: field("scope").unwrap_or_default(),
            state: field("state"),
            challenge,
            query,
        })
    }

    /// Back to the app, with what it asked to get back and what came of it.
    pub(crate) fn back(&self, answer: &[(&str, &str)]) -> Response {
        let Ok(mut url) = url::Url::parse(&self.redirect_uri) else { return reply::empty(400) };
        url.query_pairs_mut()
            .extend_pairs(self.state.as_deref().map(|state| ("state", state)))
            .extend_pairs(answer);
        reply::with_header(reply::empty(302), "location", url.as_str())
    }
}

impl Decision {
    /// The page's form. `None`: the page is only looked at.
    pub(crate) fn read(call: &Call) -> Option<Decision> {
        if call.method != http::Method::POST {
            return None;
        }
        let text = call.text();
        let fields: std::collections::HashMap<_, _> = url::form_urlencoded::parse(text.as_bytes()).collect();
        let person = fields.get("person").map_or("ann", |person| person.as_ref());
        Some(Decision {
            person: person.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect(),
            says_yes: fields.get("decision").is_none_or(|decision| decision != "deny"),
            grants_nothing: fields.get("scope").is_some_and(|scope| scope == "none"),
        })
    }
}

/// The product's own addresses, and those that a vendor's client opens on this machine.
fn is_registered(uri: &str) -> bool {
    let Ok(url) = url::Url::parse(uri) else { return false };
    let is_ours = ["/v1/oauth/google_drive/callback", "/v1/oauth/dropbox/callback"]
        .iter()
        .any(|path| url.path().ends_with(path));
    let is_here = url.host_str() == Some("localhost");
    (is_ours || is_here) && url.query().is_none() && url.fragment().is_none()
}

/// The page itself: who is signed in at the vendor, yes or no.
pub(crate) fn page(vendor: &str, request: &Request) -> Response {
    let scopes: String =
        request.scope.split(' ').map(|scope| format!("<li>{}</li>", escaped(scope))).collect();
    reply::html(
        200,
        format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\"><title>{vendor} sandbox</title>\
             <style>body{{font:1.05rem/1.5 system-ui,sans-serif;max-width:30rem;margin:8vh auto;padding:0 1rem}}\
             button{{font:inherit;padding:.5rem 1rem;margin-right:.5rem}}input[type=text]{{font:inherit}}</style>\
             <h1>{vendor}: let this app in?</h1><p><code>{client}</code> asks for:</p><ul>{scopes}</ul>\
             <form method=\"post\"><p><label>Signed in at {vendor} as <input type=\"text\" name=\"person\" value=\"ann\"></label></p>\
             <p><label><input type=\"checkbox\" name=\"scope\" value=\"none\"> let it in, but to no files</label></p>\
             <button name=\"decision\" value=\"allow\">Allow</button><button name=\"decision\" value=\"deny\">Cancel</button>\
             </form></html>",
            client = escaped(&request.client_id),
        ),
    )
}

/// The page in place of it.
pub(crate) fn refusal(vendor: &str, unfit: Unfit) -> Response {
    let (status, text) = match unfit {
        Unfit::Client => (401, "Error 401: invalid_client. The OAuth client was not found."),
        Unfit::Address => {
            (400, "Error 400: redirect_uri_mismatch. The address is not registered for this app.")
        }
        Unfit::Kind => (400, "Error 400: unsupported_response_type."),
        Unfit::Challenge => (400, "Error 400: invalid_request. Only S256 is taken here."),
    };
    reply::html(status, format!("<!doctype html><title>{vendor} sandbox</title><h1>{text}</h1>"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
