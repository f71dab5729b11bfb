use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::ask;
use super::{MICROS, NOW, rows, texts, tronscan, world};
use crate::{Sandbox, TRON_WALLET, USDT_CONTRACT, UsdtWish};

/// `count` transfers of 0, 1, 2, … micros, a second apart, the last one now.
fn filled(count: u64) -> Sandbox {
    let sandbox = world();
    for nth in 0..count {
        sandbox.usdt_transfer(UsdtWish { age_seconds: count - 1 - nth, ..UsdtWish::of(nth) });
    }
    sandbox
}

fn amounts(range: impl Iterator<Item = u64>) -> Vec<String> {
    range.map(|nth| nth.to_string()).collect()
}

#[tokio::test]
async fn a_row_has_the_documented_shape() {
    let sandbox = world();
    let tx = sandbox.usdt_transfer(UsdtWish { age_seconds: 120, ..UsdtWish::of(MICROS) });
    let answer = tronscan(&sandbox, "").await;
    assert_eq!([&answer["total"], &answer["rangeTotal"]], [1, 1]);
    assert_eq!(answer["normalAddressInfo"][TRON_WALLET], json!({ "risk": false }));
    let row = &rows(&answer)[0];
    let expected = [
        ("transaction_id", json!(tx)),
        ("block_ts", json!((NOW - 120) * 1_000)),
        ("to_address", json!(TRON_WALLET)),
        ("contract_address", json!(USDT_CONTRACT)),
        ("quant", json!("5123000")),
        ("event_type", json!("Transfer")),
        ("confirmed", json!(true)),
        ("contractRet", json!("SUCCESS")),
        ("finalResult", json!("SUCCESS")),
        ("revert", json!(false)),
    ];
    for (field, value) in expected {
        assert_eq!(row[field], value, "{field}");
    }
    let token = &row["tokenInfo"];
    assert_eq!([&token["tokenId"], &token["tokenAbbr"]], [USDT_CONTRACT, "USDT"]);
    assert_eq!(token["tokenDecimal"], 6);
}

#[tokio::test]
async fn a_page_has_ten_rows_and_never_more_than_fifty() {
    let sandbox = filled(120);
    let cases = [
        ("", amounts((110..120).rev())),
        ("limit=3&start=2", amounts((115..118).rev())),
        ("limit=200", amounts((70..120).rev())),
        ("limit=200&start=100", amounts((0..20).rev())),
        ("limit=50&start=120", vec![]),
        ("sort=timestamp&limit=3&start=5", amounts(5..8)),
        ("sort=-timestamp&limit=1", amounts(119..120)),
        // Ignored with 200, like every parameter that cannot be read or is not known.
        ("limit=many&start=-1&confirm=7&direction=up&colour=red", amounts((110..120).rev())),
    ];
    for (query, expected) in cases {
        let page = tronscan(&sandbox, query).await;
        assert_eq!(texts(&page, "quant"), expected, "{query}");
        assert_eq!(page["total"], 120);
    }
}

#[tokio::test]
async fn the_window_includes_both_its_ends() {
    let sandbox = filled(20);
    let window = |first: u64, last: u64| {
        format!("start_timestamp={}&end_timestamp={}&sort=timestamp", first * 1_000, last * 1_000)
    };
    let page = tronscan(&sandbox, &window(NOW - 15, NOW - 12)).await;
    assert_eq!((texts(&page, "quant"), &page["total"]), (vec!["4", "5", "6", "7"], &json!(4)));
    assert!(rows(&tronscan(&sandbox, &window(NOW - 12, NOW - 15)).await).is_empty());
    sandbox.set_now(Some(NOW - 17));
    let page = tronscan(&sandbox, "").await;
    assert_eq!(texts(&page, "quant"), ["2", "1", "0"], "nobody sees the future");
}

#[tokio::test]
async fn beyond_ten_thousand_rows_the_first_page_comes_again() {
    let sandbox = world();
    sandbox.usdt_dust(10_050);
    let first = tronscan(&sandbox, "limit=50").await;
    assert_eq!([&first["total"], &first["rangeTotal"]], [10_000, 10_050]);
    let last = tronscan(&sandbox, "limit=50&start=9950").await;
    assert_ne!(texts(&last, "transaction_id"), texts(&first, "transaction_id"));
    for start in [9_951, 10_000, 10_050] {
        let beyond = tronscan(&sandbox, &format!("limit=50&start={start}")).await;
        assert_eq!(texts(&beyond, "transaction_id"), texts(&first, "transaction_id"), "start={start}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_transfers_can_be_paged_through_by_time() {
    let sandbox = world();
    sandbox.usdt_dust(100_000);
    let mut seen = BTreeSet::new();
    // The dust lies 200 to a block, three seconds apart; this window is the oldest 20 blocks.
    let first_ms = NOW * 1_000 - 499 * 3_000;
    for start in (0..4_000).step_by(50) {
        let window = format!("start_timestamp={first_ms}&end_timestamp={}", first_ms + 19 * 3_000);
        let page = tronscan(&sandbox, &format!("{window}&limit=50&start={start}")).await;
        assert_eq!(page["total"], 4_000);
        seen.extend(texts(&page, "transaction_id").into_iter().map(str::to_owned));
    }
    assert_eq!(seen.len(), 4_000);
}

#[tokio::test]
async fn the_related_address_is_seen_from_both_sides() {
    let sandbox = world();
    let other = "T9yD14Nj9j7xAB4dbGeiX9h8unkKLxmGkn";
    sandbox.usdt_transfer(UsdtWish { from: Some(other.to_owned()), ..UsdtWish::of(1) });
    sandbox.usdt_transfer(UsdtWish {
        from: Some(TRON_WALLET.to_owned()),
        to: Some(other.to_owned()),
        ..UsdtWish::of(2)
    });
    let cases = [
        (format!("relatedAddress={TRON_WALLET}"), vec!["2", "1"]),
        (format!("relatedAddress={TRON_WALLET}&direction=in"), vec!["1"]),
        (format!("relatedAddress={TRON_WALLET}&direction=out"), vec!["2"]),
        (format!("fromAddress={other}"), vec!["1"]),
        (format!("toAddress={other}"), vec!["2"]),
        (String::new(), vec!["2", "1"]),
    ];
    for (query, expected) in cases {
        let path = format!("GET /sandbox/tronscan/api/token_trc20/transfers?{query}");
        let page: Value = ask(&sandbox, &path, &[], "").await.json();
        assert_eq!(texts(&page, "quant"), expected, "{query}");
    }
}
