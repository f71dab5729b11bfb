//! TronScan's list of token transfers (docs.tronscan.org, "TRC20 token transfers").

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

mod filter;

use super::control;
use super::transfer::{DECIMALS, SYMBOL, TOKEN_NAME, Transfer, twice};
use crate::call::Call;
use crate::door::Mood;
use crate::faults::Moment;
use crate::{Fault, TRON_API_KEY, USDT_CONTRACT, World, reply};
use filter::Filter;

/// Rows that can be counted or reached by paging.
const REACH: usize = 10_000;

/// What makes transfers and shows them to people is the sandbox's own, the rest is TronScan.
pub(crate) fn moment(call: &Call) -> Moment {
    match call.segments().as_slice() {
        ["transfers"] | ["page"] => Moment::Control,
        _ => Moment::Read,
    }
}

pub(crate) fn answer(world: &World, call: &Call, mood: &Mood) -> Response {
    match (&call.method, call.segments().as_slice()) {
        (&Method::GET, ["api", "token_trc20", "transfers"]) if !has_valid_key(call) => refusal(401),
        (&Method::GET, ["api", "token_trc20", "transfers"]) => transfers(world, call, mood),
        (&Method::POST, ["transfers"]) => control::send(world, call),
        (&Method::GET, ["transfers"]) => control::latest(world, call),
        (&Method::GET, ["page"]) => control::page(),
        _ => refusal(404),
    }
}

/// Bodies of errors are not uniform at TronScan ("Common Errors"): only the status means something.
pub(crate) fn refusal(status: u16) -> Response {
    match status {
        401 => reply::json(401, &json!({ "Error": "ApiKey not exists" })),
        429 => reply::json(429, &json!({ "Error": "The request rate exceeds the limit" })),
        404 => reply::json(404, &json!({ "status": 404, "error": "Not Found" })),
        500.. => reply::proxy_page(status),
        _ => reply::json(status, &json!({ "message": "request refused", "code": status })),
    }
}

/// The key is optional, but one that is sent must exist.
pub(super) fn has_valid_key(call: &Call) -> bool {
    call.header("tron-pro-api-key").is_none_or(|key| key == TRON_API_KEY)
}

fn transfers(world: &World, call: &Call, mood: &Mood) -> Response {
    let now_ms = world.now().saturating_mul(1_000);
    let filter = Filter::read(&call.query());
    let (first_ms, last_ms) = filter.window();
    let (total, page) = world.chain.look(first_ms, last_ms, |rows| {
        let fits = |row: &&Transfer| mood.fault != Some(Fault::Empty) && filter.fits(row, now_ms);
        let total = rows.iter().filter(fits).count();
        let page: Vec<Transfer> = if filter.oldest_first {
            rows.iter().filter(fits).skip(filter.start).take(filter.limit).cloned().collect()
        } else {
            rows.iter().rev().filter(fits).skip(filter.start).take(filter.limit).cloned().collect()
        };
        (total, twice(page, mood))
    });
    let total = if mood.fault == Some(Fault::Unmarked) { page.len() } else { total };
    let rows: Vec<Value> = page.iter().map(|transfer| row(transfer, now_ms)).collect();
    let risks: serde_json::Map<String, Value> = page
        .iter()
        .flat_map(|transfer| [&transfer.from, &transfer.to])
        .map(|address| (address.to_string(), json!({ "risk": false })))
        .collect();
    let body = json!({
        "total": total.min(REACH),
        "rangeTotal": total,
        "contractInfo": { USDT_CONTRACT: { "tag1": "USDT Token", "name": "TetherToken", "vip": true } },
        "normalAddressInfo": risks,
        "token_transfers": rows,
    });
    reply::json(200, &body)
}

fn row(transfer: &Transfer, now_ms: u64) -> Value {
    let raw_amount = transfer.micros.to_string();
    json!({
        "transaction_id": &*transfer.tx,
        "status": 0,
        "block_ts": transfer.block_ms,
        "block": transfer.block(),
        "from_address": &*transfer.from,
        "to_address": &*transfer.to,
        "contract_address": &*transfer.contract,
        "contract_type": "trc20",
        "quant": if transfer.is_approval { "0" } else { &raw_amount },
        "approval_amount": if transfer.is_approval { &raw_amount } else { "0" },
        "amount_str": raw_amount,
        "event_type": transfer.event(),
        "confirmed": transfer.is_final(now_ms),
        "contractRet": &*transfer.contract_ret,
        "finalResult": &*transfer.contract_ret,
        "revert": transfer.is_reverted,
        "tokenInfo": {
            "tokenId": &*transfer.contract,
            "tokenAbbr": SYMBOL,
            "tokenName": TOKEN_NAME,
            "tokenDecimal": DECIMALS,
            "tokenCanShow": 1,
            "tokenType": "trc20",
            "tokenLogo": "",
            "tokenLevel": "2",
            "issuerAddr": &*transfer.contract,
            "vip": &*transfer.contract == USDT_CONTRACT,
        },
        "fromAddressIsContract": false,
        "toAddressIsContract": false,
        "riskTransaction": false,
    })
}
