use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Asks for all addresses of a name: this machine's resolver, or what a test puts in its place.
#[derive(Clone)]
pub struct Lookup(Arc<dyn Fn(String) -> Looking + Send + Sync>);

/// This machine's resolver.
#[derive(Debug)]
pub struct SystemLookup;

impl SystemLookup {
    /// A handle to it.
    pub fn shared() -> Lookup {
        Lookup::of(|name| async move {
            // A port must be asked for; the connection has its own.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

impl Lookup {
    /// By a function of one's own.
    pub fn of<F>(look: impl Fn(String) -> F + Send + Sync + 'static) -> Lookup
    where
        F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Lookup(Arc::new(move |name| Box::pin(look(name))))
    }

    pub(super) async fn addresses(&self, name: String) -> io::Result<Vec<IpAddr>> {
        (self.0)(name).await
    }
}

/// Gives the HTTP client the addresses that were judged, and no others.
pub(crate) struct Vetted {
    lookup: Lookup,
    is_allowed: fn(IpAddr) -> bool,
}

/// Why a name leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// One of its addresses is not public: then none of them is used, because the name's owner means no good.
    #[error("the name leads to a network that is not public")]
    NotPublic,
    #[error("the name has no address")]
    NoAddress,
}

impl Vetted {
    pub(super) fn new(lookup: Lookup, is_allowed: fn(IpAddr) -> bool) -> Vetted {
        Vetted { lookup, is_allowed }
    }
}

impl Resolve for Vetted {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, is_allowed) = (self.lookup.clone(), self.is_allowed);
        Box::pin(async move {
            let found = lookup.addresses(name.as_str().to_owned()).await.map_err(|_| Refused::NoAddress)?;
            if found.is_empty() {
                return Err(Refused::NoAddress.into());
            }
            if !found.iter().all(|address| is_allowed(*address)) {
                return Err(Refused::NotPublic.into());
            }
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}
