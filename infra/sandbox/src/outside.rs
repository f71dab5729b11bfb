//! Calls to addresses that a request has named: only this machine is ever called, so nothing leaves it.

use std::sync::LazyLock;

use reqwest::redirect::Policy;
use url::{Host, Position, Url};

use crate::delivery;

/// Follows no redirect: the vendors' webhooks do not, and a redirect could lead off this machine.
static CLIENT: LazyLock<Option<reqwest::Client>> = LazyLock::new(|| delivery::client(Policy::none()));

/// What came of fetching an address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    File(Vec<u8>),
    /// Answered, but not with a file.
    Status(u16),
    TooLarge,
    /// Nobody answered, or the address is not on this machine.
    Nothing(String),
}

/// Whether an address lies on this machine.
pub(crate) fn is_near(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What of an address a product sees: its path and query.
pub(crate) fn path_of(url: &str) -> String {
    Url::parse(url)
        .map_or_else(|_| url.to_owned(), |url| url[Position::BeforePath..Position::AfterQuery].to_owned())
}

/// Posts to an address on this machine and answers the status.
pub(crate) async fn post(url: &str, headers: &[(String, String)], body: Vec<u8>) -> Result<u16, String> {
    let mut request = client(url)?.post(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.body(body).send().await;
    answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
}

/// Fetches a file of up to `bytes_max` bytes from an address on this machine.
pub(crate) async fn fetch(url: &str, bytes_max: usize) -> Fetched {
    let client = match client(url) {
        Ok(client) => client,
        Err(error) => return Fetched::Nothing(error),
    };
    let mut answer = match client.get(url).send().await {
        Ok(answer) => answer,
        Err(error) => return Fetched::Nothing(error.to_string()),
    };
    if !answer.status().is_success() {
        return Fetched::Status(answer.status().as_u16());
    }
    let mut file = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if file.len() + chunk.len() > bytes_max => return Fetched::TooLarge,
            Ok(Some(chunk)) => file.extend_from_slice(&chunk),
            Ok(None) => return Fetched::File(file),
            Err(error) => return Fetched::Nothing(error.to_string()),
        }
    }
}

fn client(url: &str) -> Result<&'static reqwest::Client, String> {
    let parsed = Url::parse(url).map_err(|error| error.to_string())?;
    if !is_near(&parsed) {
        return Err(format!(
            "the sandbox calls only this machine, not {}",
            parsed.host_str().unwrap_or("nobody")
        ));
    }
    CLIENT.as_ref().ok_or_else(|| "no HTTP client".to_owned())
}
