//! How runs of actors end, what that costs, and how they are taken back.

use super::apify::{
    CAPTIONS, IMPATIENT, VIDEOS, captions, is_start, path, run, said, transcript, vendor, videos,
};
use super::stand::{Answer, Received, Reply, Say, json, reply};
use super::world::{Told, World};
use serde_json::{Value, json};

fn is_look(request: &Received) -> bool {
    request.method == "GET" && path(request) == "/apify/actor-runs/run1"
}

fn is_abort(request: &Received) -> bool {
    request.method == "POST" && path(request) == "/apify/actor-runs/run1/abort"
}

/// What the last attempt cost, and whether that is an estimate.
fn cost(told: &Told) -> (String, bool) {
    let attempts = match &told.outcome {
        Ok(served) => &served.attempts,
        Err(failed) => &failed.attempts,
    };
    let attempt = attempts.last().unwrap();
    (attempt.cost.to_string(), attempt.cost_is_estimated)
}

#[tokio::test]
async fn a_run_that_does_not_succeed_is_a_definite_end_at_its_cost() {
    for status in ["FAILED", "TIMED-OUT", "ABORTED"] {
        let world = World::start(move |request| match is_look(request) {
            true => json(200, &run(status, "0.005")),
            false => vendor(request, &said()),
        })
        .await;
        let told = world.order(CAPTIONS, captions(None)).await;
        assert_eq!(told.failure(), ("unavailable", vec!["unavailable"]), "{status}");
        assert_eq!(cost(&told), ("0.5".to_owned(), false), "{status}");
        assert!(told.made.is_empty() && world.stand.count("GET /apify/datasets") == 0, "{status}");
    }
}

#[tokio::test]
async fn a_run_that_is_being_ended_goes_on_until_it_is() {
    let world = World::start(|request| match (is_look(request), request.nth) {
        (true, 0) => json(200, &run("TIMING-OUT", "null")),
        (true, 1) => json(200, &run("SOMETHING-NEW", "null")),
        (true, _) => json(200, &run("TIMED-OUT", "0.005")),
        _ => vendor(request, &said()),
    })
    .await;
    assert_eq!(world.order(CAPTIONS, captions(None)).await.failure().0, "unavailable");
    assert_eq!(world.stand.count("GET /apify/actor-runs/run1"), 3);
}

#[tokio::test]
async fn a_cost_is_asked_for_once_more_then_counted_by_the_rows_and_bounded() {
    // Ten rows at half a cent, and a start; twenty were allowed.
    let table = [
        ("0.0123", "0.5", "1.23", false),
        ("null", "0.0123", "1.23", false),
        ("0", "0.0123", "1.23", false),
        ("null", "null", "5.005", true),
        ("0", "0", "5.005", true),
        ("\"0.0123\"", "-1", "5.005", true),
        ("0.2", "null", "20", false),
        ("0.9", "null", "20.01", true),
    ];
    for (first, then, expected, is_estimated) in table {
        let items: Vec<Value> = (0..10).map(|at| json!({"title": at})).collect();
        let world = World::start(move |request| match (is_look(request), request.nth) {
            (true, 0) => json(200, &run("SUCCEEDED", first)),
            (true, _) => json(200, &run("SUCCEEDED", then)),
            _ => vendor(request, &items),
        })
        .await;
        let told = world.order(VIDEOS, videos(20)).await;
        assert_eq!(told.served().attempts.len(), 1);
        assert_eq!(cost(&told), (expected.to_owned(), is_estimated), "{first} {then}");
    }
}

#[tokio::test]
async fn a_run_whose_cost_and_rows_apify_does_not_tell_costs_the_most_it_may() {
    let world = World::start(|request| match (is_look(request), path(request)) {
        (true, _) => json(200, &run("SUCCEEDED", "null")),
        (_, "/apify/datasets/data1") => reply(500, &[], ""),
        _ => vendor(request, &said()),
    })
    .await;
    assert_eq!(cost(&world.order(CAPTIONS, captions(None)).await), ("2".to_owned(), true));
}

