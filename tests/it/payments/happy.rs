//! Each way to pay, as ordered.

use super::desk::{Desk, dong, micros};
use crate::books;
use crate::world::{credit, dong_of};
use sandbox::IpnKind;
use serde_json::Value;

#[tokio::test]
async fn a_bank_transfer_with_the_orders_code_becomes_credit_at_once() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    assert_eq!((&order["status"], &order["credits"]), (&"created".into(), &credit(500)), "{order}");
    assert_eq!(order["amount_due"], dong_of(131_350, "131,350"), "{order}");
    let scanned = desk.world.sandbox.scan_viet_qr(order["pay"]["qr_payload"].as_str().unwrap()).unwrap();
    assert_eq!(
        (scanned.amount, scanned.memo.as_str()),
        (Some(131_350), order["reference"].as_str().unwrap())
    );

    let told = desk.transfer(dong(&order), &scanned.memo).await;

    assert_eq!((told.status, &told.body["success"]), (200, &Value::Bool(true)), "{}", told.text);
    assert_eq!(ann.balance().await, (600, 0, 0));
    let paid = desk.show(&ann, &order).await;
    assert_eq!((&paid["status"], &paid["credited"]), (&"paid".into(), &credit(500)), "{paid}");
    let entry = ann.transactions().await.into_iter().find(|entry| entry["origin"] == "top_up").unwrap();
    assert_eq!(entry["id"], paid["payments"][0]["entry_id"]);
    assert_eq!(entry["top_up_id"], order["id"]);
    assert!(paid.get("pay").is_none() && desk.waiting().await.is_empty());
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_card_payment_becomes_credit_when_sepay_itself_confirms_it() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 2000).await;
    desk.pay_by_card(&order).await;
    assert_eq!(ann.balance().await, (100, 0, 0), "nobody has told us");

    let told = desk.ipn(&order, IpnKind::OrderPaid).await;

    assert_eq!((told.status, &told.body["success"]), (200, &Value::Bool(true)), "{}", told.text);
    assert_eq!(ann.balance().await, (2100, 0, 0));
    let paid = desk.show(&ann, &order).await;
    assert_eq!(paid["status"], "paid", "{paid}");
    assert_eq!(paid["payments"][0]["card"], "VISA 1111, 12/30", "{paid}");
    books::check(&desk.world).await;
}

#[tokio::test]
async fn usdt_in_the_orders_exact_amount_becomes_credit_at_the_next_poll() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "tron_usdt", 500).await;
    let due = micros(&order);
    assert!(due > 5_000_000 && due < 6_000_000, "{order}");
    desk.send_usdt(due);

    let report = desk.poll().await;

    assert_eq!((report.credited, report.kept), (1, 0), "{report:?}");
    assert_eq!(ann.balance().await, (100 + due / 10_000, 0, 0));
    let paid = desk.show(&ann, &order).await;
    assert_eq!((&paid["status"], &paid["credited"]), (&"paid".into(), &order["credits"]), "{paid}");
    assert_eq!(desk.poll().await.credited, 0, "the overlap changes nothing");
    books::check(&desk.world).await;
}
