//! The host in the cloud: API Gateway's events become requests, answers are streamed.

use crate::SourceIp;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::uri::PathAndQuery;
use http::{Request, Uri};
use lambda_http::request::RequestContext;
use lambda_http::{RequestExt, run_with_streaming_response};
use tower::{ServiceExt, service_fn};

pub use lambda_http::Error;

/// Serves a function's finished router until the environment is shut down.
pub async fn serve(router: Router) -> Result<(), Error> {
    run_with_streaming_response(service_fn(move |event| answer(router.clone(), event))).await
}

async fn answer(router: Router, event: lambda_http::Request) -> Result<Response, Error> {
    Ok(router.oneshot(request(event)?).await?)
}

fn request(event: lambda_http::Request) -> Result<Request<Body>, Error> {
    let uri = without_stage(&event)?;
    let source = event.extensions().get().and_then(source_ip);
    let (mut parts, body) = event.into_parts();
    parts.uri = uri;
    if let Some(source) = source {
        parts.extensions.insert(source);
    }
    let body = match body {
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    };
    Ok(Request::from_parts(parts, body))
}

fn source_ip(context: &RequestContext) -> Option<SourceIp> {
    let text = match context {
        RequestContext::ApiGatewayV1(rest) => rest.identity.source_ip.as_deref(),
        RequestContext::ApiGatewayV2(http) => http.http.source_ip.as_deref(),
        _ => None,
    };
    text?.parse().ok().map(SourceIp)
}

/// The path our routes know. `lambda_http` puts the stage in front of a REST API's path, and an HTTP API
/// sends it there itself.
fn without_stage(event: &lambda_http::Request) -> Result<Uri, Error> {
    let (stage, is_in_path) = match event.extensions().get() {
        Some(RequestContext::ApiGatewayV1(rest)) => (rest.stage.as_deref(), false),
        Some(RequestContext::ApiGatewayV2(http)) => (http.stage.as_deref(), true),
        _ => (None, false),
    };
    let path = event.uri().path();
    let prefix = format!("/{}", stage.unwrap_or("$default"));
    let starts_with_stage = |path: &str| path.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with('/'));
    // A REST path that begins like the stage is a route of ours, and was left as it is.
    let is_route = !is_in_path && starts_with_stage(event.raw_http_path());
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

    fn rest(stage: &str, path: &str) -> lambda_http::Request {
        let event = serde_json::json!({
            "resource": "/{proxy+}", "path": path, "httpMethod": "POST", "isBase64Encoded": true, "body": "e30=",
            "headers": { "Host": "api.example.com" }, "multiValueHeaders": { "Host": ["api.example.com"] },
            "queryStringParameters": { "limit": "5" }, "multiValueQueryStringParameters": { "limit": ["5"] },
            "requestContext": { "stage": stage, "httpMethod": "POST", "identity": { "sourceIp": "203.0.113.7" } },
        });
        lambda_http::request::from_str(&event.to_string()).unwrap()
    }

    #[tokio::test]
    async fn a_gateway_event_becomes_a_request_of_ours() {
        let request = request(rest("live", "/v1/runs")).unwrap();
        assert_eq!(request.uri(), "/v1/runs?limit=5");
        assert_eq!(request.extensions().get(), Some(&SourceIp("203.0.113.7".parse().unwrap())));
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "{}");
    }

    #[test]
    fn the_stage_is_not_part_of_a_route() {
        for (stage, path) in
            [("live", "/v1/runs"), ("v1", "/v1/runs"), ("v", "/v1/runs"), ("live", "/alive/x")]
        {
            assert_eq!(request(rest(stage, path)).unwrap().uri().path(), path);
        }
    }
}
