//! Apify: programs of others ("actors") that scrape. Start, look, wait, abort, list; rows, input, unsigned webhooks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;

mod actors;
mod control;
mod csv;
mod dataset;
mod input;
mod list;
mod refusal;
mod run;
mod start;
mod storage;
mod webhook;

pub(crate) use control::{finish, webhook};
#[cfg(test)]
pub(crate) use csv::table as csv_table;
pub(crate) use refusal::refusal;

use crate::call::Call;
use crate::door::Mood;
use crate::faults::Moment;
use crate::shelf::Shelf;
use crate::{APIFY_TOKEN, World, course, reply};
use actors::Actor;
use run::Run;

/// The account that everything belongs to.
const USER: &str = "sandboxUser000001";
const WAIT_SECONDS_MAX: u64 = 60;

/// The runs by id.
#[derive(Default)]
pub(crate) struct Runs {
    shelf: Mutex<Shelf<Run>>,
    moved: Notify,
}

impl Runs {
    fn lock(&self) -> MutexGuard<'_, Shelf<Run>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An abort is a `POST` and starts nothing.
pub(crate) fn moment(call: &Call) -> Moment {
    match (&call.method, call.segments().as_slice()) {
        (&Method::POST, ["runs", _, "webhook"]) => Moment::Delivery,
        (_, ["runs", ..]) => Moment::Control,
        (&Method::POST, ["v2", "actors" | "acts", _, "runs"]) => Moment::Work,
        (_, ["v2", "actors" | "acts", _, "run-sync-get-dataset-items"]) => Moment::Work,
        _ => Moment::Read,
    }
}

pub(crate) async fn answer(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    match (&call.method, call.segments().as_slice()) {
        (&Method::GET, ["runs", id, "webhook-request"]) => control::show(world, id, call),
        (&Method::POST, ["runs", id, "webhook"]) => control::send(world, id, call, mood).await,
        (&Method::POST, ["runs", id, "finish"]) => control::end(world, id),
        (_, ["v2", path @ ..]) => match token(call).as_deref() {
            Some(APIFY_TOKEN) => api(world, call, mood, path).await,
            Some(_) => refusal(401),
            None => refusal::nobody(),
        },
        _ => refusal::page(),
    }
}

async fn api(world: &Arc<World>, call: &Call, mood: &Mood, path: &[&str]) -> Response {
    match (&call.method, path) {
        (&Method::GET, ["users", "me"]) => {
            reply::json(200, &json!({ "data": { "id": USER, "username": "sandbox", "isPaying": true } }))
        }
        (_, ["actors" | "acts", actor, rest @ ..]) => match Actor::named(actor) {
            Some(actor) => of_actor(world, call, mood, actor, rest).await,
            None => refusal::no_actor(),
        },
        (&Method::GET, ["actor-runs"]) => list::page(world, call, None),
        (&Method::GET, ["actor-runs", id]) => look(world, id, call).await,
        (&Method::POST, ["actor-runs", id, "abort"]) => abort(world, id),
        (&Method::GET, ["actor-runs", id, "log"]) => storage::log(world, id),
        (&Method::GET, ["actor-runs", id, "dataset", "items"]) => dataset::of_run(world, id, call),
        (&Method::GET, ["actor-runs", id, "key-value-store", "records", key]) => {
            storage::record_of_run(world, id, key)
        }
        (&Method::GET, ["datasets", id]) => dataset::about(world, id),
        (&Method::GET, ["datasets", id, "items"]) => dataset::items(world, id, call),
        (&Method::GET, ["key-value-stores", id, "records", key]) => storage::record(world, id, key),
        _ => refusal::page(),
    }
}

async fn of_actor(
    world: &Arc<World>,
    call: &Call,
    mood: &Mood,
    actor: &'static Actor,
    path: &[&str],
) -> Response {
    match (&call.method, path) {
        (&Method::GET, []) => reply::json(200, &json!({ "data": actor.shown() })),
        (&Method::POST, ["runs"]) => start::answer(world, actor, call, mood).await,
        (&Method::GET, ["runs"]) => list::page(world, call, Some(actor)),
        (&Method::GET, ["runs", "last"]) => match list::last(world, actor) {
            Some(id) => look(world, &id, call).await,
            None => refusal(404),
        },
        (&Method::GET, ["runs", id]) => look(world, id, call).await,
        (&Method::POST, ["runs", id, "abort"]) => abort(world, id),
        (&Method::GET | &Method::POST, ["run-sync-get-dataset-items"]) => {
            start::synchronously(world, actor, call, mood).await
        }
        _ => refusal::page(),
    }
}

/// In the header, or in the query, where logs see it.
fn token(call: &Call) -> Option<String> {
    call.credential("Bearer").map(str::to_owned).or_else(|| call.query().remove("token"))
}

/// `?waitForFinish=` holds the answer for up to a minute.
async fn look(world: &Arc<World>, id: &str, call: &Call) -> Response {
    let Some(seconds) = wait_seconds(call) else { return refusal::invalid("waitForFinish must be a number") };
    match seen_within(world, id, seconds).await {
        Some((_, run)) => reply::json(200, &json!({ "data": run })),
        None => refusal(404),
    }
}

fn abort(world: &Arc<World>, id: &str) -> Response {
    move_on(world, id, |run| run.abort(world.now()));
    let shelf = world.apify.lock();
    shelf.get(id).map_or_else(|| refusal(404), |run| reply::json(200, &json!({ "data": run.shown() })))
}

/// Longer waits are cut to a minute.
fn wait_seconds(call: &Call) -> Option<u64> {
    match call.query().get("waitForFinish") {
        Some(text) => text.parse::<u64>().ok().map(|seconds| seconds.min(WAIT_SECONDS_MAX)),
        None => Some(0),
    }
}

/// The run as a caller sees it who looks now, and whether it is over.
fn seen(world: &Arc<World>, id: &str) -> Option<(bool, Value)> {
    change(world, id, |run| run.look(world.now()))?;
    let shelf = world.apify.lock();
    let run = shelf.get(id)?;
    Some((run.is_over(), run.shown()))
}

/// Looks until the run is over: a look a second in an instant sandbox, else as long as the seconds last.
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
            let moved = world.apify.moved.notified();
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
fn move_on(world: &Arc<World>, id: &str, step: impl FnOnce(&mut Run)) -> Option<()> {
    let moved = change(world, id, step);
    world.apify.moved.notify_waiters();
    moved
}

/// Changes a run and sends the webhooks about what that has brought.
fn change(world: &Arc<World>, id: &str, change: impl FnOnce(&mut Run)) -> Option<()> {
    let due = {
        let mut shelf = world.apify.lock();
        let run = shelf.get_mut(id)?;
        change(run);
        run.due(world.now())
    };
    webhook::send_later(world, due);
    Some(())
}

/// Lets the run's own clock go, until its cost is settled.
fn set_going(world: &Arc<World>, id: &str, pace_ms: u64) {
    let id = id.to_owned();
    course::run(world, pace_ms, move |world| {
        move_on(world, &id, |run| run.tick(world.now()));
        world.apify.lock().get(&id).is_none_or(Run::is_settled)
    });
}
