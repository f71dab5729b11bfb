use credits::PostingError;
use platform::{IsConflict, SealError, StoreError};
use primitives::{Credits, Overflow, Timestamp};
use rates::RatesError;
use std::time::Duration;

/// The state of a payment whose credit went back with its money.
pub(crate) const TAKEN_BACK: &str = "taken back with its money";

/// Why something about a payment was not done. Nothing is half done with any of them.
#[derive(Debug, thiserror::Error)]
pub enum PaymentsError {
    #[error(transparent)]
    TopUp(#[from] TopUpError),
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error(transparent)]
    Decision(#[from] DecisionError),
    #[error(transparent)]
    Comparison(#[from] ComparisonError),
    #[error("the account is closed")]
    AccountClosed,
    #[error("there is no such account")]
    NoAccount,
    /// What was ordered no longer fits a number.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    #[error("the processor could not be asked")]
    Processor(#[from] rails::ApiError),
    #[error("a sealed body can't be written or read")]
    Seal(#[from] SealError),
    /// The ledger lacks what the posting refers to, or what stands beside it was refused.
    #[error("the ledger refused")]
    Posting(#[source] PostingError),
    #[error("the payments' store failed")]
    Store(#[from] StoreError),
}

/// Why a top-up was not ordered, found or given up.
#[derive(Debug, thiserror::Error)]
pub enum TopUpError {
    #[error("this rail is not configured here")]
    RailNotOffered,
    #[error("the amount is not offered")]
    AmountNotOffered,
    #[error("the exchange rate is missing or too old")]
    NoRate(#[source] RatesError),
    #[error("the person has {open} open orders")]
    TooManyOpen { open: usize },
    /// As many orders were made within a day as a person may make.
    #[error("the person has made as many orders as a day allows")]
    TooManyMade { until: Timestamp, wait: Duration },
    /// All nearby exact amounts are taken by other orders.
    #[error("no unique amount is free")]
    NoFreeAmount,
    /// The idempotency key stands for another order.
    #[error("the idempotency key was used for something else")]
    KeyConflict,
    #[error("there is no such order")]
    NoTopUp,
    /// It was paid or has expired, so there is nothing to cancel.
    #[error("the order is not open any more")]
    NotOpen,
}

/// Why a person's claim of a transfer brought no credit, or none yet.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The chain's transfer was not seen yet.
    #[error("the transfer is not known yet")]
    TransferUnknown { retry_after: Duration },
    /// The chain's indexes were not read whole, so whether the transfer is there is not known.
    #[error("the chain's indexes could not be read whole")]
    ChainUnread { retry_after: Duration },
    /// The person named as many transfers today as one may.
    #[error("the person has claimed too many transfers today")]
    TooMany { retry_after: Duration },
    /// The claim is not plain enough to be decided by itself; an administrator looks at it.
    #[error("the claim is left to an administrator")]
    Unclear,
    #[error("nothing of this transaction waits for an owner")]
    NothingToClaim,
}

/// Why a payment was not assigned, dismissed, taken back or reinstated.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    #[error("there is no such payment")]
    NoFact,
    /// Somebody else decided about it in between, or it is in a state that does not allow this.
    #[error("the payment is {state}, so this can't be done")]
    WrongState { state: &'static str },
    #[error("there is no such reversal, or it was reinstated before")]
    NoReversal,
    /// The same was done before with other figures, or undone since.
    #[error("the same was done before, with other figures")]
    DoneOtherwise,
    /// More credit than the payment is worth, or in another currency than the order.
    #[error("the assignment does not fit the payment")]
    UnfitAssignment { worth: Option<Credits> },
    /// More would be taken back than is there.
    #[error("at most {left} can be taken back")]
    TooMuch { left: Credits },
}

/// Why a rail was not compared with its processor's list.
#[derive(Debug, thiserror::Error)]
pub enum ComparisonError {
    /// `SEPAY_BANK_API_TOKEN` is missing.
    #[error("the bank account's list can't be asked for without SEPAY_BANK_API_TOKEN")]
    NoList,
    #[error("processors' lists are not read from further back than 45 days")]
    TooLongAgo,
}

impl From<PostingError> for PaymentsError {
    fn from(error: PostingError) -> PaymentsError {
        match error {
            PostingError::Store(error) => PaymentsError::Store(error),
            PostingError::Overflow(error) => PaymentsError::Overflow(error),
            PostingError::Closed => PaymentsError::AccountClosed,
            // Others kept changing the account; the same attempt may go through later.
            PostingError::Changed => PaymentsError::Store(StoreError::Conflict),
            PostingError::NoAccount => PaymentsError::NoAccount,
            PostingError::NothingToRefund
            | PostingError::NothingToReverse
            | PostingError::NothingToReinstate
            | PostingError::BesideRefused(_) => PaymentsError::Posting(error),
        }
    }
}

impl PaymentsError {
    /// Whether the same attempt would fail for ever.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(
            self,
            PaymentsError::Store(StoreError::Corrupt { .. })
                | PaymentsError::Overflow(_)
                | PaymentsError::Posting(_)
        )
    }
}

impl IsConflict for PaymentsError {
    fn is_conflict(&self) -> bool {
        matches!(self, PaymentsError::Store(StoreError::Conflict))
    }
}

/// Processors' ids are read before a key is made of them, so this is our mistake.
pub(crate) fn own_key_is_malformed() -> StoreError {
    StoreError::corrupt(crate::PAYMENT_INBOX.name, "a key we made is malformed")
}
