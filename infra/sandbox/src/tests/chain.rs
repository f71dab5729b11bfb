//! The chain and how it is filled; what each indexer tells of it has its own file.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{ask, instant};
use crate::chain::{FAKE_CONTRACT, is_address};
use crate::{Fault, FaultRule, Sandbox, Service, TRON_WALLET, USDT_CONTRACT, UsdtWish};

mod trongrid;
mod tronscan;

const NOW: u64 = 1_790_000_000;
const MICROS: u64 = 5_123_000;

/// A world whose clock stands still.
fn world() -> Sandbox {
    let sandbox = instant();
    sandbox.set_now(Some(NOW));
    sandbox
}

/// TronScan's answer about our wallet.
async fn tronscan(sandbox: &Sandbox, query: &str) -> Value {
    let path = format!(
        "GET /sandbox/tronscan/api/token_trc20/transfers?toAddress={TRON_WALLET}&contract_address={USDT_CONTRACT}&{query}"
    );
    let answer = ask(sandbox, &path, &[], "").await;
    assert_eq!(answer.status, 200);
    answer.json()
}

/// TronGrid's answer about our wallet.
async fn trongrid(sandbox: &Sandbox, query: &str) -> Value {
    let path = format!(
        "GET /sandbox/trongrid/v1/accounts/{TRON_WALLET}/transactions/trc20?only_to=true&contract_address={USDT_CONTRACT}&{query}"
    );
    let answer = ask(sandbox, &path, &[], "").await;
    assert_eq!(answer.status, 200);
    answer.json()
}

fn rows(answer: &Value) -> &[Value] {
    answer["token_transfers"].as_array().or_else(|| answer["data"].as_array()).expect("a list")
}

fn texts<'a>(answer: &'a Value, field: &str) -> Vec<&'a str> {
    rows(answer).iter().map(|row| row[field].as_str().expect("a text")).collect()
}

