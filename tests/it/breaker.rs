//! What two instances learn of a provider at the same time. Each decides on the row as it has read it, and writes it only
//! if it is still so.

use crate::books;
use crate::world::{Answer, Fault as WorldFault, Instance, Person, World};
use sandbox::{Fault, FaultRule, Service};
use std::pin::pin;
use std::time::Duration;

fn deepseek_answers(world: &World, status: u16) {
    let fault = Fault::Status { status, retry_after: None };
    world.sandbox.faults().set(Service::Deepseek, FaultRule::always(fault));
}

/// A run at an instance whose next write of a provider's health waits until `meanwhile` has happened.
async fn run_overtaken(person: &Person, slow: &Instance, meanwhile: impl AsyncFnOnce()) -> Answer {
    slow.meddler.plan(0, WorldFault::LateWriteTo("provider_health"));
    let there = person.at(&slow.base);
    let mut running = pin!(there.script("x"));
    tokio::select! {
        answer = &mut running => panic!("it was not overtaken: {}", answer.text),
        () = slow.meddler.holding_back() => {
            meanwhile().await;
            slow.meddler.let_go();
            running.await
        }
    }
}

/// Failures that are counted, and when the first of them was.
async fn counted(world: &World) -> (String, String) {
    let rows = books::scan(world, "provider_health").await;
    let row = rows.iter().find(|row| row["provider"].as_s().unwrap() == "deepseek").unwrap();
    (row["failures"].as_n().unwrap().clone(), row["window"].as_n().unwrap().clone())
}

#[tokio::test]
async fn failures_that_two_instances_count_at_once_are_all_counted() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    deepseek_answers(&world, 500);
    assert_eq!(ann.script("x").await.status, 200);
    let slow = world.instance(&[]).await;

    let run = run_overtaken(&ann, &slow, async || assert_eq!(bob.script("x").await.status, 200)).await;

    assert_eq!(run.body["receipt"]["provider"], "anthropic", "{}", run.text);
    assert_eq!(counted(&world).await, ("3".to_owned(), world.now().millis().to_string()));
}

#[tokio::test]
async fn a_failure_counted_late_does_not_bring_an_old_minute_back() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    deepseek_answers(&world, 500);
    assert_eq!(ann.script("x").await.status, 200);
    let slow = world.instance(&[]).await;

    run_overtaken(&ann, &slow, async || {
        world.advance(Duration::from_secs(60));
        assert_eq!(bob.script("x").await.status, 200);
    })
    .await;

    assert_eq!(counted(&world).await, ("2".to_owned(), world.now().millis().to_string()));
}

#[tokio::test]
async fn of_two_instances_that_would_probe_a_provider_one_does() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    deepseek_answers(&world, 401);
    assert_eq!(ann.script("x").await.status, 200);
    world.advance(Duration::from_secs(61));
    let slow = world.instance(&[]).await;
    let before = world.provider_calls(Service::Deepseek);

    let run = run_overtaken(&ann, &slow, async || assert_eq!(bob.script("x").await.status, 200)).await;

    assert_eq!(run.body["receipt"]["provider"], "anthropic", "{}", run.text);
    assert_eq!(world.provider_calls(Service::Deepseek), before + 1, "bob's run was the probe");
}
