use crate::fact::{Credited, Fact, FactState, Unmatched};
use crate::inbox::Assignment;
use crate::items::{AuditRow, ReferenceRow, reference_name};
use crate::ruling::{CLOCKS_APART, Ruling, within_limits};
use crate::{Amount, ChainDesk, PaymentsError, Rail, usdt_cents_down};
use primitives::{AccountId, Timestamp};
use rails::UsdtMicros;
use rails::tron::TxId;
use std::collections::BTreeSet;
use std::time::Duration;

/// A claim may start a poll of its own when the last one is older than this.
const POLL_EVERY: Duration = Duration::from_secs(60);
/// How far back a claim looks in the second index, and how old a transfer may be to be given by itself: later, an
/// amount may have had another owner in between.
const LOOK_BACK: Duration = Duration::from_secs(86_400);
/// Blocks are timed in whole seconds, orders are not.
const CLOCK_STEP: Duration = Duration::from_secs(1);
/// Exchanges keep a fee of up to this from what is sent.
const FEE_MAX_MICROS: u64 = 5_000_000;
/// Somebody who rounds up sends at most this more.
const EXTRA_MAX_MICROS: u64 = 1_000_000;

impl ChainDesk {
    /// Gives a transfer whose amount fitted no order to the person who names its transaction, if nobody else could
    /// mean it: the chain is public, so knowing the transaction proves nothing.
    ///
    /// It must lie within the time of one of the person's own orders and near its amount, and nobody else may have had
    /// an order for as much or more at that time. Everything else waits for an administrator, with the claim noted beside it.
    pub async fn claim(
        &self,
        account: &AccountId,
        tx: TxId,
        now: Timestamp,
    ) -> Result<Vec<Credited>, PaymentsError> {
        let facts = self.facts_of(tx, now).await?;
        let own = facts.iter().filter_map(|fact| match &fact.state {
            FactState::Credited(credited) if credited.account == *account => Some(credited.clone()),
            _ => None,
        });
        let mut credited: Vec<Credited> = own.collect();
        let mut is_unclear = false;
        for fact in facts.iter().filter(|fact| fact.is_open()) {
            match self.claim_one(account, fact, now).await? {
                Some(given) => credited.push(given),
                None => is_unclear = true,
            }
        }
        match credited.is_empty() {
            false => Ok(credited),
            true if is_unclear => Err(PaymentsError::ClaimUnclear),
            true => Err(PaymentsError::NothingToClaim),
        }
    }

    /// The transaction's transfers to us; if none is known yet, after a look at the chain.
    async fn facts_of(&self, tx: TxId, now: Timestamp) -> Result<Vec<Fact>, PaymentsError> {
        let source = reference_name(Rail::TronUsdt, &tx.to_string());
        let facts = self.payments().facts_of(&source).await?;
        if !facts.is_empty() {
            return Ok(facts);
        }
        let store = &self.payments().store;
        let limit = now.before(POLL_EVERY).after(Duration::from_millis(1));
        if store.mark_unless_after(Rail::TronUsdt, crate::POLL_BEGAN, now, limit).await? {
            self.poll(now).await?;
            // The other index may know what the first does not list yet.
            if self.payments().facts_of(&source).await?.is_empty()
                && let Err(error) = self.compare(now.before(LOOK_BACK), now, now).await
            {
                tracing::warn!(error = %error, "the second index could not be asked for a claim");
            }
            let facts = self.payments().facts_of(&source).await?;
            if !facts.is_empty() {
                return Ok(facts);
            }
        }
        Err(PaymentsError::TransferUnknown { retry_after: POLL_EVERY })
    }

