use super::indexer::{coin, trongrid_row, tronscan_row};
use super::{NOON, SENDER, STRANGER, WALLET, address, watch};
use crate::UsdtMicros;
use crate::tron::source::Question;
use crate::tron::verdict::{Reason, Reason::*, Sighting, Verdict};
use crate::tron::{trongrid, tronscan};
use primitives::Timestamp;
use serde_json::{Value, json};

type Judge = fn(&Value, &Question) -> Verdict;

fn question() -> Question {
    Question { watch: watch(), first: Timestamp::from_millis(NOON), last: Timestamp::from_millis(NOON + 10) }
}

fn sighting() -> Sighting {
    Sighting {
        at: Timestamp::from_millis(NOON),
        tx: format!("{:064x}", 0xAB).parse().unwrap(),
        amount: UsdtMicros::new(5_123_000).unwrap(),
        from: address(SENDER),
        index: None,
    }
}

/// Sets the field of this path, `tokenInfo/tokenId`, or takes it out.
fn with(mut row: Value, path: &str, value: Option<Value>) -> Value {
    let (parent, name) = path.rsplit_once('/').map_or(("", path), |(parent, name)| (parent, name));
    let parent = if parent.is_empty() { &mut row } else { &mut row[parent] };
    match value {
        Some(value) => parent[name] = value,
        None => drop(parent.as_object_mut().unwrap().remove(name)),
    }
    row
}

fn check(judge: Judge, row: &Value, path: &str, value: Value, reason: Reason) {
    let verdict = judge(&with(row.clone(), path, Some(value.clone())), &question());
    assert_eq!(verdict, Verdict::Rejected(reason), "{path} = {value}");
}

/// Each field missing, null or of another type; what is left of the row is right.
fn each_field_is_needed(judge: Judge, row: &Value, fields: &[&'static str]) {
    assert_eq!(judge(row, &question()), Verdict::Accepted(sighting()));
    for field in fields {
        let path = field.replace('.', "/");
        check(judge, row, &path, Value::Null, Malformed(field));
        check(judge, row, &path, json!([]), Malformed(field));
        let verdict = judge(&with(row.clone(), &path, None), &question());
        assert_eq!(verdict, Verdict::Rejected(Malformed(field)), "{field} missing");
    }
}

fn bad_amounts(judge: Judge, row: &Value, field: &'static str) {
    check(judge, row, field, json!("0"), Nothing);
    check(judge, row, field, json!(0), Nothing);
    let texts = ["", "-1", "+1", "1.5", "1e6", " 1", "0x10", "9007199254740992", "99999999999999999999", "١"];
    for text in texts {
        check(judge, row, field, json!(text), Malformed(field));
    }
    for number in ["-5", "5.0", "5e3", "9007199254740992", "99999999999999999999"] {
        check(judge, row, field, serde_json::from_str(number).unwrap(), Malformed(field));
    }
    let as_number = with(row.clone(), field, Some(json!(5_123_000)));
    assert_eq!(judge(&as_number, &question()), Verdict::Accepted(sighting()));
}

#[test]
fn a_row_of_tronscan_passes_every_check_or_is_refused() {
    let row = tronscan_row(&coin(0xAB, NOON, 5_123_000), WALLET);
    let fields = [
        "transaction_id",
        "block_ts",
        "from_address",
        "to_address",
        "contract_address",
        "tokenInfo.tokenId",
        "tokenInfo.tokenDecimal",
        "event_type",
        "quant",
        "revert",
        "confirmed",
        "contractRet",
        "finalResult",
    ];
    each_field_is_needed(tronscan::judge, &row, &fields);
    bad_amounts(tronscan::judge, &row, "quant");
    let table = [
        ("to_address", json!(STRANGER), OtherWallet),
        ("to_address", json!(WALLET.to_lowercase()), Malformed("to_address")),
        ("contract_address", json!(STRANGER), OtherToken),
        ("tokenInfo/tokenId", json!(STRANGER), OtherToken),
        ("tokenInfo/tokenDecimal", json!(18), Decimals),
        ("tokenInfo/tokenDecimal", json!("7"), Decimals),
        ("event_type", json!("Approval"), OtherEvent),
        ("event_type", json!("transfer"), OtherEvent),
        ("revert", json!(true), Reverted),
        ("revert", json!("false"), Malformed("revert")),
        ("revert", json!(0), Malformed("revert")),
        ("confirmed", json!("true"), Malformed("confirmed")),
        ("confirmed", json!(1), Malformed("confirmed")),
        ("contractRet", json!("REVERT"), Failed),
        ("contractRet", json!("OUT_OF_ENERGY"), Failed),
        ("finalResult", json!("FAILED"), Failed),
        ("finalResult", json!("success"), Failed),
        ("block_ts", json!(NOON - 1), OtherTime),
        ("block_ts", json!(NOON + 11), OtherTime),
        ("transaction_id", json!("ab"), Malformed("transaction_id")),
    ];
    for (path, value, reason) in table {
        check(tronscan::judge, &row, path, value, reason);
    }
}

#[test]
fn a_row_of_trongrid_passes_every_check_or_is_refused() {
    let row = trongrid_row(&coin(0xAB, NOON, 5_123_000));
    let fields = [
        "transaction_id",
        "block_timestamp",
        "from",
        "to",
        "token_info.address",
        "token_info.decimals",
        "type",
        "value",
    ];
    each_field_is_needed(trongrid::judge, &row, &fields);
    bad_amounts(trongrid::judge, &row, "value");
    let table = [
        ("to", json!(STRANGER), OtherWallet),
        ("token_info/address", json!(STRANGER), OtherToken),
        ("token_info/decimals", json!(18), Decimals),
        ("type", json!("Approval"), OtherEvent),
        ("block_timestamp", json!(NOON + 11), OtherTime),
    ];
    for (path, value, reason) in table {
        check(trongrid::judge, &row, path, value, reason);
    }
}

#[test]
fn an_unconfirmed_transfer_is_not_yet_money_and_may_have_failed() {
    let row = with(tronscan_row(&coin(0xAB, NOON, 5_123_000), WALLET), "confirmed", Some(json!(false)));
    assert_eq!(tronscan::judge(&row, &question()), Verdict::NotYet(sighting()));
    let without_result = with(row.clone(), "finalResult", None);
    assert_eq!(tronscan::judge(&without_result, &question()), Verdict::NotYet(sighting()));
    check(tronscan::judge, &row, "revert", json!(true), Reverted);
    check(tronscan::judge, &row, "contract_address", json!(STRANGER), OtherToken);
}

#[test]
fn names_and_symbols_are_never_looked_at() {
    let row = tronscan_row(&coin(0xAB, NOON, 5_123_000), WALLET);
    let renamed = with(row, "tokenInfo/tokenAbbr", Some(json!("DOGE")));
    assert_eq!(tronscan::judge(&renamed, &question()), Verdict::Accepted(sighting()));
    let row = trongrid_row(&coin(0xAB, NOON, 5_123_000));
    let nameless = with(with(row, "token_info/symbol", None), "token_info/name", None);
    assert_eq!(trongrid::judge(&nameless, &question()), Verdict::Accepted(sighting()));
}

#[test]
fn what_our_wallet_sent_is_told_from_other_peoples() {
    let row = tronscan_row(&coin(0xAB, NOON, 5), STRANGER);
    check(tronscan::judge, &row, "from_address", json!(WALLET), Outgoing);
}