async fn order(sandbox: &Sandbox, order: Value) -> Vec<String> {
    let answer = ask(sandbox, "POST /sandbox/tronscan/transfers", &[], order.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    serde_json::from_slice(&answer.body).expect("a list of transactions")
}

#[test]
fn the_addresses_have_right_checksums_and_a_changed_letter_breaks_one() {
    for address in [TRON_WALLET, USDT_CONTRACT, FAKE_CONTRACT, "T9yD14Nj9j7xAB4dbGeiX9h8unkKLxmGkn"] {
        assert!(is_address(address), "{address}");
    }
    for text in ["TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6T", "", "T", "0OIl"] {
        assert!(!is_address(text), "{text}");
    }
}

#[tokio::test]
async fn both_indexers_tell_the_same_money() {
    let sandbox = world();
    for nth in 0..120 {
        sandbox.usdt_transfer(UsdtWish { age_seconds: nth * 7 % 500, ..UsdtWish::of(MICROS + nth) });
    }
    sandbox.usdt_transfer(UsdtWish { contract: Some("fake".to_owned()), ..UsdtWish::of(1) });
    sandbox.usdt_transfer(UsdtWish { to: Some(FAKE_CONTRACT.to_owned()), ..UsdtWish::of(2) });

    let grid = trongrid(&sandbox, "limit=200&only_confirmed=true&order_by=block_timestamp,asc").await;
    let told = |answer: &Value, names: [&str; 4]| -> Vec<[String; 4]> {
        rows(answer).iter().map(|row| names.map(|name| row[name].to_string())).collect()
    };
    let mut scan = Vec::new();
    for start in [0, 50, 100] {
        let page = tronscan(&sandbox, &format!("sort=timestamp&confirm=0&limit=50&start={start}")).await;
        scan.extend(told(&page, ["transaction_id", "block_ts", "from_address", "quant"]));
    }
    assert!(scan.len() > 90 && scan.len() < 120, "{}", scan.len());
    assert_eq!(told(&grid, ["transaction_id", "block_timestamp", "from", "value"]), scan);
}

#[tokio::test]
async fn a_transfer_is_confirmed_a_minute_after_its_block() {
    let sandbox = world();
    let tx = sandbox.usdt_transfer(UsdtWish::of(MICROS));
    let late = UsdtWish { confirm_after_seconds: Some(600), ..UsdtWish::of(1) };
    let late = sandbox.usdt_transfer(late);
    let never = sandbox.usdt_transfer(UsdtWish { confirmed: Some(false), ..UsdtWish::of(2) });
    let at_once = sandbox.usdt_transfer(UsdtWish { confirmed: Some(true), ..UsdtWish::of(3) });

    let steps = [
        (NOW, vec![&at_once]),
        (NOW + 59, vec![&at_once]),
        (NOW + 60, vec![&at_once, &tx]),
        (NOW + 600, vec![&at_once, &late, &tx]),
    ];
    for (now, confirmed) in steps {
        sandbox.set_now(Some(now));
        let scan = tronscan(&sandbox, "confirm=0").await;
        assert_eq!(texts(&scan, "transaction_id"), confirmed, "TronScan at {now}");
        assert!(rows(&scan).iter().all(|row| row["confirmed"] == true));
        let grid = trongrid(&sandbox, "only_confirmed=true").await;
        assert_eq!(texts(&grid, "transaction_id"), confirmed, "TronGrid at {now}");
    }
    let waiting = tronscan(&sandbox, "confirm=1").await;
    assert_eq!(texts(&waiting, "transaction_id"), [&never]);
    assert_eq!(rows(&waiting)[0]["confirmed"], false);
    assert_eq!(texts(&trongrid(&sandbox, "only_unconfirmed=true").await, "transaction_id"), [&never]);
    assert_eq!(rows(&tronscan(&sandbox, "").await).len(), 4);
}

#[tokio::test]
async fn what_failed_or_was_undone_is_never_an_event() {
    let sandbox = world();
    let age_seconds = 120;
    let reverted = UsdtWish { reverted: true, confirmed: Some(true), age_seconds, ..UsdtWish::of(MICROS) };
    let reverted = sandbox.usdt_transfer(reverted);
    let outcome = Some("OUT_OF_ENERGY".to_owned());
    let failed =
        sandbox.usdt_transfer(UsdtWish { contract_ret: outcome, age_seconds, ..UsdtWish::of(MICROS) });
    let allowed = sandbox.usdt_transfer(UsdtWish { approval: true, age_seconds, ..UsdtWish::of(MICROS) });

    let undone = tronscan(&sandbox, "confirm=2").await;
    assert_eq!(texts(&undone, "transaction_id"), [&reverted]);
    let row = &rows(&undone)[0];
    assert_eq!([&row["revert"], &row["confirmed"]], [true, false]);
    assert_eq!([&row["contractRet"], &row["finalResult"]], ["REVERT", "REVERT"]);

    let confirmed = tronscan(&sandbox, "confirm=0").await;
    assert_eq!(texts(&confirmed, "transaction_id"), [&allowed, &failed]);
    assert_eq!(texts(&confirmed, "contractRet"), ["SUCCESS", "OUT_OF_ENERGY"]);
    assert_eq!(texts(&confirmed, "event_type"), ["Approval", "Transfer"]);

    let grid = trongrid(&sandbox, "").await;
    assert_eq!(texts(&grid, "transaction_id"), [&allowed]);
    assert_eq!(texts(&grid, "type"), ["Approval"]);
}

#[tokio::test]
async fn one_transaction_holds_several_transfers_in_one_block() {
    let sandbox = world();
    let tx = sandbox.usdt_transfer(UsdtWish::of(MICROS));
    sandbox.set_now(Some(NOW + 30));
    let order = order(&sandbox, json!({ "amount": "5.123", "tx": tx, "times": 2 })).await;
    assert_eq!(order, [tx.as_str(), &tx]);
    for answer in [tronscan(&sandbox, "").await, trongrid(&sandbox, "").await] {
        assert_eq!(texts(&answer, "transaction_id"), [&tx, &tx, &tx]);
        let times: BTreeSet<u64> = rows(&answer)
            .iter()
            .filter_map(|row| row["block_ts"].as_u64().or(row["block_timestamp"].as_u64()))
            .collect();
        assert_eq!(times, BTreeSet::from([NOW * 1_000]));
    }
}

#[tokio::test]
async fn a_payment_can_be_hidden_under_dust() {
    let sandbox = world();
    let ids = order(&sandbox, json!({ "amount_micros": MICROS, "dust": 300 })).await;
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 301);
    let newest = tronscan(&sandbox, "limit=50").await;
    assert_eq!(newest["total"], 301);
    assert!(rows(&newest).iter().all(|row| row["quant"] == "1" && row["transaction_id"] != ids[0].as_str()));
    let spammers: BTreeSet<&str> = texts(&newest, "from_address").into_iter().collect();
    assert!(spammers.len() == 50 && spammers.iter().all(|address| is_address(address)));

    sandbox.usdt_dust(1_000);
    assert_eq!(tronscan(&sandbox, "").await["total"], 1_301);
    let in_one_block = format!("start_timestamp={0}&end_timestamp={0}", NOW * 1_000);
    assert_eq!(tronscan(&sandbox, &in_one_block).await["total"], 401);
}

