use crate::arrival::{Arrival, Delivery, Destination, Received};
use crate::fact::{Credited, Fact, FactKey, FactState, Unmatched, Via};
use crate::items::{ReferenceRow, day_name, event_item};
use crate::likeness::Alike;
use crate::order::{Payment, TopUp};
use crate::ruling::{Ruling, judge_payment};
use crate::store::{Store, When};
use crate::{Likeness, PaymentsError, Rail, TopUpRules};
use aws_sdk_dynamodb::types::TransactWriteItem;
use credits::{Ledger, Posted, Posting, PostingError};
use platform::{InvalidSettings, Platform, Sealer, StoreError, Written, retry_conflicts, with_causes};
use primitives::{AccountId, Credits, EntryId, Timestamp, TopUpId, Unit};
use std::collections::HashSet;
use std::time::Duration;

/// How often something is decided anew because somebody changed what it was decided on.
pub(crate) const TRIES: usize = 10;
const DAY: Duration = Duration::from_secs(86_400);

/// Turns authentic payment facts into credit: once each, whoever tells of them how often.
#[derive(Clone)]
pub struct Payments {
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    pub(crate) rules: TopUpRules,
    pub(crate) unit: Unit,
    pub(crate) sealer: Sealer,
}

/// Whom an arrival belongs to.
enum Owner {
    Order(Box<TopUp>),
    Nobody(Unmatched, Option<(AccountId, TopUpId)>),
}

/// What an arrival was judged on; what comes of it may only be written while both still stand.
struct Judged<'a> {
    before: Option<&'a Fact>,
    alike: &'a Alike,
}

/// `None`: somebody changed what this was decided on.
type Settled = Option<Received>;

