use super::world::{call, lonely, routes, send};
use crate::{ClientNetwork, Country, IdempotencyKey, JsonBody, Page, RawBody};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use futures_util::stream;
use http::{Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

const JSON: (&str, &str) = ("content-type", "application/json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    tool: Tool,
    input: Input,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tool {
    Script,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    prompt: String,
    #[serde(default)]
    sizes: Vec<u16>,
}

fn router() -> Router {
    let order = post(|JsonBody(order): JsonBody<Order>| async move {
        let Tool::Script = order.tool;
        format!("{} {}", order.input.prompt.len(), order.input.sizes.len())
    });
    let raw = post(|RawBody(bytes): RawBody| async move { bytes.len().to_string() });
    lonely(routes().route("/order", order).route("/raw", raw))
}

#[tokio::test]
async fn a_body_that_fits_is_read() {
    let body = json!({ "tool": "script", "input": { "prompt": "kite {[\"", "sizes": [1, 2] } }).to_string();
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(call(&router(), "POST", "/order", &[("content-type", kind)], &body).await.text, "8 2");
    }
}

#[tokio::test]
async fn what_can_not_be_used_is_named_without_repeating_it() {
    let order = |input: serde_json::Value| json!({ "tool": "script", "input": input }).to_string();
    let table = [
        (r#"{"tool":"script"}"#.to_owned(), "/input", "is missing"),
        (order(json!({})), "/input/prompt", "is missing"),
        (order(json!({ "prompt": 73_571 })), "/input/prompt", "must be a text"),
        (
            order(json!({ "prompt": "", "sizes": [1, "SECRET"] })),
            "/input/sizes/1",
            "must be a whole number, not negative and not too large",
        ),
        (
            order(json!({ "prompt": "", "sizes": [1.5] })),
            "/input/sizes/0",
            "must be a whole number, not negative and not too large",
        ),
        (
            order(json!({ "prompt": "", "sizes": [-73_571] })),
            "/input/sizes/0",
            "must be a whole number, not negative and not too large",
        ),
        (
            order(json!({ "prompt": "", "SECRET": 1 })),
            "/input",
            "holds a field that is not known here; known are prompt, sizes",
        ),
        (r#"{"tool":"SECRET","input":{}}"#.to_owned(), "/tool", "must be script"),
        (r#"{"tool":"script","tool":"script"}"#.to_owned(), "", "holds a field twice"),
        (r#""SECRET""#.to_owned(), "", "must be an object"),
    ];
    for (body, pointer, detail) in table {
        let answer = call(&router(), "POST", "/order", &[JSON], &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let problem = answer.problem();
        assert_eq!(problem["code"], "invalid_input");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}");
        assert_eq!(problem["errors"][0]["detail"], detail, "{body}");
        assert!(!answer.text.contains("SECRET") && !answer.text.contains("73571"), "{}", answer.text);
    }
}

#[tokio::test]
async fn malformed_bodies_are_refused_before_anything_happens() {
    let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
    let table = [
        (vec![JSON], "{\"tool\":", "invalid_request"),
        (vec![JSON], "", "invalid_request"),
        (vec![JSON], "{} {}", "invalid_input"),
        (vec![JSON], deep.as_str(), "invalid_request"),
        (vec![], "{}", "unsupported_media_type"),
        (vec![("content-type", "text/plain")], "{}", "unsupported_media_type"),
        (vec![("content-type", "application/jsonp")], "{}", "unsupported_media_type"),
    ];
    for (headers, body, code) in table {
        let answer = call(&router(), "POST", "/order", &headers, body).await;
        assert_eq!(answer.code(), code, "{body}");
        assert_eq!(answer.problem()["credit"], "not_taken");
    }
}

#[tokio::test]
async fn a_body_has_an_end() {
    let max = 256 * 1024;
    let router = router();
    assert_eq!(call(&router, "POST", "/raw", &[], &"x".repeat(max)).await.text, max.to_string());

    let announced = call(&router, "POST", "/raw", &[("content-length", "262145")], "").await;
    assert_eq!(
        (announced.status, announced.code().as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large")
    );

    for (path, kind) in [("/raw", "text/plain"), ("/order", "application/json")] {
        let chunks = (0..=max / 1024).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1024])));
        let request = Request::post(path).header("content-type", kind);
        let request = request.body(Body::from_stream(stream::iter(chunks.collect::<Vec<_>>()))).unwrap();
        assert_eq!(send(&router, request).await.code(), "body_too_large");
    }
}

#[tokio::test]
async fn what_travels_beside_the_body_is_read_narrowly() {
    let shown = get(|page: Page, country: Country, network: ClientNetwork, key: IdempotencyKey| async move {
        format!(
            "{} {:?} {:?} {:?} {:?}",
            page.limit,
            page.cursor::<String>().unwrap(),
            country.0,
            network.0,
            key.0
        )
    });
    let router = lonely(routes().route("/", shown));
    let show = async |path: &str, headers: &[(&str, &str)]| call(&router, "GET", path, headers, "").await;

    assert_eq!(show("/", &[]).await.text, "20 None None Some(\"203.0.113.0/24\") None");
    let all =
        [("cloudfront-viewer-country", "vn"), ("idempotency-key", "\"k-1\""), ("x-forwarded-for", "8.8.8.8")];
    assert_eq!(
        show("/?limit=100&cursor=abc&kind=charge", &all).await.text,
        "100 Some(\"abc\") Some(\"VN\") Some(\"203.0.113.0/24\") Some(\"k-1\")"
    );
    assert!(show("/", &[("cloudfront-viewer-country", "T1")]).await.text.contains("None None"));
    for path in ["/?limit=0", "/?limit=101", "/?limit=x", "/?limit=1&limit=2", "/?cursor=", "/?cursor=a%20b"]
    {
        let answer = show(path, &[]).await;
        assert_eq!(answer.code(), "invalid_input", "{path}");
        assert!(answer.problem()["errors"][0]["pointer"].as_str().unwrap().starts_with('?'));
    }
    for headers in [vec![("idempotency-key", "")], vec![("idempotency-key", "a"), ("idempotency-key", "b")]] {
        assert_eq!(show("/", &headers).await.code(), "invalid_request");
    }
}
