//! The control calls: end a run, send its webhook again, look at the request.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::webhook::{self, Event, Ring};
use super::{move_on, refusal};
use crate::call::Call;
use crate::delivery::times;
use crate::door::Mood;
use crate::reply::Refused;
use crate::{Delivery, World, reply};

const TIMES_MAX: u32 = 100;

/// `POST runs/{id}/finish`: it ends now, as it would have ended; its webhooks are sent.
pub(super) fn end(world: &Arc<World>, id: &str) -> Response {
    if !finish(world, id) {
        return refusal(404);
    }
    let shelf = world.apify.lock();
    shelf.get(id).map_or_else(|| refusal(404), |run| reply::json(200, &json!({ "data": run.shown() })))
}

/// Ends a run now; false when there is none.
pub(crate) fn finish(world: &Arc<World>, id: &str) -> bool {
    move_on(world, id, |run| run.finish(world.now())).is_some()
}

/// The webhook about the end of a run; `None` before the end and for a run that has none for it.
pub(crate) fn webhook(world: &World, id: &str) -> Option<Delivery> {
    let shelf = world.apify.lock();
    let run = shelf.get(id)?;
    let event = run.last_event()?;
    Some(run.hook(event)?.call(event, &run.shown(), world.now()).delivery)
}

/// `GET runs/{id}/webhook-request[?event=ACTOR.RUN.SUCCEEDED][&forged=1]`: the request, unsent; changes nothing.
pub(super) fn show(world: &World, id: &str, call: &Call) -> Response {
    match asked(world, id, call) {
        Ok(asked) => reply::json(200, &asked.delivery.shown()),
        Err(response) => *response,
    }
}

/// `POST runs/{id}/webhook[?event=…][&times=2][&forged=1]`: answers the product's statuses.
pub(super) async fn send(world: &World, id: &str, call: &Call, mood: &Mood) -> Response {
    let asked = match asked(world, id, call) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let wished = call.query().get("times").and_then(|times| times.parse().ok()).unwrap_or(1);
    let mut statuses: Vec<Value> = Vec::new();
    for _ in 0..times(mood.fault.as_ref(), wished).min(TIMES_MAX) {
        statuses.push(json!({ "status": webhook::post(world, &asked, mood.fault.as_ref()).await }));
    }
    reply::json(200, &json!({ "deliveries": statuses }))
}

/// By default the webhook about how the run has ended. A forger does not wait for that.
fn asked(world: &World, id: &str, call: &Call) -> Result<Ring, Refused> {
    let query = call.query();
    let conflict = |error: &str| Box::new(reply::json(409, &json!({ "error": error })));
    let shelf = world.apify.lock();
    let Some(run) = shelf.get(id) else { return Err(Box::new(refusal(404))) };
    if query.get("forged").is_some_and(|flag| flag != "0" && flag != "false") {
        let hook = run.hooks().first().ok_or_else(|| conflict("the run has no webhook"))?;
        return Ok(hook.forged(&run.shown(), world.now()));
    }
    let event = match query.get("event") {
        Some(name) => {
            Some(Event::named(name).ok_or_else(|| Box::new(reply::text(400, "event: ACTOR.RUN.…\n")))?)
        }
        None => run.last_event(),
    };
    let event = event
        .filter(|event| run.has_happened(*event))
        .ok_or_else(|| conflict("this has not happened yet"))?;
    let hook = run.hook(event).ok_or_else(|| conflict("the run has no webhook for this event"))?;
    Ok(hook.call(event, &run.shown(), world.now()))
}
