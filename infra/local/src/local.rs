use crate::args::Options;
use crate::stopping::{self, Stopped, Stops};
use crate::stores::{LifecycleRule, Place, StoreStartError, Stores};
use crate::{MEDIA_BUCKET, functions, local_env, schedules, server, tables, with_source_ip};
use axum::Router;
use platform::{InvalidSettings, Platform};
use primitives::Clock;
use runs::{RunsError, Shop};
use sandbox::{Sandbox, SandboxConfig};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpListener;

/// All of the product on one port, ready to be served.
pub struct Local {
    pub base: String,
    pub platform: Platform,
    listener: TcpListener,
    router: Router,
    stores: Stores,
    /// How long a connection may say nothing.
    idle: Duration,
    /// How long what is open at a stop may go on.
    drain: Duration,
}

/// Why nothing was started; each is one message that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("port {port} is in use by another program: end it, or choose another with --port")]
    PortInUse { port: u16 },
    #[error("can't listen on port {port}: {source}")]
    Listen { port: u16, source: std::io::Error },
    #[error(transparent)]
    Stores(#[from] StoreStartError),
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error("the price table could not be written: {0}")]
    Prices(#[from] RunsError),
}

impl Local {
    /// Opens stores and port. `given` are the settings of the person who starts it.
    pub async fn start(options: &Options, given: HashMap<String, String>) -> Result<Local, StartError> {
        let listener = listen(options.port).await?;
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { port: options.port, source })?;
        let base = format!("http://{address}");
        let place = if options.memory { Place::Memory } else { Place::Disk(options.data.clone()) };
        if options.fresh {
            Stores::erase(&place)?;
        }
        let rules = [LifecycleRule { prefix: "tmp30/".to_owned(), days: 30 }];
        let prefix = prefix_of(&given);
        let clock = Clock::system();
        let stores = Stores::open(&place, &tables(), &prefix, MEDIA_BUCKET, &rules, &clock).await?;
        let env = local_env(given, &base, &stores);
        let platform = Platform::build(env, clock, Some(stores.connector()))?;
        Shop::new(&platform)?.seed().await?;
        let sandbox = Sandbox::new(SandboxConfig {
            public_base: base.clone(),
            webhook_target: Some(base.clone()),
            origin: base.clone(),
            zero_latency: options.zero_latency,
        });
        let router = functions(&platform)?
            .merge(sandbox.router())
            .merge(stores.s3_router(std::slice::from_ref(&base)));
        let (idle, drain) = (options.idle, options.drain);
        Ok(Local { base, platform, listener, router: with_source_ip(router), stores, idle, drain })
    }

    /// Serves until the first wish to stop, lets what is open end for its time, then tells what is left to end.
    pub async fn serve(self, mut stops: Stops) -> Stopped {
        let ticking = schedules::start(&self.platform, self.stores.clone());
        let open = server::serve(self.listener, self.router, self.idle, &mut stops).await;
        ticking.iter().for_each(tokio::task::JoinHandle::abort);
        stopping::wind_down(open, &self.platform, self.drain, &mut stops).await
    }
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::PortInUse { port },
        _ => StartError::Listen { port, source },
    })
}

/// As `platform` reads it: an empty variable counts as absent.
fn prefix_of(given: &HashMap<String, String>) -> String {
    let set = |name: &str| given.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    match set("TABLE_PREFIX") {
        Some(prefix) => prefix.to_owned(),
        None => format!("{}-", set("PROFILE").unwrap_or("citipen")),
    }
}
