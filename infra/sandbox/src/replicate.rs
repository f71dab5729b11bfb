//! Replicate: predictions of hosted models. Create, look, cancel, list; signed webhooks; files that end after an hour.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

mod control;
mod create;
mod file;
mod list;
mod model;
mod prediction;
mod refusal;
mod webhook;

pub(crate) use control::{finish, webhook};
pub use model::VIXTTS_VERSION;
pub(crate) use refusal::refusal;

use crate::call::Call;
use crate::door::Mood;
use crate::faults::Moment;
use crate::shelf::Shelf;
use crate::{REPLICATE_API_TOKEN, REPLICATE_WEBHOOK_SECRET, World, course, reply};
use model::Model;
use prediction::Prediction;

/// The predictions by id.
#[derive(Default)]
pub(crate) struct Predictions {
    shelf: Mutex<Shelf<Prediction>>,
    moved: Notify,
}

impl Predictions {
    fn lock(&self) -> MutexGuard<'_, Shelf<Prediction>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cancel is a `POST` and starts nothing.
pub(crate) fn moment(call: &Call) -> Moment {
    match (&call.method, call.segments().as_slice()) {
        (&Method::POST, ["predictions", _, "webhook"]) => Moment::Delivery,
        (_, ["predictions", ..]) => Moment::Control,
        (&Method::POST, ["v1", .., "predictions"]) => Moment::Work,
        _ => Moment::Read,
    }
}

pub(crate) async fn answer(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    let segments = call.segments();
    match (&call.method, segments.as_slice()) {
        (&Method::GET | &Method::HEAD, ["files", name]) => file::serve(world, name, call.header("range")),
        (&Method::GET, ["predictions", id, "webhook-request"]) => control::show(world, id, call),
        (&Method::POST, ["predictions", id, "webhook"]) => control::send(world, id, call, mood).await,
        (&Method::POST, ["predictions", id, "finish"]) => control::end(world, id),
        (_, ["v1", path @ ..]) if is_known(call) => api(world, call, mood, path).await,
        (_, ["v1", ..]) if call.header("authorization").is_none() => refusal::nobody(),
        (_, ["v1", ..]) => refusal(401),
        _ => refusal(404),
    }
}

async fn api(world: &Arc<World>, call: &Call, mood: &Mood, path: &[&str]) -> Response {
    match (&call.method, path) {
        (&Method::POST, ["predictions"]) => create::by_version(world, call, mood).await,
        (&Method::POST, ["models", owner, name, "predictions"]) => {
            create::by_official_model(world, owner, name, call, mood).await
        }
        (&Method::GET, ["predictions"]) => list::page(world, call),
        (&Method::GET, ["predictions", id]) => look(world, id),
        (&Method::POST, ["predictions", id, "cancel"]) => cancel(world, id),
        (&Method::GET, ["models", owner, name]) => shown(Model::named(owner, name).map(Model::shown)),
        (&Method::GET, ["models", owner, name, "versions", id]) => {
            let model = Model::named(owner, name).filter(|model| model.version == *id);
            shown(model.map(Model::version_shown))
        }
        (&Method::GET, ["webhooks", "default", "secret"]) => {
            reply::json(200, &json!({ "key": REPLICATE_WEBHOOK_SECRET }))
        }
        _ => refusal(404),
    }
}

/// `Token` is the scheme of older clients.
fn is_known(call: &Call) -> bool {
    let token = call.credential("Bearer").or_else(|| call.credential("Token"));
    token == Some(REPLICATE_API_TOKEN)
}

fn look(world: &Arc<World>, id: &str) -> Response {
    match seen(world, id) {
        Some((_, prediction)) => reply::json(200, &prediction),
        None => refusal(404),
    }
}

fn cancel(world: &Arc<World>, id: &str) -> Response {
    move_on(world, id, |prediction| prediction.cancel(world.now()));
    let shelf = world.replicate.lock();
    shelf.get(id).map_or_else(|| refusal(404), |prediction| reply::json(200, &prediction.shown(world)))
}

/// The prediction as a caller sees it who looks now, and whether it is over.
fn seen(world: &Arc<World>, id: &str) -> Option<(bool, Value)> {
    change(world, id, |prediction| prediction.look(world.now()))?;
    let shelf = world.replicate.lock();
    let prediction = shelf.get(id)?;
    Some((prediction.is_over(), prediction.shown(world)))
}

/// Looks until the prediction is over: a look a second in an instant sandbox, else as long as the seconds last.
async fn seen_within(world: &Arc<World>, id: &str, seconds: u64) -> Option<(bool, Value)> {
    if world.config.zero_latency {
        for _ in 1..seconds {
            let seen = seen(world, id);
            if seen.is_none() || is_over(&seen) {
                return seen;
            }
        }
        return seen(world, id);
    }
    let waited = tokio::time::timeout(Duration::from_secs(seconds), async {
        loop {
            let moved = world.replicate.moved.notified();
            let seen = seen(world, id);
            if seen.is_none() || is_over(&seen) {
                return seen;
            }
            moved.await;
        }
    });
    waited.await.unwrap_or_else(|_| seen(world, id))
}

fn is_over(seen: &Option<(bool, Value)>) -> bool {
    seen.as_ref().is_some_and(|(is_over, _)| *is_over)
}

/// Moves it on and tells those who wait for it. A look must not: whoever waits looks, and would wake itself.
fn move_on(world: &Arc<World>, id: &str, step: impl FnOnce(&mut Prediction)) -> Option<()> {
    let moved = change(world, id, step);
    world.replicate.moved.notify_waiters();
    moved
}

/// Changes a prediction and sends the webhooks about what that has brought.
fn change(world: &Arc<World>, id: &str, change: impl FnOnce(&mut Prediction)) -> Option<()> {
    let due = {
        let mut shelf = world.replicate.lock();
        let prediction = shelf.get_mut(id)?;
        change(prediction);
        prediction.due(world)
    };
    webhook::send_later(world, due);
    Some(())
}

/// Lets the prediction's own clock run.
fn set_going(world: &Arc<World>, id: &str, pace_ms: u64) {
    let id = id.to_owned();
    course::run(world, pace_ms, move |world| {
        move_on(world, &id, |prediction| prediction.tick(world.now()));
        world.replicate.lock().get(&id).is_none_or(Prediction::is_over)
    });
}

fn shown(value: Option<Value>) -> Response {
    value.map_or_else(|| refusal(404), |value| reply::json(200, &value))
}
