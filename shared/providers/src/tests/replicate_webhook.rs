//! Messages that say they come from Replicate.

use super::world::env;
use crate::{NotReplicates, ReplicateWebhook};
use platform::Platform;
use primitives::{Clock, Timestamp};
use reqwest::header::HeaderMap;

// docs/facts/providers.md, "Replicate's webhook": made with another implementation, and believed by PyPI svix 2.9.1.
const SECRET: &str = "whsec_Y2l0aXBlbi1kZW1vLXNlY3JldC0zMi1ieXRlcy1vayE=";
const OTHER: &str = "whsec_bm90LXRoZS1rZXktb2YtcmVwbGljYXRlLWF0LWFsbCE=";
const AT: u64 = 1_790_000_000;
const BODY: &str = r#"{"id":"p1a2b3","status":"succeeded","output":"https://media.test/o.wav"}"#;
const SIGNATURE: &str = "v1,zKlO254CMCuP1IFGeLnIVpYfiLMSiPRYAOygJy1hcNY=";

fn headers(changed: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let own =
        [("webhook-id", "msg_demo1"), ("webhook-timestamp", "1790000000"), ("webhook-signature", SIGNATURE)];
    for (name, value) in own.iter().chain(changed) {
        headers.insert(*name, value.parse().unwrap());
    }
    headers
}

fn webhook(secrets: &str) -> Result<ReplicateWebhook, String> {
    let env = env("127.0.0.1:1").with([("REPLICATE_WEBHOOK_SECRETS", secrets)]);
    let platform = Platform::build(env, Clock::system(), None).unwrap();
    ReplicateWebhook::new(&platform).map_err(|error| error.to_string())
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

#[test]
fn the_published_message_is_replicates_with_any_of_our_secrets_and_any_of_its_signatures() {
    let wrong_first = format!("v1,AAAA v2,{SIGNATURE} nonsense {SIGNATURE}");
    for secrets in [SECRET.to_owned(), format!("{OTHER}, {SECRET}")] {
        let replicate = webhook(&secrets).unwrap();
        for signature in [SIGNATURE, &wrong_first] {
            let headers = headers(&[("webhook-signature", signature)]);
            assert_eq!(replicate.authenticate(&headers, BODY.as_bytes(), at(AT)), Ok("p1a2b3".to_owned()));
        }
    }
}

#[test]
fn what_was_changed_or_is_out_of_time_is_not() {
    let replicate = webhook(SECRET).unwrap();
    let body = BODY.as_bytes();
    for (changed, now, why) in [
        (("webhook-id", "msg_demo2"), AT, NotReplicates::Signature),
        (("webhook-timestamp", "1790000001"), AT, NotReplicates::Signature),
        (("webhook-signature", "v1,AAAA"), AT, NotReplicates::Signature),
        (("webhook-signature", SIGNATURE.trim_start_matches("v1,")), AT, NotReplicates::Signature),
        (("webhook-id", "msg.demo1"), AT, NotReplicates::Unsigned),
        (("webhook-id", ""), AT, NotReplicates::Unsigned),
        (("webhook-timestamp", "soon"), AT, NotReplicates::Unsigned),
        (("webhook-timestamp", "-1790000000"), AT, NotReplicates::Unsigned),
        (("webhook-id", "msg_demo1"), AT + 301, NotReplicates::OutOfTime),
        (("webhook-id", "msg_demo1"), AT - 301, NotReplicates::OutOfTime),
    ] {
        assert_eq!(replicate.authenticate(&headers(&[changed]), body, at(now)), Err(why), "{changed:?}");
    }
    let other = BODY.replace("o.wav", "p.wav");
    let refused = replicate.authenticate(&headers(&[]), other.as_bytes(), at(AT));
    assert_eq!(refused, Err(NotReplicates::Signature));
    assert_eq!(replicate.authenticate(&HeaderMap::new(), body, at(AT)), Err(NotReplicates::Unsigned));
    let mut doubled = headers(&[]);
    doubled.append("webhook-id", "msg_demo1".parse().unwrap());
    assert_eq!(replicate.authenticate(&doubled, body, at(AT)), Err(NotReplicates::Unsigned));
    assert!(replicate.authenticate(&headers(&[]), body, at(AT + 300)).is_ok());
    assert!(replicate.authenticate(&headers(&[]), body, at(AT - 300)).is_ok());
}

#[test]
fn without_a_secret_nothing_is_believed_and_a_bad_one_stops_the_start() {
    let none = webhook("").unwrap();
    let refused = none.authenticate(&headers(&[]), BODY.as_bytes(), at(AT));
    assert_eq!(refused, Err(NotReplicates::NoSecret));
    for bad in ["whsec_", "whsec_not base64!", "Y2l0aXBlbg==", &format!("{SECRET},whsec_")] {
        let complaint = webhook(bad).unwrap_err();
        assert!(
            complaint.contains("REPLICATE_WEBHOOK_SECRETS") && !complaint.contains("Y2l0"),
            "{complaint}"
        );
    }
}

#[test]
fn a_message_about_nothing_names_no_prediction() {
    let replicate = webhook(SECRET).unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"citipen-demo-secret-32-bytes-ok!");
    for body in ["", "null", "{}", r#"{"id":null}"#, r#"{"id":".."}"#, r#"{"id":"p1/cancel"}"#] {
        let tag = ring::hmac::sign(&key, format!("msg_demo1.{AT}.{body}").as_bytes());
        let signature =
            format!("v1,{}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, tag));
        let told =
            replicate.authenticate(&headers(&[("webhook-signature", &signature)]), body.as_bytes(), at(AT));
        assert_eq!(told, Err(NotReplicates::Nameless), "{body}");
    }
}
