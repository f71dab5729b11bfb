//! SePay's payment gateway: the shopper's page, the REST calls, and the notifications (IPN) about orders.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::json;

mod api;
mod checkout;
mod form;
mod ipn;
mod list;
mod order;
mod page;
mod settlement;

pub use ipn::IpnKind;
pub(crate) use ipn::delivery;
pub use order::CardRefusal;

#[cfg(test)]
pub(crate) use form::Form;

use crate::call::Call;
use crate::door::Mood;
use crate::faults::Moment;
use crate::memory::{Kept, Memory};
use crate::shelf::Shelf;
use crate::{SEPAY_MERCHANT_ID, SEPAY_SECRET_KEY, World, reply};
pub(crate) use order::Order;

/// The orders by invoice number.
#[derive(Default)]
pub(crate) struct Orders {
    shelf: Mutex<Shelf<Order>>,
    memory: Memory,
}

impl Orders {
    pub(crate) fn remembering(orders: Vec<Order>, memory: Memory) -> Orders {
        let mut shelf = Shelf::default();
        for order in orders {
            shelf.put(order.invoice.clone(), order);
        }
        Orders { shelf: Mutex::new(shelf), memory }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<Order>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the order of an invoice.
    pub(crate) fn with<T>(
        &self,
        invoice: &str,
        work: impl FnOnce(&mut Order) -> Result<T, CardRefusal>,
    ) -> Result<T, CardRefusal> {
        let mut shelf = self.lock();
        let order = shelf.get_mut(invoice).ok_or(CardRefusal::UnknownOrder)?;
        let before = self.memory.is_kept().then(|| order.clone());
        let done = work(order)?;
        if before.is_some_and(|before| before != *order) {
            self.memory.note(|| Kept::CardOrder(order.clone()));
        }
        Ok(done)
    }

    /// The invoice behind SePay's order number.
    fn invoice_of(&self, order_id: &str) -> Option<String> {
        let shelf = self.lock();
        shelf
            .ids()
            .find(|invoice| shelf.get(invoice).is_some_and(|order| order.order_id == order_id))
            .cloned()
    }
}

/// What a fault can strike: the form and the reading calls themselves, or the notification that follows.
pub(crate) fn moment(call: &Call) -> Moment {
    match call.segments().as_slice() {
        ["v1", "order", "voidTransaction"] => Moment::Work,
        ["v1", ..] => Moment::Read,
        ["checkout", _, "pay"] | ["orders", _, "pay" | "void" | "ipn"] => Moment::Delivery,
        _ => Moment::Control,
    }
}

pub(crate) async fn answer(world: &World, call: &Call, mood: &Mood) -> Response {
    match (&call.method, call.segments().as_slice()) {
        (&Method::POST, ["v1", "checkout", "init"]) => checkout::open(world, call),
        (&Method::GET, ["checkout", order_id]) => checkout::show(world, order_id),
        (&Method::POST, ["checkout", order_id, button]) => {
            checkout::press(world, order_id, button, mood).await
        }
        (&Method::GET, ["orders"]) => checkout::latest(world),
        (&Method::POST, ["orders", invoice, "pay"]) => ipn::pay(world, invoice, mood).await,
        (&Method::POST, ["orders", invoice, "void"]) => ipn::void(world, invoice, mood).await,
        (&Method::POST, ["orders", invoice, "ipn"]) => ipn::again(world, invoice, call, mood).await,
        (&Method::GET, ["orders", invoice, "webhook-request"]) => ipn::show(world, invoice, call),
        (_, ["v1", "order", ..]) if !is_merchant(call) => refusal(401),
        (&Method::GET, ["v1", "order"]) => list::of(world, call, mood),
        (&Method::GET, ["v1", "order", "detail", id]) => api::detail(world, id, mood),
        (&Method::POST, ["v1", "order", "voidTransaction"]) => api::void(world, call, mood).await,
        (&Method::POST, ["v1", "order", "cancel"]) => api::cancel(world, call),
        _ => refusal(404),
    }
}

/// SePay's errors carry a `message`.
pub(crate) fn refusal(status: u16) -> Response {
    let message = match status {
        400 => "Bad request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not found",
        422 => "The given data was invalid",
        429 => "Too many requests",
        _ => "Internal server error",
    };
    error(status, message)
}

fn error(status: u16, message: &str) -> Response {
    reply::json(status, &json!({ "message": message }))
}

/// HTTP Basic: the merchant id and the secret key.
fn is_merchant(call: &Call) -> bool {
    let credential = STANDARD.encode(format!("{SEPAY_MERCHANT_ID}:{SEPAY_SECRET_KEY}"));
    call.credential("Basic") == Some(&credential)
}
