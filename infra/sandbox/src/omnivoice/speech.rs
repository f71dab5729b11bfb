//! `POST /v1/audio/speech`, in the shape of OpenAI's.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use serde_json::Value;

use super::fields::{Bounds, Fields, Source};
use super::{refusal, voice};
use crate::call::Call;
use crate::door::Mood;
use crate::sound::{self, Accident, Melody, Sending};
use crate::{Fault, World, decimal, reply};

pub(super) const TEXT_CHARS_MAX: usize = 10_000;
const FORMATS: &[&str] = &["wav", "mp3", "opus", "aac", "flac", "pcm"];
/// A graphics card speaks this many times faster than a person.
const SPOKEN_PER_WORK: u64 = 20;
/// What the model can do in brackets; anything else there is read out as text.
const TAGS: [&str; 15] = [
    "laughter",
    "breath",
    "sigh",
    "sniff",
    "confirmation-en",
    "question-en",
    "question-ah",
    "question-oh",
    "question-ei",
    "question-yi",
    "surprise-ah",
    "surprise-oh",
    "surprise-wa",
    "surprise-yo",
    "dissatisfaction-hnn",
];

/// What both ways to ask have in common.
pub(super) struct Wish {
    pub(super) text: String,
    format: &'static str,
    is_streamed: bool,
    speed_milli: u64,
    duration_millis: Option<u64>,
    seed: u64,
    language: Option<String>,
}

pub(super) fn answer(world: &Arc<World>, call: &Call, mood: &Mood) -> Response {
    let Ok(Value::Object(body)) = call.json() else {
        let wrong = serde_json::json!({
            "type": "json_invalid", "loc": ["body", 0], "msg": "JSON decode error", "input": {},
        });
        return refusal::invalid(&[wrong]);
    };
    let mut fields = Fields::of(Source::Json(&body));
    let wish = Wish::read(&mut fields, "input");
    let voice = fields.text("voice").unwrap_or_else(|| "auto".to_owned());
    let (speaker, instructions) = (fields.text("speaker"), fields.text("instructions"));
    fields.text("model");
    if !fields.wrong.is_empty() {
        return refusal::invalid(&fields.wrong);
    }
    match voice::resolved(world, &voice, speaker.as_deref(), instructions.as_deref()) {
        Ok(voice) => wish.spoken(&voice, mood),
        Err((status, message)) => refusal::error(status, &message),
    }
}

impl Wish {
    pub(super) fn read(fields: &mut Fields<'_>, text: &str) -> Wish {
        let wish = Wish {
            text: fields.required_text(text, TEXT_CHARS_MAX),
            format: fields.choice("response_format", FORMATS),
            is_streamed: fields.flag("stream"),
            speed_milli: fields.number("speed", &Bounds { min: 250, max: 4_000 }).unwrap_or(1_000),
            duration_millis: fields.number("duration", &Bounds { min: 100, max: 60_000 }),
            seed: fields.integer("seed", 0, u64::from(u32::MAX)).unwrap_or(0),
            language: fields.text("language"),
        };
        fields.integer("num_step", 1, 64);
        fields.integer("request_timeout_s", 1, 600);
        fields.number("guidance_scale", &Bounds { min: 0, max: 10_000 });
        wish
    }

    /// The sound, or why there is none.
    pub(super) fn spoken(&self, voice: &str, mood: &Mood) -> Response {
        if self.is_streamed && self.format != "pcm" {
            let text = format!("Streaming only supports response_format='pcm', got '{}'", self.format);
            return refusal::error(400, &text);
        }
        if !matches!(self.format, "wav" | "pcm") {
            // The codec is a package and a program of its own, and many servers lack both.
            let text = format!(
                "Audio format '{0}' not available: Audio format '{0}' requires pydub and ffmpeg. Install with: pip \
                 install pydub  (also requires ffmpeg on PATH)",
                self.format
            );
            return refusal::error(501, &text);
        }
        let fault = mood.fault.as_ref();
        let melody = self.melody(voice, fault);
        let sending = Sending {
            gap: Duration::from_millis(mood.pace_ms),
            accident: Accident::after(fault),
            is_announced: true,
        };
        if self.is_streamed {
            return self.with_tags(streamed(sound::pcm(melody, &sending)));
        }
        let response = match self.format {
            "pcm" => sound::pcm(melody, &sending),
            _ => sound::wav(melody, &sending),
        };
        let work = decimal::number(melody.millis / SPOKEN_PER_WORK, 3).to_string();
        let length = decimal::number(melody.millis, 3).to_string();
        let response = reply::with_header(response, "x-audio-duration-s", &length);
        let response = reply::with_header(response, "x-synthesis-latency-s", &work);
        let response = match fault {
            Some(Fault::NoSpeech) => reply::with_header(response, "x-no-speech-detected", "true"),
            _ => response,
        };
        self.with_tags(response)
    }

    fn melody(&self, voice: &str, fault: Option<&Fault>) -> Melody {
        let voice = format!("{voice} {}", self.language.as_deref().unwrap_or_default());
        let mut melody = Melody::of(&self.text, &voice, self.seed, self.speed_milli);
        if let Some(millis) = self.duration_millis {
            melody.millis = millis;
        }
        match fault {
            Some(Fault::Empty) => melody.millis = 0,
            Some(Fault::NoSpeech) => melody.is_drone = true,
            _ => {}
        }
        melody
    }

    fn with_tags(&self, response: Response) -> Response {
        let unknown = unknown_tags(&self.text);
        match unknown.is_empty() {
            true => response,
            false => reply::with_header(response, "x-unknown-nonverbal-tags", &unknown.join(",")),
        }
    }
}

/// A stream says what it holds and not how long it is.
fn streamed(response: Response) -> Response {
    let facts = [
        ("x-audio-sample-rate", "24000"),
        ("x-audio-channels", "1"),
        ("x-audio-bit-depth", "16"),
        ("x-audio-format", "pcm-int16-le"),
    ];
    facts.into_iter().fold(response, |response, (name, value)| reply::with_header(response, name, value))
}

/// Words in brackets that the model does not know, each once.
fn unknown_tags(text: &str) -> Vec<String> {
    let mut unknown: Vec<String> = Vec::new();
    for rest in text.split('[').skip(1) {
        let Some((tag, _)) = rest.split_once(']') else { continue };
        let is_tag = tag.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && tag.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-'));
        let tag = tag.to_ascii_lowercase();
        if is_tag && !TAGS.contains(&tag.as_str()) && !unknown.contains(&tag) {
            unknown.push(tag);
        }
    }
    unknown
}
