use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};

use super::{BASE, ask, config, instant};
use crate::clerk::signature;
use crate::{CLERK_SECRET_KEY, CLERK_WEBHOOK_SECRET, Fault, FaultRule, Sandbox, Service};

const SECRET: (&str, &str) = ("authorization", "Bearer sandbox-clerk-secret-key");

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("base64url")
}

/// Header and claims, after checking the signature with the key set.
async fn checked(sandbox: &Sandbox, token: &str) -> (Value, Value) {
    let keys = ask(sandbox, "GET /sandbox/clerk/.well-known/jwks.json", &[], "").await.json();
    let key = &keys["keys"][0];
    let part = |name: &str| decoded(key[name].as_str().expect("a number"));
    let public = RsaPublicKeyComponents { n: part("n"), e: part("e") };
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    public
        .verify(&RSA_PKCS1_2048_8192_SHA256, message.as_bytes(), &decoded(signature))
        .expect("signed with the published key");
    let (header, claims) = message.split_once('.').expect("three parts");
    let json = |part| serde_json::from_slice(&decoded(part)).expect("JSON");
    let header: Value = json(header);
    assert_eq!(header["kid"], key["kid"]);
    (header, json(claims))
}

#[tokio::test]
async fn a_token_is_signed_by_the_published_key_and_says_who() {
    let sandbox = instant();
    sandbox.set_now(Some(1_790_000_000));

    let (header, claims) = checked(&sandbox, &sandbox.token("ann")).await;

    assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
    assert_eq!(claims["iss"], format!("{BASE}/sandbox/clerk"));
    assert_eq!(claims["sub"], "user_sandbox_ann");
    assert_eq!(claims["azp"], "http://page.test");
    assert_eq!(
        [&claims["nbf"], &claims["iat"], &claims["exp"]],
        [&json!(1_789_999_990), &json!(1_790_000_000), &json!(1_790_000_060)]
    );
    assert_eq!(
        [&claims["sts"], &claims["v"], &claims["fva"]],
        [&json!("active"), &json!(2), &json!([0, -1])]
    );
}

#[tokio::test]
async fn a_page_of_any_origin_gets_a_token_made_for_it() {
    let sandbox = instant();
    let page = [("origin", "http://localhost:5173")];
    let token = ask(&sandbox, "GET /sandbox/clerk/token?person=ann", &page, "").await;
    assert_eq!(token.header("access-control-allow-origin"), "*");
    assert_eq!(checked(&sandbox, token.text()).await.1["azp"], "http://localhost:5173");
}

#[tokio::test]
async fn a_token_can_be_wished_wrong() {
    let sandbox = instant();
    let path = "GET /sandbox/clerk/token?person=bob_2&ttl=-5&azp=&sts=pending&sub=user_x";
    let token = ask(&sandbox, path, &[], "").await;
    let (_, claims) = checked(&sandbox, token.text()).await;
    assert!(claims["exp"].as_u64() < claims["iat"].as_u64());
    assert!(claims.get("azp").is_none());
    assert_eq!([&claims["sts"], &claims["sub"]], [&json!("pending"), &json!("user_x")]);
    assert_eq!(ask(&sandbox, "GET /sandbox/clerk/token?person=Ann", &[], "").await.status, 400);
    let stale = ask(&sandbox, "GET /sandbox/clerk/token?person=bob_2&fva=11", &[], "").await;
    assert_eq!(checked(&sandbox, stale.text()).await.1["fva"], json!([11, -1]));
    assert_eq!(ask(&sandbox, "GET /sandbox/clerk/token?person=ann&fva=old", &[], "").await.status, 400);
}

#[tokio::test]
async fn the_backend_api_wants_its_secret_key() {
    let sandbox = instant();
    let path = "GET /sandbox/clerk/v1/users/user_sandbox_ann";
    for headers in [&[][..], &[("authorization", "Bearer sk_live_other")][..]] {
        let answer = ask(&sandbox, path, headers, "").await;
        assert_eq!(answer.status, 401);
        assert!(answer.json()["errors"][0]["code"].is_string());
    }
    assert_eq!(SECRET.1, format!("Bearer {CLERK_SECRET_KEY}"));
}

