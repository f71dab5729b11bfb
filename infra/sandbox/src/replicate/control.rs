//! The control calls: end a prediction, send its webhook again, look at the signed request.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::webhook::{self, Event, Notice};
use super::{move_on, refusal};
use crate::call::Call;
use crate::delivery::times;
use crate::door::Mood;
use crate::reply::Refused;
use crate::{Delivery, World, reply};

const TIMES_MAX: u32 = 100;

/// `POST predictions/{id}/finish`: it ends now, as it would have ended; its webhooks are sent.
pub(super) fn end(world: &Arc<World>, id: &str) -> Response {
    if !finish(world, id) {
        return refusal(404);
    }
    let shelf = world.replicate.lock();
    shelf.get(id).map_or_else(|| refusal(404), |prediction| reply::json(200, &prediction.shown(world)))
}

/// Ends a prediction now; false when there is none.
pub(crate) fn finish(world: &Arc<World>, id: &str) -> bool {
    move_on(world, id, |prediction| prediction.finish(world.now())).is_some()
}

/// The webhook about the end of a prediction, signed now; `None` before the end and for one without a webhook.
pub(crate) fn webhook(world: &World, id: &str) -> Option<Delivery> {
    let shelf = world.replicate.lock();
    let prediction = shelf.get(id)?;
    Some(prediction.notice(Event::Completed)?.genuine(&prediction.hook_url()?, world.now()))
}

/// `GET predictions/{id}/webhook-request?event=completed[&forged=1]`: the request, unsent; changes nothing.
pub(super) fn show(world: &World, id: &str, call: &Call) -> Response {
    match asked(world, id, call) {
        Ok(asked) => reply::json(200, &asked.delivery(world).shown()),
        Err(response) => *response,
    }
}

/// `POST predictions/{id}/webhook?event=completed[&times=2][&forged=1]`: answers the product's statuses.
pub(super) async fn send(world: &World, id: &str, call: &Call, mood: &Mood) -> Response {
    let asked = match asked(world, id, call) {
        Ok(asked) => asked,
        Err(response) => return *response,
    };
    let wished = call.query().get("times").and_then(|times| times.parse().ok()).unwrap_or(1);
    let mut statuses: Vec<Value> = Vec::new();
    for _ in 0..times(mood.fault.as_ref(), wished).min(TIMES_MAX) {
        let status = webhook::post(world, &asked.url, &asked.delivery(world), mood.fault.as_ref()).await;
        statuses.push(json!({ "status": status }));
    }
    reply::json(200, &json!({ "deliveries": statuses }))
}

struct Asked {
    url: String,
    notice: Notice,
    is_forged: bool,
}

impl Asked {
    /// Signed anew each time, with the same id.
    fn delivery(&self, world: &World) -> Delivery {
        match self.is_forged {
            true => self.notice.forgery(&self.url, world.now()),
            false => self.notice.genuine(&self.url, world.now()),
        }
    }
}

fn asked(world: &World, id: &str, call: &Call) -> Result<Asked, Refused> {
    let query = call.query();
    let event = query.get("event").map_or(Some(Event::Completed), |name| Event::named(name));
    let Some(event) = event else {
        return Err(Box::new(reply::text(400, "event: start, output, logs or completed\n")));
    };
    let is_forged = query.get("forged").is_some_and(|flag| flag != "0" && flag != "false");
    let shelf = world.replicate.lock();
    let Some(prediction) = shelf.get(id) else { return Err(Box::new(refusal(404))) };
    // A forger does not wait until it has happened.
    let notice = match is_forged {
        true => Some(Notice::of(event, &prediction.shown(world))),
        false => prediction.notice(event),
    };
    match (prediction.hook_url(), notice) {
        (Some(url), Some(notice)) => Ok(Asked { url, notice, is_forged }),
        (None, _) => Err(conflict("the prediction has no webhook")),
        (Some(_), None) => Err(conflict("this has not happened yet")),
    }
}

fn conflict(error: &str) -> Refused {
    Box::new(reply::json(409, &json!({ "error": error })))
}
