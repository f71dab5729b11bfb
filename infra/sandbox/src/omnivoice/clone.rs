//! `POST /v1/audio/speech/clone`: a form with a recording whose voice is taken for this one text.

use axum::response::Response;

use super::fields::{Fields, Source};
use super::profiles::{RECORDING_BYTES_MAX, checked, missing, no_form};
use super::refusal;
use super::speech::Wish;
use crate::call::Call;
use crate::door::Mood;
use crate::ids;
use crate::multipart::Form;

const MEGABYTE: usize = 1024 * 1024;

pub(super) fn answer(call: &Call, mood: &Mood) -> Response {
    if call.body.len() > RECORDING_BYTES_MAX {
        let tenths = call.body.len() * 10 / MEGABYTE;
        let text = format!("Upload too large: {}.{}MB exceeds limit of 25MB", tenths / 10, tenths % 10);
        return refusal::error(413, &text);
    }
    let Some(form) = Form::read(call.header("content-type"), &call.body) else { return no_form() };
    let mut fields = Fields::of(Source::Form(&form));
    let wish = Wish::read(&mut fields, "text");
    let recording = form.find("ref_audio");
    if recording.is_none() {
        fields.wrong.push(missing("ref_audio"));
    }
    if !fields.wrong.is_empty() {
        return refusal::invalid(&fields.wrong);
    }
    match recording.map(|recording| (recording, checked(recording))) {
        Some((recording, Ok(()))) => {
            let heard =
                ids::hash(&String::from_utf8_lossy(&recording.body[..recording.body.len().min(MEGABYTE)]));
            wish.spoken(&format!("recording {heard:x}"), mood)
        }
        Some((_, Err(problem))) => refusal::error(422, &problem),
        None => refusal(422),
    }
}
