#![warn(missing_docs)]
#![doc = include_str!("../README.md")]

mod account;
mod ceilings;
mod credits;
mod entry;
mod error;
mod hold;
mod items;
mod lots;
mod posting;
mod posts;
mod rules;
mod standing;
mod statement;
#[cfg(test)]
mod tests;

pub use account::{Account, Balance, Block, Refusal, Reservation};
pub use credits::{Decided, Due, Ledger, Posted, Reserved};
pub use entry::{Decision, Entry, Kind, OnceKey, Origin, Outcome, RunOutcome, Verdict};
pub use error::{CreditsError, ExceedsReservation, PostingError, SuspensionError};
pub use hold::{Hold, Nonce};
pub use items::{ACCOUNTS, CREDIT_TRANSACTIONS, SWEEP_INDEX, SWEEP_SHARDS, TABLES};
pub use lots::{Lot, Lots, read_lots};
pub use posting::{Effect, Posting};
pub use rules::{LedgerRules, Limits, SECTIONS};
pub use standing::{Freshness, Standings};
