use crate::stores::{LifecycleRule, Place, S3_ENDPOINT, StoreStartError, Stores};
use platform::{Env, Index, KeyType, Platform, TableSpec};
use primitives::{Clock, random_bytes};
use std::path::PathBuf;

pub(super) const BUCKET: &str = "citipen-media";

pub(super) const ACCOUNTS: TableSpec = TableSpec {
    name: "accounts",
    partition_key: "id",
    sort_key: None,
    indexes: &[Index { name: "sweep-due", partition_key: "sweep", sort_key: ("due", KeyType::Number) }],
    ttl: None,
};

pub(super) const ENTRIES: TableSpec = TableSpec {
    name: "entries",
    partition_key: "account",
    sort_key: Some("entry"),
    indexes: &[],
    ttl: Some("ttl"),
};

pub(super) async fn open(place: &Place, tables: &[TableSpec]) -> Result<Stores, StoreStartError> {
    let rules = [LifecycleRule { prefix: "tmp30/".to_owned(), days: 30 }];
    Stores::open(place, tables, "test-", BUCKET, &rules, &Clock::system()).await
}

pub(super) async fn in_memory() -> Stores {
    open(&Place::Memory, &[ACCOUNTS, ENTRIES]).await.unwrap()
}

/// The product's own clients on these stores, for links of `s3_endpoint`.
pub(super) fn platform_for(stores: &Stores, s3_endpoint: &str) -> Platform {
    let variables = stores.variables(s3_endpoint);
    let env: Env = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Platform::build(env, Clock::system(), Some(stores.connector())).unwrap()
}

pub(super) fn platform(stores: &Stores) -> Platform {
    platform_for(stores, S3_ENDPOINT)
}

/// A folder that goes with the test.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Folder {
        let name = format!("citipen-test-{}", u64::from_be_bytes(random_bytes()));
        Folder(std::env::temp_dir().join(name))
    }

    pub(super) fn place(&self) -> Place {
        Place::Disk(self.0.clone())
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
