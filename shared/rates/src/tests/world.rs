//! An embedded DynamoDB and two feeds that say what the test wants.

use super::now;
use crate::{Rates, TABLES};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use platform::{Env, Platform};
use primitives::{Clock, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

pub(super) struct World {
    pub(super) platform: Platform,
    pub(super) rates: Rates,
    pub(super) feeds: Arc<Feeds>,
}

/// What the feeds answer; each counts its calls.
pub(super) struct Feeds {
    pub(super) vietcombank: Mutex<(u16, String)>,
    pub(super) frankfurter: Mutex<(u16, String)>,
    pub(super) asked_vietcombank: Mutex<Vec<HeaderMap>>,
    pub(super) asked_frankfurter: Mutex<Vec<String>>,
}

impl World {
    /// Both feeds say what the recorded ones say, 26 270 and 26 120.
    pub(super) async fn start() -> World {
        World::start_with([]).await
    }

    pub(super) async fn start_with<const N: usize>(settings: [(&str, &str); N]) -> World {
        let feeds = Arc::new(Feeds {
            vietcombank: Mutex::new((200, super::BOARD.to_owned())),
            frankfurter: Mutex::new((200, middles(&[("VND", "26120.0"), ("EUR", "0.91"), ("JPY", "155.4")]))),
            asked_vietcombank: Mutex::default(),
            asked_frankfurter: Mutex::default(),
        });
        let env = env(&serve(Arc::clone(&feeds)).await, &serve_dynamo().await).with(settings);
        let platform = Platform::build(env, Clock::manual(now()), None).unwrap();
        create_table(&platform).await;
        World { rates: Rates::new(&platform).unwrap(), platform, feeds }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.platform.now()
    }

    pub(super) fn advance(&self, duration: Duration) {
        self.platform.clock().advance(duration);
    }

    /// Vietcombank sells the dollar for `sell` and says that it does so now.
    pub(super) fn vietcombank_sells(&self, sell: &str) {
        let moment = time::OffsetDateTime::from_unix_timestamp(self.now().seconds().cast_signed()).unwrap();
        let local = moment.to_offset(time::macros::offset!(+7));
        let format = time::macros::format_description!("[day]/[month]/[year] [hour]:[minute]:[second]");
        let at = local.format(format).unwrap();
        let board = super::BOARD.replace("26,270.00", sell).replace("11/20/2026 2:42:34 PM", &at);
        self.vietcombank_says(200, &board);
    }

    pub(super) fn vietcombank_says(&self, status: u16, body: &str) {
        *self.feeds.vietcombank.lock().unwrap() = (status, body.to_owned());
    }

    /// With today's date.
    pub(super) fn frankfurter_says(&self, rates: &[(&str, &str)]) {
        let body = middles(rates).replace("2026-11-20", &self.now().date());
        *self.feeds.frankfurter.lock().unwrap() = (200, body);
    }

    pub(super) fn frankfurter_fails(&self, status: u16) {
        *self.feeds.frankfurter.lock().unwrap() =
            (status, format!(r#"{{"status":{status},"message":"no"}}"#));
    }

    /// The stored attribute as text.
    pub(super) async fn stored(&self, currency: &str, attribute: &str) -> Option<String> {
        let key = platform::key([("currency", currency)]);
        let table = self.platform.table(&crate::EXCHANGE_RATES);
        let get = self.platform.dynamo().get_item().table_name(table).set_key(Some(key));
        let item: HashMap<String, AttributeValue> = get.send().await.unwrap().item?;
        match item.get(attribute)? {
            AttributeValue::S(value) | AttributeValue::N(value) => Some(value.clone()),
            _ => None,
        }
    }

    pub(super) async fn break_store(&self) {
        let table = self.platform.table(&crate::EXCHANGE_RATES);
        self.platform.dynamo().delete_table().table_name(table).send().await.unwrap();
    }
}

pub(super) fn middles(rates: &[(&str, &str)]) -> String {
    let row = |(quote, rate): &(&str, &str)| {
        format!(r#"{{"date":"2026-11-20","base":"USD","quote":"{quote}","rate":{rate}}}"#)
    };
    format!("[{}]", rates.iter().map(row).collect::<Vec<_>>().join(","))
}

fn env(feeds: &str, dynamo: &str) -> Env {
    let variables = [
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "testing".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "testing".to_owned()),
        ("MEDIA_BUCKET", "media".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamo.to_owned()),
        ("VIETCOMBANK_RATES_URL", format!("{feeds}/board/pXML.aspx")),
        ("FRANKFURTER_URL", feeds.to_owned()),
    ];
    variables.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

async fn serve(feeds: Arc<Feeds>) -> String {
    let board = async |State(feeds): State<Arc<Feeds>>, headers: HeaderMap| {
        feeds.asked_vietcombank.lock().unwrap().push(headers);
        answer(&feeds.vietcombank)
    };
    let middles = async |State(feeds): State<Arc<Feeds>>, RawQuery(query): RawQuery| {
        feeds.asked_frankfurter.lock().unwrap().push(query.unwrap_or_default());
        answer(&feeds.frankfurter)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/board/pXML.aspx", get(board))
        .route("/v2/rates", get(middles))
        .with_state(feeds);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn answer(said: &Mutex<(u16, String)>) -> (StatusCode, String) {
    let (status, body) = said.lock().unwrap().clone();
    (StatusCode::from_u16(status).unwrap(), body)
}

async fn serve_dynamo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()));
    address
}

async fn create_table(platform: &Platform) {
    let spec = &TABLES[0];
    let name = spec.partition_key;
    let key = KeySchemaElement::builder().attribute_name(name).key_type(KeyType::Hash).build().unwrap();
    let attribute = AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap();
    let create = platform.dynamo().create_table().table_name(platform.table(spec));
    let create = create.key_schema(key).attribute_definitions(attribute);
    create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
}
