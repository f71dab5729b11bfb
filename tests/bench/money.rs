//! What it costs to be told of payments: deliveries of SePay's bank webhook, and the chain under a flood of spam.

use crate::figures::{Figure, megabytes, micros, ms, ratio, seconds};
use crate::load::{Load, Taken};
use crate::seeds;
use crate::stack::{Site, Stack};
use crate::till::{self, Order};
use crate::wire::{Connection, get, post};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const REPLAYS: usize = 10_000;
const REPLAY_CONNECTIONS: usize = 64;
/// Each orders twice; five open orders are the most.
const PEOPLE: usize = 1_000;
const ORDERS: usize = 2 * PEOPLE;
const ORDER_CONNECTIONS: usize = 16;
const CENTS: u64 = 500;
/// How many strangers' transfers the two polls read.
const FOREIGN: [u32; 2] = [10_000, 20_000];
/// The local run polls every 15 seconds; whoever waits longer waits for nothing.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at a stack that works on its own.
const LOOK: Duration = Duration::from_millis(10);
const ACCEPTED: &str = "\"success\":true";

pub(crate) async fn all(program: &Path) -> Vec<Figure> {
    let mut figures = deliveries(program).await;
    figures.extend(polls(program).await);
    figures
}

/// One delivery again and again, then many different ones.
async fn deliveries(program: &Path) -> Vec<Figure> {
    let site = Site::new(program);
    let people: Vec<String> = (0..PEOPLE).map(|number| format!("p{number}")).collect();
    seeds::accounts(&site.data(), &people).await;
    let stack = site.start(&["--zero-latency"]).await;
    let authority = site.authority();
    let tokens = till::tokens(&authority, &people).await;
    till::await_rate(&authority, &tokens[0]).await;
    let mut figures = replays(&authority, &tokens[0], &stack).await;
    figures.extend(grants(&authority, &tokens, &stack).await);
    stack.stop().await;
    figures
}

async fn replays(authority: &str, token: &str, stack: &Stack) -> Vec<Figure> {
    let before = available(authority, token).await;
    let order = till::order(authority, token, "viet_qr", CENTS).await;
    let requests = Arc::new(vec![till::delivery(authority, &order, 1)]);
    let load = load(authority, requests, REPLAY_CONNECTIONS);
    // The first of them, still unknown, comes over all connections at once.
    let taken = load.make(REPLAYS, ACCEPTED, stack).await;
    assert_eq!(available(authority, token).await, before + CENTS, "one grant for {REPLAYS} deliveries");
    let payments = till::show(authority, token, &order).await["payments"].as_array().unwrap().len();
    assert_eq!(payments, 1, "one payment for {REPLAYS} deliveries");
    rows("one bank delivery told 10,000 times over 64 connections (one grant)", "deliveries", taken)
}

async fn grants(authority: &str, tokens: &[String], stack: &Stack) -> Vec<Figure> {
    let before = sum(authority, tokens).await;
    let wish = till::wish("viet_qr", CENTS);
    let wishes = tokens.iter().cycle().take(ORDERS);
    let wishes = Arc::new(wishes.map(|token| post(authority, "/v1/top-ups", token, &wish)).collect());
    let orders = load(authority, wishes, ORDER_CONNECTIONS).bodies().await;
    let orders = orders.iter().map(|body| Order::read(&serde_json::from_slice(body).unwrap()));
    let signed = (2..).zip(orders).map(|(id, order)| till::delivery(authority, &order, id)).collect();
    let load = load(authority, Arc::new(signed), ORDER_CONNECTIONS);
    let taken = load.make(ORDERS, ACCEPTED, stack).await;
    assert_eq!(sum(authority, tokens).await, before + ORDERS as u64 * CENTS, "every order granted once");
    rows("2,000 bank transfers, each to its own order, 16 connections", "grants", taken)
}

fn rows(what: &str, unit: &str, taken: Taken) -> Vec<Figure> {
    let cpu = ms(i64::try_from(taken.cpu_micros).unwrap());
    vec![
        Figure::plain(format!("{what}: CPU of the whole process each"), cpu),
        Figure::plain(format!("{unit} per second in the same load"), taken.per_second.to_string()),
    ]
}

