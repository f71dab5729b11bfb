//! Money that goes back: what is unspent is taken, the rest is debt, and a won dispute restores exactly that.

use super::administrator::{change, chargeback, to};
use super::desk::{Desk, dong};
use crate::books;
use crate::world::{Answer, Person, credit, image};
use sandbox::IpnKind;
use serde_json::{Value, json};
use std::time::Duration;

/// A person with the welcome dollar and five dollars by bank transfer; the order and its payment's id.
async fn topped_up(desk: &Desk, name: &str) -> (Person, Value, String) {
    let person = desk.world.person(name);
    let order = desk.order(&person, "viet_qr", 500).await;
    desk.world.advance(Duration::from_secs(1));
    desk.transfer(dong(&order), order["reference"].as_str().unwrap()).await;
    let shown = desk.show(&person, &order).await;
    assert_eq!(person.balance().await, (600, 0, 0));
    desk.world.advance(Duration::from_secs(1));
    let id = shown["payments"][0]["id"].as_str().unwrap().to_owned();
    (person, order, id)
}

/// So many images of 4 cents.
async fn spend(desk: &Desk, person: &Person, images: usize) {
    for _ in 0..images {
        let run = person.run(&image("a red kite")).await;
        assert_eq!(run.status, 200, "{}", run.text);
    }
    desk.world.advance(Duration::from_secs(1));
}

fn partial(case: &str, credits: u64) -> Value {
    json!({ "cause": "return", "case": case, "credits": credit(credits), "note": "part of it was sent back" })
}

fn taken(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["entry_id"].as_str().unwrap()
}

async fn count(person: &Person, kind: &str) -> usize {
    person.transactions().await.iter().filter(|entry| entry["kind"] == kind).count()
}

#[tokio::test]
async fn what_is_unspent_is_taken_back_and_the_ledger_only_grows() {
    for cause in ["return", "chargeback"] {
        let desk = Desk::open().await;
        let (ann, order, id) = topped_up(&desk, "ann").await;
        let before = ann.transactions().await;

        let wish = json!({ "cause": cause, "case": "FT-1", "note": "sent back by hand" });
        let answer = desk.reverse(&id, &wish).await;

        assert_eq!(ann.balance().await, (100, 0, 0), "the welcome stays");
        let after = ann.transactions().await;
        assert_eq!((&after[1..], after.len()), (&before[..], before.len() + 1), "nothing is edited");
        assert_eq!(
            (&after[0]["id"], &after[0]["credits"]),
            (&json!(taken(&answer)), &credit(-500)),
            "{}",
            after[0]
        );
        let shown = desk.show(&ann, &order).await;
        assert_eq!(
            (&shown["status"], &shown["credited"], &shown["reversed"]),
            (&"reversed".into(), &credit(500), &credit(500)),
            "{shown}"
        );
        let fact = desk.payment(&id).await;
        assert_eq!((&fact["state"], &fact["reversed"]), (&"credited".into(), &credit(500)), "{fact}");
        assert_eq!(
            (&fact["audit"][0]["what"], &fact["audit"][0]["note"]),
            (&cause.into(), &"sent back by hand".into())
        );
        let more = desk.reverse(&id, &partial("FT-2", 1)).await;
        assert_eq!(more.problem(), "invalid_input", "nothing is left: {}", more.text);
        assert_eq!(ann.balance().await, (100, 0, 0));
        assert_eq!(ann.script("a red kite").await.status, 200, "there is no debt");
        books::check_payments(&desk.world).await;
    }
}

