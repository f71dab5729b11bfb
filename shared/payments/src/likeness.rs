//! A bank feed may tell one transfer again under another id. The second key of a transfer recognises that: the same
//! reference, amount, direction, account and time. Without a reference, the orders that the text names stand in for it.
//!
//! Pure. What is remembered under a key is one row, which every booking of such a transfer rewrites in its own transaction: of
//! two deliveries at the same moment one is written, and the other looks again and finds it.

use crate::FactKey;
use primitives::{Money, Timestamp};
use ring::digest::{SHA256, digest};

/// So many transfers are remembered under one key: some banks give the same reference to all.
const TRANSFERS_MAX: usize = 50;
/// SePay's list and its webhook may tell times of one transfer that differ by so many seconds.
const TELLERS_APART_SECONDS: u64 = 600;

/// What tells one transfer into our account from another, apart from SePay's number of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Likeness {
    /// The bank's reference, in capitals; `None` when it is missing or says nothing (`0`, `-`).
    reference: Option<String>,
    /// Names in `payment_references` that its text may stand for, sorted.
    names: Vec<String>,
    /// The account and the virtual account, as far as they are told.
    accounts: Vec<String>,
    /// When the bank booked it, if it says so.
    at: Option<Timestamp>,
    /// From SePay's list, whose numbers may be others than the webhook's.
    is_listed: bool,
}

/// A transfer that a message or a list brought, as it is remembered under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownTransfer {
    pub(crate) key: FactKey,
    pub(crate) heard_at: Timestamp,
    pub(crate) at: Option<Timestamp>,
    pub(crate) reference: Option<String>,
    /// The orders that its text may stand for.
    pub(crate) names: Vec<String>,
    pub(crate) accounts: Vec<String>,
    pub(crate) is_listed: bool,
}

/// The transfers that are remembered under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlikeRow {
    /// Its name in `payment_references`.
    pub(crate) name: String,
    pub(crate) transfers: Vec<KnownTransfer>,
    /// `None`: nothing was remembered under it yet.
    pub(crate) version: Option<u64>,
}

/// The rows of a transfer, as they stood when it was judged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alike(pub(crate) Vec<AlikeRow>);

impl Likeness {
    pub(crate) fn new(
        reference: Option<&str>,
        names: &[String],
        accounts: impl IntoIterator<Item = String>,
        at: Option<Timestamp>,
        is_listed: bool,
    ) -> Likeness {
        let mut names = names.to_vec();
        names.sort_unstable();
        let reference = reference.map(|text| text.trim().to_ascii_uppercase());
        let says_something = |text: &String| text.chars().any(|c| c.is_alphanumeric() && c != '0');
        Likeness {
            reference: reference.filter(says_something),
            names,
            accounts: accounts.into_iter().collect(),
            at,
            is_listed,
        }
    }

    /// The names of its rows: by reference, and by what its text names.
    pub(crate) fn row_names(&self, amount: Money) -> Vec<String> {
        let by_reference = self.reference.as_ref().map(|reference| row_name("reference", reference, amount));
        let by_names = (!self.names.is_empty()).then(|| row_name("names", &self.names.join(" "), amount));
        by_reference.into_iter().chain(by_names).collect()
    }

    fn known_transfer(&self, key: &FactKey, heard_at: Timestamp) -> KnownTransfer {
        KnownTransfer {
            key: key.clone(),
            heard_at,
            at: self.at,
            reference: self.reference.clone(),
            names: self.names.clone(),
            accounts: self.accounts.clone(),
            is_listed: self.is_listed,
        }
    }

