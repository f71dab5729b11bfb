//! Bank transfers: whatever people, banks and strangers make of them, each is credited once or kept, never lost.

use super::desk::{Desk, assert_taken, at_once, carry, deliver, dong};
use crate::books;
use crate::world::{Person, credit, dong_of};
use credits::Ledger;
use sandbox::{Delivery, Mangle, TransferWish};
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn code(order: &Value) -> &str {
    order["reference"].as_str().unwrap()
}

/// As much as was ordered, with the order's code.
pub(super) fn exact(order: &Value) -> TransferWish {
    TransferWish::new(dong(order), code(order))
}

/// What nobody can be credited with, and why.
async fn assert_kept(desk: &Desk, person: &Person, wish: TransferWish, why: &str) -> Value {
    let before = person.balance().await;
    let payment = desk.took(wish).await;
    assert_eq!((&payment["state"], &payment["why"]), (&"unmatched".into(), &why.into()), "{payment}");
    assert!(payment["credits"].is_null() && payment["entry_id"].is_null(), "{payment}");
    assert_eq!(person.balance().await, before);
    assert!(desk.waiting().await.iter().any(|waiting| waiting["id"] == payment["id"]), "{payment}");
    payment
}

#[tokio::test]
async fn less_than_ordered_is_credited_as_what_arrived_at_the_orders_rate() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;

    let payment = desk.took(TransferWish::new(100_000, code(&order))).await;

    assert_eq!(
        (&payment["state"], &payment["credits"]),
        (&"credited".into(), &credit(380)),
        "26 270 a dollar"
    );
    let shown = desk.show(&ann, &order).await;
    assert_eq!((&shown["status"], &shown["credited"]), (&"partly_paid".into(), &credit(380)), "{shown}");
    assert_eq!(
        (&shown["amount_received"], &shown["amount_due"]),
        (&dong_of(100_000, "100,000"), &dong_of(131_350, "131,350"))
    );
    assert_eq!(
        (&shown["amount_remaining"], &shown["pay"]["amount"]),
        (&dong_of(31_350, "31,350"), &dong_of(31_350, "31,350"))
    );
    let scanned = desk.world.sandbox.scan_viet_qr(shown["pay"]["qr_payload"].as_str().unwrap()).unwrap();
    assert_eq!(
        (scanned.amount, scanned.memo.as_str()),
        (Some(31_350), code(&order)),
        "the QR asks for the rest"
    );
    let (_, path) = shown["pay"]["qr_svg_url"].as_str().unwrap().split_once("/v1/").unwrap();
    let picture = crate::world::http().get(format!("{}/v1/{path}", desk.world.product.base));
    assert_eq!(picture.send().await.unwrap().status(), 200);
    assert_eq!(ann.balance().await, (480, 0, 0));

    desk.took(TransferWish::new(31_350, code(&order))).await;
    let shown = desk.show(&ann, &order).await;
    assert_eq!(
        (&shown["status"], &shown["credited"]),
        (&"paid".into(), &credit(500)),
        "parts bring what the whole would have brought"
    );
    assert_eq!((&shown["amount_remaining"], shown.get("pay")), (&dong_of(0, "0"), None));
    assert!(desk.waiting().await.is_empty());
    books::check(&desk.world).await;
}

