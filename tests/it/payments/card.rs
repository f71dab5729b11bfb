//! Cards: the IPN only says which order to ask SePay for, and what SePay says then is judged to the letter.

use super::administrator::{change, to};
use super::desk::{Desk, deliver, dong};
use super::gateway::{Gateway, captured, payment};
use crate::books;
use crate::world::{Answer, credit, dong_of, http};
use reqwest::header::{HeaderMap, HeaderValue};
use sandbox::{Delivery, Fault, FaultRule, IpnKind, SEPAY_IPN_SECRET, Service};
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/v1/webhooks/sepay/ipn";

/// A message that only names an order, as whoever knows the secret can make it.
fn told(invoice: &str, kind: &str, transaction: &str) -> Value {
    json!({
        "timestamp": 1_790_000_000, "notification_type": kind,
        "order": { "order_invoice_number": invoice, "order_status": "CAPTURED", "order_amount": "999999999.00" },
        "transaction": { "id": transaction, "transaction_type": "PAYMENT", "transaction_status": "APPROVED" },
    })
}

async fn post(desk: &Desk, body: impl Into<Vec<u8>>) -> Answer {
    let headers = vec![("x-secret-key".to_owned(), SEPAY_IPN_SECRET.to_owned())];
    desk.deliver(&Delivery { path: PATH.to_owned(), headers, body: body.into() }).await
}

fn is_success(answer: &Answer) -> bool {
    answer.status == 200 && answer.body["success"] == true
}

fn asked_sepay(desk: &Desk) -> usize {
    let journal = desk.world.sandbox.journal();
    journal.iter().filter(|entry| entry.path.starts_with("/sandbox/sepay/v1/order")).count()
}

fn invoice(order: &Value) -> &str {
    order["reference"].as_str().unwrap()
}

fn fact_of(order: &Value) -> String {
    format!("sepay_card.{}.0", invoice(order))
}

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

#[tokio::test]
async fn an_ipn_moves_no_credit_before_sepay_itself_has_the_money() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    desk.open_checkout(&order).await;

    let early = post(&desk, told(invoice(&order), "ORDER_PAID", "tx-1").to_string()).await;

    assert!(is_success(&early), "{}", early.text);
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["status"], "created");
    assert!(books::dossiers(&desk.world).await.is_empty(), "no payment is noted");
    assert_eq!(books::scan(&desk.world, "payment_inbox").await.len(), 1, "the message is");
    desk.world.sandbox.pay_card(invoice(&order)).unwrap();
    assert!(is_success(&post(&desk, told(invoice(&order), "ORDER_PAID", "tx-1").to_string()).await));
    assert_eq!(ann.balance().await, (600, 0, 0), "the amount is SePay's and not the message's");
    books::check_payments(&desk.world).await;
}

/// How SePay's own record of a paid order of `DUE` is changed, and what becomes of it: credit, or the reason to keep it, or
/// nothing at all.
type Case = (&'static str, fn(&mut Value), Option<&'static str>);

const DUE: u64 = 131_350;

fn row(order: &mut Value) -> &mut Value {
    &mut order["transactions"][0]
}

/// The whole record, with another amount in all its places.
fn captured_instead(order: &mut Value, dong: u64) {
    *order = captured(order["order_invoice_number"].as_str().unwrap(), dong);
}

const AMOUNTS: [Case; 10] = [
    ("paid", |_| {}, Some("credited")),
    ("whole amounts", |order| order["order_amount"] = json!("131350"), Some("credited")),
    ("both amounts differ", |order| captured_instead(order, 1_000_000), Some("other_amount")),
    ("a dong less", |order| captured_instead(order, DUE - 1), Some("other_amount")),
    ("the payment's amount differs", |order| row(order)["transaction_amount"] = json!("131351"), Some("odd")),
    ("half a dong", |order| order["order_amount"] = json!("131350.50"), Some("odd")),
    ("a fraction in the payment", |order| row(order)["transaction_amount"] = json!(131_350.5), Some("odd")),
    ("beyond every integer", |order| order["order_amount"] = json!("9007199254740993000000"), Some("odd")),
    ("another currency", |order| order["order_currency"] = json!("USD"), Some("odd")),
    ("paid in another currency", |order| row(order)["transaction_currency"] = json!("USD"), Some("odd")),
];

