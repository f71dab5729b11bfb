//! `POST /prompt`: a workflow becomes a job.

use axum::response::Response;
use serde_json::{Value, json};

use super::jobs::{Job, Place};
use super::refusal::{invalid, reason, server_trouble};
use super::workflow;
use crate::call::Call;
use crate::door::Mood;
use crate::{World, ids, reply};

pub(super) fn submit(world: &World, call: &Call, mood: &Mood) -> Response {
    let Ok(mut body) = call.json() else { return server_trouble() };
    let Value::Object(nodes) = body["prompt"].take() else {
        let error = reason("no_prompt", "No prompt provided", "No prompt provided", json!({}));
        return invalid(&error, &json!({}));
    };
    let id = match &body["prompt_id"] {
        Value::Null => ids::uuid(),
        Value::String(id) if ids::is_uuid(id) => id.clone(),
        _ => return wrong_id(),
    };
    let plan = match workflow::check(&nodes, &|name| world.comfyui.uploads.seen(name)) {
        Ok(plan) => plan,
        Err(why) => return invalid(&why.error, &why.node_errors),
    };
    let mut job = Job::new(&id, Value::Object(nodes), &plan, mood.fault.as_ref(), world.config.zero_latency);
    job.submitted(&body, world.now_ms());
    let number = world.comfyui.add(job, &plan, mood.fault.as_ref(), Place::asked(&body));
    reply::json(200, &json!({ "prompt_id": id, "number": number, "node_errors": {} }))
}

fn wrong_id() -> Response {
    let message = "prompt_id must be a lower-case hyphenated UUID";
    invalid(&reason("invalid_prompt_id", message, message, json!({})), &json!({}))
}
