//! Holds every answer that a scenario sees to the OpenAPI document: its status, its media type, and each member of its
//! body. A member that the document does not name is a complaint too, which a plain JSON Schema validator would let
//! pass; and a keyword that this reader does not know is one, so that no part of the document goes unread.

use super::person::{StreamEvent, credit};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(citipen::openapi()).unwrap());

/// # Panics
/// When the answer is not one that the document describes. Answers of addresses that it does not name pass.
///
/// Without a method it is enough that one of the address's operations may answer so.
pub(crate) fn check_answer(method: Option<&str>, path: &str, status: u16, kind: Option<&str>, text: &str) {
    let Some(operations) = operations_at(path) else { return };
    // Nobody knows whether it was a preflight, or a HEAD.
    if method.is_none() && text.is_empty() {
        return;
    }
    let asked =
        operations.iter().filter(|(name, _)| method.is_none_or(|method| method.eq_ignore_ascii_case(name)));
    let complaints: Vec<Vec<String>> =
        asked.map(|(_, operation)| complaints_about_answer(operation, status, kind, text)).collect();
    let fits = complaints.is_empty() || complaints.iter().any(Vec::is_empty);
    assert!(
        fits,
        "{path} answered {status} with what openapi.json does not describe: {complaints:#?}\n{text}"
    );
}

/// # Panics
/// When the event is none that the document describes.
pub(crate) fn check_event(event: &StreamEvent) {
    let schema = json!({ "$ref": "#/components/schemas/RunEvent" });
    let mut shown = json!({ "event": event.name, "data": event.data });
    if let Some(id) = &event.id {
        shown["id"] = json!(id);
    }
    let complaints = complaints(&schema, &shown);
    assert!(complaints.is_empty(), "an event that openapi.json does not describe: {complaints:#?}\n{shown}");
}

/// The operations of the address; one that is spelled out comes before one with an id in it.
fn operations_at(path: &str) -> Option<&'static Map<String, Value>> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let is_at = |template: &str| {
        let (wanted, given) = (template.split('/'), path.split('/'));
        wanted.clone().count() == given.clone().count()
            && wanted.zip(given).all(|(wanted, given)| wanted == given || wanted == "{id}")
    };
    let found = paths.get(path).or_else(|| paths.iter().find(|(at, _)| is_at(at)).map(|(_, item)| item))?;
    found.as_object()
}

fn complaints_about_answer(operation: &Value, status: u16, kind: Option<&str>, text: &str) -> Vec<String> {
    let responses = &operation["responses"];
    let response = responses.get(status.to_string()).unwrap_or(&responses["default"]);
    let Some(content) = response["content"].as_object() else {
        return if text.is_empty() { Vec::new() } else { vec!["a body where none is described".to_owned()] };
    };
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let Some(described) = content.get(kind) else { return vec![format!("a body of type {kind:?}")] };
    match kind {
        "application/json" | "application/problem+json" if !described["schema"].is_null() => {
            let body = serde_json::from_str(text).unwrap_or(Value::Null);
            complaints(&described["schema"], &body)
        }
        _ => Vec::new(),
    }
}

fn complaints(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

/// What only decorates: it says nothing of a value that another keyword would not say.
const DECORATION: [&str; 6] = ["description", "example", "examples", "default", "title", "discriminator"];

fn check(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let mut complain = |text: String| found.push(format!("{at}: {text}"));
    for (keyword, wanted) in schema.as_object().into_iter().flatten() {
        let fits = match keyword.as_str() {
            "type" => is_of_type(wanted, value),
            "enum" => wanted.as_array().unwrap().contains(value),
            "const" => wanted == value,
            "minimum" => value.as_i64().is_none_or(|number| number >= wanted.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|number| number <= wanted.as_i64().unwrap()),
            "minLength" => {
                value.as_str().is_none_or(|text| text.chars().count() as u64 >= wanted.as_u64().unwrap())
            }
            "maxLength" => {
                value.as_str().is_none_or(|text| text.chars().count() as u64 <= wanted.as_u64().unwrap())
            }
            "format" => is_of_format(wanted.as_str().unwrap(), value),
            // Read below, together with what stands beside them.
            "properties" | "required" | "additionalProperties" | "allOf" | "$ref" | "items" | "oneOf" => true,
            decoration if DECORATION.contains(&decoration) => true,
            _ => false,
        };
        if !fits {
            complain(format!("{value} does not fit {keyword}: {wanted}"));
        }
    }
    if let Some(options) = schema["oneOf"].as_array() {
        let told: Vec<Vec<String>> = options.iter().map(|option| complaints(option, value)).collect();
        if told.iter().filter(|told| told.is_empty()).count() != 1 {
            complain(format!("fits not exactly one of {} forms: {told:?}", options.len()));
        }
    }
    if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
        for (nth, value) in values.iter().enumerate() {
            check(items, value, &format!("{at}/{nth}"), found);
        }
    }
    match value {
        Value::Object(members) => check_members(schema, members, at, found),
        _ => {
            let parts = schema["allOf"].as_array().into_iter().flatten();
            for part in parts.chain(schema["$ref"].as_str().map(referred)) {
                check(part, value, at, found);
            }
        }
    }
}

