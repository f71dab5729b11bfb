//! Killed, cut off or turned away at every single store call on the way of money, then told again: one grant, no
//! deposit lost, and payment, order and ledger agree at every moment between.

use super::administrator::{change, chargeback, to};
use super::desk::{Desk, deliver, dong, micros, top_up};
use crate::books;
use crate::world::{Answer, Fault, Instance, Person};
use sandbox::{Delivery, IpnKind, TransferWish};
use serde_json::{Value, json};
use std::pin::pin;
use std::time::Duration;
use tokio::task::JoinSet;

/// What is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Order,
    BankWebhook,
    /// A transfer that nobody can be credited with.
    Unmatched,
    Ipn,
    Void,
    Poll,
    Claim,
    /// A claim beside which another person's stands.
    Objection,
    /// The end of a claim's wait.
    WaitEnds,
    Assign,
    AssignToOrder,
    Dismiss,
    Reverse,
    Reinstate,
    Reconcile,
}

const PATHS: [Path; 15] = [
    Path::Order,
    Path::BankWebhook,
    Path::Unmatched,
    Path::Ipn,
    Path::Void,
    Path::Poll,
    Path::Claim,
    Path::Objection,
    Path::WaitEnds,
    Path::Assign,
    Path::AssignToOrder,
    Path::Dismiss,
    Path::Reverse,
    Path::Reinstate,
    Path::Reconcile,
];

/// One payment on its way, about to be interrupted.
struct Case {
    path: Path,
    person: Person,
    /// The payment's id, where it is known before.
    id: String,
    delivery: Option<Delivery>,
    wish: Value,
    /// What the person has when all is done.
    expected: u64,
}

#[tokio::test]
async fn killed_before_any_store_call_no_money_is_lost() {
    on_every_path(Fault::KilledBefore).await;
}

#[tokio::test]
async fn killed_after_any_store_call_no_money_is_lost() {
    on_every_path(Fault::KilledAfter).await;
}

#[tokio::test]
async fn a_lost_reply_of_any_store_call_books_nothing_twice() {
    on_every_path(Fault::ReplyLost).await;
}

#[tokio::test]
async fn conflicts_at_any_store_call_are_not_seen_outside() {
    on_every_path(Fault::Conflict).await;
}

#[tokio::test]
async fn throttles_at_any_store_call_are_not_seen_outside() {
    on_every_path(Fault::Throttled).await;
}

#[tokio::test]
async fn orders_and_webhooks_that_are_overtaken_by_their_twin_at_any_store_call_book_once() {
    on_paths(&[Path::Order, Path::BankWebhook, Path::Unmatched], Fault::Overtaken).await;
}

#[tokio::test]
async fn cards_that_are_overtaken_by_their_twin_at_any_store_call_book_once() {
    on_paths(&[Path::Ipn, Path::Void], Fault::Overtaken).await;
}

#[tokio::test]
async fn polls_and_claims_that_are_overtaken_by_their_twin_at_any_store_call_book_once() {
    on_paths(&[Path::Poll, Path::Claim, Path::Objection, Path::WaitEnds], Fault::Overtaken).await;
}

#[tokio::test]
async fn decisions_that_are_overtaken_by_their_twin_at_any_store_call_count_once() {
    on_paths(&[Path::Assign, Path::AssignToOrder, Path::Dismiss], Fault::Overtaken).await;
}

#[tokio::test]
async fn reversals_and_comparisons_that_are_overtaken_by_their_twin_at_any_store_call_count_once() {
    on_paths(&[Path::Reverse, Path::Reinstate, Path::Reconcile], Fault::Overtaken).await;
}

async fn on_every_path(fault: Fault) {
    on_paths(&PATHS, fault).await;
}

/// The paths side by side, each in a world of its own: most of the time is spent waiting before another try.
async fn on_paths(which: &[Path], fault: Fault) {
    let mut paths = JoinSet::new();
    for path in which.iter().copied() {
        paths.spawn(at_every_call(path, fault));
    }
    while let Some(done) = paths.join_next().await {
        done.unwrap();
    }
}

