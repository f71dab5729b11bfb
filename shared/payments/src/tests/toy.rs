//! A rail that exists in tests only. All of it is this file, its variant of [`Rail`] and its line in the table: what a new
//! rail has to bring, and nothing else in this crate knows of it.

use super::{cents, platform, rules};
use crate::arrival::{Arrival, Delivery, Destination};
use crate::compared::{Compared, Listed};
use crate::items::reference_name;
use crate::methods::Methods;
use crate::order::TopUp;
use crate::pay_by::{Drawn, PayBy, Priced};
use crate::rail::{Acceptance, Policy, Recognition, ToldBy};
use crate::rails::kind::{Payee, ProcessorList, RailKind};
use crate::{
    BankDesk, CardDesk, ChainDesk, Difference, FactKey, Payments, PaymentsError, Rail, Received,
    Reconciliation, Status, TABLES, TopUpRules, TopUpWish, TopUps, Via,
};
use async_trait::async_trait;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use credits::Ledger;
use platform::{InvalidSettings, Platform, Profile, Settings, TableSpec};
use primitives::{AccountId, Credits, Currency, Money, Overflow, Timestamp, TopUpId};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

pub(crate) struct Toy;

static POLICY: Policy = Policy {
    currency: Currency::USD,
    recognition: Recognition::Number,
    acceptance: Acceptance::AsArrived { slack: Duration::ZERO },
    told_by: ToldBy::Messages,
    window: Duration::from_secs(3 * 86_400),
    lists_voided: false,
};

impl RailKind for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn policy(&self) -> &'static Policy {
        &POLICY
    }

    fn is_configured(&self, _: &mut Settings<'_>) -> bool {
        true
    }

    fn payee(&self, _: &Platform, _: &TopUpRules, _: &mut Settings<'_>) -> Option<Arc<dyn Payee>> {
        Some(Arc::new(Till))
    }

    fn list(&self, platform: &Platform) -> Result<Option<Arc<dyn ProcessorList>>, InvalidSettings> {
        let bank = ToyBank { payments: Payments::new(platform)? };
        Ok(HAS_LIST.get().then(|| Arc::new(bank) as Arc<dyn ProcessorList>))
    }
}

thread_local! {
    /// Whether the toy remembers to bring its list.
    static HAS_LIST: Cell<bool> = const { Cell::new(true) };
}

struct Till;

impl Payee for Till {
    fn draw(&self, id: TopUpId, priced: &Priced, _: bool) -> Result<Drawn, Overflow> {
        let (reference, name) = (format!("TOY-{id}"), reference_name(Rail::Toy, &format!("TOY-{id}")));
        Ok(Drawn { credits: priced.credits, price: priced.price, reference, name })
    }

    fn pay_by(&self, order: &TopUp) -> Option<PayBy> {
        Some(PayBy::Usdt { wallet: order.reference.clone(), contract: "a toy".to_owned() })
    }
}

/// One payment as the toy's processor knows it.
#[derive(Clone)]
struct Row {
    id: u64,
    reference: String,
    amount: Money,
    at: Timestamp,
}

impl Row {
    fn of(id: u64, order: &TopUp, at: Timestamp) -> Row {
        Row { id, reference: order.reference.clone(), amount: order.price, at }
    }

    fn arrival(&self, via: Via) -> Arrival {
        Arrival {
            key: FactKey::new(Rail::Toy, &self.id.to_string(), "0").unwrap(),
            amount: self.amount,
            paid_at: self.at,
            destination: Destination::References(vec![reference_name(Rail::Toy, &self.reference)]),
            trace: self.id.to_string(),
            shown_as: None,
            via,
            delivery: Delivery { key: self.id.to_string(), body: b"a toy's message".to_vec() },
            marks: None,
        }
    }
}

/// What the processor lists; one test uses it.
static LISTED: Mutex<Vec<Row>> = Mutex::new(Vec::new());

struct ToyBank {
    payments: Payments,
}

#[async_trait]
impl ProcessorList for ToyBank {
    async fn compare(&self, _: Timestamp, now: Timestamp) -> Result<Compared, PaymentsError> {
        let (mut compared, rows) = (Compared::default(), LISTED.lock().unwrap().clone());
        for row in rows {
            let arrival = row.arrival(Via::Reconciliation);
            if let Received::Credited { .. } = self.payments.receive(&arrival, now).await? {
                compared.repaired += 1;
            }
            compared.listed.push(Listed { key: arrival.key, amount: row.amount, at: Some(row.at) });
        }
        Ok(compared)
    }
}

/// The profile's rules, with the toy among its methods.
fn with_toy() -> TopUpRules {
    let mut rules = rules();
    rules.methods.push(Rail::Toy);
    rules
}

