//! One chain behind both indexers, with the limits and silences of the real ones.

use super::{SENDER, WALLET};
use crate::ApiError;
use crate::tron::{Batch, Source, Trongrid, Tronscan, USDT_CONTRACT, Walk};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use primitives::{Secret, Timestamp};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone)]
pub(super) struct Coin {
    pub(super) tx: u64,
    pub(super) at: u64,
    pub(super) micros: u64,
    pub(super) from: &'static str,
    pub(super) confirmed: bool,
}

/// How an indexer misbehaves.
#[derive(Debug, Clone, Default)]
pub(super) struct Quirks {
    pub(super) newest_first: bool,
    pub(super) ignores_window: bool,
    pub(super) ignores_wallet: bool,
    /// Both ends of the window are left out.
    pub(super) exclusive: bool,
    pub(super) ignores_confirm: bool,
    /// Cuts pages to this instead of the documented limit.
    pub(super) cut: Option<usize>,
    pub(super) tells_no_total: bool,
    /// Every total is this.
    pub(super) total: Option<usize>,
    /// TronGrid tells no fingerprint on any page.
    pub(super) unmarked: bool,
    /// Every row stands in the list twice.
    pub(super) told_twice: bool,
    /// Tells a fingerprint on the last page too.
    pub(super) always_fingerprint: bool,
    /// The request that is answered with this status, counted from 0.
    pub(super) refuses: Option<(usize, u16)>,
    /// Before every request of a further page a coin turns up, at the head of a list that shows the newest first.
    pub(super) restless: bool,
    /// The same once, before the first such request.
    pub(super) late: Option<Coin>,
    pub(super) loses: Option<&'static str>,
}

#[derive(Default)]
pub(super) struct Chain {
    pub(super) coins: Vec<Coin>,
    pub(super) quirks: Quirks,
    pub(super) requests: usize,
    pub(super) keys: Vec<String>,
}

type Shared = Arc<Mutex<Chain>>;
type Params = Query<HashMap<String, String>>;

pub(super) struct Indexer {
    pub(super) chain: Shared,
    pub(super) http: reqwest::Client,
    pub(super) tronscan: Source,
    pub(super) trongrid: Source,
}

pub(super) fn coin(tx: u64, at: u64, micros: u64) -> Coin {
    Coin { tx, at, micros, from: SENDER, confirmed: true }
}

impl Indexer {
    pub(super) async fn start(coins: Vec<Coin>, quirks: Quirks) -> Indexer {
        let chain = Arc::new(Mutex::new(Chain { coins, quirks, ..Chain::default() }));
        let router = Router::new()
            .route("/api/token_trc20/transfers", get(tronscan))
            .route("/v1/accounts/{address}/transactions/trc20", get(trongrid))
            .with_state(Arc::clone(&chain));
        let base_url = serve(router).await;
        let api_key = Some(Secret::new("key-1"));
        Indexer {
            chain,
            http: http(),
            tronscan: Source::Tronscan(Tronscan { base_url: base_url.clone(), api_key: api_key.clone() }),
            trongrid: Source::Trongrid(Trongrid { base_url: format!("{base_url}/"), api_key }),
        }
    }

    pub(super) async fn walk(&self, source: &Source, from: u64, to: u64) -> Result<Vec<Batch>, ApiError> {
        let mut walk = Walk::new(super::watch(), Timestamp::from_millis(from), Timestamp::from_millis(to));
        let mut batches = Vec::new();
        while let Some(batch) = walk.next(source, &self.http).await? {
            batches.push(batch);
        }
        Ok(batches)
    }

    pub(super) fn requests(&self) -> usize {
        self.chain.lock().unwrap().requests
    }
}

pub(super) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    base_url
}

#[expect(clippy::disallowed_methods, reason = "the test is the process that owns the one client")]
pub(super) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

impl Chain {
    /// What happens on the chain before a further page is asked for.
    fn goes_on(&mut self) {
        if self.quirks.restless {
            let tx = 1_000_000 + u64::try_from(self.requests).unwrap();
            self.coins.push(coin(tx, self.coins[0].at, 1));
        }
        self.coins.extend(self.quirks.late.take());
    }

    /// The rows of a question, before they are cut into pages.
    fn found(&self, params: &HashMap<String, String>, names: [&str; 2]) -> Vec<&Coin> {
        let [first, last] = names.map(|name| params[name].parse::<u64>().unwrap());
        let within = |at: u64| match (self.quirks.ignores_window, self.quirks.exclusive) {
            (true, _) => true,
            (false, true) => first < at && at < last,
            (false, false) => (first..=last).contains(&at),
        };
        let shown = |coin: &&Coin| within(coin.at) && (coin.confirmed || self.quirks.ignores_confirm);
        let mut found: Vec<&Coin> = self.coins.iter().filter(shown).collect();
        found.sort_by_key(|coin| coin.at);
        if self.quirks.newest_first {
            found.reverse();
        }
        let times = if self.quirks.told_twice { 2 } else { 1 };
        found.into_iter().flat_map(|coin| std::iter::repeat_n(coin, times)).collect()
    }

