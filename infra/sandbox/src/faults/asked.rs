//! Faults asked for by the request itself: a header or a marker in the prompt.

use serde_json::{Map, Value, json};

use super::Fault;
use super::catalogue::names_for;
use crate::Service;
use crate::call::Call;

const MARKER: &str = "[[sandbox:";

/// What one request asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) fault: Option<Fault>,
    /// The gap between two stream pieces.
    pub(crate) pace_ms: Option<u64>,
    /// After how long a job with a webhook ends by itself.
    pub(crate) finish_ms: Option<u64>,
}

/// A fault that does not exist or does not fit; the body lists those that do.
#[derive(Debug)]
pub(crate) struct NotUnderstood(pub(crate) Value);

impl Asked {
    /// Reads the headers `x-sandbox-fault` and `x-sandbox-pace`, then the markers in the body.
    pub(crate) fn read(service: Service, call: &Call) -> Result<Asked, NotUnderstood> {
        let mut asked = Asked::default();
        if let Some(order) = call.header("x-sandbox-fault") {
            asked.add(service, order)?;
        }
        if let Some(pace) = call.header("x-sandbox-pace") {
            asked.pace_ms = pace.parse().ok();
        }
        for order in call.written().split(MARKER).skip(1).filter_map(|rest| rest.split("]]").next()) {
            asked.add(service, order)?;
        }
        Ok(asked)
    }

    /// Adds `name key=value …`, or `service.name …` for one service only; the last one wins. `pace` and `finish` are no
    /// faults and stand beside one.
    fn add(&mut self, service: Service, order: &str) -> Result<(), NotUnderstood> {
        let mut words = order.split_whitespace();
        let name = words.next().unwrap_or_default();
        let name = match name.split_once('.') {
            Some((addressee, _)) if addressee != service.name() => return Ok(()),
            Some((_, name)) => name,
            None => name,
        };
        let parts: Map<String, Value> = words.filter_map(parameter).collect();
        match name {
            "pace" => self.pace_ms = parts.get("ms").and_then(Value::as_u64),
            "finish" => self.finish_ms = parts.get("ms").and_then(Value::as_u64),
            _ => self.fault = Some(understand(service, name, parts)?),
        }
        Ok(())
    }
}

/// The fault of that name, if it exists and means something for the service.
pub(crate) fn understand(
    service: Service,
    name: &str,
    parts: Map<String, Value>,
) -> Result<Fault, NotUnderstood> {
    let valid = names_for(service);
    if !valid.contains(&name) {
        let error = format!("{} has no fault `{name}`", service.name());
        return Err(NotUnderstood(json!({ "error": error, "valid_faults": valid })));
    }
    Fault::from_parts(name, parts)
        .map_err(|error| NotUnderstood(json!({ "error": error, "valid_faults": valid })))
}

fn parameter(word: &str) -> Option<(String, Value)> {
    let (key, value) = word.split_once('=')?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Some((key.to_owned(), value))
}
