//! Addresses that a person gave: fetched, or handed on to a provider, only when they lead to the public internet.
//!
//! A name is resolved once, every address that it has is judged, and the connection is made to those very addresses: what
//! was checked is what is used, whatever the name's server answers a moment later. Redirects are followed by hand, each
//! judged anew. Facts and sources: `docs/facts/outside.md`.

mod addresses;
mod resolver;

use crate::{Platform, wire};
use bytes::Bytes;
use primitives::times;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode};
use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

pub use addresses::is_public;
pub(crate) use resolver::Vetted;
pub use resolver::{Lookup, SystemLookup};

/// The longest address that is looked at.
const LENGTH_MAX: usize = 2_048;
const REDIRECTS_MAX: usize = 3;

/// An address that a person gave, as it is after the parser: no other reading of the text is ever used.
#[derive(Clone, PartialEq, Eq)]
pub struct OutsideUrl(Url);

/// Why an address is not fetched, or not handed on.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// The text is no address, or one that we don't take whoever is behind it.
    #[error("the address can't be used: {0}")]
    Unfit(&'static str),
    /// It leads, or one of its redirects leads, to a network that is not the public internet.
    #[error("the address does not lead to the public internet")]
    NotPublic,
    /// The name has no address.
    #[error("the name can't be resolved")]
    Unresolved,
    /// Its server answered with a status that is no success.
    #[error("the server answered with status {0}")]
    Status(u16),
    /// It leads from one redirect to the next.
    #[error("the server redirects too often")]
    TooManyRedirects,
    /// The content is longer than was asked for.
    #[error("the content is longer than {0} bytes")]
    TooLong(u64),
    /// The time was over.
    #[error("the server took too long")]
    TooSlow,
    /// There was no answer, or it broke off.
    #[error("the server can't be reached")]
    Unreachable(#[source] reqwest::Error),
}

/// How much is fetched at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchLimits {
    /// Bytes of the content.
    pub bytes_max: u64,
    /// From the first look at the name to the last byte.
    pub time: Duration,
}

/// What was found at an address. The content is read piece by piece, within the limits that it was asked for with.
pub struct Fetched {
    response: Response,
    /// What the server calls its type: a claim.
    content_type: Option<String>,
    limits: FetchLimits,
    read: u64,
    deadline: Instant,
}

/// Fetches from the public internet, and from nowhere else.
#[derive(Clone)]
pub struct Outside {
    client: reqwest::Client,
    lookup: Lookup,
    rules: Rules,
}

/// What tests replace: they have no public internet.
#[derive(Clone, Copy)]
struct Rules {
    is_allowed: fn(IpAddr) -> bool,
    port: u16,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { is_allowed: is_public, port: 443 }
    }
}

impl OutsideUrl {
    /// Reads an address and refuses what is wrong with it before any name is resolved: only `https`, on its own port,
    /// without a name and password in it, and no address of a network that is not public, however it is spelled.
    pub fn parse(text: &str) -> Result<OutsideUrl, OutsideError> {
        OutsideUrl::parse_by(text, Rules::default())
    }

    fn parse_by(text: &str, rules: Rules) -> Result<OutsideUrl, OutsideError> {
        if text.len() > LENGTH_MAX {
            return Err(OutsideError::Unfit("it is too long"));
        }
        let url = Url::parse(text).map_err(|_| OutsideError::Unfit("it is no address"))?;
        OutsideUrl(url).checked(rules)
    }

    fn checked(mut self, rules: Rules) -> Result<OutsideUrl, OutsideError> {
        if self.0.scheme() != "https" {
            return Err(OutsideError::Unfit("it does not begin with https"));
        }
        if !self.0.username().is_empty() || self.0.password().is_some() {
            return Err(OutsideError::Unfit("it holds a name or a password"));
        }
        if self.0.port_or_known_default() != Some(rules.port) {
            return Err(OutsideError::Unfit("it names a port"));
        }
        // A resolver is not asked about an address.
        let is_allowed = match self.0.host() {
            Some(Host::Ipv4(address)) => (rules.is_allowed)(address.into()),
            Some(Host::Ipv6(address)) => (rules.is_allowed)(address.into()),
            Some(Host::Domain(name)) => !is_special(name),
            None => return Err(OutsideError::Unfit("it names no host")),
        };
        if !is_allowed {
            return Err(OutsideError::NotPublic);
        }
        self.0.set_fragment(None);
        Ok(self)
    }

