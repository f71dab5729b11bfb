//! What does not matter for delivery never decides about it: one reader for the counts, flags and texts that stand
//! beside an answer, for all adapters. Null is absent, and so is what can't be read (`docs/facts/providers.md`, "Streams").

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::fmt;

/// How deep a document is mended; below that nothing of use has ever been seen.
const DEPTH_MAX: u32 = 32;

/// A JSON document. One with leaves that no number or text can hold (`1e999`, half a surrogate pair, bytes that are
/// no UTF-8) is mended: such a number is null, such a character U+FFFD. `None`: it is no JSON at all.
pub(crate) fn document(data: &[u8]) -> Option<Value> {
    if let Ok(value) = serde_json::from_slice(data) {
        return Some(value);
    }
    let text = String::from_utf8_lossy(data);
    serde_json::from_str::<&RawValue>(&text).ok().map(|raw| mended(raw.get(), 0))
}

fn mended(raw: &str, depth: u32) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Ok(value) = serde_json::from_str(raw) {
        return value;
    }
    if let Ok(fields) = serde_json::from_str::<HashMap<String, &RawValue>>(raw) {
        let fields = fields.into_iter().map(|(name, value)| (name, mended(value.get(), depth + 1)));
        return Value::Object(fields.collect::<Map<_, _>>());
    }
    if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw) {
        return items.into_iter().map(|item| mended(item.get(), depth + 1)).collect();
    }
    serde_json::from_str::<LossyText>(raw).map_or(Value::Null, |text| Value::String(text.0))
}

/// A text whose lone surrogates become U+FFFD.
struct LossyText(String);

impl<'de> Deserialize<'de> for LossyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LossyText, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = LossyText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<LossyText, E> {
                Ok(LossyText(String::from_utf8_lossy(bytes).into_owned()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A count in whatever shape: `12`, `12.0`, `"12"`. Null, missing, negative, broken and unheard-of ones are absent.
pub(crate) fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => whole(&number.to_string()),
        Value::String(text) => whole(text.trim()),
        _ => None,
    }
}

/// Digits, with nothing but zeros behind a dot.
fn whole(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_whole = !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit());
    (is_whole && part.bytes().all(|b| b == b'0')).then(|| whole.parse().ok()).flatten()
}

/// A flag in whatever shape; `None`: nothing that can be read as one.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(_) => count(value).map(|count| count != 0),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(true),
            "false" | "0" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a flag is set somewhere in a value: fal's list with one flag an image, or the flag alone.
pub(crate) fn has_set_flag(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_set_flag),
        Value::Object(fields) => fields.values().any(has_set_flag),
        other => flag(other) == Some(true),
    }
}

/// A text that is there; blanks around it are beside the point.
pub(crate) fn text(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// Null, and what says no more than null.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(_) => count(value) == Some(0),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.iter().all(is_nothing),
        Value::Object(fields) => fields.values().all(is_nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        document(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_count_is_read_in_any_shape_or_absent() {
        let table = [
            ("0", Some(0)),
            ("12", Some(12)),
            ("12.0", Some(12)),
            ("1e2", Some(100)),
            ("\"12\"", Some(12)),
            ("\" 12 \"", Some(12)),
            ("\"12.00\"", Some(12)),
            ("18446744073709551615", Some(u64::MAX)),
            ("-5", None),
            ("-0.0", None),
            ("12.5", None),
            ("1e30", None),
            ("1000000000000000000000000000000", None),
            ("1e999", None),
            ("\"-5\"", None),
            ("\"many\"", None),
            ("\"\"", None),
            ("null", None),
            ("true", None),
            ("[]", None),
            ("[12]", None),
            ("{}", None),
        ];
        for (text, expected) in table {
            assert_eq!(count(&read(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_flag_is_set_only_when_it_says_so() {
        for text in
            ["true", "[true]", "[false, true]", "[null, 1]", "\"True\"", "[\"true\"]", "{\"0\": true}"]
        {
            assert!(has_set_flag(&read(text)), "{text}");
        }
        for text in
            ["null", "false", "[]", "{}", "[false]", "[null]", "0", "[\"false\"]", "\"\"", "[\"?\"]", "[-1]"]
        {
            assert!(!has_set_flag(&read(text)), "{text}");
        }
    }

    #[test]
    fn null_in_all_its_clothes_is_nothing() {
        for text in [
            "null",
            "false",
            "0",
            "\"\"",
            "\" \"",
            "[]",
            "{}",
            "[null, {}]",
            "{\"code\":null,\"message\":\"\"}",
        ] {
            assert!(is_nothing(&read(text)), "{text}");
        }
        for text in ["true", "1", "\"x\"", "[1]", "{\"message\":\"x\"}"] {
            assert!(!is_nothing(&read(text)), "{text}");
        }
    }

    #[test]
    fn one_unreadable_leaf_does_not_take_the_document_with_it() {
        let broken = r#"{"text":"Xin","n":1e999,"list":[{"odd":"a\ud83db"},-1e400,7]}"#;
        let expected =
            json!({"text": "Xin", "n": null, "list": [{"odd": "a\u{fffd}\u{fffd}\u{fffd}b"}, null, 7]});
        assert_eq!(read(broken), expected);
        assert_eq!(document(b"{\"text\":\"a\xffb\"}").unwrap(), json!({"text": "a\u{fffd}b"}));

        let deep = format!("{{\"text\":\"Xin\",\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(read(&deep)["text"], "Xin");
        for text in ["", "<html>", "{\"a\":", "{} x"] {
            assert_eq!(document(text.as_bytes()), None, "{text}");
        }
    }
}
