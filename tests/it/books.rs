//! The books of a world, read from the tables themselves.

use crate::world::World;
use aws_sdk_dynamodb::types::AttributeValue;
use credits::{Account, Entry, Ledger, Lots, read_lots};
use primitives::{AccountId, CreditsDelta};
use std::collections::HashMap;

/// All entries of an account, oldest first.
pub(crate) async fn entries(world: &World, account: &AccountId) -> Vec<Entry> {
    let ledger = Ledger::new(&world.product.platform);
    let (mut entries, mut before) = (Vec::new(), None);
    loop {
        let page = ledger.entries(account, 100, before).await.unwrap();
        entries.extend(page.items);
        before = page.next;
        if before.is_none() {
            entries.reverse();
            return entries;
        }
    }
}

/// Every row of a table, for checks that must not miss one.
pub(crate) async fn scan(world: &World, table: &str) -> Vec<HashMap<String, AttributeValue>> {
    let dynamo = world.product.platform.dynamo();
    let mut pages = dynamo.scan().table_name(format!("citipen-{table}")).into_paginator().items().send();
    let mut rows = Vec::new();
    while let Some(row) = pages.next().await {
        rows.push(row.unwrap());
    }
    rows
}

/// Checks every account of the world: the sum of the entries, the holds, the lots, nothing negative.
pub(crate) async fn check(world: &World) {
    let ledger = Ledger::new(&world.product.platform);
    for row in scan(world, "accounts").await {
        let id: AccountId = row["id"].as_s().unwrap().parse().unwrap();
        let account = ledger.account(&id).await.unwrap().unwrap();
        check_account(&account, &entries(world, &id).await);
    }
}

/// As [`check`], after a sweep past every hold: nothing may be reserved any more.
pub(crate) async fn check_settled(world: &World) {
    let ledger = Ledger::new(&world.product.platform);
    for row in scan(world, "accounts").await {
        let id: AccountId = row["id"].as_s().unwrap().parse().unwrap();
        let account = ledger.account(&id).await.unwrap().unwrap();
        assert!(account.holds.is_empty(), "{id} has a hold that outlived its limit");
        assert!(!row.contains_key("sweep"), "{id} keeps its mark");
    }
    check(world).await;
}

fn check_account(account: &Account, entries: &[Entry]) {
    let sum = |amounts: Vec<CreditsDelta>| {
        amounts.into_iter().try_fold(CreditsDelta::ZERO, CreditsDelta::checked_add).unwrap()
    };
    let ledger = sum(entries.iter().map(|entry| entry.amount).collect());
    // A hold whose run is decided as charged counts as spent until it is applied.
    let is_charge_of = |entry: &Entry, hold: &credits::Hold| {
        entry.id == hold.run.into() && entry.run().is_some_and(|run| run.nonce == hold.nonce)
    };
    let charged_but_held = account
        .holds
        .iter()
        .filter_map(|hold| entries.iter().find(|entry| is_charge_of(entry, hold)).map(|entry| entry.amount));
    let total = account.balance().unwrap().total().unwrap();
    let total = total.checked_add(sum(charged_but_held.collect())).unwrap();
    assert_eq!(total, ledger, "{}: balance = sum of entries", account.id);
    let Lots { lots, debt, .. } = read_lots(entries).unwrap();
    let unspent = sum(lots.iter().map(|lot| lot.unspent.gained()).collect());
    assert_eq!(unspent.checked_add(debt.spent()).unwrap(), ledger, "{}: lots tell the same", account.id);
}
