//! Claims: the chain is public, so naming a transaction proves nothing. What no exact amount proves waits a day for
//! others to object, or for a person.

use super::desk::{Desk, at_once, micros};
use crate::books;
use crate::world::{Answer, Person, credit};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
/// How long a claim waits for others to object.
pub(super) const WAIT: Duration = Duration::from_secs(24 * 3600);
/// What an exchange keeps of a withdrawal.
pub(super) const FEE: u64 = 1_000_000;

pub(super) async fn claim(person: &Person, tx: &str) -> Answer {
    person.send("POST", "/v1/top-ups/claims", &json!({ "transaction_id": tx })).await
}

/// An order, a minute later.
pub(super) async fn ordered(desk: &Desk, person: &Person, cents: u64) -> Value {
    let order = desk.order(person, "tron_usdt", cents).await;
    desk.world.advance(MINUTE);
    order
}

/// What an exchange sends for an order: the amount without its fee. Polled, and nobody's.
pub(super) async fn withdrawn(desk: &Desk, order: &Value) -> (String, u64) {
    let sent = micros(order) - FEE;
    let tx = desk.send_usdt(sent);
    let report = desk.poll().await;
    assert_eq!((report.credited, report.kept), (0, 1), "{report:?}");
    (tx, sent)
}

/// Refused with this code, no credit moved, and the claim is noted for the administrator.
pub(super) async fn assert_unclear(desk: &Desk, person: &Person, tx: &str, sent: u64) {
    let before = person.balance().await;
    let refused = claim(person, tx).await;
    assert_eq!((refused.status, refused.problem()), (409, "claim_unclear"), "{}", refused.text);
    assert_eq!(person.balance().await, before);
    let payment = desk.usdt_payment(tx, sent).await;
    assert_eq!(payment["state"], "unmatched", "{payment}");
    let is_note = |row: &&Value| row["who"] == person.id() && row["what"] == "claimed";
    let notes = payment["audit"].as_array().unwrap().iter().filter(is_note).count();
    assert_eq!(notes, 1, "however often it was claimed: {payment}");
    assert!(payment["claimant_ids"].as_array().unwrap().contains(&json!(person.id())), "{payment}");
}

/// Accepted, no credit moved yet, and told until when it waits.
pub(super) async fn assert_waits(desk: &Desk, person: &Person, order: &Value, tx: &str, sent: u64) -> Answer {
    let before = person.balance().await;
    let told = claim(person, tx).await;
    assert_eq!(told.status, 202, "{}", told.text);
    assert_eq!((&told.body["credited"], &told.body["top_up_ids"]), (&credit(0), &json!([])), "{}", told.text);
    let waiting = &told.body["waiting"][0];
    assert_eq!((&waiting["credits"], &waiting["top_up_id"]), (&credit(sent / 10_000), &order["id"]));
    let (until, message) = (waiting["waiting_until"].as_str().unwrap(), waiting["message"].as_str().unwrap());
    assert!(message.contains(&format!("waits until {until}")), "{message}");
    assert_eq!(person.balance().await, before);
    let payment = desk.usdt_payment(tx, sent).await;
    assert_eq!(
        (&payment["state"], &payment["claimed_until"]),
        (&json!("claimed"), &json!(until)),
        "{payment}"
    );
    assert_eq!((&payment["account_id"], &payment["top_up_id"]), (&json!(person.id()), &order["id"]));
    assert_eq!(payment["claimant_ids"], json!([person.id()]), "{payment}");
    told
}

/// What a person has who was given this beside the welcome.
pub(super) fn with(sent: u64) -> (u64, u64, u64) {
    (100 + sent / 10_000, 0, 0)
}

