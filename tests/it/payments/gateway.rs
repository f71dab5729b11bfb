//! A stand-in for SePay's order API that tells of orders whatever a test says, however odd.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// The orders by invoice number.
#[derive(Clone, Default)]
pub(crate) struct Gateway {
    orders: Arc<Mutex<HashMap<String, Value>>>,
    repeats: Arc<AtomicBool>,
    is_endless: Arc<AtomicBool>,
    hangs: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    asked_for: Arc<Mutex<Vec<String>>>,
    /// With which status a question for an order is refused.
    refused: Arc<Mutex<HashMap<String, u16>>>,
    base: String,
}

impl Gateway {
    pub(crate) async fn open() -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let gateway = Gateway { base, ..Gateway::default() };
        let routes = Router::new()
            .route("/v1/order/detail/{id}", get(detail))
            .route("/v1/order", get(list))
            .with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        gateway
    }

    /// Settings of a product that asks here and not at the sandbox.
    pub(crate) fn settings(&self) -> [(&str, &str); 5] {
        [
            ("SEPAY_MERCHANT_ID", sandbox::SEPAY_MERCHANT_ID),
            ("SEPAY_SECRET_KEY", sandbox::SEPAY_SECRET_KEY),
            ("SEPAY_IPN_SECRETS", sandbox::SEPAY_IPN_SECRET),
            ("SEPAY_CHECKOUT_URL", "http://pay.test/v1/checkout/init"),
            ("SEPAY_API_URL", &self.base),
        ]
    }

    pub(crate) fn tells(&self, order: Value) {
        let invoice = order["order_invoice_number"].as_str().unwrap().to_owned();
        self.orders.lock().unwrap().insert(invoice, order);
    }

    /// From now on the list shows every order twice.
    pub(crate) fn repeats_itself(&self) {
        self.repeats.store(true, Ordering::Relaxed);
    }

    /// From now on every page of the list is full of orders that are not ours, and more are said to follow.
    pub(crate) fn lists_endlessly(&self) {
        self.is_endless.store(true, Ordering::Relaxed);
    }

    /// From now on no question is answered in time.
    pub(crate) fn hangs(&self) {
        self.hangs.store(true, Ordering::Relaxed);
    }

    /// How many orders were asked for, each by its number.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// From now on a question for this order is answered with an error status.
    pub(crate) fn refuses(&self, invoice: &str, status: u16) {
        self.refused.lock().unwrap().insert(invoice.to_owned(), status);
    }

    pub(crate) fn refuses_no_more(&self, invoice: &str) {
        self.refused.lock().unwrap().remove(invoice);
    }

    /// The orders that were asked for since the last call, in that order.
    pub(crate) fn asked_for(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked_for.lock().unwrap())
    }

    fn find(&self, invoice: &str) -> Option<Value> {
        self.orders.lock().unwrap().get(invoice).cloned()
    }
}

async fn detail(State(gateway): State<Gateway>, Path(id): Path<String>) -> (StatusCode, String) {
    gateway.asked.fetch_add(1, Ordering::Relaxed);
    gateway.asked_for.lock().unwrap().push(id.clone());
    if gateway.hangs.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
    if let Some(status) = gateway.refused.lock().unwrap().get(&id) {
        return (StatusCode::from_u16(*status).unwrap(), json!({ "message": "Refused" }).to_string());
    }
    match gateway.find(&id) {
        Some(order) => (StatusCode::OK, json!({ "data": order }).to_string()),
        None => (StatusCode::NOT_FOUND, json!({ "message": "Not found" }).to_string()),
    }
}

async fn list(State(gateway): State<Gateway>, Query(wish): Query<HashMap<String, String>>) -> String {
    if gateway.is_endless.load(Ordering::Relaxed) && !wish.contains_key("q") {
        let page = wish.get("page").map_or("1", String::as_str);
        let forms = (0..100).map(|nth| waiting(&format!("CIT-foreign-{page}-{nth}")));
        return json!({ "data": forms.collect::<Vec<_>>(), "meta": { "has_more": true } }).to_string();
    }
    let orders = gateway.orders.lock().unwrap();
    let fits = |invoice: &String| wish.get("q").is_none_or(|words| invoice.contains(words));
    let times = if gateway.repeats.load(Ordering::Relaxed) { 2 } else { 1 };
    let found = orders.iter().filter(|(invoice, _)| fits(invoice));
    let found: Vec<&Value> = found.flat_map(|(_, order)| std::iter::repeat_n(order, times)).collect();
    json!({ "data": found, "meta": { "has_more": false } }).to_string()
}

/// An order that was paid as it should be, in the words of SePay's documents.
pub(crate) fn captured(invoice: &str, dong: u64) -> Value {
    json!({
        "id": "b1c7", "customer_id": null, "order_id": "NQD-68DA43D73C1A5",
        "order_invoice_number": invoice, "order_status": "CAPTURED",
        "order_amount": format!("{dong}.00"), "order_currency": "VND",
        "created_at": "2025-09-29 15:30:00", "updated_at": "2025-09-29 15:31:22",
        "transactions": [payment("tx-1", dong)],
    })
}

/// An order whose form somebody has posted, and that is not paid.
fn waiting(invoice: &str) -> Value {
    json!({
        "order_invoice_number": invoice, "order_status": "AUTHENTICATION_NOT_NEEDED", "order_amount": "50000.00",
        "order_currency": "VND", "created_at": "2025-09-29 15:30:00", "updated_at": "2025-09-29 15:30:00",
    })
}

pub(crate) fn payment(id: &str, dong: u64) -> Value {
    json!({
        "id": id, "payment_method": "CARD", "transaction_type": "PAYMENT", "transaction_status": "APPROVED",
        "transaction_amount": dong.to_string(), "transaction_currency": "VND",
        "transaction_date": "2025-09-29 15:31:22", "card_number": "4111XXXXXXXX1111",
        "card_holder_name": "NGUYEN VAN A", "card_expiry": "1230", "card_brand": "VISA",
    })
}
