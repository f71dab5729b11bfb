//! The models known here, what they accept and in which shape they answer.

use serde_json::{Map, Value, json};

use super::refusal::field;
use crate::sound::Melody;
use crate::{decimal, ids};

/// A model that speaks.
#[derive(Debug)]
pub(super) struct Model {
    owner: &'static str,
    name: &'static str,
    /// Official models hide theirs.
    pub(super) version: &'static str,
    languages: &'static [&'static str],
    speaker: Speaker,
    output: Shape,
}

/// Where the voice comes from.
#[derive(Debug, PartialEq, Eq)]
enum Speaker {
    /// A recording at an address, which must be given.
    Recording,
    /// One of the vendor's own voices.
    Voice,
}

/// What `output` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Uri,
    /// `{"path": uri}`
    Path,
}

/// The version of `suminhthanh/vixtts` here; it is invented.
pub const VIXTTS_VERSION: &str = "5222190b47dfb128cd588f07dadb78107aa489bdcd0af45814d7841d47f608c6";
const HIDDEN: &str = "hidden";
const TEXT_CHARS_MAX: usize = 5_000;
const XTTS: &[&str] =
    &["en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "ar", "zh", "hu", "ko", "hi"];
const VIXTTS: &[&str] = &[
    "vi", "en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "ar", "zh-cn", "ja", "hu", "ko",
    "hi",
];

const MODELS: [Model; 3] = [
    Model {
        owner: "lucataco",
        name: "xtts-v2",
        version: "684bc3855b37866c0c65add2ff39c78f3dea3f4ff103a436465326e0f438d55e",
        languages: XTTS,
        speaker: Speaker::Recording,
        output: Shape::Uri,
    },
    Model {
        owner: "suminhthanh",
        name: "vixtts",
        version: VIXTTS_VERSION,
        languages: VIXTTS,
        speaker: Speaker::Recording,
        output: Shape::Path,
    },
    Model {
        owner: "minimax",
        name: "speech-02-turbo",
        version: HIDDEN,
        languages: &[],
        speaker: Speaker::Voice,
        output: Shape::Uri,
    },
];

impl Model {
    pub(super) fn named(owner: &str, name: &str) -> Option<&'static Model> {
        MODELS.iter().find(|model| (model.owner, model.name) == (owner, name))
    }

    /// By `<version>`, by `<owner>/<name>:<version>`, or by the name alone if the model is official.
    pub(super) fn of_version(reference: &str) -> Option<&'static Model> {
        let (name, version) = match reference.rsplit_once(':') {
            Some((name, version)) => (Some(name), version),
            None => (None, reference),
        };
        MODELS.iter().find(|model| match name {
            Some(name) => model.full_name() == name && model.version == version && !model.is_official(),
            None if model.is_official() => model.full_name() == version,
            None => model.version == version,
        })
    }

    /// Only official models can be run without a version.
    pub(super) fn is_official(&self) -> bool {
        self.version == HIDDEN
    }

    pub(super) fn full_name(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    pub(super) fn shape(&self) -> Shape {
        self.output
    }

    /// The tune that this input makes, or what is wrong with it.
    pub(super) fn read(&self, input: &Map<String, Value>) -> Result<Melody, Vec<Value>> {
        let mut wrong = Vec::new();
        let text = text(input, "text", &mut wrong).unwrap_or_default();
        let voice = match self.speaker {
            Speaker::Recording => self.recording(input, &mut wrong),
            Speaker::Voice => {
                input.get("voice_id").and_then(Value::as_str).unwrap_or("Wise_Woman").to_owned()
            }
        };
        if self.speaker == Speaker::Voice && text.chars().count() > TEXT_CHARS_MAX {
            wrong.push(field("string_lte", "input.text", "String length must be less than or equal to 5000"));
        }
        if let Some(language) = present(input, "language").filter(|_| !self.languages.is_empty()) {
            self.check_language(language, &mut wrong);
        }
        for name in ["cleanup_voice", "use_deepfilter", "normalize_text"] {
            if present(input, name).is_some_and(|value| !value.is_boolean()) {
                wrong.push(kind(name, "boolean", input));
            }
        }
        let speed = speed(input, &mut wrong);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Melody::of(text, &format!("{} {voice}", self.full_name()), 0, speed))
    }

    fn recording(&self, input: &Map<String, Value>, wrong: &mut Vec<Value>) -> String {
        let Some(speaker) = text(input, "speaker", wrong) else { return String::new() };
        let is_address = ["http://", "https://", "data:"].iter().any(|start| speaker.starts_with(start));
        if !is_address {
            wrong.push(field("format", "input.speaker", "Does not match format 'uri'"));
        }
        speaker.to_owned()
    }

    fn check_language(&self, language: &Value, wrong: &mut Vec<Value>) {
        if language.as_str().is_some_and(|language| self.languages.contains(&language)) {
            return;
        }
        let all =
            self.languages.iter().map(|language| format!("\"{language}\"")).collect::<Vec<_>>().join(", ");
        let description = format!("language must be one of the following: {all}");
        wrong.push(field("enum", "input.language", &description));
    }

    /// `GET /models/{owner}/{name}`.
    pub(super) fn shown(&self) -> Value {
        json!({
            "url": format!("https://replicate.com/{}", self.full_name()),
            "owner": self.owner, "name": self.name,
            "description": "Invented by the sandbox: a tune in place of a voice.",
            "visibility": "public", "github_url": null, "paper_url": null, "license_url": null, "run_count": 1,
            "cover_image_url": null, "default_example": null, "is_official": self.is_official(),
            "latest_version": if self.is_official() { Value::Null } else { self.version_shown() },
        })
    }

    /// `GET …/versions/{id}`: clients read from it whether the output is a list.
    pub(super) fn version_shown(&self) -> Value {
        let output = match self.output {
            Shape::Uri => json!({ "title": "Output", "type": "string", "format": "uri" }),
            Shape::Path => json!({
                "title": "Output", "type": "object", "properties": { "path": { "type": "string", "format": "uri" } },
            }),
        };
        json!({
            "id": self.version, "created_at": "2023-11-28T08:00:00.000000Z", "cog_version": "0.8.6",
            "openapi_schema": { "components": { "schemas": {
                "Input": { "type": "object", "title": "Input", "required": ["text"] }, "Output": output,
            } } },
        })
    }
}

