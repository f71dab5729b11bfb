use super::tables::TOP_UPS;
use crate::order::{FixedRate, Payment, TopUp};
use crate::rail::Recognition;
use crate::{FactKey, Rail};
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{Attributes, Item, ItemBuilder, StoreError};
use primitives::{AccountId, Credits, Currency, Money, Rate, Secret, Timestamp};
use std::time::Duration;

/// Sorts after every ULID, so that a list of orders ends before it.
pub(crate) const SLOT: &str = "slot#";

/// Beside a person's places: how many orders they have made.
pub(crate) const MADE: &str = "slot#made";
/// From the first of a day's orders on.
const DAY: Duration = Duration::from_secs(86_400);

/// How many orders a person has made since the first of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MadeRow {
    pub(crate) since: Timestamp,
    pub(crate) count: u32,
    /// What stands in the store and will be overwritten.
    pub(crate) before: Option<(Timestamp, u32)>,
}

impl MadeRow {
    /// After one more order: counted on for a day, then from one again.
    pub(crate) fn one_more(before: Option<&MadeRow>, now: Timestamp) -> MadeRow {
        let stored = before.map(|row| (row.since, row.count));
        match before {
            Some(row) if now < row.ends_at() => {
                MadeRow { since: row.since, count: row.count.saturating_add(1), before: stored }
            }
            _ => MadeRow { since: now, count: 1, before: stored },
        }
    }

    /// When the count begins anew.
    pub(crate) fn ends_at(&self) -> Timestamp {
        self.since.after(DAY)
    }

    pub(crate) fn item(&self, account: &AccountId) -> Attributes {
        ItemBuilder::default()
            .text("account", account)
            .text("id", MADE)
            .number("since", self.since.millis())
            .number("count", self.count)
            .build()
    }

    pub(crate) fn read(attributes: &Attributes) -> Result<MadeRow, StoreError> {
        let item = Item::new(TOP_UPS.name, attributes);
        Ok(MadeRow { since: item.time("since")?, count: item.number("count")?, before: None })
    }
}

/// Orders in exact amounts have places of their own: they are taken up longer.
pub(crate) fn slot_name(rail: Rail, nth: u32) -> String {
    match rail.policy().recognition {
        Recognition::Amount => format!("{SLOT}{rail}#{nth}"),
        Recognition::Number | Recognition::Code => format!("{SLOT}{nth}"),
    }
}

/// The partition of orders that wait for a payment: of a rail, and of exactly this amount where the payer types it in.
pub(crate) fn awaited_name(rail: Rail, price: Money) -> String {
    match rail.policy().recognition {
        Recognition::Code => format!("{rail}#{}", price.minor()),
        Recognition::Number | Recognition::Amount => rail.to_string(),
    }
}

/// Sorts after the places, so that neither a list of orders nor one of places meets it.
pub(crate) const TALLY: &str = "tally#claims";

/// What a person claimed on one UTC day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimTally {
    pub(crate) day: String,
    /// Transfers the person named.
    pub(crate) claims: u32,
    /// What of these is granted without a person's look, or waits to be.
    pub(crate) credits: Credits,
}

impl ClaimTally {
    pub(crate) fn item(&self, account: &AccountId) -> Attributes {
        ItemBuilder::default()
            .text("account", account)
            .text("id", TALLY)
            .text("day", &self.day)
            .number("claims", self.claims)
            .number("credits", self.credits.get())
            .build()
    }

    pub(crate) fn read(attributes: &Attributes) -> Result<ClaimTally, StoreError> {
        let item = Item::new(TOP_UPS.name, attributes);
        Ok(ClaimTally {
            day: item.text("day")?.to_owned(),
            claims: item.number("claims")?,
            credits: credits(&item, "credits")?,
        })
    }
}

pub(crate) fn slot_item(order: &TopUp, nth: u32, until: Timestamp) -> Attributes {
    ItemBuilder::default()
        .text("account", &order.account)
        .text("id", slot_name(order.rail, nth))
        .text("order", order.id)
        .number("until", until.millis())
        .build()
}

