//! What comes to the address of SePay's IPN: whose word it is, what can be read of it, and what is kept.

use super::card::{PATH, asked_sepay, invoice, is_success, post, told};
use super::desk::{Desk, dong};
use super::gateway::{Gateway, captured};
use crate::books;
use crate::world::{Answer, dong_of, http};
use reqwest::header::{HeaderMap, HeaderValue};
use sandbox::{IpnKind, SEPAY_IPN_SECRET};
use serde_json::{Value, json};

#[tokio::test]
async fn an_ipn_without_the_one_secret_is_refused_and_changes_nothing() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    desk.pay_by_card(&order).await;
    let paid = desk.world.sandbox.card_ipn(invoice(&order), IpnKind::OrderPaid).unwrap();
    let one = |text: &str| vec![text.to_owned()];
    let wrong: [Vec<String>; 8] = [
        Vec::new(),
        one(""),
        one("not the secret"),
        one(&SEPAY_IPN_SECRET[1..]),
        // Spaces around a header's value are not part of it (RFC 9110 §5.5); one that is part of it counts.
        one(&format!("{SEPAY_IPN_SECRET} x")),
        one(&format!("Bearer {SEPAY_IPN_SECRET}")),
        one(&SEPAY_IPN_SECRET.to_uppercase()),
        vec![SEPAY_IPN_SECRET.to_owned(), SEPAY_IPN_SECRET.to_owned()],
    ];
    let mut refusals = Vec::new();
    for values in &wrong {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-secret-key", HeaderValue::from_str(value).unwrap());
        }
        let request = http().post(format!("{}{PATH}", desk.world.product.base)).headers(headers);
        let answer = Answer::of(request.body(paid.body.clone()).send().await.unwrap()).await;
        assert_eq!((answer.problem(), answer.status), ("webhook_refused", 401), "{values:?}");
        assert!(!answer.text.contains(SEPAY_IPN_SECRET));
        refusals.push(answer.body["detail"].clone());
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "the reason is for the log only");
    assert!(books::scan(&desk.world, "payment_inbox").await.is_empty(), "nothing is stored");
    assert!(
        books::scan(&desk.world, "payment_rails").await.is_empty(),
        "it does not count as a sign of life"
    );
    assert_eq!(asked_sepay(&desk), 0, "nobody can make us call SePay");
    assert_eq!(ann.balance().await, (100, 0, 0));

    assert!(is_success(&desk.deliver(&paid).await), "the very same body with the secret");
    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}

/// A message about an order that is paid, changed in one place.
fn told_with(change: fn(&mut Value)) -> Vec<u8> {
    let mut body = told("CIT-1", "ORDER_PAID", "tx-1");
    change(&mut body);
    body.to_string().into_bytes()
}

