//! Lists of runs, by which a lost start is found again. Oldest first unless `desc`.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::actors::Actor;
use super::refusal;
use super::run::Run;
use crate::call::Call;
use crate::civil::unix_of_iso;
use crate::{World, reply};

const PER_PAGE_MAX: usize = 1_000;

/// Listing is no look: it moves no run.
pub(super) fn page(world: &Arc<World>, call: &Call, actor: Option<&Actor>) -> Response {
    let query = call.query();
    let number = |name: &str, default: usize| query.get(name).map_or(Some(default), |text| text.parse().ok());
    let (Some(offset), Some(limit)) = (number("offset", 0), number("limit", PER_PAGE_MAX)) else {
        return refusal::error(400, "invalid-value", "offset and limit must be whole numbers");
    };
    let limit = limit.clamp(1, PER_PAGE_MAX);
    let moment = |name: &str| query.get(name).map_or(Some(None), |text| unix_of_iso(text).map(Some));
    let (Some(after), Some(before)) = (moment("startedAfter"), moment("startedBefore")) else {
        return refusal::error(400, "invalid-value", "startedAfter and startedBefore must be ISO dates");
    };
    let is_wanted = |run: &Run| {
        actor.is_none_or(|actor| run.is_of(actor))
            && query
                .get("status")
                .is_none_or(|status| status.split(',').any(|name| name == run.status().name()))
            && after.is_none_or(|after| run.started_at() >= after)
            && before.is_none_or(|before| run.started_at() <= before)
    };
    let desc = flag(query.get("desc"));

    let shelf = world.apify.lock();
    let mut runs: Vec<&Run> =
        shelf.ids().filter_map(|id| shelf.get(id)).filter(|run| is_wanted(run)).collect();
    if desc {
        runs.reverse();
    }
    let items: Vec<Value> = runs.iter().skip(offset).take(limit).map(|run| run.summary()).collect();
    let data = json!({
        "total": runs.len(), "offset": offset, "limit": limit, "desc": desc, "count": items.len(), "items": items,
    });
    reply::json(200, &json!({ "data": data }))
}

/// The id of the actor's latest run.
pub(super) fn last(world: &World, actor: &Actor) -> Option<String> {
    let shelf = world.apify.lock();
    let runs: Vec<&Run> = shelf.ids().filter_map(|id| shelf.get(id)).filter(|run| run.is_of(actor)).collect();
    runs.last().map(|run| run.id.clone())
}

pub(super) fn flag(text: Option<&String>) -> bool {
    text.is_some_and(|text| text == "1" || text == "true")
}
