//! Apify's actors: a run is started, followed, and what it gathered is fetched.

use super::stand::{Received, Reply, json, reply};
use super::world::{Told, World, order};
use crate::{
    CaptionsRequest, JobOrder, Made, ProviderName, Request, RowsRequest, Segment, Sign, Subject, Transcript,
};
use primitives::{Private, Timestamp};
use serde_json::{Map, Value, json};

pub(super) const CAPTIONS: &[&str] = &["apify/captions"];
pub(super) const VIDEOS: &[&str] = &["apify/videos"];
/// The job of `world::order`.
const JOB: &str = "01KAQ3V7W05A5XM3YFMXP5K4KG";
/// A short patience, so that the chain gives up within a test what never comes.
pub(super) const IMPATIENT: (&str, &str) = ("PROVIDER_FIRST_CONTENT_MS_CAPTIONS", "1600");

pub(super) fn captions(language: Option<&str>) -> JobOrder {
    let language = language.map(str::to_owned);
    order(Request::Captions(CaptionsRequest { video: "dQw4w9WgXcQ".to_owned(), language }))
}

pub(super) fn rows(subject: Subject, rows_max: u32) -> JobOrder {
    order(Request::Rows(RowsRequest { subject, rows_max }))
}

pub(super) fn videos(rows_max: u32) -> JobOrder {
    rows(Subject::Videos(vec!["https://www.youtube.com/@kenh".to_owned()]), rows_max)
}

fn market(rows_max: u32) -> JobOrder {
    let queries = ["xe đạp", "diều\ntre"].map(|query| Private::new(query.to_owned())).to_vec();
    rows(Subject::Market { queries, country: "vn".to_owned(), language: "vi".to_owned() }, rows_max)
}

/// A run as Apify shows it; `usage` as JSON.
pub(super) fn run(status: &str, usage: &str) -> Value {
    json!({"data": {
        "id": "run1", "actId": "a", "status": status, "defaultDatasetId": "data1",
        "defaultKeyValueStoreId": "store1", "startedAt": Timestamp::from_seconds(1_790_000_000).to_string(),
        "usageTotalUsd": serde_json::from_str::<Value>(usage).unwrap(),
    }})
}

pub(super) fn path(request: &Received) -> &str {
    request.path.split('?').next().unwrap()
}

