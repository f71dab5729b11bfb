//! A flat object, read field by field, so that an error can name the field and no number ever is a float.
//!
//! SePay's senders differ in what does not matter: a number is written as a text or a text as a number, a field is
//! missing, null, or of a kind that no page of theirs describes. What only accompanies a transfer counts as absent
//! then; only what decides about money (id, direction, amount, account) makes a body unreadable.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use crate::money::whole_of_json_number;
use crate::{Unreadable, Vnd};

/// The fields of one object. Each can be taken once.
pub(super) struct Fields(HashMap<String, Value>);

#[derive(PartialEq, Eq)]
enum Value {
    Null,
    Text(String),
    /// A JSON number as it is written.
    Number(String),
    /// Neither text nor number. Also a field that comes twice with two values: JSON's readers disagree about which one
    /// counts.
    Unusable,
}

impl Fields {
    /// Reads a webhook's body: JSON, or the form data that SePay's dashboard can switch to.
    ///
    /// Bytes that are no UTF-8, control characters and halves of a surrogate pair, which banks put into the transfer's
    /// text, are read as blanks or replacement characters.
    pub(super) fn of_body(raw: &[u8]) -> Option<Fields> {
        let text = String::from_utf8_lossy(raw);
        let text = text.trim_start_matches('\u{feff}');
        match text.trim_start().starts_with('{') {
            true => Fields::of_json(text),
            false => Fields::of_form(raw),
        }
    }

    pub(super) fn of_json(text: &str) -> Option<Fields> {
        // A control character is a blank outside of a text, and a mistake of the sender's inside of it.
        let text = text.replace(|c: char| c.is_ascii_control(), " ");
        serde_json::from_str(&text).ok()
    }

    /// `id=92704&transferAmount=250000&…`: every value is a text.
    fn of_form(raw: &[u8]) -> Option<Fields> {
        let mut fields = Fields(HashMap::new());
        for (name, value) in url::form_urlencoded::parse(raw) {
            fields.add(name.into_owned(), Value::Text(value.into_owned()));
        }
        fields.0.contains_key("id").then_some(fields)
    }

    /// The same value told twice is one value.
    fn add(&mut self, name: String, value: Value) {
        let known = self.0.entry(name);
        known
            .and_modify(|first| {
                if *first != value {
                    *first = Value::Unusable;
                }
            })
            .or_insert(value);
    }

    /// Something that only accompanies the transfer, without the blanks around it; `None` when it is missing, blank, or
    /// neither text nor number.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let text = self.verbatim(name)?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// As [`Fields::text`], as it was sent.
    pub(super) fn verbatim(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Value::Text(text) | Value::Number(text) => Some(text),
            Value::Null | Value::Unusable => None,
        }
    }

    /// A word that decides, in lower case and without the blanks around it.
    pub(super) fn word(&mut self, name: &'static str) -> Result<String, Unreadable> {
        match self.take(name) {
            Value::Text(text) => Ok(text.trim().to_ascii_lowercase()),
            Value::Number(_) | Value::Null | Value::Unusable => Err(Unreadable(name)),
        }
    }

    /// A positive integer, also as digits in a text.
    pub(super) fn id(&mut self, name: &'static str) -> Result<u64, Unreadable> {
        let id = match self.take(name) {
            Value::Number(written) => whole_of_json_number(&written),
            Value::Text(text) => digits(text.trim()),
            Value::Null | Value::Unusable => None,
        };
        id.filter(|&id| id > 0).ok_or(Unreadable(name))
    }

    /// Whole dong as a number or a text; `None` when it is missing, null or blank.
    pub(super) fn dong(&mut self, name: &'static str) -> Result<Option<Vnd>, Unreadable> {
        let amount = match self.take(name) {
            Value::Number(written) => Vnd::of_json_number(&written),
            Value::Text(text) if text.trim().is_empty() => return Ok(None),
            Value::Text(text) => Vnd::parse(text.trim()),
            Value::Null => return Ok(None),
            Value::Unusable => return Err(Unreadable(name)),
        };
        amount.map(Some).map_err(|_| Unreadable(name))
    }

    /// An account's number without blanks, dots and dashes; `None` when it is missing, null or blank.
    pub(super) fn account(&mut self, name: &'static str) -> Result<Option<String>, Unreadable> {
        let written = match self.take(name) {
            Value::Text(text) => text,
            Value::Number(written) if written.bytes().all(|byte| byte.is_ascii_digit()) => written,
            Value::Null => return Ok(None),
            Value::Number(_) | Value::Unusable => return Err(Unreadable(name)),
        };
        let number: String =
            written.chars().filter(|c| !c.is_whitespace() && !matches!(c, '.' | '-')).collect();
        Ok(Some(number).filter(|number| !number.is_empty()))
    }

    fn take(&mut self, name: &str) -> Value {
        self.0.remove(name).unwrap_or(Value::Null)
    }
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl Value {
    fn of(written: &RawValue) -> Value {
        let written = written.get();
        match written.as_bytes().first() {
            Some(b'n') => Value::Null,
            Some(b'"') => unescaped(written).map_or(Value::Unusable, Value::Text),
            Some(b'-' | b'0'..=b'9') => Value::Number(written.to_owned()),
            _ => Value::Unusable,
        }
    }
}

/// The text that a JSON string stands for. Half of a surrogate pair, which no text can hold, becomes U+FFFD.
fn unescaped(written: &str) -> Option<String> {
    if let Ok(text) = serde_json::from_str(written) {
        return Some(text);
    }
    let mut mended = Cow::Borrowed(written);
    while let Some(at) = lone_surrogate(&mended) {
        mended.to_mut().replace_range(at..at + 6, "\\ufffd");
    }
    serde_json::from_str(&mended).ok()
}

/// Where the first `\uD8xx` … `\uDFxx` without its other half begins.
fn lone_surrogate(written: &str) -> Option<usize> {
    let unit = |at: usize| -> Option<u16> {
        let escape = written.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let mut at = 0;
    while at < written.len() {
        let is_escape = written.as_bytes()[at] == b'\\';
        at += match unit(at) {
            Some(0xD800..=0xDBFF) => match unit(at + 6) {
                Some(0xDC00..=0xDFFF) => 12,
                _ => return Some(at),
            },
            Some(0xDC00..=0xDFFF) => return Some(at),
            Some(_) => 6,
            None if is_escape => 2,
            None => 1,
        };
    }
    None
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields(HashMap::new());
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value::<Box<RawValue>>()?;
            fields.add(name, Value::of(&value));
        }
        Ok(fields)
    }
}
