//! What a run keeps beside its rows: the input it was started with, and its log.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, header};

use super::refusal;
use super::run::Run;
use crate::{World, reply};

/// `GET /key-value-stores/{id}/records/{key}`.
pub(super) fn record(world: &Arc<World>, store: &str, key: &str) -> Response {
    of(world, key, |run| run.store_id == store)
}

/// `GET /actor-runs/{id}/key-value-store/records/{key}`.
pub(super) fn record_of_run(world: &Arc<World>, id: &str, key: &str) -> Response {
    of(world, key, |run| run.id == id)
}

/// The input byte by byte, as it came.
fn of(world: &Arc<World>, key: &str, is_it: impl Fn(&Run) -> bool) -> Response {
    let shelf = world.apify.lock();
    let run = shelf.ids().filter_map(|id| shelf.get(id)).find(|run| is_it(run));
    let Some(run) = run.filter(|_| key == "INPUT") else { return refusal(404) };
    let (input, content_type) = run.input();
    let mut response = Response::new(Body::from(input.clone()));
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

/// `GET /actor-runs/{id}/log`.
pub(super) fn log(world: &Arc<World>, id: &str) -> Response {
    match world.apify.lock().get(id) {
        Some(run) => {
            reply::text(200, format!("ACTOR: Starting Docker container.\nINFO {}\n", run.status().name()))
        }
        None => refusal(404),
    }
}