/// Moves the fault from the first store call to the last, each time with a new person and a new instance.
async fn at_every_call(path: Path, fault: Fault) {
    let desk = Desk::open().await;
    let is_fatal = matches!(fault, Fault::KilledBefore | Fault::KilledAfter);
    for nth in 0.. {
        let what = format!("{path:?} {fault:?} at call {nth}");
        let case = Case::new(&desk, path, nth).await;
        let instance = desk.world.instance(&[]).await;
        instance.meddler.plan(nth, fault);
        let answer = case.act_interrupted(&desk, &instance).await;
        let has_struck = instance.meddler.has_struck();
        match &answer {
            Some(answer) => answer.as_ref().unwrap_or_else(|refused| panic!("{what}: {refused}")),
            None => {
                assert!(is_fatal, "{what}");
                &Value::Null
            }
        };
        drop(instance);
        // Whatever had happened: nothing is half done, and the same once more ends it.
        if answer.is_none() {
            books::check_payments(&desk.world).await;
        }
        let again =
            case.act(&desk.world.product).await.unwrap_or_else(|refused| panic!("{what}, again: {refused}"));
        case.check(&desk, &what, answer.and_then(Result::ok), again).await;
        if !has_struck {
            assert!(nth >= 3, "{what}: it makes more store calls than that");
            break;
        }
        assert!(nth < 60, "{what}: the fault moves to an end");
    }
    books::check_payments(&desk.world).await;
    desk.world.advance(Duration::from_secs(600));
    for report in desk.reconcile().await {
        let is_whole = report.repaired == 0 && report.differences.is_empty() && report.failure.is_none();
        assert!(is_whole, "{path:?} {fault:?}: the processor knows of no other money: {report:?}");
    }
}

impl Case {
    async fn new(desk: &Desk, path: Path, nth: usize) -> Case {
        let person = desk.world.person(&format!("person_{nth}"));
        let new = |expected: u64| Case {
            path,
            person: person.clone(),
            id: String::new(),
            delivery: None,
            wish: Value::Null,
            expected,
        };
        let world = &desk.world;
        let second = Duration::from_secs(1);
        match path {
            Path::Order => {
                // Half of the persons are new, so that signing up is part of what is interrupted.
                if nth.is_multiple_of(2) {
                    person.balance().await;
                }
                new(100)
            }
            Path::BankWebhook | Path::Reconcile => {
                let order = desk.order(&person, "viet_qr", 500).await;
                let wish = TransferWish::new(dong(&order), order["reference"].as_str().unwrap());
                let id = world.sandbox.bank_transfer(wish);
                Case { delivery: world.sandbox.bank_webhook(id), ..new(600) }
            }
            Path::Unmatched => {
                person.balance().await;
                let id = world.sandbox.bank_transfer(TransferWish::new(131_350, "cam on"));
                let delivery = world.sandbox.bank_webhook(id);
                Case { delivery, id: format!("viet_qr.{id}.0"), ..new(100) }
            }
            Path::Ipn | Path::Void => {
                let order = desk.order(&person, "sepay_card", 500).await;
                let invoice = order["reference"].as_str().unwrap();
                desk.pay_by_card(&order).await;
                if path == Path::Ipn {
                    let delivery = world.sandbox.card_ipn(invoice, IpnKind::OrderPaid).ok();
                    return Case { delivery, ..new(600) };
                }
                assert_eq!(desk.ipn(&order, IpnKind::OrderPaid).await.status, 200);
                world.advance(second);
                world.sandbox.void_card(invoice).unwrap();
                let delivery = world.sandbox.card_ipn(invoice, IpnKind::TransactionVoid).ok();
                Case { delivery, ..new(100) }
            }
            Path::Poll => {
                let due = micros(&desk.order(&person, "tron_usdt", 500).await);
                desk.send_usdt(due);
                new(100 + due / 10_000)
            }
            Path::Claim | Path::Objection | Path::WaitEnds => {
                // So far apart that no other person's order is near the transfer, and below a day's sum.
                let cents = 600 + 700 * u64::try_from(nth % 13).unwrap();
                let sent = micros(&desk.order(&person, "tron_usdt", cents).await) - 1_000_000;
                let tx = desk.send_usdt(sent);
                desk.poll().await;
                let wish = json!({ "transaction_id": tx });
                let id = format!("tron_usdt.{tx}.{sent}-0");
                if path == Path::Claim {
                    person.balance().await;
                    return Case { id, wish, ..new(100) };
                }
                let waits = person.send("POST", "/v1/top-ups/claims", &wish).await;
                assert_eq!(waits.status, 202, "{}", waits.text);
                if path == Path::Objection {
                    let other = person.named(&format!("other_{nth}"));
                    other.balance().await;
                    return Case { person: other, id, wish, ..new(100) };
                }
                world.advance(Duration::from_secs(86_400));
                Case { id, wish, ..new(100 + sent / 10_000) }
            }
            Path::Assign | Path::AssignToOrder | Path::Dismiss => {
                person.balance().await;
                let mut wish = to(&person);
                if path == Path::AssignToOrder {
                    wish["top_up_id"] = desk.order(&person, "viet_qr", 500).await["id"].clone();
                }
                if path == Path::Dismiss {
                    wish = json!({ "note": "interest" });
                }
                let expected = if path == Path::Dismiss { 100 } else { 600 };
                Case { id: desk.unmatched(131_350).await, wish, ..new(expected) }
            }
            Path::Reverse | Path::Reinstate => {
                let order = desk.order(&person, "viet_qr", 500).await;
                desk.transfer(dong(&order), order["reference"].as_str().unwrap()).await;
                world.advance(second);
                let shown = desk.show(&person, &order).await;
                let id = shown["payments"][0]["id"].as_str().unwrap().to_owned();
                if path == Path::Reverse {
                    return Case { id, wish: chargeback("CB-1"), ..new(100) };
                }
                let reversal = desk.reverse(&id, &chargeback("CB-1")).await;
                world.advance(second);
                let wish = json!({ "reversal_entry_id": reversal.body["entry_id"], "note": "won" });
                Case { id, wish, ..new(600) }
            }
        }
    }

