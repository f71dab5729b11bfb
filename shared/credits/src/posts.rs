//! Postings: what changes the ledger without a run. Always one transaction of the entry, its once-only key, the
//! account, and what the posting refers to.

use crate::account::{Account, Block};
use crate::ceilings::Ceilings;
use crate::credits::{Ledger, Posted, no_attributes};
use crate::entry::{Entry, Kind, OnceKey, Origin};
use crate::items::{
    CREDIT_TRANSACTIONS, account_key, entry_item, entry_key, new_account, new_account_awaiting_welcome,
    once_key,
};
use crate::posting::{Effect, Posting};
use crate::{CreditsError, PostingError};
use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem, Update};
use platform::{
    Attributes, Item, ItemBuilder, StoreError, Written, number, retry_conflicts, text,
    unless_condition_failed, write_all,
};
use primitives::{AccountId, Credits, CreditsDelta, EntryId, Timestamp};

impl Ledger {
    /// Opens the account with its welcome credit, or with none. The second call finds it open and changes nothing.
    pub async fn open(&self, id: &AccountId, welcome: Credits, now: Timestamp) -> Result<(), StoreError> {
        if welcome.is_zero() {
            return self.open_empty(id).await;
        }
        retry_conflicts(|| self.open_with_welcome(id, welcome, now)).await
    }

    async fn open_with_welcome(
        &self,
        id: &AccountId,
        welcome: Credits,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = OnceKey::new("welcome", id);
        let entry = Entry {
            id: EntryId::mint(now),
            account: id.clone(),
            kind: Kind::Grant { origin: Origin::Welcome, key: key.clone(), top_up: None },
            amount: welcome.gained(),
            at: now,
        };
        let account = Put::builder()
            .table_name(&self.accounts)
            .set_item(Some(new_account(id, welcome)))
            .condition_expression("attribute_not_exists(id)")
            .build()
            .map_err(StoreError::not_built)?;
        let account = TransactWriteItem::builder().put(account).build();
        // Refused: opened before, by somebody as fast as we are.
        self.transact(&entry, &key, vec![account]).await.map(|_| ())
    }

    /// Opens the account before it is known whether its person may have the welcome credit. Follow with
    /// [`Ledger::give_welcome`] or [`Ledger::refuse_welcome`].
    pub async fn open_awaiting_welcome(&self, id: &AccountId) -> Result<(), StoreError> {
        self.open_as(new_account_awaiting_welcome(id)).await
    }

    /// Gives the welcome credit to an account that was opened without. Once, however often it is called: its key is that
    /// of an account opened with it. Killed between its two writes, the next call does the second.
    pub async fn give_welcome(
        &self,
        id: &AccountId,
        welcome: Credits,
        now: Timestamp,
    ) -> Result<(), PostingError> {
        if !welcome.is_zero() {
            let (origin, key) = (Origin::Welcome, OnceKey::new("welcome", id));
            self.post(id, &Posting::Grant { amount: welcome, origin, key }, now).await?;
        }
        self.stop_awaiting_welcome(id).await?.then_some(()).ok_or(PostingError::NoAccount)
    }

    /// Nothing will come: the account awaits no welcome any more.
    pub async fn refuse_welcome(&self, id: &AccountId) -> Result<(), CreditsError> {
        self.stop_awaiting_welcome(id).await?.then_some(()).ok_or(CreditsError::NoAccount)
    }

    async fn open_empty(&self, id: &AccountId) -> Result<(), StoreError> {
        self.open_as(new_account(id, Credits::ZERO)).await
    }

    async fn open_as(&self, account: Attributes) -> Result<(), StoreError> {
        let put = self
            .dynamo
            .put_item()
            .table_name(&self.accounts)
            .set_item(Some(account))
            .condition_expression("attribute_not_exists(id)");
        // Refused: it was opened before.
        unless_condition_failed(put.send().await)?;
        Ok(())
    }

    /// Books a change that is not a run, once per [`OnceKey`].
    pub async fn post(
        &self,
        account: &AccountId,
        posting: &Posting,
        now: Timestamp,
    ) -> Result<Posted, PostingError> {
        self.post_beside(account, posting, now, |_| Ok(Vec::new())).await
    }