fn text<'a>(input: &'a Map<String, Value>, name: &str, wrong: &mut Vec<Value>) -> Option<&'a str> {
    match present(input, name) {
        Some(Value::String(text)) => Some(text),
        Some(_) => {
            wrong.push(kind(name, "string", input));
            None
        }
        None => {
            wrong.push(field("required", "input", &format!("{name} is required")));
            None
        }
    }
}

/// Thousandths; half to double speed.
fn speed(input: &Map<String, Value>, wrong: &mut Vec<Value>) -> u64 {
    let Some(value) = present(input, "speed") else { return 1_000 };
    match decimal::units(value, 3) {
        Some(speed) if (500..=2_000).contains(&speed) => speed,
        Some(_) => {
            wrong.push(field("number_range", "input.speed", "Must be between 0.5 and 2"));
            1_000
        }
        None => {
            wrong.push(kind("speed", "number", input));
            1_000
        }
    }
}

fn kind(name: &str, expected: &str, input: &Map<String, Value>) -> Value {
    let given = match input.get(name) {
        Some(Value::String(_)) => "string",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
        Some(Value::Number(number)) if number.is_u64() || number.is_i64() => "integer",
        Some(Value::Number(_)) => "number",
        Some(Value::Null) | None => "null",
    };
    let description = format!("Invalid type. Expected: {expected}, given: {given}");
    field("invalid_type", &format!("input.{name}"), &description)
}

fn present<'a>(input: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    input.get(name).filter(|value| !value.is_null())
}

/// Replicate's ids are letters and digits of one case.
pub(super) fn fresh_id() -> String {
    ids::tagged("p")
}
