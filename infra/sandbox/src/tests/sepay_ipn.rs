use serde_json::{Value, json};

use super::sepay::{INVOICE, NOW, button, fields, open, with};
use super::{ask, instant};
use crate::{CardRefusal, Delivery, Fault, FaultRule, IpnKind, SEPAY_IPN_SECRET, Sandbox, Service};

fn header<'a>(delivery: &'a Delivery, name: &str) -> &'a str {
    let found = delivery.headers.iter().find(|(of, _)| of == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

fn told(delivery: &Delivery) -> Value {
    serde_json::from_slice(&delivery.body).expect("JSON")
}

async fn paid() -> Sandbox {
    let sandbox = instant();
    sandbox.set_now(Some(NOW));
    assert_eq!(open(&sandbox, &fields()).await.status, 200);
    sandbox.pay_card(INVOICE).expect("payable");
    sandbox
}

#[tokio::test]
async fn a_notification_has_the_documented_shape() {
    let sandbox = paid().await;
    let delivery = sandbox.card_ipn(INVOICE, IpnKind::OrderPaid).expect("paid");
    assert_eq!(delivery.path, "/v1/webhooks/sepay/ipn");
    assert_eq!(header(&delivery, "x-secret-key"), SEPAY_IPN_SECRET);

    let mut body = told(&delivery);
    for (part, name) in [("order", "id"), ("order", "order_id"), ("transaction", "id"), ("customer", "id")] {
        assert!(body[part][name].take().as_str().is_some_and(|id| !id.is_empty()));
    }
    assert_eq!(body["transaction"]["transaction_id"].take().as_str().map(str::len), Some(13));
    let wanted = json!({
        "timestamp": NOW,
        "notification_type": "ORDER_PAID",
        "order": {
            "id": null, "order_id": null, "order_status": "CAPTURED", "order_currency": "VND",
            "order_amount": "250000.00", "order_invoice_number": INVOICE, "custom_data": [],
            "user_agent": "", "ip_address": "127.0.0.1", "order_description": "Nạp <b>10</b> USD, \"nhanh\"",
        },
        "transaction": {
            "id": null, "transaction_id": null, "payment_method": "CARD", "transaction_type": "PAYMENT",
            "transaction_date": "2026-01-01 07:00:00", "transaction_status": "APPROVED",
            "transaction_amount": "250000", "transaction_currency": "VND",
            "authentication_status": "AUTHENTICATION_SUCCESSFUL", "card_number": "4111XXXXXXXX1111",
            "card_holder_name": "SANDBOX SHOPPER", "card_expiry": "12/30", "card_funding_method": "CREDIT",
            "card_brand": "VISA",
        },
        "customer": { "id": null, "customer_id": "user_2abc" },
        "agreement": null,
    });
    assert_eq!(body, wanted);
}

#[tokio::test]
async fn only_what_has_happened_is_told() {
    let sandbox = instant();
    assert_eq!(sandbox.card_ipn(INVOICE, IpnKind::OrderPaid), Err(CardRefusal::UnknownOrder));
    let page = open(&sandbox, &fields()).await;
    ask(&sandbox, &button(&page, "decline"), &[], "").await;
    assert_eq!(sandbox.card_ipn(INVOICE, IpnKind::OrderPaid), Err(CardRefusal::NothingToTell));
    sandbox.pay_card(INVOICE).expect("a declined card can be followed by a good one");
    assert_eq!(sandbox.pay_card(INVOICE), Err(CardRefusal::NotWaiting));
    assert_eq!(sandbox.card_ipn(INVOICE, IpnKind::TransactionVoid), Err(CardRefusal::NothingToTell));
}

#[tokio::test]
async fn a_void_is_told_and_the_earlier_payment_keeps_its_id() {
    let sandbox = paid().await;
    let before = told(&sandbox.card_ipn(INVOICE, IpnKind::OrderPaid).expect("paid"));
    sandbox.void_card(INVOICE).expect("not settled");
    let void = told(&sandbox.card_ipn(INVOICE, IpnKind::TransactionVoid).expect("voided"));
    assert_eq!(
        [&void["notification_type"], &void["order"]["order_status"]],
        ["TRANSACTION_VOID", "CANCELLED"]
    );
    assert_eq!(void["transaction"]["transaction_type"], "VOID");
    let late = told(&sandbox.card_ipn(INVOICE, IpnKind::OrderPaid).expect("was paid"));
    assert_eq!(late["transaction"]["id"], before["transaction"]["id"]);
    assert_ne!(void["transaction"]["id"], before["transaction"]["id"]);
    assert_eq!(sandbox.void_card(INVOICE), Err(CardRefusal::NotCaptured));
}

#[tokio::test]
async fn a_payment_can_be_voided_until_it_is_settled() {
    const HOUR: u64 = 3_600;
    const DAY: u64 = 24 * HOUR;
    // Midnight of Thursday, 1 January 2026, in Vietnam; days after it in the table.
    let midnight = NOW - 7 * HOUR;
    let table = [(0, 15, 1), (0, 16, 4), (1, 15, 4), (1, 16, 4), (2, 10, 4), (3, 20, 5), (4, 16, 6)];
    for (number, (day, hour, settled)) in table.into_iter().enumerate() {
        let invoice = format!("CIT_{number}");
        let sandbox = instant();
        open(&sandbox, &with(fields(), "order_invoice_number", &invoice)).await;
        sandbox.set_now(Some(midnight + day * DAY + hour * HOUR));
        sandbox.pay_card(&invoice).expect("payable");
        sandbox.set_now(Some(midnight + settled * DAY));
        assert_eq!(sandbox.void_card(&invoice), Err(CardRefusal::Settled), "line {number}");
        sandbox.set_now(Some(midnight + settled * DAY - 1));
        assert_eq!(sandbox.void_card(&invoice), Ok(()), "line {number}");
    }
}

#[tokio::test]
async fn notifications_arrive_and_can_be_lost_doubled_and_repeated() {
    let (received, address) = super::product("/v1/webhooks/sepay/ipn").await;
    let config = crate::SandboxConfig { webhook_target: Some(address), ..super::config(true) };
    let sandbox = Sandbox::new(config);
    let page = open(&sandbox, &fields()).await;
    sandbox.faults().set(Service::Sepay, FaultRule::once(Fault::Lost));
    assert_eq!(ask(&sandbox, &button(&page, "pay"), &[], "").await.status, 303);
    assert!(received.lock().expect("no test panicked").is_empty());

    sandbox.faults().set(Service::Sepay, FaultRule::once(Fault::Duplicate));
    let order = format!("POST /sandbox/sepay/orders/{INVOICE}/ipn?type=ORDER_PAID");
    let answer = ask(&sandbox, &order, &[], "").await.json();
    assert_eq!(answer["deliveries"].as_array().map(Vec::len), Some(2));
    let void = ask(&sandbox, &format!("POST /sandbox/sepay/orders/{INVOICE}/void"), &[], "").await.json();
    assert_eq!(void["deliveries"][0]["status"], 204);

    let received = received.lock().expect("no test panicked").clone();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|(headers, _)| headers["x-secret-key"] == SEPAY_IPN_SECRET));
    let journal = sandbox.journal();
    let sent: Vec<_> = journal.iter().filter(|line| line.path == "/v1/webhooks/sepay/ipn").collect();
    assert!(sent.len() == 3 && sent.iter().all(|line| line.status == Some(204)));
    assert!(!format!("{journal:?}").contains(SEPAY_IPN_SECRET));
    let orders = ask(&sandbox, "GET /sandbox/sepay/orders", &[], "").await.json();
    assert_eq!(orders["orders"][0]["deliveries"].as_array().map(Vec::len), Some(3));
}
