//! The fields of a request, from JSON or from a form, with what is wrong with them in pydantic's words.

use serde_json::{Map, Value, json};

use crate::decimal;
use crate::multipart::Form;

/// Where the values come from.
pub(super) enum Source<'a> {
    Json(&'a Map<String, Value>),
    Form(&'a Form<'a>),
}

/// Reads fields and collects the complaints.
pub(super) struct Fields<'a> {
    source: Source<'a>,
    pub(super) wrong: Vec<Value>,
}

/// A number's bounds, in thousandths.
pub(super) struct Bounds {
    pub(super) min: u64,
    pub(super) max: u64,
}

impl<'a> Fields<'a> {
    pub(super) fn of(source: Source<'a>) -> Fields<'a> {
        Fields { source, wrong: Vec::new() }
    }

    /// A text of 1 to `chars_max` characters that must be there.
    pub(super) fn required_text(&mut self, name: &str, chars_max: usize) -> String {
        let Some(value) = self.value(name) else {
            self.complain(name, "missing", "Field required", Value::Null);
            return String::new();
        };
        let Value::String(text) = value else {
            self.complain(name, "string_type", "Input should be a valid string", value);
            return String::new();
        };
        let chars = text.chars().count();
        if chars == 0 {
            self.complain(name, "string_too_short", "String should have at least 1 character", json!(""));
        } else if chars > chars_max {
            let message = format!("String should have at most {chars_max} characters");
            self.complain(name, "string_too_long", &message, json!(text));
        }
        text
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            other => {
                self.complain(name, "string_type", "Input should be a valid string", other);
                None
            }
        }
    }

    /// One of a few words, by default the first of them.
    pub(super) fn choice(&mut self, name: &str, choices: &[&'static str]) -> &'static str {
        let default = choices[0];
        let Some(value) = self.value(name) else { return default };
        let found = value.as_str().and_then(|text| choices.iter().find(|choice| **choice == text));
        if let Some(found) = found {
            return found;
        }
        let all = choices.iter().map(|choice| format!("'{choice}'")).collect::<Vec<_>>();
        let (last, first) = all.split_last().map(|(last, first)| (last.as_str(), first)).unwrap_or_default();
        let message = format!("Input should be {} or {last}", first.join(", "));
        self.complain(name, "literal_error", &message, value);
        default
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        let Some(value) = self.value(name) else { return false };
        let read = match &value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => None,
            },
            _ => None,
        };
        read.unwrap_or_else(|| {
            self.complain(name, "bool_parsing", "Input should be a valid boolean", value);
            false
        })
    }

    /// In thousandths.
    pub(super) fn number(&mut self, name: &str, bounds: &Bounds) -> Option<u64> {
        let value = self.value(name)?;
        let below = value.as_f64().is_some_and(|number| number < 0.0)
            || value.as_str().is_some_and(|text| text.trim().starts_with('-'));
        let read = match &value {
            Value::String(text) => decimal::read(text, 3),
            other => decimal::units(other, 3),
        };
        match read {
            _ if below => self.bound(name, "greater_than_equal", "greater", bounds.min, value),
            None => {
                self.complain(name, "float_parsing", "Input should be a valid number", value);
                None
            }
            Some(number) if number < bounds.min => {
                self.bound(name, "greater_than_equal", "greater", bounds.min, value)
            }
            Some(number) if number > bounds.max => {
                self.bound(name, "less_than_equal", "less", bounds.max, value)
            }
            number => number,
        }
    }

    pub(super) fn integer(&mut self, name: &str, min: u64, max: u64) -> Option<u64> {
        let value = self.value(name)?;
        let read = match &value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        };
        match read {
            None => {
                self.complain(name, "int_parsing", "Input should be a valid integer", value);
                None
            }
            Some(number) if number < min => {
                self.bound(name, "greater_than_equal", "greater", min * 1_000, value)
            }
            Some(number) if number > max => self.bound(name, "less_than_equal", "less", max * 1_000, value),
            number => number,
        }
    }

    fn bound(&mut self, name: &str, kind: &str, word: &str, milli: u64, value: Value) -> Option<u64> {
        let bound = decimal::number(milli, 3);
        let message = format!("Input should be {word} than or equal to {bound}");
        self.complain(name, kind, &message, value);
        None
    }

    fn complain(&mut self, name: &str, kind: &str, message: &str, input: Value) {
        self.wrong.push(json!({ "type": kind, "loc": ["body", name], "msg": message, "input": input }));
    }

    /// Absent and null are the same.
    fn value(&self, name: &str) -> Option<Value> {
        match &self.source {
            Source::Json(fields) => fields.get(name).filter(|value| !value.is_null()).cloned(),
            Source::Form(form) => form.text(name).map(Value::from),
        }
    }
}
