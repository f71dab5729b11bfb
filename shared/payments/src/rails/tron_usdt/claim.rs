//! Claims: a person names the transaction of a transfer whose amount fitted no order.

mod ruling;
mod store;

use self::ruling::{ClaimRuling, Claimed, judge_claim};
use self::store::{Counted, DueClaim};
use super::desk::ChainDesk;
use crate::fact::{Credited, Fact, FactState, PendingClaim, Unmatched};
use crate::inbox::Assignment;
use crate::items::{AuditRow, ReferenceRow, amount_name, claim_item, reference_name};
use crate::order::{LOOK_BACK, TopUp};
use crate::payments::TRIES;
use crate::ruling::{CLOCKS_APART, Ruling, within_limits};
use crate::store::When;
use crate::{ClaimError, DecisionError, PaymentsError, Rail};
use platform::{StoreError, Written, with_causes};
use primitives::{AccountId, Credits, Overflow, Rate, Timestamp, TopUpId, times};
use rails::UsdtMicros;
use rails::tron::TxId;
use std::time::Duration;

/// A claim may start a look at the chain of its own when the last claim's is older than this. A poll is no such look: it reads
/// one index, and on one machine it comes more often than this.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// More names than this are not kept beside one payment.
const CLAIMANTS_MAX: usize = 20;
/// Objections pass up to so many times a day's claims.
const OBJECTIONS_FACTOR: u32 = 5;
/// Of the claims whose wait is over, so many are ended by one poll.
const ENDED_AT_ONCE: i32 = 100;

/// What of a transaction is the claimant's, and what may become so.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ClaimOutcome {
    pub credited: Vec<Credited>,
    pub waiting: Vec<WaitingClaim>,
}

/// A claim that waits for others to object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingClaim {
    /// What it brings.
    pub credits: Credits,
    pub order: TopUpId,
    pub until: Timestamp,
}

/// What became of one transfer's claim.
enum Step {
    Credited(Credited),
    Waits(WaitingClaim),
    Unclear,
    Nothing,
}

/// `None`: something that this was decided on has changed.
type Stepped = Option<Step>;

impl ChainDesk {
    /// Gives a transfer that no order explains to the person who names its transaction: at once when its exact amount
    /// was theirs, after a wait when it is near an order of theirs, and otherwise by an administrator.
    ///
    /// The chain is public, so knowing a transaction proves nothing. During the wait anybody may object by claiming
    /// the same transfer; then an administrator decides, who sees all the names. Can be repeated at any time.
    pub async fn claim(
        &self,
        account: &AccountId,
        tx: TxId,
        now: Timestamp,
    ) -> Result<ClaimOutcome, PaymentsError> {
        let (mut outcome, mut is_unclear, mut failure) = (ClaimOutcome::default(), false, None);
        for fact in self.facts_of(tx, now).await? {
            match self.claim_one(account, fact, now).await {
                Ok(Step::Credited(credited)) => outcome.credited.push(credited),
                Ok(Step::Waits(claim)) => outcome.waiting.push(claim),
                Ok(Step::Unclear) => is_unclear = true,
                Ok(Step::Nothing) => {}
                Err(error) => {
                    tracing::warn!(
                        %tx, %account, error = %with_causes(&error),
                        "one transfer of a claim could not be decided"
                    );
                    failure = failure.or(Some(error));
                }
            }
        }
        // What was credited is told whatever became of the rest, which can be claimed again.
        match (outcome.credited.is_empty() && outcome.waiting.is_empty(), failure) {
            (false, _) => Ok(outcome),
            (true, Some(error)) => Err(error),
            (true, None) if is_unclear => Err(ClaimError::Unclear.into()),
            (true, None) => Err(ClaimError::NothingToClaim.into()),
        }
    }

