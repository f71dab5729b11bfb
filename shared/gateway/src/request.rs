//! API Gateway's events become requests of ours.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use edge::{AnswerBy, SourceIp};
use http::uri::PathAndQuery;
use http::{Request, Uri};
use lambda_http::request::RequestContext;
use lambda_http::{Error, RequestExt};
use primitives::{Timestamp, TraceId, times};
use tokio::time::Instant;
use tower::ServiceExt;

pub(crate) async fn answer(
    router: Router,
    event: lambda_http::Request,
    now: Timestamp,
) -> Result<Response, Error> {
    Ok(router.oneshot(request(event, now)?).await?)
}

fn request(event: lambda_http::Request, now: Timestamp) -> Result<Request<Body>, Error> {
    let uri = without_stage(&event)?;
    let source = event.extensions().get().and_then(source_ip);
    let context = event.lambda_context_ref();
    let trace = context.and_then(|context| context.xray_trace_id.as_deref()).and_then(TraceId::of_xray);
    let answer_by = context.map(|context| answer_by(context.deadline, now));
    let (mut parts, body) = event.into_parts();
    parts.uri = uri;
    if let Some(source) = source {
        parts.extensions.insert(source);
    }
    if let Some(trace) = trace {
        parts.extensions.insert(trace);
    }
    if let Some(moment) = answer_by {
        parts.extensions.insert(moment);
    }
    let body = match body {
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    };
    Ok(Request::from_parts(parts, body))
}

/// Before Lambda ends the invocation, at `deadline` (Unix milliseconds), the caller gets an answer of ours.
fn answer_by(deadline: u64, now: Timestamp) -> AnswerBy {
    let left = Timestamp::from_millis(deadline).since(now);
    AnswerBy(Instant::now() + left.saturating_sub(times::ANSWER_MARGIN))
}

/// As the gateway saw the connection; what a header says of it anybody can write.
fn source_ip(context: &RequestContext) -> Option<SourceIp> {
    let RequestContext::ApiGatewayV1(rest) = context else { return None };
    rest.identity.source_ip.as_deref()?.parse().ok().map(SourceIp)
}

/// The path our routes know: `lambda_http` puts the stage in front of it.
fn without_stage(event: &lambda_http::Request) -> Result<Uri, Error> {
    let Some(RequestContext::ApiGatewayV1(rest)) = event.extensions().get() else {
        return Ok(event.uri().clone());
    };
    let path = event.uri().path();
    let prefix = format!("/{}", rest.stage.as_deref().unwrap_or_default());
    let starts_with_stage = |path: &str| path.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with('/'));
    // A path that begins like the stage is a route of ours, and was left as it is.
    let is_route = starts_with_stage(event.raw_http_path());
    let kept = if starts_with_stage(path) && !is_route { &path[prefix.len()..] } else { path };
    let target = match event.uri().query() {
        Some(query) => format!("{kept}?{query}"),
        None => kept.to_owned(),
    };
    Ok(Uri::from(target.parse::<PathAndQuery>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use platform::{Env, Platform};
    use primitives::Clock;

    fn rest(stage: &str, path: &str) -> lambda_http::Request {
        let event = serde_json::json!({
            "resource": "/{proxy+}", "path": path, "httpMethod": "POST", "isBase64Encoded": true, "body": "e30=",
            "headers": { "Host": "api.example.com" }, "multiValueHeaders": { "Host": ["api.example.com"] },
            "queryStringParameters": { "limit": "5" }, "multiValueQueryStringParameters": { "limit": ["5"] },
            "requestContext": { "stage": stage, "httpMethod": "POST", "identity": { "sourceIp": "203.0.113.7" } },
        });
        lambda_http::request::from_str(&event.to_string()).unwrap()
    }

    /// A platform whose store is nowhere.
    fn platform() -> Platform {
        let given = [
            ("AWS_REGION", "ap-southeast-1"),
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("MEDIA_BUCKET", "media"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
        ];
        let env: Env = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Platform::build(env, Clock::system(), None).unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_seconds(1_000)
    }

    #[tokio::test]
    async fn a_gateway_event_becomes_a_request_of_ours() {
        let request = request(rest("live", "/v1/runs"), now()).unwrap();
        assert_eq!(request.uri(), "/v1/runs?limit=5");
        assert_eq!(request.extensions().get(), Some(&SourceIp("203.0.113.7".parse().unwrap())));
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "{}");
    }

    #[test]
    fn the_stage_is_not_part_of_a_route() {
        for (stage, path) in
            [("live", "/v1/runs"), ("v1", "/v1/runs"), ("v", "/v1/runs"), ("live", "/alive/x")]
        {
            assert_eq!(request(rest(stage, path), now()).unwrap().uri().path(), path);
        }
    }

    #[tokio::test]
    async fn a_request_that_waits_too_long_is_answered_before_lambda_ends_it() {
        let stuck = axum::routing::post(async || std::future::pending::<&str>().await);
        let routes = edge::Routes::new().route("/v1/webhooks/clerk", stuck);
        let router = routes.finish(&platform(), ()).unwrap();
        let mut context = lambda_runtime::Context::default();
        // Ten milliseconds more than are kept for the answer.
        context.deadline = now().after(times::ANSWER_MARGIN + std::time::Duration::from_millis(10)).millis();
        let event = rest("live", "/v1/webhooks/clerk").with_lambda_context(context);

        let response = answer(router, event, now()).await.unwrap();

        assert_eq!(response.status(), 504);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(response.headers().contains_key("x-request-id"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&problem["code"], &problem["credit"]), (&"timed_out".into(), &"unknown".into()));
    }
}
