//! Orders: what may be ordered, by whom, how often, and what an order looks like as time passes. No credit moves.

use super::desk::{Desk, at_once, carry, dong, micros, top_up};
use crate::books;
use crate::world::{Answer, ORIGIN, Person, credit, http};
use credits::Ledger;
use sandbox::{FaultRule, Service};
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

pub(super) async fn ask(person: &Person, wish: &Value) -> Answer {
    person.send("POST", "/v1/top-ups", wish).await
}

pub(super) async fn cancel(person: &Person, order: &Value) -> Answer {
    let path = format!("/v1/top-ups/{}/cancel", order["id"].as_str().unwrap());
    person.send("POST", &path, &json!({})).await
}

pub(super) async fn list(person: &Person) -> Vec<Value> {
    let page = person.get("/v1/top-ups?limit=100").await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.body["top_ups"].as_array().unwrap().clone()
}

#[tokio::test]
async fn anybody_may_ask_what_can_be_paid_in_and_how() {
    let desk = Desk::open().await;
    let page = http().get(format!("{}/v1/top-ups/methods", desk.world.product.base)).header("origin", ORIGIN);
    let told = Answer::of(page.send().await.unwrap()).await;
    let expected = json!({
        "tiers": [credit(500), credit(2000), credit(5000), credit(10_000)],
        "credits_min": credit(500),
        "credits_max": credit(50_000),
        "credits_step": credit(100),
        "methods": [
            { "method": "sepay_card", "currency": "VND", "is_available": true },
            { "method": "viet_qr", "currency": "VND", "is_available": true },
            { "method": "tron_usdt", "currency": "USDT", "is_available": true },
        ],
    });
    assert_eq!(told.body, expected);
}

