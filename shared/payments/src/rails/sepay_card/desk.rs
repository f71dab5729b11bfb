use super::settings::{CardSettings, read_ipn_secrets};
use crate::arrival::{Arrival, Delivery, Destination, Received, name_of_bytes};
use crate::error::own_key_is_malformed;
use crate::fact::{FactKey, FactState, ODD, Unmatched, Via};
use crate::items::reference_name;
use crate::reversal::{Cause, Reversal};
use crate::settings::read_sepay_offset;
use crate::{DecisionError, Payments, PaymentsError, Rail, TopUpRules};
use http::HeaderMap;
use platform::{InvalidSettings, Platform, StoreError, with_causes};
use primitives::{Currency, Money, Secret, Timestamp, times};
use rails::sepay_card::{
    Api, CardFace, CardOrder, CardOutcome, InvoiceNumber, Ipn, Oddity, authenticate_ipn,
};
use rails::{NotAuthentic, Unreadable, Vnd};
use serde_json::json;

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
    /// The payment was taken back, before or after it became credit.
    Voided,
    /// Not paid, nothing we know of, or known before.
    Nothing,
    /// SePay could not be asked now; the message is kept and reconciliation asks again.
    Later,
}

impl CardDesk {
    /// `None` when the profile offers no cards, or no merchant is configured.
    pub fn new(platform: &Platform) -> Result<Option<CardDesk>, InvalidSettings> {
        if !Rail::SepayCard.is_offered_by(&platform.rules(TopUpRules::read)?) {
            return Ok(None);
        }
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

    /// For the function that IPNs reach: where cards are taken it can't start without `SEPAY_IPN_SECRETS`.
    pub fn for_messages(platform: &Platform) -> Result<Option<CardDesk>, InvalidSettings> {
        let desk = CardDesk::new(platform)?;
        if desk.as_ref().is_some_and(|desk| desk.secrets.is_empty()) {
            platform.env().section(|settings| {
                settings.complain(
                    "SEPAY_IPN_SECRETS",
                    "is missing beside SEPAY_MERCHANT_ID: no IPN would be believed",
                );
            })?;
        }
        Ok(desk)
    }

    pub fn authenticate(&self, headers: &HeaderMap) -> Result<(), NotAuthentic> {
        authenticate_ipn(&self.secrets, headers)
    }

    /// Takes an authentic IPN. It only says which order to ask SePay for: a leaked secret alone moves no credit.
    ///
    /// The body is kept before anything else, since nobody knows whether SePay sends it again.
    pub async fn take(&self, raw: &[u8], now: Timestamp) -> Result<CardNews, PaymentsError> {
        let subject = match IpnSubject::read(raw) {
            Ok(subject) => subject,
            Err(unreadable) => {
                tracing::error!(error = %unreadable, "an authentic IPN can't be read; it is kept");
                let arrival = Arrival::unreadable(Rail::SepayCard, None, raw, now);
                let arrival = arrival.map_err(|_| own_key_is_malformed())?;
                return self.payments.receive(&arrival, now).await.map(CardNews::Received);
            }
        };
        let key = fact_key(&subject.invoice)?;
        let delivery = Delivery { key: subject.name.clone(), body: raw.to_vec() };
        self.payments.keep_delivery(&key, &delivery, Via::Webhook, now).await?;
        self.payments.store.note_moment(Rail::SepayCard, crate::HEARD, now).await;
        let news =
            match tokio::time::timeout(times::IPN_QUESTIONS.limit, self.api.order(&subject.invoice)).await {
                Ok(Ok(Some(order))) => self.settle(&order, Via::Webhook, delivery.clone(), now).await?,
                Ok(Ok(None)) => CardNews::Nothing,
                Ok(Err(error)) => {
                    tracing::warn!(
                        payment = %key, error = %with_causes(&error),
                        "SePay could not be asked; reconciliation will"
                    );
                    CardNews::Later
                }
                Err(_) => {
                    tracing::warn!(payment = %key, "SePay answered too slowly; reconciliation asks again");
                    CardNews::Later
                }
            };
        match (news, subject.stated) {
            (CardNews::Nothing | CardNews::Later, Some(stated)) => {
                self.keep_unconfirmed(&subject.invoice, stated, delivery, now).await
            }
            (news, _) => Ok(news),
        }
    }

    /// SePay says paid, and its record does not, or can't be had. If the order is ours, it stays in sight until the
    /// record says so too.
    async fn keep_unconfirmed(
        &self,
        invoice: &InvoiceNumber,
        stated: Vnd,
        delivery: Delivery,
        now: Timestamp,
    ) -> Result<CardNews, PaymentsError> {
        let name = reference_name(Rail::SepayCard, invoice.as_str());
        if self.payments.store.references(&[name]).await?.is_empty() {
            tracing::warn!(%invoice, "an IPN speaks of an order that is not ours");
            return Ok(CardNews::Nothing);
        }
        let arrival = Arrival {
            key: fact_key(invoice)?,
            amount: Money::from(stated),
            paid_at: now,
            destination: Destination::Nothing(Unmatched::Unconfirmed),
            trace: invoice.to_string(),
            shown_as: None,
            via: Via::Webhook,
            delivery,
            marks: None,
        };
        self.payments.receive(&arrival, now).await.map(CardNews::Received)
    }

    /// Asks SePay for one order and settles what it says.
    pub(super) async fn ask(
        &self,
        invoice: &InvoiceNumber,
        via: Via,
        now: Timestamp,
    ) -> Result<CardNews, PaymentsError> {
        let Some(order) = self.api.order(invoice).await? else { return Ok(CardNews::Nothing) };
        let told = json!({
            "asked_for": invoice.to_string(),
            "order_id": order.order_id,
            "amount": order.amount.map(Vnd::get),
            "updated_at": order.updated_at,
        });
        let delivery =
            Delivery { key: format!("asked-{}", now.seconds()), body: told.to_string().into_bytes() };
        let news = self.settle(&order, via, delivery, now).await?;
        // What is not decided yet, e.g. a void under way, is asked for again.
        if matches!(news, CardNews::Received(_) | CardNews::Voided) {
            let looked_at = order.updated_at.unwrap_or(now);
            self.payments.store.mark_checked(&fact_key(invoice)?, looked_at).await?;
        }
        Ok(news)
    }

    async fn settle(
        &self,
        order: &CardOrder,
        via: Via,
        delivery: Delivery,
        now: Timestamp,
    ) -> Result<CardNews, PaymentsError> {
        let key = fact_key(&order.invoice)?;
        let arrival =
            |amount: Vnd, paid_at: Timestamp, destination: Destination, card: Option<&CardFace>| Arrival {
                key: key.clone(),
                amount: Money::from(amount),
                paid_at: paid_at.min(now),
                destination,
                trace: order.order_id.clone().unwrap_or_else(|| order.invoice.to_string()),
                shown_as: card.map(shown),
                via,
                delivery: delivery.clone(),
                marks: None,
            };
        match order.outcome() {
            CardOutcome::Captured { amount, at, card, .. } => {
                let destination =
                    Destination::References(vec![reference_name(Rail::SepayCard, order.invoice.as_str())]);
                let arrival = arrival(amount, at, destination, card.as_ref());
                self.payments.receive(&arrival, now).await.map(CardNews::Received)
            }
            CardOutcome::Voided { amount, at, .. } => {
                self.void(&arrival(amount, at, Destination::Nothing(Unmatched::Odd), None), now).await
            }
            CardOutcome::Odd(oddity) => {
                tracing::error!(payment = %key, %oddity, "SePay's record of a card order is odd");
                // Money may have moved, also when nobody can read how much.
                let amount = order.amount.unwrap_or(Vnd::ZERO);
                let odd = arrival(amount, now, Destination::Nothing(Unmatched::Odd), None);
                self.keep_odd(odd, oddity, now).await.map(CardNews::Received)
            }
            CardOutcome::Waiting | CardOutcome::Cancelled => Ok(CardNews::Nothing),
        }
    }

    /// What is odd about a payment that was decided already (given back in part, paid twice) has a fact of its own,
    /// one for each kind of oddity, so that somebody sees it. What of it is money, only that person can say.
    async fn keep_odd(
        &self,
        mut odd: Arrival,
        oddity: Oddity,
        now: Timestamp,
    ) -> Result<Received, PaymentsError> {
        let before = self.payments.store.fact(&odd.key).await?;
        if before.is_some_and(|fact| !fact.is_open()) {
            let part = format!("{ODD}{oddity:?}");
            odd.key = odd.key.with_part(&part).map_err(|_| own_key_is_malformed())?;
            odd.amount = Money::zero(Currency::VND);
        }
        self.payments.receive(&odd, now).await
    }

    /// Takes back what is left of the credit; a payment that was not credited yet never will be.
    async fn void(&self, arrival: &Arrival, now: Timestamp) -> Result<CardNews, PaymentsError> {
        for _ in 0..crate::payments::TRIES {
            let Some(fact) = self.payments.store.fact(&arrival.key).await? else {
                if self.payments.note_voided(arrival, now).await? {
                    return Ok(CardNews::Voided);
                }
                continue;
            };
            match &fact.state {
                FactState::Credited(credited) if credited.reversed < credited.credits => {
                    let reversal = Reversal::whole(Cause::Void, "void", "SePay");
                    return match self.payments.reverse(&fact.key, &reversal, now).await {
                        Ok(_) => Ok(CardNews::Voided),
                        // Undone by an administrator since, or taken back by one at this moment: theirs to decide.
                        Err(
                            error @ PaymentsError::Decision(
                                DecisionError::DoneOtherwise | DecisionError::TooMuch { .. },
                            ),
                        ) => {
                            tracing::error!(payment = %fact.key, error = %error, "a void was told again");
                            Ok(CardNews::Nothing)
                        }
                        Err(error) => Err(error),
                    };
                }
                FactState::Unmatched { .. } | FactState::Claimed(_) | FactState::Dismissed { .. } => {
                    if self.payments.mark_voided(&fact, "SePay", now).await? {
                        return Ok(CardNews::Voided);
                    }
                }
                FactState::Credited(_) | FactState::Ignored(_) | FactState::Voided => {
                    return Ok(CardNews::Nothing);
                }
            }
        }
        Err(StoreError::Conflict.into())
    }

    pub(super) fn api(&self) -> &Api {
        &self.api
    }

    pub(super) fn payments(&self) -> &Payments {
        &self.payments
    }
}

/// What a message is about, as far as it can be read.
struct IpnSubject {
    invoice: InvoiceNumber,
    /// The delivery's name.
    name: String,
    /// The amount, if the message says that it is paid.
    stated: Option<Vnd>,
}

impl IpnSubject {
    /// The order's number is all that is needed; the rest is asked for.
    fn read(raw: &[u8]) -> Result<IpnSubject, Unreadable> {
        match Ipn::parse(raw) {
            Ok(ipn) => Ok(IpnSubject {
                name: ipn.event_key().replace('#', "-"),
                stated: ipn.stated_payment(),
                invoice: ipn.invoice,
            }),
            Err(unreadable) => {
                let (invoice, stated) = Ipn::glimpse(raw).ok_or(unreadable)?;
                Ok(IpnSubject { invoice, name: name_of_bytes(raw), stated })
            }
        }
    }
}

fn fact_key(invoice: &InvoiceNumber) -> Result<FactKey, PaymentsError> {
    FactKey::new(Rail::SepayCard, invoice.as_str(), "0").map_err(|_| own_key_is_malformed().into())
}

/// `VISA 1111, 12/30`: nothing else of a card is ever stored.
fn shown(card: &CardFace) -> String {
    let mut text = format!("{} {}", card.brand().unwrap_or("card"), card.last4());
    if let Some(expiry) = card.expiry() {
        text += &format!(", {expiry}");
    }
    text
}
