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

/// Transfers with their numbers, ascending in time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Numbered {
    /// Each is surely a transfer of its own.
    pub(super) transfers: Vec<Transfer>,
    /// Rows in which nothing differs from a row before them.
    pub(super) alike: Vec<Transfer>,
}

/// Numbers the transfers of a whole window; a transaction has one time, so no window shows a part of it.
///
/// A row with the event index of another is the same row listed twice. Without an index only the sender tells equal
/// amounts of one transaction apart; those that are equal in every way have the last numbers, so that the numbers
/// depend on how many there are and not on what an indexer tells of them.
pub(super) fn numbered(mut sightings: Vec<Sighting>) -> Numbered {
    sightings.sort_unstable_by_key(|seen| (seen.tx, seen.amount, seen.from, seen.index, seen.at));
    sightings
        .dedup_by(|next, seen| next.index.is_some() && next.index == seen.index && next.is_same_event(seen));
    let mut numbered = Numbered::default();
    for equals in sightings.chunk_by(|one, next| (one.tx, one.amount) == (next.tx, next.amount)) {
        let is_alike = |nth: usize| nth > 0 && equals[nth].is_same_event(&equals[nth - 1]);
        let (alike, sure): (Vec<usize>, Vec<usize>) = (0..equals.len()).partition(|nth| is_alike(*nth));
        let mut nths = 0..;
        let mut number = |place: &usize| {
            let Sighting { at, tx, amount, from, .. } = equals[*place];
            Transfer { tx, nth: nths.next().unwrap_or(u32::MAX), from, amount, at }
        };
        numbered.transfers.extend(sure.iter().map(&mut number));
        numbered.alike.extend(alike.iter().map(&mut number));
    }
    numbered.transfers.sort_by_key(|transfer| transfer.at);
    numbered.alike.sort_by_key(|transfer| transfer.at);
    numbered
}

impl Sighting {
    /// Whether nothing tells the two apart.
    fn is_same_event(&self, other: &Sighting) -> bool {
        let is_same_index = self.index == other.index || self.index.is_none() || other.index.is_none();
        (self.tx, self.amount, self.from) == (other.tx, other.amount, other.from) && is_same_index
    }
}

impl TxId {
    /// The one transaction id in what a person pasted: the hash in any case, with `0x` before it, or the address of
    /// an explorer's page about it (`https://tronscan.org/#/transaction/…`).
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn in_text(text: &str) -> Result<TxId, InvalidTxId> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let mut found: Vec<TxId> = words.filter_map(TxId::of_word).collect();
        found.dedup();
        match found[..] {
            [id] => Ok(id),
            _ => Err(InvalidTxId),
        }
    }

    /// A word may begin with `0x`, or with the end of an escaped character (`%2F`).
    fn of_word(word: &str) -> Option<TxId> {
        let bare = word.strip_prefix("0x").or(word.strip_prefix("0X"));
        let escaped = word
            .strip_prefix("2F")
            .or(word.strip_prefix("2f"))
            .or(word.strip_prefix("3D"))
            .or(word.strip_prefix("3d"));
        [Some(word), bare, escaped].into_iter().flatten().find_map(|word| word.parse().ok())
    }
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
            index: None,
        };
        let mut seen = vec![seen("a", 5, "02"), seen("b", 5, "01"), seen("a", 5, "01"), seen("a", 7, "01")];
        let ascending = numbered(seen.clone());
        seen.reverse();
        assert_eq!(numbered(seen), ascending);
        assert_eq!(ascending.alike, []);
        let keys: Vec<String> = ascending.transfers.iter().map(Transfer::key).collect();
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        assert_eq!(keys, [format!("{b}#5#0"), format!("{a}#5#0"), format!("{a}#5#1"), format!("{a}#7#0")]);
    }

    #[test]
    fn a_row_told_twice_is_alike_and_an_index_or_a_sender_tells_two_apart() {
        let of = |sender: &str, index| Sighting {
            at: Timestamp::from_millis(3),
            tx: "a".repeat(64).parse().unwrap(),
            amount: UsdtMicros::new(5).unwrap(),
            from: Address::from_hex(&format!("41{}", sender.repeat(20))).unwrap(),
            index,
        };
        let table = [
            (vec![of("01", None), of("01", None)], 1, 1),
            (vec![of("01", None), of("02", None), of("01", None)], 2, 1),
            (vec![of("01", Some(0)), of("01", Some(1))], 2, 0),
            (vec![of("01", Some(1)), of("01", Some(1))], 1, 0),
            (vec![of("01", Some(0)), of("01", Some(1)), of("01", Some(0)), of("01", Some(1))], 2, 0),
            (vec![of("01", None), of("01", Some(1))], 1, 1),
        ];
        for (rows, sure, alike) in table {
            let numbered = numbered(rows.clone());
            assert_eq!((numbered.transfers.len(), numbered.alike.len()), (sure, alike), "{rows:?}");
            let all = numbered.transfers.iter().chain(&numbered.alike);
            let nths: Vec<u32> = all.map(|transfer| transfer.nth).collect();
            assert_eq!(nths, (0..u32::try_from(sure + alike).unwrap()).collect::<Vec<_>>(), "{rows:?}");
        }
    }

    #[test]
    fn the_id_is_found_in_what_people_paste() {
        let id = "abcdef0123".repeat(7)[..64].to_owned();
        let other = "1".repeat(64);
        let upper = id.to_uppercase();
        let good = [
            id.clone(),
            format!("  {upper}\r\n"),
            format!("0x{id}"),
            format!("0X{upper}"),
            format!("https://tronscan.org/#/transaction/{id}"),
            format!("https://tronscan.io/#/transaction/{upper}?lang=vi"),
            format!("tronscan.org/transaction/{id}/"),
            format!("https://www.oklink.com/trx/tx/{id}"),
            format!("https://www.oklink.com/tron/tx/0x{id}#details"),
            format!("https://blockchair.com/tron/transaction/{id}"),
            format!("https://trx.tokenview.io/en/tx/{id}"),
            format!("https://shasta.tronscan.org/#/transaction/{id}"),
            format!("https://example.com/go?to=https%3A%2F%2Ftronscan.org%2F%23%2Ftransaction%2F{id}"),
            format!("https://example.com/?hash%3D{id}"),
            format!("TxID: {id}"),
            format!("\u{200b}{id}\u{feff}"),
            format!("{id} {upper}"),
        ];
        for text in good {
            assert_eq!(TxId::in_text(&text).map(|found| found.to_string()), Ok(id.clone()), "{text}");
        }
        let (long, short) = (format!("{id}a"), id[1..].to_owned());
        for text in
            ["", "0x", "https://tronscan.org/#/", &long, &short, &format!("x{id}"), &format!("{id} {other}")]
        {
            assert_eq!(TxId::in_text(text), Err(InvalidTxId), "{text}");
        }
        assert!(TxId::in_text(&format!("0x{long}")).is_err() && TxId::in_text(&format!("{id}{id}")).is_err());
    }
}
