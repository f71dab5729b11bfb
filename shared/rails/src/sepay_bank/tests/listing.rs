use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use primitives::{Secret, Timestamp};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

use crate::sepay_bank::{Api, Direction, Listed};
use crate::{ApiError, Unreadable};

/// 2025-12-31 in UTC, and 2026-01-01 in Vietnam.
const NEW_YEAR: u64 = 1_767_225_600 - 3_600;

/// A SePay of these rows. Some of its calls may be answered otherwise, by the call's number.
#[derive(Default)]
struct Sepay {
    rows: Vec<Value>,
    newest_first: bool,
    instead: HashMap<usize, (u16, &'static str, String)>,
    calls: Mutex<Vec<HashMap<String, String>>>,
    tokens: Mutex<Vec<String>>,
}

fn row(id: u64) -> Value {
    json!({
        "id": id.to_string(), "bank_brand_name": "ACB", "account_number": "0123499999",
        "transaction_date": "2026-01-01 07:00:00", "amount_in": "250000.00", "amount_out": "0.00",
        "accumulated": "0.00", "transaction_content": "CITAB2CDE", "reference_number": "FT1", "code": null,
        "sub_account": null, "bank_account_id": "1",
    })
}

fn row_with(id: u64, field: &str, value: Value) -> Value {
    let mut row = row(id);
    row[field] = value;
    row
}

async fn list(State(sepay): State<Arc<Sepay>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(query.unwrap().as_bytes()).into_owned().collect();
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok());
    let (since, limit) = (number("since_id").unwrap_or(0), number("limit").unwrap());
    sepay.tokens.lock().unwrap().push(headers["authorization"].to_str().unwrap().to_owned());
    let call = {
        let mut calls = sepay.calls.lock().unwrap();
        calls.push(query.clone());
        calls.len() - 1
    };
    if let Some((status, header, body)) = sepay.instead.get(&call) {
        let status = StatusCode::from_u16(*status).unwrap();
        return (status, [(*header, "7")], body.clone()).into_response();
    }
    let id = |row: &Value| row["id"].as_str().and_then(|id| id.parse::<u64>().ok()).unwrap_or(u64::MAX);
    let day = |row: &Value| {
        row["transaction_date"].as_str().and_then(|at| at.get(..10)).unwrap_or_default().to_owned()
    };
    let until = query.get("transaction_date_max").cloned().unwrap_or("9999-12-31".to_owned());
    let fits = |row: &&Value| id(row) >= since && day(row) <= until;
    let mut rows: Vec<_> = sepay.rows.iter().filter(fits).cloned().collect();
    if sepay.newest_first {
        rows.reverse();
    }
    rows.truncate(usize::try_from(limit).unwrap());
    json!({ "status": 200, "error": null, "messages": { "success": true }, "transactions": rows })
        .to_string()
        .into_response()
}

#[expect(clippy::disallowed_methods, reason = "a test has no platform to take the client from")]
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Sepay {
    async fn with(rows: Vec<Value>) -> (Arc<Sepay>, Api) {
        Sepay { rows, ..Sepay::default() }.start().await
    }

    async fn saying(status: u16, header: &'static str, body: &str) -> (Arc<Sepay>, Api) {
        let instead = HashMap::from([(0, (status, header, body.to_owned()))]);
        Sepay { instead, ..Sepay::default() }.start().await
    }

    async fn start(self) -> (Arc<Sepay>, Api) {
        let sepay = Arc::new(self);
        let router =
            Router::new().route("/userapi/transactions/list", get(list)).with_state(Arc::clone(&sepay));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let (token, account_number) = (Secret::new("a-token"), "0123499999".to_owned());
        (sepay, Api { base_url, token, account_number, offset_minutes: 420 })
    }
}

async fn ask(api: &Api, since_id: Option<u64>) -> Result<Listed, ApiError> {
    api.transactions(&http(), since_id, Timestamp::from_seconds(NEW_YEAR)).await
}

fn ids(listed: &Listed) -> Vec<u64> {
    listed.transfers.iter().map(|transfer| transfer.id).collect()
}