impl Payments {
    pub fn new(platform: &Platform) -> Result<Payments, InvalidSettings> {
        Ok(Payments {
            store: Store::new(platform),
            ledger: Ledger::new(platform)?,
            rules: platform.rules(TopUpRules::read)?,
            unit: platform.profile().unit,
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
            let before = self.store.fact(&arrival.key).await?;
            if before.as_ref().is_some_and(|fact| !arrival.is_news_about(fact)) {
                return Ok(Received::Before);
            }
            let settled = match self.settle(arrival, before.as_ref(), now).await {
                Err(error) if error.is_lasting() => {
                    // Told again it would fail again: a person has to look, and nobody else waits for it.
                    tracing::error!(
                        payment = %arrival.key, error = %with_causes(&error),
                        "an arrival can't be judged"
                    );
                    let alike = self.readable_alike(arrival).await?;
                    let judged = Judged { before: before.as_ref(), alike: &alike };
                    self.keep(arrival, &judged, Unmatched::Odd, None, now).await?
                }
                settled => settled?,
            };
            if let Some(received) = settled {
                return Ok(received);
            }
            platform::pause(u32::try_from(tries).unwrap_or(u32::MAX)).await;
        }
        Err(StoreError::Conflict.into())
    }

    async fn settle(
        &self,
        arrival: &Arrival,
        before: Option<&Fact>,
        now: Timestamp,
    ) -> Result<Settled, PaymentsError> {
        let (references, alike) =
            self.store.references_and_alike(arrival.destination.names(), arrival.row_names()).await?;
        let judged = Judged { before, alike: &alike };
        // One that can't be read is kept as such; what it may repeat is noted beside it.
        let is_readable = arrival.destination != Destination::Nothing(Unmatched::Unreadable);
        if let Some(first) = arrival.repeated_in(&alike).filter(|_| is_readable) {
            return self.keep_repeat(arrival, &judged, first, now).await;
        }
        let references = match &arrival.destination {
            Destination::Ignore(why) => {
                let written = self.note_state(arrival, before, FactState::Ignored(*why), now).await?;
                return Ok(written.then_some(Received::Ignored(*why)));
            }
            Destination::Nothing(_) if arrival.contradicts(before) => {
                return self.keep(arrival, &judged, Unmatched::Contradicted, None, now).await;
            }
            Destination::Nothing(why) => return self.keep(arrival, &judged, *why, None, now).await,
            Destination::References(_) => references,
        };
        let order = match self.owner(&references, arrival, now).await? {
            Owner::Order(order) => order,
            Owner::Nobody(why, near) => return self.keep(arrival, &judged, why, near, now).await,
        };
        let near = Some((order.account.clone(), order.id));
        if arrival.contradicts(before) {
            return self.keep(arrival, &judged, Unmatched::Contradicted, near, now).await;
        }
        match judge_payment(&order, arrival.amount, arrival.paid_at, &self.rules, self.unit)? {
            Ruling::Credit(credits) => self.credit(arrival, &judged, &order, credits, now).await,
            Ruling::Keep(why) => self.keep(arrival, &judged, why, near, now).await,
        }
    }

    /// What was told like it before; nothing when those very rows can't be read.
    async fn readable_alike(&self, arrival: &Arrival) -> Result<Alike, PaymentsError> {
        match self.store.references_and_alike(&[], arrival.row_names()).await {
            Ok((_, alike)) => Ok(alike),
            Err(error) => match PaymentsError::from(error) {
                error if error.is_lasting() => Ok(Alike::default()),
                error => Err(error),
            },
        }
    }

    /// Leaves the probable repeat of another payment to an administrator, beside the order that the first one paid.
    async fn keep_repeat(
        &self,
        arrival: &Arrival,
        judged: &Judged<'_>,
        first: FactKey,
        now: Timestamp,
    ) -> Result<Settled, PaymentsError> {
        let near = match self.store.fact(&first).await?.map(|first| first.state) {
            Some(FactState::Credited(credited)) => credited.order.map(|order| (credited.account, order)),
            Some(FactState::Unmatched { near, .. }) => near,
            _ => None,
        };
        tracing::warn!(payment = %arrival.key, repeats = %first, "a payment is probably told again under another id");
        self.keep(arrival, judged, Unmatched::LikelyRepeat, near, now).await
    }

    /// The order that one of the names leads to; if there are several, the only one that still waits.
    async fn owner(
        &self,
        rows: &[ReferenceRow],
        arrival: &Arrival,
        now: Timestamp,
    ) -> Result<Owner, PaymentsError> {
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
        judged: &Judged<'_>,
        order: &TopUp,
        credits: Credits,
        now: Timestamp,
    ) -> Result<Settled, PaymentsError> {
        let before = judged.before;
        let key = arrival.key.grant_key();
        let posting = Posting::TopUp { amount: credits, order: order.id, key };
        let body = self.sealed(&arrival.key, &arrival.delivery)?;
        let beside = |entry: EntryId| {
            let credited = Credited {
                account: order.account.clone(),
                order: Some(order.id),
                credits,
                entry,
                reversed: Credits::ZERO,
            };
            let fact = arrival.fact(before, FactState::Credited(credited), now);
            let mut items = vec![
                self.store.put_fact(&fact, unchanged(before))?,
                self.put_event(arrival, &body, now)?,
                self.store.put_top_up(&order.paid(arrival.payment(credits, entry)))?,
            ];
            items.extend(self.put_alike(arrival, judged.alike, now)?);
            Ok(items)
        };
        match self.ledger.post_beside(&order.account, &posting, now, beside).await {
            Ok(Posted::Now(entry)) => Ok(Some(Received::Credited {
                account: order.account.clone(),
                order: order.id,
                credits,
                entry,
            })),
            Ok(Posted::Before { .. }) => Ok(Some(Received::Before)),
            // The fact or its like was noted, or the order changed, between our reading and our writing.
            Err(PostingError::BesideRefused(_)) => Ok(None),
            Err(PostingError::Closed | PostingError::NoAccount) => {
                let near = Some((order.account.clone(), order.id));
                self.keep(arrival, judged, Unmatched::AccountClosed, near, now).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Leaves an arrival to an administrator.
    async fn keep(
        &self,
        arrival: &Arrival,
        judged: &Judged<'_>,
        why: Unmatched,
        near: Option<(AccountId, TopUpId)>,
        now: Timestamp,
    ) -> Result<Settled, PaymentsError> {
        let state = FactState::Unmatched { why, near };
        let before = judged.before;
        if before.is_some_and(|fact| fact.state == state && fact.amount == arrival.amount) {
            return Ok(Some(Received::Before));
        }
        let mut fact = arrival.fact(before, state, now);
        fact.repeats = arrival.repeated_in(judged.alike);
        fact.likely = self.likely_orders(arrival).await;
        let beside = self.put_alike(arrival, judged.alike, now)?;
        let written = self.note(arrival, before, &fact, beside, now).await?;
        Ok(written.then_some(Received::Kept(why)))
    }

    /// Writes a fact that moves no credit, with its body. False: somebody else wrote it meanwhile.
    pub(crate) async fn note_state(
        &self,
        arrival: &Arrival,
        before: Option<&Fact>,
        state: FactState,
        now: Timestamp,
    ) -> Result<bool, PaymentsError> {
        self.note(arrival, before, &arrival.fact(before, state, now), Vec::new(), now).await
    }

    async fn note(
        &self,
        arrival: &Arrival,
        before: Option<&Fact>,
        fact: &Fact,
        beside: Vec<TransactWriteItem>,
        now: Timestamp,
    ) -> Result<bool, PaymentsError> {
        let body = self.sealed(&arrival.key, &arrival.delivery)?;
        let written = retry_conflicts(|| async {
            let mut items = beside.clone();
            items.push(self.store.put_fact(fact, unchanged(before))?);
            items.push(self.put_event(arrival, &body, now)?);
            self.store.write(items, now).await
        });
        Ok(matches!(written.await?, Written::Done))
    }

    /// Notes the transfer where the next one that looks like it will be looked for. Refused when another was noted there
    /// since: it is then judged anew.
    fn put_alike(
        &self,
        arrival: &Arrival,
        alike: &Alike,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let Some(likeness) = arrival.likeness() else { return Ok(Vec::new()) };
        alike.with(likeness, &arrival.key, now).iter().map(|row| self.store.put_alike(row)).collect()
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
        Ok(self.store.put_alone(item).await?)
    }

    /// Facts of a rail that were paid between the two.
    pub(crate) async fn facts_within(
        &self,
        rail: Rail,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Fact>, StoreError> {
        let (mut keys, mut days, mut day) = (Vec::new(), HashSet::new(), from);
        while day.before(DAY) <= to {
            if days.insert(day.date()) {
                keys.extend(self.store.facts_of_day(&day_name(rail, day), from, to).await?);
            }
            day = day.after(DAY);
        }
        Ok(self.store.facts(&keys).await?.into_values().collect())
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
        Ok(self.sealer.seal(&body_place(key, &delivery.key), &delivery.body)?)
    }
}

/// Where a sealed body belongs; it opens nowhere else.
pub(crate) fn body_place(key: &FactKey, delivery: &str) -> String {
    format!("payment_inbox/{key}/{delivery}")
}

/// What was decided on a fact may only be written while it still stands.
fn unchanged(before: Option<&Fact>) -> When<'static> {
    before.map_or(When::New, |fact| When::Version(fact.version))
}

impl Arrival {
    /// Whether this can still change what a fact is: it waits for a person because nothing better was known, a person
    /// dismissed what the processor had not confirmed yet, or it was told as money that is not ours.
    fn is_news_about(&self, fact: &Fact) -> bool {
        let knows_its_order = matches!(self.destination, Destination::References(_));
        match &fact.state {
            FactState::Unmatched { why: Unmatched::Unreadable, .. } => {
                self.destination != Destination::Nothing(Unmatched::Unreadable)
            }
            FactState::Unmatched { why: Unmatched::Contradicted, .. } => self.is_listed() && knows_its_order,
            FactState::Unmatched { why, .. } => why.is_open_to_news() && knows_its_order,
            FactState::Dismissed { why: Unmatched::Unconfirmed } => knows_its_order,
            FactState::Ignored(_) => !matches!(self.destination, Destination::Ignore(_)),
            _ => false,
        }
    }

    /// Whether a webhook says now that it is ours, and said before that it is not. SePay's own list decides between them.
    fn contradicts(&self, before: Option<&Fact>) -> bool {
        let is_ignored = before.is_some_and(|fact| matches!(fact.state, FactState::Ignored(_)));
        is_ignored && !self.is_listed()
    }

    fn is_listed(&self) -> bool {
        self.via == Via::Reconciliation
    }

    fn likeness(&self) -> Option<&Likeness> {
        self.marks.as_ref()?.likeness.as_ref()
    }

    fn row_names(&self) -> Vec<String> {
        self.likeness().map(|likeness| likeness.row_names(self.amount)).unwrap_or_default()
    }

    fn repeated_in(&self, alike: &Alike) -> Option<FactKey> {
        alike.repeated_by(self.likeness()?, &self.key)
    }

    fn fact(&self, before: Option<&Fact>, state: FactState, now: Timestamp) -> Fact {
        Fact {
            key: self.key.clone(),
            amount: self.amount,
            paid_at: self.paid_at,
            heard_at: before.map_or(now, |fact| fact.heard_at),
            via: before.map_or(self.via, |fact| fact.via),
            trace: self.trace.clone(),
            checked_at: None,
            state,
            repeats: None,
            likely: Vec::new(),
            claimants: before.map(|fact| fact.claimants.clone()).unwrap_or_default(),
            version: before.map_or(0, |fact| fact.version + 1),
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
        order.look_at = None;
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
