//! Starts at Apify whose answer was lost.

use super::apify::{CAPTIONS, IMPATIENT, captions, is_start, path, query, run, said, transcript, vendor};
use super::stand::{Answer, Received, Reply, Say, json, reply};
use super::world::{Told, World};
use crate::{FailureClass, ProviderName, Visit, Work};
use primitives::{CostCents, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;

/// The job of `world::order`.
const JOB: &str = "01KAQ3V7W05A5XM3YFMXP5K4KG";
/// Long enough that no look at a list ends before its answer has come.
const PATIENT: (&str, &str) = ("PROVIDER_FIRST_CONTENT_MS_CAPTIONS", "60000");

/// A run in a list.
fn listed(id: &str, store: &str, started_at: u64) -> Value {
    json!({"id": id, "status": "RUNNING", "defaultDatasetId": "data1", "defaultKeyValueStoreId": store,
           "startedAt": Timestamp::from_seconds(started_at).to_string(), "usageTotalUsd": 0})
}

fn list(runs: &[Value]) -> Reply {
    json(200, &json!({"data": {"total": runs.len(), "items": runs}}))
}

fn is_list(request: &Received) -> bool {
    request.method == "GET" && path(request).ends_with("/runs")
}

/// Apify lists three runs: one of another order, ours, and one that is too old to be ours.
fn with_ours(request: &Received) -> Option<Reply> {
    if is_list(request) {
        let runs = [
            listed("other", "store0", 1_790_000_001),
            listed("run1", "store1", 1_790_000_000),
            listed("old", "store9", 1_789_000_000),
        ];
        return Some(list(&runs));
    }
    match path(request) {
        "/apify/key-value-stores/store0/records/INPUT" => {
            Some(json(200, &json!({"videoUrl": "x", "citipenJob": "01KAQ3V7W00000000000000002"})))
        }
        "/apify/key-value-stores/store1/records/INPUT" => {
            Some(json(200, &json!({"videoUrl": "x", "citipenJob": JOB})))
        }
        _ => None,
    }
}

fn without_ours(request: &Received) -> Option<Reply> {
    is_list(request).then(|| list(&[listed("old", "store9", 1_789_000_000)]))
}

/// Answers to a start that leave open whether it was accepted.
fn lost() -> Vec<Answer> {
    vec![
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| vec![Say::Hang]),
        Box::new(|_| {
            vec![Say::Bytes(b"HTTP/1.1 201 Said\r\ncontent-length: 99\r\n\r\n{".to_vec()), Say::Cut]
        }),
        Box::new(|_| reply(201, &[], "<html>")),
        Box::new(|_| json(201, &json!({"data": {"id": null, "status": "READY"}}))),
        Box::new(|_| json(201, &json!({"data": {"id": "../users/me", "status": "READY"}}))),
        Box::new(|_| json(201, &json!([]))),
        Box::new(|_| reply(502, &[], "<html>")),
        Box::new(|_| reply(504, &[], "")),
        Box::new(|_| json(408, &json!({"error": {"type": "run-timeout-exceeded"}}))),
        Box::new(|_| json(500, &json!({"error": {"type": "internal-server-error"}}))),
    ]
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_found_by_its_input_and_never_repeated() {
    for (row, start) in lost().into_iter().enumerate() {
        let world = World::with([IMPATIENT], move |request| match is_start(request) {
            true => start(request),
            false => with_ours(request).unwrap_or_else(|| vendor(request, &said())),
        })
        .await;
        let told = world.order(CAPTIONS, captions(None)).await;
        assert_eq!(transcript(&told).segments.len(), 2, "row {row}");
        let served = told.served();
        assert_eq!(served.attempts[0].provider_request_id.as_deref(), Some("run1"), "row {row}");
        assert_eq!(world.stand.count("POST"), 1, "row {row}");
        assert_eq!(world.stand.count("GET /apify/key-value-stores/store9"), 0, "it is too old to be ours");
    }
}

#[tokio::test]
async fn a_start_that_is_not_listed_may_still_be_under_way() {
    let mut table = lost();
    table.pop();
    for (row, start) in table.into_iter().enumerate() {
        let world = World::with([IMPATIENT], move |request| match is_start(request) {
            true => start(request),
            false => without_ours(request).unwrap_or_else(|| reply(404, &[], "{}")),
        })
        .await;
        let told = world.order(CAPTIONS, captions(None)).await;
        assert_eq!(told.failure(), ("unknown_outcome", vec!["unknown_outcome"]), "row {row}");
        let attempt = &told.outcome.unwrap_err().attempts[0];
        assert_eq!((attempt.cost, attempt.cost_is_estimated), ("2".parse().unwrap(), true), "row {row}");
        assert_eq!(world.stand.count("POST"), 1, "row {row}");
    }
}

/// A start that Apify itself says has failed, and the looks at the actor's list after it; the last one repeats.
async fn after_an_error_of_apifys_own(
    status: u16,
    looks: Vec<Answer>,
    patience: (&str, &str),
) -> (World, Told) {
    let world = World::with([patience], move |request| match is_start(request) {
        true => json(status, &json!({"error": {"type": "internal-server-error", "message": "x"}})),
        false if is_list(request) => looks[request.nth.min(looks.len() - 1)](request),
        false => with_ours(request).unwrap_or_else(|| vendor(request, &said())),
    })
    .await;
    let told = world.order(CAPTIONS, captions(None)).await;
    (world, told)
}

fn lacks_ours() -> Answer {
    Box::new(|request| without_ours(request).unwrap())
}

fn can_not_be_read() -> Answer {
    Box::new(|_| reply(500, &[], ""))
}

fn lists(world: &World) -> usize {
    world.stand.requests().iter().filter(|request| is_list(request)).count()
}

#[tokio::test]
async fn a_list_that_can_not_be_read_leaves_an_apify_start_in_doubt() {
    let table: Vec<Vec<Answer>> = vec![
        vec![can_not_be_read()],
        vec![Box::new(|_| vec![Say::Cut])],
        vec![Box::new(|_| vec![Say::Hang])],
        vec![Box::new(|_| reply(200, &[], "<html>"))],
        vec![Box::new(|_| json(200, &json!({"data": {"items": null}})))],
        vec![Box::new(|_| list(&[json!({"id": "run1"})]))],
        // Apify does not give the input of store7.
        vec![Box::new(|_| list(&[listed("run7", "store7", 1_790_000_000)]))],
        // One whole list is not enough.
        vec![lacks_ours(), can_not_be_read()],
    ];
    for (row, looks) in table.into_iter().enumerate() {
        let status = if row % 2 == 0 { 500 } else { 502 };
        let (world, told) = after_an_error_of_apifys_own(status, looks, IMPATIENT).await;
        assert_eq!(told.failure(), ("unknown_outcome", vec!["unknown_outcome"]), "row {row}");
        let attempt = &told.outcome.unwrap_err().attempts[0];
        assert_eq!((attempt.cost, attempt.cost_is_estimated), ("2".parse().unwrap(), true), "row {row}");
        assert_eq!(world.stand.count("POST"), 1, "row {row}");
    }
}

#[tokio::test]
async fn an_error_of_apifys_own_is_a_refusal_when_two_whole_lists_in_a_row_lack_the_run() {
    let table: Vec<(Vec<Answer>, usize)> = vec![
        (vec![lacks_ours()], 2),
        (vec![can_not_be_read(), lacks_ours()], 3),
        (vec![lacks_ours(), can_not_be_read(), lacks_ours()], 4),
    ];
    for (row, (looks, read)) in table.into_iter().enumerate() {
        let (world, told) = after_an_error_of_apifys_own(500, looks, PATIENT).await;
        assert_eq!(told.failure(), ("unavailable", vec!["unavailable"]), "row {row}");
        assert_eq!((lists(&world), world.stand.count("POST")), (read, 1), "row {row}");
        assert_eq!(told.outcome.unwrap_err().attempts[0].cost, CostCents::ZERO, "row {row}");
    }
}

#[tokio::test]
async fn a_run_that_apify_lists_only_at_the_second_look_is_taken() {
    for first in [lacks_ours(), can_not_be_read()] {
        let ours: Answer = Box::new(|request| with_ours(request).unwrap());
        let (world, told) = after_an_error_of_apifys_own(500, vec![first, ours], PATIENT).await;
        assert_eq!(transcript(&told).segments.len(), 2);
        assert_eq!(told.served().attempts[0].provider_request_id.as_deref(), Some("run1"));
        assert_eq!((lists(&world), world.stand.count("POST")), (2, 1));
    }
}

/// The state after one process was killed while it asked Apify, and a second process looked for the run.
async fn after_a_kill(world: &World) -> Work {
    let (chain, now) = (world.chain(CAPTIONS), world.clock.now());
    let later = now.after(Duration::from_secs(900));
    let (at, patience) = (now.after(Duration::from_secs(60)), Duration::from_millis(800));
    let visit = Visit::new(at, Duration::from_secs(20), patience);
    let work = Work::new(now, later, later);
    let asking = chain.choose(&work, &captions(None)).await.unwrap().asking(&work, now);
    chain.find(&asking, &captions(None), now, visit).await
}

#[tokio::test]
async fn after_a_process_is_killed_its_run_is_found_and_goes_on() {
    let world = World::start(|request| with_ours(request).unwrap_or_else(|| reply(404, &[], "{}"))).await;
    let found = after_a_kill(&world).await;
    assert_eq!(found.ticket().and_then(|ticket| ticket.id.as_deref()), Some("run1"));
    assert!(found.attempts().is_empty());
    let requests = world.stand.requests();
    let list = &requests[0];
    assert_eq!(path(list), "/apify/actors/pintostudio~youtube-transcript-scraper/runs");
    assert_eq!(query(list, "desc").as_deref(), Some("1"));
}

#[tokio::test]
async fn two_looks_without_the_run_prove_that_it_was_never_started() {
    let world = World::start(|request| without_ours(request).unwrap_or_else(|| reply(404, &[], "{}"))).await;
    let found = after_a_kill(&world).await;
    assert!(found.ticket().is_none() && !found.is_at_a_provider());
    assert_eq!(found.attempts()[0].failure, Some(FailureClass::Unavailable));
    assert!(world.stand.count("GET") >= 2, "one look without the run is not enough");
}

#[tokio::test]
async fn a_list_or_an_input_that_can_not_be_read_whole_leaves_the_run_in_doubt() {
    let table: Vec<Answer> = vec![
        Box::new(|_| reply(500, &[], "")),
        Box::new(|_| json(200, &json!({"data": {"items": null}}))),
        Box::new(|_| json(200, &json!({"data": {"items": [{"id": "run1"}]}}))),
        // Its input is gone.
        Box::new(|request| match is_list(request) {
            true => list(&[listed("run1", "store1", 1_790_000_000)]),
            false => reply(404, &[], "{}"),
        }),
        // The list has more pages than are read.
        Box::new(|request| match is_list(request) {
            true => list(&vec![listed("other", "store0", 1_790_000_001); 100]),
            false => json(200, &json!({})),
        }),
    ];
    for (row, said) in table.into_iter().enumerate() {
        let world = World::start(said).await;
        let found = after_a_kill(&world).await;
        assert!(found.is_doubtful(), "row {row}");
        assert_eq!(found.attempts()[0].failure, Some(FailureClass::UnknownOutcome), "row {row}");
    }
}

#[tokio::test]
async fn a_webhook_names_a_run_that_was_in_doubt() {
    let world = World::start(|_| reply(500, &[], "")).await;
    let (chain, doubtful) = (world.chain(CAPTIONS), after_a_kill(&world).await);
    let now = world.clock.now().after(Duration::from_secs(90));
    let known = chain.told(&doubtful, ProviderName::Apify, "run1", now).unwrap();
    assert_eq!(known.ticket().and_then(|ticket| ticket.id.as_deref()), Some("run1"));
    assert!(chain.told(&doubtful, ProviderName::Fal, "run1", now).is_none());
    assert!(chain.told(&doubtful, ProviderName::Apify, "../users/me", now).is_none());
    assert_eq!(run("READY", "null")["data"]["id"], "run1");
}
