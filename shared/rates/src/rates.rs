use crate::reference::Shown;
use crate::settings::RateSettings;
use crate::{Quote, RatesError, items};
use platform::{InvalidSettings, Platform};
use primitives::{Currency, Timestamp};
use std::sync::Arc;

/// The last good exchange rates: [`Rates::refresh`] renews them, orders and displays read them. Cloning is cheap.
#[derive(Clone)]
pub struct Rates(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) platform: Platform,
    pub(crate) settings: RateSettings,
    pub(crate) shown: Shown,
}

/// What is sold at a bank's own price; all other rates are middles, for display.
const FOR_ORDERS: &[Currency] = &[Currency::VND];

impl Rates {
    /// Errors with all settings that can't be used.
    pub fn new(platform: &Platform) -> Result<Rates, InvalidSettings> {
        let settings = platform.env().section(RateSettings::read)?;
        Ok(Rates(Arc::new(Inner { platform: platform.clone(), settings, shown: Shown::default() })))
    }

    /// What a top-up order in that currency is fixed at. The order keeps the quote: nothing looks it up again.
    ///
    /// Errors when no feed was ever good, when the last good one is older than `RATE_AGE_MAX_HOURS`, and for a currency
    /// whose feed is only good enough to be shown.
    pub async fn for_orders(&self, currency: Currency, now: Timestamp) -> Result<Quote, RatesError> {
        if !FOR_ORDERS.contains(&currency) {
            return Err(RatesError::Missing);
        }
        let quote = items::read(&self.0.platform, currency, true).await?.ok_or(RatesError::Missing)?;
        if now.since(quote.feed_at) > self.0.settings.age_max {
            return Err(RatesError::Stale { feed_at: quote.feed_at });
        }
        Ok(quote)
    }
}
