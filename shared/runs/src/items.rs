use crate::PriceRow;
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{Attributes, Index, Item, ItemBuilder, KeyType, StoreError, TableSpec, text};
use primitives::Unit;

/// `tool`, `option` → what it costs and whether it is sold. Edited by people; see the crate's README for the columns.
pub const TOOL_PRICING: TableSpec = TableSpec {
    name: "tool_pricing",
    partition_key: "tool",
    sort_key: Some("option"),
    indexes: &[],
    ttl: None,
};

/// `account`, `run` → one finished run; gone after the profile's `usage_log_days`.
pub const USAGE_LOG: TableSpec = TableSpec {
    name: "usage_log",
    partition_key: "account",
    sort_key: Some("run"),
    indexes: &[],
    ttl: Some("ttl"),
};

/// `id` (account and a hash of the `Idempotency-Key`) → the run it stands for; gone after two days. `id` (account, `waits`
/// and a stretch of two seconds) → how many repeats began to wait in it; gone after an hour.
pub const IDEMPOTENCY: TableSpec =
    TableSpec { name: "idempotency", partition_key: "id", sort_key: None, indexes: &[], ttl: Some("ttl") };

/// `id` (a `JobId`) → a run whose provider works apart from us: what was ordered and how far it is, both sealed. It is in the
/// index until the run has ended, so that the poll finds it; gone a day after its hold's end. `account/run.heard` →
/// until when the writer of a text takes a listener to be there; `account/run.text` → the text so far, sealed, which
/// the writer stores for that listener. Both are gone after an hour.
pub const RUN_JOBS: TableSpec = TableSpec {
    name: "run_jobs",
    partition_key: "id",
    sort_key: None,
    indexes: &[Index { name: DUE_INDEX, partition_key: "poll", sort_key: ("due", KeyType::Number) }],
    ttl: Some("ttl"),
};

/// `poll` (`JOB#0` to `JOB#7`), `due` (Unix seconds).
pub(crate) const DUE_INDEX: &str = "by-due";

pub const TABLES: &[TableSpec] = &[TOOL_PRICING, USAGE_LOG, IDEMPOTENCY, RUN_JOBS];

pub(crate) fn price_item(row: &PriceRow) -> Attributes {
    let chain = row.chain.iter().map(text).collect();
    ItemBuilder::default()
        .text("tool", &row.tool)
        .text("option", &row.option)
        .text("title", &row.title)
        .text("providerCostCents", row.provider_cost)
        .text("markupRatio", row.markup)
        .value("enabled", AttributeValue::Bool(row.is_enabled))
        .value("chain", AttributeValue::L(chain))
        .number("promptCharsMax", row.prompt_chars_max)
        .maybe_number("promptBytesPerUnit", row.prompt_bytes_per_unit)
        .maybe_number("outputTokensMax", row.output_tokens_max)
        .maybe_number("amountPerUnit", row.amount_per_unit)
        .maybe_number("amountMax", row.amount_max)
        .value("summaryChain", AttributeValue::L(row.summary_chain.iter().map(text).collect()))
        .number("position", row.position)
        .build()
}

/// The name of a row, which stands in its key: the store always has it.
pub(crate) fn price_name(attributes: &Attributes) -> Result<String, StoreError> {
    let item = Item::new(TOOL_PRICING.name, attributes);
    Ok(format!("{}/{}", item.text("tool")?, item.text("option")?))
}

pub(crate) fn read_price(attributes: &Attributes, ledger_unit: Unit) -> Result<PriceRow, StoreError> {
    let item = Item::new(TOOL_PRICING.name, attributes);
    let chain = match attributes.get("chain") {
        Some(AttributeValue::L(steps)) => steps.iter().map(|step| step.as_s().cloned()).collect(),
        _ => return Err(item.corrupt("chain")),
    };
    let summary_chain: Result<Vec<String>, _> = match attributes.get("summaryChain") {
        None => Ok(Vec::new()),
        Some(AttributeValue::L(steps)) => steps.iter().map(|step| step.as_s().cloned()).collect(),
        Some(_) => return Err(item.corrupt("summaryChain")),
    };
    Ok(PriceRow {
        tool: item.text("tool")?.to_owned(),
        option: item.text("option")?.to_owned(),
        title: item.text("title")?.to_owned(),
        provider_cost: decimal(&item, attributes, "providerCostCents")?,
        markup: decimal(&item, attributes, "markupRatio")?,
        ledger_unit,
        is_enabled: switch(&item, attributes, "enabled")?,
        chain: Result::map_err(chain, |_| item.corrupt("chain"))?,
        prompt_chars_max: item.number("promptCharsMax")?,
        prompt_bytes_per_unit: item.maybe_number("promptBytesPerUnit")?,
        output_tokens_max: item.maybe_number("outputTokensMax")?,
        amount_per_unit: item.maybe_number("amountPerUnit")?,
        amount_max: item.maybe_number("amountMax")?,
        summary_chain: summary_chain.map_err(|_| item.corrupt("summaryChain"))?,
        position: item.maybe_number("position")?.unwrap_or(u32::MAX),
    })
}

/// `"true"` as a text is a slip of a person who meant to sell; it must not close the tool without a word.
fn switch(item: &Item<'_>, attributes: &Attributes, name: &str) -> Result<bool, StoreError> {
    match attributes.get(name) {
        Some(AttributeValue::Bool(is_on)) => Ok(*is_on),
        _ => Err(item.corrupt(name)),
    }
}

/// People edit these rows: `2.5` may come as text or as a number, and both are exact.
fn decimal<T: std::str::FromStr>(
    item: &Item<'_>,
    attributes: &Attributes,
    name: &str,
) -> Result<T, StoreError> {
    let text = match attributes.get(name) {
        Some(AttributeValue::S(text) | AttributeValue::N(text)) => text,
        _ => return Err(item.corrupt(name)),
    };
    text.parse().map_err(|_| item.corrupt(name))
}
