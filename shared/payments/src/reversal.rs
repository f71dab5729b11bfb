use crate::fact::{Credited, Fact, FactKey, FactState};
use crate::items::{AuditRow, ReversalRow, read_reversal, reversal_item};
use crate::order::TopUp;
use crate::payments::TRIES;
use crate::store::When;
use crate::words::words;
use crate::{Arrival, DecisionError, Payments, PaymentsError};
use aws_sdk_dynamodb::types::TransactWriteItem;
use credits::{Entry, OnceKey, Posted, Posting, PostingError, read_lots};
use platform::{StoreError, Written};
use primitives::{AccountId, Credits, EntryId, Timestamp};

/// Credit to be taken back, because the money was.
#[derive(Debug, Clone)]
pub struct Reversal {
    pub cause: Cause,
    /// The processor's or bank's name of the case; the same case takes back once.
    pub case: String,
    /// `None`: all that is left.
    pub credits: Option<Credits>,
    pub who: String,
    pub note: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The processor undid the payment before it was settled.
    Void,
    /// We sent the money back by hand.
    Return,
    /// The payer's bank took it back.
    Chargeback,
    /// The money is here and the credit went to the wrong person; the payment can be assigned anew.
    Misassigned,
}

/// Credit to be given back, because a dispute was won.
#[derive(Debug, Clone)]
pub struct Reinstatement {
    /// The ledger entry of the reversal.
    pub reversal: EntryId,
    pub who: String,
    pub note: String,
}

words!(Cause { Void => "void", Return => "return", Chargeback => "chargeback", Misassigned => "misassigned" });

impl Reversal {
    pub(crate) fn whole(cause: Cause, case: &str, who: &str) -> Reversal {
        Reversal { cause, case: case.to_owned(), credits: None, who: who.to_owned(), note: String::new() }
    }
}

impl Payments {
    /// Takes credit of a payment back: what is unspent of it, the rest as debt. The same case is booked once.
    pub async fn reverse(
        &self,
        key: &FactKey,
        wish: &Reversal,
        now: Timestamp,
    ) -> Result<EntryId, PaymentsError> {
        for tries in 0..TRIES {
            let fact = self.store.fact(key).await?.ok_or(DecisionError::NoFact)?;
            if let Some(before) = self.reversal_of_case(&fact, &wish.case).await? {
                let is_same = wish.credits.is_none_or(|credits| credits == before.credits);
                let stands = before.reinstated.is_none();
                return if is_same && stands {
                    Ok(before.entry)
                } else {
                    Err(DecisionError::DoneOtherwise.into())
                };
            }
            if let Some(entry) = self.reverse_once(&fact, wish, now).await? {
                tracing::warn!(payment = %key, cause = wish.cause.as_str(), %entry, "credit was taken back");
                return Ok(entry);
            }
            platform::pause(u32::try_from(tries).unwrap_or(u32::MAX)).await;
        }
        Err(StoreError::Conflict.into())
    }

    async fn reverse_once(
        &self,
        fact: &Fact,
        wish: &Reversal,
        now: Timestamp,
    ) -> Result<Option<EntryId>, PaymentsError> {
        let credited = credited(fact)?;
        let left = credited.credits.checked_sub(credited.reversed)?;
        let amount = wish.credits.unwrap_or(left);
        if amount > left || amount.is_zero() {
            return Err(DecisionError::TooMuch { left }.into());
        }
        let entries = self.all_entries(&credited.account).await?;
        let unspent = read_lots(&entries)?.unspent_of(credited.entry);
        let once = OnceKey::new("reversal", format_args!("{}#{}#{}", fact.key, credited.entry, wish.case));
        let posting = Posting::Reversal { of: credited.entry, amount, unspent, key: once };
        let reversed = credited.reversed.checked_add(amount)?;
        let order = self.order_of(credited).await?;
        let beside = |entry: EntryId| {
            let row = ReversalRow {
                entry,
                of: credited.entry,
                cause: wish.cause.as_str().to_owned(),
                case: wish.case.clone(),
                credits: amount,
                at: now,
                reinstated: None,
            };
            let audit = audit(&wish.who, wish.cause.as_str(), &wish.note, now);
            let row = self.store.put(&self.store.inbox, reversal_item(&fact.key, &row), When::New)?;
            let mut items = self.changed(fact, order.as_ref(), reversed, &audit, now)?;
            items.push(row);
            Ok(items)
        };
        self.posted(&credited.account, &posting, now, beside).await
    }

    /// Gives back exactly what one reversal took, once.
    pub async fn reinstate(
        &self,
        key: &FactKey,
        wish: &Reinstatement,
        now: Timestamp,
    ) -> Result<EntryId, PaymentsError> {
        for tries in 0..TRIES {
            let fact = self.store.fact(key).await?.ok_or(DecisionError::NoFact)?;
            let reversals = self.reversals(&fact).await?;
            let granted = credited(&fact)?.entry;
            let row = reversals.into_iter().find(|row| row.entry == wish.reversal && row.of == granted);
            let row = row.ok_or(DecisionError::NoReversal)?;
            if let Some(before) = row.reinstated {
                return Ok(before);
            }
            if let Some(entry) = self.reinstate_once(&fact, &row, wish, now).await? {
                tracing::warn!(payment = %key, %entry, "credit was given back after a dispute");
                return Ok(entry);
            }
            platform::pause(u32::try_from(tries).unwrap_or(u32::MAX)).await;
        }
        Err(StoreError::Conflict.into())
    }