pub(super) fn query(request: &Received, name: &str) -> Option<String> {
    let url = url::Url::parse(&format!("http://x{}", request.path)).unwrap();
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

pub(super) fn is_start(request: &Received) -> bool {
    request.method == "POST" && path(request).ends_with("/runs")
}

/// The items of a page of `items`.
pub(super) fn page(request: &Received, items: &[Value]) -> Reply {
    let number = |name: &str| query(request, name).unwrap().parse::<usize>().unwrap();
    let page: Vec<&Value> = items.iter().skip(number("offset")).take(number("limit")).collect();
    json(200, &json!(page))
}

/// The vendor's usual day: waiting, working, done, and the cost a look later.
pub(super) fn vendor(request: &Received, items: &[Value]) -> Reply {
    match (request.method.as_str(), path(request)) {
        ("POST", _) if is_start(request) => json(201, &run("READY", "null")),
        ("GET", "/apify/actor-runs/run1") => match request.nth {
            0 => json(200, &run("READY", "null")),
            1 => json(200, &run("RUNNING", "null")),
            2 => json(200, &run("SUCCEEDED", "null")),
            _ => json(200, &run("SUCCEEDED", "0.00605")),
        },
        ("GET", "/apify/datasets/data1/items") => page(request, items),
        ("GET", "/apify/datasets/data1") => json(200, &json!({"data": {"itemCount": items.len()}})),
        _ => reply(404, &[], r#"{"error":{"type":"record-not-found","message":"x"}}"#),
    }
}

pub(super) fn said() -> Vec<Value> {
    vec![json!({"data": [
        {"start": "0.32", "dur": "4.8", "text": "Xin chào"}, {"start": "4.32", "dur": "4.8", "text": "Tạm biệt"},
    ]})]
}

pub(super) fn transcript(told: &Told) -> &Transcript {
    match told.made.as_slice() {
        [Made::Transcript(transcript)] => transcript,
        other => panic!("{other:?}, {:?}", told.outcome),
    }
}

pub(super) fn table(told: &Told) -> &[Map<String, Value>] {
    match told.made.as_slice() {
        [Made::Rows(rows)] => rows,
        other => panic!("{other:?}, {:?}", told.outcome),
    }
}

#[tokio::test]
async fn captions_are_started_followed_fetched_and_priced() {
    let world = World::start(|request| vendor(request, &said())).await;
    let told = world.order(CAPTIONS, captions(None)).await;

    let piece = |start, end, text: &str| Segment { start, end, text: text.to_owned() };
    assert_eq!(transcript(&told).segments, [piece(320, 4_320, "Xin chào"), piece(4_320, 9_120, "Tạm biệt")]);
    assert_eq!(told.signs, [Sign::Queued { ahead: None }, Sign::Working { percent: None }]);
    let served = told.served();
    let actor = "pintostudio~youtube-transcript-scraper";
    assert_eq!((served.provider, served.model.as_str()), (ProviderName::Apify, actor));
    assert_eq!((served.cost, served.cost_is_estimated), ("0.605".parse().unwrap(), false));
    assert_eq!(served.attempts[0].provider_request_id.as_deref(), Some("run1"));
    assert_eq!(world.stand.count("POST"), 1);
}

#[tokio::test]
async fn a_start_says_what_it_may_cost_and_how_long_it_may_take_and_names_our_run() {
    let world = World::start(|request| vendor(request, &said())).await;
    world.order(CAPTIONS, captions(Some("vi"))).await.served();

    let requests = world.stand.requests();
    let start = &requests[0];
    assert_eq!(path(start), "/apify/actors/pintostudio~youtube-transcript-scraper/runs");
    assert_eq!(query(start, "maxTotalChargeUsd").as_deref(), Some("0.020000"));
    assert_eq!(query(start, "maxItems").as_deref(), Some("1"));
    assert_eq!(query(start, "timeout").as_deref(), Some("150"));
    assert_eq!(query(start, "webhooks"), None, "the order has no webhook address");
    let input = json!({
        "videoUrl": "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "targetLanguage": "vi", "citipenJob": JOB,
    });
    assert_eq!(start.json(), input);
    for request in &requests {
        assert_eq!(request.header("authorization"), Some("Bearer apify-token"));
        assert_eq!(query(request, "token"), None, "addresses are logged");
    }
}

#[tokio::test]
async fn every_kind_has_its_input_and_an_unknown_actor_the_general_one() {
    let channels = || rows(Subject::Channels(vec!["https://a.test".into(), "https://b.test".into()]), 5);
    let urls = json!([{"url": "https://a.test"}, {"url": "https://b.test"}]);
    let table = [
        (
            ("APIFY_CAPTIONS_ACTOR", "sandbox~youtube-transcript"),
            ("apify/captions", captions(Some("vi")), "1", "0.020000"),
            json!({"videoUrls": ["https://www.youtube.com/watch?v=dQw4w9WgXcQ"], "language": "vi", "languages": ["vi"]}),
        ),
        (
            ("APIFY_CAPTIONS_ACTOR", "other/actor"),
            ("apify/captions", captions(None), "1", "0.020000"),
            json!({"videoUrls": ["https://www.youtube.com/watch?v=dQw4w9WgXcQ"]}),
        ),
        (
            ("APIFY_VIDEOS_ROW_CENTS", "0.5"),
            ("apify/videos", videos(20), "20", "0.100050"),
            json!({"startUrls": [{"url": "https://www.youtube.com/@kenh"}], "maxResults": 20}),
        ),
        (
            ("APIFY_CHANNELS_START_CENTS", "0"),
            ("apify/channels", channels(), "5", "0.025000"),
            json!({"startUrls": urls, "maxResults": 3}),
        ),
        (
            ("APIFY_CHANNELS_ACTOR", "other~actor"),
            ("apify/channels", channels(), "5", "0.025050"),
            json!({"startUrls": urls, "maxResults": 3, "maxItems": 5}),
        ),
        (
            ("APIFY_MARKET_ROW_CENTS", "0.35"),
            ("apify/market", market(21), "4", "0.078500"),
            json!({"queries": "xe đạp\ndiều tre", "countryCode": "vn", "languageCode": "vi", "maxPagesPerQuery": 2}),
        ),
        (
            ("APIFY_MARKET_ACTOR", "other~actor"),
            ("apify/market", market(21), "21", "0.078500"),
            json!({"queries": ["xe đạp", "diều tre"], "countryCode": "vn", "languageCode": "vi", "maxItems": 21}),
        ),
    ];
    for (setting, (step, order, items, dollars), mut input) in table {
        let world = World::with([setting], |_| reply(400, &[], "{}")).await;
        world.order(&[step], order).await;
        let requests = world.stand.requests();
        input["citipenJob"] = json!(JOB);
        assert_eq!(requests[0].json(), input, "{setting:?}");
        assert_eq!(query(&requests[0], "maxItems").as_deref(), Some(items), "{setting:?}");
        assert_eq!(query(&requests[0], "maxTotalChargeUsd").as_deref(), Some(dollars), "{setting:?}");
        assert!(!path(&requests[0]).contains("other/"), "a slash would be another address");
    }
}

#[tokio::test]
async fn pages_of_a_search_engine_become_a_row_for_each_result() {
    let result = |at: u64| json!({"title": format!("bài {at}"), "url": "https://a.test", "position": at});
    let page = |term: &str, at: u64| {
        let results: Vec<Value> = (0..10).map(result).collect();
        json!({"searchQuery": {"term": term, "page": at}, "organicResults": results, "paidResults": [], "#debug": {}})
    };
    let items = [page("xe đạp", 1), page("xe đạp", 2), page("diều tre", 1), page("diều tre", 2)];
    let world = World::start(move |request| vendor(request, &items)).await;
    let told = world.order(&["apify/market"], market(21)).await;

    let rows = table(&told);
    assert_eq!(rows.len(), 21);
    let first =
        json!({"query": "xe đạp", "page": 1, "title": "bài 0", "url": "https://a.test", "position": 0});
    assert_eq!(Value::Object(rows[0].clone()), first);
    assert_eq!((&rows[20]["query"], &rows[20]["page"]), (&json!("diều tre"), &json!(1)));
}

#[tokio::test]
async fn a_refused_start_costs_nothing_and_only_haste_is_asked_again() {
    let table = [
        (400, "invalid-input", "request_refused", 1),
        (401, "user-or-token-not-found", "auth", 1),
        (402, "not-enough-usage-to-run-paid-actor", "no_balance", 1),
        (402, "actor-memory-limit-exceeded", "rate_limited", 2),
        (403, "insufficient-permissions", "auth", 1),
        (404, "actor-not-found", "model_gone", 1),
        (429, "rate-limit-exceeded", "rate_limited", 2),
        (503, "service-unavailable", "unavailable", 2),
    ];
    for (status, kind, class, asked) in table {
        // The message repeats what a customer typed.
        let body = json!({"error": {"type": kind, "message": "insufficient balance, content policy"}});
        let world = World::start(move |_| json(status, &body)).await;
        let told = world.order(CAPTIONS, captions(None)).await;
        assert_eq!(told.failure().0, class, "{status} {kind}");
        assert_eq!(world.stand.requests().len(), asked, "{status} {kind}");
        let failed = told.outcome.unwrap_err();
        assert!(failed.attempts.iter().all(|attempt| attempt.cost == primitives::CostCents::ZERO));
    }
}
