//! Drive's calls about files that an app made.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::{File, refusal, resource, search};
use crate::cabinet::{Growing, number_of};
use crate::call::Call;
use crate::{World, ids, reply};

pub(super) fn about(person: &str) -> Response {
    let user = json!({
        "kind": "drive#user", "displayName": person, "me": true, "permissionId": number_of(person),
        "emailAddress": format!("{person}@example.com"),
    });
    reply::json(200, &json!({ "user": user }))
}

pub(super) fn generate_ids(world: &Arc<World>, person: &str, call: &Call) -> Response {
    let count = call.query().get("count").and_then(|count| count.parse().ok()).unwrap_or(10_usize);
    if !(1..=1_000).contains(&count) {
        return refusal::refusal(400);
    }
    let ids: Vec<String> = (0..count).map(|_| fresh_id()).collect();
    let mut drive = world.google.drive();
    drive.generated.extend(ids.iter().map(|id| (id.clone(), person.to_owned())));
    reply::json(200, &json!({ "kind": "drive#generatedIds", "space": "drive", "ids": ids }))
}

pub(super) fn fresh_id() -> String {
    format!("1{}", ids::tagged("sandbox_"))
}

/// The person's files that fit `q`, those that were made first in front, `pageSize` at once.
pub(super) fn list(world: &Arc<World>, person: &str, call: &Call) -> Response {
    let query = call.query();
    let asked = |name: &str| query.get(name).map(String::as_str);
    let Some(terms) = search::terms(asked("q").unwrap_or_default()) else { return refusal::invalid("q") };
    let Ok(size) = asked("pageSize").unwrap_or("100").parse::<usize>() else {
        return refusal::invalid("pageSize");
    };
    let Ok(from) = asked("pageToken").unwrap_or("0").parse::<usize>() else {
        return refusal::invalid("pageToken");
    };
    let drive = world.google.drive();
    let own = drive.order.iter().filter_map(|id| Some((id, drive.files.get(id)?)));
    let own = own.filter(|(_, file)| file.person == person && terms.iter().all(|term| term.fits(file)));
    let mut found: Vec<Value> = own.skip(from).map(|(id, file)| resource(world, id, file)).collect();
    let has_more = found.len() > size;
    found.truncate(size);
    let mut page = json!({ "kind": "drive#fileList", "incompleteSearch": false, "files": found });
    if has_more {
        page["nextPageToken"] = json!((from + size).to_string());
    }
    reply::json(200, &page)
}

/// A file without content: a folder, for the most part.
pub(super) fn create(world: &Arc<World>, person: &str, call: &Call) -> Response {
    let Ok(wish) = call.json() else { return refusal::refusal(400) };
    let mut drive = world.google.drive();
    let about = match drive.about(person, &wish) {
        Ok(about) => about,
        Err(refused) => return *refused,
    };
    let file = File {
        person: person.to_owned(),
        name: about.name,
        media_type: about.media_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        content: Growing::default().whole(),
        parent: about.parent,
        app_properties: about.app_properties,
        is_trashed: false,
    };
    let shown = resource(world, &about.id, &file);
    drive.keep(about.id, file);
    reply::json(200, &shown)
}

pub(super) fn get(world: &Arc<World>, person: &str, id: &str, call: &Call) -> Response {
    let drive = world.google.drive();
    let Some(file) = drive.files.get(id).filter(|file| file.person == person) else {
        return refusal::no_file(id);
    };
    if call.query().get("alt").is_some_and(|alt| alt == "media") {
        return content(file, call.header("range"));
    }
    reply::json(200, &resource(world, id, file))
}

fn content(file: &File, range: Option<&str>) -> Response {
    let Some(content) = file.content.content.clone() else { return refusal::refusal(404) };
    let length = content.len();
    // Google's own client asks part by part.
    let asked = range.and_then(|range| range.strip_prefix("bytes=")).and_then(|range| {
        let (from, to) = range.split_once('-')?;
        Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?.min(length.saturating_sub(1))))
    });
    match asked {
        Some((from, to)) if from <= to => {
            let part = reply::with_type(206, "application/octet-stream", content[from..=to].to_vec());
            reply::with_header(part, "content-range", &format!("bytes {from}-{to}/{length}"))
        }
        _ => reply::with_type(200, "application/octet-stream", content),
    }
}

pub(super) fn change(world: &Arc<World>, person: &str, id: &str, call: &Call) -> Response {
    let mut drive = world.google.drive();
    let Some(file) = drive.files.get_mut(id).filter(|file| file.person == person) else {
        return refusal::no_file(id);
    };
    let wish = call.json().unwrap_or_default();
    if let Some(is_trashed) = wish["trashed"].as_bool() {
        file.is_trashed = is_trashed;
    }
    if let Some(name) = wish["name"].as_str() {
        file.name = name.to_owned();
    }
    let shown = resource(world, id, file);
    reply::json(200, &shown)
}

pub(super) fn delete(world: &Arc<World>, person: &str, id: &str) -> Response {
    let mut drive = world.google.drive();
    if drive.files.get(id).is_none_or(|file| file.person != person) {
        return refusal::no_file(id);
    }
    drive.files.remove(id);
    drive.order.retain(|known| known != id);
    reply::empty(204)
}