#[tokio::test]
async fn the_account_is_asked_for_its_transfers_of_the_banks_day() {
    let (sepay, api) = Sepay::with(vec![row(7), row(8), row(9)]).await;

    let listed = ask(&api, Some(8)).await.unwrap();

    assert_eq!((ids(&listed), listed.unreadable, listed.is_complete), (vec![8, 9], 0, true));
    assert_eq!(*sepay.tokens.lock().unwrap(), ["Bearer a-token"]);
    let query = sepay.calls.lock().unwrap()[0].clone();
    let expected = [
        ("account_number", "0123499999"),
        ("transaction_date_min", "2026-01-01"),
        ("limit", "5000"),
        ("since_id", "8"),
    ];
    assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert!(!format!("{api:?}").contains("a-token"));
}

#[tokio::test]
async fn a_row_says_the_same_as_the_webhook() {
    let out = row_with(2, "amount_in", json!("0.00"));
    let out = {
        let mut out = out;
        out["amount_out"] = json!("90000");
        out
    };
    let (_, api) = Sepay::with(vec![row(1), out]).await;

    let listed = ask(&api, None).await.unwrap();

    let webhook = json!({
        "id": 1, "gateway": "ACB", "transactionDate": "2026-01-01 07:00:00", "accountNumber": "0123499999",
        "content": "CITAB2CDE", "transferType": "in", "transferAmount": 250_000, "referenceCode": "FT1",
    });
    let webhook = super::super::Transfer::parse(webhook.to_string().as_bytes(), 420).unwrap();
    assert_eq!(listed.transfers[0], webhook);
    assert_eq!(listed.transfers[1].direction, Direction::Out);
    assert_eq!(listed.transfers[1].amount.get(), 90_000);
}

#[tokio::test]
async fn an_unreadable_row_does_not_hide_the_others() {
    let (_, api) = Sepay::with(vec![
        row(1),
        row_with(2, "amount_in", json!("250000.50")),
        row_with(3, "amount_in", json!("0.00")),
        row_with(4, "amount_out", json!("250000.00")),
        row_with(5, "transaction_date", json!("yesterday")),
        row_with(6, "amount_in", json!(null)),
        row_with(7, "amount_in", json!("9007199254740993")),
        json!("a text"),
        json!(null),
        json!([1]),
        row_with(8, "amount_out", json!(null)),
        row_with(9, "amount_in", json!(250_000)),
    ])
    .await;

    let listed = ask(&api, None).await.unwrap();

    assert_eq!((ids(&listed), listed.unreadable, listed.is_complete), (vec![1, 5, 8, 9], 8, true));
}

#[tokio::test]
async fn a_long_list_is_followed_to_its_short_page() {
    let (sepay, api) = Sepay::with((1..=10_001).map(row).collect()).await;

    let listed = ask(&api, None).await.unwrap();

    assert!(listed.is_complete);
    assert_eq!(ids(&listed), (1..=10_001).collect::<Vec<_>>(), "each once");
    let calls = sepay.calls.lock().unwrap();
    let since: Vec<_> = calls.iter().map(|query| query.get("since_id").map(String::as_str)).collect();
    assert_eq!(since, [None, Some("5000"), Some("9999")]);
}

#[tokio::test]
async fn a_list_whose_older_part_is_out_of_sight_is_not_called_complete() {
    let rows = (1..=5_001).map(row).collect();
    let (sepay, api) = Sepay { rows, newest_first: true, ..Sepay::default() }.start().await;
    let listed = ask(&api, None).await.unwrap();
    assert_eq!((listed.transfers.len(), listed.is_complete), (5_000, false));
    assert_eq!(
        sepay.calls.lock().unwrap().len(),
        2,
        "all of it is one day's, so asking by days shows nothing new"
    );

    let rows = (1..=20).map(row).collect();
    let (_, api) = Sepay { rows, newest_first: true, ..Sepay::default() }.start().await;
    assert!(ask(&api, None).await.unwrap().is_complete, "a short page hides nothing in any order");

    let (_, api) = Sepay::with(vec![json!({}); 5_000]).await;
    let listed = ask(&api, None).await.unwrap();
    assert_eq!((listed.unreadable, listed.is_complete), (5_000, false));
}

