//! SePay's JSON, read leniently in form (texts or whole numbers) and strictly in content.

use crate::{Unreadable, Vnd};
use primitives::Timestamp;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// An id that may become part of a key: no `#`, nothing that can't be seen.
const ID_LENGTH_MAX: usize = 128;

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

/// `"100000.00"`, `"100000"` or `100000`; a JSON number with a point is not looked at, even a round one.
pub(crate) fn amount(value: &Value) -> Option<Vnd> {
    Vnd::parse(&text(value)?).ok()
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
