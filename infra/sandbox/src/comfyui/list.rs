//! `/api/jobs`: queue and history as one list (`server.py` and `comfy_execution/jobs.py` of ComfyUI, 2026).

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

use crate::call::Call;
use crate::{World, ids, reply};

const WORDS: [&str; 5] = ["pending", "in_progress", "completed", "failed", "cancelled"];

pub(super) fn answer(world: &World, call: &Call, segments: &[&str]) -> Response {
    match (&call.method, segments) {
        (&Method::GET, []) => list(world, call).unwrap_or_else(|error| refused(400, &error)),
        (&Method::GET, [id]) => match world.comfyui.listed(id, world.now_ms()) {
            Some(job) => reply::json(200, &job),
            None => refused(404, "Job not found"),
        },
        (&Method::POST, ["cancel"]) => cancel_all(world, call),
        (&Method::POST, [id, "cancel"]) => cancelled(world.comfyui.cancel(id, world.now_ms())),
        _ => reply::text(404, "404: Not Found"),
    }
}

/// Takes `status` (several with commas), `sort_by`, `sort_order`, `limit` and `offset`.
fn list(world: &World, call: &Call) -> Result<Response, String> {
    let query = call.query();
    let part = |name: &str| query.get(name).map(|value| value.to_lowercase());
    let status = part("status").unwrap_or_default();
    let asked: Vec<&str> = status.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    let unknown: Vec<&str> = asked.iter().copied().filter(|word| !WORDS.contains(word)).collect();
    if !unknown.is_empty() {
        let (unknown, valid) = (unknown.join(", "), WORDS.join(", "));
        return Err(format!("Invalid status value(s): {unknown}. Valid values: {valid}"));
    }
    let by_duration = match part("sort_by").as_deref() {
        None | Some("created_at") => false,
        Some("execution_duration") => true,
        Some(_) => return Err("sort_by must be 'created_at' or 'execution_duration'".to_owned()),
    };
    let is_rising = match part("sort_order").as_deref() {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => return Err("sort_order must be 'asc' or 'desc'".to_owned()),
    };
    let whole = |name: &str| match query.get(name).map(|text| text.trim().parse::<i64>()) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(format!("{name} must be an integer")),
    };
    let limit = whole("limit")?;
    if limit.is_some_and(|limit| limit <= 0) {
        return Err("limit must be a positive integer".to_owned());
    }
    let offset = whole("offset")?.unwrap_or(0).max(0);

    let words = if asked.is_empty() { &WORDS[..] } else { &asked };
    let mut jobs = world.comfyui.list(words, world.now_ms());
    let key = |(created, duration, _): &(u64, u64, Value)| if by_duration { *duration } else { *created };
    jobs.sort_by(|one, other| if is_rising { key(one).cmp(&key(other)) } else { key(other).cmp(&key(one)) });
    let total = jobs.len();
    let from = usize::try_from(offset).unwrap_or(usize::MAX);
    let count = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let page: Vec<Value> = jobs.into_iter().skip(from).take(count).map(|(_, _, job)| job).collect();
    let has_more = from.saturating_add(page.len()) < total;
    let pagination = json!({ "offset": offset, "limit": limit, "total": total, "has_more": has_more });
    Ok(reply::json(200, &json!({ "jobs": page, "pagination": pagination })))
}

/// `POST /api/jobs/cancel`: every id must be a UUID; those that are done or unknown are passed over.
fn cancel_all(world: &World, call: &Call) -> Response {
    let Ok(body) = call.json() else { return refused(400, "Request body must be valid JSON") };
    let Some(ids) = body["job_ids"].as_array() else { return refused(400, "job_ids must be a list") };
    let invalid: Vec<&Value> = ids.iter().filter(|id| !id.as_str().is_some_and(ids::is_uuid)).collect();
    if !invalid.is_empty() {
        let error = "job_ids contains invalid id(s)";
        return reply::json(400, &json!({ "error": error, "invalid_ids": invalid }));
    }
    let mut any = false;
    for id in ids.iter().filter_map(Value::as_str) {
        any |= world.comfyui.cancel(id, world.now_ms());
    }
    cancelled(any)
}

fn cancelled(any: bool) -> Response {
    reply::json(200, &json!({ "cancelled": any }))
}

fn refused(status: u16, error: &str) -> Response {
    reply::json(status, &json!({ "error": error }))
}
