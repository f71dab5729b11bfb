//! What Anthropic's stream may look like, byte by byte.

use super::stand::{Reply, ended, reply, stream};
use super::world::{Told, World};
use crate::Ending;

const START: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":25,"output_tokens":1}}}"#;
const HI: &str = r#"event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Xin "}}"#;
const HO: &str = r#"event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"chào"}}"#;
const LAST: &str = r#"event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}"#;
const STOP: &str = "event: message_stop\ndata: {\"type\":\"message_stop\"}";

async fn told(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Told {
    let world = World::with([("PROVIDER_FIRST_CONTENT_MS_CHAT", "20000")], move |_| answer()).await;
    world.text(&["anthropic/premium"]).await
}

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

#[tokio::test]
async fn what_stands_beside_the_text_decides_nothing() {
    let beside = [
        ": a comment",
        "event: ping\ndata: {\"type\":\"ping\"}",
        "event: ping\ndata: ",
        "event: ping\ndata: not even JSON",
        "event: novelty\ndata: {\"type\":\"novelty\",\"delta\":7,\"usage\":\"x\",\"message\":[]}",
        "event: novelty\ndata: [1]",
        "data: {\"type\":\"novelty\",\"error\":null}",
        "data: {\"type\":null}",
        "data: {}",
        "data: null",
        "data: [DONE]",
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"data: {"type":"content_block_start","index":0,"content_block":null}"#,
        r#"data: {"type":"content_block_start","content_block":{"type":"tool_use","input":{}}}"#,
        r#"data: {"type":"content_block_delta","delta":null}"#,
        r#"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":null}}"#,
        r#"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":""}}"#,
        r#"data: {"type":"content_block_delta","delta":{"type":"odd_delta","text":"no"}}"#,
        r#"data: {"type":"content_block_delta","delta":{"type":"signature_delta","signature":7}}"#,
        r#"data: {"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":null}}"#,
        r#"data: {"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":null}}"#,
        r#"data: {"type":"content_block_stop","index":"x"}"#,
        r#"data: {"type":"message_start","message":null}"#,
        r#"data: {"type":"message_start","message":{"id":7,"usage":null}}"#,
        r#"data: {"type":"message_start","message":{"usage":{"input_tokens":null}}}"#,
        r#"data: {"type":"message_delta","delta":null,"usage":null}"#,
        r#"data: {"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":null}}"#,
        r#"data: {"type":"message_delta","delta":{"stop_reason":""},"usage":{"output_tokens":-5}}"#,
        r#"data: {"type":"message_delta","delta":{},"usage":{"output_tokens":1e999}}"#,
        r#"data: {"type":"message_delta","delta":{},"usage":[]}"#,
    ];
    for odd in beside {
        for events in [
            [odd, START, HI, HO, LAST, STOP],
            [START, HI, odd, HO, LAST, STOP],
            [START, HI, HO, LAST, odd, STOP],
        ] {
            let told = of_events(&events).await;
            assert_eq!(outcome(&told), Ok("Xin chào".to_owned()), "{events:?}");
            let served = told.served();
            assert_eq!((served.usage.input_tokens, served.usage.output_tokens), (25, 15), "{events:?}");
            assert!(!served.cost_is_estimated, "{events:?}");
        }
    }
}

#[tokio::test]
async fn a_kind_may_stand_in_the_events_name_alone() {
    let named = |event: &str| {
        let (name, data) = event.split_once('\n').unwrap();
        let kind = name.strip_prefix("event: ").unwrap();
        format!(
            "{name}\n{}",
            data.replace(&format!(r#""type":"{kind}","#), "").replace(&format!(r#""type":"{kind}""#), "")
        )
    };
    let events = [START, HI, HO, LAST, STOP].map(named);
    let told = of_events(&events.each_ref().map(String::as_str)).await;
    assert_eq!(outcome(&told), Ok("Xin chào".to_owned()));
}

#[tokio::test]
async fn a_piece_of_text_that_can_not_be_read_breaks_the_text() {
    for odd in [
        r#"data: {"type":"content_block_delta","delta":{"type":"text_delta","text":7}}"#,
        r#"data: {"type":"content_block_delta","delta":"text"}"#,
        r#"data: {"type":"content_block_delta","delta":{"type":"text_del"#,
        "event: content_block_delta\ndata: oops",
        "event: message_delta\ndata: oops",
        "data: oops",
        "data: \"text\"",
    ] {
        assert_eq!(
            outcome(&of_events(&[START, HI, odd, HO, LAST, STOP]).await),
            Err("broken_stream"),
            "{odd}"
        );
    }
}

#[tokio::test]
async fn only_a_real_end_ends_a_text() {
    let last = |reason: &str| LAST.replace("\"end_turn\"", reason);
    let table = [
        (vec![], Err("broken_stream")),
        (vec![last("\"\"")], Err("broken_stream")),
        (vec![last("null")], Err("broken_stream")),
        (vec![last("\"novel\"")], Err("broken_stream")),
        (vec![last("7")], Err("broken_stream")),
        (vec![last("\"end_turn\""), HO.to_owned()], Err("broken_stream")),
        (vec!["data: [DONE]".to_owned()], Err("broken_stream")),
        (vec![last("\"refusal\""), STOP.to_owned()], Ok(Ending::ContentFilter)),
        (vec![last("\"end_turn\"")], Ok(Ending::Complete)),
        (vec![last("\"max_tokens\"")], Ok(Ending::LengthLimit)),
        (vec![last("\"novel\""), STOP.to_owned()], Ok(Ending::Complete)),
        (vec![STOP.to_owned()], Ok(Ending::Complete)),
    ];
    for (events, expected) in table {
        let all: Vec<&str> = [START, HI].into_iter().chain(events.iter().map(String::as_str)).collect();
        let told = of_events(&all).await;
        let ending =
            told.outcome.as_ref().map(|served| served.ending).map_err(|failed| failed.class.as_str());
        assert_eq!(ending, expected, "{all:?}");
    }
}

#[tokio::test]
async fn an_error_inside_a_200_has_the_class_its_words_have() {
    for (body, class) in [
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, "broken_stream"),
        (r#"{"type":"error","error":{"type":"billing_error","message":"x"}}"#, "no_balance"),
        (r#"{"type":"error","error":{"message":"Your credit balance is too low"}}"#, "no_balance"),
        (
            r#"{"type":"error","error":{"message":"Output blocked by content filtering policy"}}"#,
            "content_rejected",
        ),
        (r#"{"type":"error","error":null}"#, "broken_stream"),
        (r#"{"error":"x"}"#, "broken_stream"),
    ] {
        let event = format!("data: {body}");
        let named = format!("event: error\ndata: {body}");
        for events in
            [vec![event.as_str(), STOP], vec![START, HI, &event, STOP], vec![START, HI, &named, LAST, STOP]]
        {
            // What was shown before the customer's own request ended the text is kept.
            let is_kept = class == "content_rejected" && events.contains(&HI);
            let expected = if is_kept { Ok("Xin ".to_owned()) } else { Err(class) };
            assert_eq!(outcome(&of_events(&events).await), expected, "{events:?}");
        }
        let told = told(move || reply(200, &[("content-type", "application/json")], body)).await;
        assert_eq!(outcome(&told), Err(class), "{body}");
    }
    let told = of_events(&[START, HI, "event: error\ndata: boom", LAST, STOP]).await;
    assert_eq!(outcome(&told), Err("broken_stream"));
}

#[tokio::test]
async fn an_answer_that_was_not_streamed_is_an_answer() {
    let whole = |content: &str, reason: &str| {
        format!(
            r#"{{"type":"message","id":"msg_1","content":{content},"stop_reason":{reason},
                "usage":{{"input_tokens":25,"output_tokens":2}}}}"#
        )
    };
    let table = [
        (
            whole(r#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Chào"}]"#, "\"end_turn\""),
            Ok("Chào".to_owned()),
        ),
        (whole(r#"[{"type":"text","text":"Chào"}]"#, "null"), Err("broken_stream")),
        (whole("[]", "\"end_turn\""), Err("empty_answer")),
        (whole("null", "\"max_tokens\""), Err("length_limit")),
    ];
    for (body, expected) in table {
        let bytes = body.clone();
        let told = told(move || reply(200, &[("content-type", "application/json")], &bytes)).await;
        assert_eq!(outcome(&told), expected, "{body}");
    }
}

#[tokio::test]
async fn an_answer_without_content_is_none() {
    let blank = HI.replace("Xin ", "\\n\\u200b");
    let length = LAST.replace("end_turn", "max_tokens");
    for (last, class) in [(LAST, "empty_answer"), (&length, "length_limit")] {
        let told = of_events(&[START, &blank, last, STOP]).await;
        assert_eq!(outcome(&told), Err(class));
        assert!(told.events.is_empty());
        assert!(told.outcome.unwrap_err().attempts[0].cost.micro_cents() > 0);
    }
}

#[tokio::test]
async fn usage_that_can_not_be_read_is_estimated() {
    let start = |usage: &str| START.replace(r#"{"input_tokens":25,"output_tokens":1}"#, usage);
    let table = [
        (start(r#"{"input_tokens":"25"}"#), LAST.to_owned(), (25, 15), false),
        (start("null"), LAST.to_owned(), (7, 15), true),
        (
            start(r#"{"input_tokens":25,"cache_read_input_tokens":null,"cache_creation_input_tokens":"x"}"#),
            LAST.to_owned(),
            (25, 15),
            false,
        ),
        (start(r#"{"input_tokens":25}"#), LAST.replace("15", "null"), (25, 3), true),
        (start(r#"{"input_tokens":1152921504606846976}"#), LAST.to_owned(), (2_027, 15), true),
        (
            start(r#"{"input_tokens":25,"cache_read_input_tokens":1152921504606846976}"#),
            LAST.to_owned(),
            (2_027, 15),
            true,
        ),
    ];
    for (start, last, (input, output), is_estimated) in table {
        let told = of_events(&[&start, HI, HO, &last, STOP]).await;
        let served = told.served();
        assert_eq!(
            (served.usage.input_tokens, served.usage.output_tokens),
            (input, output),
            "{start} {last}"
        );
        assert_eq!(served.cost_is_estimated, is_estimated, "{start} {last}");
    }
}
