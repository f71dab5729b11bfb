//! Every attempt is recorded with its outcome, its time and its cost, and so is that the client left.

use crate::books;
use crate::world::{World, new_run_id, script, text_of};
use media::{Media, MediaError, OutputKind};
use primitives::{CostCents, Private};
use sandbox::{Fault, FaultRule, Service};
use serde_json::{Value, json};
use std::time::Duration;

fn busy() -> FaultRule {
    FaultRule::always(Fault::Status { status: 429, retry_after: Some(0) })
}

/// `(provider, outcome)` of every attempt of a run's receipt.
fn attempts(run: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let attempts = run["receipt"]["attempts"].as_array().unwrap();
    attempts.iter().map(|attempt| (text(&attempt["provider"]), text(&attempt["outcome"]))).collect()
}

#[tokio::test]
async fn the_fourth_attempt_is_in_the_record_too() {
    let world = World::start().await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Deepseek, busy());
    world.sandbox.faults().set(Service::Anthropic, busy());
    let mut wish = script("a red kite");
    wish["run_id"] = json!(new_run_id());
    assert_eq!(ann.run(&wish).await.problem(), "provider_failed");

    let run = ann.get(&format!("/v1/runs/{}", wish["run_id"].as_str().unwrap())).await;
    let told = attempts(&run.body);
    let of = |provider: &str| told.iter().filter(|(name, _)| name == provider).count();
    assert_eq!((of("deepseek"), of("anthropic")), (2, 2), "{told:?}");
    let failed =
        run.body["timeline"].as_array().unwrap().iter().filter(|step| step["what"] == "attempt_failed");
    assert!(failed.clone().count() == 4 && failed.clone().all(|step| step["at"].is_string()), "{}", run.text);
    let rows = books::scan(&world, "usage_log").await;
    assert_eq!(rows[0]["attempts"].as_l().unwrap().len(), 4, "{:?}", rows[0]);
    books::check(&world).await;
}

#[tokio::test]
async fn what_a_failed_attempt_cost_stands_beside_what_served_cost() {
    let world = World::start().await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Deepseek, FaultRule::always(Fault::Empty));
    let run = ann.script("a red kite").await;
    assert_eq!(run.status, 200, "{}", run.text);
    let told: Vec<(String, String)> = attempts(&run.body);
    assert_eq!(
        told,
        [("deepseek", "empty_answer"), ("anthropic", "served")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
    let cents = |value: &Value| value.as_str().unwrap().parse::<CostCents>().unwrap();
    let receipt = &run.body["receipt"];
    assert!(cents(&receipt["failed_cost_cents"]) > CostCents::ZERO, "{}", run.text);
    assert_eq!(receipt["attempts"][0]["cost_cents"], receipt["failed_cost_cents"]);
    assert!(cents(&receipt["attempts"][1]["cost_cents"]) > CostCents::ZERO);

    let row = &books::scan(&world, "usage_log").await[0];
    assert_eq!(row["failedCostCents"].as_s().unwrap(), receipt["failed_cost_cents"].as_str().unwrap());
    assert_eq!(
        row["providerCostCents"].as_s().unwrap(),
        receipt["attempts"][1]["cost_cents"].as_str().unwrap()
    );
    let stored = row["attempts"].as_l().unwrap();
    assert!(stored[0].as_s().unwrap().starts_with("deepseek empty_answer "), "{stored:?}");
    assert!(!row.contains_key("clientLeft"));
    books::check(&world).await;
}

#[tokio::test]
async fn that_the_client_left_is_a_fact_of_the_run() {
    let world = World::start().await;
    let ann = world.person("ann");
    let mut wish = script("a red kite [[sandbox:pace ms=20]]");
    wish["run_id"] = json!(new_run_id());
    let request = ann.request("POST", "/v1/runs").header("accept", "text/event-stream");
    let request = request.header("content-type", "application/json").body(wish.to_string());
    let mut response = request.send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    drop(response);
    // The repeat listens to the end; the run's own client is gone all the same.
    let replayed = ann.stream(&wish).await.unwrap();
    assert!(text_of(&replayed).contains("a red kite"));

    let run = ann.get(&format!("/v1/runs/{}", wish["run_id"].as_str().unwrap())).await;
    assert_eq!(
        (run.body["status"].as_str(), run.body["client_left"].as_bool()),
        (Some("succeeded"), Some(true))
    );
    let row = &books::scan(&world, "usage_log").await[0];
    assert!(*row["clientLeft"].as_bool().unwrap());
    let stayed = ann.script("a blue kite").await;
    assert!(stayed.body["client_left"].is_null(), "{}", stayed.text);
    books::check(&world).await;
}

/// The store deletes once a day, so for some hours the object is still there.
#[tokio::test]
async fn a_text_is_told_until_the_moment_it_expires_although_its_object_is_still_there() {
    let world = World::start().await;
    let ann = world.person("ann");
    let run = ann.script("a red kite").await;
    let path = format!("/v1/runs/{}", run.body["id"].as_str().unwrap());
    let media = Media::new(&world.accountant).unwrap();
    let text = Private::new(b"a red kite".to_vec());
    let account = ann.id().parse().unwrap();
    let stored = media.store(&account, "beside", OutputKind::Text, text, world.now()).await.unwrap();

    world.advance(Duration::from_secs(30 * 86_400 - 1));
    assert!(ann.get(&path).await.body["outputs"][0]["text"].is_string());
    assert!(media.text(&stored, world.now()).await.is_ok());
    world.advance(Duration::from_secs(1));

    let gone = ann.get(&path).await;
    let output = &gone.body["outputs"][0];
    assert_eq!(
        (&output["expired"], &output["text"], &output["download_url"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    assert!(matches!(media.text(&stored, world.now()).await, Err(MediaError::Gone)));
    assert!(matches!(media.links(&stored, world.now()).await, Err(MediaError::Gone)));
    assert_eq!(gone.body["receipt"]["entry_id"], run.body["receipt"]["entry_id"], "what it cost stays");
}
