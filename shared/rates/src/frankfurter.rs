//! Frankfurter, version 2 (`/v2/rates`): the middle of what central banks publish.

use crate::feed::FeedError;
use primitives::{Currency, Rate, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use time::Date;
use time::macros::format_description;

/// What we ask for: the currencies that `Currency::of_country` gives to people, VND as the second source.
pub(crate) const QUOTES: [&str; 17] = [
    "AUD", "CAD", "CHF", "CNY", "EUR", "GBP", "HKD", "IDR", "INR", "JPY", "KRW", "MYR", "NZD", "PHP", "SGD",
    "THB", "VND",
];

/// One currency's rate and its day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) rate: Rate,
    /// Noon UTC: a day has no hour, and noon is the same day everywhere people wait for rates.
    pub(crate) at: Timestamp,
}

/// Numbers stay text: a parsed one would have been a float.
#[derive(Deserialize)]
struct Row<'a> {
    date: &'a str,
    base: &'a str,
    quote: &'a str,
    #[serde(borrow)]
    rate: &'a RawValue,
}

pub(crate) fn url(base: &str) -> String {
    format!("{base}/v2/rates?base=USD&quotes={}", QUOTES.join(","))
}

/// Reads the answer; a row that can't be read is left out, of several days the last one counts.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<Currency, Published>, FeedError> {
    let rows: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|_| FeedError::Unreadable("it is no array of rates"))?;
    let mut published: BTreeMap<Currency, Published> = BTreeMap::new();
    for row in rows {
        let Some((currency, new)) = serde_json::from_str(row.get()).ok().and_then(|row| read(&row)) else {
            tracing::warn!(feed = "frankfurter", "a row of the feed can't be read");
            continue;
        };
        if published.get(&currency).is_none_or(|known| known.at < new.at) {
            published.insert(currency, new);
        }
    }
    if published.is_empty() {
        return Err(FeedError::Unreadable("it holds no rate"));
    }
    Ok(published)
}

fn read(row: &Row<'_>) -> Option<(Currency, Published)> {
    let currency: Currency = row.quote.parse().ok()?;
    let date = Date::parse(row.date, format_description!("[year]-[month]-[day]")).ok()?;
    let noon = date.with_hms(12, 0, 0).ok()?.assume_utc().unix_timestamp();
    let at = Timestamp::from_seconds(u64::try_from(noon).ok()?);
    let rate = row.rate.get().parse().ok()?;
    (row.base == "USD" && currency != Currency::USD).then_some((currency, Published { rate, at }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::rate;

    fn rates(text: &str) -> Vec<(String, String)> {
        let published = parse(text).unwrap();
        published
            .into_iter()
            .map(|(code, published)| (code.to_string(), published.rate.to_string()))
            .collect()
    }

    #[test]
    fn every_rate_is_read_to_its_last_digit() {
        let text = r#"[{"date":"2026-11-20","base":"USD","quote":"VND","rate":26120.0},
            {"date":"2026-11-20","base":"USD","quote":"EUR","rate":0.91234567,"providers":["ECB"]},
            {"date":"2026-11-20","base":"USD","quote":"IDR","rate":16500}]"#;
        let expected = [("EUR", "0.912346"), ("IDR", "16500"), ("VND", "26120")];
        assert_eq!(rates(text), expected.map(|(code, rate)| (code.to_owned(), rate.to_owned())));
        assert_eq!(parse(text).unwrap()[&Currency::VND].at.to_string(), "2026-11-20T12:00:00.000Z");
    }

    #[test]
    fn a_number_that_a_float_can_not_hold_is_kept() {
        let text = r#"[{"date":"2026-11-20","base":"USD","quote":"VND","rate":10000000000000.000001}]"#;
        assert_eq!(parse(text).unwrap()[&Currency::VND].rate, rate("10000000000000.000001"));
    }

    #[test]
    fn a_row_that_can_not_be_read_hides_no_other() {
        let good = r#"{"date":"2026-11-20","base":"USD","quote":"EUR","rate":0.91}"#;
        for bad in [
            r#"{"date":"2026-11-20","base":"EUR","quote":"GBP","rate":0.8}"#,
            r#"{"date":"2026-11-20","base":"USD","quote":"GBP","rate":"0.8"}"#,
            r#"{"date":"2026-11-20","base":"USD","quote":"GBP","rate":0}"#,
            r#"{"date":"2026-11-20","base":"USD","quote":"GBP","rate":-0.8}"#,
            r#"{"date":"2026-11-20","base":"USD","quote":"GBP","rate":null}"#,
            r#"{"date":"2026-11-20","base":"USD","quote":"GBP","rate":8e-1}"#,
            r#"{"date":"20 Nov","base":"USD","quote":"GBP","rate":0.8}"#,
            r#"{"date":"2026-11-20","base":"USD","quote":"gbp","rate":0.8}"#,
            r#"{"date":"2026-11-20","base":"USD","quote":"USD","rate":1.0}"#,
            r#"{"quote":"GBP"}"#,
            "7",
        ] {
            let expected = [("EUR".to_owned(), "0.91".to_owned())];
            assert_eq!(rates(&format!("[{bad},{good}]")), expected, "{bad}");
        }
    }

    #[test]
    fn the_last_day_counts() {
        let row = |day: u8, rate: &str| {
            format!(r#"{{"date":"2026-11-{day}","base":"USD","quote":"EUR","rate":{rate}}}"#)
        };
        let text = format!("[{},{},{}]", row(19, "0.9"), row(20, "0.91"), row(18, "0.92"));
        assert_eq!(rates(&text), [("EUR".to_owned(), "0.91".to_owned())]);
    }

    #[test]
    fn an_error_document_is_no_feed() {
        for text in [r#"{"status":422,"message":"invalid"}"#, "", "<html>", "[]", "[7]"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn all_currencies_that_people_are_given_are_asked_for() {
        for country in [
            "VN", "TH", "JP", "KR", "SG", "GB", "AU", "CA", "CH", "CN", "HK", "IN", "ID", "MY", "PH", "NZ",
            "DE",
        ] {
            let currency = Currency::of_country(country);
            assert!(QUOTES.contains(&currency.code()), "{currency}");
        }
    }
}
