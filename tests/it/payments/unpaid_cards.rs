//! Endless orders: how many a person may make, and that orders nobody pays keep no paid one from being found.

use super::desk::{Desk, assert_taken, dong, top_up};
use super::gateway::{Gateway, captured};
use crate::books;
use crate::world::Person;
use payments::RailReport;
use sandbox::{BANK_ACCOUNT, Fault, FaultRule, Service, TransferWish};
use serde_json::{Value, json};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

async fn cancel(person: &Person, order: &Value) {
    let path = format!("/v1/top-ups/{}/cancel", order["id"].as_str().unwrap());
    assert_eq!(person.send("POST", &path, &json!({})).await.status, 200);
}

fn of<'a>(reports: &'a [RailReport], rail: &str) -> &'a RailReport {
    reports.iter().find(|report| report.rail == rail).unwrap()
}

#[tokio::test]
async fn a_person_makes_so_many_orders_a_day_and_cancelling_gives_none_back() {
    let desk = Desk::with(&[("TOP_UPS_PER_DAY_MAX", "6")]).await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let first = desk.order(&ann, "sepay_card", 500).await;
    cancel(&ann, &first).await;
    desk.world.advance(HOUR);
    for nth in 0..5 {
        let order = desk.order(&ann, ["sepay_card", "viet_qr"][nth % 2], 500).await;
        cancel(&ann, &order).await;
    }
    let rows = books::scan(&desk.world, "payment_references").await.len();

    for method in ["sepay_card", "viet_qr", "tron_usdt"] {
        let refused = ann.send("POST", "/v1/top-ups", &top_up(method, 500)).await;
        assert_eq!((refused.status, refused.problem()), (429, "too_many_top_ups"), "{method}");
        assert_eq!(refused.body["retry_after_seconds"], 23 * 3600, "a day from the first of them");
        let ends = desk.world.now().after(23 * HOUR).to_string();
        assert!(refused.body["detail"].as_str().unwrap().contains(&ends), "{}", refused.text);
    }
    assert_eq!(
        books::scan(&desk.world, "payment_references").await.len(),
        rows,
        "a refused order leaves no row"
    );
    desk.order(&bob, "sepay_card", 500).await;

    desk.world.advance(23 * HOUR - Duration::from_secs(1));
    assert_eq!(ann.send("POST", "/v1/top-ups", &top_up("viet_qr", 500)).await.status, 429);
    desk.world.advance(Duration::from_secs(1));
    for _ in 0..6 {
        let order = desk.order(&ann, "viet_qr", 500).await;
        cancel(&ann, &order).await;
    }
    assert_eq!(ann.send("POST", "/v1/top-ups", &top_up("viet_qr", 500)).await.status, 429);
}

