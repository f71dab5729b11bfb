//! The REST calls about one order.

use axum::response::Response;
use serde_json::{Value, json};

use super::ipn::{self, IpnKind};
use super::order::{CardRefusal, Kind, Method, Order, Status, Transaction};
use super::{error, refusal};
use crate::call::Call;
use crate::door::Mood;
use crate::{Fault, World, calendar, reply};

/// The test card's expiry as notifications write it.
pub(super) const CARD_EXPIRY_IPN: &str = "12/30";
/// The same as the REST calls write it.
const CARD_EXPIRY_REST: &str = "1230";

/// `GET /v1/order/detail/{id}`. The docs name SePay's order number, both SDKs pass the invoice: both work.
pub(super) fn detail(world: &World, id: &str, mood: &Mood) -> Response {
    if mood.fault == Some(Fault::Empty) {
        return reply::json(200, &json!({ "data": null }));
    }
    shown(world, id)
}

fn shown(world: &World, id: &str) -> Response {
    let invoice = world.sepay.invoice_of(id).unwrap_or_else(|| id.to_owned());
    match world.sepay.with(&invoice, |order| Ok(order_json(order))) {
        Ok(data) => reply::json(200, &json!({ "data": data })),
        Err(_) => refusal(404),
    }
}

/// `POST /v1/order/voidTransaction`; the notification follows.
pub(super) async fn void(world: &World, call: &Call, mood: &Mood) -> Response {
    let Some(invoice) = named_invoice(call) else { return refusal(422) };
    if let Err(refusal) = world.sepay.with(&invoice, |order| order.void(world.now())) {
        return error(status_of(refusal), &refusal.to_string());
    }
    match ipn::send(world, &invoice, IpnKind::TransactionVoid, mood).await {
        Ok(_) => shown(world, &invoice),
        Err(refusal) => error(status_of(refusal), &refusal.to_string()),
    }
}

/// `POST /v1/order/cancel`.
pub(super) fn cancel(world: &World, call: &Call) -> Response {
    let Some(invoice) = named_invoice(call) else { return refusal(422) };
    match world.sepay.with(&invoice, |order| order.cancel(world.now())) {
        Ok(()) => shown(world, &invoice),
        Err(refusal) => error(status_of(refusal), &refusal.to_string()),
    }
}

/// SePay publishes the statuses, not which refusal has which.
pub(super) fn status_of(refusal: CardRefusal) -> u16 {
    match refusal {
        CardRefusal::UnknownOrder => 404,
        _ => 422,
    }
}

/// An order as `detail` and the list show it.
pub(super) fn order_json(order: &Order) -> Value {
    let transactions = order.transactions.iter().map(|transaction| {
        let mut shown = transaction_json(order, transaction);
        shown["transaction_last_updated_date"] = Value::from(calendar::text(transaction.at));
        shown
    });
    json!({
        "id": order.id,
        "customer_id": order.field("customer_id"),
        "order_id": order.order_id,
        "order_invoice_number": order.invoice,
        "order_status": order.status,
        "order_amount": format!("{}.00", order.amount),
        "order_currency": "VND",
        "order_description": order.field("order_description"),
        "authentication_status": authentication(order, order.status != Status::Waiting),
        "created_at": calendar::text(order.created_at),
        "updated_at": calendar::text(order.updated_at),
        "transactions": transactions.collect::<Vec<_>>(),
    })
}

/// A transaction with what notifications and REST have in common.
pub(super) fn transaction_json(order: &Order, transaction: &Transaction) -> Value {
    let is_payment = transaction.kind == Kind::Payment;
    let card = |text: &'static str| (order.method == Method::Card).then_some(text);
    json!({
        "id": transaction.id,
        "payment_method": order.method,
        "transaction_type": transaction.kind,
        "transaction_date": calendar::text(transaction.at),
        "transaction_status": if transaction.is_approved { "APPROVED" } else { "DECLINED" },
        "transaction_amount": order.amount.to_string(),
        "transaction_currency": "VND",
        "authentication_status": authentication(order, is_payment && transaction.is_approved),
        "card_number": card("4111XXXXXXXX1111"),
        "card_holder_name": card("SANDBOX SHOPPER"),
        "card_expiry": card(CARD_EXPIRY_REST),
        "card_funding_method": card("CREDIT"),
        "card_brand": card("VISA"),
    })
}

fn authentication(order: &Order, is_done: bool) -> Option<&'static str> {
    (is_done && order.method == Method::Card).then_some("AUTHENTICATION_SUCCESSFUL")
}

fn named_invoice(call: &Call) -> Option<String> {
    call.json().ok()?.get("order_invoice_number")?.as_str().map(str::to_owned)
}
