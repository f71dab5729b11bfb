//! The same for a DynamoDB elsewhere, through the SDK.

use super::{RemoteFault, definition, difference, shape};
use crate::stores::elsewhere::words;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TableDescription, TableStatus, TimeToLiveSpecification,
};
use platform::TableSpec;
use serde_json::{Value, json};
use std::time::Duration;

/// AWS makes a table within seconds; another store at once.
const MADE_WITHIN_SECONDS: u32 = 120;

pub(in crate::stores) async fn prepare(
    client: &Client,
    table: &str,
    spec: &TableSpec,
) -> Result<(), RemoteFault> {
    let mut waited = 0;
    loop {
        match client.describe_table().table_name(table).send().await {
            Ok(found) => {
                let found = found.table.unwrap_or_else(|| TableDescription::builder().build());
                if found.table_status == Some(TableStatus::Active) {
                    compare(table, &found, spec)?;
                    break;
                }
            }
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                create(client, table, spec).await?;
            }
            Err(error) => return Err(RemoteFault::Refused(words(&error))),
        }
        if waited == MADE_WITHIN_SECONDS {
            return Err(RemoteFault::Refused(format!("the table `{table}` is not ready")));
        }
        waited += 1;
        tokio::time::sleep(Duration::from_secs(u64::from(waited > 1))).await;
    }
    expire(client, table, spec).await
}

async fn create(client: &Client, table: &str, spec: &TableSpec) -> Result<(), RemoteFault> {
    let definition = definition(table, spec);
    let attributes = list(&definition["AttributeDefinitions"]).iter().map(|attribute| {
        AttributeDefinition::builder()
            .attribute_name(text(&attribute["AttributeName"]))
            .attribute_type(ScalarAttributeType::from(text(&attribute["AttributeType"])))
            .build()
            .expect("an attribute has its name and type")
    });
    let indexes = list(&definition["GlobalSecondaryIndexes"]).iter().map(|index| {
        let projection = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        GlobalSecondaryIndex::builder()
            .index_name(text(&index["IndexName"]))
            .set_key_schema(Some(keys(&index["KeySchema"])))
            .projection(projection)
            .build()
            .expect("an index has its name and keys")
    });
    let indexes: Vec<GlobalSecondaryIndex> = indexes.collect();
    let request = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(attributes.collect()))
        .set_key_schema(Some(keys(&definition["KeySchema"])))
        .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes));
    request.send().await.map(drop).map_err(|error| RemoteFault::Refused(words(&error)))
}

fn compare(table: &str, found: &TableDescription, spec: &TableSpec) -> Result<(), RemoteFault> {
    let (found, wanted) = (shape(&described(found)), shape(&definition(table, spec)));
    let Some((found, wanted)) = difference(&found, &wanted) else { return Ok(()) };
    Err(RemoteFault::Differs { table: table.to_owned(), found, wanted })
}

/// As the protocol writes a description, as far as [`shape`] reads it.
fn described(table: &TableDescription) -> Value {
    let key = |key: &KeySchemaElement| json!({ "AttributeName": key.attribute_name, "KeyType": key.key_type.as_str() });
    let keys = |schema: &[KeySchemaElement]| schema.iter().map(key).collect::<Value>();
    let attribute = |attribute: &AttributeDefinition| json!({ "AttributeName": attribute.attribute_name, "AttributeType": attribute.attribute_type.as_str() });
    let indexes = table.global_secondary_indexes().iter().map(|index| {
        let projection = index.projection().and_then(Projection::projection_type).map(ProjectionType::as_str);
        json!({
            "IndexName": index.index_name(),
            "KeySchema": keys(index.key_schema()),
            "Projection": { "ProjectionType": projection },
        })
    });
    json!({
        "KeySchema": keys(table.key_schema()),
        "AttributeDefinitions": table.attribute_definitions().iter().map(attribute).collect::<Value>(),
        "GlobalSecondaryIndexes": indexes.collect::<Value>(),
    })
}

async fn expire(client: &Client, table: &str, spec: &TableSpec) -> Result<(), RemoteFault> {
    let Some(attribute) = spec.ttl else { return Ok(()) };
    let described = client.describe_time_to_live().table_name(table).send().await;
    let described = described.map_err(|error| RemoteFault::Refused(words(&error)))?;
    let found = described.time_to_live_description.and_then(|found| found.attribute_name);
    match found {
        Some(found) if found == attribute => Ok(()),
        Some(found) => Err(RemoteFault::Differs {
            table: table.to_owned(),
            found: format!("time to live `{found}`"),
            wanted: format!("time to live `{attribute}`"),
        }),
        None => {
            let specification = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(true);
            let specification = specification.build().expect("it has its attribute");
            let update = client.update_time_to_live().table_name(table);
            let update = update.time_to_live_specification(specification).send().await;
            update.map(drop).map_err(|error| RemoteFault::Refused(words(&error)))
        }
    }
}

fn keys(schema: &Value) -> Vec<KeySchemaElement> {
    let key = |key: &Value| {
        KeySchemaElement::builder()
            .attribute_name(text(&key["AttributeName"]))
            .key_type(KeyType::from(text(&key["KeyType"])))
            .build()
            .expect("a key has its name and type")
    };
    list(schema).iter().map(key).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
