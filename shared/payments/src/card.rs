use crate::arrival::{Arrival, Claim, Delivery, Received};
use crate::fact::{FactKey, FactState, Unmatched, Via};
use crate::items::reference_name;
use crate::reversal::{Cause, Reversal};
use crate::settings::{CardSettings, read_ipn_secrets, read_sepay_offset};
use crate::{Amount, Payments, PaymentsError, Rail};
use http::HeaderMap;
use platform::{InvalidSettings, Platform, StoreError};
use primitives::{Secret, Timestamp};
use rails::Refused;
use rails::sepay_card::{Api, CardFace, CardOrder, CardOutcome, InvoiceNumber, Ipn, authenticate_ipn};

/// What SePay's gateway says about a card order becomes credit, or takes it back.
#[derive(Clone)]
pub struct CardDesk {
    payments: Payments,
    secrets: Vec<Secret>,
    api: Api,
}

/// What a message about an order led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardNews {
    Received(Received),
    /// The payment was taken back before or after it became credit.
    Voided,
    /// Not paid, or nothing we know of: nothing to do yet.
    Nothing,
    /// SePay could not be asked now; the message is kept and reconciliation asks again.
    Later,
}

impl CardDesk {
    /// `None` when no merchant is configured.
    pub fn new(platform: &Platform) -> Result<Option<CardDesk>, InvalidSettings> {
        let payments = Payments::new(platform)?;
        platform.env().section(|settings| {
            let (secrets, utc_offset_minutes) = (read_ipn_secrets(settings), read_sepay_offset(settings));
            let card = CardSettings::read(settings)?;
            let api = Api {
                http: platform.http().clone(),
                base_url: card.api_url,
                merchant: card.merchant,
                utc_offset_minutes,
            };
            Some(CardDesk { payments, secrets, api })
        })
    }

    pub fn authenticate(&self, headers: &HeaderMap) -> Result<(), Refused> {
        authenticate_ipn(&self.secrets, headers)
    }

    /// Takes an authentic IPN. It only says which order to ask SePay for: a leaked secret alone moves no credit.
    ///
    /// The body is kept before anything else, since nobody knows whether SePay sends it again.
    pub async fn take(&self, raw: &[u8], now: Timestamp) -> Result<CardNews, PaymentsError> {
        let ipn = match Ipn::parse(raw) {
            Ok(ipn) => ipn,
            Err(unreadable) => {
                tracing::error!(error = %unreadable, "an authentic IPN can't be read; it is kept");
                return self.keep_unreadable(raw, now).await.map(CardNews::Received);
            }
        };
        let key = fact_key(&ipn.invoice)?;
        let delivery = Delivery { key: ipn.event_key().replace('#', "-"), body: raw.to_vec() };
        self.payments.keep_delivery(&key, &delivery, Via::Webhook, now).await?;
        self.payments.store.mark(Rail::SepayCard, crate::HEARD, now).await?;
        match self.api.order(&ipn.invoice).await {
            Ok(Some(order)) => self.settle(&order, Via::Webhook, delivery, now).await,
            Ok(None) => {
                tracing::warn!(payment = %key, "an IPN speaks of an order that SePay does not know");
                Ok(CardNews::Nothing)
            }
            Err(error) => {
                tracing::warn!(payment = %key, error = %error, "SePay could not be asked; reconciliation will");
                Ok(CardNews::Later)
            }
        }
    }

    /// Asks SePay for one order and settles what it says.
    pub(crate) async fn ask(
        &self,
        invoice: &InvoiceNumber,
        via: Via,
        now: Timestamp,
    ) -> Result<CardNews, PaymentsError> {
        let Some(order) = self.api.order(invoice).await? else { return Ok(CardNews::Nothing) };
        let body = format!("asked SePay for {invoice}").into_bytes();
        let delivery = Delivery { key: format!("asked-{}", now.seconds()), body };
        self.settle(&order, via, delivery, now).await
    }