/// A poll that must find one payment among very many strangers' transfers. The indexer is in the same process, so
/// the figures hold its work and its chain too.
async fn polls(program: &Path) -> Vec<Figure> {
    let small = poll(program, FOREIGN[0]).await;
    let large = poll(program, FOREIGN[1]).await;
    let what =
        |count| format!("a poll of the chain, {count} foreign transfers and one of ours: wall time, CPU");
    let taken = |polled: &Polled| format!("{}, {}", seconds(polled.wall_micros), seconds(polled.cpu_micros));
    let growth = ratio(large.cpu_micros, small.cpu_micros);
    let (peak, grown) = (megabytes(large.memory_peak), megabytes(large.memory_grown));
    vec![
        Figure::plain(what("10,000"), taken(&small)),
        Figure::plain(what("20,000"), taken(&large)),
        Figure::plain("CPU of the larger poll over that of the smaller (2.00 is linear)", growth),
        Figure::plain("peak memory after the larger poll, the invented chain's own included", peak),
        Figure::plain("of these, added by the poll", grown),
    ]
}

struct Polled {
    wall_micros: u64,
    cpu_micros: u64,
    memory_peak: u64,
    /// By how much the poll raised the peak.
    memory_grown: u64,
}

async fn poll(program: &Path, foreign: u32) -> Polled {
    let site = Site::new(program);
    let stack = site.start(&["--zero-latency"]).await;
    let authority = site.authority();
    let token = till::token(&authority, "ann").await;
    // The first poll comes with the start; the next is a period away.
    await_that("the first poll", async || is_polling(&authority).await).await;
    let order = till::order(&authority, &token, "tron_usdt", CENTS).await;
    let sent = json!({ "amount": order.amount_due, "dust": foreign, "confirmed": true });
    let mut connection = Connection::open(&authority).await;
    connection.ask(&post(&authority, "/sandbox/tronscan/transfers", "", &sent), "").await;
    let memory_before = stack.memory_peak();

    await_that("a poll", async || is_polling(&authority).await).await;
    let (begun, cpu) = (Instant::now(), stack.cpu_micros());
    let is_paid = async || till::show(&authority, &token, &order).await["status"] == "paid";
    await_that("the payment", is_paid).await;
    let (wall_micros, cpu_micros) = (micros(begun.elapsed()).unsigned_abs(), stack.cpu_micros() - cpu);

    let memory_peak = stack.memory_peak();
    stack.stop().await;
    Polled { wall_micros, cpu_micros, memory_peak, memory_grown: memory_peak - memory_before }
}

/// Whether the latest request the outside world has seen is a question to the indexer.
async fn is_polling(authority: &str) -> bool {
    let mut connection = Connection::open(authority).await;
    let answer = connection.ask(&get(authority, "/sandbox/journal?limit=1", ""), "").await.json();
    answer[0]["path"].as_str().is_some_and(|path| path.starts_with("/sandbox/tronscan/api/"))
}

async fn await_that(what: &str, mut happens: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !happens().await {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(LOOK).await;
    }
}

async fn available(authority: &str, token: &str) -> u64 {
    account(&Connection::open(authority).await.ask(&get(authority, "/v1/account", token), "").await.json())
}

/// What all these people have together.
async fn sum(authority: &str, tokens: &[String]) -> u64 {
    let requests = tokens.iter().map(|token| get(authority, "/v1/account", token)).collect();
    let accounts = load(authority, Arc::new(requests), ORDER_CONNECTIONS).bodies().await;
    accounts.iter().map(|body| account(&serde_json::from_slice(body).unwrap())).sum()
}

fn account(view: &Value) -> u64 {
    view["available"]["amount"].as_u64().unwrap()
}

fn load(authority: &str, requests: Arc<Vec<Vec<u8>>>, connections: usize) -> Load {
    Load { authority: authority.to_owned(), requests, connections, spread: Duration::ZERO }
}