    /// `None`: the instance died. Where a call is held back, the same is done elsewhere before it goes on.
    async fn act_interrupted(&self, desk: &Desk, instance: &Instance) -> Option<Result<Value, String>> {
        let mut acting = pin!(self.act(instance));
        tokio::select! {
            answer = &mut acting => return Some(answer),
            () = instance.meddler.death() => return None,
            () = instance.meddler.holding_back() => {}
        }
        let twin = self.act(&desk.world.product).await;
        twin.unwrap_or_else(|refused| panic!("{:?}, its twin: {refused}", self.path));
        instance.meddler.let_go();
        Some(acting.await)
    }

    /// The webhook, the call or the schedule, at this instance. `Err` is what a sender would take for a failure.
    async fn act(&self, instance: &Instance) -> Result<Value, String> {
        let admin = || self.person.named("admin").at(&instance.base);
        let answer: Answer = match self.path {
            Path::Order => {
                let at = self.person.at(&instance.base);
                let request = at.request("POST", "/v1/top-ups").header("content-type", "application/json");
                let request = request.header("idempotency-key", "my-wish");
                Answer::of(request.body(top_up("viet_qr", 500).to_string()).send().await.unwrap()).await
            }
            Path::BankWebhook | Path::Unmatched | Path::Ipn | Path::Void => {
                deliver(instance, self.delivery.as_ref().unwrap()).await
            }
            Path::Poll | Path::WaitEnds => {
                let report =
                    tron_poll::handle(&instance.role("TronPoll")).await.map_err(|error| error.to_string())?;
                let is_whole = report.failed == 0 && !report.is_cut_short;
                return is_whole.then_some(Value::Null).ok_or(format!("{report:?}"));
            }
            Path::Reconcile => {
                let reports =
                    payment_reconciliation::handle(&instance.role("PaymentReconciliation"), Value::Null)
                        .await;
                let reports = reports.map_err(|error| error.to_string())?;
                let is_whole =
                    |report: &payments::RailReport| report.failure.is_none() && report.differences.is_empty();
                return reports.iter().all(is_whole).then_some(Value::Null).ok_or(format!("{reports:?}"));
            }
            Path::Claim => {
                self.person.at(&instance.base).send("POST", "/v1/top-ups/claims", &self.wish).await
            }
            Path::Objection => {
                let told =
                    self.person.at(&instance.base).send("POST", "/v1/top-ups/claims", &self.wish).await;
                let is_left = (told.status, told.problem()) == (409, "claim_unclear");
                return is_left.then_some(Value::Null).ok_or(told.text);
            }
            Path::Assign | Path::AssignToOrder => change(&admin(), &self.id, "assign", &self.wish).await,
            Path::Dismiss => change(&admin(), &self.id, "dismiss", &self.wish).await,
            Path::Reverse => change(&admin(), &self.id, "reverse", &self.wish).await,
            Path::Reinstate => change(&admin(), &self.id, "reinstate", &self.wish).await,
        };
        if answer.status < 300 { Ok(answer.body) } else { Err(format!("{} {}", answer.status, answer.text)) }
    }

