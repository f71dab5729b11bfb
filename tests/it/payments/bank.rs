//! Bank transfers: whatever people, banks and strangers make of them, each is credited once or kept, never lost.

use super::desk::{Desk, assert_taken, at_once, bank_message, carry, deliver, dong};
use crate::books;
use crate::world::Person;
use credits::{Block, Ledger};
use sandbox::{Delivery, Mangle, Proof, TransferWish};
use serde_json::{Value, json};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn code(order: &Value) -> &str {
    order["reference"].as_str().unwrap()
}

/// As much as was ordered, with the order's code.
fn exact(order: &Value) -> TransferWish {
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
        (&"credited".into(), &380.into()),
        "26 270 a dollar"
    );
    let shown = desk.show(&ann, &order).await;
    assert_eq!((&shown["status"], &shown["credited"]), (&"partly_paid".into(), &380.into()), "{shown}");
    assert_eq!((&shown["amount_received"], &shown["amount_due"]), (&"100000".into(), &"131350".into()));
    assert!(shown.get("pay").is_none(), "the QR asks for all of it");
    assert_eq!(ann.balance().await, (480, 0, 0));

    desk.took(TransferWish::new(31_350, code(&order))).await;
    let shown = desk.show(&ann, &order).await;
    assert_eq!(
        (&shown["status"], &shown["credited"]),
        (&"paid".into(), &500.into()),
        "parts bring what the whole would have brought"
    );
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
    assert_eq!(desk.took(TransferWish::new(2_627, code(&order))).await["credits"], 10);

    assert_eq!(ann.balance().await, (110, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn more_than_ordered_is_credited_as_what_arrived() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    for (sent, credits) in [(131_351, 500), (200_000, 761)] {
        let order = desk.order(&ann, "viet_qr", 500).await;
        assert_eq!(desk.took(TransferWish::new(sent, code(&order))).await["credits"], credits);
        let shown = desk.show(&ann, &order).await;
        assert_eq!((&shown["status"], &shown["credited"]), (&"overpaid".into(), &credits.into()), "{shown}");
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
    assert_eq!(payment["credits"], 100_000, "the last dong below a thousand dollars and a cent");

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
    assert_eq!((&shown["status"], &shown["credited"]), (&"overpaid".into(), &1000.into()), "{shown}");
    assert_eq!(shown["amount_received"], "262700");
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
    exchange_rates::handle(&desk.world.product.platform).await.unwrap();

    assert_eq!(desk.took(exact(&late)).await["credits"], 500);
    assert_eq!(desk.show(&ann, &late).await["status"], "paid_late");
    desk.world.advance(24 * HOUR - SECOND);
    assert_eq!(desk.took(exact(&last)).await["credits"], 500, "the last moment of the grace");
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
    assert_eq!((&shown["status"], &shown["credited"]), (&"paid".into(), &500.into()), "{shown}");
    // A bank's clock may be ahead of ours, but nobody has paid tomorrow.
    let order = desk.order(&ann, "viet_qr", 500).await;
    let tomorrow = desk.world.now().after(24 * HOUR).seconds();
    let payment = desk.took(TransferWish { at: Some(tomorrow), ..exact(&order) }).await;
    assert_eq!((&payment["credits"], &payment["paid_at"]), (&500.into(), &payment["heard_at"]), "{payment}");
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
        assert_eq!((&kept["amount"], &kept["currency"]), (&"131350".into(), &"VND".into()), "{kept}");
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
async fn what_is_not_from_sepay_is_refused_and_nothing_of_it_is_stored() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let sandbox = &desk.world.sandbox;
    let signed = sandbox.bank_webhook(sandbox.bank_transfer(exact(&order))).unwrap();
    let by =
        |proof| sandbox.bank_webhook(sandbox.bank_transfer(TransferWish { proof, ..exact(&order) })).unwrap();
    let with = |name: &str, value: &str| {
        let mut changed = signed.clone();
        changed.headers.retain(|(header, _)| header != name);
        changed.headers.extend((!value.is_empty()).then(|| (name.to_owned(), value.to_owned())));
        changed
    };
    let body = |body: &str| Delivery { body: body.as_bytes().to_vec(), ..signed.clone() };
    let text = String::from_utf8(signed.body.clone()).unwrap();
    let reordered: serde_json::Map<String, Value> = {
        let fields: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
        let mut fields: Vec<_> = fields.into_iter().collect();
        fields.rotate_left(1);
        fields.into_iter().collect()
    };
    let reordered = format!("{} ", Value::Object(reordered));
    let key = |value: &str| {
        let mut message = bank_message(text.clone());
        message.headers[1].1 = value.to_owned();
        message
    };
    let mut twice = signed.clone();
    twice.headers.extend(signed.headers.iter().filter(|(name, _)| name == "x-sepay-signature").cloned());
    let mut rescued = by(Proof::Broken);
    rescued.headers.push(("authorization".to_owned(), format!("Apikey {}", sandbox::SEPAY_BANK_API_KEY)));
    let secret = sandbox::SEPAY_BANK_API_KEY;
    let forged = [
        ("another body's signature", by(Proof::Broken)),
        ("no proof at all", by(Proof::None)),
        ("no signature", with("x-sepay-signature", "")),
        ("no timestamp", with("x-sepay-timestamp", "")),
        ("an empty signature", with("x-sepay-signature", "sha256=")),
        ("a signature of zeros", with("x-sepay-signature", &format!("sha256={}", "0".repeat(64)))),
        ("another timestamp", with("x-sepay-timestamp", &desk.world.now().after(HOUR).seconds().to_string())),
        ("two signatures", twice),
        ("a right key beside a wrong signature", rescued),
        ("another amount", body(&text.replace("131350", "931350"))),
        ("other blanks", body(&format!("{text} "))),
        ("another order of the keys", body(&reordered)),
        ("a truncated body", body(&text[..text.len() - 1])),
        ("no body", body("")),
        ("a wrong key", key("Apikey wrong")),
        ("an empty key", key("Apikey ")),
        ("a key with a blank", key(&format!("Apikey {secret}x"))),
        ("a key of another kind", key(&format!("Bearer Apikey {secret}"))),
        ("a bare key", key(secret)),
    ];
    for (what, message) in &forged {
        let refused = desk.deliver(message).await;
        assert_eq!((refused.status, refused.problem()), (401, "unauthenticated"), "{what}: {}", refused.text);
        assert!(!refused.text.contains("sha256") && !refused.text.contains(secret), "{what}");
    }
    assert_eq!((desk.inbox_rows().await, ann.balance().await), (0, (100, 0, 0)));
    assert!(books::scan(&desk.world, "payment_rails").await.is_empty(), "nobody was heard");

    assert_taken(&desk.deliver(&signed).await);
    assert_eq!(ann.balance().await, (600, 0, 0), "the true one still counts");
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_signed_message_is_good_for_five_minutes_and_a_replay_changes_nothing() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let sandbox = &desk.world.sandbox;
    let id = sandbox.bank_transfer(exact(&order));
    let early = sandbox.bank_webhook(id).unwrap();
    desk.world.advance(Duration::from_secs(301));
    assert_eq!(desk.deliver(&early).await.status, 401, "too old");
    let now = desk.world.now().seconds();
    sandbox.set_now(Some(now + 302));
    let ahead = sandbox.bank_webhook(id).unwrap();
    sandbox.set_now(Some(now));
    assert_eq!(desk.deliver(&ahead).await.status, 401, "from the future");
    assert_eq!((desk.inbox_rows().await, ann.balance().await), (0, (100, 0, 0)));

    let fresh = sandbox.bank_webhook(id).unwrap();
    desk.world.advance(Duration::from_secs(299));
    assert_taken(&desk.deliver(&fresh).await);
    desk.world.advance(Duration::from_secs(2));
    assert_eq!(desk.deliver(&fresh).await.status, 401, "a replay of what was booked");
    assert_taken(&desk.deliver(&sandbox.bank_webhook(id).unwrap()).await);
    let paid = exact(&order);
    let other_way = TransferWish { proof: Proof::ApiKey, ..paid };
    assert_taken(&desk.pay_in(other_way).await.1);

    assert_eq!(ann.balance().await, (1100, 0, 0), "two transfers, however often they were told");
    assert_eq!(desk.inbox_rows().await, 4);
    books::check(&desk.world).await;
}

/// A readable message whose field reads as given; `""` leaves it out.
fn message_with(id: u64, order: &Value, field: &str, value: &str) -> String {
    let own = [
        ("id", id.to_string()),
        ("transactionDate", "null".to_owned()),
        ("accountNumber", format!("\"{}\"", sandbox::BANK_ACCOUNT)),
        ("content", format!("\"{}\"", code(order))),
        ("transferType", "\"in\"".to_owned()),
        ("transferAmount", dong(order).to_string()),
    ];
    let written = own.iter().map(|(name, own)| (*name, if *name == field { value } else { own.as_str() }));
    let written =
        written.filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", written.collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn an_authentic_message_that_can_not_be_read_is_kept_once_and_answered_with_success() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let whole = message_with(7_001, &order, "", "");
    let bodies: Vec<(&str, Vec<u8>)> = [
        ("no bytes", Vec::new()),
        ("no text", b"{\"id\":7001,\"content\":\"\xff\xfe\"}".to_vec()),
        ("no JSON", b"id=7001&transferAmount=131350".to_vec()),
        ("no object", b"[7001]".to_vec()),
        ("nothing", b"null".to_vec()),
        ("a deep hole", "[".repeat(100_000).into_bytes()),
        ("a truncated body", whole.as_bytes()[..whole.len() - 1].to_vec()),
        ("two amounts", whole.replace("}", ",\"transferAmount\":9131350}").into_bytes()),
    ]
    .into_iter()
    .chain(
        [
            ("transferAmount", "100000.5"),
            ("transferAmount", "\"100000.5\""),
            ("transferAmount", "100000.0"),
            ("transferAmount", "1e5"),
            ("transferAmount", "-131350"),
            ("transferAmount", "\"-131350\""),
            ("transferAmount", "0"),
            ("transferAmount", "9007199254740993"),
            ("transferAmount", "\"9007199254740993\""),
            ("transferAmount", "99999999999999999999999999"),
            ("transferAmount", "\"131,350\""),
            ("transferAmount", "\"131350 VND\""),
            ("transferAmount", "true"),
            ("transferAmount", "null"),
            ("transferAmount", ""),
            ("id", "0"),
            ("id", "-1"),
            ("id", "\"x\""),
            ("id", "18446744073709551616"),
            ("id", "{}"),
            ("id", ""),
            ("transferType", "\"credit\""),
            ("transferType", "\"IN\""),
            ("transferType", "1"),
            ("transferType", ""),
            ("accountNumber", "12345678"),
            ("content", "[]"),
        ]
        .into_iter()
        .zip(7_100..)
        .map(|((field, value), id)| (field, message_with(id, &order, field, value).into_bytes())),
    )
    .collect();
    for (what, body) in &bodies {
        for time in ["first", "second"] {
            let told = desk.deliver(&bank_message(body.clone())).await;
            assert_eq!(told.status, 200, "{what}, {time}: {}: {}", String::from_utf8_lossy(body), told.text);
            assert_taken(&told);
        }
    }
    let waiting = desk.waiting().await;
    assert_eq!(waiting.len(), bodies.len(), "each is kept, and once");
    assert_eq!(desk.inbox_rows().await, 2 * bodies.len());
    for payment in &waiting {
        assert_eq!((&payment["why"], &payment["amount"]), (&"unreadable".into(), &"0".into()), "{payment}");
        let shown = desk.payment(payment["id"].as_str().unwrap()).await;
        let kept = shown["deliveries"][0]["body"].as_str().unwrap();
        assert!(bodies.iter().any(|(_, body)| String::from_utf8_lossy(body) == kept), "{kept}");
    }
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["status"], "created");

    // Told again in a form that can be read, it is the payment it always was.
    assert_taken(&desk.deliver(&bank_message(whole)).await);
    assert_eq!(ann.balance().await, (600, 0, 0));
    assert_eq!(desk.payment("viet_qr.7001.0").await["state"], "credited");
    assert_eq!(desk.waiting().await.len(), bodies.len() - 1);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn no_authentic_message_is_answered_with_anything_but_success() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let sandbox = &desk.world.sandbox;
    let whole = sandbox.bank_webhook(sandbox.bank_transfer(exact(&order))).unwrap().body;
    let mut lot: u64 = 1;
    let mut draw = |below: usize| {
        lot = lot.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(lot >> 33).unwrap() % below
    };
    for _ in 0..400 {
        let mut body = whole.clone();
        for _ in 0..=draw(3) {
            let (at, byte) = (draw(body.len()), u8::try_from(draw(256)).unwrap());
            match draw(3) {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => drop(body.drain(at..(at + draw(8)).min(body.len()))),
            }
        }
        let told = desk.deliver(&bank_message(body.clone())).await;
        assert_eq!(told.status, 200, "{}: {}", String::from_utf8_lossy(&body), told.text);
    }
    books::check(&desk.world).await;
}

#[tokio::test]
async fn while_a_secret_is_changed_both_are_good_and_without_any_nobody_is_believed() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let account = ("BANK_ACCOUNT", sandbox::BANK_ACCOUNT);
    let both = format!("whsec_tomorrows,{}", sandbox::SEPAY_BANK_HMAC_SECRET);
    let changing = desk.world.instance(&[account, ("SEPAY_BANK_HMAC_SECRETS", &both)]).await;
    let changed = desk.world.instance(&[account, ("SEPAY_BANK_HMAC_SECRETS", "whsec_tomorrows")]).await;
    let without = desk.world.instance(&[account]).await;
    let order = desk.order(&ann, "viet_qr", 500).await;
    let sandbox = &desk.world.sandbox;
    let id = sandbox.bank_transfer(exact(&order));
    let (signed, keyed) = (sandbox.bank_webhook(id).unwrap(), bank_message(message_with(id, &order, "", "")));

    for message in [&signed, &keyed] {
        assert_eq!(deliver(&changed, message).await.status, 401);
        assert_eq!(deliver(&without, message).await.status, 401);
    }
    assert_eq!(deliver(&changing, &keyed).await.status, 401, "there are no API keys");
    assert_eq!((desk.inbox_rows().await, ann.balance().await), (0, (100, 0, 0)));
    assert_taken(&deliver(&changing, &signed).await);

    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn numbers_may_be_texts_and_dates_rubbish_and_it_stays_the_same_transfer() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let spellings = [
        ("transferAmount", "\"131350.00\""),
        ("transferAmount", "\"131350\""),
        ("id", "\"7002\""),
        ("accountNumber", ""),
        ("transactionDate", "\"yesterday\""),
        ("transactionDate", "\"2026-13-01 00:00:00\""),
        ("transactionDate", "\"0001-01-01 00:00:00\""),
    ];
    for (nth, (field, value)) in (7_000..).zip(spellings) {
        let order = desk.order(&ann, "viet_qr", 500).await;
        let id = nth;
        assert_taken(&desk.deliver(&bank_message(message_with(id, &order, field, value))).await);
        let payment = desk.payment(&format!("viet_qr.{id}.0")).await;
        assert_eq!((&payment["credits"], &payment["top_up_id"]), (&500.into(), &order["id"]), "{payment}");
        // The same transfer told in other words, and with another amount.
        assert_taken(&desk.deliver(&bank_message(message_with(id, &order, "", ""))).await);
        assert_taken(
            &desk.deliver(&bank_message(message_with(id, &order, "transferAmount", "9131350"))).await,
        );
        assert_eq!(desk.show(&ann, &order).await["credited"], 500);
    }
    assert_eq!(ann.balance().await, (100 + 7 * 500, 0, 0));
    assert!(desk.waiting().await.is_empty());
    books::check(&desk.world).await;
}