/// What a schema says of an object's members, with what it takes over from others.
#[derive(Default)]
struct Members<'a> {
    known: BTreeMap<&'a str, &'a Value>,
    required: Vec<&'a str>,
    others: Option<&'a Value>,
    /// Among the schemas one that chooses between forms: the form names the members.
    chooses: bool,
}

impl<'a> Members<'a> {
    fn read(&mut self, schema: &'a Value) {
        self.known.extend(
            schema["properties"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, schema)| (name.as_str(), schema)),
        );
        self.required.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
        self.others = schema.get("additionalProperties").filter(|others| others.is_object()).or(self.others);
        self.chooses |= schema["oneOf"].is_array();
        let parts = schema["allOf"].as_array().into_iter().flatten();
        for part in parts.chain(schema["$ref"].as_str().map(referred)) {
            self.read(part);
        }
    }
}

fn check_members(schema: &Value, members: &Map<String, Value>, at: &str, found: &mut Vec<String>) {
    let mut described = Members::default();
    described.read(schema);
    if described.known.is_empty() && !described.chooses {
        // An object of whatever members, or a reference to what is no object at all.
        let parts = schema["allOf"].as_array().into_iter().flatten();
        for part in parts.chain(schema["$ref"].as_str().map(referred)) {
            check(part, &Value::Object(members.clone()), at, found);
        }
        return;
    }
    for name in described.required.iter().filter(|name| !members.contains_key(**name)) {
        found.push(format!("{at}: {name} is missing"));
    }
    for (name, value) in members {
        let at = format!("{at}/{name}");
        match described.known.get(name.as_str()).copied().or(described.others) {
            Some(schema) => check(schema, value, &at, found),
            None if described.chooses => {}
            None => found.push(format!("{at}: is not described")),
        }
    }
    // A choice behind a reference is checked here; one of the schema itself was checked before.
    let referred = schema["$ref"].as_str().map(referred).filter(|referred| referred["oneOf"].is_array());
    if let Some(referred) = referred {
        check(referred, &Value::Object(members.clone()), at, found);
    }
}

fn referred(name: &str) -> &'static Value {
    DOCUMENT.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} leads nowhere"))
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match wanted {
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        name => is(name.as_str().unwrap()),
    }
}

fn is_of_format(wanted: &str, value: &Value) -> bool {
    let Some(text) = value.as_str() else { return true };
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    match wanted {
        "date-time" => shape == "0000-00-00T00:00:00.000Z",
        "date" => shape == "0000-00-00",
        _ => false,
    }
}

#[test]
fn what_the_document_does_not_describe_is_seen() {
    let begun =
        json!({ "id": "x", "tool": "script", "model": "chat", "price": credit(1), "status": "running" });
    let event = |data: Value| json!({ "event": "run", "id": "x.0", "data": data });
    let schema = json!({ "$ref": "#/components/schemas/RunEvent" });
    let with = |name: &str, value: Value| {
        let mut data = begun.clone();
        data[name] = value;
        event(data)
    };

    assert_eq!(complaints(&schema, &event(begun.clone())), [""; 0]);
    for wrong in [
        with("status", json!("sleeping")),
        with("price", json!(1)),
        with("price", credit("1")),
        with("price", json!({ "amount": 1, "unit": "USD" })),
        with("price", json!({ "amount": 1 })),
        with("price", credit(-1)),
        with("held_until", json!("2026-11-30T04:25:00Z")),
        with("colour", json!("red")),
        json!({ "event": "delta", "data": begun }),
        json!({ "event": "run" }),
    ] {
        assert!(!complaints(&schema, &wrong).is_empty(), "{wrong}");
    }
}
