//! The shopper's way: the form opens a page, its buttons pay, fail or go back.

use axum::response::Response;
use serde_json::{Value, json};

use super::api::order_json;
use super::form::{Form, FormRefusal};
use super::ipn::{self, IpnKind};
use super::order::{CardRefusal, Order};
use super::page;
use crate::call::Call;
use crate::door::Mood;
use crate::memory::Kept;
use crate::{SEPAY_SECRET_KEY, World, reply};

const FORM_TYPE: &str = "application/x-www-form-urlencoded";
const LATEST: usize = 15;

/// `POST /v1/checkout/init`, as a browser posts it.
pub(super) fn open(world: &World, call: &Call) -> Response {
    if !call.header("content-type").is_some_and(|kind| kind.starts_with(FORM_TYPE)) {
        return reply::html(
            415,
            page::message("Not a form", "Post it as application/x-www-form-urlencoded."),
        );
    }
    match opened(world, call) {
        Ok(page) => reply::html(200, page),
        Err(refusal) => reply::html(400, page::refused(&refusal)),
    }
}

/// `GET checkout/{order_id}`: the page again.
pub(super) fn show(world: &World, order_id: &str) -> Response {
    let page = invoice(world, order_id)
        .and_then(|invoice| world.sepay.with(&invoice, |order| Ok(page::checkout(order))));
    page.map_or_else(stopped, |page| reply::html(200, page))
}

/// `POST checkout/{order_id}/{button}`: back to the shop, after the notification has been sent.
pub(super) async fn press(world: &World, order_id: &str, button: &str, mood: &Mood) -> Response {
    let invoice = match invoice(world, order_id) {
        Ok(invoice) => invoice,
        Err(refusal) => return stopped(refusal),
    };
    let now = world.now();
    let (address, pressed) = match button {
        "pay" => ("success_url", world.sepay.with(&invoice, |order| order.pay(now))),
        "decline" => ("error_url", world.sepay.with(&invoice, |order| order.decline(now))),
        "cancel" => ("cancel_url", Ok(())),
        _ => return super::refusal(404),
    };
    let told = match pressed {
        Ok(()) if button == "pay" => ipn::send(world, &invoice, IpnKind::OrderPaid, mood).await.map(drop),
        pressed => pressed,
    };
    let back =
        told.and_then(|()| world.sepay.with(&invoice, |order| Ok(order.field(address).map(str::to_owned))));
    match back {
        Ok(Some(address)) => reply::with_header(reply::empty(303), "location", &address),
        Ok(None) => reply::html(200, page::message("Done", "The shop gave no address to go back to.")),
        Err(refusal) => stopped(refusal),
    }
}

/// `GET orders`: the latest orders with what was sent about them, for the page.
pub(super) fn latest(world: &World) -> Response {
    let shelf = world.sepay.lock();
    let mut orders: Vec<&Order> = shelf.ids().filter_map(|invoice| shelf.get(invoice)).collect();
    orders.reverse();
    let shown: Vec<Value> = orders.into_iter().take(LATEST).map(shown).collect();
    reply::json(200, &json!({ "orders": shown }))
}

fn shown(order: &Order) -> Value {
    let mut shown = order_json(order);
    shown["deliveries"] = json!(order.deliveries);
    shown
}

/// An invoice number is taken for ever, except by the same form while nobody has paid.
fn opened(world: &World, call: &Call) -> Result<String, FormRefusal> {
    let form = Form::read(&call.body);
    let purchase = form.purchase(SEPAY_SECRET_KEY)?;
    let mut shelf = world.sepay.lock();
    if let Some(earlier) = shelf.get(&purchase.invoice) {
        let is_same = earlier.is_reopened_by(&form);
        return if is_same { Ok(page::checkout(earlier)) } else { Err(FormRefusal::InvoiceTaken) };
    }
    let order = Order::new(form, purchase, call, world.now());
    let page = page::checkout(&order);
    world.sepay.memory.note(|| Kept::CardOrder(order.clone()));
    shelf.put(order.invoice.clone(), order);
    Ok(page)
}

fn invoice(world: &World, order_id: &str) -> Result<String, CardRefusal> {
    world.sepay.invoice_of(order_id).ok_or(CardRefusal::UnknownOrder)
}

fn stopped(refusal: CardRefusal) -> Response {
    let status = if refusal == CardRefusal::UnknownOrder { 404 } else { 409 };
    reply::html(status, page::message("This does not work", &refusal.to_string()))
}