const STATES: [Case; 12] = [
    ("declined", |order| row(order)["transaction_status"] = json!("DECLINED"), Some("odd")),
    ("pending", |order| row(order)["transaction_status"] = json!("PENDING"), None),
    ("only a refund", |order| row(order)["transaction_type"] = json!("REFUND"), Some("odd")),
    ("an unknown kind", |order| row(order)["transaction_type"] = json!("GIFT"), Some("odd")),
    ("no transactions", |order| order["transactions"] = json!([]), Some("odd")),
    ("transactions not shown", |order| order["transactions"] = Value::Null, Some("odd")),
    (
        "two payments",
        |order| order["transactions"] = json!([payment("tx-1", DUE), payment("tx-2", DUE)]),
        Some("odd"),
    ),
    ("waiting", |order| order["order_status"] = json!("AUTHENTICATION_NOT_NEEDED"), None),
    ("cancelled though paid", |order| order["order_status"] = json!("CANCELLED"), Some("odd")),
    ("an unknown status", |order| order["order_status"] = json!("LOVED"), Some("odd")),
    (
        "cancelled",
        |order| {
            order["order_status"] = json!("CANCELLED");
            order["transactions"] = json!([]);
        },
        None,
    ),
    ("given back", |order| row(order)["transaction_type"] = json!("VOID"), Some("voided")),
];

