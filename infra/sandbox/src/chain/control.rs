//! The sandbox's own calls: make transfers, look at them.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::FAKE_CONTRACT;
use super::transfer::Transfer;
use super::wish::{UsdtWish, micros_of};
use crate::call::Call;
use crate::{World, reply};

/// More at once is more than anybody waits for.
const TIMES_MAX: u64 = 100_000;
const SHOWN: usize = 20;

/// What a person or a benchmark orders.
struct Order {
    wish: UsdtWish,
    times: u32,
    dust: u32,
}

/// `POST transfers`: answers the list of transaction ids, the payments before the dust.
pub(super) fn send(world: &World, call: &Call) -> Response {
    let order = match Order::read(&call.body) {
        Ok(order) => order,
        Err(error) => return reply::json(422, &json!({ "error": error })),
    };
    let mut ids = world.chain.send(&order.wish, order.times, world.now());
    ids.extend(world.chain.dust(&order.wish, order.dust, world.now()));
    reply::json(201, &ids)
}

/// `GET transfers?limit=20`: newest first, whatever the indexers know of them.
pub(super) fn latest(world: &World, call: &Call) -> Response {
    let now_ms = world.now().saturating_mul(1_000);
    let limit = call.query().get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(SHOWN);
    let rows: Vec<Value> = world.chain.look(0, u64::MAX, |rows| {
        rows.iter().rev().take(limit).map(|transfer| shown(transfer, now_ms)).collect()
    });
    reply::json(200, &rows)
}

/// `GET page`
pub(super) fn page() -> Response {
    reply::html(200, include_str!("page.html"))
}

impl Order {
    fn read(body: &[u8]) -> Result<Order, String> {
        let mut order: Map<String, Value> =
            serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let dust = count(&mut order, "dust")?;
        let times = count(&mut order, "times")?;
        let amount = match order.remove("amount") {
            None => None,
            Some(amount) => Some(amount.as_str().and_then(micros_of).ok_or_else(|| {
                "`amount` is a text like \"5.123\", with six digits after the dot at most".to_owned()
            })?),
        };
        let has_amount = amount.is_some() || order.contains_key("amount_micros");
        let mut wish: UsdtWish =
            serde_json::from_value(Value::Object(order)).map_err(|error| error.to_string())?;
        wish.amount_micros = amount.unwrap_or(wish.amount_micros);
        if let Some(refusal) = wish.refusal() {
            return Err(refusal);
        }
        if !has_amount && dust.is_none() {
            return Err("one of `amount`, `amount_micros` and `dust` is needed".to_owned());
        }
        let times = if has_amount { times.unwrap_or(1) } else { 0 };
        Ok(Order { wish, times, dust: dust.unwrap_or(0) })
    }
}

fn count(order: &mut Map<String, Value>, name: &str) -> Result<Option<u32>, String> {
    let Some(value) = order.remove(name) else { return Ok(None) };
    let count = value.as_u64().filter(|count| *count <= TIMES_MAX);
    match count.and_then(|count| u32::try_from(count).ok()) {
        Some(count) => Ok(Some(count)),
        None => Err(format!("`{name}` is a whole number up to {TIMES_MAX}")),
    }
}

fn shown(transfer: &Transfer, now_ms: u64) -> Value {
    json!({
        "tx": &*transfer.tx,
        "at_ms": transfer.block_ms,
        "from": &*transfer.from,
        "to": &*transfer.to,
        "amount_micros": transfer.micros.to_string(),
        "is_fake": &*transfer.contract == FAKE_CONTRACT,
        "state": transfer.state(now_ms).name(),
    })
}
