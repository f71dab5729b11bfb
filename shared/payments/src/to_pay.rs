//! What is still to be paid of an order, and whether it may be.

use crate::TopUpRules;
use crate::rail::Recognition;
use crate::{Ruling, Status, TopUp, judge_payment};
use primitives::{Money, Timestamp, Unit};

impl TopUp {
    /// What of the price has not arrived.
    pub fn remaining_amount(&self) -> Money {
        let rest = self.price.checked_sub(self.received_amount());
        rest.unwrap_or(Money::zero(self.price.currency()))
    }

    /// The order as its owner may pay it now: whole while it is open, and after a transfer of a part with the rest as its
    /// price, as long as the rest would be credited by itself. Parts are recognised by a code alone: of a card payment or
    /// of an exact amount there is no rest.
    pub fn to_pay(&self, now: Timestamp, rules: &TopUpRules, unit: Unit) -> Option<TopUp> {
        if self.is_open(now) {
            return Some(self.clone());
        }
        if !self.rail.is_recognised_by(Recognition::Code) || self.status(now) != Status::PartlyPaid {
            return None;
        }
        let rest = TopUp { price: self.remaining_amount(), ..self.clone() };
        let is_credited = matches!(judge_payment(self, rest.price, now, rules, unit), Ok(Ruling::Credit(_)));
        is_credited.then_some(rest)
    }
}
