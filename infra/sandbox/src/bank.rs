//! A bank account, people who transfer to it, and SePay watching it: webhooks and the list of transactions.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use http::Method;
use serde_json::json;

mod control;
mod list;
mod memo;
mod transfer;
mod viet_qr;
mod webhook;
mod wish;

pub use memo::Mangle;
pub(crate) use transfer::Transfer;
pub(crate) use viet_qr::scan;
pub use viet_qr::{ScannedQr, UnreadableQr};
pub use webhook::Proof;
pub(crate) use webhook::delivery;
pub use wish::TransferWish;

#[cfg(test)]
pub(crate) use viet_qr::crc;
#[cfg(test)]
pub(crate) use webhook::signature;

use crate::call::Call;
use crate::door::Mood;
use crate::faults::Moment;
use crate::memory::{Kept, Memory};
use crate::{SEPAY_BANK_API_TOKEN, World, reply};

const KEPT: usize = 20_000;
/// Transfers a second before numbers run ahead of the clock.
const NUMBERS_PER_SECOND: u64 = 1_000;

/// The transfers in and out, oldest first; the latest 20 000 are kept.
#[derive(Default)]
pub(crate) struct Transfers {
    book: Mutex<Book>,
    memory: Memory,
}

#[derive(Default)]
struct Book {
    rows: VecDeque<Transfer>,
    balances: HashMap<String, u64>,
    last_id: u64,
}

impl Transfers {
    pub(crate) fn remembering(rows: Vec<Transfer>, memory: Memory) -> Transfers {
        let balances = rows.iter().map(|row| (row.account.clone(), row.accumulated)).collect();
        let last_id = rows.iter().map(|row| row.id).max().unwrap_or_default();
        let skipped = rows.len().saturating_sub(KEPT);
        let rows = rows.into_iter().skip(skipped).collect();
        Transfers { book: Mutex::new(Book { rows, balances, last_id }), memory }
    }

    /// Books what somebody wished for and answers its number.
    ///
    /// Numbers follow the clock, so that a restarted sandbox does not repeat those a product has stored.
    pub(crate) fn add(&self, wish: TransferWish, now: u64) -> u64 {
        let mut book = self.lock();
        let id = now.saturating_mul(NUMBERS_PER_SECOND).max(book.last_id.saturating_add(1));
        let balance = book.balances.entry(wish.account.clone()).or_default();
        let moved =
            if wish.outgoing { balance.checked_sub(wish.amount) } else { balance.checked_add(wish.amount) };
        *balance = moved.unwrap_or(*balance);
        let accumulated = *balance;
        book.last_id = id;
        let transfer = Transfer::new(id, wish, accumulated, now);
        self.memory.note(|| Kept::Transfer(transfer.clone()));
        book.rows.push_back(transfer);
        if book.rows.len() > KEPT {
            book.rows.pop_front();
        }
        id
    }

    pub(crate) fn get(&self, id: u64) -> Option<Transfer> {
        self.lock().rows.iter().find(|transfer| transfer.id == id).cloned()
    }

    fn note(&self, id: u64, outcomes: &[crate::delivery::Outcome]) {
        if let Some(transfer) = self.lock().rows.iter_mut().find(|transfer| transfer.id == id) {
            transfer.deliveries.extend(outcomes.iter().cloned());
            self.memory.note(|| Kept::Transfer(transfer.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Transfers are controls whose webhook can be struck; the list can fail like any vendor's call.
pub(crate) fn moment(call: &Call) -> Moment {
    match (&call.method, call.segments().as_slice()) {
        (_, ["userapi", ..]) => Moment::Read,
        (&Method::POST, ["transfers"] | ["transfers", _, "replay"]) => Moment::Delivery,
        _ => Moment::Control,
    }
}

pub(crate) async fn answer(world: &World, call: &Call, mood: &Mood) -> Response {
    match (&call.method, call.segments().as_slice()) {
        (&Method::POST, ["transfers"]) => control::make(world, call, mood).await,
        (&Method::GET, ["transfers"]) => control::latest(world),
        (&Method::POST, ["transfers", id, "replay"]) => control::replay(world, id, call, mood).await,
        (&Method::GET, ["transfers", id, "webhook-request"]) => control::show(world, id, call),
        (&Method::POST, ["viet-qr"]) => control::scan(call),
        (_, ["userapi", ..]) if call.credential("Bearer") != Some(SEPAY_BANK_API_TOKEN) => refusal(401),
        (&Method::GET, ["userapi", "transactions", "list"]) => list::rows(world, call, mood),
        (&Method::GET, ["userapi", "transactions", "count"]) => list::count(world, call, mood),
        (&Method::GET, ["userapi", "transactions", "details", id]) => list::details(world, id),
        _ => refusal(404),
    }
}

/// An error of SePay's list.
pub(crate) fn refusal(status: u16) -> Response {
    let message = match status {
        401 => "Unauthorized",
        404 => "Not found",
        429 => "Too many requests",
        400 | 422 => "Bad request",
        _ => "Internal server error",
    };
    reply::json(status, &json!({ "status": status, "error": message, "messages": { "success": false } }))
}
