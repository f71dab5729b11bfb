//! One transfer that SePay tells again under another id waits for a person; a real second payment is credited at once.

use super::administrator::to;
use super::bank::code;
use super::desk::{Desk, assert_taken, at_once, bank_message, carry, deliver, dong};
use crate::books;
use crate::world::{Books, Fault, Person, dong_of};
use sandbox::TransferWish;
use serde_json::{Value, json};
use std::time::Duration;

const AT: &str = "2026-01-01 07:00:00";

/// What SePay's webhook says, with some fields told otherwise; `null` leaves a field out.
fn told(order: &Value, id: u64, changes: &Value) -> Vec<u8> {
    let mut body = json!({
        "id": id, "gateway": "ACB", "transactionDate": AT, "accountNumber": sandbox::BANK_ACCOUNT,
        "code": null, "content": code(order), "transferType": "in", "transferAmount": dong(order),
        "accumulated": 0, "subAccount": null, "referenceCode": "FT26001000001", "description": code(order),
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(body.as_object_mut().unwrap().remove(name)),
            value => body[name] = value.clone(),
        }
    }
    body.to_string().into_bytes()
}

async fn tell(desk: &Desk, order: &Value, id: u64, changes: Value) -> Value {
    assert_taken(&desk.deliver(&bank_message(told(order, id, &changes))).await);
    desk.payment(&format!("viet_qr.{id}.0")).await
}

/// A desk whose clock stands where the messages of these tests say they were paid.
async fn open() -> (Desk, Person) {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    (desk, ann)
}

/// Vietnam's time now, as the bank prints it, some seconds later.
fn bank_time(desk: &Desk, seconds: u64) -> String {
    let there = desk.world.now().after(Duration::from_secs(7 * 3600 + seconds)).to_string();
    format!("{} {}", &there[..10], &there[11..19])
}

