//! Groq: Whisper behind OpenAI's form. What is heard follows from the file; when it is said follows from its length.

use std::sync::Arc;

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

mod file;
mod language;
mod refusal;
mod request;
mod transcript;

pub(crate) use refusal::refusal;

use crate::call::Call;
use crate::door::Mood;
use crate::{GROQ_KEY, World, ids, reply};
use request::Task;

const MODELS: [&str; 2] = ["whisper-large-v3", "whisper-large-v3-turbo"];

pub(crate) async fn answer(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    let segments = call.segments();
    let (method, path) = match segments.as_slice() {
        ["openai", "v1", path @ ..] => (&call.method, path),
        _ => return refusal(404),
    };
    if call.credential("Bearer") != Some(GROQ_KEY) {
        return refusal(401);
    }
    let response = match (method, path) {
        (&Method::POST, ["audio", "transcriptions"]) => request::answer(call, mood, Task::Transcribe).await,
        (&Method::POST, ["audio", "translations"]) => request::answer(call, mood, Task::Translate).await,
        (&Method::GET, ["models"]) => models(world),
        _ => refusal(404),
    };
    limits(response)
}

fn models(world: &World) -> Response {
    let all: Vec<Value> = MODELS.into_iter().map(|id| shown(world, id)).collect();
    reply::json(200, &json!({ "object": "list", "data": all }))
}

fn shown(world: &World, id: &str) -> Value {
    json!({
        "id": id, "object": "model", "created": world.now(), "owned_by": "OpenAI", "active": true,
        "context_window": 448, "max_completion_tokens": 448,
    })
}

/// What is left of the hour, in requests and in seconds of sound; this account is never short.
fn limits(response: Response) -> Response {
    let request_id = ids::tagged("req_");
    let facts = [
        ("x-request-id", request_id.as_str()),
        ("x-ratelimit-limit-requests", "2000"),
        ("x-ratelimit-remaining-requests", "1999"),
        ("x-ratelimit-limit-audio-seconds", "7200"),
        ("x-ratelimit-remaining-audio-seconds", "7000"),
    ];
    facts.into_iter().fold(response, |response, (name, value)| reply::with_header(response, name, value))
}
