//! The control calls: make a transfer, send its webhook again, look at the request, read a QR code.

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::transfer::Transfer;
use super::viet_qr;
use super::webhook::{Proof, delivery};
use super::wish::TransferWish;
use crate::call::Call;
use crate::delivery::{Outcome, times};
use crate::door::Mood;
use crate::{Service, World, reply};

const LATEST: usize = 15;
const ABOUT: &str = "transfer";
const PROOFS: &str = "auth: hmac, api_key, broken or none";

/// `POST transfers`: answers the transfer as SePay tells it, and the product's statuses.
pub(super) async fn make(world: &World, call: &Call, mood: &Mood) -> Response {
    let wish = match TransferWish::read(&call.body) {
        Ok(wish) => wish,
        Err(error) => return refused(&error),
    };
    let (proof, twice, is_lost) = (wish.proof, wish.twice, wish.lose_webhook);
    let id = world.bank.add(wish, world.now());
    // A lost webhook stays lost, even when all are to be doubled.
    let count = if is_lost { 0 } else { times(mood.fault.as_ref(), 1 + u32::from(twice)) };
    sent(world, id, proof, count, mood, 201).await
}

/// `POST transfers/{id}/replay[?auth=…]`: the same id again, signed anew.
pub(super) async fn replay(world: &World, id: &str, call: &Call, mood: &Mood) -> Response {
    let Some(transfer) = found(world, id) else { return super::refusal(404) };
    let Some(proof) = asked_proof(call, &transfer) else { return refused(PROOFS) };
    sent(world, transfer.id, proof, times(mood.fault.as_ref(), 1), mood, 200).await
}

/// `GET transfers/{id}/webhook-request[?auth=…]`: the signed request, unsent; changes nothing.
pub(super) fn show(world: &World, id: &str, call: &Call) -> Response {
    let Some(transfer) = found(world, id) else { return super::refusal(404) };
    let Some(proof) = asked_proof(call, &transfer) else { return refused(PROOFS) };
    reply::json(200, &delivery(&transfer, proof, world.now()).shown())
}

/// `GET transfers`: the latest, newest first, with what was sent about them.
pub(super) fn latest(world: &World) -> Response {
    let book = world.bank.lock();
    let shown: Vec<Value> = book.rows.iter().rev().take(LATEST).map(shown).collect();
    reply::json(200, &json!({ "transfers": shown }))
}

/// `POST viet-qr`: what a banking app reads out of a code.
pub(super) fn scan(call: &Call) -> Response {
    let text = String::from_utf8_lossy(&call.body);
    match viet_qr::scan(text.trim()) {
        Ok(code) => reply::json(200, &code),
        Err(error) => refused(&error.to_string()),
    }
}

async fn sent(world: &World, id: u64, proof: Proof, count: u32, mood: &Mood, status: u16) -> Response {
    let Some(transfer) = world.bank.get(id) else { return super::refusal(404) };
    let mut outcomes: Vec<Outcome> = Vec::new();
    for _ in 0..count {
        let delivery = delivery(&transfer, proof, world.now());
        outcomes.extend(delivery.send(world, Service::Bank, ABOUT, mood.fault.as_ref()).await);
    }
    world.bank.note(id, &outcomes);
    let mut answer = shown(&transfer);
    answer["deliveries"] = json!(outcomes);
    reply::json(status, &answer)
}

fn found(world: &World, id: &str) -> Option<Transfer> {
    world.bank.get(id.parse().ok()?)
}

/// The proof in the query, or else the transfer's own; `None` for a name that is none.
fn asked_proof(call: &Call, transfer: &Transfer) -> Option<Proof> {
    match call.query().remove("auth") {
        Some(name) => Proof::deserialize(Value::from(name)).ok(),
        None => Some(transfer.proof),
    }
}

fn shown(transfer: &Transfer) -> Value {
    let mut shown: Value = serde_json::from_slice(&transfer.body()).unwrap_or_default();
    shown["deliveries"] = json!(transfer.deliveries);
    shown
}

fn refused(error: &str) -> Response {
    reply::json(422, &json!({ "error": error }))
}