    async fn check(&self, desk: &Desk, what: &str, first: Option<Value>, again: Value) {
        assert_eq!(self.person.balance().await, (self.expected, 0, 0), "{what}");
        let account = self.person.id().parse().unwrap();
        let entries = books::entries(&desk.world, &account).await;
        let mut kinds: Vec<&str> = entries.iter().map(|entry| entry.kind.as_str()).collect();
        kinds.sort_unstable();
        let expected: &[&str] = match self.path {
            Path::Order | Path::Unmatched | Path::Dismiss | Path::Claim | Path::Objection => &["grant"],
            Path::Void | Path::Reverse => &["grant", "grant", "reversal"],
            Path::Reinstate => &["grant", "grant", "reinstatement", "reversal"],
            _ => &["grant", "grant"],
        };
        assert_eq!(kinds, expected, "{what}");
        match self.path {
            Path::Order => {
                let orders = self.person.get("/v1/top-ups").await.body["top_ups"].as_array().unwrap().clone();
                assert_eq!(orders.len(), 1, "{what}: one key, one order");
                assert_eq!(orders[0]["id"], again["id"], "{what}");
                assert!(first.is_none_or(|first| first["id"] == again["id"]), "{what}");
            }
            Path::Reverse | Path::Reinstate => {
                assert!(first.is_none_or(|first| first == again), "{what}: one entry");
            }
            Path::Claim | Path::Objection => {
                let payment = desk.payment(&self.id).await;
                let state = if self.path == Path::Claim { "claimed" } else { "unmatched" };
                assert_eq!(payment["state"], state, "{what}: {payment}");
                let is_named = payment["claimant_ids"].as_array().unwrap().contains(&json!(self.person.id()));
                assert!(is_named, "{what}: {payment}");
            }
            Path::Unmatched => assert_eq!(desk.payment(&self.id).await["state"], "unmatched", "{what}"),
            Path::Assign | Path::AssignToOrder | Path::Dismiss => {
                assert_eq!(desk.payment(&self.id).await["audit"].as_array().unwrap().len(), 1, "{what}");
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn an_order_whose_creation_lost_its_reply_is_made_once_without_a_key_as_well() {
    for fault in [Fault::ReplyLost, Fault::Conflict, Fault::Throttled] {
        let desk = Desk::open().await;
        for (method, nth) in
            ["viet_qr", "sepay_card", "tron_usdt"].iter().flat_map(|m| (0..12).map(move |n| (m, n)))
        {
            let person = desk.world.person(&format!("{method}_{nth}"));
            person.balance().await;
            let instance = desk.world.instance(&[]).await;
            instance.meddler.plan(nth, fault);
            let made = person.at(&instance.base).send("POST", "/v1/top-ups", &top_up(method, 500)).await;
            assert_eq!(made.status, 201, "{method} {fault:?} at call {nth}: {}", made.text);
            let orders = person.get("/v1/top-ups").await.body["top_ups"].as_array().unwrap().clone();
            assert_eq!(orders.len(), 1, "{method} {fault:?} at call {nth}");
            assert_eq!(orders[0]["reference"], made.body["reference"]);
        }
        books::check_payments(&desk.world).await;
    }
}