#[tokio::test]
async fn a_user_is_shown_as_configured_and_gone_when_deleted() {
    let sandbox = instant();
    let body = json!({ "email": "ann@clinic.test", "first_name": "Ann" }).to_string();
    assert_eq!(ask(&sandbox, "POST /sandbox/clerk/people/ann", &[], body).await.status, 200);

    let path = "GET /sandbox/clerk/v1/users/user_sandbox_ann";
    let user = ask(&sandbox, path, &[SECRET], "").await.json();
    let email = &user["email_addresses"][0];
    assert_eq!(email["email_address"], "ann@clinic.test");
    assert_eq!(
        (&email["id"], &email["verification"]["status"]),
        (&user["primary_email_address_id"], &json!("verified"))
    );

    let gone = ask(&sandbox, "DELETE /sandbox/clerk/v1/users/user_sandbox_ann", &[SECRET], "").await;
    assert_eq!(gone.json()["deleted"], true);
    let answer = ask(&sandbox, path, &[SECRET], "").await;
    assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (404, &json!("resource_not_found")));
}

#[test]
fn the_signature_matches_svix_own_check_value() {
    let made = signature(
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1_649_367_553,
        r#"{"email":"test@example.com","username":"test_user"}"#,
    );
    assert_eq!(made.as_deref(), Some("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="));
}

/// Checks with the library Clerk's own SDK uses, which knows the neutral header names.
fn verified(headers: &HeaderMap, body: &[u8]) -> bool {
    let neutral: HeaderMap = ["id", "timestamp", "signature"]
        .into_iter()
        .filter_map(|name| {
            let name = format!("webhook-{name}");
            let value = headers.get(name.replace("webhook", "svix"))?.clone();
            Some((name.parse().ok()?, value))
        })
        .collect();
    let checker = standardwebhooks::Webhook::new(CLERK_WEBHOOK_SECRET).expect("the secret is well formed");
    checker.verify(body, &neutral).is_ok()
}

#[tokio::test]
async fn a_webhook_request_can_be_had_unsent() {
    let sandbox = instant();
    for (flag, is_valid) in [("", true), ("&broken_signature=1", false)] {
        let path = format!("GET /sandbox/clerk/people/ann/webhook-request?type=user.created{flag}");
        let shown = ask(&sandbox, &path, &[], "").await.json();
        let headers = shown["headers"].as_object().expect("headers").iter();
        let headers: HeaderMap = headers
            .map(|(name, value)| {
                (name.parse().expect("name"), value.as_str().expect("text").parse().expect("value"))
            })
            .collect();
        let body = shown["body"].as_str().expect("a body");
        assert_eq!(verified(&headers, body.as_bytes()), is_valid);
        let event: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&event["type"], &event["instance_id"]), (&json!("user.created"), &json!("ins_sandbox")));
        assert_eq!(event["data"]["id"], "user_sandbox_ann");
    }
}

#[tokio::test]
async fn webhooks_arrive_signed_as_often_as_asked_and_keep_their_id() {
    let (received, address) = super::product("/v1/webhooks/clerk").await;
    let sandbox = Sandbox::new(crate::SandboxConfig { webhook_target: Some(address), ..config(true) });

    let path = "POST /sandbox/clerk/people/ann/webhook?type=user.deleted&times=2";
    let answer = ask(&sandbox, path, &[], "").await.json();
    assert_eq!(answer["deliveries"], json!([{ "status": 204 }, { "status": 204 }]));
    sandbox.faults().set(Service::Clerk, FaultRule::once(Fault::Lost));
    let answer = ask(&sandbox, path, &[], "").await.json();
    assert_eq!(answer["deliveries"], json!([]));
    sandbox.faults().set(Service::Clerk, FaultRule::once(Fault::Duplicate));
    ask(&sandbox, "POST /sandbox/clerk/people/ann/webhook?type=user.updated", &[], "").await;

    let received = received.lock().expect("no test panicked");
    assert_eq!(received.len(), 4);
    assert!(received.iter().all(|(headers, body)| verified(headers, body)));
    assert_eq!(received[0].0["svix-id"], received[1].0["svix-id"]);
    assert_ne!(received[1].0["svix-id"], received[2].0["svix-id"]);
}
