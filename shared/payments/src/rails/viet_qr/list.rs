//! SePay's list of transactions, account by account.

use super::desk::BankDesk;
use super::settings::BankListSettings;
use crate::arrival::Received;
use crate::compared::{Compared, Listed};
use crate::error::own_key_is_malformed;
use crate::fact::{Fact, FactKey, FactState, Via};
use crate::rails::kind::ProcessorList;
use crate::{Arrival, ComparisonError, Destination, PaymentsError};
use async_trait::async_trait;
use platform::{InvalidSettings, Platform, with_causes};
use primitives::Timestamp;
use rails::sepay_bank::{Api, Direction, Transfer};
use serde_json::json;

pub(super) struct BankList {
    desk: BankDesk,
    /// `None`: `SEPAY_BANK_API_TOKEN` is missing.
    api: Option<Api>,
    http: reqwest::Client,
}

impl BankList {
    /// `None` when no transfers are taken.
    pub(super) fn new(platform: &Platform) -> Result<Option<BankList>, InvalidSettings> {
        let Some(desk) = BankDesk::new(platform)? else { return Ok(None) };
        let list = platform.env().section(BankListSettings::read)?;
        let api = list.map(|list| Api {
            base_url: list.api_url,
            token: list.token,
            account_number: desk.account().to_owned(),
            offset_minutes: desk.offset_minutes(),
        });
        Ok(Some(BankList { desk, api, http: platform.http().clone() }))
    }

    async fn compare_account(
        &self,
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
            let body = as_webhook_body(transfer).to_string();
            let arrival = self.desk.arrival(transfer, body.as_bytes(), Via::Reconciliation, now);
            arrival.map(|arrival| (transfer, arrival)).map_err(|_| own_key_is_malformed())
        });
        let arrivals = arrivals.collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<FactKey> = arrivals.iter().map(|(_, arrival)| arrival.key.clone()).collect();
        let known = self.desk.payments().store.facts(&keys).await?;
        for (transfer, arrival) in arrivals {
            if known.get(&arrival.key).is_none_or(|fact| may_be_decided_by(&arrival, fact)) {
                compared.repaired += u32::from(self.book_listed(&arrival, now).await);
            }
            if transfer.direction == Direction::In {
                compared.listed.push(Listed {
                    key: arrival.key,
                    amount: transfer.amount.into(),
                    at: transfer.at,
                });
            }
        }
        Ok(())
    }

    /// True: it was not booked before.
    async fn book_listed(&self, arrival: &Arrival, now: Timestamp) -> bool {
        match self.desk.payments().receive(arrival, now).await {
            Ok(Received::Credited { .. } | Received::Kept(_)) => true,
            Ok(Received::Before | Received::Ignored(_)) => false,
            Err(error) => {
                tracing::error!(
                    payment = %arrival.key, error = %with_causes(&error),
                    "a listed transfer could not be booked"
                );
                false
            }
        }
    }
}

#[async_trait]
impl ProcessorList for BankList {
    /// Compares every account's list. One that can't be read is told, and keeps no other waiting.
    async fn compare(&self, from: Timestamp, now: Timestamp) -> Result<Compared, PaymentsError> {
        let api = self.api.as_ref().ok_or(ComparisonError::NoList)?;
        let mut compared = Compared::default();
        for account in self.desk.accounts() {
            let api = Api { account_number: account.clone(), ..api.clone() };
            if let Err(error) = self.compare_account(&api, from, &mut compared, now).await {
                let account = shortened(account);
                tracing::error!(account, error = %with_causes(&error), "an account's list could not be compared");
                compared.fail(format!("account {account}: {error}"));
            }
        }
        Ok(compared)
    }
}

fn may_be_decided_by(arrival: &Arrival, fact: &Fact) -> bool {
    let was_ignored = matches!(fact.state, FactState::Ignored(_));
    fact.is_open() || (was_ignored && !matches!(arrival.destination, Destination::Ignore(_)))
}

/// An account's number has no place in a report or a log; its end tells ours apart.
fn shortened(account: &str) -> String {
    let end: Vec<char> = account.chars().rev().take(3).collect();
    format!("…{}", end.into_iter().rev().collect::<String>())
}

/// A row of the list in the webhook's words.
fn as_webhook_body(transfer: &Transfer) -> serde_json::Value {
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
