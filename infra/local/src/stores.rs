//! The embedded stores of the local run: DynamoDB and S3 inside this process, in memory or in one folder.
//!
//! The AWS SDK reaches them through [`Stores::connector`], without a socket. A browser reaches objects by
//! presigned links through [`Stores::s3_router`] on the public port. What a write acknowledged survives
//! `kill -9`; it may not survive a power cut.

mod connector;
mod dynamo;
mod engine;
mod error;
mod home;
mod lifecycle;
mod links;
mod objects;
mod protocol;
mod server;
mod tables;
#[cfg(test)]
mod tests;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use dynoxide::Database;
use engine::Engine;
use home::Home;
use objects::{ObjectFolder, Objects};
use platform::TableSpec;
use primitives::{Clock, Timestamp};
use s3s::service::S3Service;
use server::Server;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;

pub use error::{StoreError, StoreStartError};

/// The only key the stores know, and its secret.
pub const ACCESS_KEY: &str = "local";
pub const SECRET_KEY: &str = "local-secret";
/// Any region would do; signatures carry this one.
pub const REGION: &str = "us-east-1";
/// Names that never resolve: if a request with one of them leaves this process, it goes nowhere.
pub const DYNAMO_ENDPOINT: &str = "http://dynamodb.local";
pub const S3_ENDPOINT: &str = "http://s3.local";

/// Where the stores keep what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Gone when the last handle is dropped.
    Memory,
    /// A folder of its own, made when it is missing.
    Disk(PathBuf),
}

/// Objects under the prefix end this many days after they were stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleRule {
    pub prefix: String,
    pub days: u32,
}

/// Both stores, open. Clones and connectors share them; the last one that goes closes them.
#[derive(Clone)]
pub struct Stores(Arc<Inner>);

// Dropped from top to bottom: nobody touches the folder any more when `_home` gives it up.
struct Inner {
    server: OnceCell<Server>,
    engine: Engine,
    s3: S3Service,
    objects: ObjectFolder,
    bucket: String,
    prefix: String,
    rules: Vec<LifecycleRule>,
    clock: Clock,
    _home: Home,
}

impl Stores {
    /// Opens the stores and makes what is missing: tables, indexes, time to live, the bucket.
    ///
    /// `clock` dates objects and, in memory, decides what `sweep_ttl` finds expired; a database on disk
    /// always goes by the machine's clock.
    pub async fn open(
        place: &Place,
        tables: &[TableSpec],
        prefix: &str,
        bucket: &str,
        rules: &[LifecycleRule],
        clock: &Clock,
    ) -> Result<Stores, StoreStartError> {
        let (place, tables, rules) = (place.clone(), tables.to_vec(), rules.to_vec());
        let (prefix, bucket, clock) = (prefix.to_owned(), bucket.to_owned(), clock.clone());
        let opening = move || Stores::open_blocking(&place, &tables, prefix, bucket, rules, clock);
        tokio::task::spawn_blocking(opening).await.map_err(StoreStartError::interrupted)?
    }

    fn open_blocking(
        place: &Place,
        tables: &[TableSpec],
        prefix: String,
        bucket: String,
        rules: Vec<LifecycleRule>,
        clock: Clock,
    ) -> Result<Stores, StoreStartError> {
        let home = Home::open(place)?;
        let database = home.open_database(&clock)?;
        tables::prepare(&database, tables, &prefix).map_err(|fault| home.fault(fault))?;
        let objects = ObjectFolder::prepare(home.objects(), &bucket)?;
        let s3 = Objects::serve(objects.clone(), clock.clone())?;
        let engine = Engine::start(database).map_err(StoreStartError::interrupted)?;
        let inner =
            Inner { server: OnceCell::new(), engine, s3, objects, bucket, prefix, rules, clock, _home: home };
        Ok(Stores(Arc::new(inner)))
    }

    /// Removes everything kept at the place; refused while a process has it open.
    pub fn erase(place: &Place) -> Result<(), StoreStartError> {
        Home::open(place)?.erase()
    }

    /// Carries the SDK's requests to the stores inside this process.
    pub fn connector(&self) -> SharedHttpClient {
        connector::connector(self.clone())
    }

    /// The variables `Platform` needs to find these stores. Links are signed for the host of `s3_endpoint`:
    /// the public origin when browsers shall follow them, else [`S3_ENDPOINT`].
    pub fn variables<'a>(&'a self, s3_endpoint: &'a str) -> [(&'static str, &'a str); 7] {
        [
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_ENDPOINT_URL_DYNAMODB", DYNAMO_ENDPOINT),
            ("AWS_ENDPOINT_URL_S3", s3_endpoint),
            ("TABLE_PREFIX", &self.0.prefix),
            ("MEDIA_BUCKET", &self.0.bucket),
        ]
    }

    /// DynamoDB over HTTP on a free loopback port, started at the first call. It checks requests more
    /// closely than the connector does and shares the same items.
    pub async fn serve_dynamo(&self) -> std::io::Result<SocketAddr> {
        let start = || async { Server::start(self.database().clone()) };
        Ok(self.0.server.get_or_try_init(start).await?.address())
    }

    /// `POST /` as DynamoDB answers it, on a port of the caller's.
    pub fn dynamo_router(&self) -> axum::Router {
        protocol::router(self.clone())
    }

    /// S3 itself, for whoever wants to mount more of it than [`Stores::s3_router`] does.
    pub fn s3_service(&self) -> S3Service {
        self.0.s3.clone()
    }

    /// `/{bucket}/{*key}` for presigned links; pages of `origins` may read the answers. Merge it, don't nest
    /// it: the path is part of the signature.
    pub fn s3_router(&self, origins: &[String]) -> axum::Router {
        links::router(self.clone(), origins)
    }

    /// Removes expired items, as DynamoDB does in its own time, and tells how many.
    pub async fn sweep_ttl(&self) -> Result<usize, StoreError> {
        let database = self.database().clone();
        let sweep = tokio::task::spawn_blocking(move || database.sweep_ttl());
        Ok(sweep.await??)
    }

    /// Removes objects whose rule's days are over, as S3 does once a day, and tells how many.
    pub async fn sweep_media(&self, now: Timestamp) -> Result<usize, StoreError> {
        let stores = self.0.clone();
        let sweep = move || lifecycle::sweep(&stores.objects, &stores.bucket, &stores.rules, now);
        Ok(tokio::task::spawn_blocking(sweep).await??)
    }

    fn database(&self) -> &Database {
        self.0.engine.database()
    }
}