#[tokio::test]
async fn a_new_rail_is_ordered_credited_and_compared_by_code_that_does_not_know_it() {
    let platform = platform_with_tables().await;
    let (rules, now, ann) = (with_toy(), platform.now(), "ann".parse::<AccountId>().unwrap());
    Ledger::new(&platform).unwrap().open(&ann, Credits::ZERO, now).await.unwrap();
    let (top_ups, payments) =
        (TopUps::with_rules(&platform, rules.clone()).unwrap(), Payments::new(&platform).unwrap());
    let wish = TopUpWish { account: ann.clone(), rail: Rail::Toy, credits: cents(500), key: None };

    let told = top_ups.create(&wish, now).await.unwrap();
    let untold = top_ups.create(&wish, now).await.unwrap();
    assert_eq!(
        (told.price.to_string().as_str(), told.price.currency(), &told.rate),
        ("5.00", Currency::USD, &None)
    );
    assert!(top_ups.methods().pay_by(&told).is_some());

    let (first, second) = (Row::of(1, &told, now), Row::of(2, &untold, now));
    payments.store.note_moment(Rail::Toy, crate::HEARD, now).await;
    let received = payments.receive(&first.arrival(Via::Webhook), now).await.unwrap();
    assert!(matches!(received, Received::Credited { credits, .. } if credits == cents(500)), "{received:?}");
    assert_eq!(payments.receive(&first.arrival(Via::Webhook), now).await.unwrap(), Received::Before);

    *LISTED.lock().unwrap() = vec![first, second.clone()];
    let reconciliation = Reconciliation::with_rules(&platform, &rules).unwrap();
    let later = now.after(Duration::from_secs(600));
    let [report] = <[_; 1]>::try_from(reconciliation.run(later, None).await.unwrap()).unwrap();
    assert_eq!((report.rail, report.listed, report.repaired), ("toy", 2, 1));
    assert_eq!((report.differences, report.is_silent, report.failure), (Vec::new(), false, None));
    for order in [&told, &untold] {
        assert_eq!(top_ups.show(&ann, order.id).await.unwrap().status(later), Status::Paid);
    }

    // What the processor does not list any more, and what it lists otherwise, is told.
    let other = Row { amount: Money::new(400, Currency::USD).unwrap(), ..second };
    *LISTED.lock().unwrap() = vec![other];
    let [report] = <[_; 1]>::try_from(reconciliation.run(later, None).await.unwrap()).unwrap();
    let difference = |payment: &str, what| Difference { payment: payment.to_owned(), what };
    let expected = [
        difference("toy.2.0", "another amount is in our books"),
        difference("toy.1.0", "credited, but not listed"),
    ];
    assert_eq!(report.differences, expected);
}

#[test]
fn a_rail_that_the_profile_does_not_offer_reads_no_setting_and_has_no_list() {
    let broken = platform(&[("TRON_WALLET", "no address"), ("SEALING_KEYS", KEY)]);
    assert!(
        Methods::new(&broken, &rules()).is_err() && Reconciliation::with_rules(&broken, &rules()).is_err()
    );
    let without = TopUpRules { methods: vec![Rail::Toy], ..rules() };
    let methods = Methods::new(&broken, &without).unwrap();
    let offered: Vec<Rail> = Rail::ALL.iter().copied().filter(|rail| methods.offers(*rail)).collect();
    assert_eq!(offered, [Rail::Toy]);
    assert!(Reconciliation::with_rules(&broken, &without).is_ok());
}

#[test]
fn a_rail_that_can_be_paid_and_brings_no_list_stops_the_start() {
    let platform = platform(&[("SEALING_KEYS", KEY)]);
    assert!(Reconciliation::with_rules(&platform, &with_toy()).is_ok());
    HAS_LIST.set(false);
    let refused = Reconciliation::with_rules(&platform, &with_toy());
    let refused = refused.err().map(|refused| refused.to_string()).unwrap_or_default();
    assert!(refused.contains("`toy`, which has no list"), "{refused}");
}

#[test]
fn a_profile_that_offers_what_is_no_rail_is_refused() {
    let text = include_str!("../../../../infra/profiles/citipen.toml");
    let text = text.replace("\"tron_usdt\"", "\"tron_usd\", \"no_rail\"");
    let other = platform(&[("SEALING_KEYS", KEY)]).with_profile(Profile::parse("citipen", &text).unwrap());
    // Every part that offers, hears of, polls or compares payments says so; none takes the rail for one that is not offered.
    for started in [
        TopUps::new(&other).map(drop),
        Payments::new(&other).map(drop),
        BankDesk::new(&other).map(drop),
        CardDesk::new(&other).map(drop),
        ChainDesk::new(&other).map(drop),
        Reconciliation::new(&other).map(drop),
    ] {
        let refused = started.err().map(|refused| refused.to_string()).unwrap_or_default();
        for part in ["PROFILE", "[top_ups]", "methods", "no_rail", "tron_usd", "sepay_card"] {
            assert!(refused.contains(part), "{part} in {refused}");
        }
    }
}

const KEY: &str = "test:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// With an embedded DynamoDB that has the tables of this crate and of the ledger.
async fn platform_with_tables() -> Platform {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let database = dynoxide::Database::memory().unwrap();
    tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()));
    let platform = platform(&[("AWS_ENDPOINT_URL_DYNAMODB", &address), ("SEALING_KEYS", KEY)]);
    for spec in TABLES.iter().chain(credits::TABLES) {
        create_table(&platform, spec).await;
    }
    platform
}

async fn create_table(platform: &Platform, spec: &TableSpec) {
    let text = ScalarAttributeType::S;
    let mut attributes = BTreeMap::from([(spec.partition_key, text.clone())]);
    attributes.extend(spec.sort_key.map(|name| (name, text.clone())));
    let mut create = platform.dynamo().create_table().table_name(platform.table(spec));
    create = create.set_key_schema(Some(key_schema(spec.partition_key, spec.sort_key)));
    for index in spec.indexes {
        let (sort_key, kind) = index.sort_key;
        attributes.insert(index.partition_key, text.clone());
        attributes.insert(sort_key, ScalarAttributeType::from(kind.letter()));
        let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(index.name)
            .set_key_schema(Some(key_schema(index.partition_key, Some(sort_key))))
            .projection(keys_only);
        create = create.global_secondary_indexes(index.build().unwrap());
    }
    for (name, kind) in attributes {
        let attribute =
            AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().unwrap();
        create = create.attribute_definitions(attribute);
    }
    create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
}

fn key_schema(partition_key: &str, sort_key: Option<&str>) -> Vec<KeySchemaElement> {
    let element =
        |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let mut schema = vec![element(partition_key, KeyType::Hash)];
    schema.extend(sort_key.map(|name| element(name, KeyType::Range)));
    schema
}
