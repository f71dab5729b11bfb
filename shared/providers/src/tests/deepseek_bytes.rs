//! What DeepSeek's stream may look like, byte by byte. What stands beside the text decides nothing; the text itself
//! arrives whole or not at all.

use super::stand::{Reply, Say, bytewise, ended, reply, stream, then};
use super::world::{PROMPT, Told, World};
use crate::Ending;

const HI: &str = r#"data: {"id":"chat-1","choices":[{"index":0,"delta":{"content":"Xin "}}]}"#;
const HO: &str = r#"data: {"choices":[{"index":0,"delta":{"content":"chào"}}]}"#;
const STOP: &str = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const DONE: &str = "data: [DONE]";

async fn told(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Told {
    let world = World::with([("PROVIDER_FIRST_CONTENT_MS_CHAT", "20000")], move |_| answer()).await;
    world.text(&["deepseek/chat"]).await
}

/// The events as a stream that ends as it should on the wire.
async fn of_events(events: &[&str]) -> Told {
    let body: Vec<String> = events.iter().map(|event| format!("{event}\n\n")).collect();
    told(move || ended(stream(&body.iter().map(String::as_str).collect::<Vec<_>>()))).await
}

fn outcome(told: &Told) -> Result<String, &'static str> {
    match &told.outcome {
        Ok(_) => Ok(told.text()),
        Err(failed) => Err(failed.class.as_str()),
    }
}

fn chunk(delta: &str) -> String {
    format!(r#"data: {{"choices":[{{"index":0,"delta":{delta}}}]}}"#)
}

#[tokio::test]
async fn what_stands_beside_the_text_decides_nothing() {
    let beside = [
        ": a comment",
        ":",
        "event: ping\ndata: {}",
        "event: ping\ndata: not even JSON",
        "event: novelty\ndata: [1,2]",
        "event: status\ndata: {\"message\":\"queued\"}",
        "id: 7\nretry: 10\nother",
        "data:",
        "data:   ",
        "data: null",
        "data: {}",
        "data: []",
        r#"data: {"choices":null}"#,
        r#"data: {"choices":[]}"#,
        r#"data: {"choices":[null]}"#,
        r#"data: {"choices":[{}]}"#,
        r#"data: {"choices":{}}"#,
        r#"data: {"choices":[{"delta":null}]}"#,
        r#"data: {"choices":[{"delta":{}}]}"#,
        r#"data: {"choices":[{"delta":{"content":null}}]}"#,
        r#"data: {"choices":[{"delta":{"content":""}}]}"#,
        r#"data: {"choices":[{"delta":{"content":[]}}]}"#,
        r#"data: {"choices":[{"delta":{"content":"","refusal":null,"tool_calls":null,"role":7}}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":null}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":""}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":" "}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":7}]}"#,
        r#"data: {"choices":[{"index":1,"delta":{"content":"another"},"finish_reason":"content_filter"}]}"#,
        r#"data: {"choices":[{"delta":{"content":""}},{"delta":{"content":"another"}}]}"#,
        r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}"#,
        r#"data: {"choices":[{"delta":{"reasoning_content":7}}]}"#,
        r#"data: {"choices":[{"delta":{"reasoning_content":{"a":[null]}}}]}"#,
        r#"data: {"error":null,"choices":[]}"#,
        r#"data: {"error":"","choices":[]}"#,
        r#"data: {"error":{},"choices":[]}"#,
        r#"data: {"error":{"message":null,"code":null},"choices":[]}"#,
        r#"data: {"usage":null,"choices":[]}"#,
        r#"data: {"usage":"none","choices":[]}"#,
        r#"data: {"usage":[],"choices":[]}"#,
        r#"data: {"usage":7,"choices":[]}"#,
        r#"data: {"usage":{"prompt_tokens":1e999},"choices":[]}"#,
        r#"data: {"usage":{"completion_tokens_details":null,"prompt_tokens_details":[]},"choices":[]}"#,
        r#"data: {"id":7,"object":null,"created":"x","model":[],"choices":[]}"#,
        r#"data: {"id":1,"id":2,"choices":[],"choices":[]}"#,
        r#"data: {"odd":"\ud83d","choices":[]}"#,
        r#"data: {"choices":[{"logprobs":1e400,"delta":{}}]}"#,
    ];
    for odd in beside {
        for events in [
            [odd, HI, HO, STOP, DONE],
            [HI, odd, HO, STOP, DONE],
            [HI, HO, odd, STOP, DONE],
            [HI, HO, STOP, odd, DONE],
        ] {
            let told = of_events(&events).await;
            assert_eq!(outcome(&told), Ok("Xin chào".to_owned()), "{events:?}");
            assert!(told.served().cost_is_estimated, "no usage was told: {odd}");
        }
    }
}