#[tokio::test]
async fn the_longest_message_we_take_is_booked_and_a_longer_one_is_refused_unread() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let longest = 256 * 1024;
    let padded = |length: usize| {
        let whole = message_with(7_003, &order, "", "");
        let open = whole.strip_suffix('}').unwrap();
        let frame = open.len() + ",\"description\":\"\"}".len();
        format!("{open},\"description\":\"{}\"}}", "x".repeat(length - frame))
    };

    let refused = desk.deliver(&bank_message(padded(longest + 1))).await;
    assert_eq!((refused.status, refused.problem()), (413, "body_too_large"));
    assert_eq!(desk.inbox_rows().await, 0);
    assert_taken(&desk.deliver(&bank_message(padded(longest))).await);

    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_transfer_to_a_closed_account_is_kept_and_to_a_suspended_one_credited() {
    let desk = Desk::open().await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (gone, blocked) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&bob, "viet_qr", 500).await);
    desk.delete(&ann).await;
    let ledger = Ledger::new(&desk.world.product.platform);
    ledger.set_block(&bob.id().parse().unwrap(), Some(Block::Suspended)).await.unwrap();

    let kept = desk.took(exact(&gone)).await;
    assert_eq!((&kept["state"], &kept["why"]), (&"unmatched".into(), &"account_closed".into()), "{kept}");
    assert_eq!((&kept["account_id"], &kept["top_up_id"]), (&ann.id().into(), &gone["id"]));
    assert!(desk.waiting().await.iter().any(|payment| payment["id"] == kept["id"]));
    let entries = books::entries(&desk.world, &ann.id().parse().unwrap()).await;
    assert_eq!(entries.len(), 1, "only the welcome: {entries:?}");

    assert_eq!(desk.took(exact(&blocked)).await["credits"], 500, "their money is theirs");
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

    assert_eq!(desk.took(exact(&order)).await["credits"], 500);

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
