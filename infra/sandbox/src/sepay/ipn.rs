//! Notifications about orders: `POST /v1/webhooks/sepay/ipn` at the product, with the agreed secret in a header.

use axum::response::Response;
use serde_json::{Value, json};

use super::api::{status_of, transaction_json};
use super::order::{CardRefusal, Kind, Order};
use super::{api, error};
use crate::call::Call;
use crate::delivery::{Outcome, times};
use crate::door::Mood;
use crate::{Delivery, SEPAY_IPN_SECRET, Service, World, reply};

const PATH: &str = "/v1/webhooks/sepay/ipn";

/// What a notification tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpnKind {
    /// `ORDER_PAID`: the payment was approved.
    OrderPaid,
    /// `TRANSACTION_VOID`: a card payment was taken back before settlement.
    TransactionVoid,
}

impl IpnKind {
    fn name(self) -> &'static str {
        match self {
            IpnKind::OrderPaid => "ORDER_PAID",
            IpnKind::TransactionVoid => "TRANSACTION_VOID",
        }
    }

    fn named(name: &str) -> Option<IpnKind> {
        [IpnKind::OrderPaid, IpnKind::TransactionVoid].into_iter().find(|kind| kind.name() == name)
    }

    fn transaction(self) -> Kind {
        match self {
            IpnKind::OrderPaid => Kind::Payment,
            IpnKind::TransactionVoid => Kind::Void,
        }
    }
}

/// The notification as it would be sent now.
pub(crate) fn delivery(world: &World, invoice: &str, kind: IpnKind) -> Result<Delivery, CardRefusal> {
    let body = world.sepay.with(invoice, |order| body(order, kind, world.now()))?;
    let proof = vec![("x-secret-key", SEPAY_IPN_SECRET.to_owned())];
    Ok(Delivery::new(PATH, body.to_string().into_bytes(), proof))
}

/// `POST orders/{invoice}/pay`: the shopper pays without the page.
pub(super) async fn pay(world: &World, invoice: &str, mood: &Mood) -> Response {
    match world.sepay.with(invoice, |order| order.pay(world.now())) {
        Ok(()) => told(world, invoice, IpnKind::OrderPaid, mood).await,
        Err(refusal) => refused(refusal),
    }
}

/// `POST orders/{invoice}/void`: the merchant takes the payment back in the dashboard.
pub(super) async fn void(world: &World, invoice: &str, mood: &Mood) -> Response {
    match world.sepay.with(invoice, |order| order.void(world.now())) {
        Ok(()) => told(world, invoice, IpnKind::TransactionVoid, mood).await,
        Err(refusal) => refused(refusal),
    }
}

/// `POST orders/{invoice}/ipn?type=…`: the notification once more.
pub(super) async fn again(world: &World, invoice: &str, call: &Call, mood: &Mood) -> Response {
    match asked_kind(call) {
        Some(kind) => told(world, invoice, kind, mood).await,
        None => error(422, "type: ORDER_PAID or TRANSACTION_VOID"),
    }
}

/// `GET orders/{invoice}/webhook-request?type=…`: the request, unsent; changes nothing.
pub(super) fn show(world: &World, invoice: &str, call: &Call) -> Response {
    let Some(kind) = asked_kind(call) else { return error(422, "type: ORDER_PAID or TRANSACTION_VOID") };
    match delivery(world, invoice, kind) {
        Ok(delivery) => reply::json(200, &delivery.shown()),
        Err(refusal) => refused(refusal),
    }
}

/// Sends the notification as often as the mood wants it.
pub(super) async fn send(
    world: &World,
    invoice: &str,
    kind: IpnKind,
    mood: &Mood,
) -> Result<Vec<Outcome>, CardRefusal> {
    let delivery = delivery(world, invoice, kind)?;
    let mut outcomes = Vec::new();
    for _ in 0..times(mood.fault.as_ref(), 1) {
        outcomes.extend(delivery.send(world, Service::Sepay, kind.name(), mood.fault.as_ref()).await);
    }
    world.sepay.with(invoice, |order| {
        order.deliveries.extend(outcomes.iter().cloned());
        Ok(())
    })?;
    Ok(outcomes)
}

async fn told(world: &World, invoice: &str, kind: IpnKind, mood: &Mood) -> Response {
    match send(world, invoice, kind, mood).await {
        Ok(outcomes) => reply::json(200, &json!({ "order_invoice_number": invoice, "deliveries": outcomes })),
        Err(refusal) => refused(refusal),
    }
}

fn asked_kind(call: &Call) -> Option<IpnKind> {
    call.query().get("type").map_or(Some(IpnKind::OrderPaid), |name| IpnKind::named(name))
}

fn refused(refusal: CardRefusal) -> Response {
    error(status_of(refusal), &refusal.to_string())
}

fn body(order: &mut Order, kind: IpnKind, now: u64) -> Result<Value, CardRefusal> {
    let transaction = order.latest(kind.transaction()).ok_or(CardRefusal::NothingToTell)?;
    let mut told = transaction_json(order, transaction);
    told["transaction_id"] = Value::from(transaction.transaction_id.as_str());
    // The same month is written "12/30" here and "1230" by the REST calls (SePay's samples of both).
    if !told["card_expiry"].is_null() {
        told["card_expiry"] = Value::from(api::CARD_EXPIRY_IPN);
    }
    let customer = order.field("customer_id").map(|id| json!({ "id": order.id, "customer_id": id }));
    Ok(json!({
        "timestamp": now,
        "notification_type": kind.name(),
        "order": {
            "id": order.id,
            "order_id": order.order_id,
            "order_status": order.status,
            "order_currency": "VND",
            "order_amount": format!("{}.00", order.amount),
            "order_invoice_number": order.invoice,
            "custom_data": order.custom_data(),
            "user_agent": order.user_agent,
            "ip_address": order.ip_address,
            "order_description": order.field("order_description"),
        },
        "transaction": told,
        "customer": customer,
        "agreement": null,
    }))
}
