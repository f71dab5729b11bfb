//! One transfer of a token, as the chain knows it.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::Fault;
use crate::door::Mood;

/// TRON makes a block every 3 s.
pub(super) const BLOCK_MS: u64 = 3_000;
/// Both contracts of the sandbox print the same symbol: only the contract's address tells them apart.
pub(super) const SYMBOL: &str = "USDT";
pub(super) const TOKEN_NAME: &str = "Tether USD";
pub(super) const DECIMALS: u8 = 6;

/// A row of the chain; a transaction may hold several.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transfer {
    /// Rows are told apart, and ordered within a block, by this number.
    pub(super) seq: u64,
    #[serde(with = "shared_text")]
    pub(super) tx: Arc<str>,
    /// Unix milliseconds of the block.
    pub(super) block_ms: u64,
    #[serde(with = "shared_text")]
    pub(super) from: Arc<str>,
    #[serde(with = "shared_text")]
    pub(super) to: Arc<str>,
    #[serde(with = "shared_text")]
    pub(super) contract: Arc<str>,
    /// Millionths of a token.
    pub(super) micros: u64,
    /// Unix milliseconds from which on it is final; `None` is never.
    pub(super) final_at_ms: Option<u64>,
    /// Unix milliseconds from which on the indexers know it.
    pub(super) indexed_at_ms: u64,
    /// `tronscan` or `trongrid`, which never knows it.
    pub(super) unlisted_by: Option<Arc<str>>,
    pub(super) is_reverted: bool,
    /// `SUCCESS`, `REVERT`, `OUT_OF_ENERGY`, …
    #[serde(with = "shared_text")]
    pub(super) contract_ret: Arc<str>,
    /// An allowance given, not money moved; indexers list it among the transfers.
    pub(super) is_approval: bool,
}

/// How sure the chain is of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Confirmed,
    Unconfirmed,
    Reverted,
}

impl Transfer {
    pub(super) fn in_transaction(self, tx: Arc<str>) -> Transfer {
        Transfer { tx, ..self }
    }

    /// The same transfer, with all its times earlier.
    pub(super) fn earlier_by(self, ms: u64) -> Transfer {
        Transfer {
            block_ms: self.block_ms.saturating_sub(ms),
            final_at_ms: self.final_at_ms.map(|at| at.saturating_sub(ms)),
            indexed_at_ms: self.indexed_at_ms.saturating_sub(ms),
            ..self
        }
    }

    /// Where it stands on the chain.
    pub(super) fn place(&self) -> (u64, u64) {
        (self.block_ms, self.seq)
    }

    pub(super) fn block(&self) -> u64 {
        self.block_ms / BLOCK_MS
    }

    pub(super) fn state(&self, now_ms: u64) -> State {
        match self.final_at_ms {
            _ if self.is_reverted => State::Reverted,
            Some(at) if at <= now_ms => State::Confirmed,
            _ => State::Unconfirmed,
        }
    }

    pub(super) fn is_final(&self, now_ms: u64) -> bool {
        self.state(now_ms) == State::Confirmed
    }

    /// Whether an indexer can know of it, which nobody does before its block was made.
    pub(super) fn is_indexed(&self, now_ms: u64) -> bool {
        self.indexed_at_ms <= now_ms
    }

    /// Whether the indexer of this name lists it at all.
    pub(super) fn is_listed_by(&self, indexer: &str) -> bool {
        self.unlisted_by.as_deref() != Some(indexer)
    }

    /// Whether the contract did it and nothing undid it: only then there is an event.
    pub(super) fn has_happened(&self) -> bool {
        !self.is_reverted && &*self.contract_ret == "SUCCESS"
    }

    pub(super) fn event(&self) -> &'static str {
        if self.is_approval { "Approval" } else { "Transfer" }
    }
}

/// The rows of a page; each twice when the indexer is told to.
pub(super) fn twice(rows: Vec<Transfer>, mood: &Mood) -> Vec<Transfer> {
    match mood.fault {
        Some(Fault::Duplicate) => rows.into_iter().flat_map(|row| [row.clone(), row]).collect(),
        _ => rows,
    }
}

impl State {
    pub(super) fn name(self) -> &'static str {
        match self {
            State::Confirmed => "confirmed",
            State::Unconfirmed => "unconfirmed",
            State::Reverted => "reverted",
        }
    }
}

/// A text that many rows share is written out in each.
mod shared_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::sync::Arc;

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Arc::from)
    }
}
