//! How much processor time each step takes, measured at the release build of the local stack.
//!
//! The embedded stores and the invented outside world are in the same process, so each figure is more than what our
//! own code takes in a Lambda.

use super::exchange::Ask;
use super::steps::Work;
use crate::stack::{Site, Stack};
use crate::till::{self, BANK_PATH, IPN_PATH, Order};
use crate::wire::{Connection, get};
use crate::world::{image, script};
use primitives::{Clock, Secret};
use rails::sepay_bank;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// Each is good for five orders and for what the welcome pays.
const PEOPLE: usize = 40;
/// Processor time is told in hundredths of a second: fewer would be noise.
const TIMES: usize = 160;
const CENTS: u64 = 500;

/// Microseconds of the processor for each kind of work.
pub(crate) type WorkTimes = HashMap<Work, u64>;

struct Bench {
    stack: Stack,
    authority: String,
    people: Vec<String>,
    tokens: Vec<String>,
}

pub(crate) async fn measure(program: &Path) -> WorkTimes {
    let site = Site::new(program);
    let stack = site.start(&["--zero-latency", "--memory"]).await;
    let authority = site.authority();
    let people: Vec<String> = (0..PEOPLE).map(|number| format!("p{number}")).collect();
    let tokens = till::tokens(&authority, &people).await;
    let bench = Bench { stack, authority, people, tokens };
    till::await_rate(&bench.authority, &till::token(&bench.authority, "pat").await).await;
    let mut times = bench.pages().await;
    times.extend(bench.runs().await);
    times.extend(bench.top_ups().await);
    bench.stack.stop().await;
    times
}

impl Bench {
    fn tokens(&self) -> impl Iterator<Item = &String> {
        self.tokens.iter().cycle().take(TIMES)
    }

    async fn pages(&self) -> WorkTimes {
        let mut webhooks = Vec::new();
        for person in &self.people {
            let path = format!("/sandbox/clerk/people/{person}/webhook-request?type=user.created");
            webhooks.push(clerk_webhook(&self.shown(&path).await));
        }
        let webhook = self.cpu(&webhooks, 204).await;
        let asks: Vec<Ask> =
            self.tokens().map(|token| Ask::signed_in("GET", "/v1/account", token, None)).collect();
        // The first time opens the accounts.
        self.cpu(&asks, 200).await;
        let page = self.cpu(&asks, 200).await;
        [(Work::ClerkWebhook, webhook), (Work::AccountPage, page)].into()
    }

    async fn runs(&self) -> WorkTimes {
        let wishes = [
            (Work::Script, script("Ten seconds about a red kite")),
            (Work::Image, image("a red kite")),
            // Last: after so many refusals both providers are given a rest.
            (Work::Failed, script("a red kite [[sandbox:refuse]]")),
        ];
        let mut times = WorkTimes::new();
        for (work, wish) in wishes {
            let ask = |token: &String| Ask::signed_in("POST", "/v1/runs", token, Some(&wish));
            let asks: Vec<Ask> = self.tokens().map(ask).collect();
            times.insert(work, self.cpu(&asks, 200).await);
        }
        times
    }

    async fn top_ups(&self) -> WorkTimes {
        let (transfers, order) = self.orders("viet_qr").await;
        let told: Vec<Ask> =
            (1..).zip(&transfers).map(|(id, (_, order))| self.bank_webhook(order, id)).collect();
        let bank = self.cpu(&told, 200).await;
        let looks: Vec<Ask> = transfers
            .iter()
            .map(|(token, order)| Ask::signed_in("GET", &format!("/v1/top-ups/{}", order.id), token, None))
            .collect();
        let look = self.cpu(&looks, 200).await;

        let (cards, _) = self.orders("sepay_card").await;
        let (mut pages, mut told) = (Vec::new(), Vec::new());
        for (token, order) in &cards {
            let shown = till::show(&self.authority, token, order).await;
            let (_, path) = shown["pay"]["page_url"].as_str().unwrap().split_once(&self.authority).unwrap();
            pages.push(Ask::new("GET", path, &[], b""));
        }
        let checkout = self.cpu(&pages, 200).await;
        for (token, order) in &cards {
            till::pay_by_card(&self.authority, token, order).await;
            let body = till::ipn_about(&self.authority, order).await;
            let headers = [("x-secret-key", sandbox::SEPAY_IPN_SECRET), ("content-type", "application/json")];
            told.push(Ask::new("POST", IPN_PATH, &headers, body.as_bytes()));
        }
        let card = self.cpu(&told, 200).await;
        [
            (Work::Order, order),
            (Work::BankWebhook, bank),
            (Work::Look, look),
            (Work::Checkout, checkout),
            (Work::CardWebhook, card),
        ]
        .into()
    }

    /// Two orders a person, and what one took.
    async fn orders(&self, method: &str) -> (Vec<(&String, Order)>, u64) {
        let wish = till::wish(method, CENTS);
        let tokens: Vec<&String> = self.tokens.iter().chain(&self.tokens).collect();
        let before = self.stack.cpu_micros();
        let mut orders = Vec::new();
        for token in tokens {
            let ask = Ask::signed_in("POST", "/v1/top-ups", token, Some(&wish));
            orders.push((token, Order::read(&ask.send(&self.authority, 201).await.json())));
        }
        let cpu = (self.stack.cpu_micros() - before) / orders.len() as u64;
        (orders, cpu)
    }

    fn bank_webhook(&self, order: &Order, id: u64) -> Ask {
        let body = till::told(order, id).to_string();
        let now = Clock::system().now().seconds();
        let secret = Secret::new(sandbox::SEPAY_BANK_HMAC_SECRET);
        let signature = sepay_bank::sign(&secret, now, body.as_bytes());
        let timestamp = now.to_string();
        let headers = [
            ("x-sepay-signature", signature.as_str()),
            ("x-sepay-timestamp", timestamp.as_str()),
            ("content-type", "application/json"),
        ];
        Ask::new("POST", BANK_PATH, &headers, body.as_bytes())
    }

    async fn shown(&self, path: &str) -> Value {
        let mut connection = Connection::open(&self.authority).await;
        connection.ask(&get(&self.authority, path, ""), "").await.json()
    }

    /// Processor time of one of these.
    async fn cpu(&self, asks: &[Ask], status: u16) -> u64 {
        let before = self.stack.cpu_micros();
        for ask in asks {
            ask.send(&self.authority, status).await;
        }
        (self.stack.cpu_micros() - before) / asks.len() as u64
    }
}

fn clerk_webhook(made: &Value) -> Ask {
    let headers = made["headers"].as_object().unwrap().iter();
    let headers: Vec<(&str, &str)> =
        headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    Ask::new("POST", "/v1/webhooks/clerk", &headers, made["body"].as_str().unwrap().as_bytes())
}
