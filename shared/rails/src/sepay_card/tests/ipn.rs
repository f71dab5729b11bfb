use super::{paid_ipn, with};
use crate::sepay_card::{Ipn, IpnKind, authenticate_ipn};
use crate::{NotAuthentic, Unreadable};
use http::{HeaderMap, HeaderValue};
use primitives::Secret;
use serde_json::{Value, json};

const MISSING: Result<(), NotAuthentic> = Err(NotAuthentic::Header("x-secret-key"));

#[test]
fn only_the_exact_key_opens_the_door() {
    let secrets = [Secret::new("old key"), Secret::new("new key đ")];
    let attempt = |sent: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in sent {
            headers.append("X-Secret-Key", HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        authenticate_ipn(&secrets, &headers)
    };
    assert_eq!(attempt(&["old key"]), Ok(()));
    assert_eq!(attempt(&["new key đ"]), Ok(()));
    assert_eq!(attempt(&[]), MISSING);
    assert_eq!(attempt(&["old key", "old key"]), MISSING);
    for wrong in ["", "old key ", " old key", "old ke", "old keyy", "Old key", "old key, old key"] {
        assert_eq!(attempt(&[wrong]), Err(NotAuthentic::Mismatch), "{wrong:?}");
    }
}

#[test]
fn without_a_configured_secret_nobody_gets_in() {
    let headers = |value: &'static str| {
        HeaderMap::from_iter([(
            http::HeaderName::from_static("x-secret-key"),
            HeaderValue::from_static(value),
        )])
    };
    for secrets in [vec![], vec![Secret::new("")], vec![Secret::new(""), Secret::new("")]] {
        assert_eq!(authenticate_ipn(&secrets, &headers("")), Err(NotAuthentic::NoSecret));
        assert_eq!(authenticate_ipn(&secrets, &HeaderMap::new()), Err(NotAuthentic::NoSecret));
    }
    let one_is_empty = [Secret::new(""), Secret::new("key")];
    assert_eq!(authenticate_ipn(&one_is_empty, &headers("")), Err(NotAuthentic::Mismatch));
    assert_eq!(authenticate_ipn(&one_is_empty, &headers("key")), Ok(()));
}

#[test]
fn a_message_says_which_order_to_ask_for() {
    let ipn = parse(&paid_ipn()).unwrap();
    assert_eq!(ipn.kind, IpnKind::OrderPaid);
    assert_eq!(ipn.invoice.as_str(), "CIT-7");
    assert_eq!(ipn.timestamp.unwrap().seconds(), 1_759_134_682);
    assert_eq!(ipn.event_key(), "ORDER_PAID#384c66dd-41e6-4316-a544-b4141682595c");
    assert_eq!(ipn.stated_payment().map(|amount| amount.get()), Some(100_000));
    assert_eq!(ipn.stated().order_amount, ipn.stated().transaction_amount);
}

#[test]
fn a_message_about_a_person_keeps_nothing_of_the_person() {
    let kept = format!("{:?}", parse(&paid_ipn()).unwrap());
    for private in ["NGUYEN", "203.0.113.7", "1234", "Mozilla", "Top-up"] {
        assert!(!kept.contains(private), "{private}");
    }
}

#[test]
fn other_kinds_and_numbers_for_texts_are_understood() {
    let kind = |kind: &str| with(paid_ipn(), "/notification_type", json!(kind));
    assert_eq!(parse(&kind("TRANSACTION_VOID")).unwrap().kind, IpnKind::TransactionVoid);
    let renewal = parse(&kind("RENEWAL_ORDER_PAID")).unwrap();
    assert_eq!(renewal.kind, IpnKind::Other("RENEWAL_ORDER_PAID".to_owned()));
    assert_eq!(renewal.stated_payment(), None);

    let numbers = with(paid_ipn(), "/transaction/id", json!(42));
    let numbers = with(numbers, "/order/order_invoice_number", json!(1_757_053_857));
    let numbers = with(numbers, "/order/order_amount", json!(100_000));
    let ipn = parse(&with(numbers, "/timestamp", json!("1759134682"))).unwrap();
    assert_eq!((ipn.event_key().as_str(), ipn.invoice.as_str()), ("ORDER_PAID#42", "1757053857"));
    assert!(ipn.stated_payment().is_some());
}

