use super::stand::{Reply, Say, ended, json, reply, stream, then};
use super::world::{PROMPT, World};
use crate::{Ending, Event, ProviderName};
use serde_json::json;

const REASONING: &str =
    "data: {\"id\":\"chat-1\",\"choices\":[{\"delta\":{\"content\":null,\"reasoning_content\":\"hm\"}}]}\n\n";
const FIRST: &str = "data: {\"id\":\"chat-1\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"Xin \"},\
                     \"finish_reason\":null}],\"usage\":null}\n\n";
const SECOND: &str =
    "data: {\"choices\":[{\"delta\":{\"content\":\"chào\",\"reasoning_content\":null}}]}\n\n";
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":50,\
                     \"total_tokens\":1050,\"prompt_cache_hit_tokens\":900,\"prompt_cache_miss_tokens\":100,\
                     \"completion_tokens_details\":{\"reasoning_tokens\":20}}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn finish(reason: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"\"}},\"finish_reason\":\"{reason}\"}}]}}\n\n")
}

pub(super) fn whole() -> Reply {
    ended(stream(&[FIRST, SECOND, &finish("stop"), USAGE, DONE]))
}

/// A normal end after blanks alone.
pub(super) fn blank() -> Reply {
    let blanks = "data: {\"choices\":[{\"delta\":{\"content\":\" \\n\\u200b\"}}]}\n\n";
    ended(stream(&[blanks, &finish("stop"), USAGE, DONE]))
}

pub(super) fn thought_only(reason: &str) -> Reply {
    ended(stream(&[REASONING, &finish(reason), USAGE, DONE]))
}

/// Read, billed, and nothing written.
pub(super) fn empty() -> Reply {
    ended(stream(&[&finish("stop"), USAGE, DONE]))
}

pub(super) fn cut_after_content() -> Reply {
    then(stream(&[FIRST]), Say::Cut)
}

#[tokio::test]
async fn a_text_arrives_piece_by_piece_with_its_exact_cost() {
    let world = World::start(|_| whole()).await;
    let told = world.text(&["deepseek/chat"]).await;

    assert_eq!(told.events, [Event::Delta("Xin ".to_owned()), Event::Delta("chào".to_owned())]);
    let served = told.served();
    assert_eq!((served.provider, served.ending), (ProviderName::Deepseek, Ending::Complete));
    assert_eq!((served.usage.input_tokens, served.usage.cached_input_tokens), (1000, 900));
    assert_eq!((served.usage.output_tokens, served.usage.reasoning_tokens), (50, 20));
    // 900 × 0.28 + 100 × 14 + 50 × 28 cents per million
    assert_eq!(served.cost, "0.003052".parse().unwrap());
    assert!(!served.cost_is_estimated);
    let [attempt] = served.attempts.as_slice() else { panic!("one attempt") };
    assert_eq!((attempt.failure, attempt.provider_request_id.as_deref()), (None, Some("chat-1")));
    assert!(attempt.first_content_millis.is_some());
}

#[tokio::test]
async fn the_request_says_model_limit_and_thinking() {
    let world = World::start(|_| whole()).await;
    world.text(&["deepseek/chat"]).await;
    world.text(&["deepseek/reasoner"]).await;

    let [chat, reasoner] = world.stand.requests().try_into().ok().unwrap();
    assert_eq!((chat.method.as_str(), chat.path.as_str()), ("POST", "/deepseek/chat/completions"));
    assert_eq!(chat.header("authorization"), Some("Bearer deep-key"));
    let expected = json!({
        "model": "deepseek-v4-flash", "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 500,
        "stream": true, "stream_options": {"include_usage": true}, "thinking": {"type": "disabled"},
    });
    assert_eq!(chat.json(), expected);
    assert_eq!(reasoner.json()["model"], "deepseek-v4-pro");
    assert_eq!(reasoner.json()["thinking"]["type"], "enabled");
}

#[tokio::test]
async fn a_finished_stream_gives_its_connection_back() {
    let world = World::start(|_| whole()).await;
    for _ in 0..3 {
        world.text(&["deepseek/chat"]).await.served();
    }
    assert_eq!(world.stand.connections(), 1);
}

