//! The rule that decides what an arrival is worth, and to whom: pure, and the same for webhook, poll and list.

use crate::order::{PAYMENTS_MAX, TopUp};
use crate::{Amount, Rail, Unmatched, usdt_cents_down};
use platform::TopUpRules;
use primitives::{Credits, Overflow, Timestamp};
use std::time::Duration;

/// What shall become of an arrival that fits this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    Credit(Credits),
    Keep(Unmatched),
}

/// The chain's clock and ours differ a little. Not more: whoever sees a stray transfer could otherwise still make an
/// order for its amount.
pub(crate) const CLOCKS_APART: Duration = Duration::from_secs(5);
/// Some banks tell the day only, and a transfer's code can't be known before its order.
const BANK_DAY: Duration = Duration::from_secs(86_400);
/// A form that was signed long ago must not buy at that day's rate.
pub(crate) const CARD_GRACE: Duration = Duration::from_secs(7 * 86_400);

/// Judges an arrival against the one order it names (`docs/facts/sepay.md`, "What must become of money").
///
/// A credit is divisible, so what really arrived is credited: less, more, late, or a second time. Only a card
/// must be paid as ordered, and what is suspiciously small, large or late is looked at by a person.
pub fn rule(
    order: &TopUp,
    amount: Amount,
    paid_at: Timestamp,
    rules: &TopUpRules,
) -> Result<Ruling, Overflow> {
    if order.rail == Rail::SepayCard {
        return Ok(card(order, amount, paid_at));
    }
    let slack = if order.rail == Rail::VietQr { BANK_DAY } else { CLOCKS_APART };
    if paid_at < order.created_at.before(slack) {
        return Ok(Ruling::Keep(Unmatched::TooEarly));
    }
    if paid_at > order.grace_ends(rules.grace()) {
        return Ok(Ruling::Keep(Unmatched::TooLate));
    }
    if order.payments.len() >= PAYMENTS_MAX {
        return Ok(Ruling::Keep(Unmatched::OrderFull));
    }
    let Some(credits) = worth_next(order, amount)? else { return Ok(Ruling::Keep(Unmatched::Odd)) };
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

/// A captured card payment is honoured long after its order's expiry, but only in the ordered amount, and once.
fn card(order: &TopUp, amount: Amount, paid_at: Timestamp) -> Ruling {
    if !order.payments.is_empty() {
        return Ruling::Keep(Unmatched::OrderFull);
    }
    if paid_at > order.grace_ends(CARD_GRACE) {
        return Ruling::Keep(Unmatched::TooLate);
    }
    match amount == order.due {
        true => Ruling::Credit(order.credits),
        false => Ruling::Keep(Unmatched::OtherAmount),
    }
}

/// What an arrival adds to what arrived before, so that parts of a payment bring what the whole would have brought.
///
/// `None`: as for [`worth`].
pub(crate) fn worth_next(order: &TopUp, amount: Amount) -> Result<Option<Credits>, Overflow> {
    let Some(total) = order.received_amount().checked_add(amount) else {
        return worth(order, amount);
    };
    let before =
        if order.payments.is_empty() { Some(Credits::ZERO) } else { worth(order, order.received_amount())? };
    match worth(order, total)?.zip(before) {
        Some((after, before)) => after.checked_sub(before).map(Some),
        None => Ok(None),
    }
}

/// What an arrival alone would be worth.
///
/// `None`: the order lacks the rate that its currency needs, or is in another currency.
pub fn worth(order: &TopUp, amount: Amount) -> Result<Option<Credits>, Overflow> {
    if amount == order.due {
        return Ok(Some(order.credits));
    }
    Ok(match (amount, order.due, &order.rate) {
        (Amount::Vnd(dong), Amount::Vnd(due), Some(fixed)) => {
            let worth = fixed.rate.cents_down(dong)?;
            // Rounding must not make a larger payment worth less than the ordered one.
            Some(if dong > due { worth.max(order.credits) } else { worth.min(order.credits) })
        }
        (Amount::Usdt(micros), Amount::Usdt(_), None) => Some(usdt_cents_down(micros)?),
        _ => None,
    })
}
