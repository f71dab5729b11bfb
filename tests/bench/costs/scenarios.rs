//! The scenarios, one after another in a world that counts. They run in a process of their own, whose standard
//! output holds the product's own log lines between our marks, exactly as Lambda would get them.

use super::exchange::{Ask, Told};
use super::steps::{Counted, Kind, Mark, NAMESPACE, Work};
use crate::desk::{Desk, dong, micros};
use crate::world::{Answer, Instance, Person, Tally, http, image, script};
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{LogSettings, LogSink, start_logs};
use sandbox::{Delivery, IpnKind, TransferWish};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

/// How long a warm environment has had nothing to do: past what it keeps of prices and providers' health.
const PAUSE: Duration = Duration::from_secs(30);
/// DynamoDB charges so much for storing an item, beside its own size.
const ITEM_OVERHEAD: u64 = 100;

/// Lambda streams so much of each answer for nothing.
const STREAMED_FREE: u64 = 6_000_000;

/// Counts what happens in a world, step by step.
struct Counter {
    desk: Desk,
    /// Looks into the tables without being counted.
    onlooker: Instance,
    authority: String,
}

/// What the steps of a scenario sent and got.
#[derive(Default)]
struct Wire {
    requests: u64,
    asked_bytes: u64,
    answer_bytes: u64,
}

impl Wire {
    fn add(&mut self, ask: &Ask, told: &Told) {
        self.requests += 1;
        self.asked_bytes += ask.bytes();
        self.answer_bytes += told.bytes;
    }
}

/// Everything that the sheet counts.
pub(crate) async fn all() {
    let logs = LogSettings { level: "info".to_owned(), metrics_namespace: Some(NAMESPACE.to_owned()) };
    start_logs(&logs, LogSink::Stdout);
    let counter = Counter::open().await;
    counter.runs().await;
    counter.account_pages().await;
    counter.bank_top_up().await;
    counter.card_top_up().await;
    counter.usdt_top_up().await;
    Counter::open().await.ticks().await;
}

impl Counter {
    async fn open() -> Counter {
        let desk = Desk::with(&[("METRICS_NAMESPACE", NAMESPACE)]).await;
        let authority = desk.world.product.base.trim_start_matches("http://").to_owned();
        let onlooker = desk.world.instance(&[]).await;
        Counter { desk, onlooker, authority }
    }

    fn token(&self, person: &str) -> String {
        self.desk.world.sandbox.token(person)
    }

    async fn runs(&self) {
        self.desk.world.person("ann").script("the account is open, the environment warm").await;
        let refused = script("Ten seconds about a red kite [[sandbox:refuse]]");
        let wishes = [
            (Kind::Script, Work::Script, script("Ten seconds about a red kite"), "event: done"),
            (Kind::Image, Work::Image, image("a red kite"), "event: done"),
            (Kind::Failed, Work::Failed, refused, "provider_failed"),
        ];
        for (kind, work, wish, end) in wishes {
            self.desk.world.advance(PAUSE);
            let ask = Ask::signed_in("POST", "/v1/runs", &self.token("ann"), Some(&wish));
            let told = self.asked(kind, work, "RunTool", &ask, 200).await;
            assert!(told.body.contains(end), "{}", told.body);
        }
    }

    /// Somebody new, whom Clerk tells us of, opens the page; and opens it again later.
    async fn account_pages(&self) {
        let page = format!("{}/sandbox/clerk/people/eve/webhook-request", self.desk.world.outside());
        let made = http().get(format!("{page}?type=user.created")).send().await.unwrap();
        let made = Answer::of(made).await.body;
        let headers = made["headers"].as_object().unwrap().iter();
        let headers: Vec<(&str, &str)> =
            headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let body = made["body"].as_str().unwrap();
        let told = Ask::new("POST", "/v1/webhooks/clerk", &headers, body.as_bytes());
        self.asked(Kind::SignUp, Work::ClerkWebhook, "IdentityWebhook", &told, 204).await;
        for kind in [Kind::SignUp, Kind::AccountPage] {
            self.desk.world.advance(PAUSE);
            for path in ["/v1/account", "/v1/account/transactions"] {
                self.preflight(kind, "GET", path).await;
                let ask = Ask::signed_in("GET", path, &self.token("eve"), None);
                self.asked(kind, Work::AccountPage, "Account", &ask, 200).await;
            }
        }
    }