    /// Whether the two are probably one transfer; both stand in a row of the same amount, and of the same reference or
    /// the same names.
    fn is_repeat_of(&self, known: &KnownTransfer) -> bool {
        let seconds = |at: Option<Timestamp>| at.map(Timestamp::seconds);
        let apart = seconds(self.at).zip(seconds(known.at)).map(|(one, other)| one.abs_diff(other));
        let is_from_elsewhere = self.is_listed != known.is_listed;
        let may_be_apart = if is_from_elsewhere { TELLERS_APART_SECONDS } else { 0 };
        // Two payers of a bank that gives one reference to all are told apart by their orders.
        may_share(&self.accounts, &known.accounts)
            && may_share(&self.names, &known.names)
            && match self.reference.as_ref().zip(known.reference.as_ref()) {
                Some((one, other)) if one == other => apart.is_none_or(|apart| apart <= may_be_apart),
                // Nobody has confirmed that list and webhook tell the same reference.
                Some(_) => is_from_elsewhere && apart == Some(0),
                None => apart.is_none_or(|apart| apart == 0),
            }
    }
}

/// Whether what two messages tell may be the same: they have something in common, or one of them tells nothing.
fn may_share(one: &[String], other: &[String]) -> bool {
    one.is_empty() || other.is_empty() || one.iter().any(|told| other.contains(told))
}

/// Of a hash, since a reference may be any text.
fn row_name(kind: &str, text: &str, amount: Money) -> String {
    let named = format!("{kind}\n{text}\n{} {}\nin", amount.minor(), amount.currency());
    format!("alike.{}", hex::encode(&digest(&SHA256, named.as_bytes()).as_ref()[..16]))
}

impl Alike {
    /// The earliest transfer that this one probably repeats. Of two that were told, only the later is a repeat.
    pub(crate) fn repeated_by(&self, likeness: &Likeness, key: &FactKey) -> Option<FactKey> {
        let all = || self.0.iter().flat_map(|row| &row.transfers);
        let rank = |known: &KnownTransfer| (known.heard_at, known.key.to_string());
        let own = all().filter(|known| known.key == *key).map(rank).min();
        let earlier =
            all().filter(|known| known.key != *key && own.as_ref().is_none_or(|own| rank(known) < *own));
        earlier
            .filter(|known| likeness.is_repeat_of(known))
            .min_by_key(|known| rank(known))
            .map(|known| known.key.clone())
    }

