use super::world::{Answer, ORIGIN, call, lonely, lonely_platform, platform_with, routes, send};
use crate::{EXPOSED_HEADERS, PREFLIGHT_HEADERS, RequestId, fallback, preflights, sse};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use http::{Request, StatusCode};
use serde_json::json;

/// Two functions that share a path, and one that other services call, as the local run merges them.
fn merged() -> Router {
    let list = lonely(routes().route("/v1/runs", get(|| async { "list" })));
    let start = lonely(routes().route("/v1/runs", post(|| async { "started" })));
    let hook = lonely(routes().route("/v1/webhooks/clerk", post(|| async { "ok" })));
    preflights(Router::new().merge(list).merge(start), &lonely_platform()).unwrap().merge(hook)
}

#[tokio::test]
async fn merged_routers_keep_their_routes_and_their_problems() {
    for router in [merged(), fallback(merged(), &lonely_platform()).unwrap()] {
        assert_eq!(call(&router, "GET", "/v1/runs", &[], "").await.text, "list");
        assert_eq!(call(&router, "POST", "/v1/runs", &[], "").await.text, "started");

        let missing = call(&router, "GET", "/v1/nothing", &[], "").await;
        assert_eq!((missing.status, missing.code().as_str()), (StatusCode::NOT_FOUND, "not_found"));
        assert_eq!(missing.problem()["credit"], "unchanged");

        let method = call(&router, "DELETE", "/v1/runs", &[], "").await;
        assert_eq!(method.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(method.code(), "method_not_allowed");
        let allowed = method.header("allow");
        assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
        assert_eq!(call(&router, "PUT", "/v1/webhooks/clerk", &[], "").await.code(), "method_not_allowed");
    }
}

#[tokio::test]
async fn every_answer_is_named_and_hardened() {
    let router = merged();
    for (method, path) in [("GET", "/v1/runs"), ("GET", "/v1/nothing"), ("POST", "/v1/webhooks/clerk")] {
        let answer = call(&router, method, path, &[("x-request-id", "mine"), ("origin", ORIGIN)], "").await;
        let id = answer.header("x-request-id");
        assert!(id.len() == 26 && id != "mine", "{path}: {id}");
        assert_eq!(answer.headers.get_all("x-request-id").iter().count(), 1);
        for header in ["strict-transport-security", "content-security-policy", "referrer-policy"] {
            assert!(!answer.header(header).is_empty(), "{path}: {header}");
        }
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let problem = call(&router, "GET", "/v1/nothing", &[], "").await;
    assert_eq!(problem.problem()["request_id"], problem.header("x-request-id"));
}

#[tokio::test]
async fn a_handler_learns_the_request_id_and_may_choose_its_caching() {
    let shown =
        get(|id: RequestId| async move { ([("cache-control", "public, max-age=60")], id.to_string()) });
    let router = lonely(routes().route("/", shown));
    let answer = call(&router, "GET", "/", &[], "").await;
    assert_eq!(answer.text, answer.header("x-request-id"));
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
}

async fn preflight(router: &Router, path: &str, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization, content-type, idempotency-key"),
    ];
    call(router, "OPTIONS", path, &headers, "").await
}

#[tokio::test]
async fn only_listed_origins_may_call_and_only_from_pages() {
    let router = fallback(merged(), &lonely_platform()).unwrap();
    let allowed = preflight(&router, "/v1/runs", ORIGIN).await;
    assert_eq!(allowed.status, StatusCode::OK);
    assert_eq!(allowed.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(allowed.header("access-control-max-age"), "7200");
    assert!(allowed.header("access-control-allow-headers").contains("idempotency-key"));
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    assert!(allowed.header("vary").to_ascii_lowercase().contains("origin"));

    for origin in
        ["https://app.example.com.evil.example", "https://evil.example", "http://app.example.com", "null"]
    {
        for answer in [
            preflight(&router, "/v1/runs", origin).await,
            call(&router, "GET", "/v1/runs", &[("origin", origin)], "").await,
        ] {
            assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
            assert_eq!(answer.header("access-control-allow-credentials"), "", "{origin}");
        }
    }

    let problem = call(&router, "GET", "/v1/nothing", &[("origin", ORIGIN)], "").await;
    assert_eq!(problem.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(problem.header("access-control-expose-headers"), EXPOSED_HEADERS);
    let allowed = preflight(&router, "/v1/runs", ORIGIN).await;
    assert_eq!(allowed.header("access-control-allow-headers"), PREFLIGHT_HEADERS[0].1);

    let nowhere = preflight(&router, "/v1/nothing", ORIGIN).await;
    assert_eq!((nowhere.status, nowhere.code().as_str()), (StatusCode::NOT_FOUND, "not_found"));

    let hook = preflight(&router, "/v1/webhooks/clerk", ORIGIN).await;
    assert_eq!(
        (hook.status, hook.header("access-control-allow-origin")),
        (StatusCode::METHOD_NOT_ALLOWED, "")
    );
}

#[tokio::test]
async fn events_are_streamed_as_browsers_read_them() {
    let stream = get(|| async {
        let events = [sse::event("delta", &json!({ "text": "a\nb" })), sse::event("done", &1)];
        sse::response(futures_util::stream::iter(events))
    });
    let router = lonely(routes().route("/", stream));
    let answer = send(&router, Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.text, "event: delta\ndata: {\"text\":\"a\\nb\"}\n\nevent: done\ndata: 1\n\n");
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-accel-buffering"), "no");
}

#[tokio::test]
async fn refusals_by_axum_leave_as_problems() {
    let plain = get(|| async { (StatusCode::UNPROCESSABLE_ENTITY, "Failed to deserialize: secret") });
    let own = get(|| async { (StatusCode::BAD_REQUEST, axum::Json(json!({ "RspCode": "99" }))) });
    let read = post(|_: Bytes| async { "read" });
    let platform = platform_with("http://127.0.0.1:1", "http://127.0.0.1:1", [("BODY_BYTES_MAX", "4")]);
    let router = routes().route("/plain", plain).route("/own", own).route("/read", read);
    let router = router.finish(&platform, ()).unwrap();

    let told = call(&router, "GET", "/plain", &[], "").await;
    assert_eq!(told.code(), "invalid_input");
    assert!(!told.text.contains("secret"));
    assert_eq!(call(&router, "GET", "/own", &[], "").await.text, r#"{"RspCode":"99"}"#);
    assert_eq!(call(&router, "POST", "/read", &[], "12345").await.code(), "body_too_large");
}
