/// One DynamoDB table as its owning crate declares it; the local run creates it and `template.yaml` must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSpec {
    /// Name without the deployment's prefix.
    pub name: &'static str,
    /// Attribute of the partition key; a text.
    pub partition_key: &'static str,
    /// Attribute of the sort key, if there is one; a text.
    pub sort_key: Option<&'static str>,
    /// Its secondary indexes.
    pub indexes: &'static [Index],
    /// Attribute with the Unix second after which DynamoDB may delete the item.
    pub ttl: Option<&'static str>,
}

/// A global secondary index that holds keys only, of the items that carry both attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Its name, which no prefix precedes.
    pub name: &'static str,
    /// Attribute of the partition key; a text.
    pub partition_key: &'static str,
    /// Attribute of the sort key, and its kind.
    pub sort_key: (&'static str, KeyType),
}

/// The kind of an index's sort key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// UTF-8.
    Text,
    /// Decimal, of up to 38 digits; we write integers alone.
    Number,
}

impl KeyType {
    /// The letter DynamoDB uses for it.
    pub fn letter(self) -> &'static str {
        match self {
            KeyType::Text => "S",
            KeyType::Number => "N",
        }
    }
}
