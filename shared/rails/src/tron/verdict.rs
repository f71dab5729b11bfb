use super::{Address, TxId};
use crate::UsdtMicros;
use primitives::Timestamp;

/// What one row of an indexer's list is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted(Sighting),
    /// All is right, but the chain may still drop it.
    NotYet(Sighting),
    Rejected(Reason),
}

/// A transfer before it is numbered among its equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sighting {
    pub(crate) at: Timestamp,
    pub(crate) tx: TxId,
    pub(crate) amount: UsdtMicros,
    pub(crate) from: Address,
    /// The number of the event within its transaction, where an indexer tells one.
    pub(crate) index: Option<u64>,
}

/// Why a row is no money. Most of them are other people's tricks: tokens named like USDT, transfers of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Reason {
    /// A missing field is never given a default.
    #[error("the field `{0}` is missing or malformed")]
    Malformed(&'static str),
    #[error("not of the time that was asked for")]
    OtherTime,
    #[error("between other people's wallets")]
    OtherWallet,
    #[error("sent by our wallet")]
    Outgoing,
    /// By contract; names and symbols are free to choose.
    #[error("another token")]
    OtherToken,
    #[error("not counted in millionths")]
    Decimals,
    /// An approval, for example.
    #[error("not a transfer")]
    OtherEvent,
    #[error("a transfer of nothing")]
    Nothing,
    #[error("the chain took it back")]
    Reverted,
    #[error("the transaction failed")]
    Failed,
}
