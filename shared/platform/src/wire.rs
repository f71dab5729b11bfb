//! The process's one HTTP client, and the AWS SDK's requests through it: one TLS stack, one pool of connections, one
//! set of certificate authorities, built once.

use crate::outside::Vetted;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use primitives::times;
use std::sync::Arc;
use std::time::Duration;

/// Speaks HTTPS with ring, follows no redirect by itself and knows no proxy.
#[expect(clippy::disallowed_methods, reason = "the one place that builds the HTTP client")]
pub(crate) fn http_client() -> reqwest::Client {
    // Another installed provider can only be ring again: it is the only one in the lock file.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = match has_roots_of_its_own() {
        true => reqwest::Client::builder(),
        false => reqwest::Client::builder().tls_backend_preconfigured(trusting(compiled_in_roots())),
    };
    builder
        .connect_timeout(times::CONNECT.limit)
        // A thawed Lambda must not write to a connection that its peer closed long ago: a paid submit would then
        // have an unknown outcome.
        .pool_idle_timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent("citipen/0.1")
        .build()
        .expect("the HTTP client has only constant settings")
}

/// For addresses that people give: it connects to what the resolver has judged, keeps no connection for later, and takes
/// content as it is sent. A client of its own, because a resolver belongs to a client.
#[expect(clippy::disallowed_methods, reason = "fetching from strangers has a resolver of its own")]
pub(crate) fn outside_client(resolver: Vetted, roots: Option<rustls::RootCertStore>) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .tls_backend_preconfigured(trusting(roots.unwrap_or_else(compiled_in_roots)))
        .dns_resolver(Arc::new(resolver))
        .connect_timeout(times::CONNECT.limit)
        .pool_max_idle_per_host(0)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .user_agent("citipen/0.1")
        .build()
        .expect("the HTTP client has only constant settings")
}

/// Whoever names certificates of their own, for a provider behind a private authority, gets them read.
fn has_roots_of_its_own() -> bool {
    ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Mozilla's authorities as constants. Reading the system's opens up to 300 files and takes a cold start 20 ms.
fn compiled_in_roots() -> rustls::RootCertStore {
    rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

fn trusting(roots: rustls::RootCertStore) -> rustls::ClientConfig {
    let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// The SDK's own client would be a second TLS stack beside ours: 0.5 MB, and certificates read from 300 files.
pub(crate) fn sdk_client(http: reqwest::Client) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Carrier(http));
    // How long a call may take the SDK itself watches; connecting is bounded by the client.
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Carrier(reqwest::Client);

impl HttpConnector for Carrier {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = outgoing(request).map_err(ConnectorError::user)?;
            let response = client.execute(request).await.map_err(failed)?;
            let response = http::Response::<reqwest::Body>::from(response).map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

type Malformed = Box<dyn std::error::Error + Send + Sync>;

fn outgoing(request: HttpRequest) -> Result<reqwest::Request, Malformed> {
    let request = request.try_into_http1x()?.map(reqwest::Body::wrap::<SdkBody>);
    Ok(reqwest::Request::try_from(request)?)
}

/// What the SDK may try again: everything but a request that can't be sent. An address can carry a signature, so none
/// is passed on.
fn failed(error: reqwest::Error) -> ConnectorError {
    let (is_ours, is_late, is_unheard) = (error.is_builder(), error.is_timeout(), error.is_connect());
    let error = Box::new(error.without_url());
    match (is_ours, is_late, is_unheard) {
        (true, ..) => ConnectorError::user(error),
        (_, true, _) => ConnectorError::timeout(error),
        (_, _, true) => ConnectorError::io(error),
        _ => ConnectorError::other(error, Some(ErrorKind::TransientError)),
    }
}
