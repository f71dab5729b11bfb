use super::world::{Answer, NOW, ORIGIN, call, create_tables, edge_with, lonely_edge, serve_dynamo};
use crate::{Administer, Allowed, Change, Look, RawBody, Spend, finish};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Value, json};
use std::collections::HashSet;
use tokio::net::TcpListener;

/// A throw-away key (`openssl genpkey`, PKCS#8 DER); nothing outside these tests trusts it.
fn key() -> KeyPair {
    KeyPair::from_pkcs8(include_bytes!("signer.pk8")).unwrap()
}

async fn serve_keys() -> String {
    let public: PublicKeyComponents<Vec<u8>> = PublicKeyComponents::from(key().public());
    let (n, e) = (URL_SAFE_NO_PAD.encode(public.n), URL_SAFE_NO_PAD.encode(public.e));
    let keys = json!({ "keys": [{ "kty": "RSA", "kid": "ins_1", "n": n, "e": e }] });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/.well-known/jwks.json", get(move || async { Json(keys) }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn bearer(issuer: &str, more: Value) -> String {
    let mut claims = json!({
        "iss": issuer, "sub": "user_ann", "sid": "sess_1", "azp": ORIGIN,
        "iat": NOW, "nbf": NOW, "exp": NOW + 60, "fva": [3, -1],
    });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"JWT","kid":"ins_1"}"#);
    let content = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0; key().public().modulus_len()];
    key().sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), content.as_bytes(), &mut signature).unwrap();
    format!("Bearer {content}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Routes that anybody signed in, only the person, and only a freshly proven administrator may use.
fn routes() -> Router {
    Router::new()
        .route("/look", get(|person: Allowed<Look>| async move { person.user().to_string() }))
        .route("/change", get(|_: Allowed<Change>| async { "changed" }))
        .route("/spend", get(|_: Allowed<Spend>| async { "spent" }))
        .route("/administer", get(|_: Allowed<Administer>| async { "administered" }))
}

async fn get_as(router: &Router, path: &str, token: &str) -> Answer {
    call(router, "GET", path, &[("authorization", token)], "").await
}

#[tokio::test]
async fn people_are_let_in_as_far_as_they_may_go() {
    let issuer = serve_keys().await;
    let dynamo = serve_dynamo().await;
    let (platform, edge) = edge_with(&dynamo, &issuer, []);
    create_tables(&platform).await;
    let administrators = HashSet::from(["user_root".parse().unwrap()]);
    let router = finish(routes(), &edge.with_administrators(administrators));
    let ann = bearer(&issuer, json!({}));
    let root = bearer(&issuer, json!({ "sub": "user_root" }));
    let support = bearer(&issuer, json!({ "act": { "sub": "user_support" } }));
    let long_ago = bearer(&issuer, json!({ "sub": "user_root", "fva": [11, -1] }));
    let unknown = bearer(&issuer, json!({ "sub": "user_root", "fva": null }));

    for (token, path, expected) in [
        (&ann, "/look", Ok("user_ann")),
        (&ann, "/spend", Ok("spent")),
        (&ann, "/administer", Err("not_administrator")),
        (&root, "/administer", Ok("administered")),
        (&support, "/look", Ok("user_ann")),
        (&support, "/change", Err("impersonation_refused")),
        (&support, "/spend", Err("impersonation_refused")),
        (&long_ago, "/spend", Ok("spent")),
        (&long_ago, "/administer", Err("step_up_required")),
        (&unknown, "/administer", Err("step_up_required")),
    ] {
        let answer = get_as(&router, path, token).await;
        match expected {
            Ok(text) => assert_eq!(answer.text, text, "{path}"),
            Err(code) => assert_eq!(answer.code(), code, "{path}"),
        }
    }
}

#[tokio::test]
async fn whoever_is_not_verified_hears_one_answer() {
    let issuer = serve_keys().await;
    let (_, edge) = edge_with("http://127.0.0.1:1", &issuer, []);
    let router = finish(routes(), &edge);
    let good = bearer(&issuer, json!({}));
    let expired = bearer(&issuer, json!({ "exp": NOW - 60 }));
    let twice = [("authorization", good.as_str()), ("authorization", good.as_str())];
    let attempts: [&[(&str, &str)]; 4] =
        [&[], &[("authorization", "Bearer x")], &[("authorization", &expired)], &twice];
    for headers in attempts {
        let answer = call(&router, "GET", "/look", headers, "").await;
        let mut problem = answer.problem();
        problem["request_id"] = Value::Null;
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(problem["detail"], crate::ProblemCode::Unauthenticated.meaning().detail);
        assert_eq!(problem.as_object().unwrap().len(), 8);
    }
}

#[tokio::test]
async fn a_store_that_does_not_say_whether_a_person_was_deleted_lets_them_in_nowhere() {
    let issuer = serve_keys().await;
    let (_, edge) = edge_with("http://127.0.0.1:1", &issuer, []);
    let router = finish(routes(), &edge);
    assert_eq!(get_as(&router, "/look", &bearer(&issuer, json!({}))).await.code(), "store_unavailable");
}

#[tokio::test]
async fn who_is_not_signed_in_is_not_told_that_the_body_is_too_long() {
    let router = Router::new().route("/", post(|_: Allowed<Look>, RawBody(_): RawBody| async {}));
    let router = finish(router, &lonely_edge());
    let answer = call(&router, "POST", "/", &[("content-length", "999999999")], "").await;
    assert_eq!(answer.code(), "unauthenticated");
}

#[tokio::test]
async fn a_silent_sign_in_service_makes_nobody_a_forger() {
    let router = finish(routes(), &lonely_edge());
    let answer = get_as(&router, "/look", &bearer("http://127.0.0.1:1", json!({}))).await;
    assert_eq!(answer.code(), "identity_unavailable");
}
