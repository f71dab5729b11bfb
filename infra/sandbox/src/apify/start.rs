//! A new run, answered at once or after its end.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::actors::Actor;
use super::input::Input;
use super::run::{Options, Run, Status, Wish};
use super::webhook::{self, Hook};
use super::{change, dataset, refusal, seen_within, set_going, wait_seconds};
use crate::call::Call;
use crate::door::Mood;
use crate::reply::Refused;
use crate::{Fault, World, decimal, reply};

/// How long the synchronous call waits.
const SYNC_SECONDS: u64 = 300;
const TIMEOUT_SECONDS: u64 = 3_600;
const MEMORY_MBYTES: u64 = 1_024;

/// `POST /actors/{id}/runs`.
pub(super) async fn answer(world: &Arc<World>, actor: &'static Actor, call: &Call, mood: &Mood) -> Response {
    let Some(seconds) = wait_seconds(call) else { return refusal::invalid("waitForFinish must be a number") };
    let (id, born) = match begin(world, actor, call, mood).await {
        Ok(begun) => begun,
        Err(response) => return *response,
    };
    // Without a wish to wait, starting is no look.
    let run = match seconds {
        0 => Some(born),
        seconds => seen_within(world, &id, seconds).await.map(|(_, run)| run),
    };
    match run {
        Some(run) => {
            let response = reply::json(201, &json!({ "data": run }));
            let location = world.url(crate::Service::Apify, &format!("/v2/acts/{}/runs/{id}", actor.id));
            reply::with_header(response, "location", &location)
        }
        None => refusal(404),
    }
}

/// `POST /actors/{id}/run-sync-get-dataset-items`: the rows; 408 leaves the run running.
pub(super) async fn synchronously(
    world: &Arc<World>,
    actor: &'static Actor,
    call: &Call,
    mood: &Mood,
) -> Response {
    let id = match begin(world, actor, call, mood).await {
        Ok((id, _)) => id,
        Err(response) => return *response,
    };
    let is_over = seen_within(world, &id, SYNC_SECONDS).await.is_some_and(|(is_over, _)| is_over);
    if !is_over {
        return refusal::timed_out();
    }
    let status = world.apify.lock().get(&id).map(Run::status);
    match status {
        Some(Status::Succeeded) => dataset::after_run(world, &id, call),
        Some(status) => {
            let text = format!("Actor run did not succeed (run ID: {id}, status: {})", status.name());
            refusal::error(400, "run-failed", &text)
        }
        None => refusal(404),
    }
}

/// Starts a run; answers its id and how it was at its start.
async fn begin(
    world: &Arc<World>,
    actor: &'static Actor,
    call: &Call,
    mood: &Mood,
) -> Result<(String, Value), Refused> {
    let wish = wish(actor, call, mood.fault.as_ref(), world.now())?;
    let run = Run::new(wish, mood.fault.clone(), world.config.zero_latency);
    let (id, born) = (run.id.clone(), run.shown());
    if mood.fault == Some(Fault::Forged) {
        webhook::forge_later(world, &run);
    }
    world.apify.lock().put(id.clone(), run);
    if mood.fault == Some(Fault::Early) {
        told_early(world, &id).await;
    } else {
        change(world, &id, |_| {});
        set_going(world, &id, mood.pace_ms);
    }
    Ok((id, born))
}

/// The run ends, and its webhook has arrived, before the caller learns its id.
async fn told_early(world: &Arc<World>, id: &str) {
    let due = {
        let mut shelf = world.apify.lock();
        let Some(run) = shelf.get_mut(id) else { return };
        run.finish(world.now());
        run.due(world.now())
    };
    webhook::send(world, due).await;
}

fn wish(actor: &'static Actor, call: &Call, fault: Option<&Fault>, now: u64) -> Result<Wish, Refused> {
    let options = options(actor, call)?;
    let hooks = Hook::read_all(call.query().get("webhooks").map(String::as_str))?;
    let fields = match call.body.is_empty() {
        true => Map::new(),
        false => match call.json() {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(bad("invalid-input", "Input is not valid: The input must be an object")),
            Err(error) => {
                let text = format!("Request body is not valid JSON: {error}");
                return Err(bad("run-input-body-not-valid-json", &text));
            }
        },
    };
    let rows = actor.rows(&Input::new(fields, now)).map_err(|field| {
        bad("invalid-input", &format!("Input is not valid: Field input.{field} is required"))
    })?;
    let content_type = call.header("content-type").unwrap_or("application/json").to_owned();
    Ok(Wish {
        actor,
        input: call.body.clone(),
        content_type,
        rows: rows_under(fault, rows),
        options,
        hooks,
        started_at: now,
    })
}

/// A site that blocks gives no rows, or rows that say so.
fn rows_under(fault: Option<&Fault>, rows: Vec<Value>) -> Vec<Value> {
    match fault {
        Some(Fault::Empty) => Vec::new(),
        Some(Fault::ErrorRows) => rows
            .iter()
            .map(|row| json!({ "url": row["url"], "error": "Request blocked: received 429 Too Many Requests" }))
            .collect(),
        _ => rows,
    }
}

fn options(actor: &Actor, call: &Call) -> Result<Options, Refused> {
    let query = call.query();
    let number = |name: &str| match query.get(name) {
        None => Ok(None),
        Some(text) => match text.parse::<u64>() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(bad("invalid-value", &format!("{name} must be a whole number"))),
        },
    };
    let max_items = number("maxItems")?;
    if max_items == Some(0) {
        let text = "Maximum number of items must be greater than zero";
        return Err(bad("max-items-must-be-greater-than-zero", text));
    }
    let memory_mbytes = number("memory")?.unwrap_or(MEMORY_MBYTES);
    if !memory_mbytes.is_power_of_two() || !(128..=32_768).contains(&memory_mbytes) {
        let text = "Memory must be a power of 2 between 128 and 32768";
        return Err(bad("invalid-value", text));
    }
    Ok(Options {
        build: query.get("build").cloned().unwrap_or_else(|| "latest".to_owned()),
        timeout_seconds: number("timeout")?.unwrap_or(TIMEOUT_SECONDS),
        memory_mbytes,
        max_items,
        max_charge_micros: max_charge(actor, query.get("maxTotalChargeUsd"))?,
    })
}

/// What is not enough for the start and one row is refused.
fn max_charge(actor: &Actor, text: Option<&String>) -> Result<Option<u64>, Refused> {
    let Some(text) = text else { return Ok(None) };
    match decimal::read(text, 6) {
        None | Some(0) => {
            let message = "Maximum total charge must be greater than zero";
            Err(bad("max-total-charge-usd-must-be-greater-than-zero", message))
        }
        Some(micros) if micros < actor.start_micros + actor.row_micros => {
            let minimum = decimal::number(actor.start_micros + actor.row_micros, 6);
            let message = format!("Maximum total charge must be at least ${minimum} for this Actor");
            Err(bad("max-total-charge-usd-below-minimum", &message))
        }
        Some(micros) => Ok(Some(micros)),
    }
}

fn bad(kind: &str, message: &str) -> Refused {
    Box::new(refusal::error(400, kind, message))
}
