use crate::Quote;
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{
    Attributes, Item, Key, Platform, StoreError, TableSpec, key, number, text, unless_condition_failed,
};
use primitives::{Currency, Timestamp};
use std::time::Duration;

/// The last good quote of each currency: `{currency, rate, source, side, feed_at, fetched_at, asked_at}`.
///
/// `asked_at` stands only where a feed limits how often it may be asked; a row may have it and no rate yet.
pub const EXCHANGE_RATES: TableSpec =
    TableSpec { name: "exchange_rates", partition_key: "currency", sort_key: None, indexes: &[], ttl: None };

/// The tables this crate owns.
pub const TABLES: &[TableSpec] = &[EXCHANGE_RATES];

/// The last good quote. `is_consistent`: as it is now, not as it was a moment ago.
pub(crate) async fn read(
    platform: &Platform,
    currency: Currency,
    is_consistent: bool,
) -> Result<Option<Quote>, StoreError> {
    let get = platform.dynamo().get_item().table_name(platform.table(&EXCHANGE_RATES));
    let get = get.set_key(Some(key_of(currency))).consistent_read(is_consistent);
    let item = get.send().await.map_err(StoreError::of_sdk)?.item;
    item.map_or(Ok(None), |attributes| quote_of(currency, &attributes))
}

/// Writes `new` if the last good quote is still `seen`; false when somebody else was faster.
pub(crate) async fn replace(
    platform: &Platform,
    seen: Option<&Quote>,
    new: &Quote,
) -> Result<bool, StoreError> {
    let mut update = platform
        .dynamo()
        .update_item()
        .table_name(platform.table(&EXCHANGE_RATES))
        .set_key(Some(key_of(new.currency)));
    let attributes = attributes_of(new);
    let sets = attributes.iter().map(|(name, _)| format!("#{name} = :{name}")).collect::<Vec<_>>();
    update = update.update_expression(format!("SET {}", sets.join(", ")));
    for (name, value) in attributes {
        update = update
            .expression_attribute_names(format!("#{name}"), name)
            .expression_attribute_values(format!(":{name}"), value);
    }
    update = match seen {
        None => update.condition_expression("attribute_not_exists(#rate)"),
        Some(seen) => update
            .condition_expression("#fetched_at = :seen")
            .expression_attribute_values(":seen", number(seen.fetched_at.millis())),
    };
    Ok(unless_condition_failed(update.send().await)?.is_some())
}

/// Takes the one call that a feed allows per `pause`; false when somebody has had it.
pub(crate) async fn take_call(
    platform: &Platform,
    currency: Currency,
    pause: Duration,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let update = platform
        .dynamo()
        .update_item()
        .table_name(platform.table(&EXCHANGE_RATES))
        .set_key(Some(key_of(currency)))
        .update_expression("SET asked_at = :now")
        .condition_expression("attribute_not_exists(asked_at) OR asked_at <= :due")
        .expression_attribute_values(":now", number(now.millis()))
        .expression_attribute_values(":due", number(now.before(pause).millis()));
    Ok(unless_condition_failed(update.send().await)?.is_some())
}

fn key_of(currency: Currency) -> Key {
    key([(EXCHANGE_RATES.partition_key, currency.code())])
}

fn attributes_of(quote: &Quote) -> [(&'static str, AttributeValue); 5] {
    [
        ("rate", text(quote.rate)),
        ("source", text(quote.source)),
        ("side", text(quote.side)),
        ("feed_at", number(quote.feed_at.millis())),
        ("fetched_at", number(quote.fetched_at.millis())),
    ]
}

fn quote_of(currency: Currency, attributes: &Attributes) -> Result<Option<Quote>, StoreError> {
    let item = Item::new(EXCHANGE_RATES.name, attributes);
    let Some(rate) = item.maybe_parsed("rate")? else { return Ok(None) };
    Ok(Some(Quote {
        currency,
        rate,
        source: item.parsed("source")?,
        side: item.parsed("side")?,
        feed_at: item.time("feed_at")?,
        fetched_at: item.time("fetched_at")?,
    }))
}
