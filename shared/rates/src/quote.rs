use primitives::{Currency, Rate, Timestamp};
use std::fmt;
use std::str::FromStr;

/// What one US dollar costs in `currency`, and where that comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    pub currency: Currency,
    pub rate: Rate,
    pub source: Source,
    pub side: Side,
    /// What the feed says about its own age; noon UTC where it names a day only.
    pub feed_at: Timestamp,
    pub fetched_at: Timestamp,
}

/// Who publishes the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Vietcombank,
    Frankfurter,
}

/// Which of a bank's prices it is. Frankfurter knows none: its rates are `mid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The bank sells dollars for it: what a customer pays.
    Sell,
    /// The bank buys dollars from an account.
    Transfer,
    /// The bank buys dollars in cash.
    Buy,
    Mid,
}

/// The text names no source, or no side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an unknown name")]
pub struct UnknownName;

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Vietcombank => "vietcombank",
            Source::Frankfurter => "frankfurter",
        }
    }
}

impl Side {
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Sell => "sell",
            Side::Transfer => "transfer",
            Side::Buy => "buy",
            Side::Mid => "mid",
        }
    }
}

impl FromStr for Source {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Source, UnknownName> {
        let known = [Source::Vietcombank, Source::Frankfurter];
        known.into_iter().find(|source| source.as_str() == text).ok_or(UnknownName)
    }
}

impl FromStr for Side {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Side, UnknownName> {
        let known = [Side::Sell, Side::Transfer, Side::Buy, Side::Mid];
        known.into_iter().find(|side| side.as_str() == text).ok_or(UnknownName)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
