use crate::ProviderName;
use crate::health::{Accounts, HealthRow};
use platform::{
    Attributes, Item, ItemBuilder, Platform, StoreError, TableSpec, key, number, read_batch,
    unless_condition_failed,
};
use primitives::Timestamp;
use std::time::Duration;

/// Whether each provider may be used: `{provider, failures, outages, window, open_until, accounts, ttl}`.
pub const PROVIDER_HEALTH: TableSpec = TableSpec {
    name: "provider_health",
    partition_key: "provider",
    sort_key: None,
    indexes: &[],
    ttl: Some("ttl"),
};

/// The tables this crate owns.
pub const TABLES: &[TableSpec] = &[PROVIDER_HEALTH];

/// A row that nobody changes for this long says nothing any more.
const KEPT: Duration = Duration::from_secs(3600);

/// All rows in one call; a provider without a row is well.
pub(crate) async fn read_all(platform: &Platform) -> Result<Vec<(ProviderName, HealthRow)>, StoreError> {
    let table = platform.table(&PROVIDER_HEALTH);
    let keys = ProviderName::ALL.map(|provider| key([("provider", provider.as_str())]));
    let rows = read_batch(platform.dynamo(), &table, keys.to_vec(), false).await?;
    ProviderName::ALL.into_iter().map(|provider| Ok((provider, row_of(provider, &rows)?))).collect()
}

fn row_of(provider: ProviderName, rows: &[Attributes]) -> Result<HealthRow, StoreError> {
    for attributes in rows {
        if Item::new(PROVIDER_HEALTH.name, attributes).text("provider")? == provider.as_str() {
            return read_item(attributes);
        }
    }
    Ok(HealthRow::default())
}

/// The row as it is now, not as it was a moment ago.
pub(crate) async fn read(platform: &Platform, provider: ProviderName) -> Result<HealthRow, StoreError> {
    let call = platform
        .dynamo()
        .get_item()
        .table_name(platform.table(&PROVIDER_HEALTH))
        .set_key(Some(key([("provider", provider.as_str())])))
        .consistent_read(true);
    let item = call.send().await.map_err(StoreError::of_sdk)?.item;
    item.map_or(Ok(HealthRow::default()), |attributes| read_item(&attributes))
}

/// Writes `next` if the row is still `seen`; false when somebody else was faster.
pub(crate) async fn replace(
    platform: &Platform,
    provider: ProviderName,
    seen: &HealthRow,
    next: &HealthRow,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut call = platform
        .dynamo()
        .put_item()
        .table_name(platform.table(&PROVIDER_HEALTH))
        .set_item(Some(item_of(provider, next, now)))
        .condition_expression(still_is(seen))
        .expression_attribute_names("#failures", "failures")
        .expression_attribute_values(":failures", number(seen.failures))
        .expression_attribute_names("#window", "window")
        .expression_attribute_names("#open_until", "open_until");
    if let Some(window) = seen.window {
        call = call.expression_attribute_values(":window", number(window.millis()));
    }
    if let Some(until) = seen.open_until {
        call = call.expression_attribute_values(":open_until", number(until.millis()));
    }
    if *seen == HealthRow::default() {
        call = call.expression_attribute_names("#provider", "provider");
    }
    Ok(unless_condition_failed(call.send().await)?.is_some())
}

/// Every change moves one of these three, so they stand for the whole row. A row without failures may also not be
/// there at all.
fn still_is(seen: &HealthRow) -> String {
    let absent_or = |name: &str, is_there: bool| {
        if is_there { format!("#{name} = :{name}") } else { format!("attribute_not_exists(#{name})") }
    };
    let window = absent_or("window", seen.window.is_some());
    let open_until = absent_or("open_until", seen.open_until.is_some());
    let same = format!("#failures = :failures AND {window} AND {open_until}");
    if *seen == HealthRow::default() {
        return format!("attribute_not_exists(#provider) OR ({same})");
    }
    same
}

fn item_of(provider: ProviderName, row: &HealthRow, now: Timestamp) -> Attributes {
    ItemBuilder::default()
        .text("provider", provider)
        .number("failures", row.failures)
        .number("outages", row.outages)
        .maybe_number("window", row.window.map(Timestamp::millis))
        .maybe_number("open_until", row.open_until.map(Timestamp::millis))
        .text("accounts", row.accounts.to_text())
        .number("ttl", now.after(KEPT).seconds())
        .build()
}

fn read_item(attributes: &Attributes) -> Result<HealthRow, StoreError> {
    let item = Item::new(PROVIDER_HEALTH.name, attributes);
    Ok(HealthRow {
        failures: item.number("failures")?,
        outages: item.maybe_number("outages")?.unwrap_or(0),
        window: item.maybe_time("window")?,
        open_until: item.maybe_time("open_until")?,
        accounts: item.maybe_text("accounts")?.map(Accounts::of_text).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_being_stored() {
        let now = Timestamp::from_seconds(1_790_000_000);
        let rows = [
            HealthRow::default(),
            HealthRow { failures: 3, window: Some(now), ..HealthRow::default() },
            HealthRow {
                failures: 5,
                outages: 2,
                window: Some(now),
                open_until: Some(now.after(KEPT)),
                accounts: Accounts::of_text("AAAAAAAAAAA AQEBAQEBAQE"),
            },
        ];
        for row in rows {
            let item = item_of(ProviderName::Fal, &row, now);
            assert_eq!(read_item(&item).unwrap(), row);
            assert_eq!(row_of(ProviderName::Fal, std::slice::from_ref(&item)).unwrap(), row);
            assert_eq!(row_of(ProviderName::Comfyui, &[item]).unwrap(), HealthRow::default());
        }
    }
}
