//! Providers that answer in odd ways: whose fault it is, whether it ended, whether there is anything in it, and what is
//! bought because of it. The adapters' own tests try the bytes one by one; here it is money and calls.

use crate::books;
use crate::world::{World, image, script};
use sandbox::{Fault, FaultRule, Service, Then};
use serde_json::json;
use std::collections::BTreeMap;

fn said(status: u16, body: &str) -> Fault {
    let content_type = "application/json".to_owned();
    Fault::Scripted { status, headers: BTreeMap::new(), content_type, body: body.to_owned(), then: Then::End }
}

/// An event stream of DeepSeek's.
fn streamed(events: &[&str]) -> Fault {
    let body = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    Fault::Scripted {
        status: 200,
        headers: BTreeMap::new(),
        content_type: "text/event-stream".to_owned(),
        body,
        then: Then::End,
    }
}

const THINKING: &str = r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#;
const TEXT: &str = r#"{"choices":[{"delta":{"content":"Xin chào"}}]}"#;
const BLANK: &str = r#"{"choices":[{"delta":{"content":" \n\n"}}]}"#;
const STOP: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
const LENGTH: &str = r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#;
const NO_REASON: &str = r#"{"choices":[{"delta":{},"finish_reason":""}]}"#;
const NULL_COUNTS: &str = r#"{"choices":null,"usage":{"prompt_tokens":9,"completion_tokens":3,"completion_tokens_details":{"reasoning_tokens":null}}}"#;

#[tokio::test]
async fn what_is_ours_to_mend_is_never_the_customers_input() {
    let table = [
        r#"{"error":{"message":"Model Not Exist","code":"invalid_request_error"}}"#,
        r#"{"error":{"message":"Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"}}"#,
        r#"{"error":{"message":"something new"}}"#,
        "",
    ];
    for body in table {
        let world = World::start().await;
        let ann = world.person("ann");
        world.sandbox.faults().set(Service::Deepseek, FaultRule::always(said(400, body)));
        let run = ann.script("a red kite").await;
        assert_eq!(
            (run.status, run.body["receipt"]["provider"].as_str()),
            (200, Some("anthropic")),
            "{body}"
        );

        let no_credit =
            r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#;
        world.sandbox.faults().set(Service::Anthropic, FaultRule::always(said(400, no_credit)));
        let run = ann.script("another kite").await;
        assert_eq!((run.status, run.problem()), (502, "provider_failed"), "{body}");
        assert!(!run.text.contains("balance") && !run.text.contains("Model"), "{}", run.text);
        books::check(&world).await;
    }
}

#[tokio::test]
async fn a_prompt_that_is_too_long_and_a_refused_content_are_the_customers() {
    let table = [
        ("This model's maximum context length is 65536 tokens.", "invalid_input", 422),
        ("Content Exists Risk", "content_rejected", 422),
    ];
    for (message, problem, status) in table {
        let world = World::start().await;
        let ann = world.person("ann");
        let body = json!({"error": {"message": message}}).to_string();
        world.sandbox.faults().set(Service::Deepseek, FaultRule::always(said(400, &body)));
        let run = ann.script("a red kite").await;
        assert_eq!((run.status, run.problem()), (status, problem), "{}", run.text);
        assert_eq!(world.provider_calls(Service::Anthropic), 0);
        assert_eq!(ann.balance().await, (100, 0, 0));
        books::check(&world).await;
    }
}

