//! OmniVoice behind omnivoice-server: speech from text, voices of one's own, and its two shapes of a 401.

use std::sync::Arc;

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

mod clone;
mod fields;
mod profiles;
mod refusal;
mod speech;
mod voice;

pub(crate) use profiles::Profiles;
pub(crate) use refusal::refusal;

use crate::call::Call;
use crate::door::Mood;
use crate::faults::Moment;
use crate::{OMNIVOICE_KEY, World, reply};

/// The server's own name for its model; OpenAI's names lead to it.
const MODELS: [&str; 3] = ["omnivoice", "tts-1", "tts-1-hd"];

/// Only speech is work; a profile is a note about a voice.
pub(crate) fn moment(call: &Call) -> Moment {
    match (&call.method, call.segments().as_slice()) {
        (&Method::POST, ["v1", "audio", "speech", ..]) => Moment::Work,
        _ => Moment::Read,
    }
}

pub(crate) fn answer(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    let segments = call.segments();
    match (&call.method, segments.as_slice()) {
        (&Method::GET, ["health"]) => health(),
        (&Method::GET, ["metrics"]) => metrics(),
        (&Method::GET, ["v1", "models"]) => models(world),
        // The check of the key comes before any route: an unknown path without a key is a 401 too.
        _ if call.credential("Bearer") != Some(OMNIVOICE_KEY) => refusal(401),
        (&Method::GET, ["v1", "models", id]) => model(world, id),
        (&Method::POST, ["v1", "audio", "speech"]) => speech::answer(world, call, mood),
        (&Method::POST, ["v1", "audio", "speech", "clone"]) => clone::answer(call, mood),
        (&Method::GET, ["v1", "voices"]) => voice::list(world),
        (method, ["v1", "voices", "profiles", rest @ ..]) => profiles::answer(world, call, method, rest),
        _ => reply::json(404, &json!({ "detail": "Not Found" })),
    }
}

fn health() -> Response {
    let body = json!({
        "status": "healthy", "ready": true, "model_loaded": true, "uptime_s": 60.0,
        "model_id": "k2-fsa/OmniVoice", "memory_rss_mb": 2048.0,
    });
    reply::json(200, &body)
}

fn metrics() -> Response {
    let body = json!({
        "requests_total": 0, "requests_success": 0, "requests_error": 0, "requests_timeout": 0,
        "mean_latency_ms": 0.0, "p95_latency_ms": 0.0, "ram_mb": 2048.0,
    });
    reply::json(200, &body)
}

fn models(world: &World) -> Response {
    let all: Vec<Value> = MODELS.into_iter().map(|id| shown(world, id)).collect();
    reply::json(200, &json!({ "object": "list", "data": all }))
}

fn model(world: &World, id: &str) -> Response {
    if MODELS.contains(&id) {
        return reply::json(200, &shown(world, id));
    }
    let text = format!("Model '{id}' not found. Available: ['omnivoice', 'tts-1', 'tts-1-hd']");
    refusal::error(404, &text)
}

fn shown(world: &World, id: &str) -> Value {
    let parent = if id == MODELS[0] { Value::Null } else { Value::from(MODELS[0]) };
    json!({
        "id": id, "object": "model", "created": world.now(), "owned_by": "k2-fsa",
        "permission": [], "root": "k2-fsa/OmniVoice", "parent": parent,
    })
}
