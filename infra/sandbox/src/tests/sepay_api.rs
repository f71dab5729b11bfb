use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::sepay::{INVOICE, NOW, fields, open, with};
use super::{Answer, ask, instant};
use crate::{CardRefusal, Fault, FaultRule, IpnKind, SEPAY_MERCHANT_ID, SEPAY_SECRET_KEY, Sandbox, Service};

async fn call(sandbox: &Sandbox, order: &str, body: Value) -> Answer {
    let (method, path) = order.split_once(' ').expect("method and path");
    let basic = format!("Basic {}", STANDARD.encode(format!("{SEPAY_MERCHANT_ID}:{SEPAY_SECRET_KEY}")));
    let order = format!("{method} /sandbox/sepay/v1/order{path}");
    ask(sandbox, &order, &[("authorization", &basic)], body.to_string()).await
}

/// One order a minute, `CIT_0` the oldest.
async fn orders(count: u64) -> Sandbox {
    let sandbox = instant();
    for number in 0..count {
        sandbox.set_now(Some(NOW + number * 60));
        open(&sandbox, &with(fields(), "order_invoice_number", &format!("CIT_{number}"))).await;
    }
    sandbox
}

fn invoices(page: &Value) -> Vec<&str> {
    let rows = page["data"].as_array().expect("rows").iter();
    rows.filter_map(|row| row["order_invoice_number"].as_str()).collect()
}

#[tokio::test]
async fn an_order_is_shown_under_both_its_numbers() {
    let sandbox = instant();
    sandbox.set_now(Some(NOW));
    open(&sandbox, &fields()).await;
    sandbox.set_now(Some(NOW + 61));
    sandbox.pay_card(INVOICE).expect("payable");

    let shown = call(&sandbox, &format!("GET /detail/{INVOICE}"), Value::Null).await.json();
    let number = shown["data"]["order_id"].as_str().expect("a number");
    assert_eq!(call(&sandbox, &format!("GET /detail/{number}"), Value::Null).await.json(), shown);

    let mut order = shown["data"].clone();
    assert!(order["id"].take().is_string() && order["order_id"].take().is_string());
    assert!(order["transactions"][0]["id"].take().is_string());
    let wanted = json!({
        "id": null, "customer_id": "user_2abc", "order_id": null, "order_invoice_number": INVOICE,
        "order_status": "CAPTURED", "order_amount": "250000.00", "order_currency": "VND",
        "order_description": "Nạp <b>10</b> USD, \"nhanh\"", "authentication_status": "AUTHENTICATION_SUCCESSFUL",
        "created_at": "2026-01-01 07:00:00", "updated_at": "2026-01-01 07:01:01",
        "transactions": [{
            "id": null, "payment_method": "CARD", "transaction_type": "PAYMENT",
            "transaction_amount": "250000", "transaction_currency": "VND", "transaction_status": "APPROVED",
            "authentication_status": "AUTHENTICATION_SUCCESSFUL", "card_number": "4111XXXXXXXX1111",
            "card_holder_name": "SANDBOX SHOPPER", "card_expiry": "1230", "card_funding_method": "CREDIT",
            "card_brand": "VISA", "transaction_date": "2026-01-01 07:01:01",
            "transaction_last_updated_date": "2026-01-01 07:01:01",
        }],
    });
    assert_eq!(order, wanted);
}

#[tokio::test]
async fn the_rest_calls_want_merchant_and_secret() {
    let sandbox = orders(1).await;
    let other = format!("Basic {}", STANDARD.encode(format!("{SEPAY_MERCHANT_ID}:spsk_other")));
    for headers in [&[][..], &[("authorization", other.as_str())][..]] {
        let answer = ask(&sandbox, "GET /sandbox/sepay/v1/order/detail/CIT_0", headers, "").await;
        assert_eq!((answer.status, answer.json()), (401, json!({ "message": "Unauthorized" })));
    }
    let unknown = call(&sandbox, "GET /detail/CIT_9", Value::Null).await;
    assert_eq!((unknown.status, unknown.json()), (404, json!({ "message": "Not found" })));
}

