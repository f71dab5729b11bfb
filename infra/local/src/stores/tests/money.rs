use super::support::{ACCOUNTS, in_memory, platform};
use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use platform::Platform;
use primitives::{Clock, Timestamp};
use std::time::Duration;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_parallel_debits_exactly_those_succeed_that_the_balance_covers() {
    let stores = in_memory().await;
    let platform = platform(&stores);
    put_account(&platform, "500").await;

    let mut debits = JoinSet::new();
    for _ in 0..100 {
        debits.spawn(debit(platform.clone()));
    }
    let outcomes = debits.join_all().await;

    assert_eq!(outcomes.iter().filter(|succeeded| **succeeded).count(), 50);
    let get = platform.dynamo().get_item().table_name(platform.table(&ACCOUNTS)).key("id", S("ann".into()));
    let item = get.send().await.unwrap().item.unwrap();
    assert_eq!(item["available"], N("0".into()));
}

async fn put_account(platform: &Platform, available: &str) {
    let put = platform.dynamo().put_item().table_name(platform.table(&ACCOUNTS));
    put.item("id", S("ann".into())).item("available", N(available.into())).send().await.unwrap();
}

/// Whether it went through; any refusal but "not enough" fails the test.
async fn debit(platform: Platform) -> bool {
    let update = platform
        .dynamo()
        .update_item()
        .table_name(platform.table(&ACCOUNTS))
        .key("id", S("ann".into()))
        .update_expression("SET available = available - :a")
        .condition_expression("available >= :a")
        .expression_attribute_values(":a", N("10".into()));
    match update.send().await {
        Ok(_) => true,
        Err(error) => {
            assert!(error.into_service_error().is_conditional_check_failed_exception());
            false
        }
    }
}

#[tokio::test]
async fn an_expired_item_goes_with_the_sweep_and_not_before() {
    use super::support::{BUCKET, ENTRIES};
    use crate::stores::{Place, Stores};

    let clock = Clock::manual(Timestamp::from_seconds(1_900_000_000));
    let stores = Stores::open(&Place::Memory, &[ENTRIES], "test-", BUCKET, &[], &clock).await.unwrap();
    let platform = platform(&stores);
    let put = platform.dynamo().put_item().table_name(platform.table(&ENTRIES));
    put.item("account", S("ann".into()))
        .item("entry", S("e1".into()))
        .item("ttl", N("1900000060".into()))
        .send()
        .await
        .unwrap();

    assert_eq!(stores.sweep_ttl().await.unwrap(), 0);
    clock.advance(Duration::from_secs(61));
    assert_eq!(stores.sweep_ttl().await.unwrap(), 1);
}