    /// As [`Ledger::post`], and writes what `beside` makes of the entry's id in the same transaction: all of it or
    /// nothing. At most 96 items, on other tables. If the fact was posted before, nothing beside is written.
    pub async fn post_beside(
        &self,
        account: &AccountId,
        posting: &Posting,
        now: Timestamp,
        beside: impl Fn(EntryId) -> Result<Vec<TransactWriteItem>, StoreError>,
    ) -> Result<Posted, PostingError> {
        retry_conflicts(|| self.post_once(account, posting, now, &beside)).await
    }

    async fn post_once(
        &self,
        id: &AccountId,
        posting: &Posting,
        now: Timestamp,
        beside: &impl Fn(EntryId) -> Result<Vec<TransactWriteItem>, StoreError>,
    ) -> Result<Posted, PostingError> {
        let account = self.account(id).await?.ok_or(PostingError::NoAccount)?;
        let is_grant = matches!(posting, Posting::Grant { .. } | Posting::TopUp { .. });
        if is_grant && account.block == Some(Block::Closed) {
            return Err(PostingError::Closed);
        }
        let effect = posting.effect(&account)?;
        let key = posting.once_key(id);
        let entry = Entry {
            id: EntryId::mint(now),
            account: id.clone(),
            kind: effect.kind.clone(),
            amount: effect.entry_amount,
            at: now,
        };
        let update = account_update(&self.accounts, &account, &effect, &self.ceilings)?;
        let mut items = vec![TransactWriteItem::builder().update(update).build()];
        let proof = Proof::of(posting);
        let proofs = proof.iter().map(|proof| self.check(id, proof)).collect::<Result<Vec<_>, _>>()?;
        let first_beside = 1 + proofs.len();
        items.extend(proofs);
        items.extend(beside(entry.id)?);
        match self.transact(&entry, &key, items).await? {
            Transacted::Done => Ok(Posted::Now(entry.id)),
            Transacted::KeyUsed => self.posted_before(&key, entry.id).await,
            Transacted::ConditionFailed(0) => Err(PostingError::Changed),
            Transacted::ConditionFailed(nth) => Err(match proof.filter(|_| nth < first_beside) {
                Some(proof) => proof.missing,
                None => PostingError::BesideRefused(nth - first_beside),
            }),
        }
    }

