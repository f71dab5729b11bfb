//! What lies in the app's folder.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::{File, refusal};
use crate::call::Call;
use crate::civil::Civil;
use crate::{World, reply};

pub(super) fn shown(path: &str, file: &File) -> Value {
    let at = Civil::utc(file.changed_at).iso_text().replace(".000Z", "Z");
    json!({
        "name": file.name, "path_lower": path.to_lowercase(), "path_display": path, "id": file.id,
        "client_modified": at, "server_modified": at, "rev": format!("{:015x}", file.number + 1),
        "size": file.content.bytes, "is_downloadable": true, "content_hash": file.content.content_hash,
    })
}

fn with_tag(mut file: Value) -> Value {
    file[".tag"] = json!("file");
    file
}

pub(super) fn metadata(world: &Arc<World>, call: &Call, person: &str) -> Response {
    let Ok(wish) = call.json() else {
        return refusal::malformed(&["files/get_metadata"], "could not decode input as JSON");
    };
    let path = wish["path"].as_str().unwrap_or_default();
    let folders = world.dropbox.folders();
    match folders.files.get(&(person.to_owned(), path.to_lowercase())) {
        Some(file) => reply::json(200, &with_tag(shown(path, file))),
        None => not_found(),
    }
}

fn not_found() -> Response {
    let error = json!({ ".tag": "path", "path": { ".tag": "not_found" } });
    refusal::conflict(&error, "path/not_found/")
}

pub(super) fn list(world: &Arc<World>, person: &str) -> Response {
    let folders = world.dropbox.folders();
    let own = folders.files.iter().filter(|((of, _), _)| of == person);
    let entries: Vec<Value> = own.map(|((_, path), file)| with_tag(shown(path, file))).collect();
    reply::json(200, &json!({ "entries": entries, "cursor": "sandbox", "has_more": false }))
}

pub(super) fn download(world: &Arc<World>, call: &Call, person: &str) -> Response {
    let wish = call.header("dropbox-api-arg").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let path = wish.as_ref().and_then(|wish| wish["path"].as_str()).unwrap_or_default();
    let folders = world.dropbox.folders();
    let file = folders.files.get(&(person.to_owned(), path.to_lowercase()));
    match file.and_then(|file| Some((file, file.content.content.clone()?))) {
        Some((file, content)) => {
            let answer = reply::with_type(200, "application/octet-stream", content);
            reply::with_header(answer, "dropbox-api-result", &shown(path, file).to_string())
        }
        None => not_found(),
    }
}
