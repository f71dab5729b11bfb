//! All that this crate reads and writes. Every write may have been done although its reply was lost, and then recognises
//! itself.

use crate::items::{
    DRIVE_SAVES, DUE_INDEX, LINKED_DRIVES, PENDING_LINKS, is_preference, link_item, link_key, pending_item,
    pending_key, preference_item, preference_key, read_link, read_pending, read_preference, read_save,
    save_item, save_key, shard_name,
};
use crate::link::{LinkedDrive, Preference};
use crate::pending::{PendingLink, StateToken};
use crate::save::{Save, SaveId, Writer};
use crate::{DriveKind, DriveRules};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use platform::{
    ConditionalWrite, InvalidSettings, Item, Page, Platform, StoreError, conditional_write, number,
    query_all, query_at_most, query_page, text, unless_condition_failed,
};
use primitives::{AccountId, RunId, Timestamp};
use std::time::Duration;

/// Linked drives and preferences, links that were begun, and saves.
#[derive(Clone)]
pub(crate) struct DriveStore {
    dynamo: Client,
    links: String,
    pending: String,
    saves: String,
    saves_kept_for: Duration,
}

/// What came of writing a new row.
#[derive(Debug)]
pub(crate) enum Written {
    /// It stands as it was written.
    Done,
    /// Another one stands there.
    Standing(Box<Save>),
}

impl DriveStore {
    pub(crate) fn new(platform: &Platform) -> Result<DriveStore, InvalidSettings> {
        let rules = platform.rules(DriveRules::read)?;
        Ok(DriveStore {
            dynamo: platform.dynamo().clone(),
            links: platform.table(&LINKED_DRIVES),
            pending: platform.table(&PENDING_LINKS),
            saves: platform.table(&DRIVE_SAVES),
            saves_kept_for: Duration::from_secs(u64::from(rules.save_days) * 86_400),
        })
    }

    // ---- links and preferences