#[tokio::test]
async fn a_reasoner_that_thinks_up_to_its_limit_is_free_and_asks_no_dearer_provider() {
    let world = World::start().await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Deepseek, FaultRule::always(streamed(&[THINKING, LENGTH, "[DONE]"])));
    for _ in 0..7 {
        let mut wish = script("think long");
        wish["input"]["model"] = json!("reasoner");
        let run = ann.run(&wish).await;
        assert_eq!((run.status, run.problem()), (502, "provider_failed"), "{}", run.text);
        assert!(run.text.contains("length limit"), "{}", run.text);
    }
    assert_eq!(world.provider_calls(Service::Anthropic), 0);
    assert_eq!(world.provider_calls(Service::Deepseek), 7, "and it stays open for all others");
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn blanks_are_no_answer_and_a_cut_is_no_end() {
    let world = World::start().await;
    let ann = world.person("ann");
    let faults = world.sandbox.faults();
    faults.set(Service::Deepseek, FaultRule::once(streamed(&[BLANK, BLANK, STOP, "[DONE]"])));
    let run = ann.script("a red kite").await;
    assert_eq!(
        (run.status, run.body["receipt"]["provider"].as_str()),
        (200, Some("anthropic")),
        "{}",
        run.text
    );

    faults.set(Service::Deepseek, FaultRule::once(streamed(&[TEXT, NO_REASON])));
    let run = ann.script("a green kite").await;
    assert_eq!(run.problem(), "provider_failed", "{}", run.text);
    assert_eq!(ann.balance().await, (99, 0, 0), "the first was charged, the second was not");
    books::check(&world).await;
}

#[tokio::test]
async fn null_beside_a_finished_answer_does_not_throw_it_away() {
    let world = World::start().await;
    let ann = world.person("ann");
    let events = [TEXT, NULL_COUNTS, STOP, " [DONE] "];
    world.sandbox.faults().set(Service::Deepseek, FaultRule::always(streamed(&events)));
    for _ in 0..6 {
        let run = ann.script("a red kite").await;
        assert_eq!(
            (run.status, run.body["receipt"]["provider"].as_str()),
            (200, Some("deepseek")),
            "{}",
            run.text
        );
    }
    books::check(&world).await;
}

#[tokio::test]
async fn one_odd_look_at_a_job_does_not_pay_a_second_one() {
    let table = [said(404, "{}"), said(401, "{}"), said(500, ""), said(200, "null")];
    for odd in table {
        for place in ["/status", "/requests/"] {
            let world = World::start().await;
            let ann = world.person("ann");
            let rule = FaultRule { fault: odd.clone(), times: Some(1), matching: Some(place.to_owned()) };
            world.sandbox.faults().set(Service::Fal, rule);
            let run = ann.run(&image("a red kite")).await;
            assert_eq!(
                (run.status, run.body["receipt"]["provider"].as_str()),
                (200, Some("fal")),
                "{}",
                run.text
            );
            assert_eq!(world.provider_calls(Service::Comfyui), 0, "{odd:?} at {place}");
            books::check(&world).await;
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_image_is_not_sold() {
    let png = "\u{fffd}PNG\r\n\u{1a}\n<script>alert(1)</script>";
    let world = World::with(&[("PROVIDER_FIRST_CONTENT_MS_IMAGE", "3000")]).await;
    let ann = world.person("ann");
    let rule = FaultRule { fault: said(200, png), times: None, matching: Some("/files/".to_owned()) };
    world.sandbox.faults().set(Service::Fal, rule);
    let run = ann.run(&image("a red kite")).await;
    assert_eq!(
        (run.status, run.body["receipt"]["provider"].as_str()),
        (200, Some("comfyui")),
        "{}",
        run.text
    );
    books::check(&world).await;
}

#[tokio::test]
async fn one_customers_failures_close_a_provider_for_nobody_else() {
    let world = World::start().await;
    let (ann, ben) = (world.person("ann"), world.person("ben"));
    world
        .sandbox
        .faults()
        .set(Service::Deepseek, FaultRule { times: Some(7), ..FaultRule::always(Fault::DropConnection) });
    for _ in 0..7 {
        assert_eq!(ann.script("a red kite").await.body["receipt"]["provider"], "anthropic");
    }
    assert_eq!(ben.script("a red kite").await.body["receipt"]["provider"], "deepseek");
    books::check(&world).await;
}
