//! Webhooks: unsigned, to exactly the address that came with the start, in a shape the start may choose.

use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value, json};
use tokio::runtime::Handle;
use url::Url;

use super::run::{Run, Status};
use super::{USER, refusal};
use crate::civil::Civil;
use crate::reply::Refused;
use crate::{Delivery, Fault, Service, World, ids, outside};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const DEFAULT_PAYLOAD: &str = r#"{"userId":{{userId}},"createdAt":{{createdAt}},"eventType":{{eventType}},"eventData":{{eventData}},"resource":{{resource}}}"#;
/// These headers are Apify's own, whatever the template says.
const OWN_HEADERS: [&str; 5] =
    ["host", "content-type", "x-apify-webhook", "x-apify-webhook-dispatch-id", "x-apify-request-origin"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Created,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
    Resurrected,
}

/// A webhook that belongs to one run.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    id: String,
    pub(super) events: Vec<Event>,
    url: String,
    payload: String,
    headers: Vec<(String, String)>,
}

/// One event for one webhook; a second delivery keeps the dispatch's id.
pub(super) struct Ring {
    pub(super) url: String,
    pub(super) delivery: Delivery,
}

/// What is to be sent now.
pub(super) struct Due {
    pub(super) calls: Vec<Ring>,
    pub(super) fault: Option<Fault>,
}

impl Event {
    const ALL: [Event; 6] = [
        Event::Created,
        Event::Succeeded,
        Event::Failed,
        Event::TimedOut,
        Event::Aborted,
        Event::Resurrected,
    ];

    /// With an underscore where the status has a hyphen.
    pub(super) fn name(self) -> &'static str {
        match self {
            Event::Created => "ACTOR.RUN.CREATED",
            Event::Succeeded => "ACTOR.RUN.SUCCEEDED",
            Event::Failed => "ACTOR.RUN.FAILED",
            Event::TimedOut => "ACTOR.RUN.TIMED_OUT",
            Event::Aborted => "ACTOR.RUN.ABORTED",
            Event::Resurrected => "ACTOR.RUN.RESURRECTED",
        }
    }

    pub(super) fn named(name: &str) -> Option<Event> {
        Event::ALL.into_iter().find(|event| event.name() == name)
    }

    pub(super) fn of_end(status: Status) -> Option<Event> {
        match status {
            Status::Succeeded => Some(Event::Succeeded),
            Status::Failed => Some(Event::Failed),
            Status::TimedOut => Some(Event::TimedOut),
            Status::Aborted => Some(Event::Aborted),
            Status::Ready | Status::Running | Status::TimingOut | Status::Aborting => None,
        }
    }
}

impl Hook {
    /// The `webhooks` parameter: base64 of a JSON list.
    pub(super) fn read_all(parameter: Option<&str>) -> Result<Vec<Hook>, Refused> {
        let Some(parameter) = parameter.filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
        let refused =
            |message: &str| Box::new(refusal::error(400, "invalid-value", &format!("webhooks: {message}")));
        // A plus that nobody has encoded arrives as a space.
        let decoded = BASE64.decode(parameter.replace(' ', "+")).map_err(|_| refused("not valid base64"))?;
        let list: Vec<Value> = serde_json::from_slice(&decoded).map_err(|_| refused("not a JSON list"))?;
        list.iter().map(|hook| Hook::read(hook).map_err(|message| refused(&message))).collect()
    }

    fn read(hook: &Value) -> Result<Hook, String> {
        let url = hook["requestUrl"].as_str().unwrap_or_default();
        let is_web =
            Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_web {
            return Err("requestUrl must be a URL".to_owned());
        }
        let names = hook["eventTypes"].as_array().map(Vec::as_slice).unwrap_or_default();
        let events: Option<Vec<Event>> = names.iter().map(|name| Event::named(name.as_str()?)).collect();
        let events = events.filter(|events| !events.is_empty()).ok_or("eventTypes must name known events")?;
        let payload = hook["payloadTemplate"].as_str().unwrap_or(DEFAULT_PAYLOAD);
        let hook = Hook {
            id: ids::tagged("")[..17].to_owned(),
            events,
            url: url.to_owned(),
            payload: payload.to_owned(),
            headers: headers(hook["headersTemplate"].as_str())?,
        };
        // A template that yields no JSON is refused when it is given, not when it is used.
        let tried = hook.body(Event::Created, &json!({}), 0);
        let is_json = serde_json::from_str::<Value>(&tried).is_ok();
        if is_json { Ok(hook) } else { Err("payloadTemplate is not valid".to_owned()) }
    }