/// Bodies that name no order.
fn senseless() -> Vec<Vec<u8>> {
    vec![
        Vec::new(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"paid\"".to_vec(),
        b"1e999".to_vec(),
        b"order=1&amount=5".to_vec(),
        vec![0xff, 0xfe, 0x00, 0x80],
        b"\xef\xbb\xbf{}".to_vec(),
        "[".repeat(100_000).into_bytes(),
        b"{\"notification_type\":\"ORDER_PAID\"}".to_vec(),
        told_with(|body| body["order"] = Value::Null),
        told_with(|body| body["order"] = json!([1, 2])),
        told_with(|body| body["order"]["order_invoice_number"] = json!("CIT/1 ; DROP")),
        told_with(|body| body["order"]["order_invoice_number"] = json!("C".repeat(101))),
        told_with(|body| body["order"]["order_invoice_number"] = json!({ "a": 1 })),
        told_with(|body| body["order"]["order_invoice_number"] = json!("x".repeat(200_000))),
    ]
}

/// These name an order all the same: SePay is asked for it.
fn odd_but_naming_an_order() -> Vec<Vec<u8>> {
    vec![
        told_with(|body| body["transaction"] = json!("tx")),
        told_with(|body| body["transaction"]["id"] = json!("a#b")),
        told_with(|body| body["transaction"]["id"] = json!("")),
        told_with(|body| body["transaction"]["id"] = json!("x".repeat(129))),
        told_with(|body| body["transaction"]["id"] = json!(1.5)),
        told_with(|body| body["notification_type"] = json!("order_paid")),
        told_with(|body| body["notification_type"] = json!("ORDER#PAID")),
        told_with(|body| body["timestamp"] = json!(-1)),
        told_with(|body| body["timestamp"] = json!("yesterday")),
    ]
}

/// SePay sends each of them twice.
async fn post_twice(desk: &Desk, body: &[u8]) {
    for _ in 0..2 {
        let answer = post(desk, body.to_vec()).await;
        assert!(is_success(&answer), "{}: {} {}", String::from_utf8_lossy(body), answer.status, answer.text);
    }
}

#[tokio::test]
async fn an_authentic_ipn_that_makes_no_sense_is_kept_once_and_answered_with_success() {
    let desk = Desk::open().await;
    for (nth, body) in senseless().iter().enumerate() {
        post_twice(&desk, body).await;
        assert_eq!(books::dossiers(&desk.world).await.len(), nth + 1, "body {nth} is kept once");
    }
    for dossier in books::dossiers(&desk.world).await {
        assert!(dossier.fact.is_open() && dossier.deliveries.len() == 1, "{}", dossier.fact.key);
        let kept = desk.payment(&dossier.fact.key.to_string()).await;
        assert_eq!((&kept["why"], &kept["amount"]), (&"unreadable".into(), &dong_of(0, "0")), "{kept}");
    }
    assert_eq!(asked_sepay(&desk), 0, "SePay is not asked about what names no order");
    let accounts = books::scan(&desk.world, "accounts").await;
    assert!(accounts.is_empty(), "nobody was credited");

    let too_large = post(&desk, vec![b'x'; 256 * 1024 + 1]).await;
    assert_eq!((too_large.problem(), too_large.status), ("body_too_large", 413));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn an_odd_ipn_that_names_an_order_is_kept_once_and_sepay_is_asked_for_the_order() {
    let desk = Desk::open().await;
    let naming = odd_but_naming_an_order();
    for body in &naming {
        post_twice(&desk, body).await;
    }
    assert!(asked_sepay(&desk) >= naming.len());
    assert!(books::dossiers(&desk.world).await.is_empty(), "SePay knows none of them");
    // Three of them say the same as each other in all that names a message: one in small letters, two with an odd time.
    assert_eq!(
        books::scan(&desk.world, "payment_inbox").await.len(),
        naming.len() - 2,
        "each message is kept once"
    );
    assert!(books::scan(&desk.world, "accounts").await.is_empty(), "nobody was credited");
    // What SePay adds to its messages, or leaves out of them, is no reason to refuse one.
    let odd = told("CIT-2", "RENEWAL_ORDER_PAID", "a/b/../c");
    assert!(is_success(&post(&desk, odd.to_string()).await));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn no_card_number_and_no_holder_is_in_any_table() {
    const NUMBER: &str = "4111222233334444";
    const HOLDER: &str = "CANARY HOLDER 7F3A91";
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    let mut shown = captured(invoice(&order), dong(&order));
    shown["transactions"][0]["card_number"] = json!(NUMBER);
    shown["transactions"][0]["card_holder_name"] = json!(HOLDER);
    gateway.tells(shown);
    let mut message = told(invoice(&order), "ORDER_PAID", "tx-1");
    message["transaction"]["card_number"] = json!(NUMBER);
    message["transaction"]["card_holder_name"] = json!(HOLDER);
    message["order"]["ip_address"] = json!("203.0.113.77");

    assert!(is_success(&post(&desk, message.to_string()).await));
    // One that can't be read is kept as it came, and sealed as well.
    assert!(is_success(&post(&desk, format!("{{ {NUMBER} {HOLDER}")).await));

    assert_eq!(ann.balance().await, (600, 0, 0));
    for table in citipen::tables() {
        for row in books::scan(&desk.world, table.name).await {
            let text = format!("{row:?}");
            for private in [NUMBER, &NUMBER[..12], HOLDER, "203.0.113.77"] {
                assert!(!text.contains(private), "{private} is in {}: {text}", table.name);
            }
        }
    }
    let shown = desk.show(&ann, &order).await;
    assert_eq!(shown["payments"][0]["card"], "VISA 4444, 12/30", "{shown}");
    assert!(!shown.to_string().contains(HOLDER));
    books::check_payments(&desk.world).await;
}
