use super::verdict::Reason;
use crate::UsdtMicros;
use serde_json::Value;
use std::str::FromStr;

/// One row of an indexer's list. Fields are named by path, `tokenInfo.tokenId`; each is refused on its own, so that
/// one odd row does not hide the others.
#[derive(Clone, Copy)]
pub(super) struct Row<'a>(pub(super) &'a Value);

impl<'a> Row<'a> {
    pub(super) fn text(self, name: &'static str) -> Result<&'a str, Reason> {
        self.field(name)?.as_str().ok_or(Reason::Malformed(name))
    }

    pub(super) fn flag(self, name: &'static str) -> Result<bool, Reason> {
        self.field(name)?.as_bool().ok_or(Reason::Malformed(name))
    }

    /// A whole number, written as one or as text. What has a fraction or an exponent is refused, not rounded.
    pub(super) fn whole(self, name: &'static str) -> Result<u64, Reason> {
        whole(self.field(name)?).ok_or(Reason::Malformed(name))
    }

    pub(super) fn micros(self, name: &'static str) -> Result<UsdtMicros, Reason> {
        let micros = UsdtMicros::new(self.whole(name)?).map_err(|_| Reason::Malformed(name))?;
        if micros.get() == 0 { Err(Reason::Nothing) } else { Ok(micros) }
    }

    /// The number of the event within its transaction. No document promises one; what can't be read counts as absent.
    pub(super) fn event_index(self) -> Option<u64> {
        ["event_index", "log_index"].into_iter().find_map(|name| whole(self.0.get(name)?))
    }

    pub(super) fn parsed<T: FromStr>(self, name: &'static str) -> Result<T, Reason> {
        self.text(name)?.parse().map_err(|_| Reason::Malformed(name))
    }

    fn field(self, name: &'static str) -> Result<&'a Value, Reason> {
        name.split('.').try_fold(self.0, |value, key| value.get(key)).ok_or(Reason::Malformed(name))
    }
}

pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}