#[tokio::test]
async fn reasoning_is_noticed_and_never_passed_on() {
    let world =
        World::start(|_| ended(stream(&[REASONING, REASONING, FIRST, &finish("stop"), USAGE, DONE]))).await;
    let told = world.text(&["deepseek/reasoner"]).await;

    assert_eq!(told.events, [Event::Thinking, Event::Delta("Xin ".to_owned())]);
}

#[tokio::test]
async fn endings_are_told_apart() {
    let table = [
        ("stop", Ok(Ending::Complete)),
        ("length", Ok(Ending::LengthLimit)),
        ("tool_calls", Ok(Ending::Complete)),
        ("content_filter", Ok(Ending::ContentFilter)),
        ("insufficient_system_resource", Err("broken_stream")),
    ];
    for (reason, expected) in table {
        let world = World::start(move |_| ended(stream(&[FIRST, &finish(reason), USAGE, DONE]))).await;
        let outcome = world.text(&["deepseek/chat"]).await.outcome;
        let outcome = outcome.as_ref().map(|served| served.ending).map_err(|failed| failed.class.as_str());
        assert_eq!(outcome, expected, "{reason}");
    }
}

#[tokio::test]
async fn a_text_that_is_filtered_before_its_first_word_is_refused_and_its_cost_told() {
    for thoughts in [&[] as &[&str], &[REASONING]] {
        let world = World::start(move |_| {
            ended(stream(&[thoughts, &[&finish("content_filter"), USAGE, DONE]].concat()))
        })
        .await;
        let told = world.text(&["deepseek/reasoner", "anthropic/premium"]).await;
        assert_eq!(
            told.failure(),
            ("content_rejected", vec!["content_rejected"]),
            "and no other vendor is asked"
        );
        assert!(told.outcome.unwrap_err().attempts[0].cost > primitives::CostCents::ZERO);
    }
}

#[tokio::test]
async fn a_stream_without_an_end_is_broken_however_it_stops() {
    let malformed = "data: {\"choices\":[{\"del\n\n";
    let table: Vec<fn() -> Reply> = vec![
        cut_after_content,
        || ended(stream(&[FIRST])),
        || ended(stream(&[FIRST, "data: {\"error\":{\"message\":\"secret\"}}\n\n", DONE])),
        || ended(stream(&[FIRST, "data: {\"error\":\"secret\"}\n\n", DONE])),
    ];
    for (row, answer) in table.into_iter().enumerate() {
        let world = World::start(move |_| answer()).await;
        let told = world.text(&["deepseek/chat", "anthropic/premium"]).await;
        assert_eq!(told.failure(), ("broken_stream", vec!["broken_stream"]), "row {row}");
        assert!(told.outcome.as_ref().unwrap_err().content_was_sent);
        assert_eq!(told.text(), "Xin ");
        assert!(!format!("{:?}", told.outcome).contains("secret"));
    }
    let world = World::start(move |_| ended(stream(&[malformed]))).await;
    assert_eq!(world.text(&["deepseek/chat"]).await.failure().0, "broken_stream");
}

#[tokio::test]
async fn a_text_that_was_said_to_be_finished_survives_a_cut() {
    let world = World::start(|_| then(stream(&[FIRST, &finish("stop")]), Say::Cut)).await;
    let told = world.text(&["deepseek/chat"]).await;

    let served = told.served();
    assert!(served.cost_is_estimated, "the usage never came");
    // 26 bytes of prompt are 7 tokens, 4 bytes of answer 1.
    assert_eq!((served.usage.input_tokens, served.usage.output_tokens), (7, 1));
}

#[tokio::test]
async fn a_done_without_a_reason_is_an_end_too() {
    let world = World::start(|_| ended(stream(&[FIRST, USAGE, DONE]))).await;
    assert_eq!(world.text(&["deepseek/chat"]).await.served().ending, Ending::Complete);
}

#[tokio::test]
async fn usage_is_the_last_one_told_and_zero_counts() {
    let zero = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0}}\n\n";
    let world =
        World::start(move |_| ended(stream(&[FIRST, &finish("stop"), USAGE, zero, FIRST, DONE]))).await;
    let told = world.text(&["deepseek/chat"]).await;

    assert_eq!(told.served().usage.output_tokens, 0);
    assert!(told.served().cost.micro_cents() == 0 && !told.served().cost_is_estimated);
}