    /// The request about an event, with the run as it is.
    pub(super) fn call(&self, event: Event, run: &Value, now: u64) -> Ring {
        let mut headers = vec![
            ("x-apify-webhook", self.id.clone()),
            ("x-apify-webhook-dispatch-id", ids::tagged("")[..17].to_owned()),
            ("x-apify-request-origin", "WEBHOOK".to_owned()),
        ];
        headers.extend(self.headers.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let body = self.body(event, run, now).into_bytes();
        Ring { url: self.url.clone(), delivery: Delivery::new(&outside::path_of(&self.url), body, headers) }
    }

    /// Somebody who knows the address says that the run has succeeded.
    pub(super) fn forged(&self, run: &Value, now: u64) -> Ring {
        let mut run = run.clone();
        run["status"] = Value::from("SUCCEEDED");
        run["exitCode"] = Value::from(0);
        run["defaultDatasetId"] = Value::from("forgedDataset0001");
        run["finishedAt"] = Value::from(Civil::utc(now).iso_text());
        self.call(Event::Succeeded, &run, now)
    }

    /// The template with its variables, `{{resource.id}}` among them, replaced by JSON.
    fn body(&self, event: Event, run: &Value, now: u64) -> String {
        let values = json!({
            "userId": USER,
            "createdAt": Civil::utc(now).iso_text(),
            "eventType": event.name(),
            "eventData": { "actorId": run["actId"], "actorRunId": run["id"] },
            "resource": run,
            "globals": { "dateISO": Civil::utc(now).iso_text(), "dateUnix": now },
        });
        let mut text = String::new();
        let mut rest = self.payload.as_str();
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((name, after)) = behind.split_once("}}") else { break };
            let value = name.trim().split('.').fold(&values, |value, part| &value[part]);
            text += before;
            text += &value.to_string();
            rest = after;
        }
        text + rest
    }
}

/// A JSON object of texts; Apify's own headers can't be set.
fn headers(template: Option<&str>) -> Result<Vec<(String, String)>, String> {
    let Some(template) = template else { return Ok(Vec::new()) };
    let problem = || "headersTemplate must be an object of strings".to_owned();
    let fields: Map<String, Value> = serde_json::from_str(template).map_err(|_| problem())?;
    let headers = fields
        .into_iter()
        .filter(|(name, _)| !OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()))
        .map(|(name, value)| Some((name, value.as_str()?.to_owned())));
    headers.collect::<Option<Vec<_>>>().ok_or_else(problem)
}

/// Sends in the background; outside of an asynchronous runtime nothing can be sent.
pub(super) fn send_later(world: &Arc<World>, due: Option<Due>) {
    if let (true, Ok(runtime)) = (due.is_some(), Handle::try_current()) {
        let world = world.clone();
        runtime.spawn(async move { send(&world, due).await });
    }
}

/// What a forger says about a run that has only begun; the true webhooks follow in their time.
pub(super) fn forge_later(world: &Arc<World>, run: &Run) {
    let calls = run.hooks().iter().map(|hook| hook.forged(&run.shown(), world.now())).collect();
    send_later(world, Some(Due { calls, fault: Some(Fault::Forged) }));
}

/// Sends once and without retries, or twice, or not at all.
pub(super) async fn send(world: &World, due: Option<Due>) {
    let Some(Due { calls, fault }) = due else { return };
    for call in &calls {
        for _ in 0..crate::delivery::times(fault.as_ref(), 1) {
            post(world, call, fault.as_ref()).await;
        }
    }
}

/// One attempt; answers the product's status.
pub(super) async fn post(world: &World, call: &Ring, fault: Option<&Fault>) -> Option<u16> {
    outside::send(&call.delivery, world, Service::Apify, &call.url, fault).await
}
