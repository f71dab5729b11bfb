//! The stores of the local run: DynamoDB and S3 inside this process, in memory or in one folder. In place of each, one that
//! runs elsewhere can be given ([`Elsewhere`]); its tables and bucket are made when they are missing.
//!
//! The AWS SDK reaches them through [`Stores::connector`], without a socket. A browser reaches objects by
//! presigned links through [`Stores::s3_router`] on the public port. What a write acknowledged survives
//! `kill -9`; it may not survive a power cut.

mod connector;
mod dynamo;
mod elsewhere;
mod engine;
mod error;
mod form;
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
use engine::Engine;
use home::Home;
use objects::{ObjectFolder, Objects};
use platform::{Platform, TableSpec};
use primitives::{Clock, Timestamp};
use s3s::service::S3Service;
use server::Server;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;

pub use elsewhere::Elsewhere;
pub use error::{Damage, StoreError, StoreStartError};
pub use form::PostedForm;
pub use links::{LINKS_CORS, LinksCors};

/// The key of the local run, and the secret by which the embedded S3 verifies signatures, whichever key they name.
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

// Dropped from top to bottom: the stores have closed their files when `home` gives the folder up.
struct Inner {
    server: OnceCell<Server>,
    /// None: the tables are elsewhere.
    engine: Option<Engine>,
    /// None: the bucket is elsewhere.
    objects: Option<Bucket>,
    elsewhere: Elsewhere,
    tables: Vec<TableSpec>,
    bucket: String,
    prefix: String,
    rules: Vec<LifecycleRule>,
    clock: Clock,
    home: Home,
}