#[tokio::test]
async fn an_indexer_may_learn_of_a_block_late() {
    let sandbox = world();
    sandbox.usdt_transfer(UsdtWish { indexed_after_seconds: 90, ..UsdtWish::of(MICROS) });
    for (now, count) in [(NOW + 89, 0), (NOW + 90, 1)] {
        sandbox.set_now(Some(now));
        assert_eq!(rows(&tronscan(&sandbox, "").await).len(), count);
        assert_eq!(rows(&trongrid(&sandbox, "only_confirmed=true").await).len(), count);
    }
}

#[tokio::test]
async fn orders_that_mean_nothing_are_refused() {
    let sandbox = world();
    let refused = [
        json!({}),
        json!({ "amount": 5.123 }),
        json!({ "amount": "5.1234567" }),
        json!({ "amount": "-5" }),
        json!({ "amount": "5." }),
        json!({ "amount": ".5" }),
        json!({ "amount": "18446744073709.551616" }),
        json!({ "amount": "5", "to": "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6T" }),
        json!({ "amount": "5", "tx": "ab" }),
        json!({ "amount": "5", "times": 100_001 }),
        json!({ "amount": "5", "colour": "red" }),
        json!([]),
    ];
    for order in refused {
        let answer = ask(&sandbox, "POST /sandbox/tronscan/transfers", &[], order.to_string()).await;
        assert_eq!(answer.status, 422, "{order}");
        assert!(answer.json()["error"].is_string());
    }
    assert!(rows(&tronscan(&sandbox, "").await).is_empty());

    for (amount, raw) in
        [("5", "5000000"), ("0.000001", "1"), ("18446744073709.551615", "18446744073709551615")]
    {
        order(&sandbox, json!({ "amount": amount })).await;
        assert_eq!(texts(&tronscan(&sandbox, "limit=1").await, "quant"), [raw]);
    }
}

#[tokio::test]
async fn the_indexers_fail_in_every_way_ordered() {
    let sandbox = world();
    sandbox.usdt_transfer(UsdtWish::of(MICROS));
    let reads = [
        (Service::Tronscan, "GET /sandbox/tronscan/api/token_trc20/transfers".to_owned()),
        (Service::Trongrid, format!("GET /sandbox/trongrid/v1/accounts/{TRON_WALLET}/transactions/trc20")),
    ];
    for (service, read) in &reads {
        let strike = |fault| sandbox.faults().set(*service, FaultRule::once(fault));
        strike(Fault::Status { status: 429, retry_after: Some(7) });
        let too_fast = ask(&sandbox, read, &[], "").await;
        assert_eq!((too_fast.status, too_fast.header("retry-after")), (429, "7"));
        for status in [403, 503] {
            strike(Fault::Status { status, retry_after: None });
            assert_eq!(ask(&sandbox, read, &[], "").await.status, status);
        }
        strike(Fault::Garbage);
        assert!(ask(&sandbox, read, &[], "").await.text().starts_with("<!doctype html>"));
        strike(Fault::WrongShape);
        let odd = ask(&sandbox, read, &[], "").await.json();
        assert!(odd.get("token_transfers").is_none() && odd.get("data").is_none());
        strike(Fault::DropConnection);
        assert!(ask(&sandbox, read, &[], "").await.is_broken);
        strike(Fault::Slow { ms: 0 });
        assert_eq!(rows(&ask(&sandbox, read, &[], "").await.json()).len(), 1);
        strike(Fault::Empty);
        assert!(rows(&ask(&sandbox, read, &[], "").await.json()).is_empty());
        assert_eq!(rows(&ask(&sandbox, read, &[], "").await.json()).len(), 1);

        let wrong_key = [("tron-pro-api-key", "another")];
        assert_eq!(ask(&sandbox, read, &wrong_key, "").await.status, 401);
        let right_key = [("tron-pro-api-key", crate::TRON_API_KEY)];
        assert_eq!(ask(&sandbox, read, &right_key, "").await.status, 200);
    }
    assert!(!format!("{:?}", sandbox.journal()).contains(crate::TRON_API_KEY));

    sandbox.faults().set(Service::Tronscan, FaultRule::always(Fault::Refuse));
    order(&sandbox, json!({ "amount": "1" })).await;
    let latest = ask(&sandbox, "GET /sandbox/tronscan/transfers?limit=1", &[], "").await.json();
    assert_eq!(latest[0]["amount_micros"], "1000000");
}

#[tokio::test]
async fn the_chain_has_a_page_that_needs_nothing_from_elsewhere() {
    let page = ask(&instant(), "GET /sandbox/tronscan/page", &[], "").await;
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("http://") && !page.text().contains("https://"));
}
