//! Webhooks: a request to the product, and what became of it.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Fault, Service, World, calendar};

/// Svix waits this long for an answer, and SePay so long for a connection.
const DELIVERY_SECONDS: u64 = 15;

/// Webhooks go to a local product, so the client trusts no certificate authority at all. It follows no redirect: the vendors'
/// webhooks do not, and a redirect could lead off this machine.
static CLIENT: LazyLock<Option<reqwest::Client>> = LazyLock::new(build);

/// One signed webhook request, for whoever wants to carry it to the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Path at the product, from the slash on.
    pub path: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The exact bytes that were signed.
    pub body: Vec<u8>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// What was told, e.g. `ORDER_PAID`.
    about: String,
    /// Vietnam's time.
    at: String,
    /// The product's answer; `None` when nobody answered.
    pub(crate) status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Delivery {
    /// A JSON body for a path; the proof of its origin comes as headers.
    pub(crate) fn new(path: &str, body: Vec<u8>, proof: Vec<(&str, String)>) -> Delivery {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        headers.extend(proof.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Delivery { path: path.to_owned(), headers, body }
    }

    /// The request as the control calls show it.
    pub(crate) fn shown(&self) -> Value {
        let headers: serde_json::Map<String, Value> =
            self.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        json!({ "path": self.path, "headers": headers, "body": String::from_utf8_lossy(&self.body) })
    }

    /// One attempt, noted in the journal under the product's path; `None` when there is nobody to send to.
    pub(crate) async fn send(
        &self,
        world: &World,
        service: Service,
        about: &'static str,
        fault: Option<&Fault>,
    ) -> Option<Outcome> {
        let url = format!("{}{}", world.config.webhook_target.as_ref()?, self.path);
        Some(self.send_to(world, service, &url, about, fault.map(Fault::name)).await)
    }

    /// One attempt at an address of its own, noted in the journal under its path.
    pub(crate) async fn send_to(
        &self,
        world: &World,
        service: Service,
        url: &str,
        about: &'static str,
        fault: Option<&'static str>,
    ) -> Outcome {
        let at = world.now();
        let ticket = world.journal.sent(service, self, fault, at);
        let (status, error) = match post(url, &self.headers, self.body.clone()).await {
            Ok(status) => {
                world.journal.answered(ticket, status);
                (Some(status), None)
            }
            Err(error) => {
                tracing::warn!(webhook.about = about, "the webhook found nobody: {error}");
                (None, Some(error))
            }
        };
        Outcome { about: about.to_owned(), at: calendar::text(at), status, error }
    }
}

impl Outcome {
    /// Whether the product has taken it.
    pub(crate) fn is_taken(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// How often a webhook goes out under a fault.
pub(crate) fn times(fault: Option<&Fault>, wished: u32) -> u32 {
    match fault {
        Some(Fault::Lost) => 0,
        Some(Fault::Duplicate) => wished.max(2),
        _ => wished,
    }
}

/// Posts and answers the status, or why there is none.
pub(crate) async fn post(url: &str, headers: &[(String, String)], body: Vec<u8>) -> Result<u16, String> {
    let mut request = client()?.post(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.body(body).send().await;
    answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
}

/// The one client of the sandbox.
pub(crate) fn client() -> Result<&'static reqwest::Client, String> {
    CLIENT.as_ref().ok_or_else(|| "no HTTP client".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the sandbox stands for another company's process")]
fn build() -> Option<reqwest::Client> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client =
        reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().redirect(Policy::none());
    client.timeout(Duration::from_secs(DELIVERY_SECONDS)).build().ok()
}
