use crate::args::Options;
use crate::stores::{LifecycleRule, Place, StoreStartError, Stores};
use crate::{MEDIA_BUCKET, functions, local_env, schedules, tables, with_source_ip};
use axum::Router;
use axum::serve::ListenerExt;
use platform::{InvalidSettings, Platform};
use primitives::Clock;
use runs::{RunsError, Shop};
use sandbox::{Sandbox, SandboxConfig};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpListener;

/// How long open requests may take to end after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(5);

/// All of the product on one port, ready to be served.
pub struct Local {
    pub base: String,
    pub platform: Platform,
    listener: TcpListener,
    router: Router,
    stores: Stores,
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
        Ok(Local { base, platform, listener, router: with_source_ip(router), stores })
    }

    /// Serves until `stop` resolves, then lets open requests end.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        let ticking = schedules::start(&self.platform, self.stores.clone());
        let service = self.router.into_make_service_with_connect_info::<SocketAddr>();
        // Small events of a stream must not wait for more to send.
        let listener = self.listener.tap_io(|socket| {
            if let Err(error) = socket.set_nodelay(true) {
                tracing::warn!(error = %error, "a connection stays with delayed sending");
            }
        });
        let (stopping, mut stopped) = tokio::sync::watch::channel(false);
        let stop = async move {
            stop.await;
            let _ = stopping.send(true);
        };
        let serving = axum::serve(listener, service).with_graceful_shutdown(stop);
        let served = tokio::select! {
            served = serving => served,
            // A stalled stream must not hold the terminal; its run is brought to its end by the next start.
            () = async { let _ = stopped.wait_for(|stopping| *stopping).await; tokio::time::sleep(PATIENCE).await } => Ok(()),
        };
        ticking.iter().for_each(tokio::task::JoinHandle::abort);
        served
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