    /// As it is sent, and as it is handed on.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// In lower case, without a dot behind it; an address in its usual spelling.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_end_matches('.')
    }

    /// Whether it leads to this site or a part of it: `youtube.com` and `m.youtube.com`, and not `notyoutube.com`.
    pub fn is_of(&self, site: &str) -> bool {
        let rest = self.host().strip_suffix(site);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

/// Names that mean a machine, or a network of its own, wherever they are resolved (RFC 6761, RFC 6762, RFC 8375, RFC 9476).
fn is_special(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_special = matches!(
        last,
        "localhost"
            | "local"
            | "internal"
            | "home"
            | "lan"
            | "corp"
            | "intranet"
            | "private"
            | "onion"
            | "alt"
            | "test"
            | "invalid"
            | "example"
    );
    is_special || name.ends_with("home.arpa") || !name.contains('.')
}

/// Without the rest of the address, which may hold what is private.
impl fmt::Debug for OutsideUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutsideUrl({})", self.host())
    }
}

impl Platform {
    /// Fetches from addresses that people give, and judges those that are handed on. Built at the first use.
    pub fn outside(&self) -> &Outside {
        self.0.outside.get_or_init(|| Outside::with(SystemLookup::shared(), Rules::default(), None))
    }
}

impl Outside {
    fn with(lookup: Lookup, rules: Rules, roots: Option<rustls::RootCertStore>) -> Outside {
        let vetted = Vetted::new(lookup.clone(), rules.is_allowed);
        Outside { client: wire::outside_client(vetted, roots), lookup, rules }
    }

    /// Fetches what is there. Of the answer only the head has come when this returns.
    pub async fn fetch(&self, url: &OutsideUrl, limits: FetchLimits) -> Result<Fetched, OutsideError> {
        let deadline = Instant::now() + limits.time;
        let fetching = self.follow(url.clone(), limits, deadline);
        timeout_at(deadline, fetching).await.map_err(|_| OutsideError::TooSlow)?
    }

    async fn follow(
        &self,
        mut url: OutsideUrl,
        limits: FetchLimits,
        deadline: Instant,
    ) -> Result<Fetched, OutsideError> {
        for _ in 0..=REDIRECTS_MAX {
            let response = self.client.get(url.0.clone()).send().await.map_err(unreachable)?;
            let status = response.status();
            if is_redirect(status) {
                url = self.redirected(&url, &response)?;
                continue;
            }
            if !status.is_success() {
                return Err(OutsideError::Status(status.as_u16()));
            }
            if response.content_length().is_some_and(|length| length > limits.bytes_max) {
                return Err(OutsideError::TooLong(limits.bytes_max));
            }
            let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let content_type = content_type.map(str::to_owned);
            return Ok(Fetched { response, content_type, limits, read: 0, deadline });
        }
        Err(OutsideError::TooManyRedirects)
    }

    fn redirected(&self, from: &OutsideUrl, response: &Response) -> Result<OutsideUrl, OutsideError> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.filter(|location| location.len() <= LENGTH_MAX);
        let next = location.and_then(|location| from.0.join(location).ok());
        OutsideUrl(next.ok_or(OutsideError::Unfit("a redirect leads nowhere"))?).checked(self.rules)
    }

    /// Whether an address may be given to a provider, which fetches it by itself: now all that its name has are public
    /// addresses. The provider resolves the name once more, so it must only be one that keeps its own house; what it finds
    /// never comes back to us as an address.
    pub async fn is_safe_to_hand_on(&self, url: &OutsideUrl) -> Result<(), OutsideError> {
        let Some(Host::Domain(name)) = url.0.host() else { return Ok(()) };
        let looking = self.lookup.addresses(name.to_owned());
        let addresses = tokio::time::timeout(times::CONNECT.limit, looking).await;
        let addresses =
            addresses.map_err(|_| OutsideError::TooSlow)?.map_err(|_| OutsideError::Unresolved)?;
        match addresses.as_slice() {
            [] => Err(OutsideError::Unresolved),
            all if all.iter().all(|address| (self.rules.is_allowed)(*address)) => Ok(()),
            _ => Err(OutsideError::NotPublic),
        }
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// What the resolver refused is told apart from a server that is not there. No address is passed on.
fn unreachable(error: reqwest::Error) -> OutsideError {
    let mut cause: Option<&dyn Error> = Some(&error);
    while let Some(this) = cause {
        match this.downcast_ref::<resolver::Refused>() {
            Some(resolver::Refused::NotPublic) => return OutsideError::NotPublic,
            Some(resolver::Refused::NoAddress) => return OutsideError::Unresolved,
            None => cause = this.source(),
        }
    }
    if error.is_timeout() { OutsideError::TooSlow } else { OutsideError::Unreachable(error.without_url()) }
}

impl Fetched {
    /// What the server calls its type: a claim, to be judged by the bytes.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, OutsideError> {
        let piece = timeout_at(self.deadline, self.response.chunk()).await;
        let piece = piece.map_err(|_| OutsideError::TooSlow)?.map_err(unreachable)?;
        self.read += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if self.read > self.limits.bytes_max {
            Err(OutsideError::TooLong(self.limits.bytes_max))
        } else {
            Ok(piece)
        }
    }

    /// All of it, in memory.
    pub async fn bytes(mut self) -> Result<Vec<u8>, OutsideError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
