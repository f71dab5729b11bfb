//! Voices of one's own: a recording under a name.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};

use super::refusal;
use crate::call::Call;
use crate::civil::Civil;
use crate::multipart::{Form, Part};
use crate::sound::{Wave, WaveError};
use crate::{World, reply};

/// 25 MB, for the whole upload.
pub(super) const RECORDING_BYTES_MAX: usize = 25 * 1024 * 1024;
const SAMPLE_RATE_MIN: u32 = 8_000;
const NAME_CHARS_MAX: usize = 64;

/// The profiles by name; the recordings themselves are not kept.
#[derive(Default)]
pub(crate) struct Profiles {
    by_name: Mutex<BTreeMap<String, Profile>>,
}

#[derive(Clone)]
struct Profile {
    ref_text: Option<String>,
    created_at: u64,
}

impl Profiles {
    pub(super) fn has(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    /// As the API shows them, by name.
    pub(super) fn all(&self) -> Vec<Value> {
        self.lock().iter().map(|(name, profile)| profile.shown(name)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Profile>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Profile {
    fn shown(&self, name: &str) -> Value {
        let created_at = Civil::utc(self.created_at).iso_text();
        json!({ "profile_id": name, "name": name, "ref_text": self.ref_text, "created_at": created_at })
    }
}

/// `/v1/voices/profiles` and what lies below.
pub(super) fn answer(world: &World, call: &Call, method: &Method, path: &[&str]) -> Response {
    match (method, path) {
        (&Method::POST, []) => create(world, call),
        (&Method::GET, [name]) => match world.omnivoice.lock().get(*name) {
            Some(profile) => reply::json(200, &profile.shown(name)),
            None => unknown(name),
        },
        (&Method::PATCH, [name]) => update(world, name, call),
        (&Method::DELETE, [name]) => match world.omnivoice.lock().remove(*name) {
            Some(_) => reply::empty(204),
            None => unknown(name),
        },
        _ => reply::json(405, &json!({ "detail": "Method Not Allowed" })),
    }
}

fn create(world: &World, call: &Call) -> Response {
    let Some(form) = Form::read(call.header("content-type"), &call.body) else { return no_form() };
    let Some(name) = form.text("profile_id") else {
        return refusal::invalid(&[missing("profile_id")]);
    };
    if !is_name(name) {
        let message = "String should match pattern '^[a-zA-Z0-9_-]{1,64}$'";
        let wrong = json!({
            "type": "string_pattern_mismatch", "loc": ["body", "profile_id"], "msg": message, "input": name,
        });
        return refusal::invalid(&[wrong]);
    }
    let Some(recording) = form.find("ref_audio") else { return refusal::invalid(&[missing("ref_audio")]) };
    if let Err(problem) = checked(recording) {
        return refusal::error(422, &problem);
    }
    let may_replace = form.text("overwrite").is_some_and(|flag| matches!(flag, "true" | "1" | "on" | "yes"));
    let mut profiles = world.omnivoice.lock();
    if profiles.contains_key(name) && !may_replace {
        let text = format!("Profile '{name}' already exists. Use overwrite=true to replace.");
        return refusal::error(409, &text);
    }
    let profile = Profile { ref_text: form.text("ref_text").map(str::to_owned), created_at: world.now() };
    let shown = profile.shown(name);
    profiles.insert(name.to_owned(), profile);
    reply::json(201, &shown)
}

/// What is not given stays; a new text alone makes the profile new.
fn update(world: &World, name: &str, call: &Call) -> Response {
    let mut profiles = world.omnivoice.lock();
    let Some(profile) = profiles.get_mut(name) else { return unknown(name) };
    let Some(form) = Form::read(call.header("content-type"), &call.body) else { return no_form() };
    let (recording, text) = (form.find("ref_audio"), form.text("ref_text"));
    if recording.is_none() && text.is_none() {
        return refusal::error(422, "Provide at least one of: ref_audio, ref_text");
    }
    if let Some(Err(problem)) = recording.map(checked) {
        return refusal::error(422, &problem);
    }
    *profile = Profile { ref_text: text.map(str::to_owned), created_at: world.now() };
    reply::json(200, &profile.shown(name))
}

/// Whether an upload is a recording: a WAV is measured, other formats are known by their first bytes.
pub(super) fn checked(recording: &Part<'_>) -> Result<(), String> {
    let file = recording.body;
    if file.is_empty() {
        return Err("ref_audio is empty".to_owned());
    }
    match Wave::read(file) {
        Ok(wave) if wave.sample_rate < SAMPLE_RATE_MIN => {
            Err(format!("ref_audio: sample rate {}Hz too low (min {SAMPLE_RATE_MIN}Hz)", wave.sample_rate))
        }
        Ok(_) => Ok(()),
        Err(WaveError::NoFrames) => Err("ref_audio: audio file has 0 frames".to_owned()),
        Err(WaveError::NotWave) if is_other_sound(file) => Ok(()),
        Err(WaveError::NotWave) => {
            Err("ref_audio: could not parse as audio file. Supported formats: WAV, MP3, \
                                        FLAC, OGG. Original error: Format not recognised."
                .to_owned())
        }
    }
}

fn is_other_sound(file: &[u8]) -> bool {
    let is_mpeg_frame = matches!(file, [0xff, second, ..] if second & 0xe0 == 0xe0);
    is_mpeg_frame || [&b"ID3"[..], b"fLaC", b"OggS"].iter().any(|start| file.starts_with(start))
}

pub(super) fn no_form() -> Response {
    refusal::error(400, "There was an error parsing the body")
}

pub(super) fn missing(name: &str) -> Value {
    json!({ "type": "missing", "loc": ["body", name], "msg": "Field required", "input": null })
}

fn unknown(name: &str) -> Response {
    refusal::error(404, &format!("Profile '{name}' not found"))
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
