//! The client leaves: the run goes on to its end all the same, although Lambda freezes the environment as soon as the
//! function asks for its next event, and whatever Lambda does with an answer that nobody reads.

use super::Cloud;
use super::cloud::{charges, patiently, read_until};
use crate::world::{Person, credit, script};
use emulator::ClientGone;
use primitives::{Clock, RunId};
use sandbox::Service;
use serde_json::{Value, json};

const PACED: &str = "a red kite [[sandbox:pace ms=1]]";

fn wish(run: &str) -> Value {
    let mut wish = script(PACED);
    wish["run_id"] = json!(run);
    wish
}

fn request(person: &Person, accept: &str, run: &str) -> reqwest::RequestBuilder {
    let request = person.request("POST", "/v1/runs").header("accept", accept);
    request.header("content-type", "application/json").body(wish(run).to_string())
}

/// The run has ended well, in the environment it began in, and was charged once.
async fn assert_finished(cloud: &Cloud, person: &Person, run: &str) {
    cloud.rest("RunTool").await;
    let courses = cloud.lambda.courses("RunTool");
    let logs = cloud.logs.of("RunTool").join("\n");
    let state = person.get(&format!("/v1/runs/{run}")).await;
    assert_eq!(state.body["status"], "succeeded", "{}\n{courses:?}\n{logs}", state.text);
    assert_eq!(state.body["charged"], credit(1), "{}", state.text);
    assert!(state.body["outputs"][0]["text"].as_str().unwrap().contains("a red kite"), "{}", state.text);
    assert_eq!((courses.len(), courses[0].polls.len()), (1, 2), "{courses:?}\n{logs}");
    assert!(courses[0].is_frozen, "it waits for its next event: {courses:?}\n{logs}");
    assert_eq!(person.balance().await, (99, 0, 0));
    assert_eq!(charges(&person.transactions().await), [run]);
    let asked = cloud.sandbox.journal();
    let asked = asked.iter().filter(|entry| entry.service == Service::Deepseek).count();
    assert_eq!(asked, 1, "the provider is asked once");

    let again = person.run(&wish(run)).await;
    assert_eq!((again.status, &again.body["charged"]), (200, &credit(1)), "{}", again.text);
    assert_eq!(person.balance().await, (99, 0, 0), "the same run, and no charge for looking at it");
    cloud.rest("RunTool").await;
    assert_eq!(cloud.lambda.courses("RunTool").len(), 1, "the environment goes on serving");
    cloud.check_books().await;
}

async fn leave_in_mid_stream(client_gone: ClientGone) {
    let cloud = Cloud::where_clients_are(client_gone).await;
    let (ann, run) = (cloud.person("ann"), RunId::mint(Clock::system().now()).to_string());
    let mut held = cloud.hold(Service::Deepseek, 8);
    let mut response = patiently(request(&ann, "text/event-stream", &run).send()).await.unwrap();
    read_until(&mut response, "event: delta").await;
    patiently(held.reached()).await;

    drop(response);
    patiently(cloud.lambda.clients_left(1)).await;
    held.release();

    assert_finished(&cloud, &ann, &run).await;
}

async fn leave_before_the_provider_answers(client_gone: ClientGone, accept: &'static str) {
    let cloud = Cloud::where_clients_are(client_gone).await;
    let (ann, run) = (cloud.person("ann"), RunId::mint(Clock::system().now()).to_string());
    let mut held = cloud.hold(Service::Deepseek, 0);
    let asking = tokio::spawn(request(&ann, accept, &run).send());
    patiently(held.reached()).await;

    asking.abort();
    patiently(cloud.lambda.clients_left(1)).await;
    held.release();

    assert_finished(&cloud, &ann, &run).await;
}

#[tokio::test]
async fn a_run_ends_although_its_client_left_in_mid_stream() {
    leave_in_mid_stream(ClientGone::Drained).await;
}

#[tokio::test]
async fn a_run_ends_although_its_stream_was_reset() {
    leave_in_mid_stream(ClientGone::Cut).await;
}

#[tokio::test]
async fn a_run_ends_although_its_client_left_before_the_provider_answered() {
    leave_before_the_provider_answers(ClientGone::Drained, "text/event-stream").await;
    leave_before_the_provider_answers(ClientGone::Drained, "application/json").await;
}

#[tokio::test]
async fn a_run_ends_although_its_answer_is_reset_at_once() {
    leave_before_the_provider_answers(ClientGone::Cut, "text/event-stream").await;
    leave_before_the_provider_answers(ClientGone::Cut, "application/json").await;
}
