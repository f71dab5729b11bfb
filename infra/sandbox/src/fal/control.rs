//! The sandbox's own calls about fal's jobs: list them, end one, send or show its webhook.

use std::collections::HashMap;
use std::sync::Arc;

use axum::response::Response;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::job::Job;
use super::webhook::{self, NoWebhook};
use crate::call::Call;
use crate::progress::Phase;
use crate::{Delivery, Sandbox, WebhookFault, World, reply};

const LATEST: usize = 15;
const TIMES_MAX: u32 = 100;
const HOWS: &str = "how: lost, forged, stale, early, after_cancel, error, payload_error or other_gateway";

/// `/sandbox/fal/jobs…`
pub(super) async fn answer(world: &Arc<World>, call: &Call, segments: &[&str]) -> Response {
    match (&call.method, segments) {
        (&Method::GET, []) => latest(world),
        (&Method::POST, [id, "finish"]) => finish(world, id),
        (&Method::POST, [id, "webhook"]) => send(world, id, call).await,
        (&Method::GET, [id, "webhook-request"]) => show(world, id, call),
        _ => refused(404, "no such control call"),
    }
}

impl Sandbox {
    /// The ids of fal's jobs, oldest first, also of those whose submit was never answered.
    pub fn fal_jobs(&self) -> Vec<String> {
        self.world.fal.lock().ids().cloned().collect()
    }

    /// Ends a job of fal's now. Nothing is sent; see [`Sandbox::fal_webhook`]. Answers whether there is such a job.
    pub fn finish_fal_job(&self, request_id: &str) -> bool {
        self.world.fal.with(request_id, |job| job.progress.finish()).is_some()
    }

    /// The webhook about a job as fal would send it now, signed; `None` for an unknown id and for a job whose submit
    /// named no address. Changes nothing, and tells how the job ends although it may not have ended yet.
    pub fn fal_webhook(&self, request_id: &str, how: Option<WebhookFault>) -> Option<Delivery> {
        webhook::request(&self.world, request_id, how).ok().map(|(_, delivery)| delivery)
    }
}

/// `GET jobs`: the latest, newest first, with what was sent about them.
fn latest(world: &World) -> Response {
    let shelf = world.fal.lock();
    let ids: Vec<&String> = shelf.ids().collect();
    let jobs: Vec<Value> =
        ids.into_iter().rev().take(LATEST).filter_map(|id| shelf.get(id)).map(shown).collect();
    reply::json(200, &json!({ "jobs": jobs }))
}

/// `POST jobs/{id}/finish`: the job ends now; outside of tests its webhook then goes out.
fn finish(world: &Arc<World>, id: &str) -> Response {
    let owes_webhook = webhook::end(world, id);
    if owes_webhook && !world.config.zero_latency {
        webhook::send_in_background(world, id);
    }
    match world.fal.lock().get(id) {
        Some(job) => reply::json(200, &shown(job)),
        None => refusal(NoWebhook::UnknownJob),
    }
}

/// `POST jobs/{id}/webhook[?how=…][&times=2][&until_taken=1]`: sends now; answers how each attempt ended.
async fn send(world: &World, id: &str, call: &Call) -> Response {
    let query = call.query();
    let Ok(how) = asked_how(&query) else { return refused(422, HOWS) };
    let times = query.get("times").and_then(|times| times.parse().ok()).unwrap_or(1).min(TIMES_MAX);
    let until_taken = query.get("until_taken").is_some_and(|flag| flag != "0" && flag != "false");
    let mut deliveries = Vec::new();
    for _ in 0..times {
        let sent = match until_taken {
            true => webhook::send_until_taken(world, id, how).await,
            false => webhook::send(world, id, how).await.map(|outcome| vec![outcome]),
        };
        match sent {
            Ok(outcomes) => deliveries.extend(outcomes),
            Err(why) => return refusal(why),
        }
    }
    reply::json(200, &json!({ "request_id": id, "deliveries": deliveries }))
}

/// `GET jobs/{id}/webhook-request[?how=…]`: the signed request, unsent; changes nothing.
fn show(world: &World, id: &str, call: &Call) -> Response {
    let Ok(how) = asked_how(&call.query()) else { return refused(422, HOWS) };
    match webhook::request(world, id, how) {
        Ok((url, delivery)) => {
            let mut shown = delivery.shown();
            shown["url"] = Value::from(url.as_str());
            reply::json(200, &shown)
        }
        Err(why) => refusal(why),
    }
}

fn shown(job: &Job) -> Value {
    let status = match job.progress.peek() {
        _ if job.is_cancelled() => "CANCELLED",
        Phase::Waiting => "IN_QUEUE",
        Phase::Running => "IN_PROGRESS",
        Phase::Done => "COMPLETED",
    };
    let hook = job.hook.as_ref();
    json!({
        "request_id": job.id(),
        "model": job.model.id(),
        "status": status,
        "webhook": hook.map(|hook| hook.url.as_str()),
        "deliveries": hook.map(|hook| &hook.outcomes),
    })
}

/// The fault in the query, if there is one; an error for a name that is none.
fn asked_how(query: &HashMap<String, String>) -> Result<Option<WebhookFault>, serde_json::Error> {
    query.get("how").map(|name| WebhookFault::deserialize(Value::from(name.as_str()))).transpose()
}

fn refusal(why: NoWebhook) -> Response {
    match why {
        NoWebhook::UnknownJob => refused(404, "no job of that id"),
        NoWebhook::NotAsked => refused(409, "the submit named no fal_webhook"),
        NoWebhook::Elsewhere => {
            refused(409, "the address is of another machine, and the sandbox sends nothing there")
        }
    }
}

fn refused(status: u16, error: &str) -> Response {
    reply::json(status, &json!({ "error": error }))
}
