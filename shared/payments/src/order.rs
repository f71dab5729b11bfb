use crate::words::words;
use crate::{FactKey, Rail};
use primitives::{AccountId, Credits, EntryId, Money, Overflow, Rate, Secret, Timestamp, TopUpId, Unit};
use std::time::Duration;

/// A person's intention to pay, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUp {
    pub id: TopUpId,
    pub account: AccountId,
    pub rail: Rail,
    /// The credit that the exact payment brings.
    pub credits: Credits,
    /// The credit that was asked for, where an exact amount adds to it; orders made before this was noted have none.
    pub ordered: Option<Credits>,
    /// What shall be paid for it, exactly.
    pub price: Money,
    /// Fixed when the order was made; absent where a dollar's worth is paid as such ([`Rate::at_par`]).
    pub rate: Option<FixedRate>,
    /// How the payment finds this order: the transfer's code, SePay's invoice number, or the exact amount.
    pub reference: String,
    /// Opens the order's public pages (QR, checkout) to whoever has the link.
    pub page_key: Secret,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub cancelled_at: Option<Timestamp>,
    /// When an unpaid order is looked for next; `None`: nothing is to be looked for.
    pub look_at: Option<Timestamp>,
    pub payments: Vec<Payment>,
    /// Counts the changes; every write is conditional on it.
    pub version: u64,
}

/// The rate an order was made at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedRate {
    pub rate: Rate,
    /// Who published it, and which side of it we took, e.g. `vietcombank sell`.
    pub source: String,
    /// When they published it.
    pub at: Timestamp,
}

/// One arrival that was credited to this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    pub key: FactKey,
    pub amount: Money,
    pub credits: Credits,
    pub reversed: Credits,
    pub paid_at: Timestamp,
    pub entry: EntryId,
    /// How a card looks to its owner, e.g. `VISA 1111`.
    pub shown_as: Option<String>,
}

/// So far back a person may say that an exact amount was theirs, and is given it without an administrator's look. Until
/// then the amount is given to no other order.
pub(crate) const LOOK_BACK: Duration = Duration::from_secs(86_400);
/// More payments to one order than that go to the inbox.
pub const PAYMENTS_MAX: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Created,
    Paid,
    PaidLate,
    PartlyPaid,
    Overpaid,
    Expired,
    Cancelled,
    Reversed,
}

impl TopUp {
    /// Follows from what happened; nothing needs to be written for an order to expire.
    pub fn status(&self, now: Timestamp) -> Status {
        let Ok(standing) = self.standing() else { return Status::Paid };
        if self.payments.is_empty() {
            return match self.cancelled_at {
                Some(_) => Status::Cancelled,
                None if now < self.expires_at => Status::Created,
                None => Status::Expired,
            };
        }
        let received = self.received();
        if standing.is_zero() {
            Status::Reversed
        } else if received < self.price.minor() {
            Status::PartlyPaid
        } else if received > self.price.minor() {
            Status::Overpaid
        } else if self.payments.iter().any(|payment| payment.paid_at >= self.expires_at) {
            Status::PaidLate
        } else {
            Status::Paid
        }
    }

    /// Whether its owner is still expected to pay.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.status(now) == Status::Created
    }

    /// All that arrived, in the minor unit of the price, whether taken back since or not.
    fn received(&self) -> u64 {
        let payments = self.payments.iter().enumerate();
        // A payment that was taken back and assigned anew stands here twice, and arrived once.
        let last =
            payments.filter(|(nth, payment)| !self.payments[nth + 1..].iter().any(|p| p.key == payment.key));
        last.map(|(_, payment)| payment.amount.minor()).fold(0, u64::saturating_add)
    }

    /// The same as an amount of the order's currency.
    pub fn received_amount(&self) -> Money {
        Money::new(self.received(), self.price.currency()).unwrap_or(self.price)
    }

    /// At which its money becomes credit; `None`: the order lacks the rate that its currency needs.
    pub fn exchange_rate(&self) -> Option<Rate> {
        self.rate.as_ref().map(|fixed| fixed.rate).or_else(|| Rate::at_par(self.price.currency()))
    }

    /// What was ordered, in the currency that is paid, where an exact amount adds to it.
    pub fn ordered_amount(&self, unit: Unit) -> Option<Money> {
        unit.price_half_up(self.ordered?, self.price.currency(), self.exchange_rate()?).ok()
    }

    /// What the price is beyond that: the digits by which the payment is recognised.
    pub fn added_amount(&self, unit: Unit) -> Option<Money> {
        self.price.checked_sub(self.ordered_amount(unit)?)
    }

    /// Credit that came of it.
    pub fn credited(&self) -> Result<Credits, Overflow> {
        self.payments.iter().try_fold(Credits::ZERO, |sum, payment| sum.checked_add(payment.credits))
    }

    /// Credit that came of it and was not taken back.
    pub fn standing(&self) -> Result<Credits, Overflow> {
        self.payments.iter().try_fold(Credits::ZERO, |sum, payment| {
            sum.checked_add(payment.credits.checked_sub(payment.reversed)?)
        })
    }

    /// The last moment a payment still counts for this order.
    pub fn grace_ends(&self, grace: Duration) -> Timestamp {
        self.expires_at.after(grace)
    }
}

words!(Status {
    Created => "created",
    Paid => "paid",
    PaidLate => "paid_late",
    PartlyPaid => "partly_paid",
    Overpaid => "overpaid",
    Expired => "expired",
    Cancelled => "cancelled",
    Reversed => "reversed",
});
