use platform::{IsConflict, StoreError};
use primitives::{Credits, Overflow};

#[derive(Debug, thiserror::Error)]
pub enum CreditsError {
    #[error("the charge of {amount} exceeds the reservation of {reserved}")]
    ExceedsReservation { amount: Credits, reserved: Credits },
    #[error("there is no such account")]
    NoAccount,
    /// The run of a refund was not charged that much on that account.
    #[error("the account was not charged that amount for that run")]
    NothingToRefund,
    /// The grant of a reversal is not in the account's ledger, or is smaller.
    #[error("the account was not granted that amount by that entry")]
    NothingToReverse,
    /// The reversal of a reinstatement is not in the account's ledger as it was told.
    #[error("the account has no such reversal")]
    NothingToReinstate,
    /// The account's person was deleted; it is given no credit any more.
    #[error("the account is closed")]
    Closed,
    /// What should have been written beside the posting, by its index, was refused; nothing was written.
    #[error("item {0} beside the posting was refused")]
    BesideRefused(usize),
    /// Another posting changed the account's debt in between; asking again decides anew.
    #[error("the account changed while the posting was prepared")]
    Changed,
    #[error(transparent)]
    Overflow(#[from] Overflow),
    #[error("the ledger's store failed")]
    Store(#[from] StoreError),
}

impl IsConflict for CreditsError {
    fn is_conflict(&self) -> bool {
        matches!(self, CreditsError::Changed | CreditsError::Store(StoreError::Conflict))
    }
}