pub(crate) fn top_up_item(order: &TopUp) -> Attributes {
    let item = ItemBuilder::default()
        .text("account", &order.account)
        .text("id", order.id)
        .text("rail", order.rail)
        .number("credits", order.credits.get())
        .maybe_number("ordered", order.ordered.map(Credits::get))
        .number("due", order.price.minor())
        .text("currency", order.price.currency())
        .text("reference", &order.reference)
        .text("page_key", order.page_key.expose())
        .number("created_at", order.created_at.millis())
        .number("expires_at", order.expires_at.millis())
        .maybe_number("cancelled_at", order.cancelled_at.map(Timestamp::millis))
        .value("payments", AttributeValue::L(order.payments.iter().map(payment_value).collect()))
        .number("version", order.version);
    let item = match order.look_at.filter(|_| order.payments.is_empty()) {
        None => item,
        Some(look_at) => {
            item.text("awaited", awaited_name(order.rail, order.price)).number("look_at", look_at.millis())
        }
    };
    match &order.rate {
        None => item,
        Some(fixed) => item
            .number("rate_micros", fixed.rate.micros())
            .text("rate_source", &fixed.source)
            .number("rate_at", fixed.at.millis()),
    }
    .build()
}

fn payment_value(payment: &Payment) -> AttributeValue {
    let item = ItemBuilder::default()
        .text("key", &payment.key)
        .number("amount", payment.amount.minor())
        .text("currency", payment.amount.currency())
        .number("credits", payment.credits.get())
        .number("reversed", payment.reversed.get())
        .number("paid_at", payment.paid_at.millis())
        .text("entry", payment.entry)
        .maybe_text("shown_as", payment.shown_as.as_deref());
    AttributeValue::M(item.build())
}

pub(crate) fn read_top_up(attributes: &Attributes) -> Result<TopUp, StoreError> {
    let item = Item::new(TOP_UPS.name, attributes);
    Ok(TopUp {
        id: item.parsed("id")?,
        account: item.parsed("account")?,
        rail: item.parsed("rail")?,
        credits: credits(&item, "credits")?,
        ordered: item
            .maybe_number("ordered")?
            .map(Credits::new)
            .transpose()
            .map_err(|_| item.corrupt("ordered"))?,
        price: amount(&item, "due")?,
        rate: read_rate(&item)?,
        reference: item.text("reference")?.to_owned(),
        page_key: Secret::new(item.text("page_key")?),
        created_at: item.time("created_at")?,
        expires_at: item.time("expires_at")?,
        cancelled_at: item.maybe_time("cancelled_at")?,
        look_at: item.maybe_time("look_at")?,
        payments: read_payments(&item, attributes)?,
        version: item.number("version")?,
    })
}

fn read_payments(item: &Item<'_>, attributes: &Attributes) -> Result<Vec<Payment>, StoreError> {
    let list = attributes.get("payments").and_then(|value| value.as_l().ok());
    let list = list.ok_or_else(|| item.corrupt("payments"))?;
    list.iter().map(|value| read_payment(value.as_m().map_err(|_| item.corrupt("payments"))?)).collect()
}

fn read_payment(attributes: &Attributes) -> Result<Payment, StoreError> {
    let item = Item::new(TOP_UPS.name, attributes);
    Ok(Payment {
        key: item.parsed::<FactKey>("key")?,
        amount: amount(&item, "amount")?,
        credits: credits(&item, "credits")?,
        reversed: credits(&item, "reversed")?,
        paid_at: item.time("paid_at")?,
        entry: item.parsed("entry")?,
        shown_as: item.maybe_text("shown_as")?.map(str::to_owned),
    })
}

fn read_rate(item: &Item<'_>) -> Result<Option<FixedRate>, StoreError> {
    let Some(micros) = item.maybe_number("rate_micros")? else { return Ok(None) };
    let rate = Rate::from_micros(micros).map_err(|_| item.corrupt("rate_micros"))?;
    Ok(Some(FixedRate { rate, source: item.text("rate_source")?.to_owned(), at: item.time("rate_at")? }))
}

pub(super) fn credits(item: &Item<'_>, name: &str) -> Result<Credits, StoreError> {
    Credits::new(item.number(name)?).map_err(|_| item.corrupt(name))
}

/// The amount beside its attribute `currency`.
pub(super) fn amount(item: &Item<'_>, name: &str) -> Result<Money, StoreError> {
    let currency: Currency = item.parsed("currency")?;
    Money::new(item.number(name)?, currency).map_err(|_| item.corrupt(name))
}
