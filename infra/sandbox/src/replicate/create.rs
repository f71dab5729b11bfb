//! A new prediction: `POST /predictions`, and `POST /models/{owner}/{name}/predictions` for official models.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Map, Value};
use url::Url;

use super::model::{Model, fresh_id};
use super::prediction::{Prediction, Wish};
use super::refusal::{self, field, refusal};
use super::webhook::{Event, Hook};
use super::{seen_within, set_going, webhook};
use crate::call::Call;
use crate::door::Mood;
use crate::reply::Refused;
use crate::{Fault, World, reply};

const WAIT_SECONDS_MAX: u64 = 60;
const CANCEL_AFTER_SECONDS_MIN: u64 = 5;
const FIELDS: [&str; 5] = ["version", "input", "webhook", "webhook_events_filter", "stream"];

pub(super) async fn by_version(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    let fields = match fields(call, &FIELDS) {
        Ok(fields) => fields,
        Err(response) => return *response,
    };
    let Some(version) = fields.get("version").and_then(Value::as_str) else {
        return refusal::invalid(&[field("required", "(root)", "version is required")]);
    };
    match Model::of_version(version) {
        Some(model) => create(world, model, &fields, call, mood).await,
        None => refusal::version(),
    }
}

pub(super) async fn by_official_model(
    world: &Arc<World>,
    owner: &str,
    name: &str,
    call: &Call,
    mood: &Mood,
) -> Response {
    let Some(model) = Model::named(owner, name).filter(|model| model.is_official()) else {
        return refusal(404);
    };
    match fields(call, &FIELDS[1..]) {
        Ok(fields) => create(world, model, &fields, call, mood).await,
        Err(response) => *response,
    }
}

async fn create(
    world: &Arc<World>,
    model: &'static Model,
    fields: &Map<String, Value>,
    call: &Call,
    mood: &Mood,
) -> Response {
    let wish = match wish(model, fields, call, world.now()) {
        Ok(wish) => wish,
        Err(wrong) => return refusal::invalid(&wrong),
    };
    let id = fresh_id();
    let prediction = Prediction::new(id.clone(), wish, mood.fault.clone(), world.config.zero_latency);
    let born = prediction.shown(world);
    let url = prediction.hook_url();
    world.replicate.lock().put(id.clone(), prediction);
    match (&mood.fault, url) {
        (Some(Fault::Early), _) => {
            told_early(world, &id).await;
            return reply::json(201, &born);
        }
        (Some(Fault::Forged), Some(url)) => webhook::forge_later(world, url, &born),
        _ => {}
    }
    set_going(world, &id, mood.pace_ms);
    let Some(seconds) = wait_seconds(call) else { return reply::json(201, &born) };
    match seen_within(world, &id, seconds).await {
        Some((true, prediction)) => reply::json(201, &prediction),
        Some((false, prediction)) => reply::json(202, &prediction),
        None => refusal(404),
    }
}

/// The prediction ends, and its webhook has arrived, before the caller learns its id.
async fn told_early(world: &Arc<World>, id: &str) {
    let due = {
        let mut shelf = world.replicate.lock();
        let Some(prediction) = shelf.get_mut(id) else { return };
        prediction.finish(world.now());
        prediction.due(world)
    };
    webhook::send(world, due).await;
}

fn fields(call: &Call, known: &[&str]) -> Result<Map<String, Value>, Refused> {
    let Ok(Value::Object(fields)) = call.json() else {
        let wrong = field("invalid_type", "(root)", "Invalid type. Expected: object");
        return Err(Box::new(refusal::invalid(&[wrong])));
    };
    let unknown: Vec<Value> = fields
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| {
            let description = format!("Additional property {name} is not allowed");
            field("additional_property_not_allowed", "(root)", &description)
        })
        .collect();
    if unknown.is_empty() { Ok(fields) } else { Err(Box::new(refusal::invalid(&unknown))) }
}

fn wish(
    model: &'static Model,
    fields: &Map<String, Value>,
    call: &Call,
    now: u64,
) -> Result<Wish, Vec<Value>> {
    let mut wrong = Vec::new();
    let hook = hook(fields, &mut wrong);
    let lifetime = match call.header("cancel-after").map(seconds) {
        Some(Some(seconds)) if seconds >= CANCEL_AFTER_SECONDS_MIN => Some(seconds),
        Some(_) => {
            wrong.push(field("invalid", "Cancel-After", "must be a duration of 5 seconds or more"));
            None
        }
        None => None,
    };
    let input = match fields.get("input") {
        Some(Value::Object(input)) => input,
        Some(_) => {
            wrong.push(field("invalid_type", "input", "Invalid type. Expected: object"));
            return Err(wrong);
        }
        None => {
            wrong.push(field("required", "(root)", "input is required"));
            return Err(wrong);
        }
    };
    match model.read(input) {
        Ok(melody) if wrong.is_empty() => {
            let deadline = lifetime.map(|seconds| now.saturating_add(seconds));
            Ok(Wish { model, input: input.clone(), melody, hook, created_at: now, deadline })
        }
        Ok(_) => Err(wrong),
        Err(more) => Err([wrong, more].concat()),
    }
}

/// Without a filter every new output and the end are told.
fn hook(fields: &Map<String, Value>, wrong: &mut Vec<Value>) -> Option<Hook> {
    let events = match fields.get("webhook_events_filter") {
        None | Some(Value::Null) => Some(vec![Event::Output, Event::Completed]),
        Some(Value::Array(names)) => names.iter().map(|name| Event::named(name.as_str()?)).collect(),
        Some(_) => None,
    };
    let Some(events) = events else {
        let description = "must be a list of: \"start\", \"output\", \"logs\", \"completed\"";
        wrong.push(field("enum", "webhook_events_filter", description));
        return None;
    };
    let url = fields.get("webhook").filter(|url| !url.is_null())?;
    match url.as_str().filter(|url| is_web_address(url)) {
        Some(url) => Some(Hook { url: url.to_owned(), events }),
        None => {
            wrong.push(field("format", "webhook", "Does not match format 'uri'"));
            None
        }
    }
}

/// Replicate wants https; a product on this machine has http.
fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// `Prefer: wait` or `wait=n`; other preferences are ignored, as the standard asks.
fn wait_seconds(call: &Call) -> Option<u64> {
    match call.header("prefer")?.trim() {
        "wait" => Some(WAIT_SECONDS_MAX),
        text => text
            .strip_prefix("wait=")?
            .parse()
            .ok()
            .filter(|seconds| (1..=WAIT_SECONDS_MAX).contains(seconds)),
    }
}

/// `90`, `90s`, `5m`, `1h30m45s`.
fn seconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut number = String::new();
    for letter in text.trim().chars() {
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            digit if digit.is_ascii_digit() => {
                number.push(digit);
                continue;
            }
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    if number.is_empty() { (total > 0).then_some(total) } else { total.checked_add(number.parse().ok()?) }
}
