use super::world::{call, create_tables, platform_with, routes, serve_dynamo};
use crate::REQUEST_LIMITS;
use axum::Router;
use axum::routing::get;
use http::StatusCode;
use platform::Platform;
use std::time::Duration;

fn router(platform: &Platform) -> Router {
    routes().route("/", get(|| async { "ok" })).finish(platform, ()).unwrap()
}

async fn passes(router: &Router, requests: u32) -> u32 {
    let mut passed = 0;
    for _ in 0..requests {
        passed += u32::from(call(router, "GET", "/", &[], "").await.status == StatusCode::OK);
    }
    passed
}

/// The total in the table, once it has reached that much: reports run beside the requests.
async fn reported(platform: &Platform, at_least: u32) -> u32 {
    for _ in 0..10_000 {
        let scan = platform.dynamo().scan().table_name(platform.table(&REQUEST_LIMITS));
        let rows = scan.send().await.unwrap().items.unwrap_or_default();
        let total = rows.iter().map(|row| row["n"].as_n().unwrap().parse::<u32>().unwrap()).sum();
        if total >= at_least {
            return total;
        }
        tokio::task::yield_now().await;
    }
    0
}

#[tokio::test]
async fn a_network_is_limited_per_minute_and_told_when_to_come_back() {
    let dynamo = serve_dynamo().await;
    let limits = [("NETWORK_REQUESTS_PER_MINUTE_MAX", "32")];
    let platform = platform_with(&dynamo, "http://127.0.0.1:1", limits);
    create_tables(&platform).await;
    let router = router(&platform);

    // The first report's random head start counts against the limit: at most a sixteenth.
    assert!((30..=32).contains(&passes(&router, 40).await));

    let refused = call(&router, "GET", "/", &[], "").await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
    let wait = 60 - super::world::NOW % 60;
    for header in ["retry-after", "ratelimit-reset"] {
        assert_eq!(refused.header(header), wait.to_string());
    }
    assert_eq!((refused.header("ratelimit-limit"), refused.header("ratelimit-remaining")), ("32", "0"));
    platform.clock().advance(Duration::from_secs(wait));
    assert_eq!(passes(&router, 1).await, 1);
}

#[tokio::test]
async fn instances_learn_of_each_other_and_write_seldom() {
    let dynamo = serve_dynamo().await;
    let limits = [("NETWORK_REQUESTS_PER_MINUTE_MAX", "64")];
    let platform = platform_with(&dynamo, "http://127.0.0.1:1", limits);
    let other = platform_with(&dynamo, "http://127.0.0.1:1", limits);
    create_tables(&platform).await;
    let (first, second) = (router(&platform), router(&other));

    assert!((60..=64).contains(&passes(&first, 64).await));
    let known = reported(&platform, 4).await;
    assert!(known >= 4, "the first instance has reported");
    // Four requests make the second report, and hear the total.
    assert_eq!(passes(&second, 4).await, 4);
    reported(&platform, known + 4).await;
    // The table's answer to the report was written before its answer to another look.
    reported(&platform, known + 4).await;
    assert!(passes(&second, 64).await <= 64 - known);
}

#[tokio::test]
async fn a_silent_store_keeps_nobody_out_who_is_within_the_limit() {
    let limits = [("NETWORK_REQUESTS_PER_MINUTE_MAX", "20")];
    let platform = platform_with("http://127.0.0.1:1", "http://127.0.0.1:1", limits);
    assert_eq!(passes(&router(&platform), 30).await, 20);
}