    async fn settle(
        &self,
        order: &CardOrder,
        via: Via,
        delivery: Delivery,
        now: Timestamp,
    ) -> Result<CardNews, PaymentsError> {
        let key = fact_key(&order.invoice)?;
        let arrival = |amount: Amount, paid_at: Timestamp, claim: Claim, card: Option<&CardFace>| Arrival {
            key: key.clone(),
            amount,
            paid_at,
            claim,
            trace: order.order_id.clone().unwrap_or_else(|| order.invoice.to_string()),
            shown_as: card.map(shown),
            via,
            delivery: delivery.clone(),
        };
        match order.outcome() {
            CardOutcome::Captured { amount, at, card, .. } => {
                let claim = Claim::References(vec![reference_name(Rail::SepayCard, order.invoice.as_str())]);
                let arrival = arrival(Amount::Vnd(amount), at.min(now), claim, card.as_ref());
                self.payments.receive(&arrival, now).await.map(CardNews::Received)
            }
            CardOutcome::Voided { amount, at, .. } => {
                let arrival = arrival(Amount::Vnd(amount), at.min(now), Claim::Nothing(Unmatched::Odd), None);
                self.void(&arrival, now).await
            }
            CardOutcome::Odd(oddity) => {
                tracing::error!(payment = %key, %oddity, "SePay's record of a card order is odd");
                // Worth a person's look only when money may have moved.
                let Some(amount) = order.amount else { return Ok(CardNews::Nothing) };
                let claim = Claim::Nothing(Unmatched::Odd);
                let arrival = arrival(Amount::Vnd(amount), now, claim, None);
                self.payments.receive(&arrival, now).await.map(CardNews::Received)
            }
            CardOutcome::Waiting | CardOutcome::Cancelled => Ok(CardNews::Nothing),
        }
    }

    /// Takes back what is left of the credit; a payment that was not credited yet never will be.
    async fn void(&self, arrival: &Arrival, now: Timestamp) -> Result<CardNews, PaymentsError> {
        for _ in 0..crate::payments::TRIES {
            match self.payments.store.fact(&arrival.key).await? {
                None => {
                    if self.payments.note_voided(arrival, now).await? {
                        return Ok(CardNews::Voided);
                    }
                }
                Some(fact) => match &fact.state {
                    FactState::Credited(credited) if credited.reversed < credited.credits => {
                        let reversal = Reversal::whole(Cause::Void, "void", "SePay");
                        match self.payments.reverse(&fact.key, &reversal, now).await {
                            Ok(_) => return Ok(CardNews::Voided),
                            Err(error) if platform::IsConflict::is_conflict(&error) => {}
                            Err(error) => return Err(error),
                        }
                    }
                    FactState::Unmatched { .. } => {
                        self.payments.mark_voided(&fact, now).await?;
                        return Ok(CardNews::Voided);
                    }
                    _ => return Ok(CardNews::Voided),
                },
            }
        }
        Err(StoreError::Conflict.into())
    }

    async fn keep_unreadable(&self, raw: &[u8], now: Timestamp) -> Result<Received, PaymentsError> {
        let arrival = crate::bank::unreadable_arrival(Rail::SepayCard, raw, now);
        let arrival = arrival.map_err(|_| own_key_is_malformed())?;
        self.payments.receive(&arrival, now).await
    }

    pub(crate) fn payments(&self) -> &Payments {
        &self.payments
    }

    pub(crate) fn api(&self) -> &Api {
        &self.api
    }
}

fn fact_key(invoice: &InvoiceNumber) -> Result<FactKey, PaymentsError> {
    FactKey::new(Rail::SepayCard, invoice.as_str(), "0").map_err(|_| own_key_is_malformed().into())
}

pub(crate) fn own_key_is_malformed() -> StoreError {
    StoreError::corrupt(crate::PAYMENT_INBOX.name, "a key we made is malformed")
}

/// `VISA 1111, 12/30`: nothing else of a card is ever stored.
fn shown(card: &CardFace) -> String {
    let mut text = format!("{} {}", card.brand().unwrap_or("card"), card.last4());
    if let Some(expiry) = card.expiry() {
        text += &format!(", {expiry}");
    }
    text
}
