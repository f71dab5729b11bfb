//! The comparison with the processors' own lists: repairs what no webhook told, once, and says what disagrees.

use super::desk::{Desk, deliver, dong, micros};
use super::gateway::{Gateway, captured};
use crate::books;
use crate::world::{Fault as WorldFault, Person, World};
use payments::{RailReport, Reconciliation};
use sandbox::{BANK_ACCOUNT, Delivery, Fault, FaultRule, IpnKind, SEPAY_BANK_API_KEY, Service, TransferWish};
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const TEN_MINUTES: Duration = Duration::from_secs(600);

fn of<'a>(reports: &'a [RailReport], rail: &str) -> &'a RailReport {
    reports.iter().find(|report| report.rail == rail).unwrap_or_else(|| panic!("no report of {rail}"))
}

fn whats(report: &RailReport) -> Vec<(&str, &str)> {
    report.differences.iter().map(|difference| (difference.payment.as_str(), difference.what)).collect()
}

/// All lists were read, nothing was missing, nothing disagrees.
fn assert_calm(reports: &[RailReport]) {
    for report in reports {
        assert_eq!((report.repaired, &report.failure), (0, &None), "{report:?}");
        assert!(report.differences.is_empty(), "{report:?}");
    }
}

/// An authentic bank message with any content.
async fn bank_says(world: &World, body: &Value) {
    let headers = vec![("authorization".to_owned(), format!("Apikey {SEPAY_BANK_API_KEY}"))];
    let path = "/v1/webhooks/sepay/bank".to_owned();
    let told =
        deliver(&world.product, &Delivery { path, headers, body: body.to_string().into_bytes() }).await;
    assert_eq!(told.status, 200, "{}", told.text);
}

fn bank_message(id: u64, amount: u64, memo: &str, at: &str) -> Value {
    json!({
        "id": id, "gateway": "ACB", "transactionDate": at, "accountNumber": BANK_ACCOUNT, "code": null,
        "content": memo, "transferType": "in", "transferAmount": amount, "accumulated": 0,
        "subAccount": null, "referenceCode": "FT1", "description": memo,
    })
}

/// Vietnam's time now, as the bank prints it.
fn bank_time(world: &World) -> String {
    let there = world.now().after(7 * HOUR).to_string();
    format!("{} {}", &there[..10], &there[11..19])
}