#[tokio::test]
async fn the_frame_of_an_event_decides_nothing() {
    let events = [HI, HO, STOP, DONE];
    let joined = |end: &str| events.map(|event| format!("{event}{end}{end}")).concat();
    let bodies = [
        joined("\n"),
        joined("\r\n"),
        joined("\r"),
        format!("\u{feff}{}", joined("\n")),
        joined("\n").replace("data: ", "data:"),
        joined("\n").replace("data: {", "data: {\ndata: "),
        joined("\n").replace("data: [DONE]", "data:  [DONE] \t"),
        joined("\n").replace("[DONE]", "[done]"),
        joined("\n").replace("data: {", "event: message\ndata: {"),
        joined("\n").replace("data: {", "event: chunk\ndata: {"),
        format!("\n\n\n{}", joined("\n")),
        format!(":{}\n{}", "x".repeat(2_000_000), joined("\n")),
        format!("{}data: {{\"error\":\"after the end\"}}\n\n<html>", joined("\n")),
        format!("{}{}", joined("\n"), joined("\n")),
        events[..3].iter().map(|event| format!("{event}\n\n")).collect::<String>(),
        format!("{HI}\n\n{HO}\n\n{STOP}\n\n{STOP}\n\n{DONE}\n\n{DONE}\n\n"),
        format!("{HI}\n\n{HO}\n\n{DONE}\n\n"),
    ];
    for body in bodies {
        for content_type in
            ["text/event-stream", "TEXT/Event-Stream;charset=UTF-8", "text/plain", "application/json", ""]
        {
            let headers = [("content-type", content_type)];
            let bytes = body.clone();
            let told = told(move || reply(200, &headers, &bytes)).await;
            assert_eq!(
                outcome(&told),
                Ok("Xin chào".to_owned()),
                "{content_type} {:?}",
                body.chars().take(300).collect::<String>()
            );
        }
    }
    let body = joined("\r\n");
    let told = told(move || bytewise("text/event-stream", body.as_bytes())).await;
    assert_eq!(outcome(&told), Ok("Xin chào".to_owned()), "characters are cut anywhere");
}