    async fn claim_one(
        &self,
        account: &AccountId,
        fact: &Fact,
        now: Timestamp,
    ) -> Result<Option<Credited>, PaymentsError> {
        let (Amount::Usdt(amount), FactState::Unmatched { why, .. }) = (fact.amount, &fact.state) else {
            return Ok(None);
        };
        let credits = usdt_cents_down(amount)?;
        let order = self.only_owner(account, amount, fact.paid_at).await?;
        let is_plain = *why == Unmatched::NoOrder
            && now.since(fact.paid_at) <= LOOK_BACK
            && within_limits(credits, &self.payments().rules) == Ruling::Credit(credits);
        let Some((order, version)) = order.filter(|_| is_plain) else {
            // Perhaps the same claim, sent twice, was granted a moment ago: then the order has its payment.
            if let Some(FactState::Credited(credited)) =
                self.payments().fact(&fact.key).await?.map(|now| now.state)
            {
                return Ok((credited.account == *account).then_some(credited));
            }
            let note = AuditRow {
                who: account.to_string(),
                what: "claimed".to_owned(),
                note: String::new(),
                at: now,
            };
            self.payments().note_claim(fact, &note).await?;
            tracing::warn!(payment = %fact.key, %account, "a claim waits for an administrator");
            return Ok(None);
        };
        let wish = Assignment {
            account: account.clone(),
            order: Some(order.order),
            credits: Some(credits),
            rate: None,
            who: account.to_string(),
            what: "claimed",
            note: String::new(),
            seen: Some((fact.version, version)),
        };
        self.payments().assign(&fact.key, &wish, now).await.map(Some)
    }

    /// The claimant's unpaid order with the nearest amount, unless another person was to pay as much or more
    /// at that time.
    async fn only_owner(
        &self,
        account: &AccountId,
        amount: UsdtMicros,
        paid_at: Timestamp,
    ) -> Result<Option<(ReferenceRow, u64)>, PaymentsError> {
        let (store, rules) = (&self.payments().store, &self.payments().rules);
        let wallet = format!("{}.{}.", Rail::TronUsdt, self.wallet());
        let last = paid_at.after(rules.order_lifetime()).after(rules.grace()).after(CLOCKS_APART);
        let held = store.amounts_held(paid_at, last).await?;
        // Whoever sent too little, by a fee or by mistake, may be anybody who was to pay at least that much.
        let mut rows = store.references(&held).await?;
        let may_mean_it = |due: UsdtMicros| due.get().saturating_add(EXTRA_MAX_MICROS) >= amount.get();
        rows.retain(|row| row.covers(paid_at) && row.micros().is_none_or(may_mean_it));
        let owners: BTreeSet<&AccountId> = rows.iter().map(|row| &row.account).collect();
        if owners.len() != 1 || !owners.contains(account) {
            return Ok(None);
        }
        rows.retain(|row| {
            row.name.starts_with(&wallet) && row.micros().is_some_and(|due| is_near(due, amount))
        });
        // Whoever made the order after seeing the transfer, gave it up, or was paid, has no claim by itself.
        rows.retain(|row| row.held.is_some_and(|(from, _)| from.before(CLOCK_STEP) <= paid_at));
        let distance =
            |row: &ReferenceRow| row.micros().map_or(u64::MAX, |due| due.get().abs_diff(amount.get()));
        rows.sort_by_key(distance);
        for row in rows {
            let order = store.top_up(account, row.order).await?;
            let unpaid = order.filter(|order| order.cancelled_at.is_none() && order.payments.is_empty());
            if let Some(order) = unpaid {
                return Ok(Some((row, order.version)));
            }
        }
        Ok(None)
    }
}

/// Whether somebody who was to send `due` may have sent this: a fee less, or rounded up.
fn is_near(due: UsdtMicros, sent: UsdtMicros) -> bool {
    let (due, sent) = (due.get(), sent.get());
    sent <= due.saturating_add(EXTRA_MAX_MICROS)
        && sent >= due.saturating_sub(FEE_MAX_MICROS)
        && sent >= due.div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_less_or_a_little_more_is_near_and_half_is_not() {
        let micros = |units| UsdtMicros::new(units).unwrap();
        let due = micros(20_123_000);
        for (sent, expected) in [
            (20_123_000, true),
            (19_123_000, true),
            (15_123_000, true),
            (15_122_999, false),
            (21_123_000, true),
            (21_123_001, false),
        ] {
            assert_eq!(is_near(due, micros(sent)), expected, "{sent}");
        }
        assert!(
            is_near(micros(5_123_000), micros(2_561_500)) && !is_near(micros(5_123_000), micros(2_561_499))
        );
    }
}
