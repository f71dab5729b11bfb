/// One DynamoDB table as its owning crate declares it; the local run creates it and `template.yaml` must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSpec {
    /// Name without the deployment's prefix.
    pub name: &'static str,
    pub partition_key: &'static str,
    pub sort_key: Option<&'static str>,
    pub indexes: &'static [Index],
    /// Attribute with the Unix second after which DynamoDB may delete the item.
    pub ttl: Option<&'static str>,
}

/// A global secondary index that holds keys only, of the items that carry both attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    pub name: &'static str,
    pub partition_key: &'static str,
    pub sort_key: (&'static str, KeyType),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    Text,
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
