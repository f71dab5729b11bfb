use crate::fact::{FactKey, Ignored, InvalidFactKey, UNREADABLE, Unmatched, Via};
use crate::{Likeness, Rail};
use primitives::{AccountId, Credits, EntryId, Money, Timestamp, TopUpId};
use ring::digest::{SHA256, digest};
use std::fmt;

/// An authentic payment as a webhook, a poll or the processor's list tells it.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub key: FactKey,
    pub amount: Money,
    pub paid_at: Timestamp,
    pub destination: Destination,
    /// The processor's or bank's own reference, for support.
    pub trace: String,
    /// How a card looks to its owner.
    pub shown_as: Option<String>,
    pub via: Via,
    pub delivery: Delivery,
    /// What only a bank transfer has.
    pub marks: Option<TransferMarks>,
}

/// What a bank transfer says beside its amount and its code.
#[derive(Debug, Clone)]
pub struct TransferMarks {
    /// By which the same transfer under another id is recognised; `None` when it can't be read.
    pub likeness: Option<Likeness>,
    /// Names in `payment_references` that are one mistake away from its text.
    pub near: Vec<String>,
}

/// Where an arrival belongs, by what it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Names in `payment_references` it may have been noted down under.
    References(Vec<String>),
    /// Nothing to go by; kept for a person.
    Nothing(Unmatched),
    /// Not ours to credit.
    Ignore(Ignored),
}

impl Arrival {
    /// A message that can't be read: under the processor's own id if that can be read, so that the same payment told
    /// again, or listed, is known; otherwise named by its bytes.
    pub(crate) fn unreadable(
        rail: Rail,
        id: Option<&str>,
        raw: &[u8],
        now: Timestamp,
    ) -> Result<Arrival, InvalidFactKey> {
        let name = name_of_bytes(raw);
        Ok(Arrival {
            key: FactKey::new(rail, id.unwrap_or(&name), "0")?,
            amount: Money::zero(rail.currency()),
            paid_at: now,
            destination: Destination::Nothing(Unmatched::Unreadable),
            trace: id.unwrap_or(&name).to_owned(),
            shown_as: None,
            via: Via::Webhook,
            delivery: Delivery { key: name, body: raw.to_vec() },
            marks: None,
        })
    }
}

/// A name for a message that names itself in no way that can be read.
pub(crate) fn name_of_bytes(raw: &[u8]) -> String {
    format!("{UNREADABLE}{}", hex::encode(&digest(&SHA256, raw).as_ref()[..16]))
}

impl Destination {
    /// The names it may have been noted down under.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Destination::References(names) => names,
            Destination::Nothing(_) | Destination::Ignore(_) => &[],
        }
    }
}

/// One notification as it came.
#[derive(Clone)]
pub struct Delivery {
    /// The sender's name of it: letters, digits, `-`, `_`. A repeat bears the same.
    pub key: String,
    /// Raw bytes; sealed before they are stored.
    pub body: Vec<u8>,
}

/// What became of an arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    Credited {
        account: AccountId,
        order: TopUpId,
        credits: Credits,
        entry: EntryId,
    },
    /// Heard before; nothing was changed.
    Before,
    /// Kept for an administrator.
    Kept(Unmatched),
    Ignored(Ignored),
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delivery {}", self.key)
    }
}