    /// The transaction's transfers to us; if none is known yet, after a look at the chain.
    ///
    /// # Errors
    /// `TransferUnknown` only when both indexes were just read whole and do not have it.
    async fn facts_of(&self, tx: TxId, now: Timestamp) -> Result<Vec<Fact>, PaymentsError> {
        let source = reference_name(Rail::TronUsdt, &tx.to_string());
        let facts = self.payments().facts_of(&source).await?;
        if !facts.is_empty() {
            return Ok(facts);
        }
        let store = &self.payments().store;
        let limit = now.before(LOOK_EVERY).after(Duration::from_millis(1));
        let is_whole = if store.mark_unless_after(Rail::TronUsdt, crate::LOOK_BEGAN, now, limit).await? {
            let is_whole = match tokio::time::timeout(times::CHAIN_LOOK.limit, self.read_chain(now)).await {
                Ok(looked) => looked?,
                Err(_) => false,
            };
            let facts = self.payments().facts_of(&source).await?;
            if !facts.is_empty() {
                return Ok(facts);
            }
            is_whole
        } else {
            let marks = store.marks(Rail::TronUsdt).await?;
            marks.get(crate::LOOKED).is_some_and(|looked| now.since(*looked) <= LOOK_EVERY)
        };
        match is_whole {
            true => Err(ClaimError::TransferUnknown { retry_after: LOOK_EVERY }.into()),
            false => Err(ClaimError::ChainUnread { retry_after: LOOK_EVERY }.into()),
        }
    }

    /// Polls the chain and compares both indexes over the last day. Whether all of it was read and is in our books.
    async fn read_chain(&self, now: Timestamp) -> Result<bool, PaymentsError> {
        let report = self.poll(now).await?;
        let is_compared = match self.compare_stretch(now.before(LOOK_BACK), now, now).await {
            Ok(compared) => compared.knows_all(),
            Err(error) => {
                tracing::warn!(error = %with_causes(&error), "the second index could not be asked for a claim");
                false
            }
        };
        let is_whole = is_compared && report.knows_all();
        if is_whole {
            self.payments().store.note_moment(Rail::TronUsdt, crate::LOOKED, now).await;
        }
        Ok(is_whole)
    }

    async fn claim_one(
        &self,
        account: &AccountId,
        mut fact: Fact,
        now: Timestamp,
    ) -> Result<Step, PaymentsError> {
        for tries in 0..TRIES {
            if let Some(step) = self.claim_once(account, &fact, now).await? {
                return Ok(step);
            }
            platform::pause(u32::try_from(tries).unwrap_or(u32::MAX)).await;
            fact = self.payments().fact(&fact.key).await?.ok_or(DecisionError::NoFact)?;
        }
        Err(StoreError::Conflict.into())
    }

    async fn claim_once(
        &self,
        account: &AccountId,
        fact: &Fact,
        now: Timestamp,
    ) -> Result<Stepped, PaymentsError> {
        let Ok(amount) = UsdtMicros::try_from(fact.amount) else { return Ok(Some(Step::Nothing)) };
        match &fact.state {
            FactState::Credited(credited) if credited.account == *account => {
                Ok(Some(Step::Credited(credited.clone())))
            }
            FactState::Credited(credited) if fact.claimants.contains(&credited.account) => {
                self.note_late_claim(account, fact, now).await
            }
            FactState::Claimed(claim) if claim.account == *account && claim.until <= now => {
                self.end_wait(fact, claim, now).await?;
                Ok(None)
            }
            FactState::Claimed(claim) if claim.account == *account => {
                let (order, until) = (claim.order, claim.until);
                Ok(Some(Step::Waits(WaitingClaim { credits: self.credits_for(amount)?, order, until })))
            }
            FactState::Claimed(_) => self.leave_to_a_person(account, fact, now).await,
            FactState::Unmatched { why, .. } => self.decide(account, fact, *why, amount, now).await,
            FactState::Credited(_)
            | FactState::Dismissed { .. }
            | FactState::Ignored(_)
            | FactState::Voided => Ok(Some(Step::Nothing)),
        }
    }

