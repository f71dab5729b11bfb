//! Calls to addresses that a request has named: only this machine is ever called, so nothing leaves it.

use url::{Host, Position, Url};

use crate::{Delivery, Fault, Service, World, delivery};

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

/// One attempt of a webhook at an address that came with the work, noted in the journal; `None` when nobody has answered or
/// the address is not on this machine.
pub(crate) async fn send(
    delivery: &Delivery,
    world: &World,
    service: Service,
    url: &str,
    fault: Option<&Fault>,
) -> Option<u16> {
    if let Err(error) = client(url) {
        world.journal.sent(service, delivery, fault.map(Fault::name), world.now());
        tracing::warn!(webhook.service = service.name(), "the webhook found nobody: {error}");
        return None;
    }
    delivery.send_to(world, service, url, service.name(), fault.map(Fault::name)).await.status
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
    delivery::client()
}
