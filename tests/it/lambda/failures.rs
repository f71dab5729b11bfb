//! What goes wrong between the gateway, Lambda and a function.

use super::Cloud;
use super::cloud::{gateways, patiently};
use crate::world::{http, script};
use emulator::{Ending, Options};
use sandbox::Service;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn what_is_no_route_is_refused_by_the_gateway_itself() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");
    for (method, path) in [("GET", "/v1/nothing"), ("DELETE", "/v1/runs"), ("GET", "/v1/top-ups/claims")] {
        let answer = ann.send(method, path, &json!({})).await;
        assert_eq!(gateways(&answer), (404, "not_found"), "{method} {path}");
    }
    let without_stage = cloud.api().strip_suffix("/live").unwrap();
    // API Gateway's own answer, of an address that is no API's: our document says nothing of it.
    let answer = http().get(format!("{without_stage}/v1/pricing")).send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    assert_eq!((status, text.contains("Forbidden")), (403, true), "no API is there: {text}");
    assert!(cloud.lambda.courses("Pricing").is_empty(), "no function was started for it");
}

#[tokio::test]
async fn a_request_above_ten_megabytes_reaches_no_function() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");
    let answer = ann.run(&script(&"x".repeat(10 * 1024 * 1024))).await;
    assert_eq!(gateways(&answer), (413, "body_too_large"));
    assert!(cloud.lambda.courses("RunTool").is_empty());
}

#[tokio::test]
async fn a_function_that_crashes_is_a_bad_gateway_and_the_next_request_is_served() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");
    let mut held = cloud.hold(Service::Deepseek, 0);
    let crashing = ann.clone();
    let crashing = tokio::spawn(async move { crashing.script("a red kite").await });
    patiently(held.reached()).await;

    cloud.lambda.kill("RunTool");

    let answer = patiently(crashing).await.unwrap();
    assert_eq!(gateways(&answer), (502, "no_answer"));
    cloud.rest("RunTool").await;
    assert_eq!(cloud.lambda.courses("RunTool")[0].ending, Some(Ending::Killed));
    held.release();
    let next = ann.script("a red kite").await;
    assert_eq!(next.status, 200, "{}", next.text);
    assert_eq!(cloud.lambda.courses("RunTool").len(), 2, "in an environment of its own");
    assert_eq!(ann.balance().await, (98, 1, 0), "the hold of the crashed run waits for the sweep");
    cloud.check_books().await;
}

#[tokio::test]
async fn an_environment_that_dies_in_its_sleep_is_replaced() {
    let cloud = Cloud::start().await;
    let ann = cloud.person("ann");
    assert_eq!(ann.get("/v1/pricing").await.status, 200);
    cloud.rest("Pricing").await;

    cloud.lambda.kill("Pricing");

    assert_eq!(ann.get("/v1/pricing").await.status, 200, "also if nobody has noticed the death yet");
    cloud.rest("Pricing").await;
    let endings: Vec<_> = cloud.lambda.courses("Pricing").into_iter().map(|course| course.ending).collect();
    assert_eq!(endings, [Some(Ending::Killed), None]);
}

#[tokio::test]
async fn a_function_that_takes_too_long_answers_before_it_is_ended() {
    // A second of it is kept for the answer.
    let timeouts = [("RunTool".to_owned(), Duration::from_secs(2))].into();
    let cloud = Cloud::with(Options { timeouts, ..Options::default() }).await;
    let ann = cloud.person("ann");
    let held = cloud.hold(Service::Deepseek, 0);

    let answer = patiently(ann.script("a red kite")).await;

    assert_eq!((answer.status, answer.problem()), (504, "timed_out"), "{}", answer.text);
    cloud.rest("RunTool").await;
    assert_eq!(
        cloud.lambda.courses("RunTool")[0].ending,
        Some(Ending::TimedOut),
        "its run went on until then"
    );
    held.release();
    assert_eq!(ann.balance().await, (99, 1, 0), "held until the sweep");
    cloud.check_books().await;
}