#[tokio::test]
async fn what_an_exchange_has_sent_less_its_fee_waits_a_day_and_is_credited_to_the_claimants_order() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    assert_eq!(ann.balance().await, (100, 0, 0));

    let told = assert_waits(&desk, &ann, &order, &tx, sent).await;

    let again = claim(&ann, &tx.to_uppercase()).await;
    assert_eq!(
        (again.status, &again.body),
        (202, &told.body),
        "claimed again, it waits no longer and no shorter"
    );
    assert_eq!(desk.waiting().await.len(), 1, "an administrator sees it meanwhile");
    desk.world.advance(WAIT - Duration::from_secs(1));
    assert_eq!(desk.poll().await.claims_granted, 0);
    desk.world.advance(Duration::from_secs(1));
    assert_eq!(desk.poll().await.claims_granted, 1);

    let worth = sent / 10_000;
    assert_eq!(ann.balance().await, with(sent));
    let shown = desk.show(&ann, &order).await;
    assert_eq!((&shown["status"], &shown["credited"]), (&"partly_paid".into(), &credit(worth)), "{shown}");
    let payment = desk.usdt_payment(&tx, sent).await;
    assert_eq!((&payment["state"], &payment["top_up_id"]), (&"credited".into(), &order["id"]), "{payment}");
    let whats: Vec<&Value> = payment["audit"].as_array().unwrap().iter().map(|row| &row["what"]).collect();
    assert_eq!(whats.len(), 2, "{payment}");
    assert!(whats.contains(&&json!("claimed")) && whats.contains(&&json!("granted")), "{payment}");
    assert!(desk.waiting().await.is_empty());
    for _ in 0..3 {
        desk.world.advance(HOUR);
        assert_eq!(desk.poll().await.claims_granted, 0);
        let again = claim(&ann, &tx).await;
        let expected = json!({ "credited": credit(worth), "top_up_ids": [order["id"]] });
        assert_eq!((again.status, &again.body), (200, &expected), "the same answer, and no second grant");
    }
    assert_eq!(ann.balance().await, with(sent));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_claim_whose_wait_is_over_is_granted_to_a_claimant_who_comes_before_the_poll() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    assert_waits(&desk, &ann, &order, &tx, sent).await;
    desk.world.advance(WAIT);

    let told = claim(&ann, &tx).await;

    assert_eq!((told.status, &told.body["credited"]), (200, &credit(sent / 10_000)), "{}", told.text);
    assert_eq!(desk.poll().await.claims_granted, 0, "and by no poll once more");
    assert_eq!(ann.balance().await, with(sent));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_transfer_without_its_suffix_is_not_given_to_a_stranger_with_an_order_of_the_same_tier() {
    for has_order in [true, false] {
        let desk = Desk::open().await;
        let (ann, mallory) = (desk.world.person("ann"), desk.world.person("mallory"));
        let his = ordered(&desk, &mallory, 2000).await;
        if has_order {
            ordered(&desk, &ann, 2000).await;
        }
        ann.balance().await;
        let sent = 20_000_000;
        let tx = desk.send_usdt(sent);
        desk.poll().await;

        match has_order {
            // Two people's orders are near it, so waiting would prove nothing.
            true => assert_unclear(&desk, &mallory, &tx, sent).await,
            false => drop(assert_waits(&desk, &mallory, &his, &tx, sent).await),
        }
        desk.world.advance(WAIT - HOUR);
        assert_unclear(&desk, &ann, &tx, sent).await;
        assert_unclear(&desk, &mallory, &tx, sent).await;
        desk.world.advance(3 * WAIT);
        assert_eq!(desk.poll().await.claims_granted, 0);

        assert_eq!((ann.balance().await, mallory.balance().await), ((100, 0, 0), (100, 0, 0)));
        let waiting = desk.waiting().await;
        assert_eq!((waiting.len(), &waiting[0]["why"]), (1, &json!("claim_unclear")), "{waiting:?}");
        assert_eq!(waiting[0]["claimant_ids"], json!([mallory.id(), ann.id()]), "with both names");
        let to_ann = json!({ "account_id": ann.id(), "note": "her wallet sent it" });
        let id = waiting[0]["id"].as_str().unwrap();
        assert_eq!(desk.assign(id, &to_ann).await.status, 200);
        assert_eq!(ann.balance().await, with(sent));
        let refused = claim(&mallory, &tx).await;
        assert_eq!(refused.problem(), "nothing_to_claim");
        books::check_payments(&desk.world).await;
    }
}

