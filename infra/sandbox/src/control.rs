//! The control calls and the page for people.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{any, get};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::faults::{CATALOGUE, NotUnderstood, understand};
use crate::{FaultRule, Service, World, door, reply};

const JOURNAL_LINES: usize = 30;

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/sandbox", get(page))
        .route("/sandbox/billing", get(billing))
        .route("/sandbox/settings", get(settings))
        .route("/sandbox/journal", get(journal))
        .route("/sandbox/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/sandbox/{service}/{*path}", any(door::enter))
}

async fn page() -> Response {
    reply::html(200, include_str!("page.html"))
}

/// Where a payer lands after SePay's page, as long as the product has no page of its own there.
async fn billing() -> Response {
    reply::html(
        200,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>Back from SePay</title>\
         <style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}</style>\
         <h1>You are back</h1><p>Coming back here proves nothing: the credit comes when SePay itself confirms the \
         payment. Look at <code>GET /v1/top-ups</code>, or at <a href=\"/sandbox\">the outside world</a>.</p></html>",
    )
}

/// Where a browser lands after a drive's page, as long as the product has no page of its own there.
async fn settings() -> Response {
    reply::html(
        200,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>Back from a drive</title>\
         <style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}</style>\
         <h1>You are back</h1><p>What came of it stands in the address, as <code>result</code>. Look at \
         <code>GET /v1/drives</code>, or at <a href=\"/sandbox\">the outside world</a>.</p></html>",
    )
}

#[derive(Deserialize)]
struct JournalWish {
    limit: Option<usize>,
}

async fn journal(State(world): State<Arc<World>>, Query(wish): Query<JournalWish>) -> Response {
    reply::json(200, &world.journal.latest(wish.limit.unwrap_or(JOURNAL_LINES)))
}

async fn list_faults(State(world): State<Arc<World>>) -> Response {
    let active: Vec<Value> =
        world.faults.active().iter().map(|(service, rule)| shown(*service, rule)).collect();
    reply::json(200, &json!({ "active": active, "catalogue": CATALOGUE }))
}

async fn clear_faults(State(world): State<Arc<World>>) -> Response {
    world.faults.clear();
    reply::empty(204)
}

async fn add_fault(State(world): State<Arc<World>>, body: Bytes) -> Response {
    match read_order(&body) {
        Ok((service, rule)) => {
            let answer = shown(service, &rule);
            world.faults.set(service, rule);
            reply::json(201, &answer)
        }
        Err(refusal) => reply::json(422, &refusal.0),
    }
}

fn read_order(body: &[u8]) -> Result<(Service, FaultRule), NotUnderstood> {
    let mut order: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| NotUnderstood(json!({ "error": error.to_string() })))?;
    let service = order.remove("service").unwrap_or_default();
    let service = service.as_str().and_then(Service::named).ok_or_else(|| {
        let names = Service::ALL.map(Service::name);
        NotUnderstood(json!({ "error": format!("no service {service}"), "valid_services": names }))
    })?;
    let times = match order.remove("times") {
        None | Some(Value::Null) => None,
        Some(times) => Some(times.as_u64().and_then(|times| u32::try_from(times).ok()).ok_or_else(|| {
            NotUnderstood(json!({ "error": "`times` is a whole number, or absent for \"until cleared\"" }))
        })?),
    };
    let matching = order.remove("matching").and_then(|text| text.as_str().map(str::to_owned));
    let name = order.remove("fault").unwrap_or_default();
    let fault = understand(service, name.as_str().unwrap_or_default(), order)?;
    Ok((service, FaultRule { fault, times, matching }))
}

fn shown(service: Service, rule: &FaultRule) -> Value {
    let mut value = serde_json::to_value(rule).unwrap_or_default();
    value["service"] = Value::from(service.name());
    value
}
