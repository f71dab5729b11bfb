//! ComfyUI: a self-hosted queue of workflows, behind a proxy that wants a bearer token.

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

mod jobs;
mod list;
mod multipart;
mod nodes;
mod refusal;
mod submit;
mod uploads;
mod workflow;

pub(crate) use jobs::Jobs;
pub(crate) use refusal::by_status as refusal;

use crate::call::Call;
use crate::door::Mood;
use crate::{COMFY_TOKEN, World, reply};

pub(crate) fn answer(world: &World, call: &Call, mood: &Mood) -> Response {
    if call.credential("Bearer") != Some(COMFY_TOKEN) {
        return refusal(401);
    }
    let mut segments = call.segments();
    if let ["api", "jobs", rest @ ..] = segments.as_slice() {
        return list::answer(world, call, rest);
    }
    if segments.first() == Some(&"api") {
        segments.remove(0);
    }
    match (&call.method, segments.as_slice()) {
        (&Method::POST, ["prompt"]) => submit::submit(world, call, mood),
        (&Method::GET, ["prompt"]) => {
            reply::json(200, &json!({ "exec_info": { "queue_remaining": world.comfyui.unfinished() } }))
        }
        (&Method::GET, ["queue"]) => reply::json(200, &world.comfyui.queue(world.now_ms())),
        (&Method::POST, ["queue"]) => told(call, |order| world.comfyui.drop_waiting(order)),
        (&Method::GET, ["history"]) => reply::json(200, &world.comfyui.histories()),
        (&Method::GET, ["history", id]) => reply::json(200, &world.comfyui.history(id, world.now_ms())),
        (&Method::POST, ["history"]) => told(call, |order| world.comfyui.forget(order)),
        (&Method::POST, ["interrupt"]) => {
            told(call, |order| world.comfyui.interrupt(order["prompt_id"].as_str(), world.now_ms()))
        }
        (&Method::GET | &Method::HEAD, ["view"]) => view(world, call),
        (&Method::POST, ["upload", "image"]) => uploads::take(world, call),
        (&Method::GET, ["system_stats"]) => reply::json(200, &system_stats()),
        _ => reply::text(404, "404: Not Found"),
    }
}

/// Orders answer 200 with an empty body, also when nothing matched.
fn told(call: &Call, act: impl FnOnce(&Value)) -> Response {
    act(&call.json().unwrap_or_default());
    reply::empty(200)
}

fn view(world: &World, call: &Call) -> Response {
    let query = call.query();
    let part = |name: &str| query.get(name).map_or("", String::as_str);
    let (name, subfolder) = (part("filename"), part("subfolder"));
    if name.is_empty() || name.starts_with('/') || name.contains("..") {
        return reply::empty(400);
    }
    if subfolder.contains("..") {
        return reply::empty(403);
    }
    let kind = if part("type").is_empty() { "output" } else { part("type") };
    let shown = match world.comfyui.file(kind, subfolder, name) {
        Some((media, serving)) => Some(media.serve(world, serving, call)),
        None => world.comfyui.uploads.serve(kind, subfolder, name, call),
    };
    let Some(response) = shown else { return reply::empty(404) };
    let response = reply::with_header(response, "x-content-type-options", "nosniff");
    reply::with_header(response, "content-disposition", &format!("filename=\"{name}\""))
}

fn system_stats() -> Value {
    json!({
        "system": {
            "os": "posix", "ram_total": 67_430_000_000_u64, "ram_free": 50_000_000_000_u64,
            "comfyui_version": "0.3.75", "python_version": "3.12.3", "pytorch_version": "2.9.0",
            "embedded_python": false, "argv": ["main.py"],
        },
        "devices": [{
            "name": "cuda:0 Sandbox GPU", "type": "cuda", "index": 0,
            "vram_total": 25_757_220_864_u64, "vram_free": 24_000_000_000_u64,
            "torch_vram_total": 0, "torch_vram_free": 0,
        }],
    })
}