    /// The status of a request that is to be refused.
    fn refusal(&mut self) -> Option<Response> {
        let nth = self.requests;
        self.requests += 1;
        let (_, status) = self.quirks.refuses.filter(|(at, _)| *at == nth)?;
        Some(
            (StatusCode::from_u16(status).unwrap(), [("retry-after", "30")], "<h1>slow</h1>").into_response(),
        )
    }

    fn shown(&self, mut row: Value) -> Value {
        if let Some(name) = self.quirks.loses {
            row.as_object_mut().unwrap().remove(name);
        }
        row
    }
}

async fn tronscan(State(chain): State<Shared>, headers: axum::http::HeaderMap, params: Params) -> Response {
    let mut chain = chain.lock().unwrap();
    chain.keys.push(headers["tron-pro-api-key"].to_str().unwrap().to_owned());
    if let Some(refusal) = chain.refusal() {
        return refusal;
    }
    let names = ["contract_address", "toAddress", "confirm"].map(|name| params[name].as_str());
    assert_eq!(names, [USDT_CONTRACT, WALLET, "0"]);
    let (mut start, limit): (usize, usize) =
        (params["start"].parse().unwrap(), params["limit"].parse().unwrap());
    if start > 0 {
        chain.goes_on();
    }
    let found = chain.found(&params, ["start_timestamp", "end_timestamp"]);
    let limit = limit.min(chain.quirks.cut.unwrap_or(50));
    if start + limit > 10_000 {
        start = 0;
    }
    let to = if chain.quirks.ignores_wallet { super::STRANGER } else { WALLET };
    let rows: Vec<Value> =
        found.iter().skip(start).take(limit).map(|coin| chain.shown(tronscan_row(coin, to))).collect();
    let total = chain.quirks.total.unwrap_or(found.len());
    let mut answer = json!({"total": total.min(10_000), "rangeTotal": total, "token_transfers": rows});
    if chain.quirks.tells_no_total {
        answer = json!({"token_transfers": answer["token_transfers"]});
    }
    Json(answer).into_response()
}

async fn trongrid(State(chain): State<Shared>, headers: axum::http::HeaderMap, params: Params) -> Response {
    let mut chain = chain.lock().unwrap();
    chain.keys.push(headers["tron-pro-api-key"].to_str().unwrap().to_owned());
    if let Some(refusal) = chain.refusal() {
        return refusal;
    }
    for (name, value) in [
        ("only_confirmed", "true"),
        ("only_to", "true"),
        ("contract_address", USDT_CONTRACT),
        ("order_by", "block_timestamp,asc"),
        ("limit", "200"),
    ] {
        assert_eq!(params[name], value);
    }
    let start = params.get("fingerprint").map_or(0, |text| text.parse::<usize>().unwrap());
    let found = chain.found(&params, ["min_timestamp", "max_timestamp"]);
    let limit = chain.quirks.cut.unwrap_or(200);
    let rows: Vec<Value> =
        found.iter().skip(start).take(limit).map(|coin| chain.shown(trongrid_row(coin))).collect();
    let mut meta = json!({"at": 1, "page_size": rows.len()});
    let end = start + rows.len();
    if (end < found.len() || chain.quirks.always_fingerprint) && !chain.quirks.unmarked {
        meta["fingerprint"] = json!(end.to_string());
    }
    Json(json!({"success": true, "data": rows, "meta": meta})).into_response()
}

pub(super) fn tronscan_row(coin: &Coin, to: &str) -> Value {
    json!({
        "transaction_id": format!("{:064x}", coin.tx),
        "status": 0,
        "block_ts": coin.at,
        "from_address": coin.from,
        "to_address": to,
        "block": 68_000_000,
        "contract_address": USDT_CONTRACT,
        "quant": coin.micros.to_string(),
        "confirmed": coin.confirmed,
        "contractRet": "SUCCESS",
        "finalResult": "SUCCESS",
        "revert": false,
        "event_type": "Transfer",
        "contract_type": "trc20",
        "fromAddressIsContract": false,
        "toAddressIsContract": false,
        "tokenInfo": {
            "tokenId": USDT_CONTRACT, "tokenAbbr": "USDT", "tokenName": "Tether USD", "tokenDecimal": 6,
            "tokenCanShow": 1, "tokenType": "trc20", "vip": true
        }
    })
}

pub(super) fn trongrid_row(coin: &Coin) -> Value {
    json!({
        "transaction_id": format!("{:064X}", coin.tx),
        "token_info": {"symbol": "USDT", "address": USDT_CONTRACT, "decimals": 6, "name": "Tether USD"},
        "block_timestamp": coin.at,
        "from": coin.from,
        "to": WALLET,
        "type": "Transfer",
        "value": coin.micros.to_string()
    })
}