    /// The rows that have to be written so that the next one finds this transfer.
    pub(crate) fn with(&self, likeness: &Likeness, key: &FactKey, now: Timestamp) -> Vec<AlikeRow> {
        let unknown = self.0.iter().filter(|row| row.transfers.iter().all(|known| known.key != *key));
        let written = unknown.map(|row| {
            let mut transfers = row.transfers.clone();
            transfers.push(likeness.known_transfer(key, now));
            let surplus = transfers.len().saturating_sub(TRANSFERS_MAX);
            transfers.drain(..surplus);
            AlikeRow { name: row.name.clone(), transfers, version: row.version }
        });
        written.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::Currency;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    fn key(id: u64) -> FactKey {
        format!("viet_qr.{id}.0").parse().unwrap()
    }

    fn dong(units: u64) -> Money {
        Money::new(units, Currency::VND).unwrap()
    }

    struct Case {
        reference: Option<&'static str>,
        names: &'static [&'static str],
        accounts: &'static [&'static str],
        at: Option<u64>,
        is_listed: bool,
        amount: u64,
    }

    const FIRST: Case = Case {
        reference: Some("FT1"),
        names: &["viet_qr.CITAB2CDE"],
        accounts: &["123"],
        at: Some(0),
        is_listed: false,
        amount: 131_350,
    };

    impl Case {
        fn likeness(&self) -> Likeness {
            let names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
            let accounts = self.accounts.iter().map(ToString::to_string);
            Likeness::new(self.reference, &names, accounts, self.at.map(at), self.is_listed)
        }

        /// The rows of `self` after `first` was booked.
        fn after(&self, first: &Case) -> Alike {
            let (own, before) = (self.likeness(), first.likeness());
            let booked: Vec<String> = before.row_names(dong(first.amount));
            let row = |name: String| {
                let known = booked.contains(&name).then(|| before.known_transfer(&key(1), at(1)));
                AlikeRow { name, transfers: known.into_iter().collect(), version: None }
            };
            Alike(own.row_names(dong(self.amount)).into_iter().map(row).collect())
        }

        fn repeats(&self, first: &Case) -> bool {
            self.after(first).repeated_by(&self.likeness(), &key(2)) == Some(key(1))
        }
    }

    #[test]
    fn the_same_reference_amount_account_and_time_is_a_repeat() {
        for (what, second) in [
            ("all the same", FIRST),
            ("in small letters", Case { reference: Some(" ft1 "), ..FIRST }),
            ("from the list", Case { is_listed: true, ..FIRST }),
            ("from the list, a little later", Case { is_listed: true, at: Some(9), ..FIRST }),
            ("from the list, by another reference", Case { is_listed: true, reference: Some("9"), ..FIRST }),
            ("without a time", Case { at: None, ..FIRST }),
            ("without an account", Case { accounts: &[], ..FIRST }),
            ("with the virtual account too", Case { accounts: &["123", "VA9"], ..FIRST }),
            ("without its text", Case { names: &[], ..FIRST }),
            ("without its reference", Case { reference: None, ..FIRST }),
            ("with an empty reference", Case { reference: Some(" "), ..FIRST }),
            ("with a reference that says nothing", Case { reference: Some("000"), ..FIRST }),
        ] {
            assert!(second.repeats(&FIRST), "{what}");
            assert!(FIRST.repeats(&second), "{what}, the other way round");
        }
    }

    #[test]
    fn another_reference_amount_account_or_time_is_a_second_payment() {
        for (what, second) in [
            ("another reference", Case { reference: Some("FT2"), ..FIRST }),
            ("another amount", Case { amount: 131_351, ..FIRST }),
            ("another account", Case { accounts: &["456"], ..FIRST }),
            ("another order by the same reference", Case { names: &["viet_qr.X"], ..FIRST }),
            ("another order, from the list", Case { names: &["viet_qr.X"], is_listed: true, ..FIRST }),
            ("from the list, hours later", Case { is_listed: true, at: Some(7200), ..FIRST }),
            ("another time", Case { at: Some(1), ..FIRST }),
            ("another time, no reference", Case { reference: None, at: Some(1), ..FIRST }),
            ("another order, no reference", Case { reference: None, names: &["viet_qr.X"], ..FIRST }),
            ("neither reference nor text", Case { reference: None, names: &[], ..FIRST }),
        ] {
            assert!(!second.repeats(&FIRST), "{what}");
            assert!(!FIRST.repeats(&second), "{what}, the other way round");
        }
    }

    #[test]
    fn of_two_only_the_later_is_a_repeat_whoever_is_judged_again() {
        let likeness = FIRST.likeness();
        let mut rows = FIRST.after(&FIRST);
        for row in &mut rows.0 {
            row.transfers.push(likeness.known_transfer(&key(2), at(2)));
        }
        assert_eq!(rows.repeated_by(&likeness, &key(1)), None);
        assert_eq!(rows.repeated_by(&likeness, &key(2)), Some(key(1)));
        assert_eq!(rows.repeated_by(&likeness, &key(3)), Some(key(1)), "the earliest is named");
        assert!(rows.with(&likeness, &key(1), at(3)).is_empty(), "it is known already");
        assert_eq!(rows.with(&likeness, &key(3), at(3)).len(), 2);
    }

    #[test]
    fn a_constant_reference_fills_no_row_without_end() {
        let likeness = FIRST.likeness();
        let mut rows =
            Alike(vec![AlikeRow { name: "alike.x".to_owned(), transfers: Vec::new(), version: None }]);
        for id in 0..200 {
            rows.0 = rows.with(&likeness, &key(id), at(id));
        }
        assert_eq!(rows.0[0].transfers.len(), TRANSFERS_MAX);
        assert_eq!(rows.0[0].transfers.last().unwrap().key, key(199));
    }
}
