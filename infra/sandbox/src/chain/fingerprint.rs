//! TronGrid's cursor: where a page ended, and in which query.

use super::transfer::Transfer;
use crate::ids;

/// A place behind which the next page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    query: u64,
    block_ms: u64,
    seq: u64,
}

impl Fingerprint {
    /// The cursor of a page of the query `name` that ended with `last`.
    pub(super) fn after(last: &Transfer, name: &str) -> Fingerprint {
        let (block_ms, seq) = last.place();
        Fingerprint { query: ids::hash(name), block_ms, seq }
    }

    pub(super) fn read(text: &str) -> Option<Fingerprint> {
        let bytes = bs58::decode(text).into_vec().ok()?;
        let (numbers, rest) = bytes.as_chunks::<8>();
        match (numbers, rest) {
            ([query, block_ms, seq], []) => Some(Fingerprint {
                query: u64::from_be_bytes(*query),
                block_ms: u64::from_be_bytes(*block_ms),
                seq: u64::from_be_bytes(*seq),
            }),
            _ => None,
        }
    }

    pub(super) fn text(self) -> String {
        bs58::encode([self.query, self.block_ms, self.seq].map(u64::to_be_bytes).concat()).into_string()
    }

    /// Whether it came from the query `name`.
    pub(super) fn is_of(self, name: &str) -> bool {
        self.query == ids::hash(name)
    }

    pub(super) fn place(self) -> (u64, u64) {
        (self.block_ms, self.seq)
    }
}
