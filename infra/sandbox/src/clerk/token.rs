//! Sign-in tokens (RS256) and the key set that checks them.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::HeaderValue;
use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

use super::{INSTANCE, people};
use crate::call::Call;
use crate::{Service, World, ids, reply};

/// Clerk's default life of a token.
const TTL_SECONDS: i64 = 60;
/// `nbf` lies this far before `iat`, as Clerk's clock skew setting does.
const SKEW_SECONDS: i64 = 10;

/// The public demo key: published with the source, trusted by nobody outside the sandbox.
static DEMO_KEY: LazyLock<KeyPair> = LazyLock::new(|| {
    KeyPair::from_pkcs8(include_bytes!("../keys/sandbox-demo-key.pk8")).expect("the embedded key is RSA")
});

static KEY_SET: LazyLock<Value> = LazyLock::new(|| {
    let public: PublicKeyComponents<Vec<u8>> = DEMO_KEY.public_key().into();
    json!({ "keys": [{
        "use": "sig", "kty": "RSA", "alg": "RS256", "kid": INSTANCE,
        "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e),
    }] })
});

pub(super) fn key_set() -> &'static Value {
    &KEY_SET
}

/// A token as Clerk's browser library would hold it now.
pub(crate) fn fresh_token(world: &World, person: &str) -> String {
    mint(world, person, &HashMap::new())
}

/// `GET token?person=ann[&ttl=60][&kid=][&azp=][&sts=][&sub=][&act=][&fva=0]`; an empty `azp` leaves the claim out,
/// `fva` is how many minutes ago the person signed in. As Clerk's own library does, a page gets a token made for its origin;
/// every page may ask.
pub(super) fn hand_out(world: &World, call: &Call) -> Response {
    let mut query = call.query();
    if let Some(origin) = call.header("origin") {
        query.entry("azp".to_owned()).or_insert_with(|| origin.to_owned());
    }
    let person = query.get("person").map_or("", String::as_str);
    if !people::is_name(person) {
        return reply::text(400, "person: a name of a-z, 0-9 and _ is needed, e.g. ?person=ann\n");
    }
    if query.get("ttl").is_some_and(|ttl| ttl.parse::<i32>().is_err()) {
        return reply::text(400, "ttl: whole seconds\n");
    }
    if query.get("fva").is_some_and(|minutes| minutes.parse::<i32>().is_err()) {
        return reply::text(400, "fva: whole minutes\n");
    }
    let mut answer = reply::text(200, mint(world, person, &query));
    answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    answer
}

fn mint(world: &World, person: &str, wishes: &HashMap<String, String>) -> String {
    let wish = |name: &str| wishes.get(name).map(String::as_str);
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": wish("kid").unwrap_or(INSTANCE) });
    let now = i64::try_from(world.now()).unwrap_or(i64::MAX);
    let ttl = wish("ttl").and_then(|ttl| ttl.parse().ok()).unwrap_or(TTL_SECONDS);
    let factor_age: i64 = wish("fva").and_then(|minutes| minutes.parse().ok()).unwrap_or(0);
    let mut claims = json!({
        "iss": world.url(Service::Clerk, ""),
        "sub": wish("sub").map_or_else(|| people::user_id(person), str::to_owned),
        "sid": format!("sess_sandbox_{person}"),
        "iat": now, "nbf": now.saturating_sub(SKEW_SECONDS), "exp": now.saturating_add(ttl),
        "jti": ids::tagged(""), "fva": [factor_age, -1], "v": 2,
        "sts": wish("sts").unwrap_or("active"),
    });
    match wish("azp").unwrap_or(&world.config.origin) {
        "" => {}
        azp => claims["azp"] = Value::from(azp),
    }
    if let Some(actor) = wish("act") {
        // As when somebody of the staff signs in as that person from Clerk's dashboard.
        claims["act"] =
            serde_json::json!({ "iss": "https://dashboard.clerk.com", "sid": "sess_staff", "sub": actor });
    }
    sign(&header, &claims)
}

fn sign(header: &Value, claims: &Value) -> String {
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
    let mut signature = vec![0; DEMO_KEY.public().modulus_len()];
    DEMO_KEY
        .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
        .expect("a 2048-bit key signs SHA-256");
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    token
}
