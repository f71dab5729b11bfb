//! SePay's list of transactions, the net under lost webhooks. Every value is a text (PyPI sepay 0.1.0).

use std::collections::HashMap;

use axum::response::Response;
use serde_json::{Value, json};

use super::refusal;
use super::transfer::{BRAND, Transfer};
use crate::call::Call;
use crate::door::Mood;
use crate::{Fault, World, calendar, reply};

/// Default and maximum.
const ROWS_MAX: usize = 5_000;
const ACCOUNT_ID: &str = "19";

/// What the query asks for.
struct Wish {
    account: Option<String>,
    reference: Option<String>,
    date_min: Option<String>,
    date_max: Option<String>,
    since_id: Option<u64>,
    amount_in: Option<u64>,
    amount_out: Option<u64>,
    rows_max: usize,
}

/// `transactions/list`, newest first.
pub(super) fn rows(world: &World, call: &Call, mood: &Mood) -> Response {
    let Some(wish) = Wish::read(call.query()) else { return refusal(400) };
    let book = world.bank.lock();
    let fits = |transfer: &&Transfer| mood.fault != Some(Fault::Empty) && wish.takes(transfer);
    let rows: Vec<Value> = book.rows.iter().rev().filter(fits).take(wish.rows_max).map(row).collect();
    found_is("transactions", Value::from(rows))
}

/// `transactions/count`.
pub(super) fn count(world: &World, call: &Call, mood: &Mood) -> Response {
    let Some(wish) = Wish::read(call.query()) else { return refusal(400) };
    let book = world.bank.lock();
    let fits = |transfer: &&Transfer| mood.fault != Some(Fault::Empty) && wish.takes(transfer);
    let count = book.rows.iter().filter(fits).count();
    found_is("count_transactions", Value::from(count.to_string()))
}

/// `transactions/details/{id}`.
pub(super) fn details(world: &World, id: &str) -> Response {
    let transfer = id.parse().ok().and_then(|id| world.bank.get(id));
    transfer.map_or_else(|| refusal(404), |transfer| found_is("transaction", row(&transfer)))
}

fn found_is(name: &str, value: Value) -> Response {
    let mut answer = json!({ "status": 200, "error": null, "messages": { "success": true } });
    answer[name] = value;
    reply::json(200, &answer)
}

fn row(transfer: &Transfer) -> Value {
    let amount = |is_here: bool| if is_here { format!("{}.00", transfer.amount) } else { "0.00".to_owned() };
    json!({
        "id": transfer.id.to_string(),
        "bank_brand_name": BRAND,
        "account_number": transfer.account,
        "transaction_date": transfer.date,
        "amount_out": amount(transfer.is_outgoing),
        "amount_in": amount(!transfer.is_outgoing),
        "accumulated": format!("{}.00", transfer.accumulated),
        "transaction_content": transfer.content,
        "reference_number": transfer.reference,
        "code": transfer.code,
        // Of the texts only `code` may be absent (SePay, "Transaction API"; PyPI sepay 0.1.0 insists).
        "sub_account": "",
        "bank_account_id": ACCOUNT_ID,
    })
}

impl Wish {
    /// `None` when a number or a date is none.
    fn read(mut query: HashMap<String, String>) -> Option<Wish> {
        let mut take = |name: &str| query.remove(name);
        Some(Wish {
            account: take("account_number"),
            reference: take("reference_number"),
            date_min: read(take("transaction_date_min"), day_or_moment)?,
            date_max: read(take("transaction_date_max"), day_or_moment)?,
            since_id: read(take("since_id"), |text| text.parse().ok())?,
            amount_in: read(take("amount_in"), whole)?,
            amount_out: read(take("amount_out"), whole)?,
            rows_max: read(take("limit"), |text| text.parse().ok())?.unwrap_or(ROWS_MAX).min(ROWS_MAX),
        })
    }

    fn takes(&self, transfer: &Transfer) -> bool {
        let date = transfer.date.as_str();
        let has_amount = |wanted: Option<u64>, is_outgoing: bool| {
            wanted.is_none_or(|wanted| transfer.is_outgoing == is_outgoing && transfer.amount == wanted)
        };
        self.account.as_ref().is_none_or(|account| transfer.account == *account)
            && self.reference.as_ref().is_none_or(|reference| transfer.reference == *reference)
            && self.since_id.is_none_or(|id| transfer.id >= id)
            && self.date_min.as_deref().is_none_or(|from| date >= from)
            // A bare day includes that day.
            && self.date_max.as_deref().is_none_or(|to| date.get(..to.len()).unwrap_or(date) <= to)
            && has_amount(self.amount_in, false)
            && has_amount(self.amount_out, true)
    }
}

/// An absent value is fine, an unreadable one is not.
fn read<T>(text: Option<String>, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => read(&text).map(Some),
    }
}

fn day_or_moment(text: &str) -> Option<String> {
    let moment = if text.len() == 10 { format!("{text} 12:00:00") } else { text.to_owned() };
    calendar::unix(&moment).map(|_| text.to_owned())
}

/// Whole dong, with or without `.00`.
fn whole(text: &str) -> Option<u64> {
    text.strip_suffix(".00").unwrap_or(text).parse().ok()
}
