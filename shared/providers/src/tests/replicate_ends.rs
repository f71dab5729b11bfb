//! How a prediction ends, what that costs us, and what a withdrawal makes of it.

use super::replicate::{CREATE, IMPATIENT, STEP, is_look, shown, succeeded, vendor};
use super::stand::{Reply, Say, json, reply};
use super::world::{World, brought, order, speech, wav};
use crate::{FailureClass, Visit, Visited, Work};
use primitives::CostCents;
use serde_json::{Value, json};
use std::time::Duration;

fn cents(text: &str) -> CostCents {
    text.parse().unwrap()
}

fn with(status: &str, changed: &Value) -> Value {
    let mut body = shown(status);
    for (name, value) in changed.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn each_end_has_its_class_and_its_cost() {
    let ran = json!({"predict_time": 2});
    let table = [
        (
            "failed",
            json!({"error": "CUDA out of memory: secret", "metrics": ran}),
            "unavailable",
            "0.195",
            false,
        ),
        (
            "failed",
            json!({"error": "flagged as sensitive (E005)", "metrics": ran}),
            "content_rejected",
            "0.195",
            false,
        ),
        ("failed", json!({"error": "401 invalid api key for the speaker"}), "unavailable", "6", true),
        ("failed", json!({"error": null, "metrics": null}), "unavailable", "6", true),
        (
            "canceled",
            json!({"started_at": "2026-09-21T14:13:21Z", "metrics": ran}),
            "unavailable",
            "0.195",
            false,
        ),
        ("canceled", json!({"started_at": "2026-09-21T14:13:21Z"}), "unavailable", "6", true),
        ("canceled", json!({"started_at": null}), "unavailable", "0", false),
        ("aborted", json!({"metrics": {"total_time": 61}}), "unavailable", "0", false),
        ("aborted", json!({"metrics": {"predict_time": 61}}), "unavailable", "0", false),
        ("succeeded", json!({"output": null, "metrics": ran}), "empty_answer", "0.195", false),
        ("succeeded", json!({"output": [], "metrics": ran}), "empty_answer", "0.195", false),
        (
            "succeeded",
            json!({"output": null, "data_removed": true, "metrics": ran}),
            "unavailable",
            "0.195",
            false,
        ),
        (
            "succeeded",
            json!({"output": "http://elsewhere.test/a.wav", "metrics": ran}),
            "unavailable",
            "0.195",
            false,
        ),
        ("succeeded", json!({"output": "data:audio/wav;base64,UklGRg=="}), "unavailable", "6", true),
    ];
    for (row, (status, changed, class, cost, is_estimated)) in table.into_iter().enumerate() {
        let body = with(status, &changed);
        let world =
            World::start(move |request| if is_look(request) { json(200, &body) } else { vendor(request) })
                .await;
        let told = world.order(STEP, order(speech("en"))).await;
        assert_eq!(told.failure(), (class, vec![class]), "row {row}");
        assert!(!format!("{:?}", told.outcome).contains("secret"), "row {row}");
        let attempt = told.outcome.unwrap_err().attempts.remove(0);
        assert_eq!((attempt.cost, attempt.cost_is_estimated), (cents(cost), is_estimated), "row {row}");
        assert_eq!(world.stand.count(CREATE), 1, "row {row}: what was paid is not bought again");
    }
}

#[tokio::test]
async fn a_success_is_paid_as_told_within_the_price_or_estimated() {
    let table = [
        (json!({"predict_time": 3.2}), "0.312", false),
        (json!({"predict_time": "3.2"}), "0.312", false),
        (json!({"predict_time": 0}), "0", false),
        (json!({"predict_time": 61.5}), "5.99625", false),
        // More than the six cents that a life can cost.
        (json!({"predict_time": 62}), "6", true),
        (json!({"predict_time": 1e18}), "6", true),
        (json!({"predict_time": -1}), "6", true),
        (json!({"predict_time": null}), "6", true),
        (json!({"predict_time": [3]}), "6", true),
        (json!(null), "6", true),
    ];
    for (metrics, cost, is_estimated) in table {
        let told_metrics = metrics.clone();
        let world = World::start(move |request| match is_look(request) {
            true => json(200, &succeeded(request, json!({ "metrics": told_metrics }))),
            false => vendor(request),
        })
        .await;
        let told = world.order(STEP, order(speech("en"))).await;
        let served = told.served();
        assert_eq!((served.cost, served.cost_is_estimated), (cents(cost), is_estimated), "{metrics}");
    }
}

#[tokio::test]
async fn the_first_file_of_a_list_is_taken() {
    let world = World::start(|request| {
        let url = format!("http://{}/replicate/files/a.wav", request.header("host").unwrap_or_default());
        match is_look(request) {
            true => {
                json(200, &succeeded(request, json!({"output": [{"path": url}, "http://elsewhere.test/b"]})))
            }
            false => vendor(request),
        }
    })
    .await;
    assert_eq!(brought(&world.order(STEP, order(speech("en"))).await).await.unwrap(), wav());
}

/// A world whose prediction works for ever, until it is canceled: then `after` is what looks show.
async fn canceled(cancel: fn() -> Reply, after: Value) -> (World, super::world::Told) {
    let is_canceled = std::sync::atomic::AtomicBool::new(false);
    let world = World::with(IMPATIENT, move |request| {
        use std::sync::atomic::Ordering::SeqCst;
        if request.path.ends_with("/cancel") {
            is_canceled.store(true, SeqCst);
            return cancel();
        }
        match (is_look(request), is_canceled.load(SeqCst)) {
            (true, true) if after.is_null() => reply(404, &[], "{}"),
            (true, true) if after["status"] == "succeeded" => json(200, &succeeded(request, Value::Null)),
            (true, true) => json(200, &after),
            (true, false) => json(200, &shown("processing")),
            _ => vendor(request),
        }
    })
    .await;
    let told = world.order(STEP, order(speech("en"))).await;
    assert_eq!(world.stand.count("POST /replicate/v1/predictions/p1a2b3/cancel"), 1);
    assert_eq!(world.stand.count("POST"), 2);
    (world, told)
}

#[tokio::test]
async fn a_prediction_that_takes_too_long_is_canceled_and_its_cost_told() {
    let ended = with("canceled", &json!({"started_at": "x", "metrics": {"predict_time": 1.6}}));
    type Case = (fn() -> Reply, Value, &'static str, &'static str, bool);
    let table: [Case; 7] = [
        (|| json(200, &shown("processing")), ended.clone(), "unavailable", "0.156", false),
        (|| reply(500, &[], "<html>"), ended.clone(), "unavailable", "0.156", false),
        (|| json(200, &shown("starting")), with("aborted", &json!({})), "unavailable", "0", false),
        // Accepted, and its end is not shown in time.
        (|| json(200, &shown("processing")), shown("processing"), "unavailable", "6", true),
        (|| reply(200, &[], "<html>"), shown("processing"), "unavailable", "6", true),
        (|| json(200, &shown("starting")), shown("starting"), "unavailable", "0", false),
        // Replicate knows it at neither of its addresses.
        (|| reply(404, &[], "{}"), Value::Null, "unavailable", "0", false),
    ];
    for (row, (cancel, after, class, cost, is_estimated)) in table.into_iter().enumerate() {
        let (_, told) = canceled(cancel, after).await;
        assert_eq!(told.failure(), (class, vec![class]), "row {row}");
        let attempt = told.outcome.unwrap_err().attempts.remove(0);
        assert_eq!((attempt.cost, attempt.cost_is_estimated), (cents(cost), is_estimated), "row {row}");
        assert_eq!(attempt.provider_request_id.as_deref(), Some("p1a2b3"), "row {row}");
    }
}

#[tokio::test]
async fn what_is_finished_while_it_is_canceled_is_delivered() {
    let (_, told) = canceled(|| json(200, &shown("processing")), shown("succeeded")).await;
    assert_eq!(told.served().cost, cents("0.312"));
}

#[tokio::test]
async fn a_prediction_that_can_not_be_seen_nor_canceled_is_not_bought_again() {
    let table: [fn() -> Reply; 4] =
        [|| reply(401, &[], "{}"), || reply(500, &[], ""), || vec![Say::Hang], || vec![Say::Cut]];
    for (row, odd) in table.into_iter().enumerate() {
        let world = World::with(IMPATIENT, move |request| {
            let is_creation = request.method == "POST" && request.path.ends_with("/predictions");
            if is_creation { vendor(request) } else { odd() }
        })
        .await;
        let told = world.order(&["replicate/xtts", "omnivoice/speech"], order(speech("en"))).await;
        assert_eq!(told.failure(), ("unknown_outcome", vec!["unknown_outcome"]), "row {row}");
        let attempt = told.outcome.unwrap_err().attempts.remove(0);
        assert_eq!((attempt.cost, attempt.cost_is_estimated), (cents("6"), true), "row {row}");
        assert_eq!(world.stand.count("POST /omnivoice"), 0, "row {row}");
    }
}

#[tokio::test]
async fn a_prediction_that_replicate_does_not_know_for_long_is_lost() {
    let world = World::with(IMPATIENT, |request| match request.path.contains("/p1a2b3") {
        true => reply(404, &[], "{}"),
        false => vendor(request),
    })
    .await;
    assert_eq!(world.order(STEP, order(speech("en"))).await.failure().0, "unavailable");
    assert!(world.stand.count("GET /replicate/v1/predictions/p1a2b3") >= 6);
}

#[tokio::test]
async fn a_prediction_that_is_canceled_before_its_start_costs_nothing() {
    let world = World::start(|request| {
        let status = if request.path.ends_with("/cancel") { "canceled" } else { "starting" };
        match request.path.contains("/p1a2b3") {
            true if is_look(request) && request.nth > 0 => json(200, &shown("canceled")),
            true => json(200, &shown(status)),
            false => vendor(request),
        }
    })
    .await;
    let (chain, order) = (world.chain(STEP), order(speech("en")));
    let visit = Visit::new(world.clock.now(), Duration::ZERO, Duration::from_secs(5));
    let at = |seconds| visit.now().after(Duration::from_secs(seconds));
    let begun = Work::new(visit.now(), at(60), at(90));
    let asking = chain.choose(&begun, &order).await.unwrap().asking(&begun, visit.now());
    let taken = chain.ask(&asking, &order, visit).await.work;
    let ticket = taken.ticket().unwrap().clone();
    let Visited::Next(ended) = chain.withdraw(&taken.ending(), &ticket, &order, visit).await else {
        panic!("it was canceled")
    };
    let attempt = &ended.attempts()[0];
    assert_eq!((attempt.failure, attempt.cost), (Some(FailureClass::Cancelled), CostCents::ZERO));
}
