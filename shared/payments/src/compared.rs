//! What a processor's own list held.

use crate::FactKey;
use primitives::{Money, Timestamp};
use std::time::Duration;

/// What is younger may still be on its way.
pub(crate) const YOUNG: Duration = Duration::from_secs(300);

/// One payment of a processor's list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) key: FactKey,
    pub(crate) amount: Money,
    pub(crate) at: Option<Timestamp>,
}

/// What a comparison read.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Every incoming payment of the list.
    pub(crate) listed: Vec<Listed>,
    /// Those of a second list of the same payments.
    pub(crate) also_listed: Vec<Listed>,
    /// Payments nobody had told us of.
    pub(crate) repaired: u32,
    /// Rows that can't be read: perhaps money, and nobody has looked at it.
    pub(crate) unreadable: u32,
    /// Payments of the list that could not be booked, or that no second list could confirm.
    pub(crate) unbooked: u32,
    /// The list goes on beyond what was read.
    pub(crate) is_cut_short: bool,
    /// Why part of it could not be read at all.
    pub(crate) failure: Option<String>,
}

impl Compared {
    /// What was read until here stands.
    pub(crate) fn fail(&mut self, failure: String) {
        self.is_cut_short = true;
        self.failure = Some(match self.failure.take() {
            Some(before) => format!("{before}; {failure}"),
            None => failure,
        });
    }

    /// Whether everything the lists hold is in our books.
    pub(crate) fn knows_all(&self) -> bool {
        self.is_whole() && self.unreadable == 0 && self.unbooked == 0
    }

    /// Whether all lists were read to their ends.
    pub(crate) fn is_whole(&self) -> bool {
        !self.is_cut_short && self.failure.is_none()
    }
}
