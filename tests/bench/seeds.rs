use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use citipen::stores::{Place, Stores};
use citipen::{MEDIA_BUCKET, local_env, tables};
use credits::Ledger;
use platform::Platform;
use primitives::{AccountId, Clock, Credits, RunId};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// More than any measurement spends.
const WEALTH: u64 = 1_000_000;
/// What one BatchWriteItem takes.
const BATCH: usize = 25;

pub(crate) fn account(person: &str) -> AccountId {
    format!("user_sandbox_{person}").parse().unwrap()
}

/// Opens accounts with credit for all runs to come.
pub(crate) async fn accounts(data: &Path, people: &[String]) {
    let platform = open(data).await;
    let ledger = Ledger::new(&platform).unwrap();
    for person in people {
        ledger.open(&account(person), Credits::new(WEALTH).unwrap(), platform.now()).await.unwrap();
    }
}

/// Gives `reader` this many runs, copies in the usage log and the ledger of one that `writer` really made, a second apart.
/// Returns the cursor in their middle.
pub(crate) async fn runs(data: &Path, writer: &str, reader: &str, count: usize) -> String {
    let platform = open(data).await;
    let tables =
        [(platform.table(&runs::USAGE_LOG), "run"), (platform.table(&credits::CREDIT_TRANSACTIONS), "entry")];
    let now = platform.now();
    let ids: Vec<String> =
        (1..=count as u64).map(|age| RunId::mint(now.before(Duration::from_secs(age))).to_string()).collect();
    for (table, key) in tables {
        let row = newest_row(&platform, &table, writer).await;
        for batch in ids.chunks(BATCH) {
            let writes = batch.iter().map(|id| copy(&row, reader, (key, id.as_str()))).collect();
            let put = platform.dynamo().batch_write_item().request_items(&table, writes);
            assert!(put.send().await.unwrap().unprocessed_items.unwrap_or_default().is_empty());
        }
    }
    ids[count / 2].clone()
}

type Attributes = HashMap<String, AttributeValue>;

async fn newest_row(platform: &Platform, table: &str, writer: &str) -> Attributes {
    let query = platform.dynamo().query().table_name(table).scan_index_forward(false).limit(1);
    let query = query
        .key_condition_expression("account = :account")
        .expression_attribute_values(":account", AttributeValue::S(account(writer).to_string()));
    query.send().await.unwrap().items.unwrap().pop().expect("the writer has made a run")
}

fn copy(row: &Attributes, reader: &str, (key, id): (&str, &str)) -> WriteRequest {
    let mut copy = row.clone();
    copy.insert("account".to_owned(), AttributeValue::S(account(reader).to_string()));
    copy.insert(key.to_owned(), AttributeValue::S(id.to_owned()));
    WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(copy)).build().unwrap()).build()
}

/// The stores of a folder that no stack has open; they close with the platform.
async fn open(data: &Path) -> Platform {
    let (place, clock) = (Place::Disk(data.to_owned()), Clock::system());
    let stores = Stores::open(&place, &tables(), "citipen-", MEDIA_BUCKET, &[], &clock).await.unwrap();
    let env = local_env(HashMap::new(), "http://127.0.0.1", &stores);
    Platform::build(env, clock, Some(stores.connector())).unwrap()
}
