//! A flat JSON object, read field by field, so that an error can name the field and a number is never a float.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;

use crate::{Unreadable, Vnd};

/// The fields of one object. Each can be taken once.
pub(super) struct Fields(HashMap<String, Value>);

enum Value {
    Null,
    Text(String),
    /// A JSON number without sign, fraction and exponent.
    Whole(u64),
    /// Any other number, and what is neither text nor number. Also a field that comes twice: JSON's readers
    /// disagree about which one counts.
    Unusable,
}

impl Fields {
    /// Without the blanks around it; `None` when it is missing, null or blank.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Unreadable> {
        let text = self.verbatim(name)?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// As it was sent; `None` when it is missing or null.
    pub(super) fn verbatim(&mut self, name: &'static str) -> Result<Option<String>, Unreadable> {
        match self.take(name) {
            Value::Text(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            Value::Whole(_) | Value::Unusable => Err(Unreadable(name)),
        }
    }

    /// A positive integer, also as digits in a text.
    pub(super) fn id(&mut self, name: &'static str) -> Result<u64, Unreadable> {
        let id = match self.take(name) {
            Value::Whole(id) => Some(id),
            Value::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            Value::Text(_) | Value::Null | Value::Unusable => None,
        };
        id.filter(|&id| id > 0).ok_or(Unreadable(name))
    }

    /// Whole dong as a number or a text; `None` when it is missing or null. `100000.00` is accepted as a text only:
    /// serde_json would hand the number over as a float.
    pub(super) fn dong(&mut self, name: &'static str) -> Result<Option<Vnd>, Unreadable> {
        let amount = match self.take(name) {
            Value::Whole(dong) => Vnd::new(dong),
            Value::Text(text) => Vnd::parse(&text),
            Value::Null => return Ok(None),
            Value::Unusable => return Err(Unreadable(name)),
        };
        amount.map(Some).map_err(|_| Unreadable(name))
    }

    fn take(&mut self, name: &str) -> Value {
        self.0.remove(name).unwrap_or(Value::Null)
    }
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
        let mut fields = HashMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value()?;
            fields.entry(name).and_modify(|first| *first = Value::Unusable).or_insert(value);
        }
        Ok(Fields(fields))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_u64<E>(self, whole: u64) -> Result<Value, E> {
        Ok(Value::Whole(whole))
    }

    fn visit_i64<E>(self, _negative: i64) -> Result<Value, E> {
        Ok(Value::Unusable)
    }

    fn visit_f64<E>(self, _float: f64) -> Result<Value, E> {
        Ok(Value::Unusable)
    }

    fn visit_bool<E>(self, _flag: bool) -> Result<Value, E> {
        Ok(Value::Unusable)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Unusable)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Unusable)
    }
}