#[tokio::test]
async fn what_is_worth_less_than_the_floor_is_kept_and_the_floor_itself_is_credited() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;

    let kept = assert_kept(&desk, &ann, TransferWish::new(2_626, code(&order)), "too_little").await;
    assert_eq!(
        (&kept["account_id"], &kept["top_up_id"]),
        (&ann.id().into(), &order["id"]),
        "whose it may be"
    );
    assert_eq!(desk.show(&ann, &order).await["status"], "created");
    assert_eq!(desk.took(TransferWish::new(2_627, code(&order))).await["credits"], credit(10));

    assert_eq!(ann.balance().await, (110, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn more_than_ordered_is_credited_as_what_arrived() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    for (sent, credits) in [(131_351, 500), (200_000, 761)] {
        let order = desk.order(&ann, "viet_qr", 500).await;
        assert_eq!(desk.took(TransferWish::new(sent, code(&order))).await["credits"], credit(credits));
        let shown = desk.show(&ann, &order).await;
        assert_eq!((&shown["status"], &shown["credited"]), (&"overpaid".into(), &credit(credits)), "{shown}");
    }
    assert_eq!(ann.balance().await, (100 + 500 + 761, 0, 0));
    assert!(desk.waiting().await.is_empty());
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_suspiciously_large_transfer_is_looked_at_by_a_person_first() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;

    for dong in [26_270_263, 9_007_199_254_740_991] {
        assert_kept(&desk, &ann, TransferWish::new(dong, code(&order)), "too_much").await;
    }
    assert_eq!(desk.show(&ann, &order).await["status"], "created");
    let payment = desk.took(TransferWish::new(26_270_262, code(&order))).await;
    assert_eq!(payment["credits"], credit(100_000), "the last dong below a thousand dollars and a cent");

    assert_eq!(ann.balance().await, (100_100, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_deliveries_at_once_at_two_instances_are_one_grant() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let other = desk.world.instance(&[]).await;
    let id = desk.world.sandbox.bank_transfer(exact(&order));
    let message = desk.world.sandbox.bank_webhook(id).unwrap();

    let told = at_once((0..20).map(|nth| {
        let base = if nth % 2 == 0 { &desk.world.product.base } else { &other.base };
        carry(base.clone(), message.clone())
    }))
    .await;

    assert!(told.iter().all(|status| *status == 200), "{told:?}");
    assert_eq!(ann.balance().await, (600, 0, 0));
    let shown = desk.show(&ann, &order).await;
    assert_eq!(
        (&shown["status"], shown["payments"].as_array().unwrap().len()),
        (&"paid".into(), 1),
        "{shown}"
    );
    assert_eq!(desk.inbox_rows().await, 2, "one fact, one body");
    assert_eq!(ann.transactions().await.iter().filter(|entry| entry["origin"] == "top_up").count(), 1);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn each_of_several_transfers_with_one_code_is_credited() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;

    let first = desk.took(exact(&order)).await;
    let second = desk.took(exact(&order)).await;

    assert!(first["id"] != second["id"] && first["entry_id"] != second["entry_id"]);
    let shown = desk.show(&ann, &order).await;
    assert_eq!((&shown["status"], &shown["credited"]), (&"overpaid".into(), &credit(1000)), "{shown}");
    assert_eq!(shown["amount_received"], dong_of(262_700, "262,700"));
    assert_eq!(ann.balance().await, (1100, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_takes_twenty_transfers_also_at_once_and_the_next_is_kept() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let sandbox = &desk.world.sandbox;
    let mut waiting: Vec<Delivery> =
        (0..20).map(|_| sandbox.bank_webhook(sandbox.bank_transfer(exact(&order))).unwrap()).collect();

    // SePay sends again what was not taken, and does so for half an hour.
    for _ in 0..8 {
        let base = &desk.world.product.base;
        let told = at_once(waiting.iter().map(|message| carry(base.clone(), message.clone()))).await;
        assert!(told.iter().all(|status| [200, 503].contains(status)), "{told:?}");
        let mut told = told.iter();
        waiting.retain(|_| told.next() != Some(&200));
    }

    assert!(waiting.is_empty(), "{} transfers were never taken", waiting.len());
    assert_eq!(ann.balance().await, (100 + 20 * 500, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["payments"].as_array().unwrap().len(), 20);
    assert_kept(&desk, &ann, exact(&order), "order_full").await;
    books::check(&desk.world).await;
}

#[tokio::test]
async fn within_the_grace_the_orders_own_rate_counts_and_after_it_a_person_decides() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let late = desk.order(&ann, "viet_qr", 500).await;
    let last = desk.order(&ann, "viet_qr", 500).await;
    let gone = desk.order(&ann, "viet_qr", 500).await;
    // The bank's times are whole seconds.
    desk.world.advance(HOUR + SECOND);
    assert_eq!(desk.show(&ann, &late).await["status"], "expired");
    desk.world.sandbox.set_usd_sell("26,700.00");
    exchange_rates::handle(&desk.world.product.role("ExchangeRates")).await.unwrap();

    assert_eq!(desk.took(exact(&late)).await["credits"], credit(500));
    assert_eq!(desk.show(&ann, &late).await["status"], "paid_late");
    desk.world.advance(24 * HOUR - SECOND);
    assert_eq!(desk.took(exact(&last)).await["credits"], credit(500), "the last moment of the grace");
    desk.world.advance(2 * SECOND);
    let kept = assert_kept(&desk, &ann, exact(&gone), "too_late").await;
    assert_eq!(kept["top_up_id"], gone["id"]);

    assert_eq!(desk.show(&ann, &gone).await["status"], "expired");
    assert_eq!(ann.balance().await, (1100, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn the_time_of_the_transfer_counts_and_not_that_of_the_message() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let id = desk.world.sandbox.bank_transfer(exact(&order));
    desk.world.advance(72 * HOUR);

    assert_taken(&desk.deliver(&desk.world.sandbox.bank_webhook(id).unwrap()).await);

    let shown = desk.show(&ann, &order).await;
    assert_eq!((&shown["status"], &shown["credited"]), (&"paid".into(), &credit(500)), "{shown}");
    // A bank's clock may be ahead of ours, but nobody has paid tomorrow.
    let order = desk.order(&ann, "viet_qr", 500).await;
    let tomorrow = desk.world.now().after(24 * HOUR).seconds();
    let payment = desk.took(TransferWish { at: Some(tomorrow), ..exact(&order) }).await;
    assert_eq!((&payment["credits"], &payment["paid_at"]), (&credit(500), &payment["heard_at"]), "{payment}");
    // And nobody has paid an order the day before there was one.
    let order = desk.order(&ann, "viet_qr", 500).await;
    let before = desk.world.now().before(25 * HOUR).seconds();
    assert_kept(&desk, &ann, TransferWish { at: Some(before), ..exact(&order) }, "too_early").await;
    assert_eq!(ann.balance().await, (1100, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn what_leaves_the_account_or_reaches_another_one_is_never_credited_and_its_code_makes_us_look() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let elsewhere = |memo: &str| TransferWish {
        account: "012345678".to_owned(),
        ..TransferWish::new(dong(&order), memo)
    };
    for (wish, why) in [
        (TransferWish { outgoing: true, ..exact(&order) }, "outgoing"),
        (elsewhere("tien nha"), "other_account"),
    ] {
        let payment = desk.took(wish).await;
        assert_eq!((&payment["state"], &payment["why"]), (&"ignored".into(), &why.into()), "{payment}");
    }
    assert!(desk.waiting().await.is_empty(), "nobody has to look at these");
    assert_kept(&desk, &ann, elsewhere(code(&order)), "other_account").await;
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["status"], "created");
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_transfer_that_names_no_order_is_kept_until_somebody_assigns_it() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let unknown = if code(&order) == "CITAB2CDE" { "CITAB2CDF" } else { "CITAB2CDE" };
    for memo in [unknown, "nap tien", "", "CIT", "CITYBANKS", "ＣＩＴＡＢ２ＣＤＥ", "\u{0}\u{202e}đ 漢字 🙂"]
    {
        let kept = assert_kept(&desk, &ann, TransferWish::new(131_350, memo), "no_order").await;
        assert!(kept["account_id"].is_null() && kept["top_up_id"].is_null(), "{kept}");
        assert_eq!(kept["amount"], dong_of(131_350, "131,350"), "{kept}");
        let told: Value = serde_json::from_str(kept["deliveries"][0]["body"].as_str().unwrap()).unwrap();
        assert_eq!(told["content"], memo, "the message is kept as it came");
    }
    assert_eq!(desk.show(&ann, &order).await["status"], "created");
    books::check(&desk.world).await;
}

#[tokio::test]
async fn with_two_codes_in_one_text_only_a_single_open_order_is_believed() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (one, two) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&bob, "viet_qr", 500).await);
    let both = format!("{} {}", code(&one), code(&two));

    assert_kept(&desk, &ann, TransferWish::new(131_350, &both), "several_orders").await;
    assert_eq!(bob.balance().await, (100, 0, 0));
    desk.took(exact(&one)).await;
    assert_eq!(desk.took(TransferWish::new(131_350, &both)).await["account_id"], bob.id());

    assert_eq!((ann.balance().await, bob.balance().await), ((600, 0, 0), (600, 0, 0)));
    assert_kept(&desk, &ann, TransferWish::new(131_350, &both), "several_orders").await;
    let flood: String = (2..62).map(|nth| format!("CITAAAA{}{} ", 2 + nth / 8, 2 + nth % 8)).collect();
    assert_kept(&desk, &ann, TransferWish::new(131_350, &flood), "several_orders").await;
    books::check(&desk.world).await;
}

#[tokio::test]
async fn the_code_is_found_however_the_bank_mangles_it() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let mangles = [Mangle::Lower, Mangle::Spaces, Mangle::Prefix, Mangle::Glued, Mangle::NoCode];
    for mangle in mangles {
        let order = desk.order(&ann, "viet_qr", 500).await;
        let payment = desk.took(TransferWish { mangle: Some(mangle), ..exact(&order) }).await;
        assert_eq!(payment["top_up_id"], order["id"], "{mangle:?}: {payment}");
    }
    let spellings: [fn(&str) -> String; 4] = [
        |code| format!("{} {}", &code[..3], &code[3..]),
        |code| code.to_lowercase().chars().flat_map(|letter| [letter, ' ']).collect(),
        |code| format!("Nạp tiền {code}đơn hàng"),
        |code| format!("{code}-{code}.{}", code.to_lowercase()),
    ];
    for (nth, spell) in spellings.into_iter().enumerate() {
        let order = desk.order(&ann, "viet_qr", 500).await;
        let payment = desk.took(TransferWish::new(dong(&order), &spell(code(&order)))).await;
        assert_eq!(payment["top_up_id"], order["id"], "spelling {nth}: {payment}");
    }
    assert_eq!(ann.balance().await, (100 + 9 * 500, 0, 0));

    let order = desk.order(&ann, "viet_qr", 500).await;
    let cut = TransferWish { mangle: Some(Mangle::Cut), ..exact(&order) };
    assert_kept(&desk, &ann, cut, "no_order").await;
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_transfer_to_a_closed_account_is_kept_and_to_a_suspended_one_credited() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (gone, blocked) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&bob, "viet_qr", 500).await);
    desk.delete(&ann).await;
    let ledger = Ledger::new(&desk.world.product.platform).unwrap();
    ledger.set_suspended(&bob.id().parse().unwrap(), true).await.unwrap();

    let kept = desk.took(exact(&gone)).await;
    assert_eq!((&kept["state"], &kept["why"]), (&"unmatched".into(), &"account_closed".into()), "{kept}");
    assert_eq!((&kept["account_id"], &kept["top_up_id"]), (&ann.id().into(), &gone["id"]));
    assert!(desk.waiting().await.iter().any(|payment| payment["id"] == kept["id"]));
    let entries = books::entries(&desk.world, &ann.id().parse().unwrap()).await;
    assert_eq!(entries.len(), 1, "only the welcome: {entries:?}");

    assert_eq!(desk.took(exact(&blocked)).await["credits"], credit(500), "their money is theirs");
    assert_eq!(bob.balance().await, (600, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_transfer_for_a_cancelled_order_is_credited_all_the_same() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let path = format!("/v1/top-ups/{}/cancel", order["id"].as_str().unwrap());
    assert_eq!(ann.send("POST", &path, &json!({})).await.body["status"], "cancelled");

    assert_eq!(desk.took(exact(&order)).await["credits"], credit(500));

    assert_eq!(desk.show(&ann, &order).await["status"], "paid");
    assert_eq!(ann.balance().await, (600, 0, 0));
    let refused = ann.send("POST", &path, &json!({})).await;
    assert_eq!(
        (refused.status, refused.problem()),
        (409, "top_up_not_open"),
        "what is paid can't be cancelled"
    );
    books::check(&desk.world).await;
}

#[tokio::test]
async fn any_instance_may_hear_of_a_transfer_first() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let other = desk.world.instance(&[]).await;
    let sandbox = &desk.world.sandbox;
    let message = sandbox.bank_webhook(sandbox.bank_transfer(exact(&order))).unwrap();
    assert_taken(&deliver(&other, &message).await);
    assert_taken(&desk.deliver(&message).await);
    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check(&desk.world).await;
}
