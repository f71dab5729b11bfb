//! Cards: the IPN only says which order to ask SePay for, and what SePay says then is judged to the letter.

use super::administrator::{change, to};
use super::desk::{Desk, deliver, dong};
use super::gateway::{Gateway, captured, payment};
use crate::books;
use crate::world::{Answer, credit, dong_of, http};
use sandbox::{Delivery, Fault, FaultRule, IpnKind, SEPAY_IPN_SECRET, Service};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const PATH: &str = "/v1/webhooks/sepay/ipn";

/// A message that only names an order, as whoever knows the secret can make it.
pub(super) fn told(invoice: &str, kind: &str, transaction: &str) -> Value {
    json!({
        "timestamp": 1_790_000_000, "notification_type": kind,
        "order": { "order_invoice_number": invoice, "order_status": "CAPTURED", "order_amount": "999999999.00" },
        "transaction": { "id": transaction, "transaction_type": "PAYMENT", "transaction_status": "APPROVED" },
    })
}

pub(super) async fn post(desk: &Desk, body: impl Into<Vec<u8>>) -> Answer {
    let headers = vec![("x-secret-key".to_owned(), SEPAY_IPN_SECRET.to_owned())];
    desk.deliver(&Delivery { path: PATH.to_owned(), headers, body: body.into() }).await
}

pub(super) fn is_success(answer: &Answer) -> bool {
    answer.status == 200 && answer.body["success"] == true
}

pub(super) fn asked_sepay(desk: &Desk) -> usize {
    let journal = desk.world.sandbox.journal();
    journal.iter().filter(|entry| entry.path.starts_with("/sandbox/sepay/v1/order")).count()
}

pub(super) fn invoice(order: &Value) -> &str {
    order["reference"].as_str().unwrap()
}

fn fact_of(order: &Value) -> String {
    format!("sepay_card.{}.0", invoice(order))
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