#[tokio::test]
async fn a_full_page_that_begins_with_the_newest_is_followed_by_days() {
    let day = |id: u64| json!(format!("2026-01-{:02} 07:00:00", 1 + id / 1_000));
    let rows: Vec<Value> = (1..=12_500).map(|id| row_with(id, "transaction_date", day(id))).collect();
    let (sepay, api) = Sepay { rows, newest_first: true, ..Sepay::default() }.start().await;

    let listed = ask(&api, None).await.unwrap();

    assert!(listed.is_complete);
    let found: HashSet<u64> = ids(&listed).into_iter().collect();
    assert_eq!((found.len(), listed.transfers.len()), (12_500, 12_500), "each once");
    let calls = sepay.calls.lock().unwrap();
    let until: Vec<_> =
        calls.iter().map(|query| query.get("transaction_date_max").map(String::as_str)).collect();
    assert_eq!(until, [None, Some("2026-01-09"), Some("2026-01-06"), Some("2026-01-03")]);
}

#[tokio::test]
async fn of_five_thousand_rows_the_last_is_not_taken_for_the_end() {
    for count in [5_000, 5_001] {
        let (sepay, api) = Sepay::with((1..=count).map(row).collect()).await;
        let listed = ask(&api, None).await.unwrap();
        assert_eq!((u64::try_from(ids(&listed).len()).unwrap(), listed.is_complete), (count, true));
        assert_eq!(sepay.calls.lock().unwrap().len(), 2);
    }
    // In no order, a full page can't be followed.
    let mut rows: Vec<Value> = (1..=5_000).map(row).collect();
    rows.swap(10, 4_000);
    let (_, api) = Sepay::with(rows).await;
    assert!(!ask(&api, None).await.unwrap().is_complete);
}

#[tokio::test]
async fn what_came_before_an_error_is_kept() {
    let rows = (1..=5_001).map(row).collect();
    let instead = HashMap::from([(1, (500, "x-none", String::new()))]);
    let (_, api) = Sepay { rows, instead, ..Sepay::default() }.start().await;

    let listed = ask(&api, None).await.unwrap();

    assert_eq!((listed.transfers.len(), listed.is_complete), (5_000, false));
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_an_error() {
    for header in ["x-sepay-userapi-retry-after", "retry-after"] {
        let (_, api) = Sepay::saying(429, header, "").await;
        let Err(ApiError::TooFast { retry_after }) = ask(&api, None).await else { panic!("429 is too fast") };
        assert_eq!(retry_after, Some(Duration::from_secs(7)));
    }
    let (_, api) = Sepay::saying(429, "x-none", "").await;
    assert!(matches!(ask(&api, None).await, Err(ApiError::TooFast { retry_after: None })));
    for status in [201, 302, 401, 404, 500, 503] {
        let (_, api) = Sepay::saying(status, "x-none", "{}").await;
        let error = ask(&api, None).await.unwrap_err();
        assert!(matches!(error, ApiError::Status { status: seen } if seen == status), "{status}: {error}");
    }
    for body in ["", "{}", "[]", "null", r#"{"transactions":null}"#, r#"{"transactions":{}}"#, "<html>"] {
        let (_, api) = Sepay::saying(200, "x-none", body).await;
        let error = ask(&api, None).await.unwrap_err();
        assert!(matches!(error, ApiError::Unreadable(Unreadable("transactions"))), "{body}: {error}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let (_, api) = Sepay::saying(200, "x-none", &" ".repeat(16 * 1024 * 1024 + 1)).await;
    assert!(matches!(ask(&api, None).await, Err(ApiError::Unreadable(Unreadable("body")))));
}

#[tokio::test]
async fn an_error_tells_nothing_of_the_account() {
    let (_, api) = Sepay::with(Vec::new()).await;
    let api = Api { base_url: "http://127.0.0.1:1".to_owned(), ..api };
    let error = ask(&api, None).await.unwrap_err();
    assert!(matches!(error, ApiError::Unreachable(_)));
    assert!(!format!("{error:?}").contains("0123499999"));
}
