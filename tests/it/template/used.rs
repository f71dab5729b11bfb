//! [`RIGHTS`] against what the functions really ask of the tables: a right too few fails only in the cloud.

use super::*;
use crate::books;
use crate::payments::desk::{Desk, dong, micros, top_up};
use crate::world::{Answer, Person};
use sandbox::{IpnKind, TransferWish};
use std::future::Future;
use std::time::Duration;

/// Rights that a quiet day does not need, and when they are.
const RARELY: &[(&str, &str, &str)] = &[
    ("credit_transactions", "GetItem", "the same money was granted between our look and our writing"),
    ("request_limits", "UpdateItem", "after a batch of requests, beside whichever comes next"),
    ("key via dynamodb", "Decrypt", "always; the embedded tables have no key"),
];

/// What each function was seen to need, as `(function, place, action)`.
#[derive(Default)]
struct Seen(Rights);

impl Seen {
    /// One thing that one function does, alone.
    async fn at<T>(&mut self, function: &str, desk: &Desk, work: impl Future<Output = T>) -> T {
        let meddler = &desk.world.product.meddler;
        meddler.forget();
        let done = work.await;
        for (place, action) in meddler.calls().into_iter().flat_map(|call| call.rights) {
            self.0.insert((function.to_owned(), place, action));
        }
        done
    }
}

#[tokio::test]
async fn each_function_of_money_in_uses_all_its_rights_and_needs_no_other() {
    let desk = Desk::open().await;
    let mut seen = Seen::default();

    let unpaid = pay_in_every_way(&desk, &mut seen).await;
    decide_what_waits(&desk, &mut seen, &unpaid).await;
    claim_a_transfer(&desk, &mut seen).await;
    repair_what_was_missed(&desk, &mut seen).await;

    let ours = ["TopUps", "SepayWebhook", "ClaimTransfer", "Admin", "TronPoll", "PaymentReconciliation"];
    for function in ours {
        let (_, places) = RIGHTS.iter().find(|(name, _)| *name == function).unwrap();
        let each = places.iter().flat_map(|(place, actions)| actions.iter().map(move |a| (*place, *a)));
        let mut given: BTreeSet<(&str, &str)> = each.collect();
        let rights = seen.0.iter().filter(|(name, ..)| name == function);
        let mut used: BTreeSet<(&str, &str)> =
            rights.map(|(_, place, action)| (place.as_str(), action.as_str())).collect();
        for (place, action, _) in RARELY {
            given.remove(&(*place, *action));
            used.remove(&(*place, *action));
        }
        assert_eq!(used, given, "{function}: left is what it did, right what it may");
    }
    books::check(&desk.world).await;
}

fn fine(answer: Answer) -> Value {
    assert!((200..300).contains(&answer.status), "{}", answer.text);
    answer.body
}

fn address(order: &Value, rest: &str) -> String {
    format!("/v1/top-ups/{}{rest}", text(&order["id"]))
}

/// An order, made twice by the same key.
async fn order(desk: &Desk, seen: &mut Seen, person: &Person, method: &str, cents: u64) -> Value {
    let ask = async || {
        let request = person.request("POST", "/v1/top-ups").header("content-type", "application/json");
        let request =
            request.header("idempotency-key", format!("{method}-{cents}-{}", desk.world.now().millis()));
        fine(Answer::of(request.body(top_up(method, cents).to_string()).send().await.unwrap()).await)
    };
    let made = seen.at("TopUps", desk, ask()).await;
    assert_eq!(seen.at("TopUps", desk, ask()).await["id"], made["id"]);
    made
}

/// Returns a cancelled order.
async fn pay_in_every_way(desk: &Desk, seen: &mut Seen) -> Value {
    let ann = desk.world.person("ann");
    let transfer = order(desk, seen, &ann, "viet_qr", 2000).await;
    let card = order(desk, seen, &ann, "sepay_card", 2000).await;
    let usdt = order(desk, seen, &ann, "tron_usdt", 2000).await;
    fine(seen.at("TopUps", desk, ann.get("/v1/top-ups")).await);
    fine(seen.at("TopUps", desk, ann.get("/v1/top-ups/methods")).await);
    fine(seen.at("TopUps", desk, ann.get(&address(&transfer, ""))).await);

    let memo = text(&transfer["reference"]);
    fine(seen.at("SepayWebhook", desk, desk.transfer(dong(&transfer), &memo)).await);
    desk.pay_by_card(&card).await;
    fine(seen.at("SepayWebhook", desk, desk.ipn(&card, IpnKind::OrderPaid)).await);
    desk.world.sandbox.void_card(&text(&card["reference"])).unwrap();
    fine(seen.at("SepayWebhook", desk, desk.ipn(&card, IpnKind::TransactionVoid)).await);
    desk.send_usdt(micros(&usdt));
    desk.world.advance(Duration::from_secs(61));
    assert_eq!(seen.at("TronPoll", desk, desk.poll()).await.credited, 1);
    assert_eq!(ann.balance().await, (100 + 2000 + micros(&usdt) / 10_000, 0, 0), "the card was taken back");

    let unpaid = order(desk, seen, &ann, "viet_qr", 2000).await;
    fine(seen.at("TopUps", desk, ann.send("POST", &address(&unpaid, "/cancel"), &json!({}))).await);
    unpaid
}

