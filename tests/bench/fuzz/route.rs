//! The same inputs at the running product: never a server error, nothing for whoever can't sign, once for whoever can.

use super::chance::Chance;
use super::mutation::mutated;
use crate::stack::{Site, Stack};
use crate::till::{self, BANK_PATH, IPN_PATH, Order};
use crate::wire::{Connection, get, post, post_bytes};
use primitives::{Clock, Secret};
use rails::sepay_bank;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const WELCOME: u64 = 100;
const CENTS: u64 = 500;
/// The comparison with SePay's list, which pays out what no webhook told, comes after 300 seconds.
const ROUND: Duration = Duration::from_secs(200);
/// Transfers that name the order exactly; further ones come from the mutations.
const TRANSFERS: u64 = 8;
const LOG_LINES: usize = 10;

/// A stack with somebody whose payments are told with proof, and somebody whose payments nobody can prove.
struct Round {
    stack: Stack,
    authority: String,
    connection: Connection,
    other: Connection,
    proven: Customer,
    unproven: Customer,
    /// Every body that was sent with proof.
    told: Vec<Vec<u8>>,
    trail: Trail,
}

/// Shows, when a check fails, what was sent last and what the stack has said.
struct Trail {
    log: PathBuf,
    last: String,
}

impl Drop for Trail {
    #[expect(clippy::print_stderr, reason = "this is a terminal program")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(LOG_LINES).collect();
            eprintln!(
                "the last request was {}\nthe stack's last lines, newest first:\n{}",
                self.last,
                lines.join("\n")
            );
        }
    }
}

/// Has ordered by bank and by card; SePay knows the card as paid, the bank has the transfers, and we know nothing.
struct Customer {
    token: String,
    bank: Vec<Vec<u8>>,
    ipn: Vec<Vec<u8>>,
}

/// Returns how many requests were made.
pub(crate) async fn run(program: &Path, seconds: Duration, chance: &mut Chance) -> u64 {
    let (begun, mut execs) = (Instant::now(), 0);
    while begun.elapsed() < seconds {
        let site = Site::new(program);
        let mut round = Round::open(&site).await;
        let end = Instant::now() + ROUND.min(seconds.saturating_sub(begun.elapsed()));
        while Instant::now() < end {
            execs += round.step(chance, execs).await;
        }
        round.close().await;
    }
    execs
}

impl Round {
    async fn open(site: &Site) -> Round {
        let stack = site.start_quietly(&["--zero-latency", "--memory"]).await;
        let authority = site.authority();
        let mut connection = Connection::open(&authority).await;
        till::await_rate(&authority, &till::token(&authority, "somebody").await).await;
        let lost = json!({ "service": "sepay", "fault": "lost" });
        connection.ask(&post(&authority, "/sandbox/faults", "", &lost), "").await;
        let proven = Customer::open(&authority, "ann", 1).await;
        let unproven = Customer::open(&authority, "eve", 1_000).await;
        let other = Connection::open(&authority).await;
        let trail = Trail { log: site.log(), last: String::new() };
        Round { stack, authority, connection, other, proven, unproven, told: Vec::new(), trail }
    }

    async fn step(&mut self, chance: &mut Chance, nth: u64) -> u64 {
        // Most often what may be credited.
        let (is_bank, is_proven) = *chance.pick(&[
            (true, true),
            (true, true),
            (true, true),
            (true, false),
            (false, true),
            (false, false),
        ]);
        let path = if is_bank { BANK_PATH } else { IPN_PATH };
        let customer = if is_proven { &self.proven } else { &self.unproven };
        let samples = if is_bank { &customer.bank } else { &customer.ipn };
        let body = mutated(chance, samples);
        let proof = match (is_bank, is_proven) {
            (true, true) => signature(0, &body),
            (false, true) => vec![("x-secret-key", sandbox::SEPAY_IPN_SECRET.to_owned())],
            (true, false) => false_signature(chance, &body, &samples[0]),
            (false, false) => false_secret(chance),
        };
        let mut headers: Vec<(&str, &str)> =
            proof.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.push(("content-type", "application/json"));
        let request = post_bytes(&self.authority, path, &headers, &body);
        self.trail.last = format!("{nth} to {path} with {proof:?}:\n{}", body.escape_ascii());
        let wanted = if is_proven { 200 } else { 401 };
        // What is proven comes twice at the same moment.
        let (first, second) = if is_proven {
            let both = tokio::join!(self.connection.try_ask(&request, ""), self.other.try_ask(&request, ""));
            (both.0, Some(both.1))
        } else {
            (self.connection.try_ask(&request, "").await, None)
        };
        let sent = 1 + u64::from(second.is_some());
        for answer in [Some(first), second].into_iter().flatten() {
            assert_eq!(answer.status, wanted, "{}", String::from_utf8_lossy(&answer.body));
        }
        if is_proven {
            self.told.push(body);
        }
        sent
    }

