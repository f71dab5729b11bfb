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
    assert_eq!(transfer.at.unwrap().to_string(), "2026-01-01T00:00:00.000Z", "seven o'clock in Vietnam");
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
        let decides = field == "accountNumber";
        for wrong in [json!(1.5), json!(true), json!(["x"]), json!({})] {
            let read = with(field, wrong);
            assert_eq!(read.is_err(), decides, "{field}: no deposit waits for what only accompanies it");
            assert!(read.is_ok() || read == Err(Unreadable(field)));
        }
    }
    assert_eq!(with("subAccount", json!(" ")).unwrap().sub_account, None);
    assert_eq!(with("subAccount", json!(99)).unwrap().sub_account.as_deref(), Some("99"));
    for account in [json!(" 0123 "), json!("01 23"), json!("0.1-23")] {
        assert_eq!(with("accountNumber", account).unwrap().account_number.as_deref(), Some("0123"));
    }
    assert_eq!(with("accountNumber", json!(123)).unwrap().account_number.as_deref(), Some("123"));
    for code in [json!(123_456), json!(true), json!(["CITAB2CDE"]), json!(1.5)] {
        let transfer = with("code", code.clone()).unwrap();
        assert_eq!(transfer.codes(CodePrefix::CIT).len(), 1, "{code}: the text names the order");
    }
}