#[tokio::test]
async fn what_was_spent_becomes_debt_that_blocks_runs_until_new_credit_covers_it() {
    let desk = Desk::open().await;
    let (ann, order, id) = topped_up(&desk, "ann").await;
    // The welcome goes first: 100 cents of it and 20 of the top-up.
    spend(&desk, &ann, 30).await;
    assert_eq!(ann.balance().await, (480, 0, 0));

    taken(&desk.reverse(&id, &chargeback("CB-1")).await);

    assert_eq!(ann.balance().await, (0, 0, 20));
    let calls = desk.world.provider_calls(sandbox::Service::Fal);
    let refused = ann.run(&image("a red kite")).await;
    assert_eq!((refused.problem(), refused.status), ("debt_outstanding", 402));
    assert_eq!(desk.world.provider_calls(sandbox::Service::Fal), calls, "no provider worked for nothing");
    assert_eq!(count(&ann, "charge").await, 30);
    books::check_payments(&desk.world).await;

    // New money pays the debt first.
    let next = desk.order(&ann, "viet_qr", 500).await;
    desk.transfer(dong(&next), next["reference"].as_str().unwrap()).await;
    assert_eq!(ann.balance().await, (480, 0, 0));
    assert_eq!(desk.show(&ann, &next).await["credited"], credit(500), "the order shows what was paid");
    assert_eq!(desk.show(&ann, &order).await["status"], "reversed");
    assert_eq!(ann.run(&image("a red kite")).await.status, 200);
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn parts_are_taken_back_up_to_what_is_left() {
    let desk = Desk::open().await;
    let (ann, order, id) = topped_up(&desk, "ann").await;
    for (case, credits, left) in [("A", 200, 300), ("B", 299, 1)] {
        taken(&desk.reverse(&id, &partial(case, credits)).await);
        desk.world.advance(Duration::from_secs(1));
        assert_eq!(ann.balance().await, (100 + left, 0, 0), "{case}");
        assert_eq!(desk.show(&ann, &order).await["status"], "paid", "some of it still stands");
    }
    let too_much = desk.reverse(&id, &partial("C", 2)).await;
    assert_eq!(
        (too_much.problem(), &too_much.body["errors"][0]["pointer"]),
        ("invalid_input", &"/credits/amount".into())
    );
    for wrong in [credit(0), credit(-1), credit(0.5), json!(1)] {
        let mut wish = partial("C", 1);
        wish["credits"] = wrong;
        assert!(desk.reverse(&id, &wish).await.status >= 400);
    }
    assert_eq!(ann.balance().await, (101, 0, 0), "a refused part takes nothing");
    taken(&desk.reverse(&id, &chargeback("C")).await);
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["status"], "reversed");
    assert_eq!(count(&ann, "reversal").await, 3);
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn the_same_case_takes_back_once() {
    let desk = Desk::open().await;
    let (ann, _, id) = topped_up(&desk, "ann").await;
    let first = desk.reverse(&id, &partial("CB-1", 200)).await;
    // The same case told again, with blanks, and without a figure.
    for wish in [partial("CB-1", 200), partial("  CB-1 ", 200), chargeback("CB-1")] {
        assert_eq!(taken(&desk.reverse(&id, &wish).await), taken(&first), "{wish}");
    }
    let other = desk.reverse(&id, &partial("CB-1", 300)).await;
    assert_eq!((other.problem(), other.status), ("payment_settled", 409), "another figure is another case");
    assert_eq!(ann.balance().await, (400, 0, 0));
    assert_eq!(count(&ann, "reversal").await, 1);
    assert_eq!(desk.payment(&id).await["audit"].as_array().unwrap().len(), 1);
    // SePay's own voids bear this name; a person can't take it.
    for case in ["void", "", "  ", &"x".repeat(101)] {
        let refused = desk.reverse(&id, &chargeback(case)).await;
        assert_eq!(
            (refused.problem(), &refused.body["errors"][0]["pointer"]),
            ("invalid_input", &"/case".into())
        );
    }
    let mut void = chargeback("CB-9");
    void["cause"] = json!("void");
    assert_eq!(desk.reverse(&id, &void).await.problem(), "invalid_input", "only SePay voids");
    assert_eq!(ann.balance().await, (400, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn reversals_at_once_take_back_each_case_once_and_never_more_than_was_given() {
    let desk = Desk::open().await;
    let (ann, _, id) = topped_up(&desk, "ann").await;
    let other = desk.world.instance(&[]).await;
    let at_once: Vec<_> = (0..12)
        .map(|turn| {
            let base = if turn % 2 == 0 { &desk.world.product.base } else { &other.base };
            let (who, id) = (desk.administrator().at(base), id.clone());
            // Four cases of 200, each by three: two fit into 500.
            let wish = partial(&format!("case {}", turn % 4), 200);
            tokio::spawn(async move { (turn % 4, change(&who, &id, "reverse", &wish).await) })
        })
        .collect();
    let mut entries = std::collections::HashMap::new();
    for answer in at_once {
        let (case, answer) = answer.await.unwrap();
        if answer.status == 200 {
            let entry = answer.body["entry_id"].as_str().unwrap().to_owned();
            assert_eq!(entries.entry(case).or_insert_with(|| entry.clone()), &entry, "one entry per case");
        } else {
            assert_eq!(answer.problem(), "invalid_input", "{}", answer.text);
        }
    }
    assert_eq!(entries.len(), 2);
    assert_eq!(ann.balance().await, (200, 0, 0));
    assert_eq!(count(&ann, "reversal").await, 2);
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_won_dispute_gives_back_exactly_what_was_taken_once() {
    let desk = Desk::open().await;
    let (ann, order, id) = topped_up(&desk, "ann").await;
    spend(&desk, &ann, 30).await;
    let reversal = desk.reverse(&id, &chargeback("CB-1")).await;
    assert_eq!(ann.balance().await, (0, 0, 20));
    desk.world.advance(Duration::from_secs(1));

    let first = desk.reinstate(&id, &reversal).await;
    let again = desk.reinstate(&id, &reversal).await;

    assert_eq!(taken(&first), taken(&again));
    assert_eq!(ann.balance().await, (480, 0, 0), "as before the dispute");
    assert_eq!(count(&ann, "reinstatement").await, 1);
    assert_eq!(ann.run(&image("a red kite")).await.status, 200, "nothing is blocked any more");
    let shown = desk.show(&ann, &order).await;
    assert_eq!((&shown["status"], &shown["reversed"]), (&"paid".into(), &credit(0)), "{shown}");
    let fact = desk.payment(&id).await;
    assert_eq!(
        (&fact["reversed"], &fact["reversals"][0]["reinstated_by"]),
        (&credit(0), &json!(taken(&first))),
        "{fact}"
    );
    let what: Vec<&Value> = fact["audit"].as_array().unwrap().iter().map(|row| &row["what"]).collect();
    assert_eq!(what, ["chargeback", "reinstated"]);
    books::check_payments(&desk.world).await;

    // The case is closed; a new one takes it back again.
    desk.world.advance(Duration::from_secs(1));
    assert_eq!(desk.reverse(&id, &chargeback("CB-1")).await.problem(), "payment_settled");
    assert_eq!(ann.balance().await, (476, 0, 0), "the old case takes nothing twice");
    taken(&desk.reverse(&id, &chargeback("CB-2")).await);
    assert_eq!(ann.balance().await, (0, 0, 24));
    assert_eq!(desk.show(&ann, &order).await["status"], "reversed");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn reinstatements_at_once_give_back_once_each() {
    let desk = Desk::open().await;
    let (ann, order, id) = topped_up(&desk, "ann").await;
    let mut reversals = Vec::new();
    for case in ["A", "B"] {
        reversals.push(desk.reverse(&id, &partial(case, 250)).await);
        desk.world.advance(Duration::from_secs(1));
    }
    assert_eq!(ann.balance().await, (100, 0, 0));
    let other = desk.world.instance(&[]).await;
    let at_once: Vec<_> = (0..10)
        .map(|turn| {
            let base = if turn % 3 == 0 { &desk.world.product.base } else { &other.base };
            let (who, id) = (desk.administrator().at(base), id.clone());
            let wish = json!({ "reversal_entry_id": taken(&reversals[turn % 2]), "note": "won" });
            tokio::spawn(async move { change(&who, &id, "reinstate", &wish).await })
        })
        .collect();
    for answer in at_once {
        taken(&answer.await.unwrap());
    }
    assert_eq!(ann.balance().await, (600, 0, 0));
    assert_eq!(count(&ann, "reinstatement").await, 2);
    assert_eq!(desk.show(&ann, &order).await["status"], "paid");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn only_what_was_credited_can_be_taken_back_and_only_what_was_taken_given_back() {
    let desk = Desk::open().await;
    let (ann, order, id) = topped_up(&desk, "ann").await;
    let (bob, _, bobs) = topped_up(&desk, "bob").await;
    let waiting = desk.unmatched(131_350).await;
    let refused = desk.reverse(&waiting, &chargeback("CB-1")).await;
    assert_eq!((refused.problem(), refused.status), ("wrong_payment_state", 409), "it was never credited");
    assert_eq!(desk.reverse("viet_qr.1.0", &chargeback("CB-1")).await.problem(), "not_found");

    let reversal = desk.reverse(&bobs, &chargeback("CB-1")).await;
    desk.world.advance(Duration::from_secs(1));
    // Another person's reversal, the grant itself, and the run of somebody: none of them is a reversal of this.
    let grant = desk.show(&ann, &order).await["payments"][0]["entry_id"].clone();
    for entry in [reversal.body["entry_id"].clone(), grant] {
        let wish = json!({ "reversal_entry_id": entry, "note": "by mistake" });
        assert_eq!(change(&desk.administrator(), &id, "reinstate", &wish).await.problem(), "not_found");
    }
    let wish = json!({ "reversal_entry_id": "rubbish", "note": "by mistake" });
    assert_eq!(change(&desk.administrator(), &id, "reinstate", &wish).await.problem(), "invalid_input");
    assert_eq!((ann.balance().await, bob.balance().await), ((600, 0, 0), (100, 0, 0)));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_payment_that_was_assigned_without_an_order_is_reversed_like_any_other() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    ann.balance().await;
    let id = desk.unmatched(131_350).await;
    assert_eq!(desk.assign(&id, &to(&ann)).await.status, 200);
    desk.world.advance(Duration::from_secs(1));
    assert_eq!(ann.balance().await, (600, 0, 0));

    let reversal = desk.reverse(&id, &chargeback("CB-1")).await;
    assert_eq!(ann.balance().await, (100, 0, 0));
    desk.world.advance(Duration::from_secs(1));
    taken(&desk.reinstate(&id, &reversal).await);

    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_void_takes_only_what_an_administrator_has_left_of_it() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    desk.pay_by_card(&order).await;
    desk.ipn(&order, IpnKind::OrderPaid).await;
    desk.world.advance(Duration::from_secs(1));
    let id = format!("sepay_card.{}.0", order["reference"].as_str().unwrap());
    let part = desk.reverse(&id, &partial("by hand", 200)).await;
    assert_eq!(ann.balance().await, (400, 0, 0));
    desk.world.advance(Duration::from_secs(1));
    desk.world.sandbox.void_card(order["reference"].as_str().unwrap()).unwrap();

    assert_eq!(desk.ipn(&order, IpnKind::TransactionVoid).await.status, 200);

    assert_eq!(ann.balance().await, (100, 0, 0), "500 in all, not 700");
    assert_eq!(count(&ann, "reversal").await, 2);
    assert_eq!(desk.show(&ann, &order).await["status"], "reversed");
    desk.world.advance(Duration::from_secs(1));
    taken(&desk.reinstate(&id, &part).await);
    assert_eq!(ann.balance().await, (300, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn what_was_taken_back_whole_and_assigned_anew_can_not_be_given_back_as_well() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    ann.balance().await;
    bob.balance().await;
    let id = desk.unmatched(131_350).await;
    assert_eq!(desk.assign(&id, &to(&ann)).await.status, 200);
    desk.world.advance(Duration::from_secs(1));
    let wrong_person = json!({ "cause": "misassigned", "case": "wrong person", "note": "it was Bob's" });
    let reversal = desk.reverse(&id, &wrong_person).await;
    desk.world.advance(Duration::from_secs(1));
    let cured = desk.assign(&id, &to(&bob)).await;
    assert_eq!((cured.status, bob.balance().await), (200, (600, 0, 0)), "{}", cured.text);
    desk.world.advance(Duration::from_secs(1));

    let both = desk.reinstate(&id, &reversal).await;

    assert_eq!(both.problem(), "not_found", "that reversal was of Ann's grant");
    assert_eq!(
        (ann.balance().await, bob.balance().await),
        ((100, 0, 0), (600, 0, 0)),
        "one payment, one credit"
    );
    // Wrong again, under the same name of the case: it takes from Bob now.
    taken(&desk.reverse(&id, &wrong_person).await);
    assert_eq!((ann.balance().await, bob.balance().await), ((100, 0, 0), (100, 0, 0)));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn what_went_back_with_its_money_is_given_to_nobody_else() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    ann.balance().await;
    bob.balance().await;
    let id = desk.unmatched(131_350).await;
    assert_eq!(desk.assign(&id, &to(&ann)).await.status, 200);
    desk.world.advance(Duration::from_secs(1));
    taken(&desk.reverse(&id, &chargeback("CB-1")).await);

    let refused = desk.assign(&id, &to(&bob)).await;

    assert_eq!((refused.status, refused.problem()), (409, "payment_settled"));
    assert_eq!((ann.balance().await, bob.balance().await), ((100, 0, 0), (100, 0, 0)));
    books::check_payments(&desk.world).await;
}
