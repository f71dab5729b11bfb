use serde_json::{Value, json};

use super::{Answer, ask, instant, paced};
use crate::{DEEPSEEK_KEY, Sandbox};

const CHAT: &str = "POST /sandbox/deepseek/chat/completions";

pub(super) fn request(prompt: &str, stream: bool) -> Value {
    json!({
        "model": "deepseek-v4-flash", "stream": stream,
        "messages": [{ "role": "system", "content": "You write." }, { "role": "user", "content": prompt }],
    })
}

pub(super) async fn chat(sandbox: &Sandbox, body: &Value) -> Answer {
    let key = format!("Bearer {DEEPSEEK_KEY}");
    ask(sandbox, CHAT, &[("authorization", &key)], body.to_string()).await
}

/// The pieces of one delta field, and the last usage.
pub(super) fn pieces(answer: &Answer, field: &str) -> (Vec<String>, Value) {
    let mut usage = Value::Null;
    let mut pieces = Vec::new();
    for chunk in answer.events().into_iter().filter(|data| *data != "[DONE]") {
        let chunk: Value = serde_json::from_str(chunk).expect("JSON");
        let piece = chunk["choices"][0]["delta"][field].as_str().filter(|piece| !piece.is_empty());
        pieces.extend(piece.map(str::to_owned));
        if !chunk["usage"].is_null() {
            usage = chunk["usage"].clone();
        }
    }
    (pieces, usage)
}

#[tokio::test]
async fn wrong_keys_and_models_get_the_vendors_answer() {
    let sandbox = instant();
    let body = request("x", true);
    let answer = ask(&sandbox, CHAT, &[("authorization", "Bearer sk-1234")], body.to_string()).await;
    assert_eq!((answer.status, &answer.json()["error"]["type"]), (401, &json!("authentication_error")));

    for (change, status) in [
        (json!({ "model": "deepseek-chat" }), 400),
        (json!({ "messages": [] }), 400),
        (json!({ "messages": "hello" }), 422),
        (json!({ "thinking": { "type": "sometimes" } }), 422),
    ] {
        let mut body = body.clone();
        body.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        let answer = chat(&sandbox, &body).await;
        assert_eq!(answer.status, status, "{change}");
        assert!(answer.json()["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn the_stream_thinks_first_then_answers_and_ends_with_usage() {
    let answer = chat(&instant(), &request("a red kite over Đà Nẵng", true)).await;
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    assert!(answer.text().starts_with(": keep-alive\n\n"));
    assert_eq!(answer.events().last(), Some(&"[DONE]"));

    let (thoughts, _) = pieces(&answer, "reasoning_content");
    let (content, usage) = pieces(&answer, "content");
    assert!(!thoughts.is_empty());
    assert!(content.len() >= 10 && content.concat().contains("a red kite over Đà Nẵng"));
    assert!(answer.text().find("\"reasoning_content\":\"The") < answer.text().find("\"content\":\"SCENE"));
    assert_eq!(answer.text().matches("\"finish_reason\":\"stop\"").count(), 1);

    let count = |name: &str| usage[name].as_u64().expect(name);
    assert_eq!(count("prompt_cache_hit_tokens") + count("prompt_cache_miss_tokens"), count("prompt_tokens"));
    assert_eq!(count("prompt_tokens") + count("completion_tokens"), count("total_tokens"));
    let reasoning = usage["completion_tokens_details"]["reasoning_tokens"].as_u64().expect("reasoning");
    assert!((1..count("completion_tokens")).contains(&reasoning));
}

#[tokio::test]
async fn thinking_can_be_switched_off_and_the_length_limited() {
    let mut body = request("a kite", true);
    body["thinking"] = json!({ "type": "disabled" });
    body["max_tokens"] = json!(20);
    let answer = chat(&instant(), &body).await;
    assert!(!answer.text().contains("reasoning_content"));
    assert!(answer.text().contains("\"finish_reason\":\"length\""));
    assert!(pieces(&answer, "content").1["completion_tokens"].as_u64() <= Some(20));
}

#[tokio::test]
async fn a_plain_call_says_the_same_as_the_stream() {
    let sandbox = instant();
    let whole = chat(&sandbox, &request("a kite", false)).await.json();
    let streamed = chat(&sandbox, &request("a kite", true)).await;
    assert_eq!(whole["choices"][0]["message"]["content"], pieces(&streamed, "content").0.concat());
    assert_eq!(whole["usage"], pieces(&streamed, "content").1);
}

#[tokio::test]
async fn a_paced_stream_cuts_inside_characters_and_says_the_same() {
    let key = format!("Bearer {DEEPSEEK_KEY}");
    let headers = [("authorization", key.as_str()), ("x-sandbox-pace", "1")];
    let body = request("a kite — “đẹp”", true).to_string();
    let request = http::Request::post("/sandbox/deepseek/v1/chat/completions");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(axum::body::Body::from(body)).expect("a request");

    let response = tower::ServiceExt::oneshot(paced().router(), request).await.expect("an answer");
    let mut body = response.into_body();
    let mut chunks = Vec::new();
    while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
        chunks.push(frame.expect("a whole stream").into_data().expect("data"));
    }
    assert!(chunks.len() > 12);
    assert!(chunks.iter().any(|chunk| std::str::from_utf8(chunk).is_err()), "some character is cut");
    assert!(String::from_utf8(chunks.concat()).is_ok_and(|text| text.ends_with("[DONE]\n\n")));
}

#[tokio::test]
async fn models_and_balance_can_be_asked() {
    let key = format!("Bearer {DEEPSEEK_KEY}");
    let headers = [("authorization", key.as_str())];
    let models = ask(&instant(), "GET /sandbox/deepseek/models", &headers, "").await.json();
    assert_eq!(models["data"][0]["id"], "deepseek-v4-flash");
    let balance = ask(&instant(), "GET /sandbox/deepseek/user/balance", &headers, "").await.json();
    assert_eq!(balance["is_available"], true);
}