#[tokio::test]
async fn only_an_order_that_sepay_shows_paid_as_ordered_becomes_credit() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    for (nth, (name, change, expected)) in AMOUNTS.into_iter().chain(STATES).enumerate() {
        let person = desk.world.person(&format!("person_{nth}"));
        let order = desk.order(&person, "sepay_card", 500).await;
        assert_eq!(dong(&order), DUE);
        let mut shown = captured(invoice(&order), DUE);
        change(&mut shown);
        gateway.tells(shown);

        for _ in 0..2 {
            let answer = post(&desk, told(invoice(&order), "ORDER_PAID", "tx-1").to_string()).await;
            assert!(is_success(&answer), "{name}: {}", answer.text);
        }

        let given = if expected == Some("credited") { 500 } else { 0 };
        assert_eq!(person.balance().await, (100 + given, 0, 0), "{name}");
        let fact = desk.administrator().get(&format!("/v1/admin/payments/{}", fact_of(&order))).await;
        let Some(expected) = expected else {
            assert_eq!(fact.problem(), "not_found", "{name}: there is no payment yet");
            continue;
        };
        let is_kept = !matches!(expected, "credited" | "voided");
        assert_eq!(fact.body["state"], if is_kept { "unmatched" } else { expected }, "{name}: {}", fact.text);
        if is_kept {
            assert_eq!(fact.body["why"], expected, "{name}: {}", fact.text);
        }
    }
    let kept = desk.waiting().await.len();
    // The comparison comes to the same judgement: nothing more becomes credit.
    let report = desk.reconcile().await;
    let card = report.iter().find(|report| report.rail == "sepay_card").unwrap();
    assert_eq!((card.repaired, &card.failure), (0, &None), "{report:?}");
    assert_eq!(desk.waiting().await.len(), kept);
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn an_ipn_twenty_times_at_once_is_one_grant() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    desk.pay_by_card(&order).await;
    let paid = desk.world.sandbox.card_ipn(invoice(&order), IpnKind::OrderPaid).unwrap();

    let at_once: Vec<_> = (0..20)
        .map(|_| {
            let (base, paid) = (desk.world.product.base.clone(), paid.clone());
            tokio::spawn(async move {
                let mut request = http().post(format!("{base}{PATH}")).body(paid.body);
                for (name, value) in paid.headers {
                    request = request.header(name, value);
                }
                Answer::of(request.send().await.unwrap()).await
            })
        })
        .collect();

    for answer in at_once {
        let answer = answer.await.unwrap();
        assert!(is_success(&answer), "{}", answer.text);
    }
    assert_eq!(ann.balance().await, (600, 0, 0));
    let dossiers = books::dossiers(&desk.world).await;
    assert_eq!((dossiers.len(), dossiers[0].deliveries.len()), (1, 1), "one payment, told by one message");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_second_payment_of_one_invoice_is_not_credited() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    gateway.tells(captured(invoice(&order), dong(&order)));
    post(&desk, told(invoice(&order), "ORDER_PAID", "tx-1").to_string()).await;
    assert_eq!(ann.balance().await, (600, 0, 0));

    let mut twice = captured(invoice(&order), dong(&order));
    twice["transactions"] = json!([payment("tx-1", dong(&order)), payment("tx-2", dong(&order))]);
    gateway.tells(twice);
    let second = post(&desk, told(invoice(&order), "ORDER_PAID", "tx-2").to_string()).await;

    assert!(is_success(&second), "{}", second.text);
    assert_eq!(ann.balance().await, (600, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["status"], "paid");
    let fact = desk.payment(&fact_of(&order)).await;
    assert_eq!(fact["deliveries"].as_array().unwrap().len(), 2, "both messages are kept: {fact}");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_void_takes_the_credit_back_once() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    desk.pay_by_card(&order).await;
    desk.ipn(&order, IpnKind::OrderPaid).await;
    assert_eq!(ann.balance().await, (600, 0, 0));
    let paid = desk.world.sandbox.card_ipn(invoice(&order), IpnKind::OrderPaid).unwrap();
    desk.world.advance(Duration::from_secs(60));
    desk.world.sandbox.void_card(invoice(&order)).unwrap();

    for _ in 0..3 {
        let told = desk.ipn(&order, IpnKind::TransactionVoid).await;
        assert!(is_success(&told), "{}", told.text);
        // What was true before the void is told again after it.
        assert!(is_success(&desk.deliver(&paid).await));
    }

    assert_eq!(ann.balance().await, (100, 0, 0));
    let shown = desk.show(&ann, &order).await;
    assert_eq!((&shown["status"], &shown["reversed"]), (&"reversed".into(), &credit(500)), "{shown}");
    let kinds = |kind: &'static str| move |entry: &&Value| entry["kind"] == kind;
    let entries = ann.transactions().await;
    assert_eq!(entries.iter().filter(kinds("reversal")).count(), 1);
    assert_eq!(entries.iter().filter(kinds("grant")).count(), 2, "the grant itself still stands there");
    let fact = desk.payment(&fact_of(&order)).await;
    assert_eq!((&fact["reversals"][0]["cause"], &fact["audit"][0]["who"]), (&"void".into(), &"SePay".into()));
    let report = desk.reconcile().await;
    assert!(report.iter().all(|rail| rail.repaired == 0 && rail.differences.is_empty()), "{report:?}");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_void_that_is_told_before_the_payment_leaves_nothing_to_credit() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    desk.pay_by_card(&order).await;
    let paid = desk.world.sandbox.card_ipn(invoice(&order), IpnKind::OrderPaid).unwrap();
    desk.world.advance(Duration::from_secs(60));
    desk.world.sandbox.void_card(invoice(&order)).unwrap();

    assert!(is_success(&desk.ipn(&order, IpnKind::TransactionVoid).await));
    assert_eq!(desk.payment(&fact_of(&order)).await["state"], "voided");
    assert!(is_success(&desk.deliver(&paid).await));

    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(ann.transactions().await.len(), 1, "no entry at all");
    assert!(desk.waiting().await.is_empty());
    let refused = desk.assign(&fact_of(&order), &to(&ann)).await;
    assert_eq!((refused.problem(), refused.status), ("payment_settled", 409));
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_void_of_a_payment_that_waits_for_an_administrator_takes_it_from_the_list() {
    for dismissed_first in [false, true] {
        let gateway = Gateway::open().await;
        let desk = Desk::with(&gateway.settings()).await;
        let ann = desk.world.person("ann");
        let order = desk.order(&ann, "sepay_card", 500).await;
        gateway.tells(captured(invoice(&order), 1_000));
        post(&desk, told(invoice(&order), "ORDER_PAID", "tx-1").to_string()).await;
        let id = fact_of(&order);
        assert_eq!(desk.waiting().await.len(), 1);
        if dismissed_first {
            let wish = json!({ "note": "a test of the card" });
            let path = format!("/v1/admin/payments/{id}/dismiss");
            assert_eq!(desk.administrator().send("POST", &path, &wish).await.status, 200);
        }

        let mut voided = captured(invoice(&order), 1_000);
        voided["transactions"][0]["transaction_type"] = json!("VOID");
        gateway.tells(voided);
        assert!(is_success(
            &post(&desk, told(invoice(&order), "TRANSACTION_VOID", "tx-2").to_string()).await
        ));

        assert!(desk.waiting().await.is_empty());
        let refused = desk.assign(&id, &to(&ann)).await;
        assert_eq!(refused.problem(), "payment_settled", "the money is gone, dismissed: {dismissed_first}");
        assert_eq!(ann.balance().await, (100, 0, 0));
        books::check_payments(&desk.world).await;
    }
}

#[tokio::test]
async fn a_capture_after_the_orders_expiry_is_honoured() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    desk.open_checkout(&order).await;
    // Past the expiry and the grace of other rails.
    desk.world.advance(Duration::from_secs(30 * 3600));
    assert_eq!(desk.show(&ann, &order).await["status"], "expired");
    desk.world.sandbox.pay_card(invoice(&order)).unwrap();

    assert!(is_success(&desk.ipn(&order, IpnKind::OrderPaid).await));

    assert_eq!(ann.balance().await, (600, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["status"], "paid_late");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn an_invoice_nobody_knows_is_kept_and_never_credited() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    let unknown = post(&desk, told("CIT-nowhere", "ORDER_PAID", "tx-1").to_string()).await;
    assert!(is_success(&unknown), "{}", unknown.text);
    assert!(desk.waiting().await.is_empty(), "SePay knows of no money");
    assert_eq!(books::scan(&desk.world, "payment_inbox").await.len(), 1, "the message is kept");

    // An order of our merchant that this deployment never made: money, and nobody's.
    gateway.tells(captured("OTHER-7", 50_000));
    assert!(is_success(&post(&desk, told("OTHER-7", "ORDER_PAID", "tx-2").to_string()).await));

    let waiting = desk.waiting().await;
    assert_eq!(
        (waiting.len(), &waiting[0]["why"], &waiting[0]["amount"]),
        (1, &"no_order".into(), &dong_of(50_000, "50,000"))
    );
    let orders = books::orders(&desk.world).await;
    assert!(orders.is_empty(), "no order appears by itself");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn while_sepay_can_not_be_asked_the_ipn_is_kept_and_the_comparison_credits_later() {
    let desk = Desk::open().await;
    let faults = [
        Fault::Status { status: 503, retry_after: None },
        Fault::Status { status: 429, retry_after: Some(30) },
        Fault::Status { status: 401, retry_after: None },
        Fault::Garbage,
        Fault::WrongShape,
        Fault::DropBefore,
        Fault::DropConnection,
    ];
    let mut people = Vec::new();
    for (nth, fault) in faults.iter().enumerate() {
        let person = desk.world.person(&format!("person_{nth}"));
        let order = desk.order(&person, "sepay_card", 500).await;
        desk.pay_by_card(&order).await;
        desk.world.sandbox.faults().set(Service::Sepay, FaultRule::always(fault.clone()));

        let told = desk.ipn(&order, IpnKind::OrderPaid).await;

        desk.world.sandbox.faults().clear();
        assert!(is_success(&told), "{fault:?}: {}", told.text);
        assert_eq!(person.balance().await, (100, 0, 0), "{fault:?}: nothing is credited on a message's word");
        people.push((person, order));
    }
    let waiting = desk.waiting().await;
    assert_eq!(waiting.len(), faults.len(), "every message stays in sight");
    assert!(waiting.iter().all(|payment| payment["why"] == "unconfirmed"), "{waiting:?}");

    let report = desk.reconcile().await;

    let card = report.iter().find(|report| report.rail == "sepay_card").unwrap();
    assert_eq!((card.repaired, card.differences.len()), (7, 0), "{card:?}");
    assert!(desk.waiting().await.is_empty());
    for (person, order) in &people {
        assert_eq!(person.balance().await, (600, 0, 0));
        assert_eq!(desk.show(person, order).await["status"], "paid");
        assert!(is_success(&desk.ipn(order, IpnKind::OrderPaid).await), "told again when all is well");
        assert_eq!(person.balance().await, (600, 0, 0));
    }
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

#[tokio::test]
async fn an_ipn_of_an_order_that_was_cancelled_by_its_owner_is_credited_all_the_same() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    desk.pay_by_card(&order).await;
    let cancel = format!("/v1/top-ups/{}/cancel", order["id"].as_str().unwrap());
    assert_eq!(ann.send("POST", &cancel, &json!({})).await.status, 200);

    let paid = desk.world.sandbox.card_ipn(invoice(&order), IpnKind::OrderPaid).unwrap();
    assert!(is_success(&deliver(&desk.world.product, &paid).await));

    assert_eq!(ann.balance().await, (600, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["status"], "paid");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn what_only_a_message_calls_paid_is_given_to_nobody_and_credited_when_sepay_says_so() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    desk.pay_by_card(&order).await;
    let silent = FaultRule { fault: Fault::Refuse, times: Some(1), matching: Some("/order/".to_owned()) };
    desk.world.sandbox.faults().set(Service::Sepay, silent);
    assert_eq!(desk.ipn(&order, IpnKind::OrderPaid).await.status, 200);
    let waiting = desk.waiting().await;
    assert_eq!((waiting.len(), &waiting[0]["why"]), (1, &"unconfirmed".into()), "{waiting:?}");

    let refused = desk.assign(&fact_of(&order), &to(&ann)).await;
    assert_eq!((refused.status, refused.problem()), (409, "wrong_payment_state"));
    assert_eq!(
        change(&desk.administrator(), &fact_of(&order), "dismiss", &json!({ "note": "SePay shows nothing" }))
            .await
            .status,
        200
    );
    assert_eq!(ann.balance().await, (100, 0, 0));

    // Dismissing what was not confirmed buries no money.
    desk.reconcile().await;
    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}