/// The embedded S3.
struct Bucket {
    s3: S3Service,
    folder: ObjectFolder,
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
        let elsewhere = Elsewhere::default();
        Stores::open_beside(elsewhere, place, tables, prefix, bucket, rules, clock).await
    }

    /// As [`Stores::open`], without the stores that are elsewhere. What is missing there is made by [`Stores::prepare`].
    pub async fn open_beside(
        elsewhere: Elsewhere,
        place: &Place,
        tables: &[TableSpec],
        prefix: &str,
        bucket: &str,
        rules: &[LifecycleRule],
        clock: &Clock,
    ) -> Result<Stores, StoreStartError> {
        let (place, tables, rules) = (place.clone(), tables.to_vec(), rules.to_vec());
        let (prefix, bucket, clock) = (prefix.to_owned(), bucket.to_owned(), clock.clone());
        let opening = move || {
            let home = Home::open(&place)?;
            let engine = match elsewhere.dynamo {
                None => Some(Stores::open_tables(&home, &tables, &prefix, &clock)?),
                Some(_) => None,
            };
            let objects = match elsewhere.s3 {
                None => Some(Stores::open_bucket(&home, &bucket, &clock, elsewhere.secret())?),
                Some(_) => None,
            };
            let server = OnceCell::new();
            let inner =
                Inner { server, engine, objects, elsewhere, tables, bucket, prefix, rules, clock, home };
            Ok(Stores(Arc::new(inner)))
        };
        tokio::task::spawn_blocking(opening).await.map_err(StoreStartError::interrupted)?
    }

    fn open_tables(
        home: &Home,
        tables: &[TableSpec],
        prefix: &str,
        clock: &Clock,
    ) -> Result<Engine, StoreStartError> {
        let database = home.open_database(clock)?;
        tables::prepare(&database, tables, prefix).map_err(|fault| home.fault(fault))?;
        Engine::start(database, home.folder().map(PathBuf::from)).map_err(StoreStartError::interrupted)
    }

    fn open_bucket(
        home: &Home,
        bucket: &str,
        clock: &Clock,
        secret: &str,
    ) -> Result<Bucket, StoreStartError> {
        let folder = ObjectFolder::prepare(home.objects(), bucket)?;
        let s3 = Objects::serve(folder.clone(), clock.clone(), secret.into())?;
        Ok(Bucket { s3, folder })
    }

    /// Makes in the stores elsewhere what is missing: tables, indexes, time to live, the bucket with its rules, which pages
    /// of `origins` may load from. `platform` is one with [`Stores::variables`].
    pub async fn prepare(&self, platform: &Platform, origins: &[String]) -> Result<(), StoreStartError> {
        let Inner { elsewhere, tables, prefix, bucket, rules, .. } = &*self.0;
        if let Some(url) = &elsewhere.dynamo {
            elsewhere::prepare_tables(platform, tables, prefix, url).await?;
        }
        if let Some(url) = &elsewhere.s3 {
            elsewhere::prepare_bucket(platform, bucket, rules, origins, url).await?;
        }
        Ok(())
    }

    /// Removes everything kept at the place; refused while a process has it open.
    pub fn erase(place: &Place) -> Result<(), StoreStartError> {
        Home::open(place)?.erase()
    }

    /// Where what the sandbox remembers lies beside the stores; nowhere, when nothing is kept.
    pub fn sandbox_file(&self) -> Option<PathBuf> {
        self.0.home.sandbox_file()
    }

    /// Why the database could not be written last time, as a reason not to start.
    pub fn trouble(&self) -> Option<StoreStartError> {
        let damage = self.0.engine.as_ref()?.damage()?;
        Some(self.0.home.damaged(damage))
    }

    /// Carries the SDK's requests to the stores inside this process.
    pub fn connector(&self) -> SharedHttpClient {
        connector::connector(self.clone(), None)
    }

    /// The platform with its requests carried to these stores: the embedded ones without a socket, those elsewhere as it
    /// would have done by itself.
    pub fn carry(&self, platform: &Platform) -> Platform {
        if self.0.elsewhere.is_nowhere() {
            return platform.carried_by(self.connector());
        }
        platform.carried_by(connector::connector(self.clone(), Some(platform.connector())))
    }

    /// Where the stores that are not embedded run.
    pub fn elsewhere(&self) -> &Elsewhere {
        &self.0.elsewhere
    }

    /// The variables `Platform` needs to find these stores. Links are signed for the host of `s3_endpoint`:
    /// the public origin when browsers shall follow them, else [`S3_ENDPOINT`]; those of a bucket elsewhere lead there.
    pub fn variables<'a>(&'a self, s3_endpoint: &'a str) -> Vec<(&'static str, &'a str)> {
        let elsewhere = &self.0.elsewhere;
        let mut variables = vec![
            ("AWS_REGION", elsewhere.region.as_deref().unwrap_or(REGION)),
            ("AWS_ACCESS_KEY_ID", elsewhere.access_key_id.as_deref().unwrap_or(ACCESS_KEY)),
            ("AWS_SECRET_ACCESS_KEY", elsewhere.secret()),
            ("AWS_ENDPOINT_URL_DYNAMODB", elsewhere.dynamo.as_deref().unwrap_or(DYNAMO_ENDPOINT)),
            ("AWS_ENDPOINT_URL_S3", elsewhere.s3.as_deref().unwrap_or(s3_endpoint)),
            ("TABLE_PREFIX", &self.0.prefix),
            ("MEDIA_BUCKET", &self.0.bucket),
        ];
        variables.extend(elsewhere.session_token.as_deref().map(|token| ("AWS_SESSION_TOKEN", token)));
        variables
    }

    /// DynamoDB over HTTP on a free loopback port, started at the first call. It checks requests more
    /// closely than the connector does and shares the same items. Only where the tables are embedded.
    pub async fn serve_dynamo(&self) -> std::io::Result<SocketAddr> {
        let embedded = || std::io::Error::other("the tables are elsewhere");
        let database = self.0.engine.as_ref().ok_or_else(embedded)?.database().clone();
        let start = || async { Server::start(database) };
        Ok(self.0.server.get_or_try_init(start).await?.address())
    }

    /// `POST /` as the embedded DynamoDB answers it, on a port of the caller's; nothing, when the tables are elsewhere.
    pub fn dynamo_router(&self) -> axum::Router {
        self.0.engine.as_ref().map_or_else(axum::Router::new, |_| protocol::router(self.clone()))
    }

    /// The embedded S3 itself, for whoever wants to mount more of it than [`Stores::s3_router`] does.
    pub fn s3_service(&self) -> Option<S3Service> {
        self.0.objects.as_ref().map(|bucket| bucket.s3.clone())
    }

    /// `/{bucket}/{*key}` for presigned links, and `/{bucket}` for forms with a file; pages of `origins` may read the
    /// answers. Merge it, don't nest it: the path is part of the signature. Links to a bucket elsewhere need no route here.
    pub fn s3_router(&self, origins: &[String]) -> axum::Router {
        let Some(bucket) = &self.0.objects else { return axum::Router::new() };
        links::router(bucket.s3.clone(), &self.0.bucket, self.0.clock.clone(), origins)
    }

    /// Removes expired items, as DynamoDB does in its own time, and tells how many.
    pub async fn sweep_ttl(&self) -> Result<usize, StoreError> {
        let Some(engine) = &self.0.engine else { return Ok(0) };
        let database = engine.database().clone();
        let sweep = tokio::task::spawn_blocking(move || database.sweep_ttl());
        Ok(sweep.await??)
    }

    /// Removes objects whose rule's days are over, and parts of files that were not completed within a day, as S3 does once a
    /// day. Tells how many objects and unfinished files.
    pub async fn sweep_media(&self, now: Timestamp) -> Result<usize, StoreError> {
        let stores = self.0.clone();
        let sweep = move || match &stores.objects {
            Some(bucket) => lifecycle::sweep(&bucket.folder, &stores.bucket, &stores.rules, now),
            None => Ok(0),
        };
        Ok(tokio::task::spawn_blocking(sweep).await??)
    }
}
