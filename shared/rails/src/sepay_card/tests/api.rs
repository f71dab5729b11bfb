use super::{VIETNAM, paid_order, with};
use crate::ApiError;
use crate::sepay_card::{Api, CardOutcome, Closing, InvoiceNumber, Merchant};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http::Method;
use primitives::{Secret, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

// Basic SP-TEST-1:spsk_test
const CREDENTIALS: &str = "Basic U1AtVEVTVC0xOnNwc2tfdGVzdA==";

#[tokio::test]
async fn an_order_is_found_by_its_invoice_number() {
    let sepay = Sepay::answering(|_| (200, json!({ "data": paid_order() }))).await;
    let order = sepay.api().order(&invoice()).await.unwrap().unwrap();
    assert!(matches!(order.outcome(), CardOutcome::Captured { .. }));
    assert_eq!(sepay.asked(), [format!("GET /v1/order/detail/CIT-7 {CREDENTIALS}")]);
}

#[tokio::test]
async fn an_order_not_found_by_invoice_is_found_through_the_list_and_its_order_id() {
    for status in [400, 404, 422] {
        let sepay = Sepay::answering(move |path| match path {
            "/v1/order/detail/CIT-7" => (status, json!({ "message": "not found" })),
            "/v1/order/detail/NQD-68DA43D73C1A5" => (200, json!({ "data": paid_order() })),
            _ => (200, list([similar(), row(), json!({ "order_invoice_number": "CIT-70" })], false)),
        })
        .await;
        let order = sepay.api().order(&invoice()).await.unwrap().unwrap();
        assert!(matches!(order.outcome(), CardOutcome::Captured { .. }));
        assert!(sepay.asked()[1].starts_with("GET /v1/order?per_page=100&q=CIT-7 "));
    }
}

#[tokio::test]
async fn another_order_is_never_taken_for_the_one_asked_for() {
    let sepay = Sepay::answering(|path| match path {
        "/v1/order" => (200, list([similar()], false)),
        _ => (200, json!({ "data": similar() })),
    })
    .await;
    assert_eq!(sepay.api().order(&invoice()).await.unwrap(), None);
}

#[tokio::test]
async fn without_its_transactions_a_listed_order_is_not_captured() {
    let sepay = Sepay::answering(|path| match path {
        "/v1/order" => (200, list([row()], false)),
        _ => (404, json!({})),
    })
    .await;
    let order = sepay.api().order(&invoice()).await.unwrap().unwrap();
    assert!(matches!(order.outcome(), CardOutcome::Odd(_)));
}

#[tokio::test]
async fn an_order_is_only_called_unknown_when_all_candidates_were_read() {
    for answer in [list([similar()], true), list([similar(), json!("?")], false), list([row(), row()], false)]
    {
        let sepay = Sepay::answering(move |path| match path {
            "/v1/order" => (200, answer.clone()),
            _ => (404, json!({})),
        })
        .await;
        let answer = sepay.api().order(&invoice()).await;
        assert!(matches!(answer, Err(ApiError::Unreadable(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn an_unreadable_row_does_not_hide_the_others() {
    let rows = [row(), json!(null), json!({ "order_invoice_number": "?" }), similar()];
    let sepay = Sepay::answering(move |_| (200, list(rows.clone(), true))).await;
    // 2026-01-01 01:00 and 2026-01-02 01:00 in Vietnam, the days before in UTC.
    let [from, to] = [1_767_204_000, 1_767_290_400].map(Timestamp::from_seconds);

    let page = sepay.api().orders(from, to, 3).await.unwrap();

    let invoices: Vec<_> = page.orders.iter().map(|order| order.invoice.as_str()).collect();
    assert_eq!((invoices, page.has_more, page.unreadable), (vec!["CIT-7", "CIT-70"], true, 2));
    let query = "per_page=100&page=3&from_created_at=2026-01-01&end_created_at=2026-01-03&to_created_at=2026-01-03&sort=created_at%3Aasc";
    assert_eq!(sepay.asked(), [format!("GET /v1/order?{query} {CREDENTIALS}")]);
}

#[tokio::test]
async fn without_a_word_about_more_a_full_page_is_not_the_last() {
    for (count, has_more) in [(99, false), (100, true)] {
        let sepay = Sepay::answering(move |_| (200, json!({ "data": vec![row(); count] }))).await;
        let page =
            sepay.api().orders(Timestamp::from_seconds(0), Timestamp::from_seconds(0), 1).await.unwrap();
        assert_eq!((page.orders.len(), page.has_more), (count, has_more));
    }
}

#[tokio::test]
async fn a_full_page_is_not_the_last_whatever_is_said_about_it() {
    let meta = |has_more: bool, per_page: u64, this: u64, last: u64| json!({ "has_more": has_more, "per_page": per_page, "current_page": this, "page_count": last });
    let table = [
        (100, meta(false, 100, 1, 1), true),
        (99, meta(false, 100, 1, 1), false),
        (99, meta(true, 100, 1, 1), true),
        (20, meta(false, 20, 1, 1), true),
        (20, json!({ "per_page": 20 }), true),
        (20, json!({ "per_page": 0 }), false),
        (7, meta(false, 100, 1, 3), true),
        (0, meta(false, 100, 3, 3), false),
        (0, json!({}), false),
        (0, meta(false, 100, 1, 3), false),
    ];
    for (count, meta, has_more) in table {
        let told = meta.clone();
        let sepay =
            Sepay::answering(move |_| (200, json!({ "data": vec![row(); count], "meta": told }))).await;
        let page =
            sepay.api().orders(Timestamp::from_seconds(0), Timestamp::from_seconds(0), 1).await.unwrap();
        assert_eq!(page.has_more, has_more, "{count} rows, {meta}");
    }
}

#[tokio::test]
async fn voiding_and_cancelling_name_the_invoice_and_tell_what_was_said() {
    let table = [
        (200, Some(Closing::Accepted)),
        (404, Some(Closing::NotFound)),
        (400, Some(Closing::Declined { status: 400 })),
        (422, Some(Closing::Declined { status: 422 })),
        (401, None),
        (500, None),
    ];
    for (status, expected) in table {
        let sepay = Sepay::answering(move |_| (status, json!({ "message": "?" }))).await;
        let (voided, cancelled) = (sepay.api().void(&invoice()).await, sepay.api().cancel(&invoice()).await);
        assert_eq!((voided.ok(), cancelled.ok()), (expected, expected), "{status}");
        let body = r#"{"order_invoice_number":"CIT-7"}"#;
        assert_eq!(
            sepay.asked(),
            [
                format!("POST /v1/order/voidTransaction {CREDENTIALS} application/json {body}"),
                format!("POST /v1/order/cancel {CREDENTIALS} application/json {body}"),
            ]
        );
    }
}

#[tokio::test]
async fn what_is_not_an_answer_is_an_error_and_never_an_absent_order() {
    for (status, body) in
        [(200, "<html>"), (200, "{}x"), (200, "\"CIT-7\""), (401, "{}"), (500, ""), (301, "")]
    {
        let sepay = Sepay::saying(move |_| (status, body.into())).await;
        let page = sepay.api().orders(Timestamp::from_seconds(0), Timestamp::from_seconds(0), 1).await;
        assert!(page.is_err(), "{status} {body}");
        let order = sepay.api().order(&invoice()).await;
        assert!(order.is_err(), "{status} {body} {order:?}");
    }
}

#[tokio::test]
async fn a_request_too_many_says_when_to_come_back() {
    let sepay = Sepay::answering(|_| (429, json!({}))).await;
    let seven = Some(Duration::from_secs(7));
    assert!(matches!(sepay.api().order(&invoice()).await,
        Err(ApiError::TooFast { retry_after }) if retry_after == seven));
    assert!(matches!(sepay.api().void(&invoice()).await, Err(ApiError::TooFast { .. })));
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let answer = |padding| [&br#"{"data":[]}"#[..], &vec![b' '; padding]].concat();
    for (padding, is_read) in [(1024, true), (4 * 1024 * 1024, false)] {
        let sepay = Sepay::saying(move |_| (200, answer(padding).into())).await;
        let page = sepay.api().orders(Timestamp::from_seconds(0), Timestamp::from_seconds(0), 1).await;
        assert_eq!(page.is_ok(), is_read, "{page:?}");
    }
}

#[tokio::test]
async fn an_error_does_not_tell_the_invoice_number() {
    let mut api = Sepay::answering(|_| (200, json!({}))).await.api();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    api.base_url = format!("http://{nobody}").parse().unwrap();
    let error = api.order(&invoice()).await.unwrap_err();
    let ApiError::Unreachable(cause) = &error else { panic!("{error:?}") };
    assert!(!format!("{error} {cause} {cause:?}").contains("CIT-7"));
}

#[test]
fn the_secret_is_not_printed() {
    let merchant = Merchant { id: "SP-TEST-1".to_owned(), secret_key: Secret::new("spsk_test") };
    assert!(!format!("{merchant:?}").contains("spsk_test"));
}

/// SePay's order API in a test: it notes what it is asked and answers by path.
struct Sepay {
    base_url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Sepay {
    async fn answering(answer: impl Fn(&str) -> (u16, Value) + Send + Sync + 'static) -> Sepay {
        Sepay::saying(move |path| {
            let (status, body) = answer(path);
            (status, body.to_string().into())
        })
        .await
    }

    async fn saying(answer: impl Fn(&str) -> (u16, Bytes) + Send + Sync + 'static) -> Sepay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        let router = Router::new().fallback(move |request: Request| {
            let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
            async move {
                let path = request.uri().path().to_owned();
                let line = described(request).await;
                log.lock().unwrap().push(line);
                let (status, body) = answer(&path);
                let response = Response::builder().status(status).header("retry-after", "7");
                response.body(Body::from(body)).unwrap()
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Sepay { base_url, asked }
    }

    #[expect(clippy::disallowed_methods, reason = "a client of the test's own, without a platform")]
    fn api(&self) -> Api {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls = rustls::ClientConfig::builder()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        Api {
            http: reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap(),
            base_url: self.base_url.parse().unwrap(),
            merchant: Merchant { id: "SP-TEST-1".to_owned(), secret_key: Secret::new("spsk_test") },
            utc_offset_minutes: VIETNAM,
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn described(request: Request) -> String {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (credentials, kind) = (header("authorization"), header("content-type"));
    let head = format!("{} {} {credentials}", parts.method, parts.uri);
    if parts.method == Method::GET {
        return head;
    }
    let body = axum::body::to_bytes(body, 1024).await.unwrap();
    format!("{head} {kind} {}", String::from_utf8_lossy(&body))
}

fn invoice() -> InvoiceNumber {
    "CIT-7".parse().unwrap()
}

/// As the documents show a row of the list: without transactions.
fn row() -> Value {
    let mut row = paid_order();
    row.as_object_mut().unwrap().remove("transactions");
    row
}

/// Paid, and with a number that a search for ours finds as well.
fn similar() -> Value {
    with(paid_order(), "/order_invoice_number", json!("CIT-70"))
}

fn list(rows: impl Into<Vec<Value>>, has_more: bool) -> Value {
    json!({ "data": rows.into(), "meta": { "per_page": 100, "has_more": has_more, "current_page": 1 } })
}
