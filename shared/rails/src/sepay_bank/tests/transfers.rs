use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sepay_bank::{Direction, Transfer};
use crate::viet_qr::CodePrefix;
use crate::{Unreadable, Vnd};

const VIETNAM: i16 = 420;

fn body() -> Value {
    json!({
        "id": 92704, "gateway": "ACB", "transactionDate": "2026-01-01 07:00:00", "accountNumber": "0123499999",
        "subAccount": null, "code": null, "content": "MBVCB.1.CITAB2CDE.CT tu 0999", "transferType": "in",
        "transferAmount": 250_000, "accumulated": 0, "referenceCode": "FT26001000001",
        "description": "BankAPINotify MBVCB.1.CITAB2CDE",
    })
}

fn parse(body: &Value) -> Result<Transfer, Unreadable> {
    Transfer::parse(body.to_string().as_bytes(), VIETNAM)
}

fn with(field: &str, value: Value) -> Result<Transfer, Unreadable> {
    let mut body = body();
    body[field] = value;
    parse(&body)
}

fn codes(fields: &[(&str, &str)]) -> Vec<String> {
    let mut body = json!({ "id": 1, "transferType": "in", "transferAmount": 1 });
    for (field, text) in fields {
        body[field] = json!(text);
    }
    parse(&body).unwrap().codes(CodePrefix::CIT).iter().map(ToString::to_string).collect()
}

#[test]
fn a_delivery_is_read_whole() {
    let transfer = parse(&body()).unwrap();
    assert_eq!((transfer.id, transfer.direction, transfer.amount.get()), (92704, Direction::In, 250_000));
    assert_eq!(transfer.at.unwrap().to_string(), "2026-01-01T00:00:00Z", "seven o'clock in Vietnam");
    assert_eq!(transfer.gateway.as_deref(), Some("ACB"));
    assert_eq!(transfer.account_number.as_deref(), Some("0123499999"), "the zero in front is kept");
    assert_eq!((transfer.sub_account.as_deref(), transfer.code.as_deref()), (None, None));
    assert_eq!(transfer.content.as_ref().unwrap().expose(), "MBVCB.1.CITAB2CDE.CT tu 0999");
    assert_eq!(transfer.reference_code.as_deref(), Some("FT26001000001"));
    assert!(!format!("{transfer:?}").contains("CITAB2CDE"), "the texts can't be logged by accident");
}

#[test]
fn every_text_may_be_null_blank_or_missing() {
    let least = json!({ "id": 1, "transferType": "out", "transferAmount": 1 });
    let transfer = parse(&least).unwrap();
    assert_eq!((transfer.direction, transfer.at), (Direction::Out, None));
    for field in [
        "gateway",
        "transactionDate",
        "accountNumber",
        "subAccount",
        "code",
        "content",
        "referenceCode",
        "description",
    ] {
        assert!(with(field, Value::Null).is_ok(), "{field}");
        assert!(with(field, json!(" ")).is_ok(), "{field}");
        let is_needed = ["accountNumber", "code", "content", "description"].contains(&field);
        for wrong in [json!(1), json!(true), json!(["x"]), json!({})] {
            let read = with(field, wrong);
            assert_eq!(
                read.is_err(),
                is_needed,
                "{field}: no deposit waits for what only tells where it came from"
            );
            assert!(read.is_ok() || read == Err(Unreadable(field)));
        }
    }
    assert_eq!(with("subAccount", json!(" ")).unwrap().sub_account, None);
    assert_eq!(with("accountNumber", json!(" 0123 ")).unwrap().account_number.as_deref(), Some("0123"));
}