    pub(crate) async fn link(
        &self,
        account: &AccountId,
        kind: DriveKind,
    ) -> Result<Option<LinkedDrive>, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.links).set_key(Some(link_key(account, kind)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        answer.item().map(read_link).transpose()
    }

    pub(crate) async fn preference(&self, account: &AccountId) -> Result<Preference, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.links).set_key(Some(preference_key(account)));
        let answer = get.send().await.map_err(StoreError::of_sdk)?;
        answer.item().map_or(Ok(Preference::Unset), read_preference)
    }

    /// All that an account has linked, and what it prefers.
    pub(crate) async fn links(
        &self,
        account: &AccountId,
    ) -> Result<(Vec<LinkedDrive>, Preference), StoreError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.links)
            .consistent_read(true)
            .key_condition_expression("#account = :account")
            .expression_attribute_names("#account", "account")
            .expression_attribute_values(":account", text(account));
        let (mut links, mut preference) = (Vec::new(), Preference::Unset);
        for row in query_all(query).await? {
            if is_preference(&row) {
                preference = read_preference(&row)?;
            } else {
                links.push(read_link(&row)?);
            }
        }
        Ok((links, preference))
    }

    /// Writes a new link. `None`: it stands now. Otherwise the link that holds in its place; one that must be connected again
    /// makes room.
    pub(crate) async fn put_link(&self, link: &LinkedDrive) -> Result<Option<LinkedDrive>, StoreError> {
        let put = self
            .dynamo
            .put_item()
            .table_name(&self.links)
            .set_item(Some(link_item(link)))
            .condition_expression(
                "attribute_not_exists(#account) OR attribute_exists(reconnect) OR version = :mine",
            )
            .expression_attribute_names("#account", "account")
            .expression_attribute_values(":mine", text(&link.version))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match conditional_write(put.send().await)? {
            ConditionalWrite::Done(_) => Ok(None),
            ConditionalWrite::ConditionFailed { standing: Some(standing) } => read_link(&standing).map(Some),
            ConditionalWrite::ConditionFailed { standing: None } => Err(StoreError::Conflict),
        }
    }

    /// Removes exactly this link. That it is not there, or is another one by now, is no error.
    pub(crate) async fn remove_link(&self, link: &LinkedDrive) -> Result<(), StoreError> {
        let delete = self
            .dynamo
            .delete_item()
            .table_name(&self.links)
            .set_key(Some(link_key(&link.account, link.kind)))
            .condition_expression("version = :seen")
            .expression_attribute_values(":seen", text(&link.version));
        unless_condition_failed(delete.send().await)?;
        Ok(())
    }

    /// Notes that this link holds no more. A newer link is left alone.
    pub(crate) async fn note_reconnect(&self, link: &LinkedDrive, now: Timestamp) -> Result<(), StoreError> {
        let update = self
            .dynamo
            .update_item()
            .table_name(&self.links)
            .set_key(Some(link_key(&link.account, link.kind)))
            .update_expression("SET reconnect = :now")
            .condition_expression("version = :seen")
            .expression_attribute_values(":now", number(now.millis()))
            .expression_attribute_values(":seen", text(&link.version));
        unless_condition_failed(update.send().await)?;
        Ok(())
    }

    pub(crate) async fn prefer(&self, account: &AccountId, preference: Preference) -> Result<(), StoreError> {
        match preference_item(account, preference) {
            Some(item) => {
                let put = self.dynamo.put_item().table_name(&self.links).set_item(Some(item));
                put.send().await.map_err(StoreError::of_sdk)?;
            }
            None => {
                let delete = self.dynamo.delete_item().table_name(&self.links);
                let delete = delete.set_key(Some(preference_key(account)));
                delete.send().await.map_err(StoreError::of_sdk)?;
            }
        }
        Ok(())
    }

    /// Forgets the preference if it is for this drive.
    pub(crate) async fn prefer_no_more(
        &self,
        account: &AccountId,
        kind: DriveKind,
    ) -> Result<(), StoreError> {
        let delete = self
            .dynamo
            .delete_item()
            .table_name(&self.links)
            .set_key(Some(preference_key(account)))
            .condition_expression("drive = :drive")
            .expression_attribute_values(":drive", text(kind));
        unless_condition_failed(delete.send().await)?;
        Ok(())
    }

    // ---- links that were begun

    pub(crate) async fn begin(&self, state: &StateToken, pending: &PendingLink) -> Result<(), StoreError> {
        let item = pending_item(&state.row_id(), pending);
        let put = self.dynamo.put_item().table_name(&self.pending).set_item(Some(item));
        put.send().await.map_err(StoreError::of_sdk)?;
        Ok(())
    }

    /// Takes the link that waits for this state. A second call with the same state gets `None`.
    pub(crate) async fn take(&self, state: &StateToken) -> Result<Option<PendingLink>, StoreError> {
        let update = self
            .dynamo
            .update_item()
            .table_name(&self.pending)
            .set_key(Some(pending_key(&state.row_id())))
            .update_expression("SET taken_by = :me")
            .condition_expression(
                "attribute_exists(challenge) AND (attribute_not_exists(taken_by) OR taken_by = :me)",
            )
            .expression_attribute_values(":me", text(Writer::draw().0))
            .return_values(ReturnValue::AllNew);
        let taken = unless_condition_failed(update.send().await)?;
        taken.and_then(|answer| answer.attributes).as_ref().map(read_pending).transpose()
    }

    // ---- saves

    pub(crate) async fn save(&self, account: &AccountId, id: SaveId) -> Result<Option<Save>, StoreError> {
        self.read(account, &id.to_string()).await
    }

    async fn read(&self, account: &AccountId, id: &str) -> Result<Option<Save>, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.saves).set_key(Some(save_key(account, id)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        answer.item().map(read_save).transpose()
    }

    /// Writes a save that was never asked for before.
    pub(crate) async fn create(&self, save: &Save) -> Result<Written, StoreError> {
        self.put(save, None).await
    }

    /// Writes `next` if the row is still as `seen`. If another visitor wrote first, gives what stands there.
    pub(crate) async fn replace(&self, seen: &Save, next: &Save) -> Result<Written, StoreError> {
        self.put(next, Some(seen.version)).await
    }

    async fn put(&self, save: &Save, seen: Option<u64>) -> Result<Written, StoreError> {
        let put = self
            .dynamo
            .put_item()
            .table_name(&self.saves)
            .set_item(Some(save_item(save, self.saves_kept_for)?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match seen {
            None => put
                .condition_expression("attribute_not_exists(#account)")
                .expression_attribute_names("#account", "account"),
            Some(seen) => {
                put.condition_expression("version = :seen").expression_attribute_values(":seen", number(seen))
            }
        };
        match conditional_write(put.send().await)? {
            ConditionalWrite::Done(_) => Ok(Written::Done),
            ConditionalWrite::ConditionFailed { standing: Some(standing) } => {
                let standing = read_save(&standing)?;
                // A write whose reply was lost is sent again, and then refused because of itself.
                let is_ours = standing.version == save.version && standing.writer == save.writer;
                Ok(if is_ours { Written::Done } else { Written::Standing(Box::new(standing)) })
            }
            ConditionalWrite::ConditionFailed { standing: None } => Err(StoreError::Conflict),
        }
    }

    /// The saves of one run.
    pub(crate) async fn of_run(&self, account: &AccountId, run: RunId) -> Result<Vec<Save>, StoreError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.saves)
            .key_condition_expression("#account = :account AND begins_with(id, :run)")
            .expression_attribute_names("#account", "account")
            .expression_attribute_values(":account", text(account))
            .expression_attribute_values(":run", text(format!("{run}.")));
        query_all(query).await?.iter().map(read_save).collect()
    }

    /// An account's saves, those of its newest runs first.
    pub(crate) async fn page(
        &self,
        account: &AccountId,
        limit: u32,
        before: Option<SaveId>,
    ) -> Result<Page<Save, SaveId>, StoreError> {
        // Every id begins with a ULID below `~`, so one condition serves the first page and the others.
        let before = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
        let query = self
            .dynamo
            .query()
            .table_name(&self.saves)
            .key_condition_expression("#account = :account AND id < :before")
            .expression_attribute_names("#account", "account")
            .expression_attribute_values(":account", text(account))
            .expression_attribute_values(":before", text(before))
            .scan_index_forward(false);
        query_page(query, limit, read_save, |key| Item::new(DRIVE_SAVES.name, key).parsed("id")).await
    }

    /// Saves of one shard that are due by `now`, those that wait longest first.
    pub(crate) async fn due(
        &self,
        shard: u8,
        now: Timestamp,
        max: usize,
    ) -> Result<Vec<(AccountId, SaveId)>, StoreError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.saves)
            .index_name(DUE_INDEX)
            .key_condition_expression("poll = :shard AND due <= :now")
            .expression_attribute_values(":shard", text(shard_name(shard)))
            .expression_attribute_values(":now", number(now.seconds()));
        let found = query_at_most(query, max).await?;
        let read = |marked| {
            let item = Item::new(DRIVE_SAVES.name, marked);
            Ok((item.parsed("account")?, item.parsed("id")?))
        };
        found.iter().map(read).collect()
    }
}
