//! The books of a world, read from the tables themselves.

use crate::world::World;
use aws_sdk_dynamodb::types::AttributeValue;
use credits::{Account, Entry, Kind, Ledger, Lots, Origin, Verdict, read_lots};
use payments::{Credited, Dossier, FactKey, FactState, Payment, Payments, TopUp, TopUps};
use primitives::{AccountId, Credits, CreditsDelta, EntryId};
use std::collections::HashMap;

/// All entries of an account, oldest first.
pub(crate) async fn entries(world: &World, account: &AccountId) -> Vec<Entry> {
    let ledger = Ledger::new(&world.accountant).unwrap();
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
    let dynamo = world.accountant.dynamo();
    let mut pages = dynamo.scan().table_name(world.table(table)).into_paginator().items().send();
    let mut rows = Vec::new();
    while let Some(row) = pages.next().await {
        rows.push(row.unwrap());
    }
    rows
}

/// Checks every account of the world: the sum of the entries, the holds, the lots, nothing negative.
pub(crate) async fn check(world: &World) {
    let ledger = Ledger::new(&world.accountant).unwrap();
    for row in scan(world, "accounts").await {
        let id: AccountId = row["id"].as_s().unwrap().parse().unwrap();
        let account = ledger.account(&id).await.unwrap().unwrap();
        check_account(&account, &entries(world, &id).await);
    }
}

/// What counts of the losses by runs that were given back stands in their accounts exactly once: the counters of the days add up to
/// what the outcomes say, for all whose hold is gone. Only in a world of less than two days, because older days are dropped.
pub(crate) async fn check_losses(world: &World) {
    let ledger = Ledger::new(&world.accountant).unwrap();
    for row in scan(world, "accounts").await {
        let id: AccountId = row["id"].as_s().unwrap().parse().unwrap();
        let account = ledger.account(&id).await.unwrap().unwrap();
        let counters = row.iter().filter(|(name, _)| {
            name.strip_prefix('l').is_some_and(|day| day.bytes().all(|digit| digit.is_ascii_digit()))
        });
        let counted: u64 = counters.map(|(_, lost)| lost.as_n().unwrap().parse::<u64>().unwrap()).sum();
        let lost_of = |entry: &Entry| match entry.run().map(|run| &run.verdict) {
            Some(Verdict::Released { counted, .. }) if account.hold(entry.id.into()).is_none() => {
                counted.micro_cents()
            }
            _ => 0,
        };
        let lost: u64 = entries(world, &id).await.iter().map(lost_of).sum();
        assert_eq!(counted, lost, "{id}: each loss is counted once");
    }
}