#[test]
fn each_condition_alone_can_stop_a_stated_payment() {
    let table = [
        ("/notification_type", json!("TRANSACTION_VOID")),
        ("/notification_type", json!("SOMETHING_PAID")),
        ("/order/order_status", json!("CANCELLED")),
        ("/order/order_status", json!("AUTHENTICATION_NOT_NEEDED")),
        ("/order/order_status", json!("SETTLED")),
        ("/transaction/transaction_status", json!("DECLINED")),
        ("/transaction/transaction_status", json!("PENDING")),
        ("/transaction/transaction_status", json!(null)),
        ("/transaction/transaction_type", json!("REFUND")),
        ("/transaction/transaction_type", json!("VOID")),
        ("/order/order_currency", json!("USD")),
        ("/transaction/transaction_currency", json!("USD")),
        ("/transaction/transaction_currency", json!(null)),
        ("/order/order_amount", json!("100001.00")),
        ("/order/order_amount", json!("100000.50")),
        ("/transaction/transaction_amount", json!("99999")),
        ("/transaction/transaction_amount", json!(-100_000)),
        ("/transaction/transaction_amount", json!(null)),
    ];
    for (pointer, value) in table {
        let ipn = parse(&with(paid_ipn(), pointer, value.clone())).unwrap();
        assert_eq!(ipn.stated_payment(), None, "{pointer} {value}");
    }
}

#[test]
fn what_is_beside_the_point_stops_no_stated_payment() {
    let table = [
        ("/notification_type", json!(" order_paid ")),
        ("/order/order_status", json!("captured")),
        ("/order/order_currency", json!("vnd")),
        ("/order/order_invoice_number", json!(" CIT-7 ")),
        ("/transaction/transaction_status", json!("Approved")),
        ("/transaction/transaction_type", json!("payment")),
        ("/transaction/transaction_amount", json!(100_000)),
        ("/transaction/transaction_amount", json!(100_000.0)),
        ("/timestamp", json!(null)),
        ("/timestamp", json!(-1)),
        ("/timestamp", json!("soon")),
        ("/customer", json!(["x"])),
    ];
    for (pointer, value) in table {
        let ipn = parse(&with(paid_ipn(), pointer, value.clone())).unwrap();
        assert_eq!(ipn.stated_payment().map(|amount| amount.get()), Some(100_000), "{pointer} {value}");
    }
    for (pointer, value) in [("/transaction/id", json!(null)), ("/transaction/id", json!("a#b"))] {
        let message = with(paid_ipn(), pointer, value).to_string();
        let (invoice, stated) = Ipn::glimpse(message.as_bytes()).unwrap();
        assert_eq!((invoice.as_str(), stated.map(|amount| amount.get())), ("CIT-7", Some(100_000)));
    }
    let other = with(paid_ipn(), "/notification_type", json!("TRANSACTION_VOID")).to_string();
    assert_eq!(Ipn::glimpse(other.as_bytes()).unwrap().1, None);
    assert_eq!(Ipn::glimpse(b"{}"), None);
}

#[test]
fn what_cannot_be_keyed_is_unreadable() {
    let table = [
        ("/notification_type", json!(null), "notification_type"),
        ("/notification_type", json!("ORDER#PAID"), "notification_type"),
        ("/notification_type", json!("A".repeat(65)), "notification_type"),
        ("/order", json!([]), "order_invoice_number"),
        ("/order/order_invoice_number", json!("CIT 7"), "order_invoice_number"),
        ("/transaction", json!(null), "transaction.id"),
        ("/transaction/id", json!(""), "transaction.id"),
        ("/transaction/id", json!("a#b"), "transaction.id"),
        ("/transaction/id", json!("a".repeat(129)), "transaction.id"),
    ];
    for (pointer, value, field) in table {
        assert_eq!(parse(&with(paid_ipn(), pointer, value)), Err(Unreadable(field)), "{pointer}");
    }
    for body in [&b""[..], b"\xff\xfe", b"{", b"order=1"] {
        assert_eq!(Ipn::parse(body), Err(Unreadable("body")));
    }
    for body in ["null", "[]", "7", "{}"] {
        assert_eq!(Ipn::parse(body.as_bytes()), Err(Unreadable("notification_type")), "{body}");
    }
}

fn parse(message: &Value) -> Result<Ipn, Unreadable> {
    Ipn::parse(message.to_string().as_bytes())
}
