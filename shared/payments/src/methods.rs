use crate::order::{FixedRate, TopUp};
use crate::pay_by::{Drawn, PayBy, Priced};
use crate::rails::kind::Payee;
use crate::{PaymentsError, Rail, TopUpError, TopUpRules};
use platform::{InvalidSettings, Platform};
use primitives::{Credits, Rate, Timestamp, TopUpId, Unit};
use rates::Rates;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What each rail that is offered here asks of a payer.
#[derive(Clone)]
pub struct Methods {
    unit: Unit,
    /// `API_URL`: where links in an order begin; absent: they are paths
    api_url: String,
    payees: BTreeMap<Rail, Arc<dyn Payee>>,
}

impl Methods {
    /// Those of the profile's rails whose settings are there.
    pub(crate) fn new(platform: &Platform, rules: &TopUpRules) -> Result<Methods, InvalidSettings> {
        platform.env().section(|settings| {
            let mut payees = BTreeMap::new();
            for rail in rules.methods.iter().copied() {
                if rail.kind().is_configured(settings) {
                    let payee = rail.kind().payee(platform, rules, settings);
                    payees.extend(payee.map(|payee| (rail, payee)));
                }
            }
            Methods {
                unit: platform.profile().unit,
                api_url: settings.text_or("API_URL", "").trim_end_matches('/').to_owned(),
                payees,
            }
        })
    }

    /// Without a slash at its end; empty when it is not set.
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Whether the rail's settings are there.
    pub fn offers(&self, rail: Rail) -> bool {
        self.payees.contains_key(&rail)
    }

    /// What so much credit costs by the rail now. The rate is fixed with it, unless a dollar's worth is paid as such.
    pub(crate) async fn price(
        &self,
        rail: Rail,
        credits: Credits,
        rates: &Rates,
        now: Timestamp,
    ) -> Result<Priced, PaymentsError> {
        self.payee(rail)?;
        let currency = rail.currency();
        if let Some(rate) = Rate::at_par(currency) {
            return Ok(Priced {
                credits,
                price: self.unit.price_half_up(credits, currency, rate)?,
                rate: None,
            });
        }
        let quote = rates.for_orders(currency, now).await.map_err(TopUpError::NoRate)?;
        let source = format!("{} {}", quote.source.as_str(), quote.side.as_str());
        let price = self.unit.price_half_up(credits, currency, quote.rate)?;
        Ok(Priced { credits, price, rate: Some(FixedRate { rate: quote.rate, source, at: quote.feed_at }) })
    }

    /// The reference of one order; the store says whether it was free.
    pub(crate) fn draw(
        &self,
        rail: Rail,
        id: TopUpId,
        priced: &Priced,
        is_short: bool,
    ) -> Result<Drawn, PaymentsError> {
        Ok(self.payee(rail)?.draw(id, priced, is_short)?)
    }

    /// `None` when the rail is not configured any more.
    pub fn pay_by(&self, order: &TopUp) -> Option<PayBy> {
        self.payees.get(&order.rail)?.pay_by(order)
    }

    fn payee(&self, rail: Rail) -> Result<&dyn Payee, PaymentsError> {
        self.payees.get(&rail).map(Arc::as_ref).ok_or(TopUpError::RailNotOffered.into())
    }
}
