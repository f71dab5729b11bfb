use crate::error::TAKEN_BACK;
use crate::fact::{Credited, Fact, FactKey, FactState, Ignored, Unmatched};
use crate::items::{AuditRow, ReversalRow, audit_item, read_audit, read_fact, read_reversal};
use crate::order::{PAYMENTS_MAX, Payment, TopUp};
use crate::payments::{TRIES, body_place};
use crate::reversal::Cause;
use crate::ruling::credits_for_next;
use crate::store::When;
use crate::{ClaimError, DecisionError, Payments, PaymentsError, TopUpError};
use aws_sdk_dynamodb::types::TransactWriteItem;
use credits::{OnceKey, Origin, Posted, Posting, PostingError};
use platform::{Attributes, Item, Page, StoreError, Written};
use primitives::{AccountId, Credits, Currency, EntryId, Private, Rate, Timestamp, TopUpId};
use rates::Quote;

/// A decision about an arrival that no rule could make.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub account: AccountId,
    pub order: Option<TopUpId>,
    /// `None`: what the arrival is worth, at the order's rate or at `rate`.
    pub credits: Option<Credits>,
    /// Today's rate of its currency, for a payment without an order.
    pub rate: Option<Quote>,
    /// The administrator, or the person who claimed it.
    pub who: String,
    pub what: &'static str,
    pub note: String,
    /// The versions of fact and order that a rule decided on; a person decides on what there is.
    pub seen: Option<(u64, u64)>,
}

/// Everything that is known about one payment.
#[derive(Debug)]
pub struct Dossier {
    pub fact: Fact,
    pub deliveries: Vec<DeliveryRow>,
    pub reversals: Vec<ReversalRow>,
    pub audit: Vec<AuditRow>,
}

/// One notification as it came; the body is gone after its retention.
#[derive(Debug)]
pub struct DeliveryRow {
    pub key: String,
    pub at: Timestamp,
    pub via: String,
    pub body: Option<Private<String>>,
}

/// A page of facts that wait, oldest first.
pub type InboxPage = Page<Fact, FactKey>;

impl Payments {
    /// Facts that wait for an administrator. The index behind it may lag a moment; each fact is read anew.
    pub async fn waiting(&self, limit: u32, after: Option<&FactKey>) -> Result<InboxPage, PaymentsError> {
        let start = match after {
            None => None,
            Some(key) => Some(self.store.fact(key).await?.ok_or(DecisionError::NoFact)?),
        };
        let Page { items: keys, next } = self.store.open_facts(limit, start.as_ref()).await?;
        let known = self.store.facts(&keys).await?;
        let open = keys.iter().filter_map(|key| known.get(key)).filter(|fact| fact.is_open());
        Ok(Page { items: open.cloned().collect(), next })
    }

    /// A payment with its deliveries, reversals and what administrators did.
    pub async fn dossier(&self, key: &FactKey) -> Result<Dossier, PaymentsError> {
        let fact = self.store.fact(key).await?.ok_or(DecisionError::NoFact)?;
        let mut dossier = Dossier { fact, deliveries: Vec::new(), reversals: Vec::new(), audit: Vec::new() };
        let prefix = format!("{}/", key.part());
        for row in self.store.items_below(&key.source(), &prefix).await? {
            let item = Item::new(crate::PAYMENT_INBOX.name, &row);
            let name = item.text("part")?.strip_prefix(&prefix).unwrap_or_default();
            match name.split_once('/') {
                Some(("event", name)) => dossier.deliveries.push(DeliveryRow {
                    key: name.to_owned(),
                    at: item.time("at")?,
                    via: item.text("via")?.to_owned(),
                    body: self.opened(key, name, item.text("body")?),
                }),
                Some(("reversal", _)) => dossier.reversals.push(read_reversal(&row)?),
                Some(("audit", _)) => dossier.audit.push(read_audit(&row)?),
                _ => return Err(item.corrupt("part").into()),
            }
        }
        Ok(dossier)
    }

