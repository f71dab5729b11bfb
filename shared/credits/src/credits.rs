use crate::account::{Account, Balance, Block, Refusal, Reservation};
use crate::entry::{Decision, Entry, Kind, OnceKey, Origin, Outcome};
use crate::items::{
    ACCOUNTS, CREDIT_TRANSACTIONS, SWEEP_INDEX, account_key, entry_item, entry_key, minute_counter,
    new_account, once_key, read_account, read_entry, shard_name, sweep_shard,
};
use crate::posting::{Effect, Posting};
use crate::{CreditsError, Hold};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use platform::{Item, ItemBuilder, Platform, StoreError, number, retry_conflicts, text};
use primitives::{AccountId, Credits, EntryId, RunId, Timestamp};
use std::collections::HashMap;
use std::time::Duration;

/// The only writer of balances. Every call can be repeated; every call may be killed after any of its awaits.
#[derive(Clone)]
pub struct Ledger {
    dynamo: Client,
    accounts: String,
    entries: String,
    hold_lifetime: Duration,
    open_holds_max: u32,
    runs_per_minute_max: u32,
}

/// Who decided a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// This call, or an earlier attempt of it whose reply was lost.
    Now(Outcome),
    /// Somebody else was first; obey this outcome.
    Before(Outcome),
}

/// Whether a posting changed anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    Now(EntryId),
    /// The same outside fact was posted before, perhaps to another account.
    Before {
        account: AccountId,
        entry: EntryId,
    },
}

/// A page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<EntryId>,
}

type Attributes = HashMap<String, AttributeValue>;

impl Ledger {
    pub fn new(platform: &Platform) -> Ledger {
        let profile = platform.profile();
        Ledger {
            dynamo: platform.dynamo().clone(),
            accounts: platform.table(&ACCOUNTS),
            entries: platform.table(&CREDIT_TRANSACTIONS),
            hold_lifetime: profile.ledger.hold_lifetime(),
            open_holds_max: profile.limits.open_holds_max,
            runs_per_minute_max: profile.limits.runs_per_minute_max,
        }
    }

    /// Opens the account with its welcome credit, or with none. The second call finds it open and changes nothing.
    pub async fn open(&self, id: &AccountId, welcome: Credits, now: Timestamp) -> Result<(), CreditsError> {
        if welcome.is_zero() {
            return self.open_empty(id).await;
        }
        retry_conflicts(|| self.open_with_welcome(id, welcome, now)).await
    }

    async fn open_with_welcome(
        &self,
        id: &AccountId,
        welcome: Credits,
        now: Timestamp,
    ) -> Result<(), CreditsError> {
        let key = OnceKey::new("welcome", id);
        let entry = Entry {
            id: EntryId::mint(now),
            account: id.clone(),
            kind: Kind::Grant { origin: Origin::Welcome, key: key.clone() },
            amount: welcome.gained(),
            at: now,
        };
        let account = Put::builder()
            .table_name(&self.accounts)
            .set_item(Some(new_account(id, welcome)))
            .condition_expression("attribute_not_exists(id)")
            .build()
            .map_err(malformed)?;
        let account = TransactWriteItem::builder().put(account).build();
        match self.transact(&entry, &key, account).await? {
            Transacted::Done | Transacted::KeyUsed | Transacted::AccountRefused => Ok(()),
        }
    }

