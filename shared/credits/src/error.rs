use platform::{IsConflict, StoreError};
use primitives::{Credits, Overflow};

/// Why a hold was not applied, or an account's balance not told.
#[derive(Debug, thiserror::Error)]
pub enum CreditsError {
    #[error("there is no such account")]
    /// It was never opened.
    NoAccount,
    #[error(transparent)]
    /// A sum left the ledger's range.
    Overflow(#[from] Overflow),
    #[error("the ledger's store failed")]
    /// The store did not do what it was asked.
    Store(#[from] StoreError),
}

/// Why a posting was not booked. Nothing of it was written.
#[derive(Debug, thiserror::Error)]
pub enum PostingError {
    #[error("there is no such account")]
    /// It was never opened.
    NoAccount,
    /// The account's person was deleted; it is given no credit any more.
    #[error("the account is closed")]
    Closed,
    /// The run of a refund was not charged that much on that account.
    #[error("the account was not charged that amount for that run")]
    NothingToRefund,
    /// The grant of a reversal is not in the account's ledger, or is smaller.
    #[error("the account was not granted that amount by that entry")]
    NothingToReverse,
    /// The reversal of a reinstatement is not in the account's ledger as it was told.
    #[error("the account has no such reversal")]
    NothingToReinstate,
    /// What should have been written beside the posting, by its index, was refused.
    #[error("item {0} beside the posting was refused")]
    BesideRefused(usize),
    /// Another posting changed the account's debt in between; asking again decides anew.
    #[error("the account changed while the posting was prepared")]
    Changed,
    #[error(transparent)]
    /// A sum would leave the ledger's range.
    Overflow(#[from] Overflow),
    #[error("the ledger's store failed")]
    /// The store did not do what it was asked.
    Store(#[from] StoreError),
}

/// Why an account was not suspended, or its suspension not lifted.
#[derive(Debug, thiserror::Error)]
pub enum SuspensionError {
    #[error("there is no such account")]
    /// It was never opened.
    NoAccount,
    /// The account's person was deleted; it stays closed.
    #[error("the account is closed")]
    Closed,
    #[error("the ledger's store failed")]
    /// The store did not do what it was asked.
    Store(#[from] StoreError),
}

/// More would be charged than was reserved.
#[derive(Debug, thiserror::Error)]
#[error("the charge of {amount} exceeds the reservation of {reserved}")]
pub struct ExceedsReservation {
    /// What would be charged, in ledger units.
    pub amount: Credits,
    /// What was reserved, in ledger units.
    pub reserved: Credits,
}

impl IsConflict for PostingError {
    fn is_conflict(&self) -> bool {
        matches!(self, PostingError::Changed | PostingError::Store(StoreError::Conflict))
    }
}
