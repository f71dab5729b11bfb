use super::world::{
    Answer, NOW, ORIGIN, call, create_tables, lonely, lonely_platform, platform_with, routes, serve_dynamo,
};
use crate::{Caller, RawBody, Role, Routes};
use axum::routing::{get, post};
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

/// Routes that anybody signed in, only the person, and only a freshly proven administrator may use.
fn for_people() -> Routes<()> {
    routes()
        .route("/look", get(|caller: Caller| async move { caller.user().to_string() }))
        .route("/change", get(|| async { "changed" }))
        .route("/spend", get(|caller: Caller| async move { caller.account().to_string() }))
        .route(
            "/administer",
            get(|caller: Caller| async move {
                assert_eq!(caller.roles(), [Role::Administrator]);
                "administered"
            }),
        )
}

async fn get_as(router: &Router, path: &str, token: &str) -> Answer {
    call(router, "GET", path, &[("authorization", token)], "").await
}

#[tokio::test]
async fn people_are_let_in_as_far_as_they_may_go() {
    let issuer = serve_keys().await;
    let dynamo = serve_dynamo().await;
    let platform = platform_with(&dynamo, &issuer, [("ADMIN_USER_IDS", "user_root")]);
    create_tables(&platform).await;
    let router = for_people().finish(&platform, ()).unwrap();
    let ann = bearer(&issuer, json!({}));
    let root = bearer(&issuer, json!({ "sub": "user_root" }));
    let support = bearer(&issuer, json!({ "act": { "sub": "user_support" } }));
    let long_ago = bearer(&issuer, json!({ "sub": "user_root", "fva": [11, -1] }));
    let unknown = bearer(&issuer, json!({ "sub": "user_root", "fva": null }));

    for (token, path, expected) in [
        (&ann, "/look", Ok("user_ann")),
        (&ann, "/spend", Ok("user_ann")),
        (&ann, "/administer", Err("not_administrator")),
        (&root, "/administer", Ok("administered")),
        (&support, "/look", Ok("user_ann")),
        (&support, "/change", Err("impersonation_refused")),
        (&support, "/spend", Err("impersonation_refused")),
        (&long_ago, "/spend", Ok("user_root")),
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
    let platform = platform_with("http://127.0.0.1:1", &issuer, []);
    let router = for_people().finish(&platform, ()).unwrap();
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
    let platform = platform_with("http://127.0.0.1:1", &issuer, []);
    let router = for_people().finish(&platform, ()).unwrap();
    assert_eq!(get_as(&router, "/look", &bearer(&issuer, json!({}))).await.code(), "store_unavailable");
}

#[tokio::test]
async fn who_is_not_signed_in_is_not_told_that_the_body_is_too_long() {
    let router = lonely(routes().route("/", post(|RawBody(_): RawBody| async {})));
    let answer = call(&router, "POST", "/", &[("content-length", "999999999")], "").await;
    assert_eq!(answer.code(), "unauthenticated");
}

#[tokio::test]
async fn a_silent_sign_in_service_makes_nobody_a_forger() {
    let router = lonely(for_people());
    let answer = get_as(&router, "/look", &bearer("http://127.0.0.1:1", json!({}))).await;
    assert_eq!(answer.code(), "identity_unavailable");
}

/// Fails closed: the table, not the handler, lets people in.
#[tokio::test]
async fn a_method_without_a_row_is_served_to_nobody() {
    let router = lonely(routes().route("/look", get(|| async { "seen" }).put(|| async { "written" })));
    assert_eq!(call(&router, "PUT", "/look", &[], "").await.code(), "internal");
    assert_eq!(call(&router, "DELETE", "/look", &[], "").await.code(), "method_not_allowed");
    assert_eq!(call(&router, "GET", "/look", &[], "").await.code(), "unauthenticated");
    assert_eq!(call(&router, "HEAD", "/look", &[], "").await.status, 401);
}

#[test]
#[should_panic(expected = "/nowhere has no row")]
fn a_path_without_a_row_starts_no_function() {
    let _ = routes().route("/nowhere", get(|| async { "seen" })).finish(&lonely_platform(), ());
}

/// What a function's routes do not need is neither read nor built.
#[tokio::test]
async fn an_edge_needs_the_settings_of_its_routes_alone() {
    let needs = |path: &'static str| {
        let bare = [
            ("CLERK_ISSUER", ""),
            ("PSEUDONYM_PEPPER", ""),
            ("ALLOWED_ORIGINS", ""),
            ("ADMIN_USER_IDS", "not an id"),
        ];
        let platform = platform_with("http://127.0.0.1:1", "http://127.0.0.1:1", bare);
        let methods = get(|| async { "ok" }).post(|| async { "ok" });
        routes().route(path, methods).finish(&platform, ()).err().map(|error| error.to_string())
    };
    assert_eq!(needs("/v1/webhooks/clerk"), None);
    let public = needs("/own").unwrap();
    assert!(public.contains("PSEUDONYM_PEPPER") && !public.contains("CLERK"), "{public}");
    let people = needs("/look").unwrap();
    assert!(people.contains("CLERK_ISSUER") && !people.contains("ADMIN_USER_IDS"), "{people}");
    assert!(needs("/administer").unwrap().contains("ADMIN_USER_IDS"));
}
