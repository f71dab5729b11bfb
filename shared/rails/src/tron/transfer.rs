use super::Address;
use super::verdict::Sighting;
use crate::UsdtMicros;
use primitives::Timestamp;
use std::fmt;
use std::str::FromStr;

/// USDT that arrived at our wallet, final on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub tx: TxId,
    /// Counts the transfers of the same amount within the same transaction, from 0.
    pub nth: u32,
    /// Who sent it. Display only: of equal transfers in one transaction, which came from whom is not kept apart.
    pub from: Address,
    pub amount: UsdtMicros,
    /// The time of its block.
    pub at: Timestamp,
}

/// A transaction's hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxId([u8; 32]);

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a transaction id has 64 hexadecimal digits")]
pub struct InvalidTxId;

/// What is looked for: transfers of one token to one wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    pub wallet: Address,
    /// [`super::USDT_CONTRACT`] on the main network; every test network has its own. It must have 6 decimals.
    pub contract: Address,
}

impl Transfer {
    /// `<tx>#<micros>#<nth>`: the same whichever indexer tells it, in whatever order and pages.
    ///
    /// The indexers agree on no number of the event within its transaction, so equal transfers are only counted: two
    /// of them are `…#0` and `…#1`, and which is which makes no difference to anybody.
    pub fn key(&self) -> String {
        format!("{}#{}#{}", self.tx, self.amount.get(), self.nth)
    }
}

/// Numbers the transfers of a whole window; a transaction has one time, so no window shows a part of it. Ascending.
pub(super) fn numbered(mut sightings: Vec<Sighting>) -> Vec<Transfer> {
    sightings.sort_unstable_by_key(|seen| (seen.tx, seen.amount, seen.from, seen.at));
    let mut transfers: Vec<Transfer> = Vec::with_capacity(sightings.len());
    for Sighting { at, tx, amount, from } in sightings {
        let equal = transfers.last().filter(|last| (last.tx, last.amount) == (tx, amount));
        let nth = equal.map_or(0, |last| last.nth.saturating_add(1));
        transfers.push(Transfer { tx, nth, from, amount, at });
    }
    transfers.sort_by_key(|transfer| transfer.at);
    transfers
}

impl FromStr for TxId {
    type Err = InvalidTxId;

    fn from_str(text: &str) -> Result<TxId, InvalidTxId> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidTxId)?;
        Ok(TxId(bytes))
    }
}

/// In lower case, whatever was read.
impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_id_is_64_digits_in_lower_case() {
        let id: TxId = "AbCdEf0123".repeat(7)[..64].parse().unwrap();
        assert_eq!(id.to_string(), "abcdef0123".repeat(7)[..64]);
        for text in ["", "ab", &"a".repeat(63), &"a".repeat(65), &"g".repeat(64), &format!("0x{id}")] {
            assert_eq!(text.parse::<TxId>(), Err(InvalidTxId), "{text}");
        }
    }

    #[test]
    fn equal_transfers_are_numbered_alike_in_any_order() {
        let from = |byte: &str| Address::from_hex(&format!("41{}", byte.repeat(20))).unwrap();
        let seen = |tx: &str, micros, sender| Sighting {
            at: Timestamp::from_millis(if tx == "a" { 9 } else { 3 }),
            tx: tx.repeat(64).parse().unwrap(),
            amount: UsdtMicros::new(micros).unwrap(),
            from: from(sender),
        };
        let mut seen = vec![seen("a", 5, "02"), seen("b", 5, "01"), seen("a", 5, "01"), seen("a", 7, "01")];
        let ascending = numbered(seen.clone());
        seen.reverse();
        assert_eq!(numbered(seen), ascending);
        let keys: Vec<String> = ascending.iter().map(Transfer::key).collect();
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(keys, [format!("{b}#5#0"), format!("{a}#5#0"), format!("{a}#5#1"), format!("{a}#7#0")]);
    }
}
