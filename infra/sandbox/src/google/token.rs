//! `POST /token` and `POST /revoke`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{STYLE, refusal};
use crate::call::Call;
use crate::grants::{BadCode, Tokens};
use crate::{GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, World, reply};

fn form(call: &Call) -> HashMap<String, String> {
    url::form_urlencoded::parse(call.text().as_bytes()).into_owned().collect()
}

pub(super) fn exchange(world: &Arc<World>, call: &Call) -> Response {
    let form = form(call);
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    // In the form, or as a name and a password.
    let basic = call.credential("Basic").and_then(|text| STANDARD.decode(text).ok());
    let basic = basic.and_then(|basic| String::from_utf8(basic).ok());
    let basic = basic.as_deref().and_then(|basic| basic.split_once(':'));
    let (id, secret) = basic.unwrap_or((field("client_id"), field("client_secret")));
    if id != GOOGLE_CLIENT_ID {
        return refusal::token(401, "invalid_client", "The OAuth client was not found.");
    }
    if secret != GOOGLE_CLIENT_SECRET {
        return refusal::token(401, "invalid_client", "Unauthorized");
    }
    let mut grants = world.google.grants.lock();
    match field("grant_type") {
        "authorization_code" => {
            let (code, address, verifier) = (field("code"), field("redirect_uri"), field("code_verifier"));
            match grants.exchange(STYLE, code, address, verifier, world.now()) {
                Ok(tokens) => answer(&tokens),
                Err(BadCode::Unknown) => refusal::token(400, "invalid_grant", "Malformed auth code."),
                Err(BadCode::OtherAddress) => refusal::token(400, "redirect_uri_mismatch", "Bad Request"),
                Err(BadCode::WrongVerifier) => refusal::token(400, "invalid_grant", "Invalid code verifier."),
            }
        }
        "refresh_token" => match grants.refreshed(STYLE, field("refresh_token"), world.now()) {
            Some(tokens) => answer(&tokens),
            None => refusal::token(400, "invalid_grant", "Token has been expired or revoked."),
        },
        _ => refusal::token(400, "unsupported_grant_type", "Invalid grant_type"),
    }
}

fn answer(tokens: &Tokens) -> Response {
    let mut body = json!({
        "access_token": tokens.access,
        "expires_in": STYLE.access_seconds,
        "scope": tokens.grant.scope,
        "token_type": "Bearer",
    });
    if let Some(refresh) = &tokens.refresh {
        body["refresh_token"] = json!(refresh);
    }
    reply::json(200, &body)
}

/// Any token ends all that the app has of the person.
pub(super) fn revoke(world: &Arc<World>, call: &Call) -> Response {
    let token = form(call).remove("token").or_else(|| call.query().remove("token")).unwrap_or_default();
    if world.google.grants.lock().revoke_all_of(&token) {
        return reply::json(200, &json!({}));
    }
    refusal::token(400, "invalid_token", "Token expired or revoked")
}