    async fn reinstate_once(
        &self,
        fact: &Fact,
        row: &ReversalRow,
        wish: &Reinstatement,
        now: Timestamp,
    ) -> Result<Option<EntryId>, PaymentsError> {
        let credited = credited(fact)?;
        let posting = Posting::Reinstatement { reversal: row.entry, of: credited.entry, amount: row.credits };
        let reversed = credited.reversed.checked_sub(row.credits)?;
        let order = self.order_of(credited).await?;
        let beside = |entry: EntryId| {
            let row = ReversalRow { reinstated: Some(entry), ..row.clone() };
            let audit = audit(&wish.who, "reinstated", &wish.note, now);
            let mut items = self.changed(fact, order.as_ref(), reversed, &audit, now)?;
            items.push(self.store.put(&self.store.inbox, reversal_item(&fact.key, &row), When::Always)?);
            Ok(items)
        };
        self.posted(&credited.account, &posting, now, beside).await
    }

    /// `None`: something changed in between, or the same was posted a moment ago; the fact tells which.
    async fn posted(
        &self,
        account: &AccountId,
        posting: &Posting,
        now: Timestamp,
        beside: impl Fn(EntryId) -> Result<Vec<TransactWriteItem>, StoreError>,
    ) -> Result<Option<EntryId>, PaymentsError> {
        match self.ledger.post_beside(account, posting, now, beside).await {
            Ok(Posted::Now(entry)) => Ok(Some(entry)),
            Ok(Posted::Before { .. }) | Err(PostingError::BesideRefused(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The fact and its order with another amount taken back.
    fn changed(
        &self,
        fact: &Fact,
        order: Option<&TopUp>,
        reversed: Credits,
        audit: &AuditRow,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let FactState::Credited(before) = &fact.state else {
            return Err(StoreError::corrupt(
                crate::PAYMENT_INBOX.name,
                "a reversed payment was never credited",
            ));
        };
        let changed = fact.in_state(FactState::Credited(Credited { reversed, ..before.clone() }));
        let mut items = vec![
            self.store.put_fact(&changed, When::Version(fact.version))?,
            self.put_audit(fact, audit, now)?,
        ];
        if let Some(order) = order {
            let mut order = order.clone();
            order.version += 1;
            for payment in order.payments.iter_mut().filter(|payment| payment.entry == before.entry) {
                payment.reversed = reversed;
            }
            items.push(self.store.put_top_up(&order)?);
        }
        Ok(items)
    }

    async fn order_of(&self, credited: &Credited) -> Result<Option<TopUp>, PaymentsError> {
        let Some(order) = credited.order else { return Ok(None) };
        Ok(self.store.top_up(&credited.account, order).await?)
    }

    pub(crate) async fn reversals(&self, fact: &Fact) -> Result<Vec<ReversalRow>, PaymentsError> {
        let prefix = format!("{}/reversal/", fact.key.part());
        let rows = self.store.items_below(&fact.key.source(), &prefix).await?;
        Ok(rows.iter().map(read_reversal).collect::<Result<_, _>>()?)
    }

    async fn reversal_of_case(&self, fact: &Fact, case: &str) -> Result<Option<ReversalRow>, PaymentsError> {
        let FactState::Credited(credited) = &fact.state else { return Ok(None) };
        let rows = self.reversals(fact).await?;
        Ok(rows.into_iter().find(|row| row.case == case && row.of == credited.entry))
    }

    /// Lots are a reading of the whole ledger; a reversal is rare enough for that.
    async fn all_entries(&self, account: &AccountId) -> Result<Vec<Entry>, PaymentsError> {
        let (mut entries, mut before) = (Vec::new(), None);
        loop {
            let page = self.ledger.entries(account, 1_000, before).await?;
            entries.extend(page.items);
            before = page.next;
            if before.is_none() {
                return Ok(entries);
            }
        }
    }

    /// Notes that a payment was taken back before it became credit. False: it was heard of in between.
    pub(crate) async fn note_voided(&self, arrival: &Arrival, now: Timestamp) -> Result<bool, PaymentsError> {
        self.note_state(arrival, None, FactState::Voided, now).await
    }

    /// A payment that waits for an administrator, or was dismissed, is not there any more. False: somebody decided
    /// about it meanwhile.
    pub(crate) async fn mark_voided(
        &self,
        fact: &Fact,
        who: &str,
        now: Timestamp,
    ) -> Result<bool, PaymentsError> {
        let changed = fact.in_state(FactState::Voided);
        let written = platform::retry_conflicts(|| async {
            let items = vec![
                self.store.put_fact(&changed, When::Version(fact.version))?,
                self.put_audit(fact, &audit(who, "void", "", now), now)?,
            ];
            self.store.write(items, now).await
        });
        Ok(matches!(written.await?, Written::Done))
    }
}

fn credited(fact: &Fact) -> Result<&Credited, PaymentsError> {
    match &fact.state {
        FactState::Credited(credited) => Ok(credited),
        other => Err(DecisionError::WrongState { state: other.as_str() }.into()),
    }
}

fn audit(who: &str, what: &str, note: &str, at: Timestamp) -> AuditRow {
    AuditRow { who: who.to_owned(), what: what.to_owned(), note: note.to_owned(), at }
}
