use crate::StoreError;
use aws_sdk_dynamodb::types::AttributeValue;
use primitives::Timestamp;
use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

/// The attributes of one item.
pub type Attributes = HashMap<String, AttributeValue>;

/// The key of one item.
pub type Key = Attributes;

/// A text attribute.
pub fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A number attribute, of an integer.
pub fn number(value: impl itoa::Integral) -> AttributeValue {
    AttributeValue::N(value.to_text())
}

/// A key of text attributes.
pub fn key<const N: usize>(parts: [(&str, &str); N]) -> Key {
    parts.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

/// Integers as DynamoDB writes them; floats are not among them, so that no amount passes through one.
pub(crate) mod itoa {
    pub trait Integral {
        fn to_text(&self) -> String;
    }

    macro_rules! integral {
        ($($type:ty),*) => { $(impl Integral for $type { fn to_text(&self) -> String { self.to_string() } })* };
    }
    integral!(u8, u16, u32, u64, usize, i32, i64, i128);
}

/// Builds an item attribute by attribute; absent values are left out.
#[derive(Default)]
pub struct ItemBuilder(Attributes);

impl ItemBuilder {
    /// Adds a text.
    pub fn text(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), text(value));
        self
    }

    /// Adds an integer.
    pub fn number(mut self, name: &str, value: impl itoa::Integral) -> Self {
        self.0.insert(name.to_owned(), number(value));
        self
    }

    /// Adds an attribute of any kind.
    pub fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// Adds a text, if there is one.
    pub fn maybe_text(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Adds an integer, if there is one.
    pub fn maybe_number(self, name: &str, value: Option<impl itoa::Integral>) -> Self {
        match value {
            Some(value) => self.number(name, value),
            None => self,
        }
    }

    /// A list of texts; left out when there is none.
    pub fn maybe_list(self, name: &str, values: &[impl Display]) -> Self {
        match values {
            [] => self,
            values => self.value(name, AttributeValue::L(values.iter().map(text).collect())),
        }
    }

    /// A fact that is noted only where it holds; [`Item::flag`] reads it.
    pub fn maybe_true(self, name: &str, holds: bool) -> Self {
        if holds { self.value(name, AttributeValue::Bool(true)) } else { self }
    }

    /// The item's attributes.
    pub fn build(self) -> Attributes {
        self.0
    }
}

/// Reads an item; every complaint names the table and the attribute, never the content.
pub struct Item<'a> {
    table: &'static str,
    attributes: &'a Attributes,
}

impl<'a> Item<'a> {
    /// `table` is its name in [`crate::TableSpec`], for complaints.
    pub fn new(table: &'static str, attributes: &'a Attributes) -> Item<'a> {
        Item { table, attributes }
    }

    /// A text; `None` when it is absent, an error when it is of another kind.
    pub fn maybe_text(&self, name: &str) -> Result<Option<&'a str>, StoreError> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(AttributeValue::S(value)) => Ok(Some(value)),
            Some(_) => Err(self.corrupt(name)),
        }
    }

    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<&'a str, StoreError> {
        self.maybe_text(name)?.ok_or_else(|| self.corrupt(name))
    }

    /// A text read as a `T`; `None` when it is absent, an error when it can't be read.
    pub fn maybe_parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.maybe_text(name)?.map(|text| text.parse().map_err(|_| self.corrupt(name))).transpose()
    }

    /// A text that must be there, read as a `T`.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Result<T, StoreError> {
        self.maybe_parsed(name)?.ok_or_else(|| self.corrupt(name))
    }

    /// A number read as a `T`; `None` when it is absent, an error when it can't be read.
    pub fn maybe_number<T: FromStr>(&self, name: &str) -> Result<Option<T>, StoreError> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(AttributeValue::N(value)) => value.parse().map(Some).map_err(|_| self.corrupt(name)),
            Some(_) => Err(self.corrupt(name)),
        }
    }

    /// A number that must be there, read as a `T`.
    pub fn number<T: FromStr>(&self, name: &str) -> Result<T, StoreError> {
        self.maybe_number(name)?.ok_or_else(|| self.corrupt(name))
    }

    /// A moment stored as whole milliseconds.
    pub fn time(&self, name: &str) -> Result<Timestamp, StoreError> {
        self.number(name).map(Timestamp::from_millis)
    }

    /// A moment stored as whole milliseconds; `None` when it is absent.
    pub fn maybe_time(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.maybe_number(name)?.map(Timestamp::from_millis))
    }

    /// A map that must be there.
    pub fn map(&self, name: &str) -> Result<&'a Attributes, StoreError> {
        match self.attributes.get(name) {
            Some(AttributeValue::M(map)) => Ok(map),
            _ => Err(self.corrupt(name)),
        }
    }

    /// A list of texts of one kind; empty when it is absent.
    pub fn maybe_list<T: FromStr>(&self, name: &str) -> Result<Vec<T>, StoreError> {
        let values = match self.attributes.get(name) {
            None => return Ok(Vec::new()),
            Some(AttributeValue::L(values)) => values.iter(),
            Some(_) => return Err(self.corrupt(name)),
        };
        let parse = |value: &AttributeValue| value.as_s().ok().and_then(|text| text.parse().ok());
        values.map(|value| parse(value).ok_or_else(|| self.corrupt(name))).collect()
    }

    /// Whether [`ItemBuilder::maybe_true`] noted it.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.attributes.get(name), Some(AttributeValue::Bool(true)))
    }

    /// The error for an attribute that is not as we write it.
    pub fn corrupt(&self, name: &str) -> StoreError {
        StoreError::corrupt(self.table, format!("attribute `{name}` is missing or malformed"))
    }
}