#[tokio::test]
async fn a_text_is_read_in_each_shape_it_comes_in() {
    let table = [
        (r#"{"content":"Chào"}"#, Ok("Chào")),
        (r#"{"content":["Ch","ào"]}"#, Ok("Chào")),
        (r#"{"content":[{"type":"text","text":"Chào"}]}"#, Ok("Chào")),
        (
            r#"{"content":[{"text":"Ch"},null,{"type":"output_text","text":"ào"},{"type":"text","text":null}]}"#,
            Ok("Chào"),
        ),
        (r#"{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Chào"}]}"#, Ok("Chào")),
        (r#"{"content":"Ch\u00e0o"}"#, Ok("Chào")),
        (r#"{"content":"a\ud83db"}"#, Ok("a\u{fffd}\u{fffd}\u{fffd}b")),
        (r#"{"content":"Chào","content":"Chào"}"#, Ok("Chào")),
        // A piece that can't be read would leave a hole.
        (r#"{"content":7}"#, Err("broken_stream")),
        (r#"{"content":true}"#, Err("broken_stream")),
        (r#"{"content":{"text":"Chào"}}"#, Err("broken_stream")),
        (r#"{"content":[{"type":"text","text":7}]}"#, Err("broken_stream")),
        (r#"{"content":[7]}"#, Err("broken_stream")),
        (r#""Chào""#, Err("broken_stream")),
        (r#"["Chào"]"#, Err("broken_stream")),
        ("7", Err("broken_stream")),
        (r#"{"content":"","refusal":"I can't help with that."}"#, Err("content_rejected")),
    ];
    for (delta, expected) in table {
        let told = of_events(&[&chunk(delta), STOP, DONE]).await;
        assert_eq!(outcome(&told), expected.map(str::to_owned), "{delta}");
    }
}

#[tokio::test]
async fn only_a_real_end_ends_a_text() {
    let reason = |reason: &str| format!(r#"data: {{"choices":[{{"delta":{{}},"finish_reason":{reason}}}]}}"#);
    let table = [
        (vec![], Err("broken_stream")),
        (vec![reason("\"\"")], Err("broken_stream")),
        (vec![reason("null")], Err("broken_stream")),
        (vec![reason("\"novel\"")], Err("broken_stream")),
        (vec![reason("[\"stop\"]")], Err("broken_stream")),
        (vec![reason("\"stop\""), HO.to_owned()], Err("broken_stream")),
        (vec![r#"data: {"choices":[{"index":1,"finish_reason":"stop"}]}"#.to_owned()], Err("broken_stream")),
        (vec!["data: [DON".to_owned()], Err("broken_stream")),
        (vec!["data: {\"choices\":[{\"del".to_owned()], Err("broken_stream")),
        (vec!["data: hello".to_owned()], Err("broken_stream")),
        (vec!["data: \"text\"".to_owned()], Err("broken_stream")),
        (vec![reason("\"error\""), DONE.to_owned()], Err("broken_stream")),
        (vec![reason("\"content_filter\""), DONE.to_owned()], Ok(Ending::ContentFilter)),
        (vec![r#"data: {"choices":[{"delta":{"refusal":"No."}}]}"#.to_owned()], Ok(Ending::ContentFilter)),
        (vec![r#"data: {"error":{"message":"Content Exists Risk"}}"#.to_owned()], Ok(Ending::ContentFilter)),
        (vec![reason("\"stop\"")], Ok(Ending::Complete)),
        (vec![reason("\"STOP\"")], Ok(Ending::Complete)),
        (vec![reason("\"length\"")], Ok(Ending::LengthLimit)),
        (vec![reason("\"novel\""), DONE.to_owned()], Ok(Ending::Complete)),
        (vec![reason("\"\""), DONE.to_owned()], Ok(Ending::Complete)),
    ];
    for (events, expected) in table {
        let all: Vec<&str> = [HI].into_iter().chain(events.iter().map(String::as_str)).collect();
        let told = of_events(&all).await;
        let ending =
            told.outcome.as_ref().map(|served| served.ending).map_err(|failed| failed.class.as_str());
        assert_eq!(ending, expected, "{all:?}");
    }
}

#[tokio::test]
async fn what_is_odd_behind_the_end_decides_nothing() {
    for odd in [
        r#"data: {"error":{"message":"Insufficient Balance"}}"#,
        "event: error\ndata: boom",
        "data: {\"choices\":[{\"del",
        "data: hello",
        r#"data: {"choices":"x"}"#,
    ] {
        for events in [vec![HI, STOP, odd], vec![HI, STOP, odd, DONE]] {
            assert_eq!(outcome(&of_events(&events).await), Ok("Xin ".to_owned()), "{events:?}");
        }
    }
}

#[tokio::test]
async fn an_event_without_its_blank_line_is_none() {
    for tail in [STOP, "data: [DONE]\n", "data: [DONE]"] {
        let told = told(move || ended(stream(&["data: {}\n\n", HI, "\n\n", tail]))).await;
        assert_eq!(outcome(&told), Err("broken_stream"), "{tail}");
    }
}

#[tokio::test]
async fn an_error_inside_a_200_has_the_class_its_words_have() {
    let words = [
        (r#"{"error":{"message":"Insufficient Balance"}}"#, "no_balance"),
        (r#"{"error":"Insufficient Balance"}"#, "no_balance"),
        (r#"{"error":{"message":"Model Not Exist","code":"invalid_request_error"}}"#, "model_gone"),
        (r#"{"error":{"message":"Content Exists Risk"}}"#, "content_rejected"),
        (r#"{"error":{"code":500,"message":null}}"#, "broken_stream"),
        (r#"{"error":true}"#, "broken_stream"),
        (r#"{"error":[{"message":"x"}]}"#, "broken_stream"),
        (r#"{"object":"error","message":"x","code":400}"#, "broken_stream"),
        (r#"{"type":"error","error":{"type":"overloaded_error"}}"#, "broken_stream"),
        (r#"{"message":"Internal error","code":7}"#, "broken_stream"),
        (r#"{"detail":"Not authenticated","x":1e999}"#, "broken_stream"),
    ];
    for (body, class) in words {
        let event = format!("data: {body}");
        let named = format!("event: error\ndata: {body}");
        for events in [vec![event.as_str(), DONE], vec![HI, &event, DONE], vec![HI, &named, STOP, DONE]] {
            let told = of_events(&events).await;
            // What was shown before the customer's own request ended the text is kept.
            let is_kept = class == "content_rejected" && events.contains(&HI);
            let expected = if is_kept { Ok("Xin ".to_owned()) } else { Err(class) };
            assert_eq!(outcome(&told), expected, "{events:?}");
        }
        for content_type in ["application/json", "text/event-stream", "text/plain"] {
            let headers = [("content-type", content_type)];
            let told = told(move || reply(200, &headers, body)).await;
            assert_eq!(outcome(&told), Err(class), "{content_type} {body}");
            assert_eq!(told.outcome.unwrap_err().attempts[0].cost.micro_cents(), 0, "nobody worked: {body}");
        }
    }
    let told = of_events(&[HI, "event: error\ndata: boom", STOP, DONE]).await;
    assert_eq!(outcome(&told), Err("broken_stream"));
}

#[tokio::test]
async fn what_is_no_answer_is_broken() {
    for body in [
        "",
        "\n\n",
        "<html>Sorry</html>",
        "{",
        "null",
        "[]",
        "{}",
        "\u{1f}\u{8b}\u{8}gzip",
        r#"{"choices":[]}"#,
    ] {
        let told = told(move || reply(200, &[("content-type", "text/event-stream")], body)).await;
        assert_eq!(outcome(&told), Err("broken_stream"), "{body}");
    }
}

#[tokio::test]
async fn an_answer_that_was_not_streamed_is_an_answer() {
    let whole = |message: &str, reason: &str| {
        format!(
            r#"{{"id":"chat-1","choices":[{{"index":0,"message":{message},"finish_reason":{reason}}}],
                "usage":{{"prompt_tokens":10,"completion_tokens":2}}}}"#
        )
    };
    let table = [
        (whole(r#"{"role":"assistant","content":"Chào"}"#, "\"stop\""), Ok("Chào".to_owned())),
        (format!("\n\n\n{}", whole(r#"{"content":"Chào"}"#, "\"length\"")), Ok("Chào".to_owned())),
        (whole(r#"{"content":"Chào"}"#, "null"), Err("broken_stream")),
        (whole(r#"{"content":" \n"}"#, "\"stop\""), Err("empty_answer")),
        (whole(r#"{"content":null}"#, "\"stop\""), Err("empty_answer")),
        (whole("null", "\"length\""), Err("length_limit")),
    ];
    for (body, expected) in table {
        let bytes = body.clone();
        let told = told(move || reply(200, &[("content-type", "application/json")], &bytes)).await;
        assert_eq!(outcome(&told), expected, "{body}");
    }
}

#[tokio::test]
async fn an_answer_of_blanks_is_empty_and_shows_nothing() {
    for blanks in [
        r#"" ""#,
        r#""\n\n\n""#,
        r#""\t\r\n""#,
        r#""\u00a0\u3000""#,
        r#""\u200b\u200d\ufeff""#,
        r#""\u00ad\u2060""#,
    ] {
        let piece = chunk(&format!(r#"{{"content":{blanks}}}"#));
        let stop = STOP.replace("stop", "length");
        for (last, class) in [(STOP, "empty_answer"), (&stop, "length_limit")] {
            let told = of_events(&[&piece, &piece, last, DONE]).await;
            assert_eq!(outcome(&told), Err(class), "{blanks}");
            assert!(told.events.is_empty(), "{blanks}");
            let failed = told.outcome.unwrap_err();
            assert!(!failed.content_was_sent);
            assert!(failed.attempts[0].cost.micro_cents() > 0, "we pay for it");
        }
        let told = of_events(&[&piece, HI, &piece, HO, STOP, DONE]).await;
        let text = serde_json::from_str::<String>(blanks).unwrap();
        assert_eq!(told.text(), format!("{text}Xin {text}chào"), "blanks before the first word come with it");
        assert_eq!(told.events.len(), 3);
    }
}

#[tokio::test]
async fn blanks_without_end_are_not_waited_for() {
    let blank = format!("{}\n\n", chunk(r#"{"content":"\n"}"#));
    let settings = [("PROVIDER_FIRST_CONTENT_MS_CHAT", "500")];
    let world = World::with(settings, move |_| then(stream(&[&blank, &blank]), Say::Hang)).await;
    assert_eq!(world.text(&["deepseek/chat"]).await.failure().0, "unavailable");
}

#[tokio::test]
async fn usage_is_read_leniently_and_estimated_where_it_is_absent() {
    // 27 bytes of prompt and 9 of answer; prices 14 (0.28 cached) and 28 cents a million.
    let estimate = (7, 3);
    let table = [
        (r#"{"prompt_tokens":100,"completion_tokens":5}"#, (100, 5), false),
        (r#"{"prompt_tokens":"100","completion_tokens":5.0}"#, (100, 5), false),
        (
            r#"{"prompt_tokens":100,"completion_tokens":5,"completion_tokens_details":{"reasoning_tokens":null}}"#,
            (100, 5),
            false,
        ),
        (r#"{"prompt_tokens":100,"completion_tokens":5,"completion_tokens_details":[]}"#, (100, 5), false),
        (r#"{"prompt_tokens":100,"completion_tokens":5,"prompt_cache_hit_tokens":null}"#, (100, 5), false),
        (r#"{"prompt_tokens":0,"completion_tokens":0}"#, (0, 0), false),
        (r#"{"prompt_tokens":-5,"completion_tokens":5}"#, (estimate.0, 5), true),
        (r#"{"prompt_tokens":100}"#, (100, estimate.1), true),
        (r#"{"prompt_tokens":100,"completion_tokens":null}"#, (100, estimate.1), true),
        (r#"{"prompt_tokens":[],"completion_tokens":{}}"#, estimate, true),
        (r#"{"prompt_tokens":1e30,"completion_tokens":1000000000000000000000000000000}"#, estimate, true),
        ("null", estimate, true),
        ("[]", estimate, true),
        ("\"12\"", estimate, true),
        // More than the request can have used: bounded by bytes + 2,000 and limit + 1,000.
        (r#"{"prompt_tokens":1152921504606846976,"completion_tokens":5}"#, (2_027, 5), true),
        (r#"{"prompt_tokens":100,"completion_tokens":1152921504606846976}"#, (100, 1_500), true),
    ];
    assert_eq!(PROMPT.len(), 27);
    for (usage, (input, output), is_estimated) in table {
        let event = format!(r#"data: {{"choices":[],"usage":{usage}}}"#);
        for events in [[HI, HO, STOP, event.as_str(), DONE], [event.as_str(), HI, HO, STOP, DONE]] {
            let told = of_events(&events).await;
            let served = told.served();
            assert_eq!((served.usage.input_tokens, served.usage.output_tokens), (input, output), "{usage}");
            assert_eq!(served.cost_is_estimated, is_estimated, "{usage}");
            assert_eq!(served.cost.micro_cents(), input * 14 + output * 28, "{usage}");
            assert_eq!(served.attempts[0].cost_is_estimated, is_estimated);
        }
    }
}

#[tokio::test]
async fn an_abandoned_attempt_costs_its_prompt() {
    let hang: fn() -> Reply = || vec![Say::Hang];
    let silent: fn() -> Reply = || then(stream(&[": keep-alive\n\n"]), Say::Hang);
    let lost: fn() -> Reply = || vec![Say::Cut];
    for answer in [hang, silent, lost] {
        let settings = [("PROVIDER_FIRST_CONTENT_MS_CHAT", "400")];
        let world = World::with(settings, move |request| {
            if request.path.starts_with("/deepseek") { answer() } else { super::anthropic::whole() }
        })
        .await;
        let told = world.text(&["deepseek/chat", "anthropic/premium"]).await;
        let [abandoned, served] = told.served().attempts.as_slice() else { panic!("two attempts") };
        assert_eq!((abandoned.cost.micro_cents(), abandoned.cost_is_estimated), (7 * 14, true));
        assert_eq!((served.failure, served.cost_is_estimated), (None, false));
    }
}

#[tokio::test]
async fn an_id_is_cleaned_before_it_is_kept() {
    let long = "x".repeat(500);
    for (id, kept) in [("<b>chat</b> 1", "bchatb1"), (long.as_str(), &long[..64])] {
        let event = format!(r#"data: {{"id":"{id}","choices":[]}}"#);
        let told = of_events(&[&event, HI, STOP, DONE]).await;
        assert_eq!(told.served().attempts[0].provider_request_id.as_deref(), Some(kept));
    }
    let headers = [("x-request-id", "a;b c\"<script>")];
    let told = told(move || reply(500, &headers, "")).await;
    assert_eq!(told.outcome.unwrap_err().attempts[0].provider_request_id.as_deref(), Some("abcscript"));
}
