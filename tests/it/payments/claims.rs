//! Claims: whoever names a transaction gets it only if nobody else could mean it. The chain is public.

use super::desk::{Desk, at_once, micros};
use crate::books;
use crate::world::{Answer, Person};
use sandbox::{FaultRule, Service, UsdtWish};
use serde_json::{Value, json};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// What an exchange keeps of a withdrawal.
const FEE: u64 = 1_000_000;

async fn claim(person: &Person, tx: &str) -> Answer {
    person.send("POST", "/v1/top-ups/claims", &json!({ "transaction_id": tx })).await
}

/// An order, a minute later.
async fn ordered(desk: &Desk, person: &Person, cents: u64) -> Value {
    let order = desk.order(person, "tron_usdt", cents).await;
    desk.world.advance(MINUTE);
    order
}

/// What an exchange sends for an order: the amount without its fee. Polled, and nobody's.
async fn withdrawn(desk: &Desk, order: &Value) -> (String, u64) {
    let sent = micros(order) - FEE;
    let tx = desk.send_usdt(sent);
    let report = desk.poll().await;
    assert_eq!((report.credited, report.kept), (0, 1), "{report:?}");
    (tx, sent)
}

/// Refused with this code, no credit moved, and the claim is noted for the administrator.
async fn assert_unclear(desk: &Desk, person: &Person, tx: &str, sent: u64) {
    let before = person.balance().await;
    let refused = claim(person, tx).await;
    assert_eq!((refused.status, refused.problem()), (409, "claim_unclear"), "{}", refused.text);
    assert_eq!(person.balance().await, before);
    let payment = desk.usdt_payment(tx, sent).await;
    assert_eq!(payment["state"], "unmatched", "{payment}");
    let is_note = |row: &&Value| row["who"] == person.id() && row["what"] == "claimed";
    let notes = payment["audit"].as_array().unwrap().iter().filter(is_note).count();
    assert_eq!(notes, 1, "however often it was claimed: {payment}");
}

