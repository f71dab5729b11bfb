//! Many at once on one account.

use crate::books;
use crate::world::{World, script};
use sandbox::Service;
use serde_json::json;
use std::time::Duration;

/// So many that no ceiling is in the way.
const MANY: [(&str, &str); 3] =
    [("OPEN_HOLDS_MAX", "1000"), ("UNPAID_OPEN_HOLDS_MAX", "1000"), ("RUNS_PER_MINUTE_MAX", "1000")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_parallel_runs_with_credit_for_fifty_exactly_fifty_succeed() {
    let world = World::with(&MANY).await;
    let ann = world.person("ann");
    ann.balance().await;
    // 100 cents and premium scripts at 8: after ten of them 20 are left, worth 20 chats.
    for _ in 0..6 {
        let wish = json!({ "tool": "script", "input": { "prompt": "x", "model": "premium" } });
        assert_eq!(ann.run(&wish).await.status, 200);
    }
    let (available, ..) = ann.balance().await;
    assert_eq!(available, 52);
    ann.script("x").await;
    ann.script("x").await;

    let at_once: Vec<_> = (0..100)
        .map(|turn| {
            let ann = ann.clone();
            tokio::spawn(async move { ann.script(&format!("kite {turn}")).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for answer in at_once {
        let answer = answer.await.unwrap();
        outcomes.push(if answer.status == 200 { "ok".to_owned() } else { answer.problem().to_owned() });
    }

    let count = |what: &str| outcomes.iter().filter(|outcome| *outcome == what).count();
    assert_eq!((count("ok"), count("insufficient_credit")), (50, 50), "{outcomes:?}");
    assert_eq!(ann.balance().await, (0, 0, 0));
    assert_eq!(world.provider_calls(Service::Deepseek), 52);
    books::check(&world).await;
}

#[tokio::test]
async fn more_open_runs_than_the_cap_are_told_to_wait() {
    let world = World::with(&[("OPEN_HOLDS_MAX", "2")]).await;
    let ann = world.person("ann");
    ann.balance().await;
    let slow: Vec<_> = (0..2)
        .map(|_| {
            let ann = ann.clone();
            tokio::spawn(async move { ann.script("x [[sandbox:slow ms=700]]").await })
        })
        .collect();
    while world.provider_calls(Service::Deepseek) < 2 {
        tokio::task::yield_now().await;
    }

    let third = ann.script("x").await;

    assert_eq!((third.problem(), third.status), ("too_many_open_runs", 429));
    assert!(third.headers.contains_key("retry-after"));
    for answer in slow {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(ann.script("x").await.status, 200);
    books::check(&world).await;
}

#[tokio::test]
async fn more_runs_a_minute_than_allowed_wait_for_the_next_minute() {
    let world = World::with(&[("RUNS_PER_MINUTE_MAX", "3")]).await;
    let ann = world.person("ann");
    for _ in 0..3 {
        assert_eq!(ann.script("x").await.status, 200);
    }
    let fourth = ann.script("x").await;
    assert_eq!((fourth.problem(), fourth.status), ("rate_limited", 429));
    world.advance(Duration::from_secs(60));
    assert_eq!(ann.script("x").await.status, 200);
    books::check(&world).await;
}

#[tokio::test]
async fn holds_that_a_dead_instance_left_do_not_lock_their_owner_out() {
    let world = World::with(&[("OPEN_HOLDS_MAX", "1")]).await;
    let ann = world.person("ann");
    ann.balance().await;
    let dying = world.instance(&[]).await;
    let there = ann.at(&dying.base);
    there.get("/v1/pricing").await;
    // After the reservation and the look at the providers' health, before the output is stored.
    dying.meddler.plan(2, crate::world::Fault::KilledBefore);
    tokio::select! {
        _ = dying.meddler.death() => {}
        answer = there.script("x") => panic!("it answered: {}", answer.text),
    }
    drop(dying);
    assert_eq!(ann.balance().await, (99, 1, 0), "the dead instance's hold");
    assert_eq!(ann.script("x").await.problem(), "too_many_open_runs");

    world.advance(Duration::from_secs(961));
    assert_eq!(ann.script("x").await.status, 200, "its owner's next run ends the old one, without any sweep");
    assert_eq!(ann.balance().await, (99, 0, 0));
    books::check(&world).await;
}

/// The prompt only makes the runs differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_runs_at_once_see_no_conflict_although_the_store_reports_some() {
    let world = World::with(&MANY).await;
    let ann = world.person("ann");
    ann.balance().await;
    for nth in [3, 9, 17, 40, 77] {
        world.product.meddler.plan(nth, crate::world::Fault::Conflict);
        let at_once: Vec<_> = (0..10)
            .map(|_| {
                let ann = ann.clone();
                tokio::spawn(async move { ann.run(&script("x")).await.status })
            })
            .collect();
        for status in at_once {
            assert_eq!(status.await.unwrap(), 200);
        }
    }
    books::check(&world).await;
}