    async fn decide(
        &self,
        account: &AccountId,
        fact: &Fact,
        why: Unmatched,
        amount: UsdtMicros,
        now: Timestamp,
    ) -> Result<Stepped, PaymentsError> {
        let rules = &self.payments().rules;
        let credits = self.credits_for(amount)?;
        let is_usual = within_limits(credits, rules) == Ruling::Credit(credits);
        match self.ruling(account, amount, fact.paid_at).await? {
            ClaimRuling::Own(row)
                if is_usual && matches!(why, Unmatched::NoOrder | Unmatched::ClaimUnclear) =>
            {
                match self.unpaid(account, &[row]).await? {
                    Some(order) => self.grant(account, fact, &order, "claimed", "", now).await,
                    None => self.leave_to_a_person(account, fact, now).await,
                }
            }
            ClaimRuling::Near(rows) if is_usual && may_wait(account, fact, why, now) => {
                let Some(order) = self.unpaid(account, &rows).await? else {
                    return self.leave_to_a_person(account, fact, now).await;
                };
                let store = &self.payments().store;
                let counted = store.count_claim(account, credits, rules.claims_day_max, now).await?;
                if !counted.is_within(rules) {
                    return self.leave_counted(account, fact, counted.without(credits)?, now).await;
                }
                let until = now.after(rules.claim_wait());
                let claim = PendingClaim { account: account.clone(), order: order.id, at: now, until };
                let is_written =
                    self.note(account, fact, FactState::Claimed(claim), &counted, Some(until), now).await?;
                if is_written {
                    tracing::warn!(payment = %fact.key, %account, %until, "a claim waits for others to object");
                }
                Ok(is_written.then_some(Step::Waits(WaitingClaim { credits, order: order.id, until })))
            }
            _ => self.leave_to_a_person(account, fact, now).await,
        }
    }

    /// What the amounts that are or were given out say about the claim.
    async fn ruling(
        &self,
        account: &AccountId,
        amount: UsdtMicros,
        paid_at: Timestamp,
    ) -> Result<ClaimRuling, PaymentsError> {
        let (store, rules) = (&self.payments().store, &self.payments().rules);
        let exact = store.references(&[amount_name(Rail::TronUsdt, &self.wallet(), amount.into())]).await?;
        let last = paid_at.after(rules.order_lifetime()).after(rules.grace()).after(CLOCKS_APART);
        let mut held = store.amounts_held(Rail::TronUsdt, paid_at, last).await?;
        let wallet = format!("{}.{}.", Rail::TronUsdt, self.wallet());
        held.retain(|name| name.starts_with(&wallet));
        let held = store.references(&held).await?;
        Ok(judge_claim(Claimed { account, amount, paid_at }, exact.first(), &held))
    }

    /// The first of the orders that is neither paid nor given up.
    async fn unpaid(
        &self,
        account: &AccountId,
        rows: &[ReferenceRow],
    ) -> Result<Option<TopUp>, PaymentsError> {
        for row in rows {
            let order = self.payments().store.top_up(account, row.order).await?;
            let unpaid = order.filter(|order| order.cancelled_at.is_none() && order.payments.is_empty());
            if unpaid.is_some() {
                return Ok(unpaid);
            }
        }
        Ok(None)
    }

    /// What a transfer without an order is worth.
    fn credits_for(&self, amount: UsdtMicros) -> Result<Credits, Overflow> {
        self.payments().unit.credits_down(amount.into(), Rate::ONE)
    }

