use crate::PaymentsError;
use crate::arrival::{Arrival, Claim, Delivery, Received};
use crate::fact::{Credited, Fact, FactKey, FactState, Unmatched, Via};
use crate::items::event_item;
use crate::order::{Payment, TopUp};
use crate::ruling::{Ruling, rule};
use crate::store::{Store, When, Written};
use aws_sdk_dynamodb::types::TransactWriteItem;
use credits::{CreditsError, Ledger, Origin, Posted, Posting};
use platform::{InvalidSettings, Platform, Sealer, StoreError, TopUpRules, retry_conflicts};
use primitives::{AccountId, Credits, EntryId, Timestamp, TopUpId};

/// How often something is decided anew because somebody changed what it was decided on.
pub(crate) const TRIES: usize = 10;

/// Turns authentic payment facts into credit: once each, whoever tells of them how often.
#[derive(Clone)]
pub struct Payments {
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    pub(crate) rules: TopUpRules,
    pub(crate) sealer: Sealer,
}

/// Whom an arrival belongs to.
enum Owner {
    Order(Box<TopUp>),
    Nobody(Unmatched, Option<(AccountId, TopUpId)>),
}

/// `None`: somebody changed what this was decided on.
type Settled = Option<Received>;

impl Payments {
    pub fn new(platform: &Platform) -> Result<Payments, InvalidSettings> {
        Ok(Payments {
            store: Store::new(platform),
            ledger: Ledger::new(platform),
            rules: platform.profile().top_ups.clone(),
            sealer: platform.env().section(Sealer::read)?,
        })
    }

    /// Books an arrival: fact, sealed body, order and grant in one transaction; or fact and body alone when a person
    /// has to look at it. Can be repeated at any time, by anybody, and at once.
    pub async fn receive(&self, arrival: &Arrival, now: Timestamp) -> Result<Received, PaymentsError> {
        let received = self.receive_quietly(arrival, now).await?;
        report(arrival, &received);
        Ok(received)
    }

    async fn receive_quietly(&self, arrival: &Arrival, now: Timestamp) -> Result<Received, PaymentsError> {
        for tries in 0..TRIES {
            if self.store.fact(&arrival.key).await?.is_some() {
                return Ok(Received::Before);
            }
            if let Some(received) = self.settle(arrival, now).await? {
                return Ok(received);
            }
            platform::pause(u32::try_from(tries).unwrap_or(u32::MAX)).await;
        }
        Err(StoreError::Conflict.into())
    }

    async fn settle(&self, arrival: &Arrival, now: Timestamp) -> Result<Settled, PaymentsError> {
        let names = match &arrival.claim {
            Claim::Ignore(why) => {
                return self.note(arrival, FactState::Ignored(*why), Received::Ignored(*why), now).await;
            }
            Claim::Nothing(why) => return self.keep(arrival, *why, None, now).await,
            Claim::References(names) => names,
        };
        let order = match self.owner(names, arrival, now).await? {
            Owner::Order(order) => order,
            Owner::Nobody(why, near) => return self.keep(arrival, why, near, now).await,
        };
        match rule(&order, arrival.amount, arrival.paid_at, &self.rules)? {
            Ruling::Credit(credits) => self.credit(arrival, &order, credits, now).await,
            Ruling::Keep(why) => self.keep(arrival, why, Some((order.account, order.id)), now).await,
        }
    }

    /// The order that one of the names leads to; if there are several, the only one that still waits.
    async fn owner(
        &self,
        names: &[String],
        arrival: &Arrival,
        now: Timestamp,
    ) -> Result<Owner, PaymentsError> {
        let rows = self.store.references(names).await?;
        let mut orders = Vec::new();
        for row in rows.iter().filter(|row| row.covers(arrival.paid_at)) {
            orders.extend(self.store.top_up(&row.account, row.order).await?);
        }
        if orders.len() > 1 {
            orders.retain(|order| order.is_open(now));
            if orders.len() != 1 {
                return Ok(Owner::Nobody(Unmatched::SeveralOrders, None));
            }
        }
        Ok(match orders.pop() {
            Some(order) => Owner::Order(Box::new(order)),
            None => Owner::Nobody(Unmatched::NoOrder, None),
        })
    }