    /// Looks at what all of that has led to.
    async fn close(mut self) {
        let nobody = self.books(&self.unproven.token.clone()).await;
        assert_eq!((nobody.available, nobody.payments.len()), (WELCOME, 0), "nothing was proven");
        let books = self.books(&self.proven.token.clone()).await;
        assert!(books.payments.len() > 1, "neither transfer nor card arrived: nothing was tried");
        // Rail and the sender's own number: whatever else is said of it, it is one payment.
        let outside = |id: &String| id.rsplit_once('.').unwrap().0.to_owned();
        let payments: HashSet<String> = books.payments.iter().map(|(id, _)| outside(id)).collect();
        assert_eq!(
            payments.len(),
            books.payments.len(),
            "a payment was credited twice: {:?}",
            books.payments
        );
        for payment in &payments {
            let (_, number) = payment.split_once('.').unwrap();
            let is_told = self.told.iter().any(|body| String::from_utf8_lossy(body).contains(number));
            assert!(is_told, "{payment} was credited, and nobody has told of it");
        }
        let credited: u64 = books.payments.iter().map(|(_, credits)| credits).sum();
        assert_eq!(books.available, WELCOME + credited, "the balance is what the payments brought");
        assert_eq!(
            books.entries,
            books.payments.iter().map(|(_, credits)| *credits).collect::<Vec<_>>().sorted()
        );
        self.stack.stop().await;
    }

    async fn books(&mut self, token: &str) -> Books {
        let mut see =
            async |path: &str| self.connection.ask(&get(&self.authority, path, token), "").await.json();
        let available = see("/v1/account").await["available"]["amount"].as_u64().unwrap();
        let entries = see("/v1/account/transactions?limit=100").await;
        let top_ups = see("/v1/top-ups?limit=100").await;
        let grants = entries["transactions"].as_array().unwrap().iter();
        let grants = grants.filter(|entry| entry["origin"] == "top_up");
        let payments = top_ups["top_ups"].as_array().unwrap().iter();
        let payments = payments.flat_map(|order| order["payments"].as_array().unwrap());
        let text = |payment: &Value| payment["id"].as_str().unwrap().to_owned();
        Books {
            available,
            entries: grants
                .map(|entry| entry["credits"]["amount"].as_u64().unwrap())
                .collect::<Vec<_>>()
                .sorted(),
            payments: payments
                .map(|payment| (text(payment), payment["credits"]["amount"].as_u64().unwrap()))
                .collect(),
        }
    }
}

struct Books {
    available: u64,
    /// The ledger's grants for top-ups, smallest first.
    entries: Vec<u64>,
    /// Name and credit of each.
    payments: Vec<(String, u64)>,
}

impl Customer {
    async fn open(authority: &str, person: &str, first_id: u64) -> Customer {
        let token = till::token(authority, person).await;
        let by_bank = till::order(authority, &token, "viet_qr", CENTS).await;
        let waiting = till::order(authority, &token, "sepay_card", CENTS).await;
        let paid = till::order(authority, &token, "sepay_card", CENTS).await;
        till::pay_by_card(authority, &token, &paid).await;
        let told = till::ipn_about(authority, &paid).await;
        // The same about an order that SePay does not know as paid.
        let claimed = told.replace(&paid.reference, &waiting.reference);
        Customer {
            token,
            bank: transfers(&by_bank, first_id),
            ipn: vec![told.into_bytes(), claimed.into_bytes()],
        }
    }
}

fn transfers(order: &Order, first_id: u64) -> Vec<Vec<u8>> {
    let body = |id| till::told(order, id).to_string().into_bytes();
    (first_id..first_id + TRANSFERS).map(body).collect()
}

type Proof = Vec<(&'static str, String)>;

/// Made so many seconds ago.
fn signature(age: u64, body: &[u8]) -> Proof {
    let seconds = Clock::system().now().seconds() - age;
    let signature = sepay_bank::sign(&Secret::new(sandbox::SEPAY_BANK_HMAC_SECRET), seconds, body);
    vec![("x-sepay-signature", signature), ("x-sepay-timestamp", seconds.to_string())]
}

/// Everything but the right signature.
fn false_signature(chance: &mut Chance, body: &[u8], other: &[u8]) -> Proof {
    let mut proof = match chance.below(6) {
        0 => return Vec::new(),
        1 => {
            return vec![(
                "authorization",
                visible(chance, &format!("Apikey {}x", sandbox::SEPAY_BANK_API_KEY)),
            )];
        }
        2 => return vec![("x-secret-key", sandbox::SEPAY_IPN_SECRET.to_owned())],
        3 => return signature(302, body),
        4 => signature(0, &[other, b" "].concat()),
        _ => signature(0, &[body, b"\n"].concat()),
    };
    if chance.one_in(2) {
        let at = chance.below(2);
        proof[at].1 = visible(chance, &proof[at].1.clone());
    }
    proof
}

fn false_secret(chance: &mut Chance) -> Proof {
    match chance.below(4) {
        0 => Vec::new(),
        1 => vec![("authorization", format!("Apikey {}", sandbox::SEPAY_BANK_API_KEY))],
        2 => vec![("x-secret-key", visible(chance, &format!("{}x", sandbox::SEPAY_IPN_SECRET)))],
        _ => vec![("x-secret-key", sandbox::SEPAY_SECRET_KEY.to_owned())],
    }
}

/// Spoilt, but still one header; never the right secret, which is one letter shorter and may come out by chance.
fn visible(chance: &mut Chance, text: &str) -> String {
    let bytes = mutated(chance, &[text.as_bytes().to_vec()]);
    let letters = bytes.into_iter().filter(u8::is_ascii_graphic).take(4_000);
    let spoilt: String = letters.map(char::from).collect();
    let is_right = spoilt == sandbox::SEPAY_IPN_SECRET || spoilt.ends_with(sandbox::SEPAY_BANK_API_KEY);
    if is_right { "by chance".to_owned() } else { spoilt }
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl Sorted for Vec<u64> {
    fn sorted(mut self) -> Vec<u64> {
        self.sort_unstable();
        self
    }
}