#[test]
fn an_amount_is_positive_whole_dong_as_a_number_or_a_text() {
    for right in [json!(100_000), json!("100000"), json!("100000.00")] {
        assert_eq!(with("transferAmount", right).unwrap().amount, Vnd::new(100_000).unwrap());
    }
    assert_eq!(
        with("transferAmount", json!(9_007_199_254_740_991_u64)).unwrap().amount.get(),
        9_007_199_254_740_991
    );
    for wrong in [
        json!(0),
        json!("0"),
        json!("0.00"),
        json!(-1),
        json!("-1"),
        json!("100000.5"),
        json!("1e5"),
        json!(""),
        json!(" 100000"),
        json!("100,000"),
        json!(9_007_199_254_740_993_u64),
        json!("9007199254740993"),
        json!(null),
        json!(true),
        json!([250_000]),
    ] {
        assert_eq!(with("transferAmount", wrong.clone()), Err(Unreadable("transferAmount")), "{wrong}");
    }
    for wrong in ["100000.5", "100000.00", "1e5", "-0", "18446744073709551616", "1e999"] {
        let body = format!(r#"{{"id":1,"transferType":"in","transferAmount":{wrong}}}"#);
        assert!(Transfer::parse(body.as_bytes(), VIETNAM).is_err(), "{wrong}");
    }
}

#[test]
fn an_id_is_positive_as_a_number_or_as_digits() {
    assert_eq!(with("id", json!("92704")).unwrap().id, 92704);
    for wrong in [
        json!(0),
        json!("0"),
        json!(-1),
        json!("+1"),
        json!(" 1"),
        json!(""),
        json!("9f"),
        json!(null),
        json!("99999999999999999999"),
    ] {
        assert_eq!(with("id", wrong.clone()), Err(Unreadable("id")), "{wrong}");
    }
}

#[test]
fn a_transfer_goes_in_or_out() {
    assert_eq!(with("transferType", json!("out")).unwrap().direction, Direction::Out);
    for wrong in [json!("IN"), json!("credit"), json!(" in"), json!(""), json!(null), json!(1)] {
        assert_eq!(with("transferType", wrong.clone()), Err(Unreadable("transferType")), "{wrong}");
    }
}

#[test]
fn the_banks_time_is_read_at_its_offset() {
    let at = |text: &str, offset| {
        let body = json!({ "id": 1, "transferType": "in", "transferAmount": 1, "transactionDate": text })
            .to_string();
        Transfer::parse(body.as_bytes(), offset).unwrap().at.map(|at| at.to_string())
    };
    assert_eq!(at("2024-02-29 06:59:59", VIETNAM).unwrap(), "2024-02-28T23:59:59Z");
    assert_eq!(at("2026-01-01 07:00:00", 0).unwrap(), "2026-01-01T07:00:00Z");
    assert_eq!(at("2025-12-31 23:30:00", -60).unwrap(), "2026-01-01T00:30:00Z");
    for wrong in [
        "2026-01-01",
        "2026-01-01T07:00:00",
        "2026-01-01 07:00",
        "2026-1-1 7:0:0",
        "2026-02-29 00:00:00",
        "2026-01-01 24:00:00",
        "2026-01-01 07:00:00Z",
        "01/01/2026 07:00:00",
        "1970-01-01 00:00:00",
    ] {
        assert_eq!(at(wrong, VIETNAM), None, "{wrong}: a deposit does not wait for its date");
    }
    for offset in [i16::MIN, i16::MAX] {
        assert!(at("2026-01-01 07:00:00", offset).is_some());
    }
}

#[test]
fn a_broken_body_is_an_error() {
    let whole = body().to_string();
    for length in 0..whole.len() {
        assert_eq!(Transfer::parse(&whole.as_bytes()[..length], VIETNAM), Err(Unreadable("body")));
    }
    let nested = "[".repeat(100_000);
    let deep = format!(r#"{{"accumulated":{nested}"#);
    for wrong in ["null", "[]", "1", "\"in\"", "{}{}", "id=1&transferType=in", &nested, &deep] {
        assert_eq!(Transfer::parse(wrong.as_bytes(), VIETNAM), Err(Unreadable("body")));
    }
    let not_utf8 =
        [br#"{"id":1,"transferType":"in","transferAmount":1,"content":""#.as_slice(), b"\xff\"}"].concat();
    assert_eq!(Transfer::parse(&not_utf8, VIETNAM), Err(Unreadable("body")));
    assert_eq!(Transfer::parse(b"{}", VIETNAM), Err(Unreadable("id")));
}

#[test]
fn a_field_that_comes_twice_is_unreadable() {
    for (field, again) in
        [("id", "2"), ("transferAmount", "950000"), ("transferType", "\"in\""), ("content", "\"x\"")]
    {
        let body = body().to_string().replacen('{', &format!("{{\"{field}\":{again},"), 1);
        assert_eq!(Transfer::parse(body.as_bytes(), VIETNAM), Err(Unreadable(field)));
    }
}

#[test]
fn a_transfers_codes_are_what_sepay_and_we_find_and_the_banks_message_stands_in() {
    for (fields, expected) in [
        (&[("code", "CITAB2CDE"), ("content", "CITFGH234")][..], &["CITAB2CDE", "CITFGH234"][..]),
        (&[("code", "CITYBANKS"), ("content", "CITYBANKS CITAB2CDE")], &["CITAB2CDE", "CITYBANKS"]),
        (&[("code", "CITAB2CDE"), ("content", "CITAB2CDE nap tien")], &["CITAB2CDE"]),
        (&[("code", " citab2cde ")], &["CITAB2CDE"]),
        (&[("code", "DHAB2CDE"), ("content", "cit ab2 cde")], &["CITAB2CDE"]),
        (&[("code", "CITIBANK9"), ("content", "CITIBANK9 CITAB2CDE")], &["CITAB2CDE"]),
        (&[("code", ""), ("content", "C I T A B 2 C D E")], &["CITAB2CDE"]),
        (&[("content", "CITAB2CDE CITFGH234"), ("description", "CITJKM567")], &["CITAB2CDE", "CITFGH234"]),
        (&[("content", "nap tien"), ("description", "ACB;CITAB2CDE;1")], &["CITAB2CDE"]),
        (&[("description", "QR-citab2cde-250000")], &["CITAB2CDE"]),
        (&[("content", "chuyen tien")], &[]),
        (&[], &[]),
    ] {
        assert_eq!(codes(fields), expected, "{fields:?}");
    }
}

fn scalars() -> impl Strategy<Value = String> {
    let numbers = prop_oneof![any::<i64>().prop_map(|n| n.to_string()), "-?[0-9]{1,25}(\\.[0-9]{1,3})?"];
    prop_oneof![numbers, any::<String>().prop_map(|text| json!(text).to_string()), Just("null".to_owned())]
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_without_harm(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Transfer::parse(&raw, VIETNAM);
    }

    #[test]
    fn only_positive_whole_dong_get_through(amount in scalars(), id in scalars(), date in scalars()) {
        let body = format!(
            r#"{{"id":{id},"transferType":"in","transferAmount":{amount},"transactionDate":{date}}}"#
        );
        if let Ok(transfer) = Transfer::parse(body.as_bytes(), VIETNAM) {
            let digits = transfer.amount.to_string();
            prop_assert!(transfer.amount.get() > 0 && transfer.id > 0);
            prop_assert!(amount.trim_matches('"').trim_start_matches('0').starts_with(&digits));
        }
    }
}
