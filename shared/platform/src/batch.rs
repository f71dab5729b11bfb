use crate::{Attributes, Key, StoreError, pause};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::KeysAndAttributes;

/// DynamoDB reads at most so many items at once.
const BATCH_MAX: usize = 100;
/// So many answers may leave keys out before the table counts as too busy: some four seconds with the pauses between.
const LEFT_OUT_MAX: u32 = 20;

/// The items of a table that stand under these keys, in any order; a key without an item adds none. Each key once:
/// DynamoDB refuses a batch that names one twice.
///
/// `is_consistent`: as the items are now, not as they were a moment ago.
pub async fn read_batch(
    dynamo: &Client,
    table: &str,
    keys: Vec<Key>,
    is_consistent: bool,
) -> Result<Vec<Attributes>, StoreError> {
    read_unless_busy(dynamo, table, keys, is_consistent, LEFT_OUT_MAX).await
}

async fn read_unless_busy(
    dynamo: &Client,
    table: &str,
    mut keys: Vec<Key>,
    is_consistent: bool,
    left_out_max: u32,
) -> Result<Vec<Attributes>, StoreError> {
    let mut items = Vec::new();
    let mut left_out = 0;
    while !keys.is_empty() {
        let asked: Vec<Key> = keys.drain(..keys.len().min(BATCH_MAX)).collect();
        let asked = KeysAndAttributes::builder()
            .set_keys(Some(asked))
            .set_consistent_read(is_consistent.then_some(true))
            .build()
            .map_err(StoreError::not_built)?;
        let answer = dynamo.batch_get_item().request_items(table, asked).send().await;
        let answer = answer.map_err(StoreError::of_sdk)?;
        items.extend(answer.responses.unwrap_or_default().remove(table).unwrap_or_default());
        // What a throttled table, or an answer of more than 16 MB, left out is asked for again.
        if let Some(unread) = answer.unprocessed_keys.unwrap_or_default().remove(table) {
            if left_out == left_out_max {
                return Err(StoreError::Conflict);
            }
            pause(left_out).await;
            left_out += 1;
            keys.extend(unread.keys);
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Env, Platform, key};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;
    use primitives::Clock;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};

    /// Has every item that it is asked for, and answers with at most `at_once` of them.
    #[derive(Clone, Debug)]
    struct Table {
        at_once: usize,
        asked: Arc<Mutex<Vec<Value>>>,
    }

    impl HttpConnector for Table {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            let asked = body["RequestItems"]["rows"].clone();
            self.asked.lock().unwrap().push(asked.clone());
            let mut found = asked["Keys"].as_array().unwrap().clone();
            let left = found.split_off(found.len().min(self.at_once));
            let left = if left.is_empty() { json!({}) } else { json!({ "rows": { "Keys": left } }) };
            let answer = json!({ "Responses": { "rows": found }, "UnprocessedKeys": left }).to_string();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::from(answer))))
        }
    }

    /// What is read of `count` keys, and what the table was asked for.
    async fn read(
        count: usize,
        at_once: usize,
        is_consistent: bool,
    ) -> (Result<BTreeSet<String>, StoreError>, Vec<Value>) {
        let table = Table { at_once, asked: Arc::default() };
        let connector = SharedHttpConnector::new(table.clone());
        let settings = [
            ("AWS_REGION", "eu-central-1"),
            ("MEDIA_BUCKET", "media"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        let env: Env =
            settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let connector = http_client_fn(move |_, _| connector.clone());
        let platform = Platform::build(env, Clock::system(), Some(connector)).unwrap();
        let keys = (0..count).map(|nth| key([("id", &nth.to_string())])).collect();

        let items = read_unless_busy(platform.dynamo(), "rows", keys, is_consistent, 2).await;

        let ids =
            |items: Vec<Attributes>| items.iter().map(|item| item["id"].as_s().unwrap().clone()).collect();
        let asked = table.asked.lock().unwrap().clone();
        (items.map(ids), asked)
    }

    fn sizes(asked: &[Value]) -> Vec<usize> {
        asked.iter().map(|asked| asked["Keys"].as_array().unwrap().len()).collect()
    }

    #[tokio::test]
    async fn more_keys_than_a_batch_holds_are_read_in_several() {
        for (count, expected) in
            [(0, vec![]), (100, vec![100]), (101, vec![100, 1]), (250, vec![100, 100, 50])]
        {
            let (items, asked) = read(count, usize::MAX, true).await;
            assert_eq!(items.unwrap().len(), count);
            assert_eq!(sizes(&asked), expected);
        }
    }

    #[tokio::test]
    async fn what_a_busy_table_left_out_is_asked_for_again() {
        let (items, asked) = read(9, 4, true).await;
        assert_eq!(items.unwrap(), (0..9).map(|nth: usize| nth.to_string()).collect());
        assert_eq!(sizes(&asked), [9, 5, 1]);
    }

    #[tokio::test]
    async fn a_table_that_goes_on_leaving_keys_out_is_a_conflict() {
        let (items, asked) = read(9, 1, true).await;
        assert!(matches!(items, Err(StoreError::Conflict)), "{items:?}");
        assert_eq!(sizes(&asked), [9, 8, 7]);
    }

    #[tokio::test]
    async fn a_read_is_consistent_only_where_it_says_so() {
        let (_, asked) = read(3, 2, true).await;
        assert!(asked.iter().all(|asked| asked["ConsistentRead"] == true), "{asked:?}");
        let (_, asked) = read(3, 2, false).await;
        assert!(asked.iter().all(|asked| asked["ConsistentRead"].is_null()), "{asked:?}");
    }
}
