use super::orders::{amount, credits};
use super::tables::PAYMENT_INBOX;
use crate::fact::{Credited, Fact, FactKey, FactState, Ignored, PendingClaim, Unmatched, Via};
use crate::{LikelyOrder, LikelyWhy, Rail};
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{Attributes, Item, ItemBuilder, StoreError, number, text};
use primitives::{AccountId, Credits, EntryId, Timestamp};
use std::time::Duration;

/// Credit taken back from a payment, and whether it was given back since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversalRow {
    pub entry: EntryId,
    /// The grant it took from: a payment assigned anew has another one.
    pub of: EntryId,
    pub cause: String,
    /// The processor's name of the case.
    pub case: String,
    pub credits: Credits,
    pub at: Timestamp,
    pub reinstated: Option<EntryId>,
}

/// What an administrator did about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    pub who: String,
    pub what: String,
    pub note: String,
    pub at: Timestamp,
}

/// The partition of facts that wait for an administrator.
pub(crate) fn open_mark() -> &'static str {
    "unmatched"
}

/// The partition of a rail's facts of one UTC day.
pub(crate) fn day_name(rail: Rail, paid_at: Timestamp) -> String {
    format!("{rail}#{}", paid_at.date())
}

pub(crate) fn fact_item(fact: &Fact) -> Attributes {
    let item = ItemBuilder::default()
        .text("source", fact.key.source())
        .text("part", fact.key.part())
        .text("day", day_name(fact.key.rail(), fact.paid_at))
        .number("amount", fact.amount.minor())
        .text("currency", fact.amount.currency())
        .number("paid_at", fact.paid_at.millis())
        .number("heard_at", fact.heard_at.millis())
        .text("via", fact.via.as_str())
        .text("trace", &fact.trace)
        .maybe_number("checked_at", fact.checked_at.map(Timestamp::millis))
        .text("state", fact.state.as_str())
        .maybe_text("repeats", fact.repeats.as_ref())
        .number("version", fact.version);
    let item = match fact.likely.is_empty() {
        true => item,
        false => item.value("likely", AttributeValue::L(fact.likely.iter().map(likely_value).collect())),
    };
    let names = || fact.claimants.iter().map(text).collect();
    let item =
        if fact.claimants.is_empty() { item } else { item.value("claimants", AttributeValue::L(names())) };
    match &fact.state {
        FactState::Credited(credited) => item
            .text("account", &credited.account)
            .maybe_text("order", credited.order)
            .number("credits", credited.credits.get())
            .text("entry", credited.entry)
            .number("reversed", credited.reversed.get()),
        FactState::Unmatched { why, near } => item
            .text("open", open_mark())
            .text("why", why.as_str())
            .maybe_text("account", near.as_ref().map(|(account, _)| account))
            .maybe_text("order", near.as_ref().map(|(_, order)| order)),
        FactState::Claimed(claim) => item
            .text("open", open_mark())
            .text("account", &claim.account)
            .text("order", claim.order)
            .number("claimed_at", claim.at.millis())
            .number("claimed_until", claim.until.millis()),
        FactState::Ignored(why) => item.text("why", why.as_str()),
        FactState::Dismissed { why } => item.text("why", why.as_str()),
        FactState::Voided => item,
    }
    .build()
}

pub(crate) fn read_fact(attributes: &Attributes) -> Result<Fact, StoreError> {
    let item = Item::new(PAYMENT_INBOX.name, attributes);
    let key = format!("{}.{}", item.text("source")?, item.text("part")?);
    Ok(Fact {
        key: key.parse().map_err(|_| item.corrupt("source"))?,
        amount: amount(&item, "amount")?,
        paid_at: item.time("paid_at")?,
        heard_at: item.time("heard_at")?,
        via: Via::parse(item.text("via")?).ok_or_else(|| item.corrupt("via"))?,
        trace: item.text("trace")?.to_owned(),
        checked_at: item.maybe_time("checked_at")?,
        state: read_state(&item)?,
        repeats: item.maybe_parsed("repeats")?,
        likely: read_likely(&item, attributes)?,
        claimants: read_claimants(&item, attributes)?,
        version: item.number("version")?,
    })
}

fn likely_value(likely: &LikelyOrder) -> AttributeValue {
    let item = ItemBuilder::default()
        .text("account", &likely.account)
        .text("order", likely.order)
        .number("due", likely.price.minor())
        .text("currency", likely.price.currency())
        .text("why", likely.why.as_str());
    AttributeValue::M(item.build())
}

fn read_likely(item: &Item<'_>, attributes: &Attributes) -> Result<Vec<LikelyOrder>, StoreError> {
    let Some(list) = attributes.get("likely") else { return Ok(Vec::new()) };
    let list = list.as_l().map_err(|_| item.corrupt("likely"))?;
    let read = |value: &AttributeValue| {
        let own = Item::new(PAYMENT_INBOX.name, value.as_m().map_err(|_| item.corrupt("likely"))?);
        Ok(LikelyOrder {
            account: own.parsed("account")?,
            order: own.parsed("order")?,
            price: amount(&own, "due")?,
            why: LikelyWhy::parse(own.text("why")?).ok_or_else(|| own.corrupt("why"))?,
        })
    };
    list.iter().map(read).collect()
}

