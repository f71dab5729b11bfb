use serde_json::{Value, json};

use super::{Answer, ask, instant};
use crate::{ANTHROPIC_KEY, Fault, FaultRule, Sandbox, Service};

const HEADERS: [(&str, &str); 2] = [("x-api-key", ANTHROPIC_KEY), ("anthropic-version", "2023-06-01")];

fn request(stream: bool) -> Value {
    json!({
        "model": "claude-haiku-4-5", "max_tokens": 1024, "stream": stream,
        "messages": [{ "role": "user", "content": [{ "type": "text", "text": "a red kite" }] }],
    })
}

async fn ask_claude(sandbox: &Sandbox, headers: &[(&str, &str)], body: &Value) -> Answer {
    ask(sandbox, "POST /sandbox/anthropic/v1/messages", headers, body.to_string()).await
}

#[tokio::test]
async fn what_is_missing_is_refused_in_the_vendors_shape() {
    let sandbox = instant();
    let without = |name: &str| {
        let mut body = request(true);
        body.as_object_mut().expect("an object").remove(name);
        body
    };
    let mut other_model = request(true);
    other_model["model"] = json!("gpt-4");
    let cases = [
        (&HEADERS[1..], request(true), 401, "authentication_error"),
        (&[("x-api-key", "sk-ant-other"), HEADERS[1]][..], request(true), 401, "authentication_error"),
        (&HEADERS[..1], request(true), 400, "invalid_request_error"),
        (&HEADERS[..], without("max_tokens"), 400, "invalid_request_error"),
        (&HEADERS[..], without("messages"), 400, "invalid_request_error"),
        (&HEADERS[..], other_model, 404, "not_found_error"),
    ];
    for (headers, body, status, kind) in cases {
        let answer = ask_claude(&sandbox, headers, &body).await;
        let json = answer.json();
        assert_eq!(
            (answer.status, &json["error"]["type"], &json["type"]),
            (status, &json!(kind), &json!("error"))
        );
        assert_eq!(json["request_id"], answer.header("request-id"));
    }
}

#[tokio::test]
async fn the_key_is_also_taken_as_a_bearer() {
    let bearer = |key: &str| format!("Bearer {key}");
    for (key, status) in [(bearer(ANTHROPIC_KEY), 200), (bearer("sk-ant-other"), 401)] {
        let headers = [("authorization", key.as_str()), HEADERS[1]];
        assert_eq!(ask_claude(&instant(), &headers, &request(false)).await.status, status);
    }
}

#[tokio::test]
async fn the_stream_follows_the_documented_events() {
    let answer = ask_claude(&instant(), &HEADERS, &request(true)).await;
    let events: Vec<Value> =
        answer.events().iter().map(|data| serde_json::from_str(data).expect("JSON")).collect();
    let mut kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().expect("a type")).collect();
    let names: Vec<&str> = answer.text().lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(kinds, names);
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    let text: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
    assert!(text.contains("a red kite"));

    let start = &events[0]["message"]["usage"];
    let end = &events[events.len() - 2];
    assert_eq!((&start["output_tokens"], &start["input_tokens"]), (&json!(1), &json!(3)));
    assert!(end["usage"]["output_tokens"].as_u64() > Some(20));
    assert_eq!(end["delta"]["stop_reason"], "end_turn");

    let whole = ask_claude(&instant(), &HEADERS, &request(false)).await.json();
    assert_eq!((&whole["content"][0]["text"], &whole["usage"]), (&json!(text), &end["usage"]));
}

#[tokio::test]
async fn a_stream_can_refuse_fail_or_say_nothing() {
    let sandbox = instant();
    for (fault, has, has_not) in [
        (Fault::ContentFilter, "\"stop_reason\":\"refusal\"", "\"end_turn\""),
        (Fault::ErrorFrame { after: 2 }, "event: error", "message_stop"),
        (Fault::EndEarly { after: 2 }, "text_delta", "message_delta"),
        (Fault::Empty, "message_stop", "content_block"),
    ] {
        sandbox.faults().set(Service::Anthropic, FaultRule::once(fault));
        let answer = ask_claude(&sandbox, &HEADERS, &request(true)).await;
        assert!(answer.status == 200 && !answer.is_broken);
        assert!(answer.text().contains(has) && !answer.text().contains(has_not), "{has}");
    }
}
