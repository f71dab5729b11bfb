use serde_json::json;

use super::super::ask;
use super::{MICROS, NOW, rows, texts, trongrid, world};
use crate::{Sandbox, TRON_WALLET, USDT_CONTRACT, UsdtWish};

/// Reads all pages and answers the amounts and the number of pages.
async fn walked(sandbox: &Sandbox, query: &str) -> (Vec<String>, usize) {
    let mut amounts = Vec::new();
    let mut cursor = String::new();
    for page in 1.. {
        let answer = trongrid(sandbox, &format!("{query}{cursor}")).await;
        amounts.extend(texts(&answer, "value").into_iter().map(str::to_owned));
        match answer["meta"]["fingerprint"].as_str() {
            Some(fingerprint) => cursor = format!("&fingerprint={fingerprint}"),
            None => return (amounts, page),
        }
    }
    unreachable!("the loop has no end")
}

#[tokio::test]
async fn a_row_has_the_documented_shape() {
    let sandbox = world();
    let tx = sandbox.usdt_transfer(UsdtWish { age_seconds: 120, ..UsdtWish::of(MICROS) });
    let answer = trongrid(&sandbox, "").await;
    assert_eq!((&answer["success"], &answer["meta"]["page_size"]), (&json!(true), &json!(1)));
    assert!(answer["meta"].get("fingerprint").is_none());
    let row = &rows(&answer)[0];
    let token = json!({ "symbol": "USDT", "address": USDT_CONTRACT, "decimals": 6, "name": "Tether USD" });
    assert_eq!(
        *row,
        json!({
            "transaction_id": tx, "token_info": token, "block_timestamp": (NOW - 120) * 1_000,
            "from": row["from"], "to": TRON_WALLET, "type": "Transfer", "value": "5123000",
        })
    );
}

#[tokio::test]
async fn fingerprints_lead_through_all_pages_in_both_orders() {
    let sandbox = world();
    for nth in 0..450 {
        // Ten to a block, so that pages end in the middle of blocks.
        sandbox.usdt_transfer(UsdtWish { age_seconds: 449 - nth / 10 * 3, ..UsdtWish::of(nth) });
    }
    let oldest_first: Vec<String> = (0..450).map(|nth: u64| nth.to_string()).collect();
    let newest_first: Vec<String> = oldest_first.iter().rev().cloned().collect();
    let asc = "order_by=block_timestamp,asc&only_confirmed=true";
    assert_eq!(walked(&sandbox, &format!("{asc}&limit=7")).await, (oldest_first.clone(), 65));
    assert_eq!(walked(&sandbox, &format!("{asc}&limit=1000")).await, (oldest_first.clone(), 3));
    assert_eq!(walked(&sandbox, &format!("{asc}&limit=150")).await, (oldest_first, 3));
    assert_eq!(walked(&sandbox, "order_by=block_timestamp,desc&limit=0").await, (newest_first, 23));
    let block = (NOW - 449) * 1_000 + 3_000;
    let window = format!("{asc}&min_timestamp={block}&max_timestamp={block}");
    assert_eq!(walked(&sandbox, &window).await, ((10..20).map(|nth: u64| nth.to_string()).collect(), 1));
}

#[tokio::test]
async fn a_page_does_not_shift_when_newer_transfers_arrive() {
    let sandbox = world();
    for nth in 0..6 {
        sandbox.usdt_transfer(UsdtWish::of(nth));
    }
    let first = trongrid(&sandbox, "limit=3").await;
    sandbox.usdt_transfer(UsdtWish::of(99));
    let fingerprint = first["meta"]["fingerprint"].as_str().expect("there is more");
    let second = trongrid(&sandbox, &format!("limit=3&fingerprint={fingerprint}")).await;
    assert_eq!([texts(&first, "value"), texts(&second, "value")], [["5", "4", "3"], ["2", "1", "0"]]);
}

#[tokio::test]
async fn a_fingerprint_belongs_to_its_filters() {
    let sandbox = world();
    sandbox.usdt_dust(10);
    let account = format!("GET /sandbox/trongrid/v1/accounts/{TRON_WALLET}/transactions/trc20");
    let first = ask(&sandbox, &format!("{account}?limit=5&only_to=true"), &[], "").await.json();
    let fingerprint = first["meta"]["fingerprint"].as_str().expect("there is more");
    let cases = [
        ("limit=2&only_to=true", 200),
        ("limit=5&only_to=true&only_confirmed=true", 400),
        ("limit=5&only_to=true&min_timestamp=1", 400),
        ("limit=5&only_to=true&order_by=block_timestamp,asc", 400),
        ("limit=5", 400),
    ];
    for (filters, status) in cases {
        let path = format!("{account}?{filters}&fingerprint={fingerprint}");
        assert_eq!(ask(&sandbox, &path, &[], "").await.status, status, "{filters}");
    }
    let nonsense = ask(&sandbox, &format!("{account}?fingerprint=0OIl"), &[], "").await;
    assert_eq!((nonsense.status, &nonsense.json()["success"]), (400, &json!(false)));
}

#[tokio::test]
async fn an_account_is_a_valid_address_and_sees_what_goes_out_too() {
    let sandbox = world();
    let other = "T9yD14Nj9j7xAB4dbGeiX9h8unkKLxmGkn";
    sandbox.usdt_transfer(UsdtWish { from: Some(other.to_owned()), ..UsdtWish::of(1) });
    let account = |address: &str, query: &str| {
        format!("GET /sandbox/trongrid/v1/accounts/{address}/transactions/trc20?{query}")
    };
    let cases =
        [(other, "", 1), (other, "only_from=true", 1), (other, "only_to=true", 0), (TRON_WALLET, "", 1)];
    for (address, query, count) in cases {
        let answer = ask(&sandbox, &account(address, query), &[], "").await.json();
        assert_eq!(rows(&answer).len(), count, "{address} {query}");
    }
    let wrong = ask(&sandbox, &account("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6T", ""), &[], "").await;
    assert_eq!(wrong.status, 400);
}
