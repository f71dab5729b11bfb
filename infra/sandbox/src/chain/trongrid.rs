//! TronGrid's list of an account's token transfers (developers.tron.network, "Get TRC20 transaction
//! information by account address").

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

mod filter;

use super::address::is_address;
use super::fingerprint::Fingerprint;
use super::transfer::{DECIMALS, SYMBOL, TOKEN_NAME, Transfer, twice};
use super::tronscan::has_valid_key;
use crate::call::Call;
use crate::door::Mood;
use crate::{Fault, World, reply};
use filter::Filter;

pub(crate) fn answer(world: &World, call: &Call, mood: &Mood) -> Response {
    match (&call.method, call.segments().as_slice()) {
        (&Method::GET, ["v1", "accounts", account, "transactions", "trc20"]) => {
            if !has_valid_key(call) {
                return refusal(401);
            }
            if !is_address(account) {
                return error(400, "A valid account address must be provided.");
            }
            transfers(world, account, call, mood)
        }
        _ => refusal(404),
    }
}

/// TronGrid's answer with a status; whoever is too fast meets 429, 403 or 503.
pub(crate) fn refusal(status: u16) -> Response {
    match status {
        401 => reply::json(401, &json!({ "Error": "ApiKey not exists" })),
        403 | 429 => reply::json(
            status,
            &json!({ "Error": "request rate exceeds the allowed_rps(15), and the query server is suspended for 30 s" }),
        ),
        404 => error(404, "Not Found"),
        500.. => reply::proxy_page(status),
        _ => error(status, "request refused"),
    }
}

fn transfers(world: &World, account: &str, call: &Call, mood: &Mood) -> Response {
    let now_ms = world.now().saturating_mul(1_000);
    let query = call.query();
    let filter = Filter::read(account, &query);
    let cursor = match query.get("fingerprint") {
        None => None,
        Some(text) => match Fingerprint::read(text).filter(|cursor| cursor.is_of(&filter.name())) {
            Some(cursor) => Some(cursor),
            None => return error(400, "Invalid fingerprint: it belongs to another query."),
        },
    };
    let (rows, has_more) = match mood.fault {
        Some(Fault::Empty) => (Vec::new(), false),
        _ => page(world, &filter, cursor.as_ref(), now_ms),
    };

    let rows = twice(rows, mood);
    let mut meta = json!({ "at": now_ms, "page_size": rows.len() });
    if let Some(last) = rows.last().filter(|_| has_more && mood.fault != Some(Fault::Unmarked)) {
        meta["fingerprint"] = Value::from(Fingerprint::after(last, &filter.name()).text());
    }
    let rows: Vec<Value> = rows.iter().map(row).collect();
    reply::json(200, &json!({ "data": rows, "success": true, "meta": meta }))
}

/// The rows behind the cursor, and whether there are more behind them.
fn page(world: &World, filter: &Filter, cursor: Option<&Fingerprint>, now_ms: u64) -> (Vec<Transfer>, bool) {
    let (first_ms, last_ms) = filter.window();
    let wanted = filter.limit + 1;
    let mut rows: Vec<Transfer> = world.chain.look(first_ms, last_ms, |rows| {
        let fits = |row: &&Transfer| filter.fits(row, now_ms);
        if filter.oldest_first {
            let seen = cursor.map_or(0, |cursor| rows.partition_point(|row| row.place() <= cursor.place()));
            rows.iter().skip(seen).filter(fits).take(wanted).cloned().collect()
        } else {
            let left =
                cursor.map_or(rows.len(), |cursor| rows.partition_point(|row| row.place() < cursor.place()));
            rows.iter().take(left).rev().filter(fits).take(wanted).cloned().collect()
        }
    });
    let has_more = rows.len() > filter.limit;
    rows.truncate(filter.limit);
    (rows, has_more)
}

fn row(transfer: &Transfer) -> Value {
    json!({
        "transaction_id": &*transfer.tx,
        "token_info": {
            "symbol": SYMBOL,
            "address": &*transfer.contract,
            "decimals": DECIMALS,
            "name": TOKEN_NAME,
        },
        "block_timestamp": transfer.block_ms,
        "from": &*transfer.from,
        "to": &*transfer.to,
        "type": transfer.event(),
        "value": transfer.micros.to_string(),
    })
}

fn error(status: u16, message: &str) -> Response {
    reply::json(status, &json!({ "success": false, "error": message, "statusCode": status }))
}
