//! Which voice a request means, and the list of voices.

use axum::response::Response;
use serde_json::{Value, json};

use crate::{World, reply};

const DEFAULT: &str = "male, middle-aged, moderate pitch, british accent";
/// OpenAI's names and what the server makes of them.
const PRESETS: [(&str, &str); 13] = [
    ("alloy", "female, young adult, moderate pitch, american accent"),
    ("ash", "male, young adult, low pitch, american accent"),
    ("ballad", "male, middle-aged, low pitch, british accent"),
    ("cedar", "male, middle-aged, low pitch, american accent"),
    ("coral", "female, young adult, high pitch, australian accent"),
    ("echo", "male, middle-aged, moderate pitch, canadian accent"),
    ("fable", "female, middle-aged, moderate pitch, british accent"),
    ("marin", "female, middle-aged, moderate pitch, canadian accent"),
    ("nova", "female, young adult, high pitch, american accent"),
    ("onyx", "male, middle-aged, very low pitch, british accent"),
    ("sage", "female, elderly, low pitch, british accent"),
    ("shimmer", "female, young adult, very high pitch, american accent"),
    ("verse", "male, young adult, moderate pitch, british accent"),
];
const GENDERS: &[&str] = &["male", "female"];
const AGES: &[&str] = &["child", "teenager", "young adult", "middle-aged", "elderly"];
const PITCHES: &[&str] = &["very low pitch", "low pitch", "moderate pitch", "high pitch", "very high pitch"];
const STYLES: &[&str] = &["whisper"];
/// An accent may be written without the word.
const ACCENTS: &[&str] = &[
    "american accent",
    "british accent",
    "australian accent",
    "chinese accent",
    "canadian accent",
    "indian accent",
    "korean accent",
    "portuguese accent",
    "russian accent",
    "japanese accent",
];
/// Only one of each is allowed.
const EXCLUSIVE: [(&str, &[&str]); 3] = [("gender", GENDERS), ("age", AGES), ("pitch", PITCHES)];

/// A refusal: its status and what it says.
pub(super) type Refused = (u16, String);

/// What is spoken with: a text that stands for the voice. A profile goes before a preset, instructions before both.
pub(super) fn resolved(
    world: &World,
    voice: &str,
    speaker: Option<&str>,
    instructions: Option<&str>,
) -> Result<String, Refused> {
    let named = speaker.filter(|speaker| !speaker.trim().is_empty()).unwrap_or(voice).trim();
    let lowered = named.to_lowercase();
    let is_clone = lowered.starts_with("clone:");
    let profile = if is_clone { &named["clone:".len()..] } else { named };
    if world.omnivoice.has(profile) {
        return Ok(format!("clone {profile}"));
    }
    if is_clone {
        let hint = "Create it via POST /v1/audio/voices/profiles first.";
        return Err((404, format!("Voice profile '{profile}' not found. {hint}")));
    }
    if speaker.is_some_and(|speaker| preset(speaker).is_none()) {
        let hint =
            "Use a known preset, clone:<profile_id>, or omit `speaker` and use `voice`/`instructions`.";
        return Err((422, format!("Unsupported speaker value '{named}'. {hint}")));
    }
    if let Some(instructions) = instructions {
        return designed(instructions).map_err(|problem| (422, problem));
    }
    if let Some(preset) = preset(named) {
        return Ok(preset.to_owned());
    }
    if lowered == "auto" {
        return Ok(DEFAULT.to_owned());
    }
    let attributes = if lowered.starts_with("design:") { &named["design:".len()..] } else { named };
    designed(attributes).map_err(|_| {
        let hint = "Use a known preset, clone:<profile_id>, or supported design attributes from /v1/voices.";
        (422, format!("Unsupported voice value '{named}'. {hint}"))
    })
}

fn preset(name: &str) -> Option<&'static str> {
    let name = name.trim().to_lowercase();
    PRESETS.iter().find(|(preset, _)| *preset == name).map(|(_, prompt)| *prompt)
}

/// Attributes that commas part, in one spelling.
fn designed(instructions: &str) -> Result<String, String> {
    let mut attributes: Vec<String> = Vec::new();
    for attribute in instructions.split(',').map(|part| part.trim().to_lowercase()) {
        let accent = format!("{attribute} accent");
        let attribute = if ACCENTS.contains(&accent.as_str()) { accent } else { attribute };
        if !attribute.is_empty() && !attributes.contains(&attribute) {
            attributes.push(attribute);
        }
    }
    if attributes.is_empty() {
        return Err("Instructions cannot be empty".to_owned());
    }
    let all = [GENDERS, AGES, PITCHES, STYLES, ACCENTS].concat();
    let unknown: Vec<&str> =
        attributes.iter().map(String::as_str).filter(|attribute| !all.contains(attribute)).collect();
    if !unknown.is_empty() {
        let hint = "See /v1/voices for supported design attributes.";
        return Err(format!("Unsupported attributes: {}. {hint}", unknown.join(", ")));
    }
    for (category, values) in EXCLUSIVE {
        let found: Vec<&str> =
            attributes.iter().map(String::as_str).filter(|attribute| values.contains(attribute)).collect();
        if found.len() > 1 {
            return Err(format!(
                "Conflicting {category} attributes: {}. Only one {category} attribute is allowed.",
                found.join(", ")
            ));
        }
    }
    Ok(attributes.join(","))
}

/// `GET /v1/voices`.
pub(super) fn list(world: &World) -> Response {
    let mut voices = vec![
        json!({
            "id": "auto", "type": "auto",
            "description": format!(
                "Fallback/default prompt when no instructions or recognized preset is provided: {DEFAULT}"
            ),
        }),
        json!({
            "id": "design:<attributes>", "type": "design",
            "description": "Voice design via attributes. Example: 'design:female,british accent'",
        }),
    ];
    voices.extend(PRESETS.iter().map(|(name, prompt)| {
        json!({
            "id": name, "type": "preset", "description": format!("OpenAI-compatible preset mapped to '{prompt}'"),
        })
    }));
    voices.extend(world.omnivoice.all().into_iter().map(as_voice));
    let total = voices.len();
    let attributes = json!({
        "gender": GENDERS, "age": AGES, "pitch": PITCHES, "style": STYLES, "accent_en": ACCENTS, "dialect_zh": [],
    });
    reply::json(200, &json!({ "voices": voices, "design_attributes": attributes, "total": total }))
}

fn as_voice(profile: Value) -> Value {
    json!({
        "id": format!("clone:{}", profile["profile_id"].as_str().unwrap_or_default()),
        "type": "clone", "profile_id": profile["profile_id"],
        "created_at": profile["created_at"], "ref_text": profile["ref_text"],
    })
}
