//! SePay's JSON, read leniently in form (texts or whole numbers) and strictly in content.

use crate::{Unreadable, Vnd};
use primitives::Timestamp;
use serde_json::Value;
use std::borrow::Cow;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// An id that may become part of a key: no `#`, nothing that can't be seen.
const ID_LENGTH_MAX: usize = 128;

/// A whole document. A number with a point or an exponent becomes the text that it is written as, so that no amount passes
/// through a float.
pub(crate) fn document(raw: &[u8]) -> Result<Value, Unreadable> {
    let text = String::from_utf8_lossy(raw);
    let quoted = quoted_fractions(text.trim_start_matches('\u{feff}'));
    serde_json::from_str(&quoted).map_err(|_| Unreadable("body"))
}

fn quoted_fractions(text: &str) -> Cow<'_, str> {
    let (mut quoted, mut kept, mut at) = (String::new(), 0, 0);
    let bytes = text.as_bytes();
    let (mut in_string, mut is_escaped) = (false, false);
    while at < bytes.len() {
        let byte = bytes[at];
        if in_string {
            in_string = byte != b'"' || is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
        } else if byte == b'"' {
            in_string = true;
        } else if byte.is_ascii_digit() {
            let is_part = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
            let end = at + bytes[at..].iter().take_while(|b| is_part(b)).count();
            let is_negative = at > 0 && bytes[at - 1] == b'-';
            if !is_negative && text[at..end].contains(['.', 'e', 'E']) {
                quoted.push_str(&text[kept..at]);
                quoted.push('"');
                quoted.push_str(&text[at..end]);
                quoted.push('"');
                kept = end;
            }
            at = end;
            continue;
        }
        at += 1;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    quoted.push_str(&text[kept..]);
    Cow::Owned(quoted)
}

/// A word of a closed list, in upper case and without the blanks around it.
pub(crate) fn word(value: &Value) -> Option<String> {
    Some(value.as_str()?.trim().to_ascii_uppercase())
}

/// A text or a whole number, as the documents' samples mix them.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}

pub(crate) fn id(value: &Value, field: &'static str) -> Result<String, Unreadable> {
    let is_plain = |id: &String| {
        (1..=ID_LENGTH_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() && b != b'#')
    };
    text(value).filter(is_plain).ok_or(Unreadable(field))
}

/// `"100000.00"`, `"100000"`, `100000` or `100000.00`; of parts of a dong, `None`.
pub(crate) fn amount(value: &Value) -> Option<Vnd> {
    Vnd::parse(text(value)?.trim()).ok()
}

/// `2025-09-29 15:31:22` on a clock `offset_minutes` ahead of UTC, or RFC 3339 with a zone of its own.
pub(crate) fn moment(value: &Value, offset_minutes: i16) -> Option<Timestamp> {
    let on_the_clock = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let text = value.as_str()?;
    let seconds = match PrimitiveDateTime::parse(text, on_the_clock) {
        Ok(there) => there.assume_utc().unix_timestamp().checked_sub(i64::from(offset_minutes) * 60)?,
        Err(_) => OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp(),
    };
    u64::try_from(seconds).ok().map(Timestamp::from_seconds)
}

/// The day it is there at `moment`, `2025-09-29`.
pub(crate) fn local_day(moment: Timestamp, offset_minutes: i16) -> String {
    let seconds = moment.seconds().saturating_add_signed(i64::from(offset_minutes) * 60);
    Timestamp::from_seconds(seconds).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_with_a_part_become_texts() {
        for (written, read) in [
            (r#"{"a":100000.00,"b":1e5,"c":7,"d":-1.5}"#, r#"{"a":"100000.00","b":"1e5","c":7,"d":-1.5}"#),
            (r#"["1.5 \" 2.5",3.5]"#, r#"["1.5 \" 2.5","3.5"]"#),
            (r#"{"a":"\\","b":2.0}"#, r#"{"a":"\\","b":"2.0"}"#),
            ("[1,2]", "[1,2]"),
            ("1.", "\"1.\""),
            ("đ1.5đ", "đ\"1.5\"đ"),
        ] {
            assert_eq!(quoted_fractions(written), read);
        }
        let document = document(br#"{"order_amount":100000.00,"fee":0.5}"#).unwrap();
        assert_eq!(amount(&document["order_amount"]).map(Vnd::get), Some(100_000));
        assert_eq!(amount(&document["fee"]), None);
    }
}
