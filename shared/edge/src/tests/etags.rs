use super::world::{Answer, ORIGIN, call, lonely, routes};
use crate::{EXPOSED_HEADERS, sse};
use axum::Json;
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A document that counts up when it is told to, with the headers of a run.
fn counter() -> (axum::Router, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let shown = count.clone();
    let show = get(async move || {
        let headers = [("retry-after", "2"), ("x-run-id", "01KA"), ("ratelimit-remaining", "7")];
        (headers, Json(json!({ "count": shown.load(Ordering::Relaxed) })))
    });
    (lonely(routes().route("/own", show)), count)
}

async fn ask(router: &axum::Router, known: &[&str]) -> Answer {
    let mut headers = vec![("origin", ORIGIN)];
    headers.extend(known.iter().map(|tag| ("if-none-match", *tag)));
    call(router, "GET", "/own", &headers, "").await
}

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again_until_it_changes() {
    let (router, count) = counter();
    let first = ask(&router, &[]).await;
    let tag = first.header("etag").to_owned();
    assert_eq!((first.status, first.text.as_str()), (StatusCode::OK, r#"{"count":0}"#));
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 24, "a strong one: {tag}");

    let (weak, of_several) = (format!("W/{tag}"), format!("\"other\", {tag}"));
    for known in [&[tag.as_str()][..], &[&weak], &[&of_several], &["\"other\"", &tag], &["*"]] {
        let again = ask(&router, known).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known:?}");
        assert_eq!(again.header("etag"), tag, "{known:?}");
    }

    count.store(1, Ordering::Relaxed);
    let changed = ask(&router, &[&tag]).await;
    assert_eq!((changed.status, changed.text.as_str()), (StatusCode::OK, r#"{"count":1}"#));
    assert_ne!(changed.header("etag"), tag);
    for other in ["", "\"\"", &tag.replace('"', ""), &tag.to_ascii_uppercase()] {
        assert_eq!(ask(&router, &[other]).await.status, StatusCode::OK, "{other}");
    }
}

#[tokio::test]
async fn a_304_has_the_headers_that_the_document_would_have_had() {
    let (router, _) = counter();
    let whole = ask(&router, &[]).await;
    let spared = ask(&router, &[whole.header("etag")]).await;

    assert_eq!(spared.status, StatusCode::NOT_MODIFIED);
    for header in whole.headers.keys().map(http::HeaderName::as_str) {
        match header {
            "x-request-id" => assert_ne!(spared.header(header), whole.header(header)),
            "content-type" | "content-length" => assert_ne!(spared.header(header), whole.header(header)),
            _ => assert_eq!(spared.header(header), whole.header(header), "{header}"),
        }
    }
    for header in ["retry-after", "x-run-id", "ratelimit-remaining", "access-control-allow-origin"] {
        assert!(!spared.header(header).is_empty(), "{header}");
    }
    assert_eq!(spared.header("content-type"), "");
    assert!(EXPOSED_HEADERS.split(',').any(|header| header == "etag"), "a page may read it");
}

#[tokio::test]
async fn streams_problems_pictures_and_what_is_no_get_have_no_tag() {
    let events = get(|| async { sse::response(futures_util::stream::iter([sse::event("done", &1)])) });
    let picture = get(|| async { ([("content-type", "image/png")], "png") });
    let refused = get(|| async { crate::ProblemResponse::from(crate::ProblemCode::NotFound) });
    let json = || async { Json(json!({})) };
    let router = routes()
        .route("/", events.post(json))
        .route("/own", picture)
        .route("/plain", refused)
        .route("/order", post(async || (StatusCode::CREATED, Json(json!({})))));
    let router = lonely(router);
    for (method, path) in [("GET", "/"), ("GET", "/own"), ("GET", "/plain"), ("POST", "/order")] {
        let answer = call(&router, method, path, &[("if-none-match", "*")], "").await;
        assert_eq!(answer.header("etag"), "", "{method} {path}");
        assert!(!answer.text.is_empty(), "{method} {path}");
    }
}