#[tokio::test]
async fn a_poor_look_does_not_end_a_run() {
    let world = World::start(|request| match (is_look(request), request.nth) {
        (true, 0) => vec![Say::Cut],
        (true, 1) => reply(500, &[], "<html>"),
        (true, 2) => reply(404, &[], "{}"),
        (true, 3) => reply(200, &[], "<html>"),
        (true, 4) => json(200, &json!({"data": {"id": "another", "status": "FAILED"}})),
        (true, 5) => json(200, &json!({"data": {"id": "run1", "status": null}})),
        (true, 6) => reply(429, &[], "{}"),
        (true, _) => json(200, &run("SUCCEEDED", "0.006")),
        _ => vendor(request, &said()),
    })
    .await;
    assert_eq!(transcript(&world.order(CAPTIONS, captions(None)).await).segments.len(), 2);
    assert_eq!(world.stand.count("POST"), 1);
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_aborted_and_what_it_gathered_is_not_taken() {
    let world = World::with([IMPATIENT], |request| match (is_look(request), is_abort(request)) {
        (true, _) => json(200, &run("RUNNING", "null")),
        (_, true) => json(200, &run("ABORTING", "null")),
        _ => vendor(request, &said()),
    })
    .await;
    let told = world.order(CAPTIONS, captions(None)).await;
    assert_eq!(told.failure(), ("unavailable", vec!["unavailable"]));
    assert_eq!(cost(&told), ("2".to_owned(), true), "Apify did not tell what the aborted run costs");
    assert_eq!(world.stand.count("POST /apify/actor-runs/run1/abort"), 1);
}

#[tokio::test]
async fn an_aborted_run_costs_what_apify_tells() {
    let world = World::with([IMPATIENT], |request| match (is_look(request), is_abort(request)) {
        (true, _) => json(200, &run("READY", "null")),
        // The first one is not taken.
        (_, true) if request.nth == 0 => json(200, &run("RUNNING", "null")),
        (_, true) => json(200, &run("ABORTED", "0.0055")),
        _ => vendor(request, &said()),
    })
    .await;
    let told = world.order(CAPTIONS, captions(None)).await;
    assert_eq!((told.failure().0, cost(&told)), ("unavailable", ("0.55".to_owned(), false)));
    assert!(told.made.is_empty());
}

#[tokio::test]
async fn a_run_that_succeeded_while_it_was_taken_back_is_delivered() {
    let world = World::with([IMPATIENT], |request| match (is_look(request), is_abort(request)) {
        (true, _) => json(200, &run("RUNNING", "null")),
        (_, true) => json(200, &run("SUCCEEDED", "0.006")),
        _ => vendor(request, &said()),
    })
    .await;
    let told = world.order(CAPTIONS, captions(None)).await;
    assert_eq!(transcript(&told).segments.len(), 2);
    assert_eq!(cost(&told), ("0.6".to_owned(), false));
}

#[tokio::test]
async fn a_run_that_can_be_neither_seen_nor_aborted_has_an_unknown_outcome() {
    let table: [fn() -> Reply; 3] = [|| reply(500, &[], ""), || vec![Say::Cut], || reply(401, &[], "{}")];
    for (row, said_then) in table.into_iter().enumerate() {
        let world = World::with([IMPATIENT], move |request| match is_start(request) {
            true => vendor(request, &said()),
            false => said_then(),
        })
        .await;
        let told = world.order(CAPTIONS, captions(None)).await;
        assert_eq!(told.failure(), ("unknown_outcome", vec!["unknown_outcome"]), "row {row}");
        assert_eq!(cost(&told), ("2".to_owned(), true), "row {row}");
    }
}

#[tokio::test]
async fn a_run_that_apify_does_not_know_for_long_is_lost_at_its_price() {
    let world = World::with([IMPATIENT], |request| match is_start(request) {
        true => vendor(request, &said()),
        false => reply(404, &[], "{}"),
    })
    .await;
    let told = world.order(CAPTIONS, captions(None)).await;
    assert_eq!((told.failure().0, cost(&told)), ("unavailable", ("2".to_owned(), true)));
    assert!(world.stand.count("GET") >= 5);
}

#[tokio::test]
async fn a_success_without_a_dataset_is_paid_and_brings_nothing() {
    let mut bare = run("SUCCEEDED", "0.006");
    bare["data"]["defaultDatasetId"] = json!(null);
    let answer: Answer = Box::new(move |request| match is_look(request) {
        true => json(200, &bare),
        false => vendor(request, &said()),
    });
    let world = World::start(answer).await;
    let told = world.order(CAPTIONS, captions(None)).await;
    assert_eq!((told.failure().0, cost(&told)), ("unavailable", ("0.6".to_owned(), false)));
}
