use crate::args::Options;
use crate::stopping::{self, Stopped, Stops};
use crate::stores::{Elsewhere, Place, StoreStartError, Stores};
use crate::{MEDIA_BUCKET, functions, local_env, media_rules, schedules, server, tables, with_source_ip};
use axum::Router;
use platform::{InvalidSettings, Platform, StoreError};
use primitives::Clock;
use runs::Shop;
use sandbox::{Sandbox, SandboxConfig};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;

/// All of the product on one port, ready to be served.
pub struct Local {
    pub base: String,
    /// Stores that are not in the data folder.
    pub elsewhere: Elsewhere,
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
    #[error(
        "--fresh empties the data folder only, and these stores keep what they hold: {stores}; for a fresh start choose \
         another TABLE_PREFIX and --data"
    )]
    FreshElsewhere { stores: String },
    #[error(transparent)]
    Stores(#[from] StoreStartError),
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    #[error("what the sandbox remembers, `{}`, can't be opened: {source}", file.display())]
    Sandbox { file: PathBuf, source: std::io::Error },
    #[error("the price table could not be written: {0}")]
    Prices(#[source] StoreError),
}

impl Local {
    /// Opens stores and port. `given` are the settings of the person who starts it.
    pub async fn start(options: &Options, given: HashMap<String, String>) -> Result<Local, StartError> {
        let listener = listen(options.port).await?;
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { port: options.port, source })?;
        let base = format!("http://{address}");
        let place = if options.memory { Place::Memory } else { Place::Disk(options.data.clone()) };
        let rules = media_rules();
        let prefix = prefix_of(&given);
        let clock = Clock::system();
        let elsewhere = Elsewhere::read(&given);
        if options.fresh && !elsewhere.is_nowhere() {
            return Err(StartError::FreshElsewhere { stores: elsewhere.to_string() });
        }
        let bucket = set(&given, "MEDIA_BUCKET").filter(|_| elsewhere.s3.is_some());
        let bucket = bucket.unwrap_or(MEDIA_BUCKET).to_owned();
        if options.fresh {
            Stores::erase(&place)?;
        }
        let stores =
            Stores::open_beside(elsewhere, &place, &tables(), &prefix, &bucket, &rules, &clock).await?;
        let env = local_env(given, &base, &stores);
        let platform = stores.carry(&Platform::build(env, clock, None)?);
        let origins = platform.env().section(edge::allowed_origins)?;
        let origins: Vec<String> =
            origins.iter().filter_map(|origin| Some(origin.to_str().ok()?.to_owned())).collect();
        stores.prepare(&platform, &origins).await?;
        if let Err(error) = Shop::new(&platform)?.seed().await {
            return Err(stores.trouble().map_or(StartError::Prices(error), StartError::Stores));
        }
        let config = SandboxConfig {
            public_base: base.clone(),
            webhook_target: Some(base.clone()),
            origin: base.clone(),
            zero_latency: options.zero_latency,
        };
        let sandbox = match stores.sandbox_file() {
            Some(file) => {
                Sandbox::remembering(config, &file).map_err(|source| StartError::Sandbox { file, source })?
            }
            None => Sandbox::new(config),
        };
        let router = functions(&platform)?.merge(sandbox.router()).merge(stores.s3_router(&origins));
        let (idle, drain) = (options.idle, options.drain);
        let (router, elsewhere) = (with_source_ip(router), stores.elsewhere().clone());
        Ok(Local { base, elsewhere, platform, listener, router, stores, idle, drain })
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
    match set(given, "TABLE_PREFIX") {
        Some(prefix) => prefix.to_owned(),
        None => format!("{}-", set(given, "PROFILE").unwrap_or("citipen")),
    }
}

fn set<'a>(given: &'a HashMap<String, String>, name: &str) -> Option<&'a str> {
    given.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}