async fn decide_what_waits(desk: &Desk, seen: &mut Seen, order: &Value) {
    let administrator = desk.administrator();
    for memo in ["thanks", "from my brother"] {
        fine(seen.at("SepayWebhook", desk, desk.transfer(300_000, memo)).await);
    }
    let waiting = fine(seen.at("Admin", desk, administrator.get("/v1/admin/payments")).await);
    let [first, second] = list(&waiting["payments"]) else { panic!("{waiting}") };
    let ann = desk.world.person("ann").id();
    let to = json!({ "account_id": ann, "top_up_id": order["id"], "note": "by phone" });
    let why = json!({ "note": "a refund of our own" });
    let reversal = json!({ "cause": "return", "case": "r-1", "note": "sent back" });
    let decide = async |payment: &Value, what: &str, wish: &Value| {
        let path = format!("/v1/admin/payments/{}/{what}", text(&payment["id"]));
        fine(administrator.send("POST", &path, wish).await)
    };
    seen.at("Admin", desk, decide(first, "assign", &to)).await;
    seen.at("Admin", desk, decide(second, "dismiss", &why)).await;
    let entry = seen.at("Admin", desk, decide(first, "reverse", &reversal)).await["entry_id"].clone();
    let reinstatement = json!({ "reversal_entry_id": entry, "note": "won" });
    seen.at("Admin", desk, decide(first, "reinstate", &reinstatement)).await;
}

/// An exchange kept a dollar, and the poll comes with the claim.
async fn claim_a_transfer(desk: &Desk, seen: &mut Seen) {
    let bob = desk.world.person("bob");
    // Far from what others ordered, whose amounts are near one another.
    let exact = order(desk, seen, &bob, "tron_usdt", 5000).await;
    let short = order(desk, seen, &bob, "tron_usdt", 10_000).await;
    desk.send_usdt(micros(&exact));
    let transaction = desk.send_usdt(micros(&short) - 1_000_000);
    desk.world.advance(Duration::from_secs(61));
    let wish = json!({ "transaction_id": transaction });
    fine(seen.at("ClaimTransfer", desk, bob.send("POST", "/v1/top-ups/claims", &wish)).await);
    let exact = micros(&exact) / 10_000;
    assert_eq!(bob.balance().await, (100 + exact, 0, 0));
    desk.world.advance(Duration::from_secs(86_400));
    assert_eq!(seen.at("TronPoll", desk, desk.poll()).await.claims_granted, 1);
    let cents = exact + (micros(&short) - 1_000_000) / 10_000;
    assert_eq!(bob.balance().await, (100 + cents, 0, 0));
}

/// Nobody told of a transfer, a card, a void and a transfer of USDT.
async fn repair_what_was_missed(desk: &Desk, seen: &mut Seen) {
    let eve = desk.world.person("eve");
    let transfer = order(desk, seen, &eve, "viet_qr", 2000).await;
    let voided = order(desk, seen, &eve, "sepay_card", 2000).await;
    let usdt = order(desk, seen, &eve, "tron_usdt", 2000).await;
    // Not paid: the comparison notes when it looks for it again.
    order(desk, seen, &eve, "sepay_card", 500).await;
    desk.pay_by_card(&voided).await;
    fine(desk.ipn(&voided, IpnKind::OrderPaid).await);
    desk.world.sandbox.void_card(&text(&voided["reference"])).unwrap();
    desk.world.sandbox.bank_transfer(TransferWish::new(dong(&transfer), &text(&transfer["reference"])));
    desk.send_usdt(micros(&usdt));
    desk.world.advance(Duration::from_secs(361));
    let reports = seen.at("PaymentReconciliation", desk, desk.reconcile()).await;
    let repaired: Vec<u32> = reports.iter().map(|report| report.repaired).collect();
    assert_eq!(repaired, [1, 1, 1], "{reports:#?}");
    assert!(reports.iter().all(|report| report.differences.is_empty()), "{reports:#?}");
    assert_eq!(eve.balance().await, (100 + 2000 + micros(&usdt) / 10_000, 0, 0));
}