/// As [`check`], after a sweep past every hold: nothing may be reserved any more.
pub(crate) async fn check_settled(world: &World) {
    let ledger = Ledger::new(&world.accountant).unwrap();
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

/// As [`check`], and that payments, orders and ledger tell one story, each from the others' side.
pub(crate) async fn check_payments(world: &World) {
    check(world).await;
    let mut ledger = HashMap::new();
    for row in scan(world, "accounts").await {
        let account: AccountId = row["id"].as_s().unwrap().parse().unwrap();
        ledger.extend(entries(world, &account).await.into_iter().map(|entry| (entry.id, entry)));
    }
    let dossiers = dossiers(world).await;
    let orders = orders(world).await;
    for dossier in &dossiers {
        check_dossier(dossier, &ledger, &orders);
    }
    let credited = || dossiers.iter().filter_map(credited_of);
    for order in &orders {
        for payment in &order.payments {
            let of = credited().find(|(key, _)| **key == payment.key);
            let (_, of) =
                of.unwrap_or_else(|| panic!("{}: its payment {} is no fact", order.id, payment.key));
            if payment.entry != of.entry {
                assert_eq!(payment.reversed, payment.credits, "{}: assigned anew", payment.key);
                continue;
            }
            assert_eq!((of.order, &of.account), (Some(order.id), &order.account), "{}", payment.key);
        }
    }
    for entry in ledger.values() {
        let is_told = |id: EntryId| credited().any(|(_, of)| of.entry == id);
        let reversals = || dossiers.iter().flat_map(|dossier| &dossier.reversals);
        match &entry.kind {
            Kind::Grant { origin: Origin::TopUp, .. } => {
                // One that was taken back whole may have been followed by another grant of the same payment.
                let is_earlier = || credited().any(|(key, _)| is_grant_of(entry, key));
                assert!(is_told(entry.id) || is_earlier(), "{entry:?} came of no payment");
            }
            Kind::Reversal { of, .. } if is_told(*of) => {
                assert!(reversals().any(|row| row.entry == entry.id), "{entry:?} stands beside no payment");
            }
            Kind::Reinstatement { of, .. } if is_told(*of) => {
                let is_noted = reversals().any(|row| row.reinstated == Some(entry.id));
                assert!(is_noted, "{entry:?} stands beside no reversal");
            }
            _ => {}
        }
    }
}

/// Every payment of the world with all that lies beside it.
pub(crate) async fn dossiers(world: &World) -> Vec<Dossier> {
    let payments = Payments::new(&world.accountant).unwrap();
    let mut found = Vec::new();
    for row in scan(world, "payment_inbox").await {
        if row.contains_key("state") {
            let (source, part) = (row["source"].as_s().unwrap(), row["part"].as_s().unwrap());
            let key: FactKey = format!("{source}.{part}").parse().unwrap();
            found.push(payments.dossier(&key).await.unwrap());
        }
    }
    found
}

/// Every order of the world.
pub(crate) async fn orders(world: &World) -> Vec<TopUp> {
    let top_ups = TopUps::new(&world.accountant).unwrap();
    let mut found = Vec::new();
    for row in scan(world, "top_ups").await {
        // The other rows are the places that open orders take up.
        if row.contains_key("rail") {
            let account = row["account"].as_s().unwrap().parse().unwrap();
            found.push(top_ups.show(&account, row["id"].as_s().unwrap().parse().unwrap()).await.unwrap());
        }
    }
    found
}

fn credited_of(dossier: &Dossier) -> Option<(&FactKey, &Credited)> {
    match &dossier.fact.state {
        FactState::Credited(credited) => Some((&dossier.fact.key, credited)),
        _ => None,
    }
}

fn check_dossier(dossier: &Dossier, ledger: &HashMap<EntryId, Entry>, orders: &[TopUp]) {
    let key = &dossier.fact.key;
    assert!(!dossier.deliveries.is_empty(), "{key}: what told of it is kept");
    let paid: Vec<(&TopUp, &Payment)> = orders
        .iter()
        .flat_map(|order| order.payments.iter().map(move |payment| (order, payment)))
        .filter(|(_, payment)| payment.key == *key)
        .collect();
    let Some((_, credited)) = credited_of(dossier) else {
        assert!(paid.is_empty() && dossier.reversals.is_empty(), "{key} is {}", dossier.fact.state.as_str());
        let is_granted = ledger.values().any(|entry| is_grant_of(entry, key));
        assert!(!is_granted, "{key} was granted and is {}", dossier.fact.state.as_str());
        return;
    };
    let granted = ledger.get(&credited.entry).unwrap_or_else(|| panic!("{key}: no such entry"));
    assert_eq!(granted.account, credited.account, "{key}");
    assert_eq!(granted.amount, credited.credits.gained(), "{key}");
    assert!(is_grant_of(granted, key), "{key}: {granted:?}");
    // A payment that was taken back whole and assigned anew still shows where it stood before.
    let (paid, before): (Vec<_>, Vec<_>) =
        paid.into_iter().partition(|(_, payment)| payment.entry == credited.entry);
    assert!(before.iter().all(|(_, payment)| payment.reversed == payment.credits), "{key}: {before:?}");
    match credited.order {
        None => assert!(paid.is_empty(), "{key} belongs to no order"),
        Some(order) => {
            assert_eq!(paid.len(), 1, "{key}: once in one order");
            let (of, payment) = paid[0];
            assert_eq!((of.id, &of.account), (order, &credited.account), "{key}");
            assert_eq!((payment.credits, payment.entry), (credited.credits, credited.entry), "{key}");
            assert_eq!((payment.amount, payment.reversed), (dossier.fact.amount, credited.reversed), "{key}");
        }
    }
    let mut reversed = Credits::ZERO;
    for row in &dossier.reversals {
        let entry = &ledger[&row.entry];
        assert_eq!(entry.amount, row.credits.spent(), "{key}");
        let is_of_this_grant = matches!(&entry.kind, Kind::Reversal { of, .. } if *of == credited.entry);
        match row.reinstated {
            None if !is_of_this_grant => {}
            None => reversed = reversed.checked_add(row.credits).unwrap(),
            Some(back) => assert_eq!(ledger[&back].amount, row.credits.gained(), "{key}"),
        }
    }
    assert_eq!(reversed, credited.reversed, "{key}: what is taken back is what the reversals took");
}

/// Whether the entry bears a name under which the ledger accepts this payment's grant once: the first, or that of a
/// payment which was taken back whole and assigned anew.
fn is_grant_of(entry: &Entry, key: &FactKey) -> bool {
    let name = key.to_string().replacen('.', "#", 1);
    let rest = once_name(entry).and_then(|once| once.strip_prefix(&name).map(str::to_owned));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(".again-"))
}

/// The once-only name of a top-up's grant.
fn once_name(entry: &Entry) -> Option<String> {
    match &entry.kind {
        Kind::Grant { origin: Origin::TopUp, key, .. } => Some(key.as_str().to_owned()),
        _ => None,
    }
}
