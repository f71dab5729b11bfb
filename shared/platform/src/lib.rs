#![doc = include_str!("../README.md")]

mod env;
mod error;
mod items;
mod profile;
mod seal;
mod store;
mod tables;
mod telemetry;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use primitives::Clock;
use std::sync::{Arc, OnceLock};

pub use env::{Env, InvalidSettings, Settings};
pub use error::StoreError;
pub use items::{Item, ItemBuilder, Key, key, number, text};
pub use profile::{LedgerRules, Limits, Profile, Retention, ToolSeed, TopUpRules};
pub use seal::{SealError, Sealer};
pub use store::{IsConflict, StoreSettings, pause, retry_conflicts};
pub use tables::{Index, KeyType, TableSpec};
pub use telemetry::{LogSink, start_logs};

/// What every function gets once per cold start: configuration, clients, the clock. Cloning is cheap.
#[derive(Clone)]
pub struct Platform(Arc<Inner>);

struct Inner {
    env: Env,
    profile: Profile,
    log_level: String,
    clock: Clock,
    store: StoreSettings,
    connector: Option<SharedHttpClient>,
    dynamo: OnceLock<aws_sdk_dynamodb::Client>,
    dynamo_once: OnceLock<aws_sdk_dynamodb::Client>,
    shared_connector: OnceLock<SharedHttpClient>,
    s3: OnceLock<aws_sdk_s3::Client>,
    http: OnceLock<reqwest::Client>,
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
        let log_level = telemetry::read_level(&mut settings);
        settings.finish()?;
        let inner = Inner {
            profile: profile.ok_or_else(InvalidSettings::unknown_profile)?,
            log_level,
            env,
            clock,
            store,
            connector,
            dynamo: OnceLock::new(),
            dynamo_once: OnceLock::new(),
            shared_connector: OnceLock::new(),
            s3: OnceLock::new(),
            http: OnceLock::new(),
        };
        Ok(Platform(Arc::new(inner)))
    }

    pub fn env(&self) -> &Env {
        &self.0.env
    }

    pub fn profile(&self) -> &Profile {
        &self.0.profile
    }

    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub fn now(&self) -> primitives::Timestamp {
        self.0.clock.now()
    }

    pub fn store(&self) -> &StoreSettings {
        &self.0.store
    }

    /// `LOG_LEVEL`: error, warn, info (default) or debug.
    pub fn log_level(&self) -> String {
        self.0.log_level.clone()
    }

    /// The table's name in this deployment.
    pub fn table(&self, spec: &TableSpec) -> String {
        format!("{}{}", self.0.store.table_prefix, spec.name)
    }

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
        self.0.http.get_or_init(store::http_client)
    }

    /// One for all clients, so that they share their connections.
    fn connector(&self) -> SharedHttpClient {
        let given = || self.0.connector.clone().unwrap_or_else(store::https_connector);
        self.0.shared_connector.get_or_init(given).clone()
    }
}