    async fn grant(
        &self,
        account: &AccountId,
        fact: &Fact,
        order: &TopUp,
        what: &'static str,
        note: &str,
        now: Timestamp,
    ) -> Result<Stepped, PaymentsError> {
        let Ok(amount) = UsdtMicros::try_from(fact.amount) else { return Ok(Some(Step::Nothing)) };
        let wish = Assignment {
            account: account.clone(),
            order: Some(order.id),
            credits: Some(self.credits_for(amount)?),
            rate: None,
            who: account.to_string(),
            what,
            note: note.to_owned(),
            seen: Some((fact.version, order.version)),
        };
        match self.payments().assign(&fact.key, &wish, now).await {
            Ok(credited) => Ok(Some(Step::Credited(credited))),
            // Payment or order changed meanwhile: another claim, a person's decision, the order's own payment.
            Err(
                PaymentsError::Claim(ClaimError::Unclear)
                | PaymentsError::Decision(DecisionError::DoneOtherwise | DecisionError::WrongState { .. }),
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn leave_to_a_person(
        &self,
        account: &AccountId,
        fact: &Fact,
        now: Timestamp,
    ) -> Result<Stepped, PaymentsError> {
        if fact.claimants.contains(account) {
            return Ok(Some(Step::Unclear));
        }
        let claims_max = match fact.state {
            FactState::Claimed(_) => self.objections_max(),
            _ => self.payments().rules.claims_day_max,
        };
        let counted = self.payments().store.count_claim(account, Credits::ZERO, claims_max, now).await?;
        self.leave_counted(account, fact, counted, now).await
    }

    /// With so many claims in a day a person may still object to another's: no money moves by it.
    fn objections_max(&self) -> u32 {
        self.payments().rules.claims_day_max.saturating_mul(OBJECTIONS_FACTOR)
    }

    async fn leave_counted(
        &self,
        account: &AccountId,
        fact: &Fact,
        counted: Counted,
        now: Timestamp,
    ) -> Result<Stepped, PaymentsError> {
        let state = match &fact.state {
            FactState::Unmatched { why, near } if *why != Unmatched::NoOrder => {
                FactState::Unmatched { why: *why, near: near.clone() }
            }
            _ => FactState::Unmatched { why: Unmatched::ClaimUnclear, near: None },
        };
        let is_written = self.note(account, fact, state, &counted, None, now).await?;
        if is_written {
            tracing::warn!(
                metric = "payment_unmatched", value = 1, rail = %Rail::TronUsdt, payment = %fact.key, %account,
                "a claim waits for an administrator"
            );
        }
        Ok(is_written.then_some(Step::Unclear))
    }

    /// The transfer became another person's credit by a claim of theirs: perhaps this one is its owner.
    async fn note_late_claim(
        &self,
        account: &AccountId,
        fact: &Fact,
        now: Timestamp,
    ) -> Result<Stepped, PaymentsError> {
        if fact.claimants.contains(account) {
            return Ok(Some(Step::Nothing));
        }
        let store = &self.payments().store;
        let counted = store.count_claim(account, Credits::ZERO, self.objections_max(), now).await?;
        let is_written = self.note(account, fact, fact.state.clone(), &counted, None, now).await?;
        if is_written {
            tracing::error!(
                metric = "payment_unmatched", value = 1, rail = %Rail::TronUsdt, payment = %fact.key, %account,
                "a transfer that was granted to its claimant is claimed by another person"
            );
        }
        Ok(is_written.then_some(Step::Nothing))
    }

    /// Writes the payment's state with one more claimant, the claim's audit row, and the person's tally together.
    /// False: one of them changed meanwhile.
    async fn note(
        &self,
        account: &AccountId,
        fact: &Fact,
        state: FactState,
        counted: &Counted,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, PaymentsError> {
        let store = &self.payments().store;
        let mut changed = fact.in_state(state);
        if changed.claimants.len() < CLAIMANTS_MAX && !changed.claimants.contains(account) {
            changed.claimants.push(account.clone());
        }
        let row =
            AuditRow { who: account.to_string(), what: "claimed".to_owned(), note: String::new(), at: now };
        let written = platform::retry_conflicts(|| async {
            let items = vec![
                store.put_fact(&changed, When::Version(fact.version))?,
                store.put(&store.inbox, claim_item(&fact.key, &row, until), When::Always)?,
                store.put_tally(account, counted)?,
            ];
            store.write(items, now).await
        });
        Ok(matches!(written.await?, Written::Done))
    }

    /// Ends every wait that is over: the claim is granted, or left to a person when something speaks against it by
    /// now. Can be killed anywhere and run at once: each end is one transaction on the payment's version.
    ///
    /// Returns how many were granted.
    pub async fn end_waits(&self, now: Timestamp) -> Result<u32, PaymentsError> {
        let mut granted = 0;
        for due in self.payments().store.due_claims(now, ENDED_AT_ONCE).await? {
            match self.end_due(&due, now).await {
                Ok(is_granted) => granted += u32::from(is_granted),
                Err(error) => {
                    tracing::error!(
                        payment = %due.fact, error = %with_causes(&error),
                        "a claim's wait could not be ended"
                    );
                }
            }
        }
        Ok(granted)
    }

    async fn end_due(&self, due: &DueClaim, now: Timestamp) -> Result<bool, PaymentsError> {
        let mut is_granted = false;
        if let Some(fact) = self.payments().fact(&due.fact).await?
            && let FactState::Claimed(claim) = &fact.state
            && claim.until <= now
        {
            is_granted = self.end_wait(&fact, claim, now).await?;
        }
        // Not before it is decided: what changed at this moment is looked at by the next poll.
        let fact = self.payments().fact(&due.fact).await?;
        if fact.is_some_and(|fact| matches!(fact.state, FactState::Claimed(_))) {
            return Ok(false);
        }
        // Of two polls at the same moment one counts the grant.
        Ok(self.payments().store.clear_due(due).await? && is_granted)
    }

    /// Whether it was granted now.
    async fn end_wait(
        &self,
        fact: &Fact,
        claim: &PendingClaim,
        now: Timestamp,
    ) -> Result<bool, PaymentsError> {
        let Ok(amount) = UsdtMicros::try_from(fact.amount) else { return Ok(false) };
        let rows = match self.ruling(&claim.account, amount, fact.paid_at).await? {
            ClaimRuling::Near(rows) => rows,
            ClaimRuling::Own(row) => vec![row],
            ClaimRuling::Unclear => Vec::new(),
        };
        let rows: Vec<ReferenceRow> = rows.into_iter().filter(|row| row.order == claim.order).collect();
        let Some(order) = self.unpaid(&claim.account, &rows).await? else {
            return self.release(fact, Unmatched::ClaimUnclear, now).await;
        };
        match self.grant(&claim.account, fact, &order, "granted", "nobody else claimed it in time", now).await
        {
            Ok(step) => Ok(matches!(step, Some(Step::Credited(_)))),
            Err(PaymentsError::AccountClosed | PaymentsError::NoAccount) => {
                self.release(fact, Unmatched::AccountClosed, now).await
            }
            Err(PaymentsError::Decision(DecisionError::UnfitAssignment { .. })) => {
                self.release(fact, Unmatched::ClaimUnclear, now).await
            }
            Err(error) => Err(error),
        }
    }

    /// Leaves a claim that waited to an administrator. Nothing was granted.
    async fn release(&self, fact: &Fact, why: Unmatched, now: Timestamp) -> Result<bool, PaymentsError> {
        let changed = fact.in_state(FactState::Unmatched { why, near: None });
        let store = &self.payments().store;
        let written = platform::retry_conflicts(|| async {
            store.write(vec![store.put_fact(&changed, When::Version(fact.version))?], now).await
        });
        if let Written::Done = written.await? {
            tracing::warn!(
                metric = "payment_unmatched", value = 1, rail = %Rail::TronUsdt, payment = %fact.key,
                why = why.as_str(), "a claim whose wait is over waits for an administrator"
            );
        }
        Ok(false)
    }
}

/// Whether a transfer near an order of the claimant may become theirs by waiting: it is young, known for nothing else,
/// and no other person says that it is theirs.
fn may_wait(account: &AccountId, fact: &Fact, why: Unmatched, now: Timestamp) -> bool {
    why == Unmatched::NoOrder
        && now.since(fact.paid_at) <= LOOK_BACK
        && fact.claimants.iter().all(|claimant| claimant == account)
}