    async fn open_empty(&self, id: &AccountId) -> Result<(), CreditsError> {
        let put = self
            .dynamo
            .put_item()
            .table_name(&self.accounts)
            .set_item(Some(new_account(id, Credits::ZERO)))
            .condition_expression("attribute_not_exists(id)");
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_failed_put(&error) => Ok(()),
            Err(error) => Err(StoreError::of_sdk(error).into()),
        }
    }

    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>, CreditsError> {
        let get = self.dynamo.get_item().table_name(&self.accounts).set_key(Some(account_key(id)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        Ok(answer.item().map(read_account).transpose()?)
    }

    /// Holds the price for one run, in one conditional write. `Ok(Err(_))` says why nothing was held.
    pub async fn reserve(
        &self,
        wish: &Reservation,
        now: Timestamp,
    ) -> Result<Result<(Account, Hold), Refusal>, CreditsError> {
        retry_conflicts(|| self.reserve_once(wish, now)).await
    }

    async fn reserve_once(
        &self,
        wish: &Reservation,
        now: Timestamp,
    ) -> Result<Result<(Account, Hold), Refusal>, CreditsError> {
        let hold = wish.hold(now, self.hold_lifetime);
        let update = self
            .dynamo
            .update_item()
            .table_name(&self.accounts)
            .set_key(Some(account_key(&wish.account)))
            .update_expression(
                "SET avail = avail - :price, holds.#run = :hold, sweep = if_not_exists(sweep, :shard), \
                 due = if_not_exists(due, :due), #minute = if_not_exists(#minute, :zero) + :one",
            )
            .condition_expression(
                "avail >= :price AND attribute_not_exists(holds.#run) AND size(holds) < :open_max \
                 AND attribute_not_exists(blocked) AND attribute_not_exists(debt) \
                 AND (attribute_not_exists(#minute) OR #minute < :minute_max)",
            )
            .expression_attribute_names("#run", wish.run.to_string())
            .expression_attribute_names("#minute", minute_counter(now.seconds() / 60))
            .expression_attribute_values(":price", number(wish.price.get()))
            .expression_attribute_values(":hold", text(hold.encode()))
            .expression_attribute_values(":shard", text(sweep_shard(&wish.account)))
            .expression_attribute_values(":due", number(hold.expires_at.seconds()))
            .expression_attribute_values(":zero", number(0_u32))
            .expression_attribute_values(":one", number(1_u32))
            .expression_attribute_values(":open_max", number(self.open_holds_max))
            .expression_attribute_values(":minute_max", number(self.runs_per_minute_max))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(answer) => {
                let account = read_account(answer.attributes().ok_or_else(no_attributes)?)?;
                Ok(Ok((account, hold)))
            }
            Err(error) => match error.as_service_error() {
                Some(failed) if failed.is_conditional_check_failed_exception() => {
                    let old = old_item(failed);
                    self.judge_refusal(wish, now, old)
                }
                _ => Err(StoreError::of_sdk(error).into()),
            },
        }
    }

    fn judge_refusal(
        &self,
        wish: &Reservation,
        now: Timestamp,
        old: Option<&Attributes>,
    ) -> Result<Result<(Account, Hold), Refusal>, CreditsError> {
        let Some(old) = old.filter(|old| !old.is_empty()) else {
            return Ok(Err(Refusal::NoAccount));
        };
        let account = read_account(old)?;
        match account.refusal(wish, now, self.open_holds_max, self.runs_per_minute_max) {
            Some(refusal) => Ok(Err(refusal)),
            None => {
                let hold = account.hold(wish.run).cloned().ok_or_else(no_attributes)?;
                Ok(Ok((account, hold)))
            }
        }
    }

    /// The run's terminal state, if it has one.
    pub async fn outcome(&self, account: &AccountId, run: RunId) -> Result<Option<Outcome>, CreditsError> {
        let key = entry_key(account, run.into());
        let get = self.dynamo.get_item().table_name(&self.entries).set_key(Some(key));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        Ok(answer.item().map(read_entry).transpose()?)
    }

    /// Writes the run's outcome unless it has one. The first writer decides; everybody then applies that.
    pub async fn decide(
        &self,
        account: &AccountId,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<Decided, CreditsError> {
        let outcome = Entry::of_decision(account, decision, now);
        retry_conflicts(|| self.decide_once(&outcome)).await
    }

    async fn decide_once(&self, outcome: &Outcome) -> Result<Decided, CreditsError> {
        let put = self
            .dynamo
            .put_item()
            .table_name(&self.entries)
            .set_item(Some(entry_item(outcome)))
            .condition_expression("attribute_not_exists(entry)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let error = match put.send().await {
            Ok(_) => return Ok(Decided::Now(outcome.clone())),
            Err(error) => error,
        };
        let Some(failed) = error.as_service_error().filter(|e| e.is_conditional_check_failed_exception())
        else {
            return Err(StoreError::of_sdk(error).into());
        };
        let old = match failed {
            aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(e) => {
                e.item()
            }
            _ => None,
        };
        let standing = read_entry(old.ok_or_else(no_attributes)?)?;
        Ok(if standing == *outcome { Decided::Now(standing) } else { Decided::Before(standing) })
    }

    /// Removes the hold and gives back what the outcome leaves of it. Without the hold there is nothing to do.
    pub async fn apply(
        &self,
        account: &AccountId,
        hold: &Hold,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<Option<Balance>, CreditsError> {
        let back = outcome.returned(hold)?;
        let Some(account) = retry_conflicts(|| self.apply_once(account, hold, back, now)).await? else {
            return Ok(None);
        };
        if account.coverable_debt().is_zero() {
            return Ok(Some(account.balance()?));
        }
        self.cover_debt(&account).await?;
        Ok(Some(account.balance()?))
    }

    /// Takes back a reservation whose run was never started: nothing was sent to anybody, so no outcome is due.
    pub async fn cancel(&self, account: &AccountId, hold: &Hold, now: Timestamp) -> Result<(), CreditsError> {
        retry_conflicts(|| self.apply_once(account, hold, hold.amount, now)).await.map(|_| ())
    }

    async fn apply_once(
        &self,
        account: &AccountId,
        hold: &Hold,
        back: Credits,
        now: Timestamp,
    ) -> Result<Option<Account>, CreditsError> {
        let update = self
            .dynamo
            .update_item()
            .table_name(&self.accounts)
            .set_key(Some(account_key(account)))
            .update_expression("SET avail = avail + :back REMOVE holds.#run, #before")
            .condition_expression("holds.#run = :hold")
            .expression_attribute_names("#run", hold.run.to_string())
            // Yesterday's minutes are dropped by the sweep; the last one is dropped here, for nothing.
            .expression_attribute_names("#before", minute_counter((now.seconds() / 60).saturating_sub(1)))
            .expression_attribute_values(":back", number(back.get()))
            .expression_attribute_values(":hold", text(hold.encode()))
            .return_values(ReturnValue::AllNew);
        match update.send().await {
            Ok(answer) => Ok(Some(read_account(answer.attributes().ok_or_else(no_attributes)?)?)),
            Err(error) => match error.as_service_error() {
                Some(failed) if failed.is_conditional_check_failed_exception() => Ok(None),
                _ => Err(StoreError::of_sdk(error).into()),
            },
        }
    }

    /// Moves available credit onto outstanding debt, if the account still is as it was read.
    async fn cover_debt(&self, account: &Account) -> Result<(), CreditsError> {
        let covered = account.coverable_debt();
        let left = account.debt.checked_sub(covered)?;
        let change = if left.is_zero() {
            "SET avail = avail - :covered REMOVE debt"
        } else {
            "SET avail = avail - :covered, debt = :left"
        };
        let mut update = self
            .dynamo
            .update_item()
            .table_name(&self.accounts)
            .set_key(Some(account_key(&account.id)))
            .update_expression(change)
            .condition_expression("avail >= :covered AND debt = :debt")
            .expression_attribute_values(":covered", number(covered.get()))
            .expression_attribute_values(":debt", number(account.debt.get()));
        if !left.is_zero() {
            update = update.expression_attribute_values(":left", number(left.get()));
        }
        match update.send().await {
            Ok(_) => Ok(()),
            // Somebody else moved credit; the next apply, posting or sweep covers what is left.
            Err(error) if is_failed_update(&error) => Ok(()),
            Err(error) => Err(StoreError::of_sdk(error).into()),
        }
    }

    /// Books a change that is not a run, once per [`OnceKey`].
    pub async fn post(
        &self,
        account: &AccountId,
        posting: &Posting,
        now: Timestamp,
    ) -> Result<Posted, CreditsError> {
        retry_conflicts(|| self.post_once(account, posting, now)).await
    }

    async fn post_once(
        &self,
        id: &AccountId,
        posting: &Posting,
        now: Timestamp,
    ) -> Result<Posted, CreditsError> {
        let account = self.account(id).await?.ok_or(CreditsError::NoAccount)?;
        let effect = posting.effect(&account)?;
        let key = posting.once_key();
        let entry = Entry {
            id: EntryId::mint(now),
            account: id.clone(),
            kind: effect.kind.clone(),
            amount: effect.entry_amount,
            at: now,
        };
        let update = account_update(&self.accounts, &account, &effect)?;
        let update = TransactWriteItem::builder().update(update).build();
        match self.transact(&entry, &key, update).await? {
            Transacted::Done => Ok(Posted::Now(entry.id)),
            Transacted::AccountRefused => Err(CreditsError::Changed),
            Transacted::KeyUsed => self.posted_before(&key, entry.id).await,
        }
    }

    async fn posted_before(&self, key: &OnceKey, mine: EntryId) -> Result<Posted, CreditsError> {
        let get = self.dynamo.get_item().table_name(&self.entries).set_key(Some(once_key(key)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        let attributes = answer.item().ok_or_else(no_attributes)?;
        let item = Item::new(CREDIT_TRANSACTIONS.name, attributes);
        let (account, entry) = (item.parsed("to")?, item.parsed("as")?);
        Ok(if entry == mine { Posted::Now(entry) } else { Posted::Before { account, entry } })
    }

    /// The entry, its once-only key and the account's change: all of them or none.
    async fn transact(
        &self,
        entry: &Entry,
        key: &OnceKey,
        account: TransactWriteItem,
    ) -> Result<Transacted, CreditsError> {
        let once = ItemBuilder::default()
            .text("account", format!("once#{}", key.as_str()))
            .text("entry", "once")
            .text("to", &entry.account)
            .text("as", entry.id)
            .build();
        let put = |item: Attributes| {
            let put = Put::builder()
                .table_name(&self.entries)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(entry)")
                .build();
            put.map(|put| TransactWriteItem::builder().put(put).build()).map_err(malformed)
        };
        let answer = self
            .dynamo
            .transact_write_items()
            .transact_items(put(once)?)
            .transact_items(put(entry_item(entry))?)
            .transact_items(account)
            .client_request_token(entry.id.to_string())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Transacted::Done),
            Err(error) => match error.as_service_error().map(cancellation) {
                Some(Cancelled::First) => Ok(Transacted::KeyUsed),
                Some(Cancelled::Account) => Ok(Transacted::AccountRefused),
                Some(Cancelled::Conflict) => Err(StoreError::Conflict.into()),
                Some(Cancelled::Other) | None => Err(StoreError::of_sdk(error).into()),
            },
        }
    }

    /// The account's entries, newest first, outcomes without a movement included.
    ///
    /// `limit` is how many items are read; `before` continues an earlier page.
    pub async fn entries(
        &self,
        account: &AccountId,
        limit: u32,
        before: Option<EntryId>,
    ) -> Result<Page<Entry>, CreditsError> {
        let mut query = self
            .dynamo
            .query()
            .table_name(&self.entries)
            .expression_attribute_names("#account", "account")
            .expression_attribute_values(":account", text(account))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        query = match before {
            None => query.key_condition_expression("#account = :account"),
            Some(before) => query
                .key_condition_expression("#account = :account AND entry < :before")
                .expression_attribute_values(":before", text(before)),
        };
        let answer = query.send().await.map_err(StoreError::of_sdk)?;
        let items = answer.items().iter().map(read_entry).collect::<Result<Vec<_>, _>>()?;
        let has_more = answer.last_evaluated_key().is_some();
        let next = items.last().map(|entry| entry.id).filter(|_| has_more);
        Ok(Page { items, next })
    }

    /// Lets nobody spend from the account, or lets them again. What is reserved runs to its end.
    pub async fn set_block(&self, id: &AccountId, block: Option<Block>) -> Result<(), CreditsError> {
        let update = self.dynamo.update_item().table_name(&self.accounts).set_key(Some(account_key(id)));
        let update = match block {
            Some(block) => update
                .update_expression("SET blocked = :block")
                .expression_attribute_values(":block", text(block.as_str())),
            None => update.update_expression("REMOVE blocked"),
        };
        match update.condition_expression("attribute_exists(id)").send().await {
            Ok(_) => Ok(()),
            Err(error) if is_failed_update(&error) => Err(CreditsError::NoAccount),
            Err(error) => Err(StoreError::of_sdk(error).into()),
        }
    }

    /// At most `max` accounts of one shard whose mark lies before `moment`. The index may lag: read each again.
    pub async fn due(
        &self,
        shard: u8,
        moment: Timestamp,
        max: usize,
    ) -> Result<Vec<AccountId>, CreditsError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.accounts)
            .index_name(SWEEP_INDEX)
            .key_condition_expression("sweep = :shard AND due <= :moment")
            .expression_attribute_values(":shard", text(shard_name(shard)))
            .expression_attribute_values(":moment", number(moment.seconds()));
        let mut items = query.into_paginator().items().send();
        let mut accounts = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(StoreError::of_sdk)?;
            accounts.push(Item::new(ACCOUNTS.name, &item).parsed("id")?);
            if accounts.len() == max {
                break;
            }
        }
        Ok(accounts)
    }

    /// Marks the account for its next hold's expiry, or takes the mark away when none is open.
    ///
    /// Reading the account again is part of it, so that a hold made meanwhile keeps its mark.
    pub async fn remark(&self, id: &AccountId, now: Timestamp) -> Result<(), CreditsError> {
        let Some(account) = self.account(id).await? else { return Ok(()) };
        let Some(due) = account.due else { return Ok(()) };
        let earliest = account.holds.iter().map(|hold| hold.expires_at.seconds()).min();
        let mut removed: Vec<String> = account.stale_minutes(now).into_iter().map(minute_counter).collect();
        let mut update = self
            .dynamo
            .update_item()
            .table_name(&self.accounts)
            .set_key(Some(account_key(id)))
            .expression_attribute_values(":seen", number(due));
        let set = match earliest {
            Some(earliest) => {
                update = update
                    .condition_expression("due = :seen")
                    .expression_attribute_values(":due", number(earliest));
                "SET due = :due"
            }
            None => {
                removed.extend(["sweep".to_owned(), "due".to_owned()]);
                update = update
                    .condition_expression("due = :seen AND size(holds) = :zero")
                    .expression_attribute_values(":zero", number(0_u32));
                ""
            }
        };
        let removed =
            if removed.is_empty() { String::new() } else { format!(" REMOVE {}", removed.join(", ")) };
        match update.update_expression(format!("{set}{removed}")).send().await {
            Ok(_) => Ok(()),
            // A reservation came in between; the mark stands and the next sweep looks again.
            Err(error) if is_failed_update(&error) => Ok(()),
            Err(error) => Err(StoreError::of_sdk(error).into()),
        }
    }
}

