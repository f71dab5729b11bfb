//! The rows of a run: in pages, with some fields only, unwound, as JSON, lines or CSV.

use std::collections::HashMap;
use std::sync::Arc;

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::list::flag;
use super::run::Run;
use super::{csv, refusal};
use crate::call::Call;
use crate::{World, reply};

/// What the header says when no limit was given.
const NO_LIMIT: u64 = 999_999_999_999;

/// `GET /datasets/{id}`.
pub(super) fn about(world: &Arc<World>, id: &str) -> Response {
    let shelf = world.apify.lock();
    let Some(run) = shelf.ids().filter_map(|id| shelf.get(id)).find(|run| run.dataset_id == id) else {
        return refusal(404);
    };
    let summary = run.summary();
    let data = json!({
        "id": id, "name": null, "userId": summary["userId"], "actId": summary["actId"], "actRunId": run.id,
        "createdAt": summary["startedAt"], "modifiedAt": summary["startedAt"], "accessedAt": summary["startedAt"],
        "itemCount": run.rows().len(), "cleanItemCount": run.rows().len(),
        "consoleUrl": format!("https://console.apify.com/storage/datasets/{id}"),
    });
    reply::json(200, &json!({ "data": data }))
}

/// `GET /datasets/{id}/items`.
pub(super) fn items(world: &Arc<World>, id: &str, call: &Call) -> Response {
    of(world, call, 200, |run| run.dataset_id == id)
}

/// `GET /actor-runs/{id}/dataset/items`.
pub(super) fn of_run(world: &Arc<World>, id: &str, call: &Call) -> Response {
    of(world, call, 200, |run| run.id == id)
}

/// What the synchronous start answers.
pub(super) fn after_run(world: &Arc<World>, id: &str, call: &Call) -> Response {
    of(world, call, 201, |run| run.id == id)
}

fn of(world: &Arc<World>, call: &Call, status: u16, is_it: impl Fn(&Run) -> bool) -> Response {
    let query = call.query();
    let number = |name: &str| query.get(name).map_or(Some(None), |text| text.parse::<u64>().ok().map(Some));
    let (Some(offset), Some(limit)) = (number("offset"), number("limit")) else {
        return refusal::error(400, "invalid-value", "offset and limit must be whole numbers");
    };
    let (offset, limit) = (offset.unwrap_or(0), limit.unwrap_or(NO_LIMIT));
    let shelf = world.apify.lock();
    let Some(run) = shelf.ids().filter_map(|id| shelf.get(id)).find(|run| is_it(run)) else {
        return refusal(404);
    };
    let total = run.rows().len();
    let mut rows: Vec<&Value> = run.rows().iter().collect();
    if flag(query.get("desc")) {
        rows.reverse();
    }
    let window = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let page: Vec<Value> = rows.into_iter().skip(window(offset)).take(window(limit)).cloned().collect();
    let count = page.len();
    let page = shaped(page, &query);
    let response = match query.get("format").map_or("json", String::as_str) {
        "json" => reply::json(status, &page),
        "jsonl" => reply::with_type(status, "application/jsonl; charset=utf-8", lines(&page)),
        "csv" => reply::with_type(status, "text/csv; charset=utf-8", csv::table(&page, &query)),
        other => {
            let text = format!("The sandbox writes json, jsonl and csv, not {other}");
            return refusal::error(400, "invalid-value", &text);
        }
    };
    let facts = [
        ("x-apify-pagination-total", total.to_string()),
        ("x-apify-pagination-offset", offset.to_string()),
        ("x-apify-pagination-limit", limit.to_string()),
        ("x-apify-pagination-count", count.to_string()),
        ("x-apify-pagination-desc", flag(query.get("desc")).to_string()),
    ];
    facts.into_iter().fold(response, |response, (name, value)| reply::with_header(response, name, &value))
}

/// Without hidden fields and empty rows, unwound, with the fields that are wanted.
fn shaped(rows: Vec<Value>, query: &HashMap<String, String>) -> Vec<Value> {
    let is_clean = flag(query.get("clean"));
    let (skip_hidden, skip_empty) =
        (is_clean || flag(query.get("skipHidden")), is_clean || flag(query.get("skipEmpty")));
    let names = |name: &str| -> Option<Vec<&str>> {
        query.get(name).filter(|text| !text.is_empty()).map(|text| text.split(',').map(str::trim).collect())
    };
    let (fields, omitted, unwound) = (names("fields"), names("omit"), names("unwind"));
    let mut rows = rows;
    for name in unwound.unwrap_or_default() {
        rows = rows.into_iter().flat_map(|row| unwind(row, name)).collect();
    }
    rows.into_iter()
        .map(|mut row| {
            if let Value::Object(map) = &mut row {
                map.retain(|name, _| {
                    !(skip_hidden && name.starts_with('#'))
                        && fields.as_ref().is_none_or(|fields| fields.contains(&name.as_str()))
                        && !omitted.as_ref().is_some_and(|omitted| omitted.contains(&name.as_str()))
                });
            }
            row
        })
        .filter(|row| !skip_empty || row.as_object().is_none_or(|map| !map.is_empty()))
        .collect()
}

/// Each entry of a list becomes a row, merged with the rest of its own; anything else stays as it is.
fn unwind(row: Value, name: &str) -> Vec<Value> {
    let Value::Object(mut map) = row else { return vec![row] };
    match map.remove(name) {
        Some(Value::Array(entries)) => entries.into_iter().map(|entry| merged(&map, entry)).collect(),
        Some(entry @ Value::Object(_)) => vec![merged(&map, entry)],
        Some(other) => {
            map.insert(name.to_owned(), other);
            vec![Value::Object(map)]
        }
        None => vec![Value::Object(map)],
    }
}

fn merged(rest: &Map<String, Value>, entry: Value) -> Value {
    let mut row = rest.clone();
    if let Value::Object(entry) = entry {
        row.extend(entry);
    }
    Value::Object(row)
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}
