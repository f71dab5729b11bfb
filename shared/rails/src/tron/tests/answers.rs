use super::indexer::{Indexer, Quirks, coin, http, serve};
use super::{NOON, watch};
use crate::tron::{Source, Trongrid, Tronscan, Walk};
use crate::{ApiError, Unreadable};
use axum::Router;
use axum::http::StatusCode;
use primitives::{Secret, Timestamp};
use std::time::Duration;

async fn answered(status: u16, body: String) -> [ApiError; 2] {
    let reply = move || async move { (StatusCode::from_u16(status).unwrap(), body) };
    let base_url = serve(Router::new().fallback(reply)).await;
    let noon = Timestamp::from_millis(NOON);
    let mut sources = [
        Source::Tronscan(Tronscan { base_url: base_url.clone(), api_key: None }),
        Source::Trongrid(Trongrid { base_url, api_key: None }),
    ]
    .into_iter();
    let mut ask =
        async || Walk::new(watch(), noon, noon).next(&sources.next().unwrap(), &http()).await.unwrap_err();
    [ask().await, ask().await]
}

#[tokio::test]
async fn an_answer_of_another_shape_is_no_empty_list() {
    let table = [
        ("<html>blocked</html>", "body", "body"),
        ("", "body", "body"),
        ("{\"total\":0", "body", "body"),
        ("{}", "token_transfers", "success"),
        ("{\"token_transfers\":null,\"success\":false}", "token_transfers", "success"),
        ("{\"token_transfers\":{},\"success\":true}", "token_transfers", "data"),
        ("{\"success\":true,\"data\":[],\"token_transfers\":7}", "token_transfers", "meta"),
        ("[]", "token_transfers", "success"),
    ];
    for (body, tronscan, trongrid) in table {
        for (error, field) in answered(200, body.to_owned()).await.into_iter().zip([tronscan, trongrid]) {
            let ApiError::Unreadable(found) = error else { panic!("{body}: {error}") };
            assert_eq!(found, Unreadable(field), "{body}");
        }
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let blanks = " ".repeat(5 * 1024 * 1024);
    let empty = r#"{"token_transfers":[],"success":true,"data":[],"meta":{}}"#;
    for error in answered(200, format!("{empty}{blanks}")).await {
        assert!(matches!(error, ApiError::Unreadable(Unreadable("body"))), "{error}");
    }
}

#[tokio::test]
async fn a_failing_service_is_told_by_its_status() {
    for error in answered(500, String::new()).await {
        assert!(matches!(error, ApiError::Status { status: 500 }), "{error}");
    }
}

#[tokio::test]
async fn a_service_that_is_gone_does_not_name_our_wallet() {
    let base_url = "http://127.0.0.1:1".to_owned();
    let source = Source::Tronscan(Tronscan { base_url, api_key: None });
    let noon = Timestamp::from_millis(NOON);
    let error = Walk::new(watch(), noon, noon).next(&source, &http()).await.unwrap_err();
    assert!(matches!(error, ApiError::Unreachable(_)), "{error}");
    assert!(!format!("{error:?}").contains(super::WALLET));
}

#[tokio::test]
async fn throttling_has_three_statuses_and_costs_nothing() {
    for status in [429, 403, 503] {
        let coins: Vec<_> = (0..300).map(|n| coin(n, NOON + 3000 * n, 7)).collect();
        let quirks = Quirks { refuses: Some((9, status)), ..Quirks::default() };
        let indexer = Indexer::start(coins, quirks).await;
        let to = Timestamp::from_millis(NOON + 3000 * 300);
        let mut walk = Walk::new(watch(), Timestamp::from_millis(NOON), to);
        let (mut told, mut throttled) = (0, 0);
        loop {
            match walk.next(&indexer.tronscan, &indexer.http).await {
                Ok(Some(batch)) => told += batch.transfers.len(),
                Ok(None) => break,
                Err(ApiError::TooFast { retry_after }) => {
                    assert_eq!(retry_after, Some(Duration::from_secs(30)));
                    assert!(told > 0, "in the middle of the walk");
                    throttled += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((told, throttled), (300, 1), "{status}");
    }
}

#[tokio::test]
async fn the_api_key_is_sent_and_never_shown() {
    let indexer = Indexer::start(vec![], Quirks::default()).await;
    for source in [&indexer.tronscan, &indexer.trongrid] {
        indexer.walk(source, NOON, NOON).await.unwrap();
        assert!(!format!("{source:?}").contains("key-1"));
    }
    assert_eq!(indexer.chain.lock().unwrap().keys, ["key-1", "key-1"]);
    let source = Source::Tronscan(Tronscan { base_url: String::new(), api_key: Some(Secret::new("a\nb")) });
    assert!(indexer.walk(&source, NOON, NOON).await.is_err());
}
