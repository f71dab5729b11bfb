use crate::account::{Account, Balance, Block, Refusal, Reservation};
use crate::ceilings::{Ceilings, day_of};
use crate::entry::{Decision, Entry, Outcome};
use crate::items::{
    ACCOUNTS, CREDIT_TRANSACTIONS, SWEEP_INDEX, account_key, day_counter, ended_in, ended_mark, entry_item,
    entry_key, minute_counter, read_account, read_entry, shard_name, sweep_shard,
};
use crate::{CreditsError, Hold, LedgerRules, Limits, Nonce, SuspensionError};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use platform::{
    Attributes, ConditionalWrite, InvalidSettings, Item, Page, Platform, StoreError, conditional_write,
    number, pause, query_at_most, query_page, retry_conflicts, text, unless_condition_failed,
};
use primitives::{AccountId, CostCents, Credits, EntryId, RunId, Timestamp, times};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often a reservation is tried before the store counts as down, within the time of one call.
const RESERVE_TRIES: usize = 6;

/// The only writer of balances. Every call can be repeated; every call may be killed after any of its awaits.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) dynamo: Client,
    /// Sends a request once, whatever becomes of it.
    once: Client,
    pub(crate) accounts: String,
    pub(crate) entries: String,
    rules: LedgerRules,
    pub(crate) ceilings: Ceilings,
}

/// Credit that is held now.
#[derive(Debug, Clone)]
pub struct Reserved {
    /// After the write.
    pub account: Account,
    /// The reservation as it was written.
    pub hold: Hold,
    /// The write found a run of this id, or of one much like it, that ended in the last minutes: the outcome must be
    /// looked for again before the provider is called.
    pub may_be_over: bool,
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
    /// This call wrote the entry, or an earlier attempt of it whose reply was lost.
    Now(EntryId),
    /// The same outside fact was posted before, perhaps to another account.
    Before {
        /// The account that the fact was posted to.
        account: AccountId,
        /// The entry that was written then.
        entry: EntryId,
    },
}

/// An account with a reservation that may have outlived its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which account.
    pub account: AccountId,
    /// The earliest expiry among its reservations, as it was last marked.
    pub since: Timestamp,
}

impl Ledger {
    /// An error when the profile's sections `ledger` or `limits`, or settings in their place, are wrong. Calls no store.
    pub fn new(platform: &Platform) -> Result<Ledger, InvalidSettings> {
        let (rules, limits) = platform.rules(|profile, settings| {
            let (rules, limits) = (LedgerRules::read(profile, settings), Limits::read(profile, settings));
            Some((rules?, limits?))
        })?;
        Ok(Ledger {
            dynamo: platform.dynamo().clone(),
            once: platform.dynamo_once().clone(),
            accounts: platform.table(&ACCOUNTS),
            entries: platform.table(&CREDIT_TRANSACTIONS),
            ceilings: Ceilings::of(&limits, platform.profile().unit),
            rules,
        })
    }

    /// How long a reservation lives.
    pub fn hold_lifetime(&self) -> Duration {
        self.rules.hold_lifetime()
    }

    /// How long after its expiry a reservation is left alone.
    pub fn hold_grace(&self) -> Duration {
        self.rules.hold_grace()
    }

