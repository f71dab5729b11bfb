//! SePay's list of transactions, account by account.

use super::Reconciliation;
use crate::arrival::Received;
use crate::bank::BankDesk;
use crate::card::own_key_is_malformed;
use crate::chain::{Compared, Listed};
use crate::fact::{Fact, FactKey, FactState, Via};
use crate::{Arrival, Claim, ComparisonError, PaymentsError};
use primitives::Timestamp;
use rails::sepay_bank::{Api, Direction, Transfer};
use serde_json::json;

impl Reconciliation {
    /// Compares every account's list. One that can't be read is told, and keeps no other waiting.
    pub(super) async fn compare_bank(
        &self,
        desk: &BankDesk,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Compared, PaymentsError> {
        let list = self.list.as_ref().ok_or(ComparisonError::NoList)?;
        let mut compared = Compared::default();
        for account in desk.accounts() {
            let api = Api { account_number: account.clone(), ..list.clone() };
            if let Err(error) = self.compare_account(desk, &api, from, &mut compared, now).await {
                let account = shortened(account);
                tracing::error!(account, error = %error, "an account's list could not be compared");
                compared.fail(format!("account {account}: {error}"));
            }
        }
        Ok(compared)
    }

    async fn compare_account(
        &self,
        desk: &BankDesk,
        api: &Api,
        from: Timestamp,
        compared: &mut Compared,
        now: Timestamp,
    ) -> Result<(), PaymentsError> {
        let listed = api.transactions(&self.http, None, from).await?;
        let unreadable = u32::try_from(listed.unreadable).unwrap_or(u32::MAX);
        compared.unreadable = compared.unreadable.saturating_add(unreadable);
        compared.is_cut_short |= !listed.is_complete;
        let arrivals = listed.transfers.iter().map(|transfer| {
            let body = told(transfer).to_string();
            let arrival = desk.arrival(transfer, body.as_bytes(), Via::Reconciliation, now);
            arrival.map(|arrival| (transfer, arrival)).map_err(|_| own_key_is_malformed())
        });
        let arrivals = arrivals.collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<FactKey> = arrivals.iter().map(|(_, arrival)| arrival.key.clone()).collect();
        let known = self.payments.store.facts(&keys).await?;
        for (transfer, arrival) in arrivals {
            if known.get(&arrival.key).is_none_or(|fact| may_be_decided_by(&arrival, fact)) {
                compared.repaired += u32::from(self.book_listed(&arrival, now).await);
            }
            if transfer.direction == Direction::In {
                let units = transfer.amount.get();
                compared.listed.push(Listed { key: arrival.key, units, at: transfer.at });
            }
        }
        Ok(())
    }

    /// True: it was not booked before.
    async fn book_listed(&self, arrival: &Arrival, now: Timestamp) -> bool {
        match self.payments.receive(arrival, now).await {
            Ok(Received::Credited { .. } | Received::Kept(_)) => true,
            Ok(Received::Before | Received::Ignored(_)) => false,
            Err(error) => {
                tracing::error!(payment = %arrival.key, error = %error, "a listed transfer could not be booked");
                false
            }
        }
    }
}

fn may_be_decided_by(arrival: &Arrival, fact: &Fact) -> bool {
    let was_ignored = matches!(fact.state, FactState::Ignored(_));
    fact.is_open() || (was_ignored && !matches!(arrival.claim, Claim::Ignore(_)))
}

/// An account's number has no place in a report or a log; its end tells ours apart.
fn shortened(account: &str) -> String {
    let end: Vec<char> = account.chars().rev().take(3).collect();
    format!("…{}", end.into_iter().rev().collect::<String>())
}

/// A row of the list in the webhook's words.
fn told(transfer: &Transfer) -> serde_json::Value {
    json!({
        "id": transfer.id,
        "accountNumber": transfer.account_number,
        "subAccount": transfer.sub_account,
        "transferAmount": transfer.amount.get(),
        "transferType": if transfer.direction == Direction::In { "in" } else { "out" },
        "code": transfer.code,
        "content": transfer.content.as_ref().map(|content| content.expose()),
        "referenceCode": transfer.reference_code,
        "transactionDate": transfer.at,
    })
}
