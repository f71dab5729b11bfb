//! Decides whether an arrival becomes credit, and how much: pure, and the same for webhook, poll and list.

use crate::TopUpRules;
use crate::Unmatched;
use crate::order::{PAYMENTS_MAX, TopUp};
use crate::rail::Acceptance;
use primitives::{Credits, Money, Overflow, Timestamp, Unit};
use std::time::Duration;

/// What shall become of an arrival that fits this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    Credit(Credits),
    Keep(Unmatched),
}

/// A processor's clock and ours differ a little.
pub(crate) const CLOCKS_APART: Duration = Duration::from_secs(5);

/// Judges an arrival against the one order it names (`docs/facts/sepay.md`, "What must become of money").
///
/// A credit is divisible, so what really arrived is credited: less, more, late, or a second time. Only where the rail
/// says so must an order be paid as ordered, and what is suspiciously small, large or late is looked at by a person.
pub fn judge_payment(
    order: &TopUp,
    amount: Money,
    paid_at: Timestamp,
    rules: &TopUpRules,
    unit: Unit,
) -> Result<Ruling, Overflow> {
    let slack = match order.rail.policy().acceptance {
        Acceptance::AsOrdered { grace } => return Ok(as_ordered(order, amount, paid_at, grace)),
        Acceptance::AsArrived { slack } => slack,
    };
    if paid_at < order.created_at.before(slack) {
        return Ok(Ruling::Keep(Unmatched::TooEarly));
    }
    if paid_at > order.grace_ends(rules.grace()) {
        return Ok(Ruling::Keep(Unmatched::TooLate));
    }
    if order.payments.len() >= PAYMENTS_MAX {
        return Ok(Ruling::Keep(Unmatched::OrderFull));
    }
    let Some(credits) = credits_for_next(order, amount, unit)? else {
        return Ok(Ruling::Keep(Unmatched::Odd));
    };
    Ok(within_limits(credits, rules))
}

/// What an arrival is worth that a person has looked at.
pub(crate) fn within_limits(credits: Credits, rules: &TopUpRules) -> Ruling {
    if credits < rules.arrival_min {
        Ruling::Keep(Unmatched::TooLittle)
    } else if credits > rules.arrival_max {
        Ruling::Keep(Unmatched::TooMuch)
    } else {
        Ruling::Credit(credits)
    }
}

/// A payment whose amount can't be another one is honoured long after its order's expiry, but only in that amount, and
/// once.
fn as_ordered(order: &TopUp, amount: Money, paid_at: Timestamp, grace: Duration) -> Ruling {
    if !order.payments.is_empty() {
        return Ruling::Keep(Unmatched::OrderFull);
    }
    if paid_at > order.grace_ends(grace) {
        return Ruling::Keep(Unmatched::TooLate);
    }
    match amount == order.price {
        true => Ruling::Credit(order.credits),
        false => Ruling::Keep(Unmatched::OtherAmount),
    }
}

/// The credits for an arrival behind what arrived before, so that parts of a payment bring what the whole would have brought.
///
/// `None`: as for [`credits_for`].
pub(crate) fn credits_for_next(
    order: &TopUp,
    amount: Money,
    unit: Unit,
) -> Result<Option<Credits>, Overflow> {
    let Some(total) = order.received_amount().checked_add(amount) else {
        return credits_for(order, amount, unit);
    };
    let before = if order.payments.is_empty() {
        Some(Credits::ZERO)
    } else {
        credits_for(order, order.received_amount(), unit)?
    };
    match credits_for(order, total, unit)?.zip(before) {
        Some((after, before)) => after.checked_sub(before).map(Some),
        None => Ok(None),
    }
}

/// The credits for an arrival alone.
///
/// `None`: the order lacks the rate that its currency needs, or is in another currency.
pub fn credits_for(order: &TopUp, amount: Money, unit: Unit) -> Result<Option<Credits>, Overflow> {
    if amount == order.price {
        return Ok(Some(order.credits));
    }
    let rate = order.exchange_rate().filter(|_| amount.currency() == order.price.currency());
    let Some(rate) = rate else { return Ok(None) };
    let worth = unit.credits_down(amount, rate)?;
    // Rounding must not make a larger payment worth less than the ordered one.
    let is_more = amount.minor() > order.price.minor();
    Ok(Some(if is_more { worth.max(order.credits) } else { worth.min(order.credits) }))
}