enum Transacted {
    Done,
    KeyUsed,
    AccountRefused,
}

enum Cancelled {
    /// The once-only key, or the entry itself, is there already.
    First,
    Account,
    Conflict,
    Other,
}

/// Judges a cancelled transaction of ours: items are once key, entry, account, in this order.
fn cancellation(error: &TransactWriteItemsError) -> Cancelled {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return match error {
            TransactWriteItemsError::TransactionInProgressException(_) => Cancelled::Conflict,
            _ => Cancelled::Other,
        };
    };
    let codes: Vec<&str> =
        cancelled.cancellation_reasons().iter().map(|r| r.code().unwrap_or("None")).collect();
    let failed = |index: usize| codes.get(index) == Some(&"ConditionalCheckFailed");
    let is_passing = |code: &&str| {
        matches!(*code, "None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
    };
    if failed(0) || failed(1) {
        return Cancelled::First;
    }
    if failed(2) {
        return Cancelled::Account;
    }
    if codes.iter().all(is_passing) { Cancelled::Conflict } else { Cancelled::Other }
}

fn account_update(table: &str, account: &Account, effect: &Effect) -> Result<Update, CreditsError> {
    let (had_debt, has_debt) = (!account.debt.is_zero(), !effect.debt_after.is_zero());
    let mut update = Update::builder()
        .table_name(table)
        .set_key(Some(account_key(&account.id)))
        .expression_attribute_values(":change", number(effect.available.get()));
    let mut change = "SET avail = avail + :change".to_owned();
    if has_debt {
        change += ", debt = :debt";
        update = update.expression_attribute_values(":debt", number(effect.debt_after.get()));
    } else if had_debt {
        change += " REMOVE debt";
    }
    let mut condition = if had_debt {
        update = update.expression_attribute_values(":seen", number(account.debt.get()));
        "debt = :seen".to_owned()
    } else {
        "attribute_exists(id) AND attribute_not_exists(debt)".to_owned()
    };
    if effect.available.get() < 0 {
        condition += " AND avail >= :taken";
        let taken = effect.available.magnitude();
        update = update.expression_attribute_values(":taken", number(taken.get()));
    }
    update.update_expression(change).condition_expression(condition).build().map_err(malformed)
}

