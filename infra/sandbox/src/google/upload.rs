//! Resumable uploads: begun with the file's name, sent part by part to an address of their own.

use std::sync::Arc;

use axum::response::Response;
use http::header::{CONTENT_RANGE, RANGE};

use super::{Drive, File, Upload, refusal, resource};
use crate::cabinet::Growing;
use crate::call::Call;
use crate::door::Mood;
use crate::{Fault, Service, World, ids, reply};

/// Parts but the last one are kept only up to a multiple of this.
const GRAIN: u64 = 256 * 1024;
/// An upload's address ends after a week.
const UPLOAD_SECONDS: u64 = 7 * 86_400;

pub(super) fn begin(world: &Arc<World>, person: &str, call: &Call) -> Response {
    if call.query().get("uploadType").is_none_or(|kind| kind != "resumable") {
        return refusal::refusal(400);
    }
    let Ok(wish) = call.json() else { return refusal::refusal(400) };
    let bytes = call.header("x-upload-content-length").and_then(|length| length.parse().ok());
    let mut drive = world.google.drive();
    let about = match drive.about(person, &wish) {
        Ok(about) => about,
        Err(refused) => return *refused,
    };
    let media_type = about.media_type.clone();
    let media_type = media_type.or_else(|| call.header("x-upload-content-type").map(str::to_owned));
    if bytes.is_some_and(|bytes| !drive.has_room(person, bytes)) {
        return refusal::full();
    }
    let upload = Upload {
        person: person.to_owned(),
        about,
        media_type: media_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        bytes,
        content: Growing::default(),
        began_at: world.now(),
        is_done: false,
    };
    let name = ids::tagged("AHVrFx");
    let address = format!("/upload/drive/v3/files?uploadType=resumable&upload_id={name}");
    drive.uploads.insert(name.clone(), upload);
    let answer = reply::with_header(reply::empty(200), "location", &world.url(Service::Google, &address));
    reply::with_header(answer, "x-guploader-uploadid", &name)
}

pub(super) fn part(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    let name = call.query().remove("upload_id").unwrap_or_default();
    let mut drive = world.google.drive();
    if mood.fault == Some(Fault::Lost) {
        drive.uploads.remove(&name);
    }
    let Some(upload) = drive.uploads.get_mut(&name) else { return refusal::refusal(404) };
    if world.now() > upload.began_at.saturating_add(UPLOAD_SECONDS) {
        return refusal::refusal(410);
    }
    if upload.is_done {
        let id = upload.about.id.clone();
        let file = drive.files.get(&id).map(|file| resource(world, &id, file));
        return file.map_or_else(|| refusal::refusal(404), |file| reply::json(200, &file));
    }
    let Some(range) = call.headers.get(CONTENT_RANGE).map_or(Some(Range::whole(call)), Range::read) else {
        return reply::text(400, "Failed to parse Content-Range header.");
    };
    if let Range::Part { from, to, total } = range {
        if to.checked_sub(from).is_none_or(|length| length + 1 != call.body.len() as u64) {
            return reply::text(400, "Failed to parse Content-Range header.");
        }
        if upload.bytes.is_some_and(|bytes| total.is_some_and(|total| total != bytes)) {
            return reply::text(400, "Invalid request.  The length is another one than before.");
        }
        upload.bytes = upload.bytes.or(total);
        let have = upload.content.bytes;
        if from > have {
            return reply::text(
                400,
                format!(
                    "Invalid request.  According to the Content-Range header, the upload offset is {from} byte(s), which exceeds already uploaded size of {have} byte(s)."
                ),
            );
        }
        // What was sent before is passed over.
        let known = usize::try_from(have - from).unwrap_or(usize::MAX).min(call.body.len());
        let new = &call.body[known..];
        let is_last = upload.bytes == Some(to + 1);
        let kept = if is_last { new.len() } else { whole_grains(have, new.len()) };
        upload.content.add(&new[..kept]);
    }
    let have = upload.content.bytes;
    if upload.bytes == Some(have) {
        return finish(world, &mut drive, &name);
    }
    let answer = reply::empty(308);
    if have == 0 {
        answer
    } else {
        reply::with_header(answer, RANGE.as_str(), &format!("bytes=0-{}", have - 1))
    }
}

fn whole_grains(have: u64, new: usize) -> usize {
    let end = (have + new as u64) / GRAIN * GRAIN;
    usize::try_from(end.saturating_sub(have)).unwrap_or(new).min(new)
}

fn finish(world: &Arc<World>, drive: &mut Drive, name: &str) -> Response {
    let Some(upload) = drive.uploads.get_mut(name) else { return refusal::refusal(404) };
    let (person, bytes) = (upload.person.clone(), upload.content.bytes);
    if !drive.has_room(&person, bytes) {
        return refusal::full();
    }
    let Some(upload) = drive.uploads.get_mut(name) else { return refusal::refusal(404) };
    upload.is_done = true;
    let file = File {
        person: person.clone(),
        name: upload.about.name.clone(),
        media_type: upload.media_type.clone(),
        content: std::mem::take(&mut upload.content).whole(),
        parent: upload.about.parent.clone(),
        app_properties: upload.about.app_properties.clone(),
        is_trashed: false,
    };
    let id = upload.about.id.clone();
    // Two uploads of one id: the second one to end is refused.
    if drive.files.contains_key(&id) {
        return refusal::taken();
    }
    let shown = resource(world, &id, &file);
    drive.keep(id, file);
    if let Some(room) = drive.room.get_mut(&person) {
        *room = room.saturating_sub(bytes);
    }
    reply::json(200, &shown)
}

impl Drive {
    fn has_room(&self, person: &str, bytes: u64) -> bool {
        self.room.get(person).is_none_or(|room| bytes <= *room)
    }
}

enum Range {
    Part {
        from: u64,
        to: u64,
        total: Option<u64>,
    },
    /// Only how far it is.
    Question,
}

impl Range {
    /// Everything in one request.
    fn whole(call: &Call) -> Range {
        let length = call.body.len() as u64;
        Range::Part { from: 0, to: length.saturating_sub(1), total: Some(length) }
    }

    fn read(value: &http::HeaderValue) -> Option<Range> {
        let (range, total) = value.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        if range == "*" {
            return Some(Range::Question);
        }
        let (from, to) = range.split_once('-')?;
        Some(Range::Part { from: from.parse().ok()?, to: to.parse().ok()?, total })
    }
}