#[tokio::test]
async fn orders_come_in_pages_newest_first() {
    let sandbox = orders(5).await;
    let page = call(&sandbox, "GET ?per_page=2&page=2", Value::Null).await.json();
    assert_eq!(invoices(&page), ["CIT_2", "CIT_1"]);
    let meta = json!({ "per_page": 2, "total": 5, "has_more": true, "current_page": 2, "page_count": 3 });
    assert_eq!(page["meta"], meta);
    let last = call(&sandbox, "GET ?per_page=2&page=3&sort=created_at:asc", Value::Null).await.json();
    assert_eq!((invoices(&last), &last["meta"]["has_more"]), (vec!["CIT_4"], &json!(false)));
    let all = call(&sandbox, "GET ?per_page=500", Value::Null).await.json();
    assert_eq!((all["meta"]["per_page"].as_u64(), invoices(&all).len()), (Some(100), 5));
    assert_eq!(call(&sandbox, "GET ", Value::Null).await.json()["meta"]["per_page"], 20);
    for query in ["page=0", "per_page=x", "sort=amount", "page=18446744073709551615"] {
        let answer = call(&sandbox, &format!("GET ?{query}"), Value::Null).await;
        assert!(answer.status == 422 && answer.json()["message"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn filters_leave_what_fits() {
    let sandbox = orders(3).await;
    sandbox.pay_card("CIT_1").expect("payable");
    let table = [
        ("q=CIT_2", vec!["CIT_2"]),
        ("order_status=CAPTURED", vec!["CIT_1"]),
        ("order_status=AUTHENTICATION_NOT_NEEDED", vec!["CIT_2", "CIT_0"]),
        ("customer_id=user_2abc", vec!["CIT_2", "CIT_1", "CIT_0"]),
        ("customer_id=nobody", vec![]),
        ("created_at=2026-01-01", vec!["CIT_2", "CIT_1", "CIT_0"]),
        ("from_created_at=2026-01-01%2007:01:00", vec!["CIT_2", "CIT_1"]),
        ("end_created_at=2026-01-01%2007:01:00", vec!["CIT_1", "CIT_0"]),
        ("to_created_at=2026-01-01", vec!["CIT_2", "CIT_1", "CIT_0"]),
        ("to_created_at=2025-12-31", vec![]),
    ];
    for (query, wanted) in table {
        let page = call(&sandbox, &format!("GET ?{query}"), Value::Null).await.json();
        assert_eq!(invoices(&page), wanted, "{query}");
    }
}

#[tokio::test]
async fn the_merchant_voids_cards_and_cancels_transfers() {
    let sandbox = orders(1).await;
    let transfer = with(fields(), "payment_method", "BANK_TRANSFER");
    open(&sandbox, &with(transfer, "order_invoice_number", "CIT_T")).await;
    let (card, transfer) =
        (json!({ "order_invoice_number": "CIT_0" }), json!({ "order_invoice_number": "CIT_T" }));

    assert_eq!(call(&sandbox, "POST /voidTransaction", card.clone()).await.status, 422);
    sandbox.pay_card("CIT_0").expect("payable");
    let void = call(&sandbox, "POST /voidTransaction", card.clone()).await.json();
    assert_eq!(void["data"]["order_status"], "CANCELLED");
    assert_eq!(void["data"]["transactions"][1]["transaction_type"], "VOID");
    assert!(sandbox.card_ipn("CIT_0", IpnKind::TransactionVoid).is_ok());

    let refused = call(&sandbox, "POST /cancel", card).await;
    assert_eq!(refused.json()["message"], CardRefusal::NotATransfer.to_string());
    let cancelled = call(&sandbox, "POST /cancel", transfer.clone()).await.json();
    assert_eq!(cancelled["data"]["order_status"], "CANCELLED");
    assert_eq!(call(&sandbox, "POST /cancel", transfer).await.status, 422);
    assert_eq!(sandbox.pay_card("CIT_T"), Err(CardRefusal::NotWaiting));
    assert_eq!(call(&sandbox, "POST /cancel", json!({})).await.status, 422);
}

#[tokio::test]
async fn an_order_paid_by_transfer_has_no_card() {
    let sandbox = instant();
    open(&sandbox, &with(fields(), "payment_method", "NAPAS_BANK_TRANSFER")).await;
    sandbox.pay_card(INVOICE).expect("payable");
    let told = sandbox.card_ipn(INVOICE, IpnKind::OrderPaid).expect("paid");
    let told: Value = serde_json::from_slice(&told.body).expect("JSON");
    assert_eq!(told["transaction"]["payment_method"], "NAPAS_BANK_TRANSFER");
    for name in ["number", "holder_name", "expiry", "funding_method", "brand"] {
        assert!(told["transaction"][format!("card_{name}")].is_null());
    }
    assert_eq!(sandbox.void_card(INVOICE), Err(CardRefusal::NotACard));
}

#[tokio::test]
async fn the_rest_calls_can_fail_while_the_shopper_pays() {
    let sandbox = orders(1).await;
    let fault = |fault| sandbox.faults().set(Service::Sepay, FaultRule::once(fault));
    fault(Fault::Status { status: 429, retry_after: Some(7) });
    let answer = call(&sandbox, "GET /detail/CIT_0", Value::Null).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "7"));
    fault(Fault::Garbage);
    assert!(call(&sandbox, "GET /detail/CIT_0", Value::Null).await.text().starts_with("<!doctype html>"));
    fault(Fault::WrongShape);
    assert!(call(&sandbox, "GET /detail/CIT_0", Value::Null).await.json().get("data").is_none());
    fault(Fault::Empty);
    assert_eq!(call(&sandbox, "GET ", Value::Null).await.json()["data"], json!([]));
    fault(Fault::DropConnection);
    assert!(call(&sandbox, "GET /detail/CIT_0", Value::Null).await.is_broken);

    fault(Fault::Refuse);
    assert_eq!(ask(&sandbox, "POST /sandbox/sepay/orders/CIT_0/pay", &[], "").await.status, 200);
    assert_eq!(call(&sandbox, "GET /detail/CIT_0", Value::Null).await.status, 503);
}
