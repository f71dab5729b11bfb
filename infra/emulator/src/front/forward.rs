//! Passes requests on to a store elsewhere, as they came: a signature holds for the host that it names.

use super::BODY_BYTES_MAX;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::response::{IntoResponse, Response};

#[derive(Clone)]
struct Store {
    client: reqwest::Client,
    /// Without a trailing slash.
    url: String,
}

/// Everything goes to the store at `url`.
#[expect(clippy::disallowed_methods, reason = "it stands for the network, not for the product")]
pub(super) fn router(url: &str) -> Result<Router, reqwest::Error> {
    // Another installed provider can only be ring again.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    // No certificate but the one that is asked for by a URL with TLS; the stores of a test have none.
    let client = client.tls_certs_only([]).build()?;
    Ok(Router::new()
        .fallback(pass_on)
        .with_state(Store { client, url: url.trim_end_matches('/').to_owned() }))
}

async fn pass_on(State(store): State<Store>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = head.headers;
    // Of the connection that it came by; the body's length stands in its own header.
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    let sent =
        store.client.request(head.method, format!("{}{path}", store.url)).headers(headers).body(body).send();
    match sent.await {
        Ok(answer) => passed_back(answer),
        Err(error) => {
            tracing::error!(error = %error, "a store elsewhere does not answer");
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

fn passed_back(answer: reqwest::Response) -> Response {
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
