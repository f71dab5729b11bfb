//! People at the till: their sign-in tokens and orders, and what SePay's bank webhook tells about them, built outside the sandbox.

use crate::wire::{Connection, get, post, post_bytes};
use primitives::{Clock, Secret};
use rails::sepay_bank;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(crate) const BANK_PATH: &str = "/v1/webhooks/sepay/bank";
pub(crate) const IPN_PATH: &str = "/v1/webhooks/sepay/ipn";
const PATIENCE: Duration = Duration::from_secs(30);

/// What a payer needs to know of an order.
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) reference: String,
    pub(crate) amount_due: String,
}

impl Order {
    pub(crate) fn read(view: &Value) -> Order {
        let text = |name: &str| view[name].as_str().unwrap().to_owned();
        let amount_due = view["amount_due"]["decimal"].as_str().unwrap().to_owned();
        Order { id: text("id"), reference: text("reference"), amount_due }
    }
}

pub(crate) fn wish(method: &str, cents: u64) -> Value {
    json!({ "method": method, "credits": { "amount": cents, "unit": "USD cent" } })
}

/// One sign-in token per person, good for the whole bench.
pub(crate) async fn tokens(authority: &str, people: &[String]) -> Vec<String> {
    let mut connection = Connection::open(authority).await;
    let mut tokens = Vec::with_capacity(people.len());
    for person in people {
        let path = format!("/sandbox/clerk/token?person={person}&ttl=3600");
        let answer = connection.ask(&get(authority, &path, ""), "").await;
        tokens.push(String::from_utf8(answer.body).unwrap().trim().to_owned());
    }
    tokens
}

pub(crate) async fn token(authority: &str, person: &str) -> String {
    tokens(authority, &[person.to_owned()]).await.remove(0)
}

pub(crate) async fn order(authority: &str, token: &str, method: &str, cents: u64) -> Order {
    let request = post(authority, "/v1/top-ups", token, &wish(method, cents));
    Order::read(&Connection::open(authority).await.ask(&request, "").await.json())
}

pub(crate) async fn show(authority: &str, token: &str, order: &Order) -> Value {
    let path = format!("/v1/top-ups/{}", order.id);
    Connection::open(authority).await.ask(&get(authority, &path, token), "").await.json()
}

/// A stack that has just started may not know yet what a dollar costs. Leaves an order of this person behind.
pub(crate) async fn await_rate(authority: &str, token: &str) {
    let (request, begun) = (post(authority, "/v1/top-ups", token, &wish("viet_qr", 500)), Instant::now());
    let mut connection = Connection::open(authority).await;
    while connection.try_ask(&request, "").await.status != 201 {
        assert!(begun.elapsed() < PATIENCE, "no exchange rate");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What SePay would send about a transfer of the exact amount, signed now.
pub(crate) fn delivery(authority: &str, order: &Order, id: u64) -> Vec<u8> {
    signed(authority, told(order, id).to_string().as_bytes())
}

/// The fields of SePay's sample ("Integrate webhook").
pub(crate) fn told(order: &Order, id: u64) -> Value {
    json!({
        "id": id,
        "gateway": "ACB",
        "transactionDate": null,
        "accountNumber": sandbox::BANK_ACCOUNT,
        "code": order.reference,
        "content": format!("QR-{}-{}", order.reference, order.amount_due),
        "transferType": "in",
        "transferAmount": order.amount_due.parse::<u64>().unwrap(),
        "accumulated": 0,
        "subAccount": null,
        "referenceCode": format!("FT{id:014}"),
        "description": format!("ACB QR-{}", order.reference),
    })
}

pub(crate) fn signed(authority: &str, body: &[u8]) -> Vec<u8> {
    let now = Clock::system().now().seconds();
    let signature = sepay_bank::sign(&Secret::new(sandbox::SEPAY_BANK_HMAC_SECRET), now, body);
    let timestamp = now.to_string();
    let headers = [
        ("x-sepay-signature", signature.as_str()),
        ("x-sepay-timestamp", timestamp.as_str()),
        ("content-type", "application/json"),
    ];
    post_bytes(authority, BANK_PATH, &headers, body)
}

/// Posts the order's form to SePay as a browser does, and pays there.
pub(crate) async fn pay_by_card(authority: &str, token: &str, order: &Order) {
    let pay = show(authority, token, order).await["pay"].take();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let fields = pay["fields"].as_array().unwrap().iter();
    let fields = fields.map(|field| (text(&field["name"]), text(&field["value"])));
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let (_, path) = pay["action"].as_str().unwrap().split_once(authority).unwrap();
    let mut connection = Connection::open(authority).await;
    connection.ask(&post_bytes(authority, path, &headers, form.as_bytes()), "").await;
    let path = format!("/sandbox/sepay/orders/{}/pay", order.reference);
    connection.ask(&post_bytes(authority, &path, &[], b""), "").await;
}

/// The body of SePay's notification that the order is paid, which it is.
pub(crate) async fn ipn_about(authority: &str, order: &Order) -> String {
    let path = format!("/sandbox/sepay/orders/{}/webhook-request?type=ORDER_PAID", order.reference);
    let request = Connection::open(authority).await.ask(&get(authority, &path, ""), "").await.json();
    request["body"].as_str().unwrap().to_owned()
}
