//! Upload sessions: started, appended to, finished with the place of the file.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::{File, Folders, Session, files, refusal};
use crate::cabinet::Growing;
use crate::call::Call;
use crate::door::Mood;
use crate::reply::Refused;
use crate::{Fault, World, ids, reply};

/// A session ends after a week.
const SESSION_SECONDS: u64 = 7 * 86_400;

/// The arguments of a call whose body is content.
fn arguments(call: &Call, path: &str) -> Result<Value, Refused> {
    if call.header("content-type").is_none_or(|kind| !kind.starts_with("application/octet-stream")) {
        return Err(Box::new(refusal::malformed(&[path], "Bad HTTP \"Content-Type\" header")));
    }
    let malformed = |why: &str| Box::new(refusal::malformed(&[path], why));
    let text = call.header("dropbox-api-arg");
    let text = text.ok_or_else(|| malformed("Must provide HTTP header \"Dropbox-API-Arg\""))?;
    let unread = "HTTP header \"Dropbox-API-Arg\": could not decode input as JSON";
    serde_json::from_str(text).map_err(|_| malformed(unread))
}

pub(super) fn start(world: &Arc<World>, call: &Call, person: &str) -> Response {
    let arguments = match arguments(call, "files/upload_session/start") {
        Ok(arguments) => arguments,
        Err(response) => return *response,
    };
    let mut content = Growing::default();
    content.add(&call.body);
    let id = ids::tagged("pid_upload_session:AAAA");
    let session = Session {
        person: person.to_owned(),
        content,
        is_closed: arguments["close"].as_bool().unwrap_or_default(),
        began_at: world.now(),
    };
    world.dropbox.folders().sessions.insert(id.clone(), session);
    reply::json(200, &json!({ "session_id": id }))
}

pub(super) fn append(world: &Arc<World>, call: &Call, mood: &Mood, person: &str) -> Response {
    let arguments = match arguments(call, "files/upload_session/append_v2") {
        Ok(arguments) => arguments,
        Err(response) => return *response,
    };
    let mut folders = world.dropbox.folders();
    match folders.grow(world, &arguments["cursor"], call, mood, person) {
        Ok(session) => {
            session.is_closed = arguments["close"].as_bool().unwrap_or_default();
            reply::json(200, &Value::Null)
        }
        Err((error, summary)) => refusal::conflict(&error, &summary),
    }
}

/// The file is made of the session and what comes with this call. What comes stays in the session even if no file can be made.
pub(super) fn finish(world: &Arc<World>, call: &Call, mood: &Mood, person: &str) -> Response {
    let arguments = match arguments(call, "files/upload_session/finish") {
        Ok(arguments) => arguments,
        Err(response) => return *response,
    };
    let mut folders = world.dropbox.folders();
    if let Err((error, summary)) = folders.grow(world, &arguments["cursor"], call, mood, person) {
        let error = json!({ ".tag": "lookup_failed", "lookup_failed": error });
        return refusal::conflict(&error, &format!("lookup_failed/{summary}"));
    }
    let id = arguments["cursor"]["session_id"].as_str().unwrap_or_default();
    let commit = &arguments["commit"];
    let path = commit["path"].as_str().unwrap_or_default().to_owned();
    let Some(name) = path.strip_prefix('/').filter(|name| !name.is_empty() && !name.contains('/')) else {
        return refusal::malformed(&["files/upload_session/finish"], "commit.path: did not match pattern");
    };
    let name = name.to_owned();
    let Some(session) = folders.sessions.get(id) else { return refusal::refusal(409) };
    let content = session.content.clone().whole();
    if folders.room.get(person).is_some_and(|room| *room < content.bytes) {
        return path_error("insufficient_space", json!({ ".tag": "insufficient_space" }));
    }
    let key = (person.to_owned(), path.to_lowercase());
    if let Some(there) = folders.files.get(&key) {
        let is_same = there.content.content_hash == content.content_hash;
        if is_same && !commit["strict_conflict"].as_bool().unwrap_or_default() {
            let shown = files::shown(&path, there);
            folders.sessions.remove(id);
            return reply::json(200, &shown);
        }
        return path_error("conflict/file", json!({ ".tag": "conflict", "conflict": { ".tag": "file" } }));
    }
    folders.made += 1;
    let file = File { id: ids::tagged("id:"), name, number: folders.made, changed_at: world.now(), content };
    let (shown, bytes) = (files::shown(&path, &file), file.content.bytes);
    folders.files.insert(key, file);
    if let Entry::Occupied(mut room) = folders.room.entry(person.to_owned()) {
        *room.get_mut() = room.get().saturating_sub(bytes);
    }
    folders.sessions.remove(id);
    reply::json(200, &shown)
}

fn path_error(summary: &str, path: Value) -> Response {
    refusal::conflict(&json!({ ".tag": "path", "path": path }), &format!("path/{summary}/"))
}

impl Folders {
    /// Adds the body to a session, if the caller knows how long it is.
    fn grow(
        &mut self,
        world: &World,
        cursor: &Value,
        call: &Call,
        mood: &Mood,
        person: &str,
    ) -> Result<&mut Session, (Value, String)> {
        let id = cursor["session_id"].as_str().unwrap_or_default();
        if mood.fault == Some(Fault::Lost) {
            self.sessions.remove(id);
        }
        let is_there = |session: &Session| {
            session.person == person && world.now() <= session.began_at.saturating_add(SESSION_SECONDS)
        };
        let Some(session) = self.sessions.get_mut(id).filter(|session| is_there(session)) else {
            return Err((json!({ ".tag": "not_found" }), "not_found/".to_owned()));
        };
        if session.is_closed && !call.body.is_empty() {
            return Err((json!({ ".tag": "closed" }), "closed/".to_owned()));
        }
        let have = session.content.bytes;
        if cursor["offset"].as_u64() != Some(have) {
            let error = json!({ ".tag": "incorrect_offset", "correct_offset": have });
            return Err((error, "incorrect_offset/".to_owned()));
        }
        session.content.add(&call.body);
        Ok(session)
    }
}