#[tokio::test]
async fn a_day_without_a_webhook_is_repaired_by_one_comparison() {
    let desk = Desk::open().await;
    let mut waiting: Vec<(Person, Value, u64)> = Vec::new();
    for nth in 0..4 {
        let person = desk.world.person(&format!("person_{nth}"));
        let (bank, card) =
            (desk.order(&person, "viet_qr", 500).await, desk.order(&person, "sepay_card", 2000).await);
        let coins = desk.order(&person, "tron_usdt", 500).await;
        desk.world.sandbox.bank_transfer(TransferWish::new(dong(&bank), bank["reference"].as_str().unwrap()));
        desk.pay_by_card(&card).await;
        desk.send_usdt(micros(&coins));
        assert_eq!(person.balance().await, (100, 0, 0), "nobody has told us");
        waiting.push((person, coins.clone(), 2_600 + coins["credits"]["amount"].as_u64().unwrap()));
        desk.world.advance(5 * HOUR);
    }
    let nobodys = desk.world.sandbox.bank_transfer(TransferWish::new(10_000, "cam on"));
    desk.world.advance(TEN_MINUTES);

    let first = desk.reconcile().await;

    for (rail, repaired) in [("viet_qr", 5), ("sepay_card", 4), ("tron_usdt", 4)] {
        let report = of(&first, rail);
        assert_eq!((report.listed, report.repaired), (repaired, repaired), "{report:?}");
        assert!(report.differences.is_empty() && report.failure.is_none(), "{report:?}");
    }
    for (person, _, expected) in &waiting {
        assert_eq!(person.balance().await, (*expected, 0, 0));
        let orders = person.get("/v1/top-ups").await.body["top_ups"].as_array().unwrap().clone();
        assert!(
            orders.iter().all(|order| order["status"] == "paid"),
            "in time, though told late: {orders:?}"
        );
    }
    let kept = desk.waiting().await;
    assert_eq!((kept.len(), &kept[0]["id"]), (1, &json!(format!("viet_qr.{nobodys}.0"))));
    assert_eq!(kept[0]["via"], "reconciliation");

    let entries = books::scan(&desk.world, "credit_transactions").await.len();
    assert_calm(&desk.reconcile().await);
    // The webhooks come after all.
    assert_eq!(desk.deliver(&desk.world.sandbox.bank_webhook(nobodys).unwrap()).await.status, 200);
    desk.poll().await;
    assert_calm(&desk.reconcile().await);
    assert_eq!(
        books::scan(&desk.world, "credit_transactions").await.len(),
        entries,
        "nothing is booked twice"
    );
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn days_long_past_are_compared_again_when_somebody_asks_for_them() {
    let desk = Desk::open().await;
    desk.reconcile().await;
    let long_ago = desk.world.now().before(20 * 24 * HOUR);
    let wish = TransferWish { at: Some(long_ago.seconds()), ..TransferWish::new(10_000, "cam on") };
    desk.world.sandbox.bank_transfer(wish);
    assert_eq!(of(&desk.reconcile().await, "viet_qr").repaired, 0, "three days are enough as a rule");
    let ask = async |event: Value| {
        payment_reconciliation::handle(&desk.world.product.role("PaymentReconciliation"), event).await
    };

    let reports = ask(json!({ "since": long_ago.before(HOUR).to_string() })).await.unwrap();

    assert_eq!(of(&reports, "viet_qr").repaired, 1, "{reports:?}");
    assert_eq!(desk.waiting().await.len(), 1);
    let scheduled =
        json!({ "version": "0", "source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {} });
    assert_calm(&ask(scheduled).await.unwrap());
    for wrong in [json!({ "sinse": "2026-11-28T00:00:00Z" }), json!({ "since": "yesterday" }), json!([1])] {
        let error = ask(wrong).await.unwrap_err().to_string();
        assert!(error.contains("since"), "{error}");
    }
    let too_long_ago = desk.world.now().before(46 * 24 * HOUR).to_string();
    let error = ask(json!({ "since": too_long_ago })).await.unwrap_err().to_string();
    assert!(error.contains("45 days"), "{error}");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_transfer_told_by_webhook_and_list_at_once_is_one_grant() {
    let desk = Desk::open().await;
    for round in 0..5 {
        let person = desk.world.person(&format!("person_{round}"));
        let (bank, card) =
            (desk.order(&person, "viet_qr", 500).await, desk.order(&person, "sepay_card", 500).await);
        let id = desk
            .world
            .sandbox
            .bank_transfer(TransferWish::new(dong(&bank), bank["reference"].as_str().unwrap()));
        desk.pay_by_card(&card).await;
        let (webhook, other) = (desk.world.sandbox.bank_webhook(id).unwrap(), desk.world.instance(&[]).await);
        let there = other.role("PaymentReconciliation");

        let (listed, _, told, ipn, again) = tokio::join!(
            payment_reconciliation::handle(&there, Value::Null),
            desk.reconcile(),
            desk.deliver(&webhook),
            desk.ipn(&card, IpnKind::OrderPaid),
            desk.deliver(&webhook),
        );

        assert_eq!((told.status, ipn.status, again.status), (200, 200, 200));
        assert!(listed.unwrap().iter().all(|report| report.failure.is_none()));
        assert_eq!(person.balance().await, (1_100, 0, 0), "round {round}");
    }
    desk.world.advance(TEN_MINUTES);
    assert_calm(&desk.reconcile().await);
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn credit_that_the_list_does_not_know_is_a_difference() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (bank, card) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&ann, "sepay_card", 500).await);
    let coins = desk.order(&ann, "tron_usdt", 500).await;
    desk.transfer(dong(&bank), bank["reference"].as_str().unwrap()).await;
    desk.pay_by_card(&card).await;
    desk.ipn(&card, IpnKind::OrderPaid).await;
    desk.send_usdt(micros(&coins));
    desk.poll().await;
    let balance = ann.balance().await;
    let services = [
        ("viet_qr", Service::Bank, &bank),
        ("sepay_card", Service::Sepay, &card),
        ("tron_usdt", Service::Trongrid, &coins),
    ];
    let forget = || {
        for (_, service, _) in services {
            desk.world.sandbox.faults().set(service, FaultRule::always(Fault::Empty));
        }
    };
    forget();
    assert_calm(&desk.reconcile().await);
    desk.world.advance(TEN_MINUTES);

    let reports = desk.reconcile().await;

    for (rail, _, order) in services {
        let payment = desk.show(&ann, order).await["payments"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(whats(of(&reports, rail)), [(payment.as_str(), "credited, but not listed")]);
        assert_eq!(of(&reports, rail).repaired, 0);
    }
    assert_eq!(ann.balance().await, balance, "nothing is taken away by a comparison");
    desk.world.sandbox.faults().clear();
    assert_calm(&desk.reconcile().await);
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_payment_of_another_amount_than_listed_is_a_difference() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    let ann = desk.world.person("ann");
    let (bank, card) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&ann, "sepay_card", 500).await);
    let memo = bank["reference"].as_str().unwrap();
    let id = desk.world.sandbox.bank_transfer(TransferWish::new(dong(&bank) - 1, memo));
    bank_says(&desk.world, &bank_message(id, dong(&bank), memo, &bank_time(&desk.world))).await;
    let invoice = card["reference"].as_str().unwrap();
    gateway.tells(captured(invoice, dong(&card)));
    desk.reconcile().await;
    gateway.tells(captured(invoice, dong(&card) + 1));
    assert_eq!(ann.balance().await, (1_100, 0, 0));
    desk.world.advance(TEN_MINUTES);

    let reports = desk.reconcile().await;

    let (bank_id, card_id) = (format!("viet_qr.{id}.0"), format!("sepay_card.{invoice}.0"));
    let what = "another amount is in our books";
    assert_eq!(whats(of(&reports, "viet_qr")), [(bank_id.as_str(), what)]);
    assert_eq!(whats(of(&reports, "sepay_card")), [(card_id.as_str(), what)]);
    assert!(reports.iter().all(|report| report.repaired == 0));
    assert_eq!(ann.balance().await, (1_100, 0, 0), "a person decides");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn what_was_taken_back_is_not_missed_in_the_list() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let card = desk.order(&ann, "sepay_card", 500).await;
    desk.pay_by_card(&card).await;
    desk.ipn(&card, IpnKind::OrderPaid).await;
    desk.world.advance(TEN_MINUTES);
    // The void's message is lost.
    desk.world.sandbox.void_card(card["reference"].as_str().unwrap()).unwrap();
    assert_eq!(ann.balance().await, (600, 0, 0));

    let reports = desk.reconcile().await;

    let report = of(&reports, "sepay_card");
    assert_eq!((report.repaired, whats(report)), (1, Vec::new()), "{report:?}");
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(desk.show(&ann, &card).await["status"], "reversed");
    assert_calm(&desk.reconcile().await);
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_rail_that_fails_keeps_no_other_from_being_compared() {
    let services =
        [("viet_qr", Service::Bank), ("sepay_card", Service::Sepay), ("tron_usdt", Service::Trongrid)];
    let faults = [Fault::Refuse, Fault::Garbage, Fault::WrongShape, Fault::DropBefore];
    let desk = Desk::open().await;
    for (nth, fault) in faults.iter().enumerate() {
        for (broken, service) in services {
            let person = desk.world.person(&format!("{broken}_{nth}"));
            let (bank, card) =
                (desk.order(&person, "viet_qr", 500).await, desk.order(&person, "sepay_card", 500).await);
            let coins = desk.order(&person, "tron_usdt", 500).await;
            let memo = bank["reference"].as_str().unwrap();
            desk.world.sandbox.bank_transfer(TransferWish::new(dong(&bank), memo));
            desk.pay_by_card(&card).await;
            desk.send_usdt(micros(&coins));
            desk.world.advance(TEN_MINUTES);
            desk.world.sandbox.faults().set(service, FaultRule::always(fault.clone()));

            let reports = desk.reconcile().await;

            desk.world.sandbox.faults().clear();
            for (rail, _) in services {
                let report = of(&reports, rail);
                assert_eq!(report.failure.is_some(), rail == broken, "{fault:?} at {broken}: {report:?}");
                assert_eq!(report.repaired, u32::from(rail != broken), "{fault:?} at {broken}: {report:?}");
                assert!(
                    report.differences.is_empty(),
                    "nothing is missed in a list nobody could read: {report:?}"
                );
            }
            let later = desk.reconcile().await;
            assert_eq!(of(&later, broken).repaired, 1, "{fault:?} at {broken}: {later:?}");
            let all = 1_100 + coins["credits"]["amount"].as_u64().unwrap();
            assert_eq!(person.balance().await, (all, 0, 0), "{fault:?} at {broken}");
        }
    }
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn rows_that_can_not_be_read_are_told_and_hide_no_other() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    let ann = desk.world.person("ann");
    let (bank, card) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&ann, "sepay_card", 500).await);
    // Beyond all the dong there are, and of an order whose number can't be one.
    desk.world.sandbox.bank_transfer(TransferWish::new(u64::MAX, "hello"));
    desk.world.sandbox.bank_transfer(TransferWish::new(dong(&bank), bank["reference"].as_str().unwrap()));
    gateway.tells(captured("not a number", 50_000));
    gateway.tells(captured(card["reference"].as_str().unwrap(), dong(&card)));

    let reports = desk.reconcile().await;

    for rail in ["viet_qr", "sepay_card"] {
        let report = of(&reports, rail);
        assert_eq!(whats(report), [("", "the list has rows that can't be read")], "{report:?}");
        assert_eq!((report.listed, report.repaired), (1, 1), "{report:?}");
    }
    assert_eq!(ann.balance().await, (1_100, 0, 0));
    books::check_payments(&desk.world).await;
}