    /// What a posting refers to must stand in the ledger as it says, at the moment of writing.
    fn check(&self, account: &AccountId, proof: &Proof) -> Result<TransactWriteItem, StoreError> {
        let comparison = proof.comparison;
        let mut check = ConditionCheck::builder()
            .table_name(&self.entries)
            .set_key(Some(entry_key(account, proof.entry)))
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_values(":kind", text(proof.kind))
            .expression_attribute_values(":amount", number(proof.amount.get()));
        let mut condition = format!("#kind = :kind AND amount {comparison} :amount");
        if let Some(of) = proof.of {
            condition += " AND #of = :of";
            check =
                check.expression_attribute_names("#of", "of").expression_attribute_values(":of", text(of));
        }
        let check = check.condition_expression(condition).build().map_err(StoreError::not_built)?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    async fn posted_before(&self, key: &OnceKey, mine: EntryId) -> Result<Posted, PostingError> {
        let get = self.dynamo.get_item().table_name(&self.entries).set_key(Some(once_key(key)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        let attributes = answer.item().ok_or_else(no_attributes)?;
        let item = Item::new(CREDIT_TRANSACTIONS.name, attributes);
        let (account, entry) = (item.parsed("to")?, item.parsed("as")?);
        Ok(if entry == mine { Posted::Now(entry) } else { Posted::Before { account, entry } })
    }

    /// The entry, its once-only key and `others`, of which the account's change is the first: all of them or none.
    async fn transact(
        &self,
        entry: &Entry,
        key: &OnceKey,
        others: Vec<TransactWriteItem>,
    ) -> Result<Transacted, StoreError> {
        let once = ItemBuilder::default()
            .text("account", format!("once#{}", key.as_str()))
            .text("entry", "once")
            .text("to", &entry.account)
            .text("as", entry.id)
            .build();
        let put = |item: Attributes| {
            let put = Put::builder()
                .table_name(&self.entries)
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(entry)")
                .build();
            put.map(|put| TransactWriteItem::builder().put(put).build()).map_err(StoreError::not_built)
        };
        let mut items = vec![put(once)?, put(entry_item(entry))?];
        items.extend(others);
        Ok(match write_all(&self.dynamo, items, entry.id).await? {
            Written::Done => Transacted::Done,
            Written::ConditionFailed(0 | 1) => Transacted::KeyUsed,
            Written::ConditionFailed(nth) => Transacted::ConditionFailed(nth - 2),
        })
    }
}

enum Transacted {
    Done,
    /// The once-only key, or the entry itself, is there already.
    KeyUsed,
    /// The condition of one of the others, by its index, did not hold.
    ConditionFailed(usize),
}

/// An entry that a posting refers to.
struct Proof {
    entry: EntryId,
    kind: &'static str,
    amount: CreditsDelta,
    comparison: &'static str,
    of: Option<EntryId>,
    missing: PostingError,
}

impl Proof {
    /// A refund gives back exactly what the run was charged; a reversal takes at most what was granted; a
    /// reinstatement undoes exactly one reversal.
    fn of(posting: &Posting) -> Option<Proof> {
        match posting {
            Posting::Grant { .. } | Posting::TopUp { .. } => None,
            Posting::Refund { run, amount, .. } => Some(Proof {
                entry: (*run).into(),
                kind: "charge",
                amount: amount.spent(),
                comparison: "=",
                of: None,
                missing: PostingError::NothingToRefund,
            }),
            Posting::Reversal { of, amount, .. } => Some(Proof {
                entry: *of,
                kind: "grant",
                amount: amount.gained(),
                comparison: ">=",
                of: None,
                missing: PostingError::NothingToReverse,
            }),
            Posting::Reinstatement { reversal, of, amount } => Some(Proof {
                entry: *reversal,
                kind: "reversal",
                amount: amount.spent(),
                comparison: "=",
                of: Some(*of),
                missing: PostingError::NothingToReinstate,
            }),
        }
    }
}

fn account_update(
    table: &str,
    account: &Account,
    effect: &Effect,
    ceilings: &Ceilings,
) -> Result<Update, PostingError> {
    let (had_debt, has_debt) = (!account.debt.is_zero(), !effect.debt_after.is_zero());
    let mut update = Update::builder()
        .table_name(table)
        .set_key(Some(account_key(&account.id)))
        .expression_attribute_values(":change", number(effect.available.get()));
    let mut change = "SET avail = avail + :change".to_owned();
    let paid_in = effect.paid_in();
    if paid_in != CreditsDelta::ZERO {
        // DynamoDB's conditions don't multiply, so what follows from the sum stands beside it. Both are written anew, on
        // the sum as it was read, so that a percentage that was changed meanwhile misjudges no payment.
        let paid = account.paid.checked_add(paid_in)?;
        change += ", paid = :paid, budget = :budget";
        update = update
            .expression_attribute_values(":paid", number(paid.get()))
            .expression_attribute_values(":budget", number(ceilings.budget_of(paid).micro_cents()));
    }
    if has_debt {
        change += ", debt = :debt";
        update = update.expression_attribute_values(":debt", number(effect.debt_after.get()));
    } else if had_debt {
        change += " REMOVE debt";
    }
    let mut condition = if had_debt {
        update = update.expression_attribute_values(":seen", number(account.debt.get()));
        "debt = :seen".to_owned()
    } else {
        "attribute_exists(id) AND attribute_not_exists(debt)".to_owned()
    };
    if paid_in != CreditsDelta::ZERO {
        let is_first = account.paid == CreditsDelta::ZERO;
        condition += if is_first {
            " AND (attribute_not_exists(paid) OR paid = :paid_before)"
        } else {
            " AND paid = :paid_before"
        };
        update = update.expression_attribute_values(":paid_before", number(account.paid.get()));
    }
    if effect.available.get() < 0 {
        condition += " AND avail >= :taken";
        let taken = effect.available.magnitude();
        update = update.expression_attribute_values(":taken", number(taken.get()));
    }
    if matches!(effect.kind, Kind::Grant { .. }) {
        condition += " AND (attribute_not_exists(blocked) OR blocked <> :closed)";
        update = update.expression_attribute_values(":closed", text(Block::Closed.as_str()));
    }
    Ok(update
        .update_expression(change)
        .condition_expression(condition)
        .build()
        .map_err(StoreError::not_built)?)
}
