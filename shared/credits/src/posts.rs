//! Postings: what changes the ledger without a run. Always one transaction of the entry, its once-only key, the
//! account, and what the posting refers to.

use crate::CreditsError;
use crate::account::Account;
use crate::credits::{Attributes, Ledger, Posted, no_attributes};
use crate::entry::{Entry, Kind, OnceKey, Origin};
use crate::items::{CREDIT_TRANSACTIONS, account_key, entry_item, entry_key, new_account, once_key};
use crate::posting::{Effect, Posting};
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem, Update};
use platform::{Item, ItemBuilder, StoreError, number, retry_conflicts, text};
use primitives::{AccountId, Credits, EntryId, Timestamp};

impl Ledger {
    /// Opens the account with its welcome credit, or with none. The second call finds it open and changes nothing.
    pub async fn open(&self, id: &AccountId, welcome: Credits, now: Timestamp) -> Result<(), CreditsError> {
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
    ) -> Result<(), CreditsError> {
        let key = OnceKey::new("welcome", id);
        let entry = Entry {
            id: EntryId::mint(now),
            account: id.clone(),
            kind: Kind::Grant { origin: Origin::Welcome, key: key.clone() },
            amount: welcome.gained(),
            at: now,
        };
        let account = Put::builder()
            .table_name(&self.accounts)
            .set_item(Some(new_account(id, welcome)))
            .condition_expression("attribute_not_exists(id)")
            .build()
            .map_err(malformed)?;
        let account = TransactWriteItem::builder().put(account).build();
        match self.transact(&entry, &key, account, None).await? {
            // Opened before, by somebody as fast as we are.
            Transacted::KeyUsed | Transacted::AccountRefused => Ok(()),
            Transacted::Done | Transacted::ProofMissing => Ok(()),
        }
    }

    async fn open_empty(&self, id: &AccountId) -> Result<(), CreditsError> {
        let put = self
            .dynamo
            .put_item()
            .table_name(&self.accounts)
            .set_item(Some(new_account(id, Credits::ZERO)))
            .condition_expression("attribute_not_exists(id)");
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_failed_put(&error) => Ok(()),
            Err(error) => Err(StoreError::of_sdk(error).into()),
        }
    }

    /// Books a change that is not a run, once per [`OnceKey`].
    pub async fn post(
        &self,
        account: &AccountId,
        posting: &Posting,
        now: Timestamp,
    ) -> Result<Posted, CreditsError> {
        retry_conflicts(|| self.post_once(account, posting, now)).await
    }

    async fn post_once(
        &self,
        id: &AccountId,
        posting: &Posting,
        now: Timestamp,
    ) -> Result<Posted, CreditsError> {
        let account = self.account(id).await?.ok_or(CreditsError::NoAccount)?;
        let effect = posting.effect(&account)?;
        let key = posting.once_key(id);
        let entry = Entry {
            id: EntryId::mint(now),
            account: id.clone(),
            kind: effect.kind.clone(),
            amount: effect.entry_amount,
            at: now,
        };
        let update = account_update(&self.accounts, &account, &effect)?;
        let update = TransactWriteItem::builder().update(update).build();
        let proof = self.proof(id, posting)?;
        match self.transact(&entry, &key, update, proof).await? {
            Transacted::Done => Ok(Posted::Now(entry.id)),
            Transacted::ProofMissing => Err(CreditsError::NothingToRefund),
            Transacted::AccountRefused => Err(CreditsError::Changed),
            Transacted::KeyUsed => self.posted_before(&key, entry.id).await,
        }
    }

    /// A refund gives back exactly what this account was charged for this run.
    fn proof(
        &self,
        account: &AccountId,
        posting: &Posting,
    ) -> Result<Option<TransactWriteItem>, CreditsError> {
        let Posting::Refund { run, amount, .. } = posting else { return Ok(None) };
        let check = ConditionCheck::builder()
            .table_name(&self.entries)
            .set_key(Some(entry_key(account, (*run).into())))
            .condition_expression("#kind = :charge AND amount = :spent")
            .expression_attribute_names("#kind", "kind")
            .expression_attribute_values(":charge", text("charge"))
            .expression_attribute_values(":spent", number(amount.spent().get()))
            .build()
            .map_err(malformed)?;
        Ok(Some(TransactWriteItem::builder().condition_check(check).build()))
    }

    async fn posted_before(&self, key: &OnceKey, mine: EntryId) -> Result<Posted, CreditsError> {
        let get = self.dynamo.get_item().table_name(&self.entries).set_key(Some(once_key(key)));
        let answer = get.consistent_read(true).send().await.map_err(StoreError::of_sdk)?;
        let attributes = answer.item().ok_or_else(no_attributes)?;
        let item = Item::new(CREDIT_TRANSACTIONS.name, attributes);
        let (account, entry) = (item.parsed("to")?, item.parsed("as")?);
        Ok(if entry == mine { Posted::Now(entry) } else { Posted::Before { account, entry } })
    }

    /// The entry, its once-only key and the account's change: all of them or none.
    async fn transact(
        &self,
        entry: &Entry,
        key: &OnceKey,
        account: TransactWriteItem,
        proof: Option<TransactWriteItem>,
    ) -> Result<Transacted, CreditsError> {
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
            put.map(|put| TransactWriteItem::builder().put(put).build()).map_err(malformed)
        };
        let mut items = vec![put(once)?, put(entry_item(entry))?, account];
        items.extend(proof);
        let answer = self
            .dynamo
            .transact_write_items()
            .set_transact_items(Some(items))
            .client_request_token(entry.id.to_string())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Transacted::Done),
            Err(error) => match error.as_service_error().map(cancellation) {
                Some(Cancelled::First) => Ok(Transacted::KeyUsed),
                Some(Cancelled::Account) => Ok(Transacted::AccountRefused),
                Some(Cancelled::Proof) => Ok(Transacted::ProofMissing),
                Some(Cancelled::Conflict) => Err(StoreError::Conflict.into()),
                Some(Cancelled::Other) | None => Err(StoreError::of_sdk(error).into()),
            },
        }
    }
}

