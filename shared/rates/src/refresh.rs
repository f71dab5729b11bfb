use crate::feed::{self, FeedError};
use crate::frankfurter::{self, Published};
use crate::vietcombank::Board;
use crate::{Implausible, Quote, Rates, Side, Source, agree, guard, items};
use platform::{StoreError, with_causes};
use primitives::{Currency, Rate, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// "Only one request every 5 minutes!", a comment in Vietcombank's own feed.
const VIETCOMBANK_PAUSE: Duration = Duration::from_secs(300);

/// Vietcombank's front turns away what does not look like a browser.
const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/// What one refresh did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Report {
    pub vietcombank: FeedReport,
    pub frankfurter: FeedReport,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedReport {
    /// The feed was asked less than five minutes ago.
    Resting,
    /// Nothing came of it; the last good rates stay.
    Failed,
    Read {
        /// Rates that are the last good ones from now on.
        renewed: u32,
        /// Rates that were refused or could not be written; the last good ones stay.
        kept: u32,
    },
}

impl Rates {
    /// Asks both feeds and keeps what is good. Each fails alone, and leaves the last good rates as they are.
    pub async fn refresh(&self, now: Timestamp) -> Report {
        let middles = self.ask_frankfurter().await;
        let second = middles.as_ref().ok().and_then(|all| all.get(&Currency::VND)).map(|middle| middle.rate);
        let report = Report {
            vietcombank: self.renew_from_vietcombank(second, now).await,
            frankfurter: self.renew_from_frankfurter(middles, now).await,
        };
        tracing::info!(?report, "the exchange rates were refreshed");
        report
    }

    async fn renew_from_vietcombank(&self, second: Option<Rate>, now: Timestamp) -> FeedReport {
        match items::take_call(&self.0.platform, Currency::VND, VIETCOMBANK_PAUSE, now).await {
            Ok(true) => {}
            Ok(false) => return FeedReport::Resting,
            Err(error) => return failed(Source::Vietcombank, &error),
        }
        let quote = match self.ask_vietcombank(now).await {
            Ok(quote) => quote,
            Err(error) => return failed(Source::Vietcombank, &error),
        };
        if second.is_none() {
            tracing::warn!("USD/VND is taken without a second source to compare it with");
        }
        let bounds = self.0.settings.for_orders();
        let last_good = self.last_good(Currency::VND).await;
        let judge = |last: Option<&Quote>| {
            guard::judge(&quote, last, now, &bounds).and_then(|()| agree(quote.rate, second))
        };
        let is_renewed = self.renew(&quote, last_good, judge).await;
        FeedReport::Read { renewed: is_renewed.into(), kept: (!is_renewed).into() }
    }

    async fn renew_from_frankfurter(
        &self,
        middles: Result<BTreeMap<Currency, Published>, FeedError>,
        now: Timestamp,
    ) -> FeedReport {
        let middles = match middles {
            Ok(middles) => middles,
            Err(error) => return failed(Source::Frankfurter, &error),
        };
        let bounds = self.0.settings.for_display();
        let (mut renewed, mut kept) = (0, 0);
        // VND is Vietcombank's; here it was only the second source.
        for (currency, middle) in middles.into_iter().filter(|(currency, _)| is_only_shown(*currency)) {
            let quote = Quote {
                currency,
                rate: middle.rate,
                source: Source::Frankfurter,
                side: Side::Mid,
                feed_at: middle.at,
                fetched_at: now,
            };
            let last_good = self.last_good(currency).await;
            let judge = |last: Option<&Quote>| guard::judge(&quote, last, now, &bounds);
            match self.renew(&quote, last_good, judge).await {
                true => renewed += 1,
                false => kept += 1,
            }
        }
        FeedReport::Read { renewed, kept }
    }

    async fn ask_vietcombank(&self, now: Timestamp) -> Result<Quote, FeedError> {
        let settings = &self.0.settings;
        let text = feed::fetch(&self.0.platform, &settings.vietcombank_url, Some(BROWSER)).await?;
        let board = Board::parse(&text)?;
        Ok(Quote {
            currency: Currency::VND,
            rate: board.dollar(settings.side)?,
            source: Source::Vietcombank,
            side: settings.side,
            feed_at: board.at,
            fetched_at: now,
        })
    }

    async fn ask_frankfurter(&self) -> Result<BTreeMap<Currency, Published>, FeedError> {
        let url = frankfurter::url(&self.0.settings.frankfurter_url);
        frankfurter::parse(&feed::fetch(&self.0.platform, &url, None).await?)
    }

    async fn last_good(&self, currency: Currency) -> Result<Option<Quote>, StoreError> {
        items::read(&self.0.platform, currency, true).await
    }

    /// Makes `quote` the last good one if the judge says so. What can't be compared is not taken.
    async fn renew(
        &self,
        quote: &Quote,
        last_good: Result<Option<Quote>, StoreError>,
        judge: impl Fn(Option<&Quote>) -> Result<(), Implausible>,
    ) -> bool {
        let currency = quote.currency;
        let written = match last_good {
            Ok(last) => match judge(last.as_ref()) {
                Ok(()) => items::replace(&self.0.platform, last.as_ref(), quote).await,
                Err(refusal) => {
                    tracing::error!(
                        metric = "rate_refused", source = %quote.source, %currency, reason = %refusal,
                        "a rate was refused; the last good one stays"
                    );
                    return false;
                }
            },
            Err(error) => Err(error),
        };
        match written {
            Ok(is_written) => is_written,
            Err(error) => {
                tracing::error!(
                    metric = "rate_refused", source = %quote.source, %currency, error = %with_causes(&error),
                    "a rate could not be kept; the last good one stays"
                );
                false
            }
        }
    }
}

fn is_only_shown(currency: Currency) -> bool {
    currency != Currency::VND && frankfurter::QUOTES.contains(&currency.code())
}

fn failed(source: Source, error: &dyn std::error::Error) -> FeedReport {
    tracing::error!(
        metric = "rate_refused", %source, error = %with_causes(error),
        "a feed gave no rates; the last good ones stay"
    );
    FeedReport::Failed
}