    async fn bank_top_up(&self) {
        let order = self.order(Kind::Bank, "viet_qr").await;
        let memo = order["reference"].as_str().unwrap();
        let id = self.desk.world.sandbox.bank_transfer(TransferWish::new(dong(&order), memo));
        let delivery = self.desk.world.sandbox.bank_webhook(id).unwrap();
        self.asked(Kind::Bank, Work::BankWebhook, "SepayWebhook", &carrying(&delivery), 200).await;
        self.look(Kind::Bank, &order).await;
    }

    async fn card_top_up(&self) {
        let order = self.order(Kind::Card, "sepay_card").await;
        let page = order["pay"]["page_url"].as_str().unwrap();
        let path = page.split_once("/v1/").map(|(_, rest)| format!("/v1/{rest}")).unwrap();
        self.asked(Kind::Card, Work::Checkout, "TopUps", &Ask::new("GET", &path, &[], b""), 200).await;
        self.desk.pay_by_card(&order).await;
        let reference = order["reference"].as_str().unwrap();
        let delivery = self.desk.world.sandbox.card_ipn(reference, IpnKind::OrderPaid).unwrap();
        self.asked(Kind::Card, Work::CardWebhook, "SepayWebhook", &carrying(&delivery), 200).await;
        self.look(Kind::Card, &order).await;
    }

    /// The poll is there anyway: what it does more when it finds a payment is told against one that finds none.
    async fn usdt_top_up(&self) {
        let order = self.order(Kind::Usdt, "tron_usdt").await;
        self.desk.world.advance(Duration::from_secs(61));
        let polled = async |expected: u32| assert_eq!(self.desk.poll().await.credited, expected);
        self.counted((Kind::UsdtQuiet, Work::Tick), "TronPoll", async |_| polled(0).await).await;
        self.desk.send_usdt(micros(&order));
        self.desk.world.advance(Duration::from_secs(61));
        self.counted((Kind::Usdt, Work::Tick), "TronPoll", async |_| polled(1).await).await;
        self.look(Kind::Usdt, &order).await;
    }

    /// The schedules of a stack where nothing happens, the second time each: the first notes where it began.
    async fn ticks(&self) {
        let role = |function| self.desk.world.product.role(function);
        for is_first in [true, false] {
            self.desk.world.advance(Duration::from_secs(24 * 3600));
            let kind = if is_first { Kind::Warming } else { Kind::Tick };
            self.counted((kind, Work::Tick), "ExchangeRates", async |_| {
                exchange_rates::handle(&role("ExchangeRates")).await.unwrap();
            })
            .await;
            self.counted((kind, Work::Tick), "ProviderBalances", async |_| {
                provider_balances::handle(&role("ProviderBalances")).await.unwrap();
            })
            .await;
            self.counted((kind, Work::Tick), "ReservationSweep", async |_| {
                reservation_sweep::handle(&role("ReservationSweep")).await.unwrap();
            })
            .await;
            self.counted((kind, Work::Tick), "TronPoll", async |_| {
                tron_poll::handle(&role("TronPoll")).await.unwrap();
            })
            .await;
            self.counted((kind, Work::Tick), "PaymentReconciliation", async |_| {
                payment_reconciliation::handle(&role("PaymentReconciliation"), Value::Null).await.unwrap();
            })
            .await;
        }
    }

    async fn order(&self, kind: Kind, method: &str) -> Value {
        // The page's first request in a while: whoever pays has signed in before.
        self.person().balance().await;
        self.desk.world.advance(PAUSE);
        self.preflight(kind, "POST", "/v1/top-ups").await;
        let wish = json!({ "method": method, "credits": { "amount": 500, "unit": "USD cent" } });
        let ask = Ask::signed_in("POST", "/v1/top-ups", &self.token("pat"), Some(&wish));
        self.asked(kind, Work::Order, "TopUps", &ask, 201).await.json()
    }

