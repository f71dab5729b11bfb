//! `POST /oauth2/token`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{STYLE, account_id};
use crate::cabinet::number_of;
use crate::call::Call;
use crate::grants::{BadCode, Tokens};
use crate::{DROPBOX_CLIENT_ID, DROPBOX_CLIENT_SECRET, World, reply};

pub(super) fn exchange(world: &Arc<World>, call: &Call) -> Response {
    let form: HashMap<String, String> =
        url::form_urlencoded::parse(call.text().as_bytes()).into_owned().collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let mut grants = world.dropbox.grants.lock();
    // A code that was asked for with PKCE is proved by its verifier, and needs no secret.
    let is_proved = !form.contains_key("client_secret")
        && field("client_id") == DROPBOX_CLIENT_ID
        && form.contains_key("code_verifier")
        && !grants.needs_secret(field("code"));
    if !is_proved && !is_known(call, field("client_id"), field("client_secret")) {
        return refused("invalid_client", "Invalid client_id or client_secret");
    }
    match field("grant_type") {
        "authorization_code" => {
            let (code, address, verifier) = (field("code"), field("redirect_uri"), field("code_verifier"));
            match grants.exchange(STYLE, code, address, verifier, world.now()) {
                Ok(tokens) => answer(&tokens, true),
                Err(BadCode::Unknown) => refused("invalid_grant", "code doesn't exist or has expired"),
                Err(BadCode::OtherAddress) => refused("invalid_grant", "redirect_uri mismatch"),
                Err(BadCode::WrongVerifier) => refused("invalid_grant", "invalid code verifier"),
            }
        }
        "refresh_token" => match grants.refreshed(STYLE, field("refresh_token"), world.now()) {
            Some(tokens) => answer(&tokens, false),
            None => refused("invalid_grant", "refresh token is invalid or revoked"),
        },
        _ => refused("unsupported_grant_type", "the grant type is not supported"),
    }
}

/// In the form, or as a name and a password.
fn is_known(call: &Call, id: &str, secret: &str) -> bool {
    let basic = call.credential("Basic").and_then(|text| STANDARD.decode(text).ok());
    let expected = format!("{DROPBOX_CLIENT_ID}:{DROPBOX_CLIENT_SECRET}");
    basic.is_some_and(|basic| basic == expected.as_bytes())
        || (id == DROPBOX_CLIENT_ID && secret == DROPBOX_CLIENT_SECRET)
}

fn answer(tokens: &Tokens, is_first: bool) -> Response {
    let mut body = json!({
        "access_token": tokens.access, "token_type": "bearer", "expires_in": STYLE.access_seconds,
    });
    // A renewed token comes with nothing else.
    if is_first {
        let person = &tokens.grant.person;
        body["scope"] = json!(tokens.grant.scope);
        body["uid"] = json!(number_of(person));
        body["account_id"] = json!(account_id(person));
    }
    if let Some(refresh) = &tokens.refresh {
        body["refresh_token"] = json!(refresh);
    }
    reply::json(200, &body)
}

fn refused(error: &str, description: &str) -> Response {
    reply::json(400, &json!({ "error": error, "error_description": description }))
}
