//! Messages that say they come from Apify.

use super::apify::{CAPTIONS, captions, query, said, vendor};
use super::world::{World, env};
use crate::{ApifyWebhook, JobOrder, Unbelieved};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::Platform;
use primitives::{Clock, JobId, Timestamp};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

const SECRET: (&str, &str) = ("APIFY_WEBHOOK_SECRET", "a long secret");
const BODY: &str = r#"{"userId":"u","eventType":"ACTOR.RUN.SUCCEEDED","eventData":{"actorId":"a","actorRunId":"run1"},"resource":{"id":"run1","status":"SUCCEEDED"}}"#;

fn job() -> JobId {
    "01KAQ3V7W05A5XM3YFMXP5K4KG".parse().unwrap()
}

/// The webhook that a start asked for.
async fn asked_for(settings: [(&str, &str); 1]) -> Option<Value> {
    let world = World::with(settings, |request| vendor(request, &said())).await;
    let order = JobOrder {
        webhooks: Some("https://api.test/v1/webhooks/providers/".parse().unwrap()),
        ..captions(None)
    };
    world.order(CAPTIONS, order).await.served();
    let parameter = query(&world.stand.requests()[0], "webhooks")?;
    Some(serde_json::from_slice(&STANDARD.decode(parameter).unwrap()).unwrap())
}

fn webhook(settings: [(&str, &str); 1]) -> ApifyWebhook {
    let clock = Clock::manual(Timestamp::from_seconds(0));
    ApifyWebhook::new(&Platform::build(env("127.0.0.1:9").with(settings), clock, None).unwrap()).unwrap()
}

fn headers(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-citipen-token", token.parse().unwrap());
    headers
}

#[tokio::test]
async fn a_start_asks_to_be_told_of_every_end_with_a_token_of_its_run() {
    let asked = asked_for([SECRET]).await.unwrap();
    let events = ["ACTOR.RUN.SUCCEEDED", "ACTOR.RUN.FAILED", "ACTOR.RUN.TIMED_OUT", "ACTOR.RUN.ABORTED"];
    assert_eq!(asked[0]["eventTypes"], json!(events));
    let address = "https://api.test/v1/webhooks/providers/apify/01KAQ3V7W05A5XM3YFMXP5K4KG";
    assert_eq!(asked[0]["requestUrl"], address, "no secret is in an address");
    let header: Value = serde_json::from_str(asked[0]["headersTemplate"].as_str().unwrap()).unwrap();
    let token = header["x-citipen-token"].as_str().unwrap();
    assert!(!asked.to_string().contains(SECRET.1), "the secret itself stays here");

    let apify = webhook([SECRET]);
    assert_eq!(apify.authenticate(job(), &headers(token), BODY.as_bytes()), Ok("run1".to_owned()));
    let other: JobId = "01KAQ3V7W00000000000000002".parse().unwrap();
    let told = apify.authenticate(other, &headers(token), BODY.as_bytes());
    assert_eq!(told, Err(Unbelieved::OtherToken), "it is good for one run");
    assert!(!format!("{apify:?}").contains(SECRET.1));
}

#[tokio::test]
async fn without_a_secret_nothing_is_asked_for_and_nothing_believed() {
    assert_eq!(asked_for([("APIFY_WEBHOOK_SECRET", "")]).await, None);
    let told = webhook([("APIFY_WEBHOOK_SECRET", "")]).authenticate(job(), &headers("00"), BODY.as_bytes());
    assert_eq!(told, Err(Unbelieved::Unexpected));
}

#[tokio::test]
async fn what_has_no_good_token_is_not_believed_whatever_it_says() {
    let apify = webhook([SECRET]);
    let forged = "0".repeat(64);
    for token in ["", "zz", "00", SECRET.1, forged.as_str()] {
        let told = apify.authenticate(job(), &headers(token), BODY.as_bytes());
        assert_eq!(told, Err(Unbelieved::OtherToken), "{token}");
    }
    assert_eq!(apify.authenticate(job(), &HeaderMap::new(), BODY.as_bytes()), Err(Unbelieved::OtherToken));
}

#[tokio::test]
async fn a_message_that_names_no_run_is_not_followed() {
    let asked = asked_for([SECRET]).await.unwrap();
    let header: Value = serde_json::from_str(asked[0]["headersTemplate"].as_str().unwrap()).unwrap();
    let headers = headers(header["x-citipen-token"].as_str().unwrap());
    let apify = webhook([SECRET]);
    for body in [
        "",
        "{}",
        "[]",
        "<html>",
        r#"{"eventData":{"actorRunId":"../users/me"}}"#,
        r#"{"resource":{"id":7}}"#,
    ] {
        let told = apify.authenticate(job(), &headers, body.as_bytes());
        assert_eq!(told, Err(Unbelieved::Nameless), "{body}");
    }
    // Either of them names the run.
    for body in [r#"{"eventData":null,"resource":{"id":"run1"}}"#, r#"{"eventData":{"actorRunId":"run1"}}"#] {
        assert_eq!(apify.authenticate(job(), &headers, body.as_bytes()), Ok("run1".to_owned()), "{body}");
    }
}
