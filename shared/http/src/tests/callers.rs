use super::world::{Answer, NOW, ORIGIN, call, create_tables, edge_with, lonely_edge, serve_dynamo};
use crate::{Authenticated, finish};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use serde_json::{Value, json};
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

/// Routes that anybody signed in, only the person, and only the freshly proven person may use.
fn routes() -> Router {
    Router::new()
        .route("/look", get(|caller: Authenticated| async move { caller.0.user.to_string() }))
        .route("/spend", get(|caller: Authenticated| async move { caller.in_person().map(|_| "spent") }))
        .route("/delete", get(|caller: Authenticated| async move { caller.stepped_up().map(|_| "deleted") }))
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
    let router = finish(routes(), &edge);
    let ann = bearer(&issuer, json!({}));
    let support = bearer(&issuer, json!({ "act": { "sub": "user_support" } }));
    let long_ago = bearer(&issuer, json!({ "fva": [11, -1] }));
    let unknown = bearer(&issuer, json!({ "fva": null }));

    for (token, path, expected) in [
        (&ann, "/look", Ok("user_ann")),
        (&ann, "/spend", Ok("spent")),
        (&ann, "/delete", Ok("deleted")),
        (&support, "/look", Ok("user_ann")),
        (&support, "/spend", Err("impersonation_refused")),
        (&support, "/delete", Err("impersonation_refused")),
        (&long_ago, "/spend", Ok("spent")),
        (&long_ago, "/delete", Err("step_up_required")),
        (&unknown, "/delete", Err("step_up_required")),
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
        assert_eq!(problem.as_object().unwrap().len(), 7);
    }
}

#[tokio::test]
async fn a_silent_sign_in_service_makes_nobody_a_forger() {
    let router = finish(routes(), &lonely_edge());
    let answer = get_as(&router, "/look", &bearer("http://127.0.0.1:1", json!({}))).await;
    assert_eq!(answer.code(), "identity_unavailable");
}