    /// The page looks whether the order is paid.
    async fn look(&self, kind: Kind, order: &Value) {
        let path = format!("/v1/top-ups/{}", order["id"].as_str().unwrap());
        self.preflight(kind, "GET", &path).await;
        let ask = Ask::signed_in("GET", &path, &self.token("pat"), None);
        let shown = self.asked(kind, Work::Look, "TopUps", &ask, 200).await.json();
        assert_eq!(shown["status"], "paid", "{shown}");
    }

    fn person(&self) -> Person {
        self.desk.world.person("pat")
    }

    /// Answered by the front door, so of no function.
    async fn preflight(&self, kind: Kind, method: &str, path: &str) {
        self.asked(kind, Work::Preflight, "Api", &Ask::preflight(method, path), 200).await;
    }

    async fn asked(&self, kind: Kind, work: Work, function: &str, ask: &Ask, status: u16) -> Told {
        let mut answer = None;
        self.counted((kind, work), function, async |wire: &mut Wire| {
            let told = ask.send(&self.authority, status).await;
            assert!(told.bytes < STREAMED_FREE, "longer answers cost more than the sheet says");
            wire.add(ask, &told);
            answer = Some(told);
        })
        .await;
        answer.unwrap()
    }

    /// Marks the lines that this work logs, and says behind them what else it did.
    async fn counted(&self, (kind, asked): (Kind, Work), function: &str, work: impl AsyncFnOnce(&mut Wire)) {
        let world = &self.desk.world;
        let (stored_before, journal_before) = (self.stored_bytes().await, world.sandbox.journal().len());
        world.product.meddler.forget();
        let mut wire = Wire::default();
        say(&Mark::Begin);
        work(&mut wire).await;
        let tally: Tally = world.product.meddler.tally();
        let journal = world.sandbox.journal();
        let calls = journal[journal_before..].iter().filter(|entry| entry.path.starts_with("/sandbox/"));
        let (mut outside, mut outside_bytes) = (0, 0);
        for entry in calls {
            outside += 1;
            outside_bytes += (entry.path.len() + entry.body.len()) as u64;
        }
        say(&Mark::End(Counted {
            kind,
            work: asked,
            function: function.to_owned(),
            tally,
            requests: wire.requests,
            asked_bytes: wire.asked_bytes,
            answer_bytes: wire.answer_bytes,
            outside,
            outside_bytes,
            stored_bytes: self.stored_bytes().await.saturating_sub(stored_before),
            log_lines: 0,
            log_bytes: 0,
        }));
    }

    /// What DynamoDB would charge for all tables' items.
    async fn stored_bytes(&self) -> u64 {
        let mut sum = 0;
        for spec in citipen::tables() {
            let scan = self.onlooker.platform.dynamo().scan().table_name(self.onlooker.platform.table(&spec));
            let mut rows = scan.into_paginator().items().send();
            while let Some(row) = rows.next().await {
                sum += ITEM_OVERHEAD + fields_size(&row.unwrap());
            }
        }
        sum
    }
}

fn carrying(delivery: &Delivery) -> Ask {
    let headers = delivery.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Ask::new("POST", &delivery.path, &headers.collect::<Vec<_>>(), &delivery.body)
}

#[expect(clippy::print_stdout, reason = "the marks stand between the log lines, which go there")]
fn say(mark: &Mark) {
    println!("{}", mark.line());
    io::stdout().flush().unwrap();
}

/// As DynamoDB's manual counts ("Item sizes and formats"): names and values, three bytes for a container.
fn fields_size(fields: &HashMap<String, AttributeValue>) -> u64 {
    fields.iter().map(|(name, value)| name.len() as u64 + value_size(value)).sum()
}

fn value_size(value: &AttributeValue) -> u64 {
    match value {
        AttributeValue::S(text) => text.len() as u64,
        AttributeValue::N(number) => number.len() as u64 / 2 + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len() as u64,
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::L(items) => 3 + items.iter().map(|item| 1 + value_size(item)).sum::<u64>(),
        AttributeValue::M(fields) => 3 + fields.len() as u64 + fields_size(fields),
        AttributeValue::Ss(texts) => texts.iter().map(|text| text.len() as u64).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|number| number.len() as u64 / 2 + 1).sum(),
        other => panic!("no table of ours has {other:?}"),
    }
}