#[test]
fn an_amount_is_positive_whole_dong_as_a_number_or_a_text() {
    for right in
        [json!(100_000), json!("100000"), json!("100000.00"), json!(" 100000\n"), json!("00100000.0")]
    {
        assert_eq!(with("transferAmount", right).unwrap().amount, Vnd::new(100_000).unwrap());
    }
    for right in ["100000.0", "100000.00", "100000.000", "1e5", "1.0E+5"] {
        let body = format!(r#"{{"id":1,"transferType":"in","transferAmount":{right}}}"#);
        assert_eq!(Transfer::parse(body.as_bytes(), VIETNAM).unwrap().amount.get(), 100_000, "{right}");
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
        json!("100 000"),
        json!("100,000"),
        json!("100.000"),
        json!("+100000"),
        json!("100000 VND"),
        json!("١٠٠٠٠٠"),
        json!(9_007_199_254_740_993_u64),
        json!("9007199254740993"),
        json!(null),
        json!(true),
        json!([250_000]),
    ] {
        assert_eq!(with("transferAmount", wrong.clone()), Err(Unreadable("transferAmount")), "{wrong}");
    }
    for wrong in ["100000.5", "1e-5", "-0", "18446744073709551616", "1e999", "0.0"] {
        let body = format!(r#"{{"id":1,"transferType":"in","transferAmount":{wrong}}}"#);
        assert!(Transfer::parse(body.as_bytes(), VIETNAM).is_err(), "{wrong}");
    }
}

#[test]
fn an_id_is_positive_as_a_number_or_as_digits() {
    for right in [json!("92704"), json!(" 92704 "), json!(92704.0), json!("0092704")] {
        assert_eq!(with("id", right).unwrap().id, 92704);
    }
    for wrong in [
        json!(0),
        json!("0"),
        json!(-1),
        json!("+1"),
        json!(1.5),
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
    for (word, direction) in [
        ("in", Direction::In),
        ("IN", Direction::In),
        (" In\t", Direction::In),
        ("out", Direction::Out),
        ("OUT", Direction::Out),
    ] {
        assert_eq!(with("transferType", json!(word)).unwrap().direction, direction, "{word}");
    }
    for wrong in [json!("credit"), json!("i n"), json!("+"), json!(""), json!(null), json!(1), json!(["in"])]
    {
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
    assert_eq!(at("2024-02-29 06:59:59", VIETNAM).unwrap(), "2024-02-28T23:59:59.000Z");
    assert_eq!(at("2026-01-01 07:00:00", 0).unwrap(), "2026-01-01T07:00:00.000Z");
    assert_eq!(at("2025-12-31 23:30:00", -60).unwrap(), "2026-01-01T00:30:00.000Z");
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
    for wrong in ["null", "[]", "1", "\"in\"", "{}{}", "transferType=in&transferAmount=1", &nested, &deep] {
        assert_eq!(Transfer::parse(wrong.as_bytes(), VIETNAM), Err(Unreadable("body")));
    }
    assert_eq!(Transfer::parse(b"{}", VIETNAM), Err(Unreadable("id")));
}

#[test]
fn what_banks_put_into_a_text_makes_no_body_unreadable() {
    let around = |content: &[u8]| {
        let (open, close) =
            (br#"{"id":1,"transferType":"in","transferAmount":1,"content":""#.as_slice(), b"\"}");
        [open, content, close.as_slice()].concat()
    };
    for content in [
        b"CITAB2CDE \xff\xfe".as_slice(),
        b"CITAB2CDE\nA\tB\0",
        br"CITAB2CDE \ud83d",
        br"\udc00 CITAB2CDE \ud83d\ude42",
        br"CITAB2CDE \\ud83d",
        "CITAB2CDE n\u{1ea1}p".as_bytes(),
    ] {
        let transfer = Transfer::parse(&around(content), VIETNAM).unwrap();
        let codes = transfer.codes(CodePrefix::CIT);
        assert_eq!(codes.len(), 1, "{}", String::from_utf8_lossy(content));
    }
    let mut marked = b"\xef\xbb\xbf ".to_vec();
    marked.extend(around(b"CITAB2CDE"));
    assert!(Transfer::parse(&marked, VIETNAM).is_ok(), "a byte order mark");
}

#[test]
fn form_data_is_read_as_json_is() {
    let form = b"id=92704&gateway=ACB&transactionDate=2026-01-01+07%3A00%3A00&accountNumber=0123499999&subAccount=&code=\
        &content=CITAB2CDE+n%E1%BA%A1p&transferType=in&transferAmount=250000&referenceCode=FT1&accumulated=0";
    let transfer = Transfer::parse(form, VIETNAM).unwrap();
    assert_eq!((transfer.id, transfer.amount.get(), transfer.direction), (92704, 250_000, Direction::In));
    assert_eq!(transfer.at.unwrap().to_string(), "2026-01-01T00:00:00.000Z");
    assert_eq!((transfer.sub_account.as_deref(), transfer.code.as_deref()), (None, None));
    assert_eq!(transfer.codes(CodePrefix::CIT).len(), 1);
    assert_eq!(Transfer::parse(b"id=1&transferAmount=1", VIETNAM), Err(Unreadable("transferType")));
}

#[test]
fn a_deciding_field_that_comes_twice_with_two_values_is_unreadable() {
    for (field, again) in [("id", "2"), ("transferAmount", "950000"), ("transferType", "\"out\"")] {
        let body = body().to_string().replacen('{', &format!("{{\"{field}\":{again},"), 1);
        assert_eq!(Transfer::parse(body.as_bytes(), VIETNAM), Err(Unreadable(field)));
    }
    for (field, again) in [("id", "92704"), ("transferAmount", "250000"), ("content", "\"x\""), ("code", "1")]
    {
        let body = body().to_string().replacen('{', &format!("{{\"{field}\":{again},"), 1);
        assert!(Transfer::parse(body.as_bytes(), VIETNAM).is_ok(), "{field}");
    }
}

#[test]
fn of_an_unreadable_body_is_shown_what_can_be_read() {
    let mut wrong = body();
    wrong["transferType"] = json!("credit");
    let seen = Transfer::glimpse(wrong.to_string().as_bytes(), VIETNAM);
    assert_eq!((seen.id, seen.amount.map(Vnd::get)), (Some(92704), Some(250_000)));
    assert_eq!((seen.texts.len(), seen.reference_code.as_deref()), (2, Some("FT26001000001")));
    assert_eq!(Transfer::glimpse(b"[]", VIETNAM), Default::default());
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
            prop_assert!(amount.trim_matches(|c: char| c == '"' || c.is_whitespace()).trim_start_matches('0').starts_with(&digits));
        }
    }
}