#[tokio::test]
async fn a_repeat_with_the_same_key_counts_once_and_is_shown_when_the_day_is_full() {
    let desk = Desk::with(&[("TOP_UPS_PER_DAY_MAX", "1")]).await;
    let ann = desk.world.person("ann");
    let ask = async |key: &str| {
        let request = ann.request("POST", "/v1/top-ups").header("content-type", "application/json");
        let request = request.header("idempotency-key", key).body(top_up("viet_qr", 500).to_string());
        crate::world::Answer::of(request.send().await.unwrap()).await
    };
    let made = ask("mine").await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(ask("mine").await.body, made.body);
    assert_eq!(ask("other").await.problem(), "too_many_top_ups");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn also_at_once_a_person_makes_no_more_orders_than_a_day_allows() {
    let desk = Desk::with(&[("TOP_UPS_PER_DAY_MAX", "4"), ("OPEN_TOP_UPS_MAX", "50")]).await;
    let ann = desk.world.person("ann");
    ann.balance().await;
    let asked = super::desk::at_once((0..16).map(|_| {
        let ann = ann.clone();
        async move { ann.send("POST", "/v1/top-ups", &top_up("viet_qr", 500)).await }
    }))
    .await;
    let made = asked.iter().filter(|answer| answer.status == 201).count();
    let refused = asked.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((made, made + refused), (4, 16), "{:?}", asked.iter().map(|a| a.status).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_paid_card_order_is_found_although_the_list_is_never_read_to_its_end() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    let invoice = order["reference"].as_str().unwrap().to_owned();
    gateway.tells(captured(&invoice, dong(&order)));
    gateway.lists_endlessly();

    let reports = desk.reconcile().await;

    let report = of(&reports, "sepay_card");
    assert_eq!((report.repaired, ann.balance().await), (1, (600, 0, 0)), "{report:?}");
    assert_eq!(report.differences[0].what, "the list could not be read whole", "{report:?}");
    assert_eq!(desk.show(&ann, &order).await["status"], "paid");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn a_paid_order_is_found_behind_hundreds_that_nobody_pays() {
    let gateway = Gateway::open().await;
    let settings =
        [&gateway.settings()[..], &[("OPEN_TOP_UPS_MAX", "500"), ("TOP_UPS_PER_DAY_MAX", "500")]].concat();
    let desk = Desk::with(&settings).await;
    let (mallory, ann) = (desk.world.person("mallory"), desk.world.person("ann"));
    for _ in 0..100 {
        desk.order(&mallory, "sepay_card", 500).await;
    }
    let order = desk.order(&ann, "sepay_card", 500).await;
    for _ in 0..100 {
        desk.order(&mallory, "sepay_card", 500).await;
    }
    gateway.tells(captured(order["reference"].as_str().unwrap(), dong(&order)));
    gateway.lists_endlessly();

    desk.reconcile().await;

    assert_eq!(ann.balance().await, (600, 0, 0), "one person's orders don't stand before another's");
    // And of one person's two hundred the one that is paid has its turn too.
    let theirs = mallory.get("/v1/top-ups?limit=100").await.body["top_ups"].as_array().unwrap().clone();
    gateway.tells(captured(theirs[99]["reference"].as_str().unwrap(), dong(&order)));
    for _ in 0..3 {
        desk.world.advance(HOUR);
        desk.reconcile().await;
    }
    assert_eq!(mallory.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn an_order_is_looked_for_less_and_less_often_and_no_more_when_it_is_too_late() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    let ann = desk.world.person("ann");
    desk.order(&ann, "sepay_card", 500).await;
    let looks = async || {
        let before = gateway.asked();
        desk.reconcile().await;
        gateway.asked() - before
    };
    assert_eq!(looks().await, 1);
    assert_eq!(looks().await, 0, "not again at once");
    desk.world.advance(Duration::from_secs(15 * 60));
    assert_eq!(looks().await, 1);
    let mut count = 0;
    for _ in 0..(9 * 24) {
        desk.world.advance(HOUR);
        count += looks().await;
    }
    assert!((5..=12).contains(&count), "{count} looks in nine days");
    desk.world.advance(30 * 24 * HOUR);
    assert_eq!(looks().await, 0, "its payment would be too late");
}

#[tokio::test]
async fn one_accounts_error_ends_no_other_accounts_comparison() {
    let (broken, fine) = ("99990001", "99990002");
    let aliases = format!("{broken},{fine}");
    let desk = Desk::with(&[("BANK_ACCOUNT_ALIASES", &aliases)]).await;
    let ann = desk.world.person("ann");
    let mut cents = 100;
    for account in [BANK_ACCOUNT, fine, broken] {
        let order = desk.order(&ann, "viet_qr", 500).await;
        let memo = order["reference"].as_str().unwrap();
        let wish = TransferWish { account: account.to_owned(), ..TransferWish::new(dong(&order), memo) };
        desk.world.sandbox.bank_transfer(wish);
    }
    desk.world.advance(Duration::from_secs(600));
    // The accounts are asked one after the other; the first of them fails.
    desk.world.sandbox.faults().set(Service::Bank, FaultRule::once(Fault::Refuse));

    let reports = desk.reconcile().await;

    let report = of(&reports, "viet_qr");
    cents += 1_000;
    assert_eq!((report.repaired, ann.balance().await), (2, (cents, 0, 0)), "{report:?}");
    let failure = report.failure.as_deref().unwrap();
    assert!(
        failure.contains("…001") && !failure.contains(broken),
        "it names the account by its end: {failure}"
    );
    assert!(report.differences.is_empty(), "{report:?}");
    let later = desk.reconcile().await;
    assert_eq!((of(&later, "viet_qr").repaired, &of(&later, "viet_qr").failure), (1, &None), "{later:?}");
    assert_eq!(ann.balance().await, (cents + 500, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn an_ipn_is_answered_although_sepay_hangs_at_every_question() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 500).await;
    gateway.hangs();
    let message = json!({
        "timestamp": 1_790_000_000, "notification_type": "ORDER_PAID",
        "order": {
            "order_invoice_number": order["reference"], "order_status": "CAPTURED", "order_currency": "VND",
            "order_amount": format!("{}.00", dong(&order)),
        },
        "transaction": {
            "id": "t-1", "transaction_type": "PAYMENT", "transaction_status": "APPROVED",
            "transaction_currency": "VND", "transaction_amount": dong(&order).to_string(),
        },
    });
    let headers = vec![("x-secret-key".to_owned(), sandbox::SEPAY_IPN_SECRET.to_owned())];
    let path = "/v1/webhooks/sepay/ipn".to_owned();
    let begun = std::time::Instant::now();

    let told =
        desk.deliver(&sandbox::Delivery { path, headers, body: message.to_string().into_bytes() }).await;

    assert_taken(&told);
    assert!(
        begun.elapsed() < primitives::times::IPN_QUESTIONS.limit + Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    let waiting = desk.waiting().await;
    assert_eq!((waiting.len(), &waiting[0]["why"]), (1, &"unconfirmed".into()), "what it claims is noted");
    books::check_payments(&desk.world).await;
}

fn invoice(order: &Value) -> String {
    order["reference"].as_str().unwrap().to_owned()
}

/// Orders of one person, a minute apart.
async fn ordered(desk: &Desk, person: &Person, count: usize) -> Vec<Value> {
    let mut orders = Vec::new();
    for _ in 0..count {
        orders.push(desk.order(person, "sepay_card", 500).await);
        desk.world.advance(Duration::from_secs(60));
    }
    orders
}

#[tokio::test]
async fn when_sepay_asks_to_slow_down_its_list_is_read_and_another_order_has_the_next_turn() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&gateway.settings()).await;
    let ann = desk.world.person("ann");
    let orders = ordered(&desk, &ann, 2).await;
    for order in &orders {
        gateway.tells(captured(&invoice(order), dong(order)));
        gateway.refuses(&invoice(order), 429);
    }

    let reports = desk.reconcile().await;

    let report = of(&reports, "sepay_card");
    assert_eq!((&report.failure, report.listed), (&None, 2), "{report:?}");
    let missing = report.differences.iter().filter(|found| found.what == "listed, but not in our books");
    assert_eq!(missing.count(), 2, "{report:?}");
    let asked = gateway.asked_for();
    assert_eq!(asked.len(), 1, "SePay was asked no further: {asked:?}");
    // SePay goes on refusing the one, and answers for the other.
    for order in orders.iter().filter(|order| invoice(order) != asked[0]) {
        gateway.refuses_no_more(&invoice(order));
    }
    desk.reconcile().await;
    assert_eq!(ann.balance().await, (600, 0, 0), "the refused order does not stand before the other");
    gateway.refuses_no_more(&asked[0]);
    desk.world.advance(HOUR);
    desk.reconcile().await;
    assert_eq!(ann.balance().await, (1_100, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn failures_that_do_not_follow_each_other_end_no_look() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&[&gateway.settings()[..], &[("OPEN_TOP_UPS_MAX", "50")]].concat()).await;
    let ann = desk.world.person("ann");
    let orders = ordered(&desk, &ann, 7).await;
    // The looks go in from both ends: the last, the first, the last but one, the second, …
    for nth in [6, 0, 1, 4] {
        gateway.refuses(&invoice(&orders[nth]), 500);
    }
    gateway.tells(captured(&invoice(&orders[2]), dong(&orders[2])));
    gateway.lists_endlessly();

    desk.reconcile().await;

    assert_eq!(ann.balance().await, (600, 0, 0), "{:?}", gateway.asked_for());
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn the_orders_that_sepay_fails_at_are_not_asked_for_first_again() {
    let gateway = Gateway::open().await;
    let desk = Desk::with(&[&gateway.settings()[..], &[("OPEN_TOP_UPS_MAX", "50")]].concat()).await;
    let ann = desk.world.person("ann");
    for order in ordered(&desk, &ann, 7).await {
        gateway.refuses(&invoice(&order), 500);
    }
    let mut seen = std::collections::HashSet::new();
    for looks in [3, 3, 1] {
        desk.reconcile().await;
        let asked = gateway.asked_for();
        assert_eq!(asked.len(), looks, "{asked:?}");
        assert!(asked.into_iter().all(|invoice| seen.insert(invoice)), "one was asked for twice");
    }
}
