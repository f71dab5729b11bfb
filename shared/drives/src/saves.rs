use crate::items::SHARDS;
use crate::save::{Save, SaveId};
use crate::store::{DriveStore, Written};
use crate::{DriveKind, DriveRules};
use futures_util::future::try_join_all;
use media::StoredOutput;
use platform::{InvalidSettings, Page, Platform, StoreError};
use primitives::{AccountId, RunId, Timestamp};

/// Saves as rows: asked for and shown. It knows no secret and calls no drive, so that every function which ends runs may have
/// it.
#[derive(Clone)]
pub struct Saves {
    platform: Platform,
    store: DriveStore,
    offered: Vec<DriveKind>,
}

/// The outputs of a run that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// Whose they are.
    pub account: &'a AccountId,
    /// The run.
    pub run: RunId,
    /// Its tool, for the files' names.
    pub tool: &'a str,
    /// All of them, in their order.
    pub outputs: &'a [StoredOutput],
}

impl Saves {
    /// An error when the section `drives` of the profile is wrong. Calls no store.
    pub fn new(platform: &Platform) -> Result<Saves, InvalidSettings> {
        let rules = platform.rules(DriveRules::read)?;
        Ok(Saves { store: DriveStore::new(platform)?, offered: rules.offered, platform: platform.clone() })
    }

    fn now(&self) -> Timestamp {
        self.platform.now()
    }

    /// For a run that has just ended: its owner may want all outputs saved. Done twice, it does nothing more.
    pub async fn schedule_always(&self, order: Order<'_>) -> Result<(), StoreError> {
        if self.offered.is_empty() || order.outputs.is_empty() {
            return Ok(());
        }
        let preferred = self.store.preference(order.account).await?.always();
        let Some(drive) = preferred.filter(|drive| self.offered.contains(drive)) else { return Ok(()) };
        let numbers = 0..order.outputs.len();
        try_join_all(numbers.map(|number| self.schedule(order, number, drive))).await?;
        Ok(())
    }

    /// The save of this output, asked for now or before. `None`: the run has no such output, or an empty one.
    pub(crate) async fn schedule(
        &self,
        order: Order<'_>,
        number: usize,
        drive: DriveKind,
    ) -> Result<Option<Save>, StoreError> {
        let Some(output) = order.outputs.get(number).filter(|output| output.bytes > 0) else {
            return Ok(None);
        };
        let Ok(number) = u32::try_from(number) else { return Ok(None) };
        let id = SaveId { run: order.run, output: number, drive };
        let save = Save::new(order.account, id, order.tool, output, self.now());
        Ok(Some(match self.store.create(&save).await? {
            Written::Done => save,
            Written::Standing(standing) => *standing,
        }))
    }

    /// What has come of a run's saves.
    pub async fn of_run(&self, account: &AccountId, run: RunId) -> Result<Vec<Save>, StoreError> {
        if self.offered.is_empty() {
            return Ok(Vec::new());
        }
        self.store.of_run(account, run).await
    }

    /// An account's saves, those of its newest runs first.
    pub async fn page(
        &self,
        account: &AccountId,
        limit: u32,
        before: Option<SaveId>,
    ) -> Result<Page<Save, SaveId>, StoreError> {
        self.store.page(account, limit, before).await
    }

    /// Saves of all shards that are due: the sweep should visit them now.
    pub(crate) async fn due(&self, max: usize) -> Result<Vec<(AccountId, SaveId)>, StoreError> {
        if self.offered.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now();
        let shards = (0..SHARDS).map(|shard| self.store.due(shard, now, max));
        Ok(try_join_all(shards).await?.into_iter().flatten().collect())
    }

    pub(crate) fn store(&self) -> &DriveStore {
        &self.store
    }
}
