//! A whole world per test: stores in memory, the sandbox on a port of its own, product instances on others.

mod meddler;
mod person;

pub(crate) use meddler::{Fault, Hanging, Meddler, StoreCall, Tally};
pub(crate) use person::{Answer, Person, StreamEvent, events, http, image, new_run_id, script, text_of};

use axum::Router;
use citipen::stores::{LifecycleRule, Place, Stores};
use citipen::{MEDIA_BUCKET, functions, local_env, tables, with_source_ip};
use platform::{Env, Platform};
use primitives::{Clock, Timestamp};
use sandbox::{Sandbox, SandboxConfig};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The page's origin in every world.
pub(crate) const ORIGIN: &str = "http://page.test";

pub(crate) struct World {
    pub(crate) stores: Stores,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    outside: String,
    settings: HashMap<String, String>,
    /// The instance that most tests talk to.
    pub(crate) product: Instance,
    serving: JoinHandle<()>,
}

/// One running copy of the product, as one Lambda environment would be.
pub(crate) struct Instance {
    pub(crate) base: String,
    pub(crate) platform: Platform,
    pub(crate) meddler: Meddler,
    serving: JoinHandle<()>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl World {
    pub(crate) async fn start() -> World {
        World::with(&[]).await
    }

    /// A world with some settings of its own.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> World {
        let quick = [
            ("PROVIDER_POLL_MS", "5"),
            ("PROVIDER_BACKOFF_MS", "1"),
            ("USER_REQUESTS_PER_MINUTE_MAX", "1000000"),
            ("NETWORK_REQUESTS_PER_MINUTE_MAX", "1000000"),
            ("WELCOMES_PER_NETWORK_DAY_MAX", "1000000"),
        ];
        let settings: HashMap<String, String> =
            quick.iter().chain(settings).map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let rules = [LifecycleRule { prefix: "tmp30/".to_owned(), days: 30 }];
        let clock = Clock::manual(Clock::system().now());
        let stores =
            Stores::open(&Place::Memory, &tables(), "citipen-", MEDIA_BUCKET, &rules, &clock).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outside = format!("http://{}", listener.local_addr().unwrap());
        let sandbox = Sandbox::new(SandboxConfig {
            public_base: outside.clone(),
            webhook_target: None,
            origin: ORIGIN.to_owned(),
            zero_latency: true,
        });
        let serving = serve(listener, sandbox.router().merge(stores.s3_router(&[ORIGIN.to_owned()])));
        let product = Instance::start(&stores, &clock, &outside, &settings).await;
        runs::Shop::new(&product.platform).unwrap().seed().await.unwrap();
        let world = World { stores, sandbox, clock, outside, settings, product, serving };
        world.sync_clock();
        world
    }

    /// Another copy of the product on the same stores, with settings of its own on top.
    pub(crate) async fn instance(&self, more: &[(&str, &str)]) -> Instance {
        let mut settings = self.settings.clone();
        settings.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        Instance::start(&self.stores, &self.clock, &self.outside, &settings).await
    }

    /// Somebody with a sign-in token; unknown to the product until they call.
    pub(crate) fn person(&self, name: &str) -> Person {
        Person::new(self.sandbox.clone(), &self.product.base, name)
    }

    /// Base URL of the sandbox and the media store.
    pub(crate) fn outside(&self) -> &str {
        &self.outside
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
        self.sync_clock();
    }

    fn sync_clock(&self) {
        self.sandbox.set_now(Some(self.clock.now().seconds()));
    }

    /// Past every hold's expiry and grace, then the schedule, as a fresh instance would run it.
    pub(crate) async fn advance_and_sweep(&self) -> runs::SweepReport {
        self.advance(Duration::from_secs(961));
        let sweeper = self.instance(&[]).await;
        reservation_sweep::handle(&sweeper.platform).await.unwrap()
    }

    /// How many requests that start work a provider has received.
    pub(crate) fn provider_calls(&self, service: sandbox::Service) -> usize {
        let starts_work = |entry: &sandbox::JournalEntry| {
            let path = entry.path.split('?').next().unwrap_or_default();
            entry.method == "POST" && !path.ends_with("/cancel") && !path.ends_with("/queue")
        };
        self.sandbox.journal().iter().filter(|entry| entry.service == service && starts_work(entry)).count()
    }
}

impl Instance {
    async fn start(
        stores: &Stores,
        clock: &Clock,
        outside: &str,
        settings: &HashMap<String, String>,
    ) -> Instance {
        let mut given = settings.clone();
        given.entry("ALLOWED_ORIGINS".to_owned()).or_insert_with(|| ORIGIN.to_owned());
        let env: Env = local_env(given, outside, stores);
        let meddler = Meddler::around(stores.connector());
        let platform = Platform::build(env, clock.clone(), Some(meddler.client())).unwrap();
        let router = with_source_ip(functions(&platform).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        Instance { base, platform, meddler, serving: serve(listener, router) }
    }
}

fn serve(listener: TcpListener, router: Router) -> JoinHandle<()> {
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.unwrap();
    })
}
