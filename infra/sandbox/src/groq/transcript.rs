//! What was heard and when: segments of some four seconds that fill the sound from its beginning to its end.

use axum::response::Response;
use serde_json::{Value, json};

use super::language;
use super::request::{Format, Task};
use crate::{decimal, ids, reply, sentences};

const SEGMENT_MILLIS: u64 = 4_000;
/// Whisper reads in windows of 30 s; `seek` counts hundredths of a second.
const WINDOW_MILLIS: u64 = 30_000;
/// Enough of a file to tell two apart.
const HEARD_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Granularity {
    Segment,
    Word,
}

/// A transcript before it has a shape.
pub(super) struct Transcript<'a> {
    language: &'a str,
    millis: u64,
    segments: Vec<Segment>,
}

struct Segment {
    start: u64,
    end: u64,
    text: &'static str,
    is_heard: bool,
}

impl<'a> Transcript<'a> {
    /// The sentences follow from the bytes, so that two files are heard differently and one always the same.
    pub(super) fn of(language: &'a str, millis: u64, file: &[u8]) -> Transcript<'a> {
        let first = ids::hash(&String::from_utf8_lossy(&file[..file.len().min(HEARD_BYTES)])) >> 32;
        let count = millis.div_ceil(SEGMENT_MILLIS);
        let segments = (0..count)
            .map(|place| Segment {
                start: place * millis / count,
                end: (place + 1) * millis / count,
                text: sentences::sentence(language, first + place),
                is_heard: true,
            })
            .collect();
        Transcript { language, millis, segments }
    }

    /// One segment over the whole silence, with a text nobody said.
    pub(super) fn of_silence(language: &'a str, millis: u64) -> Transcript<'a> {
        let text = sentences::invented(language);
        Transcript {
            language,
            millis,
            segments: vec![Segment { start: 0, end: millis, text, is_heard: false }],
        }
    }

    pub(super) fn empty(language: &'a str, millis: u64) -> Transcript<'a> {
        Transcript { language, millis, segments: Vec::new() }
    }

    pub(super) fn shown(&self, task: Task, format: Format, granularities: &[Granularity]) -> Response {
        let text: String = self.segments.iter().map(|segment| format!(" {}", segment.text)).collect();
        let groq = json!({ "id": ids::tagged("req_") });
        match format {
            Format::Text => reply::text(200, text),
            Format::Json => reply::json(200, &json!({ "text": text, "x_groq": groq })),
            Format::VerboseJson => {
                let mut body = json!({
                    "task": if task == Task::Translate { "translate" } else { "transcribe" },
                    "language": language::name(self.language),
                    "duration": seconds(self.millis),
                    "text": text,
                });
                if granularities.contains(&Granularity::Word) {
                    body["words"] = self.segments.iter().flat_map(Segment::words).collect();
                }
                if granularities.contains(&Granularity::Segment) {
                    body["segments"] =
                        self.segments.iter().enumerate().map(|(id, segment)| segment.shown(id)).collect();
                }
                body["x_groq"] = groq;
                reply::json(200, &body)
            }
        }
    }
}

impl Segment {
    fn shown(&self, id: usize) -> Value {
        let (log_probability, no_speech) = if self.is_heard { (210, 12) } else { (1_150, 900) };
        // A token is four characters; their numbers are invented.
        let tokens: Vec<u64> =
            (0..self.text.chars().count() as u64 / 4).map(|place| 50_364 + place * 17).collect();
        json!({
            "id": id,
            "seek": self.start / WINDOW_MILLIS * WINDOW_MILLIS / 10,
            "start": seconds(self.start),
            "end": seconds(self.end),
            "text": format!(" {}", self.text),
            "tokens": tokens,
            "temperature": 0,
            "avg_logprob": decimal::below_zero(log_probability, 3),
            "compression_ratio": decimal::number(1_520, 3),
            "no_speech_prob": decimal::number(no_speech, 3),
        })
    }

    /// The segment's time in equal parts.
    fn words(&self) -> Vec<Value> {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        let (length, count) = (self.end - self.start, words.len() as u64);
        let at = |place: u64| seconds(self.start + length * place / count);
        let places = words.into_iter().zip(0_u64..);
        places
            .map(|(word, place)| json!({ "word": word, "start": at(place), "end": at(place + 1) }))
            .collect()
    }
}

fn seconds(millis: u64) -> Value {
    decimal::number(millis, 3)
}
