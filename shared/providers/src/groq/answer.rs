use super::languages;
use crate::made::millis_of;
use crate::{Segment, lenient, wire};
use serde_json::Value;

/// A segment is silence when its `no_speech_prob` is above this and its `avg_logprob` is below [`LOG_PROBABILITY_MIN`]
/// (openai/whisper, `transcribe.py`: `no_speech_threshold`).
const NO_SPEECH_MAX: f64 = 0.6;
/// A segment is silence when its `avg_logprob` is below this and its `no_speech_prob` is above [`NO_SPEECH_MAX`]
/// (openai/whisper, `transcribe.py`: `logprob_threshold`).
const LOG_PROBABILITY_MIN: f64 = -1.0;

/// What Groq heard in one file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) id: Option<String>,
    /// ISO 639-1 where its name is known.
    pub(super) language: Option<String>,
    /// How long the sound lasts, in milliseconds.
    pub(super) lasts: Option<u64>,
    pub(super) segments: Vec<Segment>,
}

impl Answer {
    /// Of a `verbose_json`. `None`: what was said can't be read. Without segments the whole text is one.
    pub(super) fn of(document: &Value) -> Option<Answer> {
        document.as_object()?;
        let lasts = millis_of(&document["duration"]);
        let mut segments = match &document["segments"] {
            Value::Null => Vec::new(),
            Value::Array(listed) => segments(listed)?,
            _ => return None,
        };
        let is_listed = document["segments"].as_array().is_some_and(|listed| !listed.is_empty());
        match &document["text"] {
            Value::String(text) if !is_listed => {
                segments.push(Segment { start: 0, end: lasts.unwrap_or(0), text: text.clone() });
            }
            Value::String(_) | Value::Null if document["segments"].is_array() => {}
            _ => return None,
        }
        Some(Answer {
            id: lenient::text(&document["x_groq"]["id"]).and_then(wire::plain_id),
            language: lenient::text(&document["language"]).map(languages::code_of),
            lasts,
            segments,
        })
    }
}

/// The segments that are not silence. A missing start is the end of the segment before; a missing end is the start.
fn segments(listed: &[Value]) -> Option<Vec<Segment>> {
    let mut segments = Vec::with_capacity(listed.len());
    let mut last_end = 0;
    for segment in listed {
        let text = match &segment["text"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            _ => return None,
        };
        let start = millis_of(&segment["start"]).unwrap_or(last_end);
        let end = millis_of(&segment["end"]).unwrap_or(start);
        last_end = end;
        if !is_silence(segment) {
            segments.push(Segment { start, end, text });
        }
    }
    Some(segments)
}

fn is_silence(segment: &Value) -> bool {
    let is = |name: &str, is_beyond: fn(f64) -> bool| segment[name].as_f64().is_some_and(is_beyond);
    is("no_speech_prob", |told| told > NO_SPEECH_MAX) && is("avg_logprob", |told| told < LOG_PROBABILITY_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn piece(start: u64, end: u64, text: &str) -> Segment {
        Segment { start, end, text: text.to_owned() }
    }

    #[test]
    fn a_segment_is_silence_when_whisper_doubts_both_the_speech_and_its_words() {
        let table = [
            (json!(0.9), json!(-1.15), true),
            (json!(0.61), json!(-1.01), true),
            (json!(0.6), json!(-1.5), false),
            (json!(0.9), json!(-1.0), false),
            (json!(0.9), json!(-0.2), false),
            (json!(0.1), json!(-2), false),
            (json!(null), json!(-2), false),
            (json!(0.9), json!(null), false),
            (json!("0.9"), json!("-2"), false),
        ];
        for (no_speech, log_probability, is_silent) in table {
            let segment = json!({"no_speech_prob": no_speech, "avg_logprob": log_probability});
            assert_eq!(is_silence(&segment), is_silent, "{segment}");
        }
    }

    #[test]
    fn what_was_said_is_readable_or_the_answer_is_broken() {
        let said = |document: Value| Answer::of(&document).map(|answer| answer.segments);
        let segments = json!([{"start": 0, "end": 1.5, "text": " Xin"}, {"text": null}, {"text": "chào"}]);
        assert_eq!(
            said(json!({"segments": segments})).unwrap(),
            [piece(0, 1_500, " Xin"), piece(1_500, 1_500, ""), piece(1_500, 1_500, "chào")]
        );
        assert_eq!(said(json!({"text": "Xin", "duration": 2})).unwrap(), [piece(0, 2_000, "Xin")]);
        assert_eq!(said(json!({"text": "Xin", "segments": []})).unwrap(), [piece(0, 0, "Xin")]);
        assert_eq!(said(json!({"segments": []})).unwrap(), []);
        for broken in [
            json!([]),
            json!("Xin"),
            json!({}),
            json!({"text": null}),
            json!({"text": 7}),
            json!({"segments": "Xin", "text": "Xin"}),
            json!({"segments": [{"text": 7}], "text": "Xin"}),
            json!({"segments": [{"text": ["Xin"]}]}),
            json!({"error": {"message": "busy"}}),
        ] {
            assert_eq!(said(broken.clone()), None, "{broken}");
        }
    }

    #[test]
    fn what_stands_beside_the_text_may_be_missing() {
        let table = [
            (json!({"text": "Xin", "duration": null, "language": null, "x_groq": null}), None, None, None),
            (
                json!({"text": "Xin", "duration": "soon", "language": 7, "x_groq": {"id": 7}}),
                None,
                None,
                None,
            ),
            (
                json!({"text": "Xin", "duration": 12.44, "language": "Vietnamese", "x_groq": {"id": "req_1"}}),
                Some(12_440),
                Some("vi"),
                Some("req_1"),
            ),
        ];
        for (document, lasts, language, id) in table {
            let answer = Answer::of(&document).unwrap();
            let told = (answer.lasts, answer.language.as_deref(), answer.id.as_deref());
            assert_eq!(told, (lasts, language, id), "{document}");
        }
    }
}