#[tokio::test]
async fn what_an_exchange_has_sent_less_its_fee_is_credited_to_the_order_of_whoever_claims_it() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    assert_eq!(ann.balance().await, (100, 0, 0));

    let claimed = claim(&ann, &tx.to_uppercase()).await;

    let worth = sent / 10_000;
    assert_eq!(claimed.status, 200, "{}", claimed.text);
    assert_eq!(claimed.body, json!({ "credited": worth, "top_up_ids": [order["id"]] }));
    assert_eq!(ann.balance().await, (100 + worth, 0, 0));
    let shown = desk.show(&ann, &order).await;
    assert_eq!((&shown["status"], &shown["credited"]), (&"partly_paid".into(), &worth.into()), "{shown}");
    let payment = desk.usdt_payment(&tx, sent).await;
    assert_eq!((&payment["state"], &payment["top_up_id"]), (&"credited".into(), &order["id"]), "{payment}");
    assert_eq!(
        (&payment["audit"][0]["who"], &payment["audit"][0]["what"]),
        (&ann.id().into(), &"claimed".into())
    );
    assert!(desk.waiting().await.is_empty());

    for _ in 0..3 {
        let again = claim(&ann, &tx).await;
        assert_eq!((again.status, &again.body), (200, &claimed.body), "the same answer, and no second grant");
    }
    assert_eq!(ann.balance().await, (100 + worth, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_strangers_claim_is_noted_and_the_owner_can_still_claim() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    bob.balance().await;

    assert_unclear(&desk, &bob, &tx, sent).await;
    ordered(&desk, &bob, 500).await;
    assert_unclear(&desk, &bob, &tx, sent).await;

    assert_eq!(claim(&ann, &tx).await.body["credited"], sent / 10_000);
    let refused = claim(&bob, &tx).await;
    assert_eq!((refused.status, refused.problem()), (409, "nothing_to_claim"), "now it is somebody's");
    assert_eq!(bob.balance().await, (100, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn an_order_made_after_the_transfer_gives_no_claim_to_it() {
    let desk = Desk::open().await;
    let bob = desk.world.person("bob");
    bob.balance().await;
    let sent = 4_700_000;
    let tx = desk.send_usdt(sent);
    desk.world.advance(Duration::from_secs(20));
    desk.poll().await;
    desk.order(&bob, "tron_usdt", 500).await;

    assert_unclear(&desk, &bob, &tx, sent).await;
    books::check(&desk.world).await;
}

#[tokio::test]
async fn what_two_people_could_mean_is_left_to_an_administrator() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = ordered(&desk, &ann, 2000).await;
    let his = ordered(&desk, &bob, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;

    assert_unclear(&desk, &ann, &tx, sent).await;
    assert_unclear(&desk, &bob, &tx, sent).await;
    // That he has cancelled does not mean that he has not sent it.
    let path = format!("/v1/top-ups/{}/cancel", his["id"].as_str().unwrap());
    assert_eq!(bob.send("POST", &path, &json!({})).await.status, 200);
    assert_unclear(&desk, &ann, &tx, sent).await;

    assert_eq!((ann.balance().await, bob.balance().await), ((100, 0, 0), (100, 0, 0)));
    assert_eq!(desk.waiting().await.len(), 1);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn too_much_less_too_much_more_or_after_the_quarantine_is_not_plain() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let due = micros(&order);
    for sent in [due - 5_000_001, due + 1_000_001, 20_000] {
        let tx = desk.send_usdt(sent);
        desk.poll().await;
        assert_unclear(&desk, &ann, &tx, sent).await;
    }
    desk.world.advance(26 * HOUR);
    let (tx, sent) = (desk.send_usdt(due - FEE), due - FEE);
    desk.poll().await;
    assert_unclear(&desk, &ann, &tx, sent).await;
    assert_eq!(desk.show(&ann, &order).await["status"], "expired");
    assert_eq!(desk.waiting().await.len(), 4);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn an_expired_order_gives_a_claim_within_its_quarantine_and_one_given_up_or_paid_gives_none() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (late, dropped) = (ordered(&desk, &ann, 2000).await, ordered(&desk, &ann, 10_000).await);
    let path = format!("/v1/top-ups/{}/cancel", dropped["id"].as_str().unwrap());
    assert_eq!(ann.send("POST", &path, &json!({})).await.status, 200);
    desk.world.advance(20 * HOUR);
    let (tx, sent) = withdrawn(&desk, &late).await;
    let claimed = claim(&ann, &tx).await;
    assert_eq!(claimed.body, json!({ "credited": sent / 10_000, "top_up_ids": [late["id"]] }));

    for order in [&dropped, &late] {
        let (tx, sent) = withdrawn(&desk, order).await;
        assert_unclear(&desk, &ann, &tx, sent).await;
    }
    assert_eq!(desk.show(&ann, &dropped).await["status"], "cancelled");
    books::check(&desk.world).await;
}

#[tokio::test]
async fn of_several_own_orders_the_nearest_is_meant() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (near, far) = (ordered(&desk, &ann, 2000).await, ordered(&desk, &ann, 2300).await);
    let (tx, sent) = withdrawn(&desk, &near).await;

    let claimed = claim(&ann, &tx).await;

    assert_eq!(claimed.body, json!({ "credited": sent / 10_000, "top_up_ids": [near["id"]] }));
    assert_eq!(desk.show(&ann, &far).await["status"], "created");
    books::check(&desk.world).await;
}

#[tokio::test]
async fn an_unknown_transaction_is_looked_for_once_a_minute_and_the_claimant_told_to_come_back() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    ordered(&desk, &ann, 2000).await;
    let looks =
        || desk.world.sandbox.journal().iter().filter(|entry| entry.service == Service::Tronscan).count();
    let unknown = "ef".repeat(32);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let refused = claim(&ann, &unknown).await;
        assert_eq!((refused.status, refused.problem()), (404, "transfer_unknown"), "{}", refused.text);
        assert_eq!(refused.headers["retry-after"], "60");
        seen.push(looks());
    }
    assert!(seen[0] > 0 && seen.iter().all(|looks| *looks == seen[0]), "one look for all three: {seen:?}");
    desk.world.advance(MINUTE);
    claim(&ann, &unknown).await;
    assert!(looks() > seen[0], "and another one a minute later");
    assert_eq!(desk.inbox_rows().await, 0);

    for wrong in ["", "ef", &"eg".repeat(32), &format!("0x{unknown}"), &"ef".repeat(33), "tron_usdt.x"] {
        let refused = claim(&ann, wrong).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{wrong}");
    }
}

#[tokio::test]
async fn a_claim_before_the_next_poll_makes_one() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (hers, his) = (ordered(&desk, &ann, 2000).await, ordered(&desk, &bob, 500).await);
    let sent = micros(&hers) - FEE;
    let tx = desk.send_usdt(sent);
    desk.send_usdt(micros(&his));

    assert_eq!(claim(&ann, &tx).await.body["credited"], sent / 10_000);

    assert_eq!(bob.balance().await, (100 + micros(&his) / 10_000, 0, 0), "the poll serves everybody");
    // And an exact transfer that its owner is impatient about.
    desk.world.advance(MINUTE);
    let exact = ordered(&desk, &ann, 500).await;
    let tx = desk.send_usdt(micros(&exact));
    let claimed = claim(&ann, &tx).await;
    assert_eq!(claimed.body, json!({ "credited": exact["credits"], "top_up_ids": [exact["id"]] }));
    assert_eq!(desk.show(&ann, &exact).await["status"], "paid");
    assert_eq!(desk.poll().await.credited, 0);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_claim_of_what_is_not_final_yet_works_a_minute_later() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let sent = micros(&order) - FEE;
    let tx = desk.world.sandbox.usdt_transfer(UsdtWish::of(sent));
    assert_eq!(claim(&ann, &tx).await.problem(), "transfer_unknown");
    assert_eq!(ann.balance().await, (100, 0, 0));
    desk.world.advance(MINUTE);
    assert_eq!(claim(&ann, &tx).await.body["credited"], sent / 10_000);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn while_no_indexer_answers_a_claim_asks_to_come_back() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let sent = micros(&order) - FEE;
    let tx = desk.send_usdt(sent);
    for service in [Service::Tronscan, Service::Trongrid] {
        desk.world.sandbox.faults().set(service, FaultRule::always(sandbox::Fault::Refuse));
    }
    let refused = claim(&ann, &tx).await;
    assert_eq!((refused.status, refused.problem()), (404, "transfer_unknown"));
    assert_eq!((desk.inbox_rows().await, ann.balance().await), (0, (100, 0, 0)));
    desk.world.sandbox.faults().clear();
    desk.world.advance(MINUTE);
    assert_eq!(claim(&ann, &tx).await.body["credited"], sent / 10_000);
    books::check(&desk.world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_claims_at_once_are_one_grant() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    bob.balance().await;

    let told = at_once((0..20).map(|nth| {
        let (person, tx) = (if nth % 2 == 0 { ann.clone() } else { bob.clone() }, tx.clone());
        async move { (person.name.clone(), claim(&person, &tx).await) }
    }))
    .await;

    let worth = sent / 10_000;
    for (name, answer) in &told {
        match name.as_str() {
            "ann" => {
                assert_eq!((answer.status, &answer.body["credited"]), (200, &worth.into()), "{}", answer.text)
            }
            _ => {
                assert!(["claim_unclear", "nothing_to_claim"].contains(&answer.problem()), "{}", answer.text)
            }
        }
    }
    assert_eq!((ann.balance().await, bob.balance().await), ((100 + worth, 0, 0), (100, 0, 0)));
    assert_eq!(desk.show(&ann, &order).await["payments"].as_array().unwrap().len(), 1);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn somebody_elses_credited_transfer_can_not_be_claimed() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = ordered(&desk, &ann, 2000).await;
    ordered(&desk, &bob, 2000).await;
    let tx = desk.send_usdt(micros(&order));
    assert_eq!(desk.poll().await.credited, 1);

    let refused = claim(&bob, &tx).await;

    assert_eq!((refused.status, refused.problem()), (409, "nothing_to_claim"));
    assert!(
        !refused.text.contains("user_sandbox_ann") && !refused.text.contains(order["id"].as_str().unwrap())
    );
    assert_eq!(bob.balance().await, (100, 0, 0));
    assert_eq!(claim(&ann, &tx).await.body["top_up_ids"], json!([order["id"]]));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn what_an_administrator_has_decided_a_claim_does_not_change() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    let path = format!("/v1/admin/payments/tron_usdt.{tx}.{sent}-0/dismiss");
    let dismissed = desk.administrator().send("POST", &path, &json!({ "note": "sent back" })).await;
    assert_eq!(dismissed.status, 200, "{}", dismissed.text);

    let refused = claim(&ann, &tx).await;

    assert_eq!((refused.status, refused.problem()), (409, "nothing_to_claim"));
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(desk.usdt_payment(&tx, sent).await["state"], "dismissed");
    books::check(&desk.world).await;
}
