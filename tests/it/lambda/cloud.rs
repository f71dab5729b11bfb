//! A cloud per test, and the people in it.

use super::programs;
use crate::world::{Person, elsewhere, prefix_of_a_world};
use credits::{Ledger, Lots, read_lots};
use emulator::{ClientGone, Emulator, Options};
use platform::TableSpec;
use primitives::{AccountId, CreditsDelta};
use serde_json::Value;
use std::ops::Deref;
use std::path::Path;
use std::time::Duration;

/// Longer than anything here takes; what hangs fails its test instead of holding up all.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct Cloud {
    emulator: Emulator,
    browser: reqwest::Client,
}

impl Deref for Cloud {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}

impl Drop for Cloud {
    /// Fails the test if a function asked for what the template does not allow it.
    fn drop(&mut self) {
        let refused = self.emulator.iam.refused();
        assert!(refused.is_empty() || std::thread::panicking(), "template.yaml does not allow {refused:#?}");
    }
}

impl Cloud {
    pub(super) async fn start() -> Cloud {
        Cloud::with(Options::default()).await
    }

    pub(super) async fn where_clients_are(client_gone: ClientGone) -> Cloud {
        Cloud::with(Options { client_gone, ..Options::default() }).await
    }

    /// The template's functions with binaries of the development profile, if no others are given.
    pub(super) async fn with(mut options: Options) -> Cloud {
        if options.programs.is_empty() {
            let built = tokio::task::spawn_blocking(programs::of_development);
            options.programs = built.await.unwrap().clone();
        }
        options.elsewhere = elsewhere();
        options.table_prefix = Some(prefix_of_a_world(&options.elsewhere));
        options.template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        for (name, value) in [("PROVIDER_POLL_MS", "5"), ("PROVIDER_BACKOFF_MS", "1")] {
            options.variables.insert(name.to_owned(), value.to_owned());
        }
        let emulator = Emulator::start(options).await.unwrap();
        runs::Shop::new(&emulator.platform).unwrap().seed().await.unwrap();
        let browser = emulator.browser().unwrap();
        Cloud { emulator, browser }
    }

    /// Somebody who calls the API's address.
    pub(super) fn person(&self, name: &str) -> Person {
        Person::new(self.sandbox.clone(), self.api(), name)
    }

    pub(super) fn browser(&self) -> &reqwest::Client {
        &self.browser
    }

    /// Waits until the function has nothing to do.
    pub(super) async fn rest(&self, function: &str) {
        patiently(self.lambda.rest(function)).await;
    }

    /// Waits until no function has anything to do. An answer is there before its function waits again; who asks in
    /// between gets another environment, here as in Lambda.
    pub(super) async fn calm(&self) {
        patiently(self.lambda.rest_all()).await;
    }

    /// How many environments the function has had, and how often each asked for an event.
    pub(super) fn polls(&self, function: &str) -> Vec<usize> {
        self.lambda.courses(function).iter().map(|course| course.polls.len()).collect()
    }

    /// Every row of a table.
    pub(super) async fn scan(
        &self,
        table: &TableSpec,
    ) -> Vec<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>> {
        let scan = self.platform.dynamo().scan().table_name(self.platform.table(table));
        let mut pages = scan.into_paginator().items().send();
        let mut rows = Vec::new();
        while let Some(row) = pages.next().await {
            rows.push(row.unwrap());
        }
        rows
    }

    /// Each account holds what its entries say, and nothing is held for nobody.
    pub(super) async fn check_books(&self) {
        let ledger = Ledger::new(&self.platform).unwrap();
        let accounts = self.scan(&credits::ACCOUNTS).await;
        assert!(!accounts.is_empty(), "somebody was here");
        for row in accounts {
            let id: AccountId = row["id"].as_s().unwrap().parse().unwrap();
            let account = ledger.account(&id).await.unwrap().unwrap();
            let page = ledger.entries(&id, 100, None).await.unwrap();
            assert!(page.next.is_none(), "{id} has more entries than this looks at");
            let of_entries = sum(page.items.iter().map(|entry| entry.amount));
            let total = account.balance().unwrap().total().unwrap();
            assert_eq!(total, of_entries, "{id}: the balance is the sum of the entries");
            let Lots { lots, debt, .. } = read_lots(&page.items).unwrap();
            let of_lots = sum(lots.iter().map(|lot| lot.unspent.gained()).chain([debt.spent()]));
            assert_eq!(of_lots, of_entries, "{id}: the lots tell the same");
        }
    }
}

fn sum(amounts: impl Iterator<Item = CreditsDelta>) -> CreditsDelta {
    amounts.fold(CreditsDelta::ZERO, |sum, amount| sum.checked_add(amount).unwrap())
}

/// Fails the test if it takes for ever.
pub(super) async fn patiently<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it ends")
}

/// Status and code of an answer of API Gateway itself, which a page can read like the functions' own.
pub(super) fn gateways(answer: &crate::world::Answer) -> (u16, &str) {
    assert!(answer.headers.contains_key("x-amzn-errortype"), "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{}", answer.text);
    assert_eq!(answer.headers["access-control-allow-origin"], "*", "{}", answer.text);
    assert_eq!(answer.body["status"], answer.status, "{}", answer.text);
    assert_eq!(answer.body["request_id"], answer.headers["x-request-id"].to_str().unwrap());
    (answer.status, answer.body["code"].as_str().unwrap())
}

/// Reads a stream until it has this text, and tells what came.
pub(super) async fn read_until(response: &mut reqwest::Response, text: &str) -> String {
    let mut read = Vec::new();
    loop {
        let so_far = String::from_utf8_lossy(&read);
        if so_far.contains(text) {
            return so_far.into_owned();
        }
        let chunk = patiently(response.chunk()).await.unwrap().expect("the stream goes on");
        read.extend_from_slice(&chunk);
    }
}

/// The runs that a person was charged for.
pub(super) fn charges(transactions: &[Value]) -> Vec<&str> {
    let charges = transactions.iter().filter(|entry| entry["kind"] == "charge");
    charges.map(|entry| entry["id"].as_str().or(entry["entry_id"].as_str()).unwrap_or_default()).collect()
}
