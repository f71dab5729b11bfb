use dynoxide::{Database, DynoxideError};
use platform::TableSpec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) mod remote;

/// What is wrong with a table of a store elsewhere.
pub(super) enum RemoteFault {
    Differs { table: String, found: String, wanted: String },
    Refused(String),
}

/// What is wrong with a table; where, the caller knows.
pub(super) enum TableFault {
    Differs { table: String, found: String, wanted: String },
    Unusable(DynoxideError),
}

/// Makes the tables that are missing and checks that the others have the keys and indexes they need.
pub(super) fn prepare(database: &Database, specs: &[TableSpec], prefix: &str) -> Result<(), TableFault> {
    specs.iter().try_for_each(|spec| {
        let table = format!("{prefix}{}", spec.name);
        match ask(database, Database::describe_table, &json!({ "TableName": table })) {
            Ok(description) => compare(&table, &description["Table"], spec)?,
            Err(DynoxideError::ResourceNotFoundException(_)) => create(database, &table, spec)?,
            Err(error) => return Err(TableFault::Unusable(error)),
        }
        expire(database, &table, spec)
    })
}

/// Whether the database holds any table.
pub(super) fn are_there(database: &Database) -> dynoxide::Result<bool> {
    let list = ask(database, Database::list_tables, &json!({ "Limit": 1 }))?;
    Ok(list["TableNames"].as_array().is_some_and(|names| !names.is_empty()))
}

fn create(database: &Database, table: &str, spec: &TableSpec) -> Result<(), TableFault> {
    ask(database, Database::create_table, &definition(table, spec)).map(drop).map_err(TableFault::Unusable)
}

fn compare(table: &str, description: &Value, spec: &TableSpec) -> Result<(), TableFault> {
    let (found, wanted) = (shape(description), shape(&definition(table, spec)));
    let Some((found, wanted)) = difference(&found, &wanted) else { return Ok(()) };
    Err(TableFault::Differs { table: table.to_owned(), found, wanted })
}

/// What only the first has, and what only the second; none if they are the same.
fn difference(found: &BTreeSet<String>, wanted: &BTreeSet<String>) -> Option<(String, String)> {
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>| {
        let lines: Vec<_> = these.difference(those).cloned().collect();
        if lines.is_empty() { "nothing more".to_owned() } else { lines.join(", ") }
    };
    (found != wanted).then(|| (only(found, wanted), only(wanted, found)))
}

fn expire(database: &Database, table: &str, spec: &TableSpec) -> Result<(), TableFault> {
    let described = ask(database, Database::describe_time_to_live, &json!({ "TableName": table }));
    let described = described.map_err(TableFault::Unusable)?;
    let found = described["TimeToLiveDescription"]["AttributeName"].as_str();
    match (found, spec.ttl) {
        (None, Some(attribute)) => {
            let specification = json!({ "AttributeName": attribute, "Enabled": true });
            let request = json!({ "TableName": table, "TimeToLiveSpecification": specification });
            ask(database, Database::update_time_to_live, &request).map(drop).map_err(TableFault::Unusable)
        }
        (found, wanted) if found == wanted => Ok(()),
        (found, wanted) => {
            let text = |attribute: Option<&str>| format!("time to live `{}`", attribute.unwrap_or("none"));
            Err(TableFault::Differs { table: table.to_owned(), found: text(found), wanted: text(wanted) })
        }
    }
}

/// The CreateTable request of a table.
fn definition(table: &str, spec: &TableSpec) -> Value {
    let mut attributes = vec![(spec.partition_key, "S")];
    attributes.extend(spec.sort_key.map(|key| (key, "S")));
    for index in spec.indexes {
        attributes.extend([(index.partition_key, "S"), (index.sort_key.0, index.sort_key.1.letter())]);
    }
    let attributes: BTreeSet<_> = attributes.into_iter().collect();
    let attributes: Vec<_> = attributes
        .into_iter()
        .map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind }))
        .collect();
    let indexes: Vec<_> = spec
        .indexes
        .iter()
        .map(|index| {
            json!({
                "IndexName": index.name,
                "KeySchema": keys(index.partition_key, Some(index.sort_key.0)),
                "Projection": { "ProjectionType": "KEYS_ONLY" },
            })
        })
        .collect();
    let mut definition = json!({
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes,
        "KeySchema": keys(spec.partition_key, spec.sort_key),
    });
    if !indexes.is_empty() {
        definition["GlobalSecondaryIndexes"] = Value::from(indexes);
    }
    definition
}

fn keys(partition: &str, sort: Option<&str>) -> Value {
    let partition = json!({ "AttributeName": partition, "KeyType": "HASH" });
    let sort = sort.map(|name| json!({ "AttributeName": name, "KeyType": "RANGE" }));
    [partition].into_iter().chain(sort).collect()
}

/// One line per fact that can't be changed later, the same for a definition and for a description.
fn shape(table: &Value) -> BTreeSet<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = |key: &Value| format!("{} key `{}`", text(&key["KeyType"]), text(&key["AttributeName"]));
    let mut lines: BTreeSet<String> = list(&table["KeySchema"]).iter().map(key).collect();
    for attribute in list(&table["AttributeDefinitions"]) {
        lines.insert(format!(
            "`{}` {}",
            text(&attribute["AttributeName"]),
            text(&attribute["AttributeType"])
        ));
    }
    for index in list(&table["GlobalSecondaryIndexes"]) {
        let name = text(&index["IndexName"]);
        lines.insert(format!("index `{name}` {}", text(&index["Projection"]["ProjectionType"])));
        lines.extend(list(&index["KeySchema"]).iter().map(|part| format!("index `{name}` {}", key(part))));
    }
    lines
}

fn ask<Request: DeserializeOwned, Response: Serialize>(
    database: &Database,
    call: fn(&Database, Request) -> dynoxide::Result<Response>,
    request: &Value,
) -> dynoxide::Result<Value> {
    let internal = |error: serde_json::Error| DynoxideError::InternalServerError(error.to_string());
    let request = Request::deserialize(request).map_err(internal)?;
    serde_json::to_value(call(database, request)?).map_err(internal)
}
