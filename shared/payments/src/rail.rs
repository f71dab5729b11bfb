use crate::TopUpRules;
use primitives::Currency;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Names every rail once, so that none is missing in [`Rail::ALL`].
macro_rules! rails {
    ($($(#[cfg($only:ident)])? $rail:ident: $about:literal,)*) => {
        /// The way a top-up is paid. What tells one from another stands behind `RailKind`, in one table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rail {
            $($(#[cfg($only)])? #[doc = $about] $rail,)*
        }

        impl Rail {
            pub const ALL: &[Rail] = &[$($(#[cfg($only)])? Rail::$rail,)*];
        }
    };
}
rails! {
    SepayCard: "International card on SePay's checkout page.",
    VietQr: "Bank transfer in Vietnam; SePay tells us what came in.",
    TronUsdt: "USDT on TRON, to our own wallet.",
    #[cfg(test)]
    Toy: "All that a new rail needs; in tests only.",
}

/// The text names no rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment rail is {}", names())]
pub struct UnknownRail;

/// All names, in a sentence.
fn names() -> String {
    let names: Vec<&str> = Rail::ALL.iter().map(|rail| rail.as_str()).collect();
    let [others @ .., last] = names.as_slice() else { return String::new() };
    format!("{} or {last}", others.join(", "))
}

/// What the rules about orders and arrivals have to know of a rail.
#[derive(Debug)]
pub(crate) struct Policy {
    /// What is paid.
    pub(crate) currency: Currency,
    pub(crate) recognition: Recognition,
    pub(crate) acceptance: Acceptance,
    pub(crate) told_by: ToldBy,
    /// How far back the processor's list is compared, however lately that was done.
    pub(crate) window: Duration,
    /// Whether a payment that was taken back before it became credit may stay in the processor's list as paid.
    pub(crate) lists_voided: bool,
}

/// How a payment finds its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recognition {
    /// By a number that the processor carries for us, and never mistypes. Whether an order was paid can be asked for.
    Number,
    /// By a code that the payer types, with mistakes: where it can't be read, the amount is a hint.
    Code,
    /// By its exact amount, which belongs to one order at a time, until some time after the order's grace.
    Amount,
}

/// What becomes credit of what arrives for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acceptance {
    /// Only the price itself, and once; so long after the order's expiry, whatever the profile's grace is.
    AsOrdered { grace: Duration },
    /// Whatever arrives within the profile's grace: less, more, again. Its time may lie so much before the order's.
    AsArrived { slack: Duration },
}

/// How we usually hear of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToldBy {
    /// The processor sends a message for each: silent, when one is listed that no message told of.
    Messages,
    /// We ask: silent, when no poll has come to its end for too long.
    Polls,
}

impl Rail {
    /// The stable word for table and API.
    pub fn as_str(self) -> &'static str {
        self.kind().name()
    }

    /// What is paid by it.
    pub fn currency(self) -> Currency {
        self.policy().currency
    }

    pub(crate) fn policy(self) -> &'static Policy {
        self.kind().policy()
    }

    pub(crate) fn is_recognised_by(self, recognition: Recognition) -> bool {
        self.policy().recognition == recognition
    }

    /// Whether the profile names it. One that it does not name reads no setting, takes no message, and is neither polled nor
    /// compared.
    pub(crate) fn is_offered_by(self, rules: &TopUpRules) -> bool {
        rules.methods.contains(&self)
    }
}

impl FromStr for Rail {
    type Err = UnknownRail;

    fn from_str(text: &str) -> Result<Rail, UnknownRail> {
        Rail::ALL.iter().copied().find(|rail| rail.as_str() == text).ok_or(UnknownRail)
    }
}

impl fmt::Display for Rail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