fn read_claimants(item: &Item<'_>, attributes: &Attributes) -> Result<Vec<AccountId>, StoreError> {
    let corrupt = || item.corrupt("claimants");
    let Some(list) = attributes.get("claimants") else { return Ok(Vec::new()) };
    let names = list.as_l().map_err(|_| corrupt())?;
    let read = |name: &AttributeValue| name.as_s().ok()?.parse().ok();
    names.iter().map(|name| read(name).ok_or_else(corrupt)).collect()
}

fn read_state(item: &Item<'_>) -> Result<FactState, StoreError> {
    let why = || item.text("why");
    Ok(match item.text("state")? {
        "credited" => FactState::Credited(Credited {
            account: item.parsed("account")?,
            order: item.maybe_parsed("order")?,
            credits: credits(item, "credits")?,
            entry: item.parsed("entry")?,
            reversed: credits(item, "reversed")?,
        }),
        "unmatched" => FactState::Unmatched {
            why: Unmatched::parse(why()?).ok_or_else(|| item.corrupt("why"))?,
            near: item.maybe_parsed::<AccountId>("account")?.zip(item.maybe_parsed("order")?),
        },
        "claimed" => FactState::Claimed(PendingClaim {
            account: item.parsed("account")?,
            order: item.parsed("order")?,
            at: item.time("claimed_at")?,
            until: item.time("claimed_until")?,
        }),
        "dismissed" => {
            FactState::Dismissed { why: Unmatched::parse(why()?).ok_or_else(|| item.corrupt("why"))? }
        }
        "ignored" => FactState::Ignored(Ignored::parse(why()?).ok_or_else(|| item.corrupt("why"))?),
        "voided" => FactState::Voided,
        _ => return Err(item.corrupt("state")),
    })
}

/// One delivery's raw body, sealed, until `lifetime` is over.
pub(crate) fn event_item(
    key: &FactKey,
    event: &str,
    sealed: &str,
    via: Via,
    now: Timestamp,
    lifetime: Duration,
) -> Attributes {
    ItemBuilder::default()
        .text("source", key.source())
        .text("part", format!("{}/event/{event}", key.part()))
        .text("body", sealed)
        .text("via", via.as_str())
        .number("at", now.millis())
        .number("gone_at", now.after(lifetime).seconds())
        .build()
}

/// The partition of claims that wait, in the index of open facts; their sort attribute is the end of the wait.
pub(crate) fn due_mark() -> &'static str {
    "claimed"
}

/// The audit row of a claim. With `until` it is found by that moment, so that no look at all open facts is needed.
pub(crate) fn claim_item(key: &FactKey, row: &AuditRow, until: Option<Timestamp>) -> Attributes {
    let mut item = audit_item(key, &format!("{CLAIM}{}", row.who), row);
    if let Some(until) = until {
        item.insert("open".to_owned(), text(due_mark()));
        item.insert("heard_at".to_owned(), number(until.millis()));
    }
    item
}

/// The payment whose claim's audit row stands at this key.
pub(crate) fn claimed_fact(source: &str, part: &str) -> Option<FactKey> {
    let (part, _) = part.split_once(&format!("/audit/{CLAIM}"))?;
    format!("{source}.{part}").parse().ok()
}

/// What the name of a claim's audit row begins with.
const CLAIM: &str = "claim-";

/// `id` tells the rows of one payment apart.
pub(crate) fn audit_item(key: &FactKey, id: &str, row: &AuditRow) -> Attributes {
    ItemBuilder::default()
        .text("source", key.source())
        .text("part", format!("{}/audit/{id}", key.part()))
        .text("who", &row.who)
        .text("what", &row.what)
        .text("note", &row.note)
        .number("at", row.at.millis())
        .build()
}

pub(crate) fn read_audit(attributes: &Attributes) -> Result<AuditRow, StoreError> {
    let item = Item::new(PAYMENT_INBOX.name, attributes);
    let own = |name: &str| item.text(name).map(str::to_owned);
    Ok(AuditRow { who: own("who")?, what: own("what")?, note: own("note")?, at: item.time("at")? })
}

pub(crate) fn reversal_item(key: &FactKey, row: &ReversalRow) -> Attributes {
    ItemBuilder::default()
        .text("source", key.source())
        .text("part", format!("{}/reversal/{}", key.part(), row.entry))
        .text("entry", row.entry)
        .text("of", row.of)
        .text("cause", &row.cause)
        .text("case", &row.case)
        .number("credits", row.credits.get())
        .number("at", row.at.millis())
        .maybe_text("reinstated", row.reinstated)
        .build()
}

pub(crate) fn read_reversal(attributes: &Attributes) -> Result<ReversalRow, StoreError> {
    let item = Item::new(PAYMENT_INBOX.name, attributes);
    Ok(ReversalRow {
        entry: item.parsed("entry")?,
        of: item.parsed("of")?,
        cause: item.text("cause")?.to_owned(),
        case: item.text("case")?.to_owned(),
        credits: credits(&item, "credits")?,
        at: item.time("at")?,
        reinstated: item.maybe_parsed("reinstated")?,
    })
}
