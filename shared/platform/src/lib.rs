#![warn(missing_docs)]
#![doc = include_str!("../README.md")]

mod aws;
mod batch;
mod causes;
mod conditional;
mod env;
mod error;
mod items;
mod outside;
mod page;
mod profile;
mod profiles;
mod seal;
mod store;
mod tables;
mod telemetry;
mod transaction;
mod vault;
mod wire;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use primitives::{Clock, times};
use std::sync::{Arc, OnceLock};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use aws::{AwsCall, Unsigned};
pub use batch::read_batch;
pub use causes::with_causes;
pub use conditional::{ConditionalWrite, conditional_write, unless_condition_failed};
pub use env::{Env, InvalidSettings, Settings};
pub use error::StoreError;
pub use items::{Attributes, Item, ItemBuilder, Key, key, number, text};
pub use outside::{FetchLimits, Fetched, Lookup, Outside, OutsideError, OutsideUrl, SystemLookup, is_public};
pub use page::{Page, query_all, query_at_most, query_page, scan_all};
pub use profile::{LogRules, Profile, SECTIONS};
pub use seal::{SealError, Sealer};
pub use store::{IsConflict, StoreSettings, pause, retry_conflicts};
pub use tables::{Index, KeyType, TableSpec};
pub use telemetry::{LogSettings, LogSink, start_logs, subscriber};
pub use transaction::{Written, write_all};
pub use vault::{Binding, Vault, VaultError};

