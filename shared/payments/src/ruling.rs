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

/// The chain's clock and ours differ a little, and so do a bank's.
pub(crate) const CLOCKS_APART: Duration = Duration::from_secs(60);

/// Judges an arrival against the one order it names (payments §7).
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
        return Ok(card(order, amount));
    }
    if paid_at < order.created_at.before(CLOCKS_APART) {
        return Ok(Ruling::Keep(Unmatched::TooEarly));
    }
    if paid_at > order.grace_ends(rules.grace()) {
        return Ok(Ruling::Keep(Unmatched::TooLate));
    }
    if order.payments.len() >= PAYMENTS_MAX {
        return Ok(Ruling::Keep(Unmatched::OrderFull));
    }
    let Some(credits) = worth(order, amount)? else { return Ok(Ruling::Keep(Unmatched::Odd)) };
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

/// A captured card payment is honoured whenever it comes, but only in the ordered amount, and once.
fn card(order: &TopUp, amount: Amount) -> Ruling {
    if !order.payments.is_empty() {
        return Ruling::Keep(Unmatched::OrderFull);
    }
    match amount == order.due {
        true => Ruling::Credit(order.credits),
        false => Ruling::Keep(Unmatched::OtherAmount),
    }
}

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
