use super::tables::PAYMENT_REFERENCES;
use crate::Rail;
use crate::likeness::{AlikeRow, KnownTransfer};
use crate::ruling::CLOCKS_APART;
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{Attributes, Item, ItemBuilder, StoreError};
use primitives::{AccountId, Fingerprint, Money, Timestamp, TopUpId};
use std::time::Duration;

/// How long an idempotency key is remembered.
const KEY_LIFETIME: Duration = Duration::from_secs(48 * 3600);
/// How long after its quarantine an amount's last owner is still known.
const AMOUNT_MEMORY: Duration = Duration::from_secs(30 * 86_400);

/// Whose order a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReferenceRow {
    pub(crate) name: String,
    pub(crate) account: AccountId,
    pub(crate) order: TopUpId,
    /// For exact amounts: they belong to this order from its creation until here.
    pub(crate) held: Option<(Timestamp, Timestamp)>,
}

/// What an idempotency key was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyRow {
    pub(crate) name: String,
    pub(crate) order: TopUpId,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) made_at: Timestamp,
}

pub(crate) fn reference_name(rail: Rail, reference: &str) -> String {
    format!("{rail}.{reference}")
}

/// An exact amount at one place that it can be sent to, say a wallet.
pub(crate) fn amount_name(rail: Rail, place: &str, amount: Money) -> String {
    format!("{rail}.{place}.{}", amount.minor())
}

pub(crate) fn key_name(account: &AccountId, key: &str) -> String {
    format!("key.{account}.{}", Fingerprint::of(&[key.as_bytes()]).encode())
}

impl ReferenceRow {
    pub(crate) fn item(&self) -> Attributes {
        let item = ItemBuilder::default()
            .text("reference", &self.name)
            .text("account", &self.account)
            .text("order", self.order);
        match self.held {
            None => item,
            Some((from, until)) => item
                .number("from", from.millis())
                .number("until", until.millis())
                .text("amounts", self.rail_name())
                .number("gone_at", until.after(AMOUNT_MEMORY).seconds()),
        }
        .build()
    }

    pub(crate) fn read(attributes: &Attributes) -> Result<ReferenceRow, StoreError> {
        let item = Item::new(PAYMENT_REFERENCES.name, attributes);
        Ok(ReferenceRow {
            name: item.text("reference")?.to_owned(),
            account: item.parsed("account")?,
            order: item.parsed("order")?,
            held: item.maybe_time("from")?.zip(item.maybe_time("until")?),
        })
    }

    /// An exact amount belongs to its order for a time only; every other reference for ever.
    pub(crate) fn covers(&self, paid_at: Timestamp) -> bool {
        self.held.is_none_or(|(from, until)| from.before(CLOCKS_APART) <= paid_at && paid_at <= until)
    }

    /// Every name begins with it.
    fn rail_name(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// The amount of an exact amount's row, in the minor unit of its rail's currency.
    pub(crate) fn minor(&self) -> Option<u64> {
        self.name.rsplit('.').next()?.parse().ok()
    }
}

impl IdempotencyRow {
    pub(crate) fn item(&self) -> Attributes {
        ItemBuilder::default()
            .text("reference", &self.name)
            .text("order", self.order)
            .text("fingerprint", self.fingerprint.encode())
            .number("made_at", self.made_at.millis())
            .number("gone_at", self.made_at.after(KEY_LIFETIME).seconds())
            .build()
    }

    pub(crate) fn read(attributes: &Attributes) -> Result<IdempotencyRow, StoreError> {
        let item = Item::new(PAYMENT_REFERENCES.name, attributes);
        let fingerprint = Fingerprint::decode(item.text("fingerprint")?);
        Ok(IdempotencyRow {
            name: item.text("reference")?.to_owned(),
            order: item.parsed("order")?,
            fingerprint: fingerprint.ok_or_else(|| item.corrupt("fingerprint"))?,
            made_at: item.time("made_at")?,
        })
    }

    pub(crate) fn is_gone(&self, now: Timestamp) -> bool {
        now.since(self.made_at) >= KEY_LIFETIME
    }
}

impl AlikeRow {
    pub(crate) fn item(&self) -> Attributes {
        let transfers = self.transfers.iter().map(|transfer| AttributeValue::M(transfer.item())).collect();
        ItemBuilder::default()
            .text("reference", &self.name)
            .value("told", AttributeValue::L(transfers))
            .number("version", self.version.map_or(0, |version| version + 1))
            .build()
    }

    pub(crate) fn read(attributes: &Attributes) -> Result<AlikeRow, StoreError> {
        let item = Item::new(PAYMENT_REFERENCES.name, attributes);
        let list = attributes.get("told").and_then(|value| value.as_l().ok());
        let list = list.ok_or_else(|| item.corrupt("told"))?;
        let read =
            |value: &AttributeValue| KnownTransfer::read(value.as_m().map_err(|_| item.corrupt("told"))?);
        Ok(AlikeRow {
            name: item.text("reference")?.to_owned(),
            transfers: list.iter().map(read).collect::<Result<_, _>>()?,
            version: Some(item.number("version")?),
        })
    }
}

impl KnownTransfer {
    fn item(&self) -> Attributes {
        let list =
            |texts: &[String]| AttributeValue::L(texts.iter().cloned().map(AttributeValue::S).collect());
        ItemBuilder::default()
            .text("key", &self.key)
            .number("heard_at", self.heard_at.millis())
            .maybe_number("at", self.at.map(Timestamp::millis))
            .maybe_text("bank_reference", self.reference.as_ref())
            .value("names", list(&self.names))
            .value("accounts", list(&self.accounts))
            .value("is_listed", AttributeValue::Bool(self.is_listed))
            .build()
    }

    fn read(attributes: &Attributes) -> Result<KnownTransfer, StoreError> {
        let item = Item::new(PAYMENT_REFERENCES.name, attributes);
        let list = |name: &'static str| -> Result<Vec<String>, StoreError> {
            let list = attributes.get(name).and_then(|value| value.as_l().ok());
            let list = list.ok_or_else(|| item.corrupt(name))?;
            list.iter().map(|value| value.as_s().cloned().map_err(|_| item.corrupt(name))).collect()
        };
        let is_listed = attributes.get("is_listed").and_then(|value| value.as_bool().ok());
        Ok(KnownTransfer {
            key: item.parsed("key")?,
            heard_at: item.time("heard_at")?,
            at: item.maybe_time("at")?,
            reference: item.maybe_text("bank_reference")?.map(str::to_owned),
            // Rows of before the names were kept have none.
            names: if attributes.contains_key("names") { list("names")? } else { Vec::new() },
            accounts: list("accounts")?,
            is_listed: *is_listed.ok_or_else(|| item.corrupt("is_listed"))?,
        })
    }
}