#[tokio::test]
async fn an_answer_without_content_is_none() {
    for (reason, class) in [("stop", "empty_answer"), ("length", "length_limit")] {
        let world = World::start(move |_| thought_only(reason)).await;
        let told = world.text(&["deepseek/reasoner"]).await;
        assert_eq!(told.failure(), (class, vec![class]));
        let failed = told.outcome.unwrap_err();
        assert!(failed.attempts[0].cost.micro_cents() > 0, "we pay for it all the same");
    }
}

#[tokio::test]
async fn a_200_that_is_no_event_stream_is_broken() {
    let table: Vec<fn() -> Reply> = vec![
        || json(200, &json!({"error": {"message": "x"}})),
        || reply(200, &[("content-type", "text/html")], "<html>"),
        || reply(200, &[], FIRST),
    ];
    for answer in table {
        let world = World::start(move |_| answer()).await;
        assert_eq!(world.text(&["deepseek/chat"]).await.failure().0, "broken_stream");
    }
}

#[tokio::test]
async fn keep_alives_do_not_stand_for_a_token() {
    let settings = [("PROVIDER_FIRST_CONTENT_MS_CHAT", "400")];
    let keep_alive = ": keep-alive\n\n";
    let world = World::with(settings, move |_| then(stream(&[keep_alive, keep_alive]), Say::Hang)).await;
    let told = world.text(&["deepseek/chat"]).await;

    assert_eq!(told.failure(), ("unavailable", vec!["unavailable"]));
    assert_eq!(world.stand.requests().len(), 1, "it was sent, so it is not sent again");
}

#[tokio::test]
async fn a_stall_between_tokens_ends_the_attempt() {
    for settings in [("PROVIDER_STREAM_GAP_MS", "400"), ("PROVIDER_TOTAL_MS", "1500")] {
        let world = World::with([settings], |_| then(stream(&[FIRST, ": ping\n\n"]), Say::Hang)).await;
        assert_eq!(world.text(&["deepseek/chat"]).await.failure().0, "broken_stream", "{settings:?}");
    }
}

#[tokio::test]
async fn a_reasoner_may_think_longer_than_a_chat() {
    let settings = [("PROVIDER_FIRST_CONTENT_MS_CHAT", "1"), ("PROVIDER_STREAM_GAP_MS", "5000")];
    let world = World::with(settings, |_| whole()).await;
    world.text(&["deepseek/reasoner"]).await.served();
}

#[tokio::test]
async fn refusals_have_a_class() {
    let said =
        |message: &str| json!({"error": {"message": message, "code": "invalid_request_error"}}).to_string();
    let table = [
        (400, "{}".to_owned(), "request_refused"),
        (400, said("Model Not Exist"), "model_gone"),
        (
            400,
            said("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"),
            "request_refused",
        ),
        (400, said("Content Exists Risk"), "content_rejected"),
        (400, said("This model's maximum context length is 131072 tokens."), "bad_input"),
        (400, json!({"error": {"code": "model_not_found"}}).to_string(), "model_gone"),
        (401, "{}".to_owned(), "auth"),
        (402, said("Insufficient Balance"), "no_balance"),
        (404, "{}".to_owned(), "model_gone"),
        (422, "{}".to_owned(), "request_refused"),
        (429, "{}".to_owned(), "rate_limited"),
        (429, json!({"error": {"code": "insufficient_quota"}}).to_string(), "no_balance"),
        (500, "<html>".to_owned(), "unavailable"),
        (503, "{}".to_owned(), "unavailable"),
    ];
    for (status, body, class) in table {
        let told = body.clone();
        let world = World::start(move |_| reply(status, &[], &told)).await;
        assert_eq!(world.text(&["deepseek/chat"]).await.failure().0, class, "{status} {body}");
        let calls = if matches!(class, "rate_limited") || status == 503 { 2 } else { 1 };
        assert_eq!(world.stand.requests().len(), calls, "{status} {body}");
    }
}
