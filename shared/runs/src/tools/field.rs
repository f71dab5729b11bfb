//! What a tool takes, said once: from a field follow how it is read, how a page asks for it, and how OpenAPI describes it.

use crate::view::{ParameterType, ToolParameter};
use media::FileFamily;
use primitives::{Language, typed_pattern};
use serde_json::{Value, json};

/// English and Vietnamese of one text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words(pub(crate) &'static str, pub(crate) &'static str);

/// One thing that a tool takes.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    title: Words,
    help: Option<Words>,
    pub(crate) kind: Kind,
    pub(crate) is_required: bool,
}

/// What a field holds.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// What a person writes; the price row says how long it may be.
    Words,
    /// A short text on one line, of so many characters at most.
    Line(u32),
    /// Several of those.
    Lines { each: u32, count: u32 },
    /// One of these words, by their titles; the first one when nothing is sent.
    Choice(Vec<Choice>),
    /// A whole number between two, both among them.
    Whole { from: u64, to: u64, default: Option<u64> },
    /// The id of a file that was uploaded before.
    Upload(FileFamily),
    /// `true`, and nothing else: a statement.
    Statement,
}

/// A word to choose, and what a person reads for it.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) word: &'static str,
    title: [String; 2],
}

impl Words {
    pub(crate) fn in_language(self, language: Language) -> &'static str {
        match language {
            Language::English => self.0,
            Language::Vietnamese => self.1,
        }
    }
}

impl Choice {
    pub(crate) fn new(word: &'static str, english: &str, vietnamese: &str) -> Choice {
        Choice { word, title: [english.to_owned(), vietnamese.to_owned()] }
    }

    fn title(&self, language: Language) -> &str {
        match language {
            Language::English => &self.title[0],
            Language::Vietnamese => &self.title[1],
        }
    }
}

impl Field {
    pub(crate) fn new(name: &'static str, title: Words, kind: Kind) -> Field {
        Field { name, title, help: None, kind, is_required: false }
    }

    pub(crate) fn required(self) -> Field {
        Field { is_required: true, ..self }
    }

    pub(crate) fn with_help(self, english: &'static str, vietnamese: &'static str) -> Field {
        Field { help: Some(Words(english, vietnamese)), ..self }
    }

    /// As a page asks for it. `words_max`: how long what a person writes may be.
    pub(crate) fn form(&self, words_max: u32, language: Language) -> Value {
        let mut form = self.schema(Some(words_max));
        form["title"] = json!(self.title.in_language(language));
        if let Some(help) = self.help {
            form["description"] = json!(help.in_language(language));
        }
        if let Kind::Choice(choices) = &self.kind {
            let choice = |choice: &Choice| json!({ "const": choice.word, "title": choice.title(language) });
            form["oneOf"] = choices.iter().map(choice).collect();
            form.as_object_mut().into_iter().for_each(|form| {
                form.remove("enum");
            });
        }
        form
    }

    /// As OpenAPI describes it.
    pub(crate) fn described(&self) -> Value {
        let mut schema = self.schema(None);
        let text = match self.help {
            Some(help) => format!("{}. {}", self.title.0, help.0),
            None => self.title.0.to_owned(),
        };
        schema["description"] = json!(text);
        schema
    }

    fn schema(&self, words_max: Option<u32>) -> Value {
        let line = |max: u32| json!({ "type": "string", "minLength": 1, "maxLength": max, "pattern": typed_pattern() });
        match &self.kind {
            Kind::Words => {
                let mut schema = json!({ "type": "string", "minLength": 1, "pattern": typed_pattern() });
                if let Some(max) = words_max {
                    schema["maxLength"] = json!(max);
                }
                schema
            }
            Kind::Line(max) => line(*max),
            Kind::Lines { each, count } => {
                json!({ "type": "array", "minItems": 1, "maxItems": count, "items": line(*each) })
            }
            Kind::Choice(choices) => {
                let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
                json!({ "type": "string", "enum": words, "default": words.first() })
            }
            Kind::Whole { from, to, default } => {
                let mut schema = json!({ "type": "integer", "minimum": from, "maximum": to });
                if let Some(default) = default {
                    schema["default"] = json!(default);
                }
                schema
            }
            Kind::Upload(family) => {
                json!({ "type": "string", "pattern": "^upload_[0-7][0-9A-HJKMNP-TV-Z]{25}$", "x-upload": family.as_str() })
            }
            Kind::Statement => json!({ "type": "boolean", "enum": [true] }),
        }
    }

    /// As the price list shows it.
    pub(crate) fn parameter(&self, words_max: u32) -> ToolParameter {
        let (kind, max_chars) = match &self.kind {
            Kind::Words => (ParameterType::String, Some(words_max)),
            Kind::Line(max) => (ParameterType::String, Some(*max)),
            Kind::Lines { each, .. } => (ParameterType::List, Some(*each)),
            Kind::Choice(_) => (ParameterType::Choice, None),
            Kind::Whole { .. } => (ParameterType::Integer, None),
            Kind::Upload(_) => (ParameterType::Upload, None),
            Kind::Statement => (ParameterType::Statement, None),
        };
        let choices: Vec<String> = match &self.kind {
            Kind::Choice(choices) => choices.iter().map(|choice| choice.word.to_owned()).collect(),
            _ => Vec::new(),
        };
        let default = match &self.kind {
            Kind::Whole { default, .. } => default.map(|default| default.to_string()),
            _ => choices.first().cloned(),
        };
        ToolParameter {
            name: self.name.to_owned(),
            kind,
            required: self.is_required,
            max_chars,
            choices,
            default,
        }
    }
}