/// What every function gets once per cold start: configuration, clients, the clock. Cloning is cheap.
#[derive(Clone)]
pub struct Platform(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    env: Env,
    profile: Profile,
    logs: LogSettings,
    clock: Clock,
    store: StoreSettings,
    connector: Option<SharedHttpClient>,
    dynamo: OnceLock<aws_sdk_dynamodb::Client>,
    dynamo_once: OnceLock<aws_sdk_dynamodb::Client>,
    shared_connector: OnceLock<SharedHttpClient>,
    s3: OnceLock<aws_sdk_s3::Client>,
    http: OnceLock<reqwest::Client>,
    outside: OnceLock<Outside>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Platform {
    /// Reads the process environment. The message of the error lists everything that is wrong with it.
    pub fn from_env() -> Result<Platform, InvalidSettings> {
        Platform::build(Env::of_process(), Clock::system(), None)
    }

    /// `connector` carries the SDK's requests when they should not leave by the usual HTTPS client.
    pub fn build(
        env: Env,
        clock: Clock,
        connector: Option<SharedHttpClient>,
    ) -> Result<Platform, InvalidSettings> {
        let mut settings = env.settings();
        let store = StoreSettings::read(&mut settings);
        let profile = Profile::read(&mut settings);
        let logs = LogSettings::read(&mut settings);
        settings.finish()?;
        // Closed means that waiting for it ends when it is empty; it goes on taking tasks.
        let tasks = TaskTracker::new();
        tasks.close();
        let inner = Inner {
            profile: profile.ok_or_else(InvalidSettings::of_profile)?,
            logs,
            env,
            clock,
            store,
            connector,
            dynamo: OnceLock::new(),
            dynamo_once: OnceLock::new(),
            shared_connector: OnceLock::new(),
            s3: OnceLock::new(),
            http: OnceLock::new(),
            outside: OnceLock::new(),
            tasks,
            stopping: CancellationToken::new(),
        };
        Ok(Platform(Arc::new(inner)))
    }

    /// The same with more settings, sharing clients, connections and tasks. What is built once per process is not read
    /// again: where the stores are, the profile, the log level.
    pub fn with_settings(&self, more: impl IntoIterator<Item = (String, String)>) -> Platform {
        Platform(Arc::new(Inner { env: self.0.env.with(more), ..(*self.0).clone() }))
    }

    /// The same with its requests to the stores carried by another connector, e.g. one around [`Platform::connector`].
    pub fn carried_by(&self, connector: SharedHttpClient) -> Platform {
        let inner = Inner {
            connector: Some(connector),
            shared_connector: OnceLock::new(),
            dynamo: OnceLock::new(),
            dynamo_once: OnceLock::new(),
            s3: OnceLock::new(),
            ..(*self.0).clone()
        };
        Platform(Arc::new(inner))
    }

    /// The same process as another service, by a profile that is no file: for tests.
    pub fn with_profile(&self, profile: Profile) -> Platform {
        Platform(Arc::new(Inner { profile, ..(*self.0).clone() }))
    }

    /// The same process in another role: settings of its own, and clients that show the stores the credentials in these
    /// settings. Profile, clock, connections and tasks are shared.
    pub fn in_role(&self, env: Env) -> Result<Platform, InvalidSettings> {
        let store = env.section(StoreSettings::read)?;
        let inner = Inner {
            env,
            store,
            dynamo: OnceLock::new(),
            dynamo_once: OnceLock::new(),
            s3: OnceLock::new(),
            ..(*self.0).clone()
        };
        Ok(Platform(Arc::new(inner)))
    }

    /// Starts work that outlives the request that caused it. Whoever hosts us waits for its end ([`Platform::idle`]):
    /// a Lambda environment is frozen as soon as it asks for its next event.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.0.tasks.spawn(work)
    }

    /// Resolves when no work that was started by [`Platform::spawn`] is left.
    pub async fn idle(&self) {
        self.0.tasks.wait().await;
    }

    /// Tells work that goes on to come to an end soon, because its process does. Lambda has no such moment: there the
    /// process ends when nothing goes on.
    pub fn stop(&self) {
        self.0.stopping.cancel();
    }

    /// Resolves when the process is about to end ([`Platform::stop`]).
    pub async fn stopped(&self) {
        self.0.stopping.cancelled().await;
    }

    /// The variables this process was given, secrets included.
    pub fn env(&self) -> &Env {
        &self.0.env
    }

    /// Which service this is.
    pub fn profile(&self) -> &Profile {
        &self.0.profile
    }

    /// Where "now" comes from.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The moment it is.
    pub fn now(&self) -> primitives::Timestamp {
        self.0.clock.now()
    }

    /// Addresses, names and waits of the stores.
    pub fn store(&self) -> &StoreSettings {
        &self.0.store
    }

    /// How log lines are written.
    pub fn logs(&self) -> &LogSettings {
        &self.0.logs
    }

    /// The table's name in this deployment.
    pub fn table(&self, spec: &TableSpec) -> String {
        format!("{}{}", self.0.store.table_prefix, spec.name)
    }

    /// Built at the first use. The SDK repeats a failed call up to three times.
    pub fn dynamo(&self) -> &aws_sdk_dynamodb::Client {
        self.0.dynamo.get_or_init(|| store::dynamo_client(&self.0.store, self.connector(), 4))
    }

    /// For calls that must not be sent twice unchanged: the SDK makes one attempt, the caller decides on others.
    /// A client of its own, because overriding the settings of single calls costs each of them milliseconds.
    pub fn dynamo_once(&self) -> &aws_sdk_dynamodb::Client {
        self.0.dynamo_once.get_or_init(|| store::dynamo_client(&self.0.store, self.connector(), 1))
    }

    /// Built at the first use: most functions never touch S3.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.0.s3.get_or_init(|| store::s3_client(&self.0.store, self.connector()))
    }

    /// The one HTTP client of the process, built at the first use. It follows no redirect by itself.
    pub fn http(&self) -> &reqwest::Client {
        self.0.http.get_or_init(wire::http_client)
    }

    /// Makes the connection to the tables that the first request will need, while a cold start waits for other things
    /// anyway, and has a whole processor. Whether it works out changes nothing.
    pub async fn warm_up(&self) {
        let endpoint = match &self.0.store.dynamo_endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://dynamodb.{}.amazonaws.com", self.0.store.region),
        };
        self.dynamo();
        // The table service answers a bare look at its door with a word about its health. Unread, it would cost the
        // connection that it is all about.
        let looked =
            async { self.http().get(endpoint).timeout(times::WARM_UP.limit).send().await?.bytes().await };
        if let Err(error) = looked.await {
            tracing::debug!(error = %error.without_url(), "no connection was made ahead of the first request");
        }
    }

    /// Carries the SDK's requests; one for all clients, so that they share their connections.
    pub fn connector(&self) -> SharedHttpClient {
        let given = || self.0.connector.clone().unwrap_or_else(|| wire::sdk_client(self.http().clone()));
        self.0.shared_connector.get_or_init(given).clone()
    }
}