enum Transacted {
    Done,
    KeyUsed,
    AccountRefused,
    ProofMissing,
}

enum Cancelled {
    /// The once-only key, or the entry itself, is there already.
    First,
    Account,
    /// What the posting refers to is not in the ledger as it says.
    Proof,
    Conflict,
    Other,
}

/// Judges a cancelled transaction of ours: items are once key, entry, account and perhaps a proof, in this order.
fn cancellation(error: &TransactWriteItemsError) -> Cancelled {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else {
        return match error {
            TransactWriteItemsError::TransactionInProgressException(_) => Cancelled::Conflict,
            _ => Cancelled::Other,
        };
    };
    let codes: Vec<&str> =
        cancelled.cancellation_reasons().iter().map(|r| r.code().unwrap_or("None")).collect();
    let failed = |index: usize| codes.get(index) == Some(&"ConditionalCheckFailed");
    let is_passing = |code: &&str| {
        matches!(*code, "None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
    };
    if failed(0) || failed(1) {
        return Cancelled::First;
    }
    if failed(3) {
        return Cancelled::Proof;
    }
    if failed(2) {
        return Cancelled::Account;
    }
    if codes.iter().all(is_passing) { Cancelled::Conflict } else { Cancelled::Other }
}

fn account_update(table: &str, account: &Account, effect: &Effect) -> Result<Update, CreditsError> {
    let (had_debt, has_debt) = (!account.debt.is_zero(), !effect.debt_after.is_zero());
    let mut update = Update::builder()
        .table_name(table)
        .set_key(Some(account_key(&account.id)))
        .expression_attribute_values(":change", number(effect.available.get()));
    let mut change = "SET avail = avail + :change".to_owned();
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
    if effect.available.get() < 0 {
        condition += " AND avail >= :taken";
        let taken = effect.available.magnitude();
        update = update.expression_attribute_values(":taken", number(taken.get()));
    }
    update.update_expression(change).condition_expression(condition).build().map_err(malformed)
}

fn is_failed_put(error: &SdkError<PutItemError, HttpResponse>) -> bool {
    error.as_service_error().is_some_and(|failed| failed.is_conditional_check_failed_exception())
}

fn malformed(error: BuildError) -> CreditsError {
    StoreError::Unavailable { code: "request not built".to_owned(), source: Box::new(error) }.into()
}
