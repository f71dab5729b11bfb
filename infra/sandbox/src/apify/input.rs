//! An actor's input: each actor names its fields differently, so several names are read.

use serde_json::{Map, Value};

/// The body of a start, as the actor sees it.
pub(super) struct Input {
    fields: Map<String, Value>,
    /// Unix seconds of the start.
    pub(super) now: u64,
}

impl Input {
    pub(super) fn new(fields: Map<String, Value>, now: u64) -> Input {
        Input { fields, now }
    }

    /// The texts under the first of the names that has any: a text, or a list of texts or of `{"url": text}`.
    pub(super) fn texts(&self, names: &[&str]) -> Vec<String> {
        let found = names.iter().map(|name| texts(self.fields.get(*name))).find(|texts| !texts.is_empty());
        found.unwrap_or_default()
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    pub(super) fn count(&self, name: &str) -> Option<u64> {
        self.fields.get(name)?.as_u64()
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => lines(text),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|entry| entry.as_str().or_else(|| entry["url"].as_str()))
            .flat_map(lines)
            .collect(),
        _ => Vec::new(),
    }
}

/// Google's actor takes its queries as lines of one text.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