#[tokio::test]
async fn tiers_and_whole_dollars_within_the_limits_can_be_ordered() {
    let desk = Desk::with(&[("OPEN_TOP_UPS_MAX", "100")]).await;
    let ann = desk.world.person("ann");
    for cents in [500, 2000, 5000, 10_000, 600, 49_900, 50_000] {
        for method in ["sepay_card", "viet_qr"] {
            let order = desk.order(&ann, method, cents).await;
            assert_eq!((&order["credits"], order["status"].as_str()), (&credit(cents), Some("created")));
            assert_eq!(dong(&order), (cents * 26_270 + 50) / 100, "{order}");
            assert_eq!(
                (&order["amount_due"]["currency"], &order["rate"]["vnd_per_usd"]),
                (&"VND".into(), &"26270".into())
            );
        }
        let order = desk.order(&ann, "tron_usdt", cents).await;
        let suffix = micros(&order) - cents * 10_000;
        assert!((1_000..1_000_000).contains(&suffix) && suffix.is_multiple_of(1_000), "{order}");
        assert_eq!(order["credits"], credit(micros(&order) / 10_000), "the suffix is credited too");
        assert!(order["rate"].is_null() && order["amount_due"]["currency"] == "USDT", "{order}");
    }
    assert_eq!(ann.balance().await, (100, 0, 0), "an order is no money");
    assert_eq!(desk.inbox_rows().await, 0);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn other_amounts_methods_and_bodies_are_refused_and_leave_nothing_behind() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let amounts = [0, 1, 499, 501, 550, 50_001, 50_100, (1 << 53) - 1];
    for (cents, method) in amounts.into_iter().zip(["viet_qr", "tron_usdt", "sepay_card"].iter().cycle()) {
        let refused = ask(&ann, &top_up(method, cents)).await;
        assert_eq!((refused.status, refused.problem()), (422, "amount_not_offered"), "{cents}");
    }
    for (code, body) in [
        ("invalid_input", json!({ "method": "paypal", "credits": credit(500) })),
        ("invalid_input", json!({ "method": "VIET_QR", "credits": credit(500) })),
        ("invalid_input", json!({ "method": "", "credits": credit(500) })),
        ("invalid_input", json!({ "method": "viet_qr", "credits": credit(-500) })),
        ("invalid_input", json!({ "method": "viet_qr", "credits": credit("500") })),
        ("invalid_input", json!({ "method": "viet_qr" })),
        ("invalid_input", json!({ "credits": credit(500) })),
        ("invalid_input", json!({ "method": "viet_qr", "credits": credit(500), "amount_cents": 9_999 })),
        ("invalid_input", json!({ "method": "viet_qr", "amount_cents": 500 })),
        ("invalid_input", json!({ "method": "viet_qr", "credits": 500 })),
        ("invalid_input", json!({ "method": "viet_qr", "credits": { "amount": 500 } })),
        ("invalid_input", json!({ "method": "viet_qr", "credits": { "amount": 500, "unit": "USD" } })),
        ("invalid_input", json!([])),
    ] {
        let refused = ask(&ann, &body).await;
        assert_eq!((refused.status, refused.problem()), (422, code), "{body}");
    }
    // Not written as numbers of this program: no float is ever made of money here.
    for amount in ["500.5", "5e-1", "9007199254740992", "18446744073709551615", "18446744073709551616"] {
        let request = ann.request("POST", "/v1/top-ups").header("content-type", "application/json");
        let request = request
            .body(format!(r#"{{"method":"viet_qr","credits":{{"amount":{amount},"unit":"USD cent"}}}}"#));
        let refused = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{amount}");
        assert_eq!(refused.body["errors"][0]["pointer"], "/credits/amount", "{amount}");
    }
    let stranger = http()
        .post(format!("{}/v1/top-ups", desk.world.product.base))
        .header("content-type", "application/json");
    let stranger = Answer::of(stranger.body(top_up("viet_qr", 500).to_string()).send().await.unwrap()).await;
    assert_eq!((stranger.status, stranger.problem()), (401, "unauthenticated"));
    for table in ["top_ups", "payment_references"] {
        assert!(books::scan(&desk.world, table).await.is_empty(), "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_has_five_open_orders_at_most_also_at_once() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    ann.balance().await;
    let methods = ["viet_qr", "sepay_card"];
    let other = desk.world.instance(&[]).await;
    let asked = at_once((0..20).map(|nth| {
        let ann = if nth % 2 == 0 { ann.clone() } else { ann.at(&other.base) };
        async move { ask(&ann, &top_up(methods[nth / 2 % 2], 500)).await }
    }))
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = asked.iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 5);
    for answer in refused {
        assert_eq!((answer.status, answer.problem()), (409, "too_many_open_top_ups"));
    }
    assert_eq!(list(&ann).await.len(), 5);
    assert_eq!(books::scan(&desk.world, "payment_references").await.len(), 5, "refused ones reserve nothing");
    let bob = desk.world.person("bob");
    desk.order(&bob, "viet_qr", 500).await;
}

#[tokio::test]
async fn a_place_becomes_free_by_payment_expiry_and_cancelling_but_an_exact_amount_stays_taken() {
    let desk = Desk::with(&[("OPEN_TOP_UPS_MAX", "2")]).await;
    let ann = desk.world.person("ann");
    let full = async |method: &str| {
        let refused = ask(&ann, &top_up(method, 500)).await;
        assert_eq!((refused.status, refused.problem()), (409, "too_many_open_top_ups"), "{method}");
    };
    let paid = desk.order(&ann, "viet_qr", 500).await;
    let cancelled = desk.order(&ann, "sepay_card", 500).await;
    full("viet_qr").await;
    desk.transfer(dong(&paid), paid["reference"].as_str().unwrap()).await;
    desk.order(&ann, "viet_qr", 500).await;
    full("sepay_card").await;
    assert_eq!(cancel(&ann, &cancelled).await.status, 200);
    desk.order(&ann, "viet_qr", 500).await;
    full("viet_qr").await;
    desk.world.advance(HOUR - SECOND);
    full("viet_qr").await;
    desk.world.advance(SECOND);
    desk.order(&ann, "viet_qr", 500).await;
    desk.order(&ann, "sepay_card", 500).await;
    full("viet_qr").await;

    // Exact amounts have places of their own, which are taken as long as the amounts are, given up or not.
    let given_up = desk.order(&ann, "tron_usdt", 500).await;
    desk.order(&ann, "tron_usdt", 500).await;
    assert_eq!(cancel(&ann, &given_up).await.status, 200);
    full("tron_usdt").await;
    desk.world.advance(25 * HOUR - SECOND);
    full("tron_usdt").await;
    desk.world.advance(SECOND);
    desk.order(&ann, "tron_usdt", 500).await;
    books::check(&desk.world).await;
}

#[tokio::test]
async fn another_persons_order_can_neither_be_seen_nor_cancelled() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = desk.order(&ann, "viet_qr", 500).await;
    let path = format!("/v1/top-ups/{}", order["id"].as_str().unwrap());
    for id in [order["id"].as_str().unwrap(), "01KABCDEFGHJKMNPQRSTVWXYZ0", "slot%230", "x", "%00"] {
        let shown = bob.get(&format!("/v1/top-ups/{id}")).await;
        assert_eq!((shown.status, shown.problem()), (404, "not_found"), "{id}");
        let cancelled = bob.send("POST", &format!("/v1/top-ups/{id}/cancel"), &json!({})).await;
        assert_eq!((cancelled.status, cancelled.problem()), (404, "not_found"), "{id}");
    }
    assert!(list(&bob).await.is_empty());
    let nobody =
        Answer::of(http().get(format!("{}{path}", desk.world.product.base)).send().await.unwrap()).await;
    assert_eq!((nobody.status, nobody.problem()), (401, "unauthenticated"));
    assert_eq!(desk.show(&ann, &order).await, order, "and nothing has changed");
}

#[tokio::test]
async fn an_orders_status_follows_from_what_happened() {
    let desk = Desk::with(&[("OPEN_TOP_UPS_MAX", "10")]).await;
    let ann = desk.world.person("ann");
    let mut orders = Vec::new();
    for _ in 0..7 {
        orders.push(desk.order(&ann, "viet_qr", 500).await);
    }
    let [never, late, part, over, paid, dropped, dropped_but_paid] = orders.as_slice() else { panic!() };
    let pay = async |order: &Value, dong| {
        assert_eq!(desk.transfer(dong, order["reference"].as_str().unwrap()).await.status, 200);
    };
    assert!(orders.iter().all(|order| order["status"] == "created" && order["pay"].is_object()));
    pay(paid, 131_350).await;
    pay(part, 131_349).await;
    pay(over, 131_351).await;
    for order in [dropped, dropped_but_paid] {
        assert_eq!(cancel(&ann, order).await.status, 200);
        let again = cancel(&ann, order).await;
        assert_eq!((again.status, &again.body["status"]), (200, &"cancelled".into()), "once more is no harm");
    }
    // The bank's times are whole seconds.
    desk.world.advance(HOUR + SECOND);
    pay(late, 131_350).await;
    pay(dropped_but_paid, 131_350).await;
    for (order, status, received, credited) in [
        (never, "expired", "0", 0),
        (late, "paid_late", "131350", 500),
        (part, "partly_paid", "131349", 499),
        (over, "overpaid", "131351", 500),
        (paid, "paid", "131350", 500),
        (dropped, "cancelled", "0", 0),
        (dropped_but_paid, "paid_late", "131350", 500),
    ] {
        let shown = desk.show(&ann, order).await;
        assert_eq!(
            (shown["status"].as_str(), shown["amount_received"]["decimal"].as_str()),
            (Some(status), Some(received))
        );
        assert_eq!((&shown["credited"], &shown["reversed"]), (&credit(credited), &credit(0)), "{shown}");
        assert!(shown.get("pay").is_none(), "there is nothing to pay any more: {shown}");
        for field in
            ["id", "credits", "amount_due", "reference", "rate", "created_at", "expires_at", "accepted_until"]
        {
            assert_eq!(shown[field], order[field], "{field} stays");
        }
    }
    for order in [never, late, part, over, paid] {
        let refused = cancel(&ann, order).await;
        assert_eq!((refused.status, refused.problem()), (409, "top_up_not_open"), "{order}");
    }
    assert_eq!(ann.balance().await, (100 + 4 * 500 + 499, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paying_and_cancelling_at_once_always_leaves_the_payment_credited() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    for nth in 0..10 {
        let order = desk.order(&ann, "viet_qr", 500).await;
        let sandbox = &desk.world.sandbox;
        let wish = sandbox::TransferWish::new(dong(&order), order["reference"].as_str().unwrap());
        let message = sandbox.bank_webhook(sandbox.bank_transfer(wish)).unwrap();
        let told = tokio::spawn(carry(desk.world.product.base.clone(), message));
        let cancelled = cancel(&ann, &order).await;
        assert_eq!(told.await.unwrap(), 200);
        assert!([200, 409].contains(&cancelled.status), "{}", cancelled.text);
        assert_eq!(desk.show(&ann, &order).await["status"], "paid", "round {nth}");
    }
    assert_eq!(ann.balance().await, (5100, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn orders_are_listed_newest_first_page_by_page_and_nothing_else_is() {
    let desk = Desk::with(&[("OPEN_TOP_UPS_MAX", "10")]).await;
    let ann = desk.world.person("ann");
    assert_eq!(ann.get("/v1/top-ups").await.body, json!({ "top_ups": [] }));
    let mut made = Vec::new();
    for method in ["viet_qr", "tron_usdt", "sepay_card", "viet_qr", "tron_usdt", "viet_qr", "sepay_card"] {
        made.push(desk.order(&ann, method, 500).await);
        desk.world.advance(SECOND);
    }
    made.reverse();
    for limit in [1, 2, 3, 7, 100] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = ann.get(&format!("/v1/top-ups?limit={limit}{cursor}")).await;
            assert_eq!(page.status, 200, "{}", page.text);
            let orders = page.body["top_ups"].as_array().unwrap();
            assert!(orders.len() <= limit);
            seen.extend(orders.iter().cloned());
            assert!(seen.len() <= made.len(), "the list has an end");
            let Some(next) = page.body["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, made, "in pages of {limit}");
    }
    for query in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=slot%230", "limit=1&limit=2"] {
        let refused = ann.get(&format!("/v1/top-ups?{query}")).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{query}");
    }
}

#[tokio::test]
async fn a_suspended_account_orders_nothing_and_still_sees_and_cancels_its_orders() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let ledger = Ledger::new(&desk.world.product.platform).unwrap();
    let id = ann.id().parse().unwrap();
    ledger.set_suspended(&id, true).await.unwrap();

    let refused = ask(&ann, &top_up("viet_qr", 500)).await;
    assert_eq!((refused.status, refused.problem()), (403, "account_suspended"));
    assert_eq!(list(&ann).await.len(), 1);
    assert_eq!(cancel(&ann, &order).await.status, 200);

    ledger.set_suspended(&id, false).await.unwrap();
    desk.order(&ann, "viet_qr", 500).await;
}

#[tokio::test]
async fn somebody_acting_in_a_persons_name_sees_orders_but_makes_and_cancels_none() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let page = format!("{}/sandbox/clerk/token?person=ann&act=admin", desk.world.outside());
    let acting = http().get(page).send().await.unwrap().text().await.unwrap();
    let cancelling = format!("/v1/top-ups/{}/cancel", order["id"].as_str().unwrap());
    for path in ["/v1/top-ups", &cancelling] {
        let request = http().post(format!("{}{path}", desk.world.product.base)).bearer_auth(&acting);
        let request =
            request.header("content-type", "application/json").body(top_up("viet_qr", 500).to_string());
        let refused = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((refused.status, refused.problem()), (403, "impersonation_refused"), "{path}");
    }
    let seen = http().get(format!("{}/v1/top-ups", desk.world.product.base)).bearer_auth(&acting);
    let seen = Answer::of(seen.send().await.unwrap()).await;
    assert_eq!(seen.body["top_ups"], json!([order]));
}

#[tokio::test]
async fn an_order_keeps_its_rate_and_the_next_one_has_the_new_one() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let old = desk.order(&ann, "viet_qr", 500).await;
    assert_eq!(old["rate"]["source"], "vietcombank sell", "{old}");
    desk.world.sandbox.set_usd_sell("26,500.50");
    desk.world.advance(6 * MINUTE);
    exchange_rates::handle(&desk.world.product.role("ExchangeRates")).await.unwrap();

    let new = desk.order(&ann, "viet_qr", 500).await;

    assert_eq!((&new["rate"]["vnd_per_usd"], dong(&new)), (&"26500.5".into(), 132_503), "132 502.5, half up");
    assert_eq!(desk.show(&ann, &old).await["rate"], old["rate"]);
    for (order, sent, credits) in [(&old, 131_350, 500), (&new, 132_503, 500)] {
        assert_eq!(desk.transfer(sent, order["reference"].as_str().unwrap()).await.status, 200);
        assert_eq!(desk.show(&ann, order).await["credited"], credit(credits));
    }
    let fresh = desk.order(&ann, "viet_qr", 500).await;
    desk.transfer(131_350, fresh["reference"].as_str().unwrap()).await;
    assert_eq!(
        desk.show(&ann, &fresh).await["credited"],
        credit(495),
        "the old price is a part of the new one"
    );
    books::check(&desk.world).await;
}

#[tokio::test]
async fn without_a_good_rate_nothing_is_sold_for_dong_and_usdt_still_works() {
    let desk = Desk { world: crate::world::World::start().await };
    let ann = desk.world.person("ann");
    let unpriced = async || {
        for method in ["viet_qr", "sepay_card"] {
            let refused = ask(&ann, &top_up(method, 500)).await;
            assert_eq!((refused.status, refused.problem()), (503, "rate_unavailable"), "{method}");
        }
        desk.order(&ann, "tron_usdt", 500).await;
    };
    unpriced().await;
    exchange_rates::handle(&desk.world.product.role("ExchangeRates")).await.unwrap();
    let order = desk.order(&ann, "viet_qr", 500).await;

    desk.world.sandbox.faults().set(Service::Vietcombank, FaultRule::always(sandbox::Fault::Refuse));
    desk.world.advance(146 * HOUR);
    exchange_rates::handle(&desk.world.product.role("ExchangeRates")).await.unwrap();
    unpriced().await;
    assert_eq!(desk.show(&ann, &order).await["rate"], order["rate"], "it keeps the rate it was made at");
    assert_eq!(list(&ann).await.len(), 3, "what was refused left nothing");
}