type UpdateFailure = aws_sdk_dynamodb::error::SdkError<
    aws_sdk_dynamodb::operation::update_item::UpdateItemError,
    aws_sdk_dynamodb::config::http::HttpResponse,
>;
type PutFailure = aws_sdk_dynamodb::error::SdkError<
    aws_sdk_dynamodb::operation::put_item::PutItemError,
    aws_sdk_dynamodb::config::http::HttpResponse,
>;

fn is_failed_update(error: &UpdateFailure) -> bool {
    error.as_service_error().is_some_and(|failed| failed.is_conditional_check_failed_exception())
}

fn is_failed_put(error: &PutFailure) -> bool {
    error.as_service_error().is_some_and(|failed| failed.is_conditional_check_failed_exception())
}

fn old_item(error: &aws_sdk_dynamodb::operation::update_item::UpdateItemError) -> Option<&Attributes> {
    match error {
        aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(e) => {
            e.item()
        }
        _ => None,
    }
}

fn malformed(error: aws_sdk_dynamodb::error::BuildError) -> CreditsError {
    StoreError::Unavailable { code: "request not built".to_owned(), source: Box::new(error) }.into()
}

fn no_attributes() -> StoreError {
    StoreError::corrupt(ACCOUNTS.name, "the store answered without the item it promised")
}