fn silent(reports: &[RailReport]) -> Vec<&'static str> {
    reports.iter().filter(|report| report.is_silent).map(|report| report.rail).collect()
}

#[tokio::test]
async fn a_rail_is_silent_after_twenty_six_hours_without_any_contact() {
    let desk = Desk::open().await;
    let broken = [Service::Bank, Service::Sepay, Service::Trongrid, Service::Tronscan];
    desk.poll().await;
    assert!(silent(&desk.reconcile().await).is_empty());
    for service in broken {
        desk.world.sandbox.faults().set(service, FaultRule::always(Fault::Refuse));
    }
    desk.world.advance(26 * HOUR);
    let reports = desk.reconcile().await;
    assert!(reports.iter().all(|report| report.failure.is_some()), "{reports:?}");
    assert!(silent(&reports).is_empty(), "not yet: {reports:?}");
    desk.world.advance(Duration::from_secs(1));
    assert_eq!(silent(&desk.reconcile().await), ["sepay_card", "viet_qr", "tron_usdt"]);

    // A webhook is a sign of life, also one that matches nothing; a forged one is none.
    let id = desk.world.sandbox.bank_transfer(TransferWish::new(10_000, "cam on"));
    let mut forged = desk.world.sandbox.bank_webhook(id).unwrap();
    forged.body.push(b' ');
    assert_eq!(desk.deliver(&forged).await.status, 401);
    assert_eq!(silent(&desk.reconcile().await).len(), 3);
    assert_eq!(desk.deliver(&desk.world.sandbox.bank_webhook(id).unwrap()).await.status, 200);
    assert_eq!(silent(&desk.reconcile().await), ["sepay_card", "tron_usdt"]);
    desk.world.sandbox.faults().clear();
    desk.poll().await;
    assert!(silent(&desk.reconcile().await).is_empty());

    let patient = desk.world.instance(&[("RAIL_SILENCE_HOURS", "1")]).await;
    desk.world.sandbox.faults().set(Service::Bank, FaultRule::always(Fault::Refuse));
    desk.world.advance(2 * HOUR);
    desk.poll().await;
    let reports = Reconciliation::new(&patient.role("PaymentReconciliation"))
        .unwrap()
        .run(desk.world.now(), None)
        .await
        .unwrap();
    assert_eq!(silent(&reports), ["viet_qr"], "the hours are a setting");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_webhook_that_tells_nothing_of_what_is_listed_is_silent() {
    let desk = Desk::open().await;
    desk.poll().await;
    desk.unmatched(10_000).await;
    desk.world.advance(2 * HOUR);
    desk.world.sandbox.bank_transfer(TransferWish::new(20_000, "cam on"));
    assert!(silent(&desk.reconcile().await).is_empty(), "its webhook may still be on its way");
    desk.world.advance(HOUR);
    assert_eq!(silent(&desk.reconcile().await), ["viet_qr"]);
    desk.unmatched(30_000).await;
    assert!(silent(&desk.reconcile().await).is_empty(), "it speaks again");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn what_lies_before_the_window_is_left_alone() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let bank = desk.order(&ann, "viet_qr", 500).await;
    desk.transfer(dong(&bank), bank["reference"].as_str().unwrap()).await;
    desk.world.advance(4 * 24 * HOUR);
    desk.world.sandbox.faults().set(Service::Bank, FaultRule::always(Fault::Empty));

    let reports = desk.reconcile().await;

    assert_eq!(whats(of(&reports, "viet_qr")), [], "the list does not go back that far");
    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_list_that_shows_an_order_twice_is_read_all_the_same() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    let ann = desk.world.person("ann");
    let card = desk.order(&ann, "sepay_card", 500).await;
    gateway.tells(captured(card["reference"].as_str().unwrap(), dong(&card)));
    gateway.repeats_itself();

    let reports = desk.reconcile().await;

    assert_eq!((of(&reports, "sepay_card").repaired, ann.balance().await), (1, (600, 0, 0)), "{reports:?}");
    assert_calm(&desk.reconcile().await);
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_transfer_that_list_and_webhook_number_differently_is_credited_once_and_looked_at() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let wish = TransferWish::new(dong(&order), order["reference"].as_str().unwrap());
    let id = desk.world.sandbox.bank_transfer(wish);
    desk.reconcile().await;
    assert_eq!(ann.balance().await, (600, 0, 0), "the list came first");
    // The webhook comes at last, and calls the same transfer by another number.
    let mut webhook = desk.world.sandbox.bank_webhook(id).unwrap();
    let mut body: Value = serde_json::from_slice(&webhook.body).unwrap();
    body["id"] = json!(id + 7);
    webhook.body = body.to_string().into_bytes();
    webhook.headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("authorization".to_owned(), format!("Apikey {}", sandbox::SEPAY_BANK_API_KEY)),
    ];

    assert_eq!(desk.deliver(&webhook).await.status, 200);

    assert_eq!(ann.balance().await, (600, 0, 0), "one transfer, one grant");
    let waiting = desk.waiting().await;
    assert_eq!((waiting.len(), &waiting[0]["why"]), (1, &"likely_repeat".into()), "{waiting:?}");
    books::check_payments(&desk.world).await;
}

/// The comparison has found the transfer missing and is about to credit it; the webhook is faster.
#[tokio::test]
async fn a_webhook_that_comes_between_look_and_grant_of_the_comparison_is_credited_once() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 2000).await;
    let memo = order["reference"].as_str().unwrap();
    let transfer = desk.world.sandbox.bank_transfer(TransferWish::new(dong(&order), memo));
    desk.world.advance(TEN_MINUTES);
    let slow = desk.world.instance(&[]).await;
    slow.meddler.plan(0, WorldFault::LateTransaction);
    let comparison = slow.role("PaymentReconciliation");
    let mut comparing = std::pin::pin!(payment_reconciliation::handle(&comparison, Value::Null));
    tokio::select! {
        ended = &mut comparing => panic!("it was not overtaken: {ended:?}"),
        () = slow.meddler.holding_back() => {}
    }
    let told = desk.deliver(&desk.world.sandbox.bank_webhook(transfer).unwrap()).await;
    assert_eq!(told.status, 200, "{}", told.text);

    slow.meddler.let_go();
    let reports = comparing.await.unwrap();

    assert_calm(&reports);
    assert_eq!(ann.balance().await, (2100, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["status"], "paid");
    books::check(&desk.world).await;
}