#[tokio::test]
async fn the_same_transfer_under_a_new_id_waits_and_says_which_one_it_repeats() {
    let (desk, ann) = open().await;
    let order = desk.order(&ann, "viet_qr", 500).await;
    let at = json!({ "transactionDate": bank_time(&desk, 0) });
    assert_eq!(tell(&desk, &order, 1_001, at.clone()).await["state"], "credited");

    let again = tell(&desk, &order, 1_002, at.clone()).await;

    assert_eq!((&again["state"], &again["why"]), (&"unmatched".into(), &"likely_repeat".into()), "{again}");
    assert_eq!(
        (&again["repeat_of"], &again["top_up_id"]),
        (&"viet_qr.1001.0".into(), &order["id"]),
        "{again}"
    );
    assert_eq!(
        (&again["amount"], &again["account_id"]),
        (&dong_of(131_350, "131,350"), &ann.id().into()),
        "{again}"
    );
    assert_eq!(ann.balance().await, (600, 0, 0), "credited once");
    assert_eq!(desk.show(&ann, &order).await["status"], "paid");
    // Told a third time, and the second once more.
    assert_eq!(tell(&desk, &order, 1_003, at.clone()).await["repeat_of"], "viet_qr.1001.0");
    tell(&desk, &order, 1_002, at).await;
    assert_eq!(desk.waiting().await.len(), 2);

    // A person who knows that it is really a second payment assigns it.
    let wish =
        json!({ "account_id": ann.id(), "top_up_id": order["id"], "note": "two transfers on the statement" });
    assert_eq!(desk.assign("viet_qr.1002.0", &wish).await.status, 200);
    assert_eq!(ann.balance().await, (1_100, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn what_a_feed_changes_in_telling_again_hides_no_repeat() {
    let (desk, ann) = open().await;
    let now = bank_time(&desk, 0);
    for (nth, changes) in (2_000..).step_by(10).zip([
        json!({}),
        json!({ "referenceCode": " ft26001000001 " }),
        json!({ "transactionDate": null }),
        json!({ "transactionDate": "soon" }),
        json!({ "accountNumber": null }),
        json!({ "subAccount": "VA123" }),
        json!({ "content": "another text", "description": null, "code": null }),
        json!({ "description": "another text" }),
        json!({ "gateway": "MBBank", "accumulated": 7 }),
        json!({ "transferAmount": "131350.00", "transferType": "IN" }),
        json!({ "referenceCode": null }),
        json!({ "referenceCode": "" }),
        json!({ "referenceCode": "-" }),
        json!({ "referenceCode": true }),
    ]) {
        let order = desk.order(&ann, "viet_qr", 500).await;
        let own = json!({ "transactionDate": now, "referenceCode": format!("FT{nth}") });
        assert_eq!(tell(&desk, &order, nth, own.clone()).await["state"], "credited");
        let before = ann.balance().await;
        let mut again = own;
        for (name, value) in changes.as_object().unwrap() {
            again[name] = value.clone();
        }
        if again["referenceCode"] == " ft26001000001 " {
            again["referenceCode"] = json!(format!(" ft{nth} "));
        }
        let again = tell(&desk, &order, nth + 1, again).await;
        assert_eq!(
            (&again["state"], &again["why"]),
            (&"unmatched".into(), &"likely_repeat".into()),
            "{changes}"
        );
        assert_eq!(again["repeat_of"], format!("viet_qr.{nth}.0"), "{changes}");
        assert_eq!(ann.balance().await, before, "{changes}");
    }
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_second_payment_that_differs_in_reference_time_or_amount_is_credited_at_once() {
    let (desk, ann) = open().await;
    let (now, later) = (bank_time(&desk, 0), bank_time(&desk, 1));
    desk.world.advance(Duration::from_secs(5));
    for (nth, changes) in (3_000..).step_by(10).zip([
        json!({ "referenceCode": "FT9" }),
        json!({ "transactionDate": later }),
        json!({ "referenceCode": null, "transactionDate": later }),
        json!({ "transferAmount": 131_351 }),
        json!({ "referenceCode": "FT8", "transactionDate": null }),
    ]) {
        let order = desk.order(&ann, "viet_qr", 500).await;
        let own = json!({ "transactionDate": now, "referenceCode": format!("FT{nth}") });
        tell(&desk, &order, nth, own.clone()).await;
        let mut second = own;
        for (name, value) in changes.as_object().unwrap() {
            second[name] = value.clone();
        }
        let second = tell(&desk, &order, nth + 1, second).await;
        assert_eq!(second["state"], "credited", "{changes}: {second}");
    }
    assert!(desk.waiting().await.is_empty());
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn without_a_reference_the_named_order_and_the_time_tell_a_repeat() {
    let (desk, ann) = open().await;
    let (one, two) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&ann, "viet_qr", 500).await);
    let own = json!({ "transactionDate": bank_time(&desk, 0), "referenceCode": null });
    assert_eq!(tell(&desk, &one, 4_001, own.clone()).await["state"], "credited");
    assert_eq!(tell(&desk, &two, 4_002, own.clone()).await["state"], "credited", "it names another order");
    assert_eq!(tell(&desk, &one, 4_003, own).await["why"], "likely_repeat");
    let undated = json!({ "transactionDate": null, "referenceCode": null });
    assert_eq!(tell(&desk, &two, 4_004, undated).await["why"], "likely_repeat", "nothing tells it apart");
    assert_eq!(ann.balance().await, (1_100, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_ids_for_one_transfer_at_the_same_moment_one_is_credited() {
    let (desk, ann) = open().await;
    let order = desk.order(&ann, "viet_qr", 500).await;
    let other = desk.world.instance(&[]).await;
    let at = json!({ "transactionDate": bank_time(&desk, 0) });
    let mut messages: Vec<_> = (0..20).map(|nth| bank_message(told(&order, 5_000 + nth, &at))).collect();
    // SePay sends again what was not taken.
    for _ in 0..8 {
        let bases = [desk.world.product.base.clone(), other.base.clone()];
        let answers = at_once(
            messages.iter().enumerate().map(|(nth, message)| carry(bases[nth % 2].clone(), message.clone())),
        )
        .await;
        assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
        let mut answers = answers.into_iter();
        messages.retain(|_| answers.next() != Some(200));
    }
    assert!(messages.is_empty());
    assert_eq!(ann.balance().await, (600, 0, 0), "one grant");
    let waiting = desk.waiting().await;
    assert_eq!(waiting.len(), 19);
    assert!(waiting.iter().all(|payment| payment["why"] == "likely_repeat"), "{waiting:?}");
    books::check_payments(&desk.world).await;
}

/// The first message is delivered to an instance whose writing waits while the second is read, decided and written.
async fn cross(desk: &Desk, first: Vec<u8>, second: Vec<u8>) {
    let slow = desk.world.instance(&[]).await;
    slow.meddler.plan(0, Fault::LateTransaction);
    let (first, second) = (bank_message(first), bank_message(second));
    let mut crossing = std::pin::pin!(deliver(&slow, &first));
    tokio::select! {
        answer = &mut crossing => panic!("it was not overtaken: {}", answer.text),
        () = slow.meddler.holding_back() => {}
    }
    assert_taken(&desk.deliver(&second).await);
    slow.meddler.let_go();
    assert_taken(&crossing.await);
}

/// Neither names an order, so the row of their reference is all that both write: a new one, or an earlier transfer's.
#[tokio::test]
async fn of_two_ids_that_cross_on_their_way_the_one_that_is_written_last_is_told_as_a_repeat() {
    for has_earlier in [false, true] {
        let (desk, ann) = open().await;
        let order = desk.order(&ann, "viet_qr", 500).await;
        let thanks = |seconds: u64| {
            json!({
                "transactionDate": bank_time(&desk, seconds), "referenceCode": "FT8900",
                "content": "thanks", "description": "thanks",
            })
        };
        if has_earlier {
            tell(&desk, &order, 8_900, thanks(0)).await;
        }
        cross(&desk, told(&order, 8_901, &thanks(90)), told(&order, 8_902, &thanks(90))).await;

        assert_eq!(desk.payment("viet_qr.8902.0").await["repeat_of"], Value::Null);
        let first = desk.payment("viet_qr.8901.0").await;
        assert_eq!(first["repeat_of"], "viet_qr.8902.0", "{first}");
    }
}

#[tokio::test]
async fn two_payments_of_one_order_that_cross_on_their_way_are_both_credited_and_shown() {
    let (desk, ann) = open().await;
    let order = desk.order(&ann, "viet_qr", 500).await;
    let own = |reference: &str| json!({ "transactionDate": bank_time(&desk, 0), "referenceCode": reference });
    // Half now, half in another transfer: an amount that differs has rows of its own.
    let part = |amount: u64, reference: &str| {
        let mut changes = own(reference);
        changes["transferAmount"] = json!(amount);
        changes
    };
    cross(&desk, told(&order, 8_801, &part(60_000, "FT8801")), told(&order, 8_802, &part(71_350, "FT8802")))
        .await;

    let shown = desk.show(&ann, &order).await;
    assert_eq!(
        (&shown["status"], shown["payments"].as_array().unwrap().len()),
        (&json!("paid"), 2),
        "{shown}"
    );
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_repeat_is_recognised_when_list_and_webhook_bring_it_and_when_the_first_one_waits() {
    let (desk, ann) = open().await;
    let order = desk.order(&ann, "viet_qr", 500).await;
    let id = desk.world.sandbox.bank_transfer(TransferWish::new(dong(&order), code(&order)));
    let webhook = desk.world.sandbox.bank_webhook(id).unwrap();
    let mut body: Value = serde_json::from_slice(&webhook.body).unwrap();
    body["id"] = json!(id + 500);
    assert_taken(&desk.deliver(&bank_message(body.to_string())).await);
    assert_eq!(ann.balance().await, (600, 0, 0), "the webhook's word");

    desk.reconcile().await;

    assert_eq!(ann.balance().await, (600, 0, 0), "the list calls it by another number");
    let waiting = desk.waiting().await;
    assert_eq!((waiting.len(), &waiting[0]["why"]), (1, &"likely_repeat".into()), "{waiting:?}");
    assert_eq!(waiting[0]["repeat_of"], format!("viet_qr.{}.0", id + 500));

    // A transfer without a code waits; assigned by a person, its repeat is none the less a repeat.
    let nameless = json!({ "content": "nap tien", "description": null, "referenceCode": "FT77" });
    assert_eq!(tell(&desk, &order, 6_001, nameless.clone()).await["why"], "no_order");
    assert_eq!(desk.assign("viet_qr.6001.0", &to(&ann)).await.status, 200);
    let again = tell(&desk, &order, 6_002, nameless).await;
    assert_eq!((&again["why"], &again["repeat_of"]), (&"likely_repeat".into(), &"viet_qr.6001.0".into()));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn of_a_bank_with_one_reference_for_all_two_payers_of_the_same_second_are_both_credited() {
    let (desk, ann) = open().await;
    let bob = desk.world.person("bob");
    let (hers, his) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&bob, "viet_qr", 500).await);
    let common = json!({ "referenceCode": "MBVCB", "transactionDate": bank_time(&desk, 0) });
    assert_eq!(tell(&desk, &hers, 7_001, common.clone()).await["state"], "credited");
    let second = tell(&desk, &his, 7_002, common.clone()).await;
    assert_eq!(second["state"], "credited", "{second}");
    assert_eq!(
        tell(&desk, &his, 7_003, common).await["repeat_of"],
        "viet_qr.7002.0",
        "and each has its repeats"
    );
    assert_eq!((ann.balance().await, bob.balance().await), ((600, 0, 0), (600, 0, 0)));
    books::check_payments(&desk.world).await;
}

/// What SePay's list says of a transfer, told by a webhook under another id.
async fn told_elsewhere(desk: &Desk, wish: TransferWish, changes: Value) {
    let id = desk.world.sandbox.bank_transfer(wish);
    let mut body: Value = serde_json::from_slice(&desk.world.sandbox.bank_webhook(id).unwrap().body).unwrap();
    body["id"] = json!(id + 500);
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    assert_taken(&desk.deliver(&bank_message(body.to_string())).await);
}

#[tokio::test]
async fn what_the_list_tells_hours_later_or_for_another_order_repeats_no_webhook() {
    let (desk, ann) = open().await;
    desk.world.advance(Duration::from_secs(4 * 3600));
    let (one, two) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&ann, "viet_qr", 500).await);
    let other = desk.order(&ann, "viet_qr", 500).await;
    // Of the same reference: the one names another order, the other was paid two hours before.
    let wish = TransferWish { lose_webhook: true, ..TransferWish::new(dong(&one), code(&one)) };
    told_elsewhere(
        &desk,
        wish,
        json!({ "content": code(&other), "description": code(&other), "code": null }),
    )
    .await;
    let wish = TransferWish { lose_webhook: true, ..TransferWish::new(dong(&two), code(&two)) };
    let before = bank_time_before(&desk, 2 * 3600);
    told_elsewhere(&desk, wish, json!({ "transactionDate": before })).await;
    assert_eq!(ann.balance().await, (1_100, 0, 0), "the webhooks' word");

    desk.reconcile().await;

    assert_eq!(ann.balance().await, (2_100, 0, 0), "{:?}", desk.waiting().await);
    books::check_payments(&desk.world).await;
}

fn bank_time_before(desk: &Desk, seconds: u64) -> String {
    let there = desk.world.now().after(Duration::from_secs(7 * 3600)).before(Duration::from_secs(seconds));
    let there = there.to_string();
    format!("{} {}", &there[..10], &there[11..19])
}

#[tokio::test]
async fn a_transfer_that_a_person_assigned_although_it_was_unreadable_is_not_credited_again_under_another_id()
{
    let (desk, ann) = open().await;
    let order = desk.order(&ann, "viet_qr", 500).await;
    let at = json!({ "transactionDate": bank_time(&desk, 0), "referenceCode": "FT8001" });
    let mut odd = at.clone();
    odd["transferType"] = json!("credit");
    assert_eq!(tell(&desk, &order, 8_001, odd.clone()).await["why"], "unreadable");
    let wish = json!({ "account_id": ann.id(), "top_up_id": order["id"], "note": "it is on the statement" });
    assert_eq!(desk.assign("viet_qr.8001.0", &wish).await.status, 200);
    assert_eq!(ann.balance().await, (600, 0, 0));

    let again = tell(&desk, &order, 8_002, at).await;

    assert_eq!(
        (&again["why"], &again["repeat_of"]),
        (&"likely_repeat".into(), &"viet_qr.8001.0".into()),
        "{again}"
    );
    let unreadable = tell(&desk, &order, 8_003, odd).await;
    assert_eq!(
        (&unreadable["why"], &unreadable["repeat_of"]),
        (&"unreadable".into(), &"viet_qr.8001.0".into()),
        "it is kept for what it is, and shows what it may repeat: {unreadable}"
    );
    assert_eq!(ann.balance().await, (600, 0, 0), "credited once");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_transfer_kept_because_its_order_can_not_be_read_is_known_when_it_is_told_under_another_id() {
    let (desk, ann) = open().await;
    let order = desk.order(&ann, "viet_qr", 500).await;
    let at = json!({ "transactionDate": bank_time(&desk, 0), "referenceCode": "FT8101" });
    // Nor can the end of the test read it.
    desk.world.keep(Books::Credit);
    super::usdt::damage(&desk, &order).await;
    assert_eq!(tell(&desk, &order, 8_101, at.clone()).await["why"], "odd");
    assert_eq!(desk.assign("viet_qr.8101.0", &to(&ann)).await.status, 200);

    let again = tell(&desk, &order, 8_102, at).await;

    assert_eq!(
        (&again["why"], &again["repeat_of"]),
        (&"likely_repeat".into(), &"viet_qr.8101.0".into()),
        "{again}"
    );
}