    /// The account as it is now; `None`: it was never opened.
    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        let get = self.dynamo.get_item().table_name(&self.accounts).set_key(Some(account_key(id)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        answer.item().map(read_account).transpose()
    }

    /// Holds the price for one run, in one conditional write. `Ok(Err(_))` says why nothing was held.
    ///
    /// Every attempt has a nonce of its own and the SDK makes only one: a write that was stuck on the way and
    /// is carried out after the run has ended leaves a hold no outcome was decided for, which goes back whole.
    pub async fn reserve(
        &self,
        wish: &Reservation,
        now: Timestamp,
    ) -> Result<Result<Reserved, Refusal>, StoreError> {
        let mut ours = Vec::new();
        let last_try = Instant::now() + times::STORE_CALL.limit.saturating_sub(times::STORE_TRY.limit);
        loop {
            ours.push(Nonce::random());
            match self.reserve_once(wish, &ours, now).await {
                Err(error)
                    if error.is_passing() && ours.len() < RESERVE_TRIES && Instant::now() < last_try =>
                {
                    pause(u32::try_from(ours.len()).unwrap_or(u32::MAX)).await;
                }
                Ok(Ok((account, hold))) => {
                    let may_be_over = account.has_lately_ended(hold.run);
                    return Ok(Ok(Reserved { account, hold, may_be_over }));
                }
                Ok(Err(refusal)) => return Ok(Err(refusal)),
                Err(error) => return Err(error),
            }
        }
    }

    async fn reserve_once(
        &self,
        wish: &Reservation,
        ours: &[Nonce],
        now: Timestamp,
    ) -> Result<Result<(Account, Hold), Refusal>, StoreError> {
        let nonce = ours.last().copied().unwrap_or_else(Nonce::random);
        let hold = wish.hold(nonce, now);
        let ((unpaid_open_max, open_max), (lost_base, lost_max)) =
            (self.ceilings.open_holds(), self.ceilings.losses());
        let update = self
            .once
            .update_item()
            .table_name(&self.accounts)
            .set_key(Some(account_key(&wish.account)))
            .update_expression(
                "SET avail = avail - :price, holds.#run = :hold, sweep = if_not_exists(sweep, :shard), \
                 due = if_not_exists(due, :due), #minute = if_not_exists(#minute, :zero) + :one",
            )
            .condition_expression(
                "avail >= :price AND attribute_not_exists(holds.#run) \
                 AND attribute_not_exists(blocked) AND attribute_not_exists(debt) \
                 AND (size(holds) < :unpaid_open_max OR (size(holds) < :open_max AND paid > :zero)) \
                 AND (attribute_not_exists(#minute) OR #minute < :minute_max) \
                 AND (attribute_not_exists(#lost) OR #lost < :lost_base OR (#lost < budget AND #lost < :lost_max))",
            )
            .expression_attribute_names("#run", wish.run.to_string())
            .expression_attribute_names("#minute", minute_counter(now.seconds() / 60))
            .expression_attribute_names("#lost", day_counter(day_of(now)))
            .expression_attribute_values(":price", number(wish.price.get()))
            .expression_attribute_values(":hold", text(hold.encode()))
            .expression_attribute_values(":shard", text(sweep_shard(&wish.account)))
            .expression_attribute_values(":due", number(self.mark(hold.expires_at, now).seconds()))
            .expression_attribute_values(":zero", number(0_u32))
            .expression_attribute_values(":one", number(1_u32))
            .expression_attribute_values(":unpaid_open_max", number(unpaid_open_max))
            .expression_attribute_values(":open_max", number(open_max))
            .expression_attribute_values(":minute_max", number(self.ceilings.runs_per_minute))
            .expression_attribute_values(":lost_base", number(lost_base.micro_cents()))
            .expression_attribute_values(":lost_max", number(lost_max.micro_cents()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match conditional_write(update.send().await)? {
            ConditionalWrite::Done(answer) => {
                let account = read_account(answer.attributes().ok_or_else(no_attributes)?)?;
                Ok(Ok((account, hold)))
            }
            ConditionalWrite::ConditionFailed { standing } => {
                self.judge_refusal(wish, ours, now, standing.as_ref())
            }
        }
    }

    fn judge_refusal(
        &self,
        wish: &Reservation,
        ours: &[Nonce],
        now: Timestamp,
        standing: Option<&Attributes>,
    ) -> Result<Result<(Account, Hold), Refusal>, StoreError> {
        let Some(standing) = standing else { return Ok(Err(Refusal::NoAccount)) };
        let account = read_account(standing)?;
        match account.refusal(wish, ours, now, &self.ceilings) {
            Some(refusal) => Ok(Err(refusal)),
            None => {
                let hold = account.hold(wish.run).cloned().ok_or_else(no_attributes)?;
                Ok(Ok((account, hold)))
            }
        }
    }

    /// The run's terminal state, if it has one.
    pub async fn outcome(&self, account: &AccountId, run: RunId) -> Result<Option<Outcome>, StoreError> {
        let key = entry_key(account, run.into());
        let get = self.dynamo.get_item().table_name(&self.entries).set_key(Some(key));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        answer.item().map(read_entry).transpose()
    }

    /// Writes the run's outcome unless it has one. The first writer decides; everybody then applies that.
    pub async fn decide(
        &self,
        account: &AccountId,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let outcome = Entry::of_decision(account, decision, now);
        retry_conflicts(|| self.decide_once(&outcome)).await
    }

    async fn decide_once(&self, outcome: &Outcome) -> Result<Decided, StoreError> {
        let put = self
            .dynamo
            .put_item()
            .table_name(&self.entries)
            .set_item(Some(entry_item(outcome)))
            .condition_expression("attribute_not_exists(entry)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let standing = match conditional_write(put.send().await)? {
            ConditionalWrite::Done(_) => return Ok(Decided::Now(outcome.clone())),
            ConditionalWrite::ConditionFailed { standing } => {
                read_entry(&standing.ok_or_else(no_attributes)?)?
            }
        };
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
        let (back, counted) = (outcome.returned(hold)?, outcome.counted(hold));
        let Some(account) =
            retry_conflicts(|| self.apply_once(account, hold, back, Some(counted), now)).await?
        else {
            return Ok(None);
        };
        if account.coverable_debt().is_zero() {
            return Ok(Some(account.balance()?));
        }
        self.settle_debt(&account.id).await?;
        let account = self.account(&account.id).await?.ok_or(CreditsError::NoAccount)?;
        Ok(Some(account.balance()?))
    }

    /// Pays outstanding debt from available credit. True: something was there to pay with.
    ///
    /// Such an account arises when a hold is given back after a reversal; whoever meets it may be killed before
    /// this, so the sweep and the next refusal for debt call it too.
    pub async fn settle_debt(&self, id: &AccountId) -> Result<bool, CreditsError> {
        let Some(account) = self.account(id).await? else { return Ok(false) };
        if account.coverable_debt().is_zero() {
            return Ok(false);
        }
        self.cover_debt(&account).await?;
        Ok(true)
    }

    /// Takes back a reservation whose run was never started: nothing was sent to anybody, so no outcome is due.
    pub async fn cancel(&self, account: &AccountId, hold: &Hold, now: Timestamp) -> Result<(), StoreError> {
        retry_conflicts(|| self.apply_once(account, hold, hold.amount, None, now)).await.map(|_| ())
    }

    /// Takes the hold away. `ended`: the run has an outcome, of which so much counts as lost.
    async fn apply_once(
        &self,
        account: &AccountId,
        hold: &Hold,
        back: Credits,
        ended: Option<CostCents>,
        now: Timestamp,
    ) -> Result<Option<Account>, StoreError> {
        let minute = now.seconds() / 60;
        let mut update = self
            .dynamo
            .update_item()
            .table_name(&self.accounts)
            .set_key(Some(account_key(account)))
            .condition_expression("holds.#run = :hold")
            .expression_attribute_names("#run", hold.run.to_string())
            // The minute and the day before the last are dropped here, for nothing; older ones by the sweep.
            .expression_attribute_names("#minute", minute_counter(minute.saturating_sub(2)))
            .expression_attribute_names("#old", ended_in(minute.saturating_sub(2)))
            .expression_attribute_names("#day", day_counter(day_of(now).saturating_sub(2)))
            .expression_attribute_values(":back", number(back.get()))
            .expression_attribute_values(":hold", text(hold.encode()))
            .return_values(ReturnValue::AllNew);
        let mut change = "SET avail = avail + :back".to_owned();
        if let Some(lost) = ended.filter(|lost| *lost > CostCents::ZERO) {
            // In the write that takes the hold away, so that it counts exactly once, whatever is repeated.
            change += ", #lost = if_not_exists(#lost, :zero) + :lost";
            update = update
                .expression_attribute_names("#lost", day_counter(day_of(now)))
                .expression_attribute_values(":zero", number(0_u32))
                .expression_attribute_values(":lost", number(lost.micro_cents()));
        }
        change += " REMOVE holds.#run, #minute, #day, #old";
        if ended.is_some() {
            change += " ADD #ended :mark";
            update = update
                .expression_attribute_names("#ended", ended_in(minute))
                .expression_attribute_values(":mark", AttributeValue::Ss(vec![ended_mark(hold.run)]));
        }
        let answer = unless_condition_failed(update.update_expression(change).send().await)?;
        let Some(answer) = answer else { return Ok(None) };
        Ok(Some(read_account(answer.attributes().ok_or_else(no_attributes)?)?))
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
        // Refused: other work moved credit meanwhile. The next apply, posting or sweep covers what is left.
        unless_condition_failed(update.send().await)?;
        Ok(())
    }

    /// The account's entries, newest first, outcomes without a movement included.
    ///
    /// `limit` is how many items are read; `before` continues an earlier page.
    pub async fn entries(
        &self,
        account: &AccountId,
        limit: u32,
        before: Option<EntryId>,
    ) -> Result<Page<Entry, EntryId>, StoreError> {
        let mut query = self
            .dynamo
            .query()
            .table_name(&self.entries)
            .expression_attribute_names("#account", "account")
            .expression_attribute_values(":account", text(account))
            .scan_index_forward(false)
            .consistent_read(true);
        query = match before {
            None => query.key_condition_expression("#account = :account"),
            Some(before) => query
                .key_condition_expression("#account = :account AND entry < :before")
                .expression_attribute_values(":before", text(before)),
        };
        let read_id = |key: &Attributes| Item::new(CREDIT_TRANSACTIONS.name, key).parsed("entry");
        query_page(query, limit, read_entry, read_id).await
    }

    /// Suspends an account or lifts its suspension. What is reserved runs to its end. Errors with
    /// [`SuspensionError::Closed`] for a closed account, which stays closed.
    pub async fn set_suspended(&self, id: &AccountId, is_suspended: bool) -> Result<(), SuspensionError> {
        let update = self.dynamo.update_item().table_name(&self.accounts).set_key(Some(account_key(id)));
        let update = if is_suspended {
            update
                .update_expression("SET blocked = :suspended")
                .expression_attribute_values(":suspended", text(Block::Suspended.as_str()))
        } else {
            update.update_expression("REMOVE blocked")
        };
        let update = update
            .condition_expression(
                "attribute_exists(id) AND (attribute_not_exists(blocked) OR blocked <> :closed)",
            )
            .expression_attribute_values(":closed", text(Block::Closed.as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match conditional_write(update.send().await)? {
            ConditionalWrite::Done(_) => Ok(()),
            ConditionalWrite::ConditionFailed { standing: Some(_) } => Err(SuspensionError::Closed),
            ConditionalWrite::ConditionFailed { standing: None } => Err(SuspensionError::NoAccount),
        }
    }

    /// Closes the account of a deleted person, for good. One that was never opened is made, closed, so that no request
    /// still under way opens it. What is reserved runs to its end.
    pub async fn close(&self, id: &AccountId) -> Result<(), StoreError> {
        let update = self
            .dynamo
            .update_item()
            .table_name(&self.accounts)
            .set_key(Some(account_key(id)))
            .update_expression(
                "SET blocked = :closed, avail = if_not_exists(avail, :zero), \
                 holds = if_not_exists(holds, :none)",
            )
            .expression_attribute_values(":closed", text(Block::Closed.as_str()))
            .expression_attribute_values(":zero", number(0_u32))
            .expression_attribute_values(":none", AttributeValue::M(HashMap::new()));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(StoreError::of_sdk(error)),
        }
    }

    /// The welcome credit is given, or will not be: nothing is awaited any more. False: there is no such account.
    pub(crate) async fn stop_awaiting_welcome(&self, id: &AccountId) -> Result<bool, StoreError> {
        let update = self
            .dynamo
            .update_item()
            .table_name(&self.accounts)
            .set_key(Some(account_key(id)))
            .update_expression("REMOVE welcome")
            .condition_expression("attribute_exists(id)");
        Ok(unless_condition_failed(update.send().await)?.is_some())
    }

    /// At most `max` accounts of one shard whose mark lies before `moment`, the longest due first. The index may lag:
    /// read each again.
    pub async fn due(&self, shard: u8, moment: Timestamp, max: usize) -> Result<Vec<Due>, StoreError> {
        let query = self
            .dynamo
            .query()
            .table_name(&self.accounts)
            .index_name(SWEEP_INDEX)
            .key_condition_expression("sweep = :shard AND due <= :moment")
            .expression_attribute_values(":shard", text(shard_name(shard)))
            .expression_attribute_values(":moment", number(moment.seconds()));
        let read = |marked: &Attributes| {
            let item = Item::new(ACCOUNTS.name, marked);
            Ok(Due { account: item.parsed("id")?, since: Timestamp::from_seconds(item.number("due")?) })
        };
        query_at_most(query, max).await?.iter().map(read).collect()
    }

    /// When the sweep looks at an account whose earliest hold ends at `earliest`: a usual hold's lifetime from `now` at
    /// the latest. A mark stands until the sweep looks, so a usual hold that is made meanwhile does not end before the
    /// mark.
    fn mark(&self, earliest: Timestamp, now: Timestamp) -> Timestamp {
        earliest.min(now.after(self.hold_lifetime()))
    }

    /// Marks the account for its next hold's expiry, or takes the mark away when none is open.
    ///
    /// Reading the account again is part of it, so that a hold made meanwhile keeps its mark.
    pub async fn remark(&self, id: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        let Some(account) = self.account(id).await? else { return Ok(()) };
        let Some(due) = account.due else { return Ok(()) };
        let earliest = account.holds.iter().map(|hold| hold.expires_at).min();
        let mut removed: Vec<String> = account.stale_minutes(now).into_iter().map(minute_counter).collect();
        removed.extend(account.stale_ended(now).into_iter().map(ended_in));
        removed.extend(account.stale_days(now).into_iter().map(day_counter));
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
                    .expression_attribute_values(":due", number(self.mark(earliest, now).seconds()));
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
        // Refused: a reservation came in between; the mark stands and the next sweep looks again.
        unless_condition_failed(update.update_expression(format!("{set}{removed}")).send().await)?;
        Ok(())
    }
}

pub(crate) fn no_attributes() -> StoreError {
    StoreError::corrupt(ACCOUNTS.name, "the store answered without the item it promised")
}
