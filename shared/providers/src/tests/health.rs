use super::stand::{Reply, reply};
use super::world::World;
use super::{anthropic, deepseek};
use crate::ProviderName;
use std::time::Duration;

const CHAIN: &[&str] = &["deepseek/chat", "anthropic/premium"];

async fn with_deepseek(first: fn(usize) -> Reply) -> World {
    World::start(
        move |request| {
            if request.path.starts_with("/deepseek") { first(request.nth) } else { anthropic::whole() }
        },
    )
    .await
}

#[tokio::test]
async fn a_healthy_run_costs_no_store_call_but_the_shared_refresh() {
    let world = with_deepseek(|_| deepseek::whole()).await;
    for _ in 0..3 {
        world.providers.refresh_health().await;
        world.text(CHAIN).await.served();
    }
    assert_eq!(world.store.calls(), ["BatchGetItem"]);

    world.clock.advance(Duration::from_secs(5));
    world.providers.refresh_health().await;
    assert_eq!(world.store.calls(), ["BatchGetItem"]);
}

#[tokio::test]
async fn an_account_problem_closes_a_provider_for_everybody() {
    let world = with_deepseek(|_| reply(402, &[], "")).await;
    world.text(CHAIN).await.served();
    assert!(world.store.row("deepseek").unwrap().get("open_until").is_some());

    world.text(CHAIN).await.served();
    assert_eq!(world.stand.count("POST /deepseek"), 1, "the second run did not ask it");
}

#[tokio::test]
async fn five_failures_of_three_accounts_close_a_provider_and_a_probe_opens_it() {
    let world = with_deepseek(|nth| if nth < 5 { reply(500, &[], "") } else { deepseek::whole() }).await;
    for account in ["ann", "ben", "ann", "ben", "eve", "ann"] {
        assert_eq!(world.text_for(account, CHAIN).await.served().provider, ProviderName::Anthropic);
    }
    assert_eq!(world.stand.count("POST /deepseek"), 5);

    world.clock.advance(Duration::from_secs(30));
    world.store.calls();
    assert_eq!(world.text(CHAIN).await.served().provider, ProviderName::Deepseek);
    assert_eq!(world.store.calls(), ["PutItem", "GetItem", "PutItem"], "taken, then closed");
    assert_eq!(world.text(CHAIN).await.served().provider, ProviderName::Deepseek);
    assert!(world.store.calls().is_empty());
}

#[tokio::test]
async fn one_customer_never_closes_a_provider_for_all_others() {
    let table: [fn(usize) -> Reply; 5] = [
        |_| reply(500, &[], ""),
        |_| reply(400, &[], ""),
        |_| deepseek::blank(),
        |_| deepseek::thought_only("length"),
        |_| deepseek::cut_after_content(),
    ];
    for (row, answer) in table.into_iter().enumerate() {
        let world = with_deepseek(answer).await;
        for _ in 0..7 {
            let _ = world.text(CHAIN).await;
        }
        assert_eq!(world.stand.count("POST /deepseek"), 7, "row {row}");
        let stored = world.store.row("deepseek").map(|row| row.to_string()).unwrap_or_default();
        assert!(!stored.contains("user_ann") && !stored.contains("open_until"), "{stored}");
    }
}

#[tokio::test]
async fn empty_answers_never_close_a_provider() {
    for answer in [|_| deepseek::blank(), |_| deepseek::thought_only("length")] {
        let world = with_deepseek(answer).await;
        for account in ["ann", "ben", "eve", "joe", "kim", "lea", "mia"] {
            let _ = world.text_for(account, CHAIN).await;
        }
        assert_eq!(world.stand.count("POST /deepseek"), 7);
        assert!(world.store.calls().is_empty(), "not even counted");
    }
}

#[tokio::test]
async fn a_provider_that_can_not_be_reached_is_closed_whoever_asks() {
    let url = format!("http://{}", super::stand::closed_port().await);
    let world = World::with([("DEEPSEEK_URL", url.as_str())], |_| anthropic::whole()).await;
    for _ in 0..6 {
        world.text(CHAIN).await.served();
    }
    assert_eq!(world.text(CHAIN).await.served().attempts.len(), 1, "the closed one is not asked");
}

#[tokio::test]
async fn what_another_instance_learnt_is_known_after_a_refresh() {
    let world = with_deepseek(|_| deepseek::whole()).await;
    let now = world.clock.now();
    world.store.put("deepseek", 5, now.millis(), now.after(Duration::from_secs(30)).millis());
    world.providers.refresh_health().await;

    assert_eq!(world.text(CHAIN).await.served().provider, ProviderName::Anthropic);
}

#[tokio::test]
async fn when_all_are_said_to_be_down_the_first_is_asked() {
    let world = with_deepseek(|_| deepseek::whole()).await;
    let now = world.clock.now();
    for provider in ["deepseek", "anthropic"] {
        world.store.put(provider, 5, now.millis(), now.after(Duration::from_secs(30)).millis());
    }
    world.providers.refresh_health().await;

    assert_eq!(world.text(CHAIN).await.served().provider, ProviderName::Deepseek);
    assert!(world.store.row("deepseek").unwrap().get("open_until").is_none(), "it proved to be well");
}

#[tokio::test]
async fn only_one_of_two_instances_probes() {
    let world = with_deepseek(|_| deepseek::whole()).await;
    let now = world.clock.now();
    world.store.put("deepseek", 5, now.millis(), now.millis());
    world.providers.refresh_health().await;
    // Another instance takes the probe right before us.
    world.store.put("deepseek", 5, now.millis(), now.after(Duration::from_secs(30)).millis());
    world.store.lose_puts();

    assert_eq!(world.text(CHAIN).await.served().provider, ProviderName::Anthropic);
    assert_eq!(world.stand.count("POST /deepseek"), 0);
}

#[tokio::test]
async fn customers_mistakes_never_close_a_provider() {
    let world = with_deepseek(|_| reply(422, &[], "prompt is too long")).await;
    for _ in 0..6 {
        assert_eq!(world.text(CHAIN).await.failure().0, "bad_input");
    }
    assert_eq!(world.stand.count("POST /deepseek"), 6);
    assert!(world.store.calls().is_empty());
}

#[tokio::test]
async fn a_table_that_is_out_stops_no_sale() {
    let world = with_deepseek(|_| reply(402, &[], "")).await;
    world.store.go_out();
    world.providers.refresh_health().await;

    assert_eq!(world.text(CHAIN).await.served().provider, ProviderName::Anthropic);
    assert_eq!(world.text(CHAIN).await.served().provider, ProviderName::Anthropic);
    assert_eq!(world.stand.count("POST /deepseek"), 1, "this instance remembers by itself");

    world.clock.advance(Duration::from_secs(60));
    world.text(CHAIN).await.served();
    assert_eq!(world.stand.count("POST /deepseek"), 2, "and probes without the table");
}
