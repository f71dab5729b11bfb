use crate::RunRules;
use crate::items::IDEMPOTENCY;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{
    ConditionalWrite, InvalidSettings, Item, ItemBuilder, Platform, StoreError, conditional_write, number,
    unless_condition_failed, with_causes,
};
use primitives::{AccountId, Fingerprint, RunId, Timestamp, times};
use ring::digest::{SHA256, digest};
use std::time::Duration;

/// How long an `Idempotency-Key` is remembered.
const MEMORY: Duration = Duration::from_secs(48 * 3600);

/// How long a repeat waits for the end of its run at most, and how long the places of waiting repeats are counted
/// together. On Lambda every waiting request occupies an environment.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(2);
/// How long such a count is kept: longer than clocks differ.
const WAITS_KEPT: Duration = Duration::from_secs(3600);

/// Remembers which run an `Idempotency-Key` stands for. The key itself is not stored, only its hash.
#[derive(Clone)]
pub(crate) struct IdempotencyKeys {
    dynamo: Client,
    table: String,
    waiting_max: u32,
}

/// One of the places that an account has in a stretch of time.
pub(crate) struct Place(String);

/// The run a key stood for already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EarlierUse {
    pub(crate) run: RunId,
    pub(crate) fingerprint: Fingerprint,
}

impl IdempotencyKeys {
    pub(crate) fn new(platform: &Platform) -> Result<IdempotencyKeys, InvalidSettings> {
        Ok(IdempotencyKeys {
            dynamo: platform.dynamo().clone(),
            table: platform.table(&IDEMPOTENCY),
            waiting_max: platform.rules(RunRules::read)?.waiting_repeats_max,
        })
    }

    /// The run the key stands for, if it is recorded for one.
    pub(crate) async fn find(
        &self,
        account: &AccountId,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<RunId>, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.table);
        let get = get.set_key(Some(platform::key([("id", &row_id(account, key))]))).consistent_read(true);
        let answer = get.send().await.map_err(StoreError::of_sdk)?;
        let Some(attributes) = answer.item() else { return Ok(None) };
        let item = Item::new(IDEMPOTENCY.name, attributes);
        let is_over = item.number::<u64>("ttl")? <= now.seconds();
        Ok(if is_over { None } else { Some(item.parsed("run")?) })
    }

    /// Records the key for `run`. `Some`: it stands for another run (or for this one, if a reply was lost).
    pub(crate) async fn record(
        &self,
        account: &AccountId,
        key: &str,
        run: RunId,
        fingerprint: Fingerprint,
        now: Timestamp,
    ) -> Result<Option<EarlierUse>, StoreError> {
        let item = ItemBuilder::default()
            .text("id", row_id(account, key))
            .text("run", run)
            .text("fp", fingerprint.encode())
            .number("ttl", now.after(MEMORY).seconds());
        let put = self
            .dynamo
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.build()))
            // DynamoDB deletes expired items late: an expired one counts as gone.
            .condition_expression("attribute_not_exists(id) OR #ttl <= :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", number(now.seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let ConditionalWrite::ConditionFailed { standing } = conditional_write(put.send().await)? else {
            return Ok(None);
        };
        let missing = || StoreError::corrupt(IDEMPOTENCY.name, "the store answered without the old item");
        let standing = standing.ok_or_else(missing)?;
        let item = Item::new(IDEMPOTENCY.name, &standing);
        let fingerprint = Fingerprint::decode(item.text("fp")?).ok_or(item.corrupt("fp"))?;
        Ok(Some(EarlierUse { run: item.parsed("run")?, fingerprint }))
    }

    /// Takes a place among the account's waiting repeats. False: all are taken, or the count can't be made.
    ///
    /// A place is counted for the stretch of [`WAIT_MAX`] in which it was taken and never given back, so that it does not
    /// matter who is killed while waiting: at any moment at most two stretches' places wait.
    pub(crate) async fn may_wait(&self, account: &AccountId, now: Timestamp) -> bool {
        self.place(account, "waits", WAIT_MAX, now).await.is_some()
    }

    /// The same for streams that follow a run, each for as long as one answer lasts. A stream that ends gives its place back;
    /// that of a process that is killed is free again with the next stretch.
    pub(crate) async fn place_to_follow(&self, account: &AccountId, now: Timestamp) -> Option<Place> {
        self.place(account, "follows", times::RUN_BUDGET.limit, now).await
    }

    /// Frees a place. If the store fails, the place is free with the next stretch.
    pub(crate) async fn give_back(&self, place: Place) {
        let update = self.dynamo.update_item().table_name(&self.table);
        let update = update
            .set_key(Some(platform::key([("id", &place.0)])))
            .update_expression("SET waits = waits - :one")
            .condition_expression("waits > :zero")
            .expression_attribute_values(":zero", number(0_u32))
            .expression_attribute_values(":one", number(1_u32));
        if let Err(error) = unless_condition_failed(update.send().await) {
            tracing::warn!(error = %with_causes(&error), "a follower's place is free only with the next stretch");
        }
    }

    async fn place(&self, account: &AccountId, what: &str, lasts: Duration, now: Timestamp) -> Option<Place> {
        let stretch = now.seconds() / lasts.as_secs().max(1);
        let place = Place(format!("{account}#{what}#{stretch}"));
        let update = self.dynamo.update_item().table_name(&self.table);
        let update = update
            .set_key(Some(platform::key([("id", &place.0)])))
            .update_expression("SET waits = if_not_exists(waits, :zero) + :one, #ttl = :ttl")
            .condition_expression("attribute_not_exists(waits) OR waits < :max")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":zero", number(0_u32))
            .expression_attribute_values(":one", number(1_u32))
            .expression_attribute_values(":max", number(self.waiting_max))
            .expression_attribute_values(":ttl", number(now.after(WAITS_KEPT).seconds()));
        match unless_condition_failed(update.send().await) {
            Ok(taken) => taken.map(|_| place),
            Err(error) => {
                tracing::warn!(
                    account.id = %account, error = %with_causes(&error),
                    "a repeat does not wait, because waiting can't be counted"
                );
                None
            }
        }
    }
}

fn row_id(account: &AccountId, key: &str) -> String {
    format!("{account}#{}", URL_SAFE_NO_PAD.encode(digest(&SHA256, key.as_bytes())))
}
