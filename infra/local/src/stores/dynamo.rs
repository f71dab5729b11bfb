use super::engine::Engine;
use dynoxide::actions::query::{QueryRequest, QueryResponse};
use dynoxide::{AttributeValue, Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Status and JSON of an answer.
pub(super) type Answer = (u16, Vec<u8>);

const UNKNOWN: &[u8] = br#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;
const MALFORMED: &[u8] = br#"{"__type":"com.amazon.coral.service#SerializationException"}"#;

/// Answers one request of the DynamoDB protocol as dynoxide's own server does.
///
/// Left out: checks of JSON types that the SDK can't get wrong. Worded differently: some refused numbers and
/// repeated set members in transactions and batches (status and type are the same).
pub(super) async fn answer(engine: &Engine, target: &str, body: &[u8]) -> Answer {
    let operation = target.strip_prefix("DynamoDB_20120810.").unwrap_or_default();
    let outcome = match operation {
        "GetItem" => run(engine, body, Database::get_item).await,
        "PutItem" => run(engine, body, Database::put_item).await,
        "UpdateItem" => run(engine, body, Database::update_item).await,
        "DeleteItem" => run(engine, body, Database::delete_item).await,
        "Query" => run(engine, body, query).await,
        "Scan" => run(engine, body, Database::scan).await,
        "BatchGetItem" => run(engine, body, Database::batch_get_item).await,
        "BatchWriteItem" => run(engine, body, Database::batch_write_item).await,
        "TransactWriteItems" => run(engine, body, Database::transact_write_items).await,
        "TransactGetItems" => run(engine, body, Database::transact_get_items).await,
        "CreateTable" => run(engine, body, Database::create_table).await,
        "DeleteTable" => run(engine, body, Database::delete_table).await,
        "DescribeTable" => run(engine, body, Database::describe_table).await,
        "ListTables" => run(engine, body, Database::list_tables).await,
        "UpdateTimeToLive" => run(engine, body, Database::update_time_to_live).await,
        "DescribeTimeToLive" => run(engine, body, Database::describe_time_to_live).await,
        _ => return (400, UNKNOWN.to_vec()),
    };
    // A full disk can still be read from, so what was read says nothing about it.
    let is_write = ["Put", "Update", "Delete", "BatchWrite", "TransactWrite", "Create"].iter();
    if is_write.into_iter().any(|verb| operation.starts_with(verb)) || outcome.is_err() {
        engine.note(&outcome);
    }
    outcome.unwrap_or_else(|error| refusal(operation, error))
}

/// Reads and writes JSON in the caller's task; only the call itself takes its turn on the store's thread.
async fn run<Request, Response>(
    engine: &Engine,
    body: &[u8],
    call: fn(&Database, Request) -> dynoxide::Result<Response>,
) -> dynoxide::Result<Answer>
where
    Request: DeserializeOwned + Send + 'static,
    Response: Serialize + Send + 'static,
{
    let request = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) if error.is_syntax() || error.is_eof() => return Ok((400, MALFORMED.to_vec())),
        Err(error) => return Err(unreadable(&error.to_string())),
    };
    let response = engine.run(move |database| call(database, request)).await?;
    let json = serde_json::to_vec(&response)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))?;
    Ok((200, json))
}

/// Refuses what dynoxide lets pass and DynamoDB does not: no key is an empty text, so no condition on one may ask for it.
fn query(database: &Database, request: QueryRequest) -> dynoxide::Result<QueryResponse> {
    let condition = request.key_condition_expression.as_deref().unwrap_or_default();
    let asks_for = |name: &str| {
        condition.split(|c: char| !(c.is_alphanumeric() || ":_".contains(c))).any(|word| word == name)
    };
    let is_empty = |value: &AttributeValue| matches!(value, AttributeValue::S(text) if text.is_empty());
    let mut values = request.expression_attribute_values.iter().flatten();
    if values.any(|(name, value)| is_empty(value) && asks_for(name)) {
        return Err(DynoxideError::ValidationException(EMPTY_KEY.to_owned()));
    }
    database.query(request)
}

fn refusal(operation: &str, error: DynoxideError) -> Answer {
    let error = worded_for(operation, error);
    (error.status_code(), error.to_json().into_bytes())
}

/// Single writes put what the request itself got wrong into an envelope; the other operations say it bare.
fn worded_for(operation: &str, error: DynoxideError) -> DynoxideError {
    let DynoxideError::EnvelopedValidation(message) = error else { return error };
    DynoxideError::ValidationException(match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => format!("1 validation error detected: {message}"),
        _ => message,
    })
}

/// Dynoxide marks in serde's message which error a value it can't read stands for (its `serde_errors.rs`).
fn unreadable(message: &str) -> DynoxideError {
    use DynoxideError::{EnvelopedValidation, SerializationException, ValidationException};

    type Error = fn(String) -> DynoxideError;
    let with_position: [(&str, Error); 2] =
        [("SERIALIZATION_AS_READ:", SerializationException), ("VALIDATION_AS_READ:", ValidationException)];
    for (marker, error) in with_position {
        if let Some(rest) = message.strip_prefix(marker) {
            return error(rest.to_owned());
        }
    }
    let plain = without_position(message);
    let marked: [(&str, Error); 3] = [
        ("SERIALIZATION:", SerializationException),
        ("VALIDATION_REQUEST:", EnvelopedValidation),
        ("VALIDATION:", ValidationException),
    ];
    for (marker, error) in marked {
        if let Some(rest) = plain.strip_prefix(marker) {
            return error(rest.to_owned());
        }
    }
    if ["missing field", "unknown variant", "invalid type: null"].iter().any(|part| message.contains(part)) {
        return ValidationException(message.to_owned());
    }
    if message.contains("empty AttributeValue") {
        return ValidationException(EMPTY_VALUE.to_owned());
    }
    if message.contains("Supplied AttributeValue") {
        return ValidationException(plain.to_owned());
    }
    SerializationException(message.to_owned())
}

const EMPTY_KEY: &str = "One or more parameter values are not valid. The AttributeValue for a key attribute cannot \
    contain an empty string value.";
const EMPTY_VALUE: &str =
    "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";

fn without_position(message: &str) -> &str {
    message.rfind(" at line ").map_or(message, |end| &message[..end])
}
