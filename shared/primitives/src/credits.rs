use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount of credit: a whole number of the profile's ledger unit (US cents for citipen), never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Credits(u64);

/// What one ledger entry does to a balance: credit in is positive, credit out negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CreditsDelta(i64);

/// A sum left the range of the ledger; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount is outside the range of the ledger")]
pub struct Overflow;

impl Credits {
    /// No credit.
    pub const ZERO: Credits = Credits(0);
    /// The largest amount the ledger keeps: 2^53 - 1, so that every JSON reader sees it exactly.
    pub const MAX: Credits = Credits((1 << 53) - 1);

    /// Takes a whole number of ledger units up to [`Credits::MAX`].
    pub const fn new(units: u64) -> Result<Credits, Overflow> {
        if units > Self::MAX.0 {
            return Err(Overflow);
        }
        Ok(Credits(units))
    }

    /// In whole ledger units.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether it is no credit.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum; an error above [`Credits::MAX`].
    pub fn checked_add(self, other: Credits) -> Result<Credits, Overflow> {
        Credits::new(self.0.checked_add(other.0).ok_or(Overflow)?)
    }

    /// The difference; an error when `other` is more.
    pub fn checked_sub(self, other: Credits) -> Result<Credits, Overflow> {
        self.0.checked_sub(other.0).map(Credits).ok_or(Overflow)
    }

    /// The amount entering an account.
    pub fn gained(self) -> CreditsDelta {
        CreditsDelta(self.0.cast_signed())
    }

    /// The amount leaving an account.
    pub fn spent(self) -> CreditsDelta {
        CreditsDelta(-self.0.cast_signed())
    }
}

impl CreditsDelta {
    /// No change.
    pub const ZERO: CreditsDelta = CreditsDelta(0);

    /// Takes whole ledger units; an error when their size is above [`Credits::MAX`].
    pub const fn new(units: i64) -> Result<CreditsDelta, Overflow> {
        if units.unsigned_abs() > Credits::MAX.0 {
            return Err(Overflow);
        }
        Ok(CreditsDelta(units))
    }

    /// In whole ledger units; negative: credit went out.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum; an error when its size is above [`Credits::MAX`].
    pub fn checked_add(self, other: CreditsDelta) -> Result<CreditsDelta, Overflow> {
        CreditsDelta::new(self.0.checked_add(other.0).ok_or(Overflow)?)
    }

    /// The size of the change without its direction.
    pub const fn magnitude(self) -> Credits {
        Credits(self.0.unsigned_abs())
    }
}

impl fmt::Display for Credits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for CreditsDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