    async fn credit(
        &self,
        arrival: &Arrival,
        order: &TopUp,
        credits: Credits,
        now: Timestamp,
    ) -> Result<Settled, PaymentsError> {
        let key = arrival.key.grant_key();
        let posting = Posting::Grant { amount: credits, origin: Origin::TopUp, key };
        let body = self.sealed(&arrival.key, &arrival.delivery)?;
        let beside = |entry: EntryId| {
            let credited = Credited {
                account: order.account.clone(),
                order: Some(order.id),
                credits,
                entry,
                reversed: Credits::ZERO,
            };
            let fact = arrival.fact(FactState::Credited(credited), now);
            Ok(vec![
                self.store.put_fact(&fact, When::New)?,
                self.put_event(arrival, &body, now)?,
                self.store.put_top_up(&order.paid(arrival.payment(credits, entry)))?,
            ])
        };
        match self.ledger.post_beside(&order.account, &posting, now, beside).await {
            Ok(Posted::Now(entry)) => Ok(Some(Received::Credited {
                account: order.account.clone(),
                order: order.id,
                credits,
                entry,
            })),
            Ok(Posted::Before { .. }) => Ok(Some(Received::Before)),
            // The fact was noted, or the order changed, between our reading and our writing.
            Err(CreditsError::BesideRefused(_)) => Ok(None),
            Err(CreditsError::Closed | CreditsError::NoAccount) => {
                let near = Some((order.account.clone(), order.id));
                self.keep(arrival, Unmatched::AccountClosed, near, now).await
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn keep(
        &self,
        arrival: &Arrival,
        why: Unmatched,
        near: Option<(AccountId, TopUpId)>,
        now: Timestamp,
    ) -> Result<Settled, PaymentsError> {
        self.note(arrival, FactState::Unmatched { why, near }, Received::Kept(why), now).await
    }

    /// Writes a fact that moves no credit, with its body.
    async fn note(
        &self,
        arrival: &Arrival,
        state: FactState,
        received: Received,
        now: Timestamp,
    ) -> Result<Settled, PaymentsError> {
        Ok(self.note_state(arrival, state, now).await?.then_some(received))
    }

    /// False: the fact was noted by somebody else before.
    pub(crate) async fn note_state(
        &self,
        arrival: &Arrival,
        state: FactState,
        now: Timestamp,
    ) -> Result<bool, PaymentsError> {
        let body = self.sealed(&arrival.key, &arrival.delivery)?;
        let fact = arrival.fact(state, now);
        let written = retry_conflicts(|| async {
            let items = vec![self.store.put_fact(&fact, When::New)?, self.put_event(arrival, &body, now)?];
            self.store.write(items, now).await
        });
        Ok(matches!(written.await?, Written::Done))
    }

    /// Keeps a delivery that can't be judged yet, so that nothing depends on its being sent again.
    pub(crate) async fn keep_delivery(
        &self,
        key: &FactKey,
        delivery: &Delivery,
        via: Via,
        now: Timestamp,
    ) -> Result<(), PaymentsError> {
        let body = self.sealed(key, delivery)?;
        let item = event_item(key, &delivery.key, &body, via, now, self.rules.body_lifetime());
        let put = self.store.dynamo.put_item().table_name(&self.store.inbox).set_item(Some(item));
        put.send().await.map_err(StoreError::of_sdk)?;
        Ok(())
    }

    /// A fact as it stands.
    pub async fn fact(&self, key: &FactKey) -> Result<Option<Fact>, PaymentsError> {
        Ok(self.store.fact(key).await?)
    }

    fn put_event(
        &self,
        arrival: &Arrival,
        body: &str,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let lifetime = self.rules.body_lifetime();
        let item = event_item(&arrival.key, &arrival.delivery.key, body, arrival.via, now, lifetime);
        self.store.put(&self.store.inbox, item, When::Always)
    }

    fn sealed(&self, key: &FactKey, delivery: &Delivery) -> Result<String, PaymentsError> {
        Ok(self.sealer.seal(&body_place(key), &delivery.body)?)
    }
}

/// Where a sealed body belongs; it opens nowhere else.
pub(crate) fn body_place(key: &FactKey) -> String {
    format!("payment_inbox/{key}")
}

impl Arrival {
    fn fact(&self, state: FactState, now: Timestamp) -> Fact {
        Fact {
            key: self.key.clone(),
            amount: self.amount,
            paid_at: self.paid_at,
            heard_at: now,
            via: self.via,
            trace: self.trace.clone(),
            state,
            version: 0,
        }
    }

    fn payment(&self, credits: Credits, entry: EntryId) -> Payment {
        Payment {
            key: self.key.clone(),
            amount: self.amount,
            credits,
            reversed: Credits::ZERO,
            paid_at: self.paid_at,
            entry,
            shown_as: self.shown_as.clone(),
        }
    }
}

impl TopUp {
    /// This order with one more payment.
    pub(crate) fn paid(&self, payment: Payment) -> TopUp {
        let mut order = self.clone();
        order.payments.push(payment);
        order.version += 1;
        order
    }
}

fn report(arrival: &Arrival, received: &Received) {
    let (key, rail, via) = (&arrival.key, arrival.key.rail(), arrival.via.as_str());
    match received {
        Received::Credited { account, order, credits, entry } => tracing::info!(
            payment = %key, %account, top_up = %order, %entry, %credits, via, "a payment became credit"
        ),
        Received::Before => tracing::debug!(payment = %key, via, "a payment was told again"),
        Received::Kept(why) => tracing::warn!(
            metric = "payment_unmatched", value = 1, %rail, payment = %key, why = why.as_str(), via,
            "a payment waits for an administrator"
        ),
        Received::Ignored(why) => {
            tracing::info!(payment = %key, why = why.as_str(), via, "a payment is not ours to credit");
        }
    }
}