    fn opened(&self, key: &FactKey, delivery: &str, sealed: &str) -> Option<Private<String>> {
        match self.sealer.open(&body_place(key, delivery), sealed) {
            Ok(bytes) => Some(Private::new(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) => {
                tracing::error!(payment = %key, error = %error, "a sealed body stays closed");
                None
            }
        }
    }

    /// Gives an arrival to somebody: credit, fact, order and audit row in one transaction.
    pub async fn assign(
        &self,
        key: &FactKey,
        wish: &Assignment,
        now: Timestamp,
    ) -> Result<Credited, PaymentsError> {
        for tries in 0..TRIES {
            let fact = self.store.fact(key).await?.ok_or(DecisionError::NoFact)?;
            if let Some(before) = fact.assigned_before(wish)? {
                return Ok(before);
            }
            self.check_reversals(&fact).await?;
            if let Some(credited) = self.assign_once(&fact, wish, now).await? {
                return Ok(credited);
            }
            platform::pause(u32::try_from(tries).unwrap_or(u32::MAX)).await;
        }
        Err(StoreError::Conflict.into())
    }

    async fn assign_once(
        &self,
        fact: &Fact,
        wish: &Assignment,
        now: Timestamp,
    ) -> Result<Option<Credited>, PaymentsError> {
        let order = match wish.order {
            None => None,
            Some(id) => Some(self.store.top_up(&wish.account, id).await?.ok_or(TopUpError::NoTopUp)?),
        };
        if wish
            .seen
            .is_some_and(|seen| Some(seen) != order.as_ref().map(|order| (fact.version, order.version)))
        {
            // Perhaps the same claim, sent twice, was granted a moment ago; the fact then tells.
            let is_decided = self.store.fact(&fact.key).await?.is_none_or(|now| now.version != fact.version);
            return if is_decided { Ok(None) } else { Err(ClaimError::Unclear.into()) };
        }
        let credits = self.assigned_credits(fact, order.as_ref(), wish)?;
        let key = fact.next_grant_key();
        let posting = match wish.order {
            Some(order) => Posting::TopUp { amount: credits, order, key },
            None => Posting::Grant { amount: credits, origin: Origin::TopUp, key },
        };
        let credited = |entry: EntryId| Credited {
            account: wish.account.clone(),
            order: wish.order,
            credits,
            entry,
            reversed: Credits::ZERO,
        };
        let beside = |entry: EntryId| {
            let changed = fact.in_state(FactState::Credited(credited(entry)));
            let mut items = vec![
                self.store.put_fact(&changed, When::Version(fact.version))?,
                self.put_audit(fact, &wish.audit(now), now)?,
            ];
            if let Some(order) = &order {
                items.push(self.store.put_top_up(&order.paid(fact.payment(credits, entry)))?);
            }
            Ok(items)
        };
        match self.ledger.post_beside(&wish.account, &posting, now, beside).await {
            Ok(Posted::Now(entry)) => {
                tracing::info!(payment = %fact.key, account = %wish.account, %credits, what = wish.what,
                    "a kept payment became credit");
                Ok(Some(credited(entry)))
            }
            // The fact changed in between; what it says now decides.
            Ok(Posted::Before { .. }) | Err(PostingError::BesideRefused(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What a kept arrival is worth to this order, or at this rate; an administrator's own figure goes before both,
    /// but not far beyond.
    fn assigned_credits(
        &self,
        fact: &Fact,
        order: Option<&TopUp>,
        wish: &Assignment,
    ) -> Result<Credits, PaymentsError> {
        let by_order =
            order.map(|order| credits_for_next(order, fact.amount, self.unit)).transpose()?.flatten();
        let by_rate = || wish.rate_of(fact.amount.currency());
        let worth = match by_order {
            Some(credits) => Some(credits),
            None => by_rate().map(|rate| self.unit.credits_down(fact.amount, rate)).transpose()?,
        };
        // A body that can't be read has no amount: the administrator has looked it up.
        let is_known = !fact.amount.is_zero();
        let worth = worth.filter(|_| is_known);
        let ceiling = match worth {
            Some(worth) => worth.checked_add(Credits::new(worth.get() / 10)?)?,
            None => self.rules.arrival_max,
        };
        let is_fit = order.is_none_or(|order| {
            let is_same_currency = order.price.currency() == fact.amount.currency();
            is_same_currency && order.payments.len() < PAYMENTS_MAX
        });
        match wish.credits.or(worth) {
            Some(credits) if is_fit && credits <= ceiling && !credits.is_zero() => Ok(credits),
            _ => Err(DecisionError::UnfitAssignment { worth }.into()),
        }
    }

    /// A payment that was taken back whole may be assigned anew only if the money is still here.
    async fn check_reversals(&self, fact: &Fact) -> Result<(), PaymentsError> {
        let FactState::Credited(credited) = &fact.state else { return Ok(()) };
        let rows = self.reversals(fact).await?;
        let mut standing = rows.iter().filter(|row| row.of == credited.entry && row.reinstated.is_none());
        match standing.all(|row| row.cause == Cause::Misassigned.as_str()) {
            true => Ok(()),
            false => Err(DecisionError::WrongState { state: TAKEN_BACK }.into()),
        }
    }

    /// Says that an arrival is not a top-up. It can still be assigned later.
    pub async fn dismiss(
        &self,
        key: &FactKey,
        who: &str,
        note: &str,
        now: Timestamp,
    ) -> Result<Fact, PaymentsError> {
        for _ in 0..TRIES {
            let fact = self.store.fact(key).await?.ok_or(DecisionError::NoFact)?;
            match &fact.state {
                FactState::Dismissed { .. } => return Ok(fact),
                FactState::Unmatched { .. } | FactState::Claimed(_) => {}
                other => return Err(DecisionError::WrongState { state: other.as_str() }.into()),
            }
            let row =
                AuditRow { who: who.to_owned(), what: "dismissed".into(), note: note.to_owned(), at: now };
            let why = match fact.state {
                FactState::Unmatched { why, .. } => why,
                _ => Unmatched::ClaimUnclear,
            };
            let changed = fact.in_state(FactState::Dismissed { why });
            let written = platform::retry_conflicts(|| async {
                let items = vec![
                    self.store.put_fact(&changed, When::Version(fact.version))?,
                    self.put_audit(&fact, &row, now)?,
                ];
                self.store.write(items, now).await
            });
            if let Written::Done = written.await? {
                return Ok(changed);
            }
        }
        Err(StoreError::Conflict.into())
    }

    pub(crate) fn put_audit(
        &self,
        fact: &Fact,
        row: &AuditRow,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let item = audit_item(&fact.key, &EntryId::mint(now).to_string(), row);
        self.store.put(&self.store.inbox, item, When::New)
    }

    /// All facts of one outside id, e.g. of one TRON transaction.
    pub(crate) async fn facts_of(&self, source: &str) -> Result<Vec<Fact>, PaymentsError> {
        let rows = self.store.items_below(source, "").await?;
        let is_fact = |row: &&Attributes| row.contains_key("state");
        Ok(rows.iter().filter(is_fact).map(read_fact).collect::<Result<_, _>>()?)
    }
}

impl Assignment {
    /// At which a payment without an order becomes credit today.
    fn rate_of(&self, currency: Currency) -> Option<Rate> {
        let todays = self.rate.filter(|quote| quote.currency == currency).map(|quote| quote.rate);
        Rate::at_par(currency).or(todays)
    }

    fn audit(&self, now: Timestamp) -> AuditRow {
        AuditRow { who: self.who.clone(), what: self.what.to_owned(), note: self.note.clone(), at: now }
    }
}

impl Fact {
    /// The same assignment made before. Errors when it was made with other figures, or the state allows none.
    fn assigned_before(&self, wish: &Assignment) -> Result<Option<Credited>, PaymentsError> {
        match &self.state {
            FactState::Unmatched { .. } | FactState::Dismissed { .. } if self.key.is_anonymous() => {
                // Reconciliation reads the same payment under its own name and would credit it again.
                Err(DecisionError::WrongState { state: "unreadable" }.into())
            }
            // Only a message says that it was paid; SePay's record decides, and is asked for again and again.
            FactState::Unmatched { why: Unmatched::Unconfirmed, .. }
            | FactState::Dismissed { why: Unmatched::Unconfirmed } => {
                Err(DecisionError::WrongState { state: "unconfirmed" }.into())
            }
            FactState::Unmatched { .. } | FactState::Claimed(_) | FactState::Dismissed { .. } => Ok(None),
            FactState::Ignored(Ignored::OtherAccount) => Ok(None),
            // Taken back whole, e.g. because it had been given to the wrong person.
            FactState::Credited(credited) if credited.reversed == credited.credits => Ok(None),
            FactState::Credited(credited) => {
                let is_same = credited.account == wish.account
                    && (wish.order.is_none() || credited.order == wish.order)
                    && wish.credits.is_none_or(|credits| credits == credited.credits);
                if is_same { Ok(Some(credited.clone())) } else { Err(DecisionError::DoneOtherwise.into()) }
            }
            other => Err(DecisionError::WrongState { state: other.as_str() }.into()),
        }
    }

    fn next_grant_key(&self) -> OnceKey {
        match &self.state {
            FactState::Credited(_) => self.key.grant_again_key(self.version),
            _ => self.key.grant_key(),
        }
    }

    /// This fact in another state.
    pub(crate) fn in_state(&self, state: FactState) -> Fact {
        Fact { state, version: self.version + 1, likely: Vec::new(), ..self.clone() }
    }

    pub(crate) fn payment(&self, credits: Credits, entry: EntryId) -> Payment {
        Payment {
            key: self.key.clone(),
            amount: self.amount,
            credits,
            reversed: Credits::ZERO,
            paid_at: self.paid_at,
            entry,
            shown_as: None,
        }
    }
}
