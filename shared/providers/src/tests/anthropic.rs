use super::stand::{Answer, Headers, Reply, Say, ended, reply, stream, then};
use super::world::{PROMPT, World};
use crate::{Ending, Event, ProviderName};
use serde_json::json;

const START: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\
                     \"role\":\"assistant\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":25,\
                     \"cache_creation_input_tokens\":10,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\n\n";
const PING: &str = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
const BLOCK: &str = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\
                     \"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
const THINKING: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\
                        \"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n";
const TEXT: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\
                    \"delta\":{\"type\":\"text_delta\",\"text\":\"Chào\"}}\n\n";
const UNKNOWN: &str = "event: novelty\ndata: {\"type\":\"novelty\",\"x\":[1]}\n\n\
                       data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"odd_delta\",\"text\":\"no\"}}\n\n";
const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

fn last(reason: &str) -> String {
    format!(
        "event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{reason}\",\
         \"stop_sequence\":null}},\"usage\":{{\"output_tokens\":15}}}}\n\n"
    )
}

pub(super) fn whole() -> Reply {
    ended(stream(&[START, PING, BLOCK, TEXT, UNKNOWN, &last("end_turn"), STOP]))
}

#[tokio::test]
async fn a_text_arrives_with_its_usage_and_cost() {
    let world = World::start(|_| whole()).await;
    let told = world.text(&["anthropic/premium"]).await;

    assert_eq!(told.events, [Event::Delta("Chào".to_owned())]);
    let served = told.served();
    assert_eq!((served.provider, served.ending), (ProviderName::Anthropic, Ending::Complete));
    assert_eq!((served.usage.input_tokens, served.usage.cached_input_tokens), (135, 100));
    assert_eq!(served.usage.output_tokens, 15, "the placeholder of the start is not the bill");
    // 25 × 200 + 100 × 20 + 10 × 250 + 15 × 1000 cents per million
    assert_eq!(served.cost, "0.0245".parse().unwrap());
    assert!(!served.cost_is_estimated);
    assert_eq!(served.attempts[0].provider_request_id.as_deref(), Some("msg_1"));
}

#[tokio::test]
async fn the_request_is_the_documented_one() {
    let world = World::with([("ANTHROPIC_MODEL", "claude-x")], |_| whole()).await;
    world.text(&["anthropic/premium"]).await;

    let [request] = world.stand.requests().try_into().ok().unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/anthropic/v1/messages"));
    assert_eq!(request.header("x-api-key"), Some("claude-key"));
    assert_eq!(request.header("anthropic-version"), Some("2023-06-01"));
    let expected = json!({
        "model": "claude-x", "max_tokens": 500, "stream": true,
        "messages": [{"role": "user", "content": PROMPT}],
    });
    assert_eq!(request.json(), expected);

    let world = World::with([("ANTHROPIC_THINKING", "between_tools")], |_| whole()).await;
    world.text(&["anthropic/premium"]).await;
    assert_eq!(world.stand.requests()[0].json()["thinking"], json!({"type": "between_tools"}));
}

#[tokio::test]
async fn endings_are_told_apart() {
    let table = [
        ("end_turn", Ok(Ending::Complete)),
        ("stop_sequence", Ok(Ending::Complete)),
        ("max_tokens", Ok(Ending::LengthLimit)),
        ("model_context_window_exceeded", Ok(Ending::LengthLimit)),
        ("refusal", Ok(Ending::ContentFilter)),
    ];
    for (reason, expected) in table {
        let world = World::start(move |_| ended(stream(&[START, TEXT, &last(reason), STOP]))).await;
        let outcome = world.text(&["anthropic/premium"]).await.outcome;
        let outcome = outcome.as_ref().map(|served| served.ending).map_err(|failed| failed.class.as_str());
        assert_eq!(outcome, expected, "{reason}");
    }
}

#[tokio::test]
async fn a_refusal_before_the_first_word_is_content_that_was_refused() {
    for thoughts in [&[] as &[&str], &[THINKING]] {
        let world =
            World::start(move |_| ended(stream(&[&[START], thoughts, &[&last("refusal"), STOP]].concat())))
                .await;
        let told = world.text(&["anthropic/premium"]).await;
        assert_eq!(told.failure(), ("content_rejected", vec!["content_rejected"]));
        assert!(told.outcome.unwrap_err().attempts[0].cost > primitives::CostCents::ZERO);
    }
}

#[tokio::test]
async fn thinking_is_noticed_and_never_passed_on() {
    let world =
        World::start(|_| ended(stream(&[START, THINKING, THINKING, TEXT, &last("end_turn"), STOP]))).await;
    let told = world.text(&["anthropic/premium"]).await;
    assert_eq!(told.events, [Event::Thinking, Event::Delta("Chào".to_owned())]);
}

#[tokio::test]
async fn an_error_inside_the_stream_or_a_cut_breaks_it() {
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
    let table: Vec<Answer> = vec![
        Box::new(move |_| ended(stream(&[START, TEXT, error]))),
        Box::new(|_| then(stream(&[START, TEXT]), Say::Cut)),
        Box::new(|_| ended(stream(&[START, TEXT]))),
    ];
    for answer in table {
        let world = World::start(move |request| answer(request)).await;
        let told = world.text(&["anthropic/premium"]).await;
        assert_eq!(told.failure().0, "broken_stream");
        // The input is billed although the answer broke, and its 4 letters are 2 tokens.
        let cost = told.outcome.unwrap_err().attempts[0].cost;
        assert_eq!(cost, "0.0115".parse().unwrap());
    }
}

#[tokio::test]
async fn haste_and_an_empty_account_are_told_apart() {
    let spent = "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\
                 \"details\":{\"error_code\":\"enforced_spend_limit_reached\"}}}";
    let table = [
        (429, &[("retry-after", "0")] as Headers, "{}", "rate_limited", 2),
        (429, &[("retry-after", "soon")], "{}", "rate_limited", 2),
        (429, &[("retry-after", "")], "{}", "rate_limited", 2),
        (429, &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")], "{}", "rate_limited", 2),
        (429, &[("retry-after", "99999999999999999999")], "{}", "rate_limited", 1),
        (429, &[("retry-after", "0")], spent, "no_balance", 1),
        (429, &[], "{}", "no_balance", 1),
        (429, &[], spent, "no_balance", 1),
        (529, &[], "{}", "rate_limited", 2),
        (402, &[], "{}", "no_balance", 1),
        (400, &[], r#"{"error":{"message":"Your credit balance is too low to access"}}"#, "no_balance", 1),
        (
            400,
            &[],
            r#"{"error":{"message":"max_tokens: 9 > 8, which is the maximum allowed"}}"#,
            "request_refused",
            1,
        ),
        (400, &[], r#"{"error":{"message":"prompt is too long: 9 tokens > 8 maximum"}}"#, "bad_input", 1),
        (404, &[], r#"{"error":{"type":"not_found_error","message":"model: claude-x"}}"#, "model_gone", 1),
    ];
    for (status, headers, body, class, calls) in table {
        let world = World::start(move |_| reply(status, headers, body)).await;
        assert_eq!(
            world.text(&["anthropic/premium"]).await.failure().0,
            class,
            "{status} {headers:?} {body}"
        );
        assert_eq!(world.stand.requests().len(), calls, "{status} {headers:?}");
    }
}