#[tokio::test]
async fn an_amount_that_was_given_to_another_account_is_never_granted_by_itself_and_to_its_owner_at_once() {
    let desk = Desk::open().await;
    let (ann, mallory) = (desk.world.person("ann"), desk.world.person("mallory"));
    let hers = desk.order(&ann, "tron_usdt", 2000).await;
    // Too late for its order, but the amount's row is still known.
    desk.world.advance(26 * HOUR);
    let his = ordered(&desk, &mallory, 2000).await;
    let sent = micros(&hers);
    let tx = desk.send_usdt(sent);
    assert_eq!(desk.poll().await.kept, 1);

    assert_unclear(&desk, &mallory, &tx, sent).await;
    desk.world.advance(2 * WAIT);
    assert_eq!(desk.poll().await.claims_granted, 0);
    assert_eq!(mallory.balance().await, (100, 0, 0));
    let claimed = claim(&ann, &tx).await;

    assert_eq!(claimed.body, json!({ "credited": hers["credits"], "top_up_ids": [hers["id"]] }));
    assert_eq!(ann.balance().await, with(sent));
    assert_eq!(claim(&mallory, &tx).await.problem(), "nothing_to_claim");
    assert_eq!(desk.show(&mallory, &his).await["payments"], json!([]));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn orders_for_other_amounts_send_nobodys_claim_to_a_person() {
    let desk = Desk::open().await;
    let (ann, troll) = (desk.world.person("ann"), desk.world.person("troll"));
    for cents in [50_000, 10_000, 5_000, 500] {
        ordered(&desk, &troll, cents).await;
    }
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;

    assert_waits(&desk, &ann, &order, &tx, sent).await;
    desk.world.advance(WAIT);
    assert_eq!(desk.poll().await.claims_granted, 1);

    assert_eq!(ann.balance().await, with(sent));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn digits_that_a_fee_left_tell_an_order_from_others_of_its_tier() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (hers, his) = (ordered(&desk, &ann, 2000).await, ordered(&desk, &bob, 2000).await);
    let (tx, sent) = withdrawn(&desk, &hers).await;
    assert_waits(&desk, &ann, &hers, &tx, sent).await;
    // Half a dollar less: the digits are lost, and either may have sent it.
    let sent_to_both = micros(&his) - 500_000;
    let lost = desk.send_usdt(sent_to_both);
    desk.poll().await;

    assert_unclear(&desk, &bob, &lost, sent_to_both).await;
    desk.world.advance(WAIT);
    assert_eq!(desk.poll().await.claims_granted, 1);

    assert_eq!((ann.balance().await, bob.balance().await), (with(sent), (100, 0, 0)));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_second_persons_claim_ends_the_wait_and_a_person_decides() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    bob.balance().await;
    assert_waits(&desk, &ann, &order, &tx, sent).await;
    desk.world.advance(WAIT - Duration::from_secs(1));

    assert_unclear(&desk, &bob, &tx, sent).await;

    assert_unclear(&desk, &ann, &tx, sent).await;
    for _ in 0..3 {
        desk.world.advance(WAIT);
        assert_eq!(desk.poll().await.claims_granted, 0);
    }
    let payment = desk.usdt_payment(&tx, sent).await;
    assert_eq!(payment["claimant_ids"], json!([ann.id(), bob.id()]), "{payment}");
    assert_eq!((ann.balance().await, bob.balance().await), ((100, 0, 0), (100, 0, 0)));
    assert_eq!(desk.waiting().await.len(), 1);
    // In the other order it is no different: who claims first has no more right to it.
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    assert_unclear(&desk, &bob, &tx, sent).await;
    assert_unclear(&desk, &ann, &tx, sent).await;
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn who_claims_after_another_was_granted_it_is_noted_and_told_to_write() {
    let desk = Desk::open().await;
    let (ann, mallory) = (desk.world.person("ann"), desk.world.person("mallory"));
    let his = ordered(&desk, &mallory, 2000).await;
    let (tx, sent) = withdrawn(&desk, &his).await;
    assert_waits(&desk, &mallory, &his, &tx, sent).await;
    desk.world.advance(WAIT);
    desk.poll().await;
    assert_eq!(mallory.balance().await, with(sent));
    ann.balance().await;

    for _ in 0..2 {
        let refused = claim(&ann, &tx).await;
        assert_eq!((refused.status, refused.problem()), (409, "nothing_to_claim"));
    }

    let payment = desk.usdt_payment(&tx, sent).await;
    assert_eq!(payment["claimant_ids"], json!([mallory.id(), ann.id()]), "{payment}");
    // A person finds for the second, and can put it right.
    let id = payment["id"].as_str().unwrap();
    let wrong = json!({ "cause": "misassigned", "case": "ann-1", "note": "her exchange shows it" });
    assert_eq!(desk.reverse(id, &wrong).await.status, 200);
    let to_ann = json!({ "account_id": ann.id(), "note": "her exchange shows it" });
    assert_eq!(desk.assign(id, &to_ann).await.status, 200);
    assert_eq!((ann.balance().await, mallory.balance().await), (with(sent), (100, 0, 0)));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn more_than_a_days_sum_is_not_granted_without_a_person() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (large, small) = (ordered(&desk, &ann, 9000).await, ordered(&desk, &ann, 2000).await);
    let (tx, sent) = withdrawn(&desk, &large).await;
    assert_waits(&desk, &ann, &large, &tx, sent).await;
    let (too_much, beyond) = withdrawn(&desk, &small).await;

    assert_unclear(&desk, &ann, &too_much, beyond).await;

    desk.world.advance(WAIT);
    assert_eq!(desk.poll().await.claims_granted, 1);
    assert_eq!(ann.balance().await, with(sent));
    // Another day has a sum of its own.
    let next = ordered(&desk, &ann, 3000).await;
    let (tx, sent) = withdrawn(&desk, &next).await;
    assert_waits(&desk, &ann, &next, &tx, sent).await;
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_person_names_ten_transfers_a_day_and_no_more() {
    let desk = Desk::open().await;
    let (troll, bob) = (desk.world.person("troll"), desk.world.person("bob"));
    troll.balance().await;
    bob.balance().await;
    let sent: Vec<(String, u64)> =
        (0..11).map(|nth| 30_000_000 + nth * 1_000).map(|micros| (desk.send_usdt(micros), micros)).collect();
    desk.poll().await;
    for (tx, micros) in &sent[..10] {
        assert_unclear(&desk, &troll, tx, *micros).await;
        assert_unclear(&desk, &troll, tx, *micros).await;
    }

    let (tx, micros) = &sent[10];
    let refused = claim(&troll, tx).await;

    assert_eq!((refused.status, refused.problem()), (429, "rate_limited"), "{}", refused.text);
    assert!(refused.text.contains("tomorrow"), "{}", refused.text);
    let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(desk.usdt_payment(tx, *micros).await["why"], "no_order", "it leaves no trace");
    assert_unclear(&desk, &bob, tx, *micros).await;
    desk.world.advance(Duration::from_secs(seconds));
    assert_unclear(&desk, &troll, tx, *micros).await;
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_wait_whose_order_was_paid_or_whose_person_left_ends_with_a_person() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (hers, his) = (ordered(&desk, &ann, 2000).await, ordered(&desk, &bob, 10_000).await);
    let (of_ann, sent_by_ann) = withdrawn(&desk, &hers).await;
    let (of_bob, sent_by_bob) = withdrawn(&desk, &his).await;
    assert_waits(&desk, &ann, &hers, &of_ann, sent_by_ann).await;
    assert_waits(&desk, &bob, &his, &of_bob, sent_by_bob).await;
    desk.send_usdt(micros(&hers));
    assert_eq!(desk.poll().await.credited, 1);
    desk.delete(&bob).await;
    desk.world.advance(WAIT);

    assert_eq!(desk.poll().await.claims_granted, 0);

    let payment = desk.usdt_payment(&of_ann, sent_by_ann).await;
    assert_eq!((&payment["state"], &payment["why"]), (&json!("unmatched"), &json!("claim_unclear")));
    let payment = desk.usdt_payment(&of_bob, sent_by_bob).await;
    assert_eq!((&payment["state"], &payment["why"]), (&json!("unmatched"), &json!("account_closed")));
    assert_eq!(ann.balance().await, with(micros(&hers)));
    desk.world.advance(WAIT);
    assert_eq!(desk.poll().await.claims_granted, 0);
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn an_administrator_decides_about_a_waiting_claim_at_any_time() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (first, second) = (ordered(&desk, &ann, 2000).await, ordered(&desk, &ann, 5000).await);
    let (granted, sent) = withdrawn(&desk, &first).await;
    let (dropped, other) = withdrawn(&desk, &second).await;
    assert_waits(&desk, &ann, &first, &granted, sent).await;
    assert_waits(&desk, &ann, &second, &dropped, other).await;
    let id = |tx: &str, sent: u64| format!("tron_usdt.{tx}.{sent}-0");
    let to_ann = json!({ "account_id": ann.id(), "top_up_id": first["id"], "note": "she showed it" });
    assert_eq!(desk.assign(&id(&granted, sent), &to_ann).await.status, 200);
    let path = format!("/v1/admin/payments/{}/dismiss", id(&dropped, other));
    assert_eq!(desk.administrator().send("POST", &path, &json!({ "note": "sent back" })).await.status, 200);
    assert_eq!(ann.balance().await, with(sent));

    desk.world.advance(WAIT);
    assert_eq!(desk.poll().await.claims_granted, 0);

    assert_eq!(claim(&ann, &granted).await.body["credited"], credit(sent / 10_000));
    assert_eq!(claim(&ann, &dropped).await.problem(), "nothing_to_claim");
    assert_eq!(ann.balance().await, with(sent));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_strangers_claim_is_noted_and_gives_them_nothing() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    bob.balance().await;

    assert_unclear(&desk, &bob, &tx, sent).await;
    ordered(&desk, &bob, 2000).await;
    assert_unclear(&desk, &bob, &tx, sent).await;

    desk.world.advance(WAIT);
    desk.poll().await;
    assert_eq!(bob.balance().await, (100, 0, 0));
    books::check_payments(&desk.world).await;
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
    let late = ordered(&desk, &ann, 2000).await;
    let (dropped, paid) = (ordered(&desk, &ann, 10_000).await, ordered(&desk, &ann, 5000).await);
    let path = format!("/v1/top-ups/{}/cancel", dropped["id"].as_str().unwrap());
    assert_eq!(ann.send("POST", &path, &json!({})).await.status, 200);
    desk.send_usdt(micros(&paid));
    assert_eq!(desk.poll().await.credited, 1);
    desk.world.advance(20 * HOUR);
    for order in [&dropped, &paid] {
        let (tx, sent) = withdrawn(&desk, order).await;
        assert_unclear(&desk, &ann, &tx, sent).await;
    }
    let (tx, sent) = withdrawn(&desk, &late).await;
    assert_waits(&desk, &ann, &late, &tx, sent).await;
    desk.world.advance(WAIT);
    assert_eq!(desk.poll().await.claims_granted, 1);
    assert_eq!(desk.show(&ann, &late).await["credited"], credit(sent / 10_000));
    assert_eq!(desk.show(&ann, &dropped).await["status"], "cancelled");
    books::check(&desk.world).await;
}

#[tokio::test]
async fn of_several_own_orders_the_nearest_is_meant() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (near, far) = (ordered(&desk, &ann, 2000).await, ordered(&desk, &ann, 2300).await);
    let (tx, sent) = withdrawn(&desk, &near).await;

    assert_waits(&desk, &ann, &near, &tx, sent).await;

    desk.world.advance(WAIT);
    assert_eq!(desk.poll().await.claims_granted, 1);
    assert_eq!(desk.show(&ann, &near).await["credited"], credit(sent / 10_000));
    assert_eq!(desk.show(&ann, &far).await["payments"], json!([]));
    books::check(&desk.world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_claims_at_once_are_one_wait_and_many_ends_of_it_one_grant() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, sent) = withdrawn(&desk, &order).await;
    ann.balance().await;
    let many = async || {
        at_once((0..12).map(|_| {
            let (ann, tx) = (ann.clone(), tx.clone());
            async move { claim(&ann, &tx).await }
        }))
        .await
    };

    let told = many().await;
    for answer in &told {
        assert_eq!((answer.status, &answer.body), (202, &told[0].body), "{}", answer.text);
    }
    desk.world.advance(WAIT);
    let (told, first, second) = tokio::join!(many(), desk.poll(), desk.poll());

    let worth = sent / 10_000;
    for answer in &told {
        assert_eq!((answer.status, &answer.body["credited"]), (200, &credit(worth)), "{}", answer.text);
    }
    assert!(first.claims_granted + second.claims_granted <= 1);
    assert_eq!(ann.balance().await, with(sent));
    assert_eq!(desk.show(&ann, &order).await["payments"].as_array().unwrap().len(), 1);
    books::check_payments(&desk.world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_of_two_people_at_once_are_nobodys_grant() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = ordered(&desk, &ann, 2000).await;
    let (tx, _) = withdrawn(&desk, &order).await;
    ann.balance().await;
    bob.balance().await;

    let told = at_once((0..20).map(|nth| {
        let (person, tx) = (if nth % 2 == 0 { ann.clone() } else { bob.clone() }, tx.clone());
        async move { claim(&person, &tx).await }
    }))
    .await;

    for answer in &told {
        assert!(answer.status == 202 || answer.problem() == "claim_unclear", "{}", answer.text);
    }
    desk.world.advance(WAIT);
    assert_eq!(desk.poll().await.claims_granted, 0);
    assert_eq!((ann.balance().await, bob.balance().await), ((100, 0, 0), (100, 0, 0)));
    books::check_payments(&desk.world).await;
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
