use crate::{Quote, Rates, frankfurter, items};
use platform::with_causes;
use primitives::{Credits, Currency, Language, MoneyView, Timestamp, Unit};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use utoipa::ToSchema;

/// Rates change daily; an instance reads each at most this often.
const FRESH_FOR: Duration = Duration::from_secs(600);

/// An amount in another currency, for reference only: nothing is ever charged in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reference {
    /// Rounded to the currency's smallest unit.
    #[serde(flatten)]
    money: MoneyView,
    /// The day of the exchange rate, in UTC.
    #[schema(value_type = String, format = Date, example = "2026-11-20")]
    rate_date: String,
}

/// What was read lately, also that there was nothing.
#[derive(Default)]
pub(crate) struct Shown(Mutex<HashMap<Currency, Read>>);

#[derive(Clone, Copy)]
struct Read {
    quote: Option<Quote>,
    at: Timestamp,
}

impl Quote {
    /// The amount as it is shown beside so much credit; `None` when it is too large to be written.
    pub fn reference(&self, unit: Unit, credits: Credits, language: Language) -> Option<Reference> {
        let amount = unit.price_half_up(credits, self.currency, self.rate).ok()?;
        Some(Reference { money: MoneyView::new(amount, language), rate_date: self.feed_at.date() })
    }
}

impl Rates {
    /// Whether amounts can be shown in this currency at all: the ledger's own, or one that rates are fetched for.
    pub fn can_show(currency: Currency) -> bool {
        currency == Currency::USD || frankfurter::QUOTES.contains(&currency.code())
    }

    /// For display only: the last good quote of whatever age, up to ten minutes late.
    ///
    /// `None` for USD, for a currency without a rate, and when the store does not answer: nobody shall wait for a figure
    /// that only helps reading.
    pub async fn reference(&self, currency: Currency, now: Timestamp) -> Option<Quote> {
        if !frankfurter::QUOTES.contains(&currency.code()) {
            return None;
        }
        let known = self.0.shown.get(currency);
        if let Some(read) = known.filter(|read| now.since(read.at) < FRESH_FOR) {
            return read.quote;
        }
        let quote = match items::read(&self.0.platform, currency, false).await {
            Ok(quote) => quote,
            Err(error) => {
                tracing::warn!(%currency, error = %with_causes(&error), "a reference rate could not be read");
                known.and_then(|read| read.quote)
            }
        };
        self.0.shown.put(currency, Read { quote, at: now });
        quote
    }
}

impl Shown {
    fn get(&self, currency: Currency) -> Option<Read> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&currency).copied()
    }

    fn put(&self, currency: Currency, read: Read) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(currency, read);
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::quote;
    use primitives::{Credits, Language, Unit};

    #[test]
    fn an_amount_is_written_with_its_currencys_decimals_and_the_rates_day() {
        for (currency, rate, units, english, vietnamese) in [
            ("VND", "26270", 100, "26,270 VND", "26.270 VND"),
            ("EUR", "0.91", 5, "0.05 EUR", "0,05 EUR"),
            ("EUR", "0.91", 0, "0.00 EUR", "0,00 EUR"),
            ("EUR", "0.91", 123_456, "1,123.45 EUR", "1.123,45 EUR"),
            ("KWD", "0.3071", 1, "0.003 KWD", "0,003 KWD"),
        ] {
            let credits = Credits::new(units).unwrap();
            let shown = |language| quote(currency, rate).reference(Unit::UsdCent, credits, language).unwrap();
            assert_eq!(shown(Language::English).money.text, english);
            assert_eq!(shown(Language::Vietnamese).money.text, vietnamese);
            assert_eq!(shown(Language::English).rate_date, "2026-11-20");
        }
        let too_much = quote("VND", "26270").reference(Unit::UsdCent, Credits::MAX, Language::English);
        assert_eq!(too_much, None);
    }
}
