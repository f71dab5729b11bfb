//! What is still to be paid of an order, and whether it may be.

use crate::{Amount, Rail, Ruling, Status, TopUp, rule};
use platform::TopUpRules;
use primitives::Timestamp;

impl TopUp {
    /// What of the amount due has not arrived.
    pub fn remaining_amount(&self) -> Amount {
        let units = self.due.units().saturating_sub(self.received_amount().units());
        Amount::of(self.due.currency(), units).unwrap_or(self.due)
    }

    /// The order as its owner may pay it now: whole while it is open, and after a bank transfer of a part with the rest as
    /// what is due, as long as the rest would be credited by itself. The parts of a card payment or of an exact amount are
    /// not recognised, so of them there is no rest.
    pub fn to_pay(&self, now: Timestamp, rules: &TopUpRules) -> Option<TopUp> {
        if self.is_open(now) {
            return Some(self.clone());
        }
        if self.rail != Rail::VietQr || self.status(now) != Status::PartlyPaid {
            return None;
        }
        let rest = TopUp { due: self.remaining_amount(), ..self.clone() };
        let is_credited = matches!(rule(self, rest.due, now, rules), Ok(Ruling::Credit(_)));
        is_credited.then_some(rest)
    }
}
