//! `GET /predictions`: newest first, a hundred a page, by which a lost submit is found again.

use std::sync::Arc;

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::prediction::Prediction;
use super::refusal::{self, field};
use crate::call::Call;
use crate::civil::unix_of_iso;
use crate::{Service, World, reply};

const PER_PAGE: usize = 100;

/// Listing is a look at nothing: it moves no prediction.
pub(super) fn page(world: &Arc<World>, call: &Call) -> Response {
    let query = call.query();
    let moment = |name: &str| query.get(name).map(|text| unix_of_iso(text)).unwrap_or(Some(0));
    let (Some(after), Some(before)) = (moment("created_after"), moment("created_before")) else {
        return refusal::invalid(&[field("format", "created_after", "Does not match format 'date-time'")]);
    };
    let before = if before == 0 { u64::MAX } else { before };
    let is_wanted = |prediction: &Prediction| (after..before).contains(&prediction.created_at());

    let shelf = world.replicate.lock();
    let ids: Vec<&String> = shelf.ids().collect();
    let newest_first = ids.iter().rev().filter(|id| shelf.get(id).is_some_and(is_wanted));
    let behind = query.get("cursor").and_then(|cursor| last_of(cursor));
    let rest: Vec<&&String> = match &behind {
        Some(last) => newest_first.skip_while(|id| **id != last).skip(1).collect(),
        None => newest_first.collect(),
    };
    let page = &rest[..rest.len().min(PER_PAGE)];
    let results: Vec<Value> = page.iter().filter_map(|id| Some(shelf.get(id)?.shown(world))).collect();
    let next = page.last().filter(|_| rest.len() > PER_PAGE).map(|last| {
        let filters: String = ["created_after", "created_before"]
            .into_iter()
            .filter_map(|name| Some(format!("&{name}={}", query.get(name)?)))
            .collect();
        let cursor = URL_SAFE_NO_PAD.encode(format!("p={last}"));
        world.url(Service::Replicate, &format!("/v1/predictions?cursor={cursor}{filters}"))
    });
    reply::json(200, &json!({ "next": next, "previous": null, "results": results }))
}

/// The id that the page before ended with.
fn last_of(cursor: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix("p=").map(str::to_owned)
}
