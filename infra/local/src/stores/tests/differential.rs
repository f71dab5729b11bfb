use super::support::{in_memory, platform};
use crate::stores::dynamo;
use serde_json::{Value, json};
use std::net::SocketAddr;

type Request = (&'static str, Value);

#[tokio::test]
async fn the_connector_and_the_http_server_give_the_same_answers() {
    let (direct, served) = (in_memory().await, in_memory().await);
    let address = served.serve_dynamo().await.unwrap();
    let http = platform(&served).http().clone();

    let mut seen = Vec::new();
    for (operation, request) in script() {
        let body = request.to_string();
        let target = format!("DynamoDB_20120810.{operation}");
        let (status, json) =
            dynamo::answer(direct.0.engine.as_ref().unwrap(), &target, body.as_bytes()).await;
        let mine = (status, redacted(serde_json::from_slice(&json).unwrap()));

        let theirs = over_http(&http, address, &target, &body).await;

        assert_eq!(mine, theirs, "{operation} {body}");
        seen.push(theirs);
    }
    let texts: String = seen.iter().map(|(status, answer)| format!("{status} {answer}\n")).collect();
    for expected in
        ["TransactionCanceledException", "CancellationReasons", "ConditionalCheckFailed", "\"Item\""]
    {
        assert!(texts.contains(expected), "the script no longer shows {expected}:\n{texts}");
    }
    assert!(seen.iter().filter(|(status, _)| *status == 200).count() >= 15, "{texts}");
}

#[tokio::test]
async fn what_is_no_request_is_refused_alike() {
    let stores = in_memory().await;
    let address = stores.serve_dynamo().await.unwrap();
    let http = platform(&stores).http().clone();

    for (operation, body) in [("GetItem", "{\"TableName\":"), ("GetItem", "null"), ("MakeCoffee", "{}")] {
        let target = format!("DynamoDB_20120810.{operation}");
        let (status, json) =
            dynamo::answer(stores.0.engine.as_ref().unwrap(), &target, body.as_bytes()).await;
        let (their_status, theirs) = over_http(&http, address, &target, body).await;
        let mine: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((status, &mine["__type"]), (their_status, &theirs["__type"]), "{operation} {body}");
    }
}

/// Dynoxide answers such a query with no items; Amazon's DynamoDB Local refuses it.
#[tokio::test]
async fn a_query_for_an_empty_key_is_refused_as_dynamodb_refuses_it() {
    let stores = in_memory().await;
    let ask = async |condition: &str, values: Value| {
        let request = json!({
            "TableName": "test-entries",
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
        });
        let body = request.to_string();
        let engine = stores.0.engine.as_ref().unwrap();
        let (status, json) = dynamo::answer(engine, "DynamoDB_20120810.Query", body.as_bytes()).await;
        (status, String::from_utf8(json).unwrap())
    };
    let both = "account = :a AND begins_with(entry, :ab)";
    for values in
        [json!({ ":a": { "S": "" }, ":ab": { "S": "x" } }), json!({ ":a": { "S": "x" }, ":ab": { "S": "" } })]
    {
        let (status, text) = ask(both, values).await;
        assert_eq!(status, 400, "{text}");
        assert!(text.contains("ValidationException") && text.contains("empty string value"), "{text}");
    }
    assert_eq!(ask(both, json!({ ":a": { "S": "x" }, ":ab": { "S": "y" } })).await.0, 200);
}

async fn over_http(http: &reqwest::Client, to: SocketAddr, target: &str, body: &str) -> (u16, Value) {
    let credential = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
                      SignedHeaders=host, Signature=unchecked";
    let response = http
        .post(format!("http://{to}/"))
        .header("x-amz-target", target)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-date", "20260101T000000Z")
        .header("authorization", credential)
        .body(body.to_owned())
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    (status, redacted(serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()))
}

/// Without what differs between any two databases.
fn redacted(mut answer: Value) -> Value {
    for place in ["Table", "TableDescription"] {
        if let Some(table) = answer.get_mut(place).and_then(Value::as_object_mut) {
            table.retain(|name, _| !["CreationDateTime", "TableId"].contains(&name.as_str()));
        }
    }
    answer
}

fn script() -> Vec<Request> {
    let mut script = single_items();
    script.extend(transactions());
    script.extend(reads());
    script.extend(mistakes());
    script
}

fn ann() -> Value {
    json!({ "id": { "S": "ann" } })
}

fn debit(amount: &str) -> Value {
    json!({
        "TableName": "test-accounts", "Key": ann(),
        "UpdateExpression": "SET available = available - :a ADD version :one",
        "ConditionExpression": "available >= :a",
        "ExpressionAttributeValues": { ":a": { "N": amount }, ":one": { "N": "1" } },
        "ReturnValues": "ALL_NEW", "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ReturnConsumedCapacity": "INDEXES",
    })
}

fn hold(name: &str, most: &str) -> Value {
    json!({
        "TableName": "test-accounts", "Key": ann(),
        "UpdateExpression": "SET holds.#h = :h",
        "ConditionExpression": "size(holds) < :most AND attribute_not_exists(holds.#h)",
        "ExpressionAttributeNames": { "#h": name },
        "ExpressionAttributeValues": { ":h": { "M": { "amount": { "N": "5" } } }, ":most": { "N": most } },
        "ReturnValues": "UPDATED_NEW", "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    })
}

fn single_items() -> Vec<Request> {
    let open = json!({
        "TableName": "test-accounts",
        "Item": {
            "id": { "S": "ann" }, "available": { "N": "500" }, "version": { "N": "0" }, "holds": { "M": {} },
            "sweep": { "S": "0" }, "due": { "N": "1800000000" }, "tags": { "SS": ["b", "a"] },
            "sizes": { "NS": ["3", "10", "2"] }, "seal": { "B": "aGVsbG8=" }, "closed": { "BOOL": false },
            "note": { "NULL": true }, "rates": { "L": [{ "N": "0.10" }, { "N": "1E+2" }] },
        },
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    let get = json!({ "TableName": "test-accounts", "Key": ann(), "ConsistentRead": true,
        "ReturnConsumedCapacity": "TOTAL" });
    vec![
        ("PutItem", open.clone()),
        ("PutItem", open),
        ("UpdateItem", debit("120")),
        ("UpdateItem", debit("100000")),
        ("UpdateItem", hold("run1", "2")),
        ("UpdateItem", hold("run2", "2")),
        ("UpdateItem", hold("run3", "2")),
        ("UpdateItem", hold("run1", "9")),
        ("GetItem", get),
        ("GetItem", json!({ "TableName": "test-accounts", "Key": { "id": { "S": "nobody" } } })),
        (
            "DeleteItem",
            json!({ "TableName": "test-accounts", "Key": ann(),
            "ConditionExpression": "closed = :yes", "ExpressionAttributeValues": { ":yes": { "BOOL": true } },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD" }),
        ),
    ]
}

fn entry(name: &str) -> Value {
    json!({ "Put": {
        "TableName": "test-entries",
        "Item": { "account": { "S": "ann" }, "entry": { "S": name }, "amount": { "N": "5" } },
        "ConditionExpression": "attribute_not_exists(account)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    } })
}

fn settle(most: &str) -> Value {
    json!({ "Update": {
        "TableName": "test-accounts", "Key": ann(),
        "UpdateExpression": "REMOVE holds.run1 SET available = available - :a",
        "ConditionExpression": "attribute_exists(holds.run1) AND available >= :most",
        "ExpressionAttributeValues": { ":a": { "N": "1" }, ":most": { "N": most } },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    } })
}

fn transactions() -> Vec<Request> {
    let with_token =
        |token: &str, items: Value| json!({ "TransactItems": items, "ClientRequestToken": token });
    let items = |items: &[Value]| json!({ "TransactItems": items, "ReturnConsumedCapacity": "INDEXES" });
    let get = json!({ "Get": { "TableName": "test-accounts", "Key": ann() } });
    vec![
        ("TransactWriteItems", items(&[settle("1"), entry("e1")])),
        ("TransactWriteItems", items(&[entry("e2"), settle("1")])),
        ("TransactWriteItems", items(&[entry("e1"), entry("e3")])),
        ("TransactWriteItems", items(&[entry("e4"), entry("e4")])),
        ("TransactWriteItems", with_token("token-1", json!([entry("e5")]))),
        ("TransactWriteItems", with_token("token-1", json!([entry("e5")]))),
        ("TransactWriteItems", with_token("token-1", json!([entry("e6")]))),
        ("TransactGetItems", json!({ "TransactItems": [get] })),
    ]
}

fn reads() -> Vec<Request> {
    let write = json!({ "RequestItems": { "test-entries": [
        { "PutRequest": { "Item": { "account": { "S": "ann" }, "entry": { "S": "f1" }, "n": { "N": "7" } } } },
        { "DeleteRequest": { "Key": { "account": { "S": "ann" }, "entry": { "S": "e5" } } } },
    ] } });
    let read = json!({ "RequestItems": { "test-entries": { "Keys": [
        { "account": { "S": "ann" }, "entry": { "S": "f1" } },
    ] } } });
    let due = json!({ "TableName": "test-accounts", "IndexName": "sweep-due",
        "KeyConditionExpression": "sweep = :s AND due BETWEEN :from AND :to",
        "ExpressionAttributeValues":
            { ":s": { "S": "0" }, ":from": { "N": "1" }, ":to": { "N": "1900000000" } } });
    let latest = json!({ "TableName": "test-entries", "ScanIndexForward": false, "Limit": 1,
        "KeyConditionExpression": "account = :a AND begins_with(entry, :e)",
        "ExpressionAttributeValues": { ":a": { "S": "ann" }, ":e": { "S": "e" } } });
    vec![
        ("BatchWriteItem", write),
        ("BatchGetItem", read),
        ("Query", due),
        ("Query", latest),
        (
            "Scan",
            json!({ "TableName": "test-entries", "FilterExpression": "amount > :n",
            "ExpressionAttributeValues": { ":n": { "N": "4" } } }),
        ),
        ("ListTables", json!({})),
        ("DescribeTable", json!({ "TableName": "test-accounts" })),
        ("DescribeTimeToLive", json!({ "TableName": "test-entries" })),
    ]
}

fn mistakes() -> Vec<Request> {
    let put = |item: Value| json!({ "TableName": "test-accounts", "Item": item });
    let update = |expression: &str, values: Value| {
        json!({ "TableName": "test-accounts", "Key": ann(), "UpdateExpression": expression,
            "ExpressionAttributeValues": values })
    };
    let number = "1".repeat(39);
    vec![
        ("UpdateItem", update("SET available = :a", json!({ ":a": { "N": "1" }, ":b": { "N": "2" } }))),
        ("UpdateItem", update("SET SET available", json!({ ":a": { "N": "1" } }))),
        ("UpdateItem", update("SET id = :a", json!({ ":a": { "S": "bob" } }))),
        ("UpdateItem", update("SET status = :a, #x = :a", json!({ ":a": { "S": "bob" } }))),
        ("PutItem", put(json!({ "id": { "N": "1" } }))),
        ("PutItem", put(json!({ "id": { "S": "" } }))),
        ("PutItem", put(json!({ "name": { "S": "no key" } }))),
        ("PutItem", put(json!({ "id": { "S": "x" }, "n": { "N": "many" } }))),
        ("PutItem", put(json!({ "id": { "S": "x" }, "n": { "N": number } }))),
        ("PutItem", put(json!({ "id": { "S": "x" }, "n": { "SS": [] } }))),
        ("PutItem", put(json!({ "id": { "S": "x" }, "n": {} }))),
        ("PutItem", put(json!({ "id": { "S": "x" }, "n": { "NULL": false } }))),
        ("PutItem", put(json!({ "id": { "S": "x" }, "n": { "S": "y".repeat(410_000) } }))),
        ("GetItem", json!({ "TableName": "test-nothing", "Key": ann() })),
        ("GetItem", json!({ "Key": ann() })),
        (
            "Query",
            json!({ "TableName": "test-entries", "KeyConditionExpression": "entry = :e",
            "ExpressionAttributeValues": { ":e": { "S": "e1" } } }),
        ),
        (
            "Query",
            json!({ "TableName": "test-accounts", "IndexName": "sweep-due", "ConsistentRead": true,
            "KeyConditionExpression": "sweep = :s", "ExpressionAttributeValues": { ":s": { "S": "0" } } }),
        ),
        (
            "CreateTable",
            json!({ "TableName": "test-accounts", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }] }),
        ),
        (
            "UpdateTimeToLive",
            json!({ "TableName": "test-entries",
            "TimeToLiveSpecification": { "AttributeName": "ttl", "Enabled": true } }),
        ),
    ]
}
