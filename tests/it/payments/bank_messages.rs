//! SePay's messages about the bank: which are believed, which can be read, and what becomes of all others.

use super::bank::{code, exact};
use super::desk::{Desk, assert_taken, bank_message, deliver, dong};
use crate::books;
use crate::world::credit;
use sandbox::{Delivery, Proof, TransferWish};
use serde_json::Value;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// Deliveries of `signed`, a message about the transfer that `order` waits for, that SePay did not send.
fn forged(desk: &Desk, order: &Value, signed: &Delivery) -> [(&'static str, Delivery); 19] {
    let sandbox = &desk.world.sandbox;
    let by =
        |proof| sandbox.bank_webhook(sandbox.bank_transfer(TransferWish { proof, ..exact(order) })).unwrap();
    let with = |name: &str, value: &str| {
        let mut changed = signed.clone();
        changed.headers.retain(|(header, _)| header != name);
        changed.headers.extend((!value.is_empty()).then(|| (name.to_owned(), value.to_owned())));
        changed
    };
    let body = |body: &str| Delivery { body: body.as_bytes().to_vec(), ..signed.clone() };
    let text = String::from_utf8(signed.body.clone()).unwrap();
    let key = |value: &str| {
        let mut message = bank_message(text.clone());
        message.headers[1].1 = value.to_owned();
        message
    };
    let mut twice = signed.clone();
    twice.headers.extend(signed.headers.iter().filter(|(name, _)| name == "x-sepay-signature").cloned());
    let secret = sandbox::SEPAY_BANK_API_KEY;
    let mut rescued = by(Proof::Broken);
    rescued.headers.push(("authorization".to_owned(), format!("Apikey {secret}")));
    [
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
        ("another order of the keys", body(&reordered(&text))),
        ("a truncated body", body(&text[..text.len() - 1])),
        ("no body", body("")),
        ("a wrong key", key("Apikey wrong")),
        ("an empty key", key("Apikey ")),
        ("a key with a blank", key(&format!("Apikey {secret}x"))),
        ("a key of another kind", key(&format!("Bearer Apikey {secret}"))),
        ("a bare key", key(secret)),
    ]
}

/// The same object with its first field at the end.
fn reordered(text: &str) -> String {
    let fields: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap();
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.rotate_left(1);
    format!("{} ", Value::Object(fields.into_iter().collect()))
}

#[tokio::test]
async fn what_is_not_from_sepay_is_refused_and_nothing_of_it_is_stored() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let sandbox = &desk.world.sandbox;
    let signed = sandbox.bank_webhook(sandbox.bank_transfer(exact(&order))).unwrap();
    let secret = sandbox::SEPAY_BANK_API_KEY;
    for (what, message) in &forged(&desk, &order, &signed) {
        let refused = desk.deliver(message).await;
        assert_eq!((refused.status, refused.problem()), (401, "webhook_refused"), "{what}: {}", refused.text);
        assert_ne!(refused.body["title"], "Sign in first", "a webhook has nobody to sign in");
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

/// What a field of a message can't read.
const UNREADABLE: [(&str, &str); 26] = [
    ("transferAmount", "100000.5"),
    ("transferAmount", "\"100000.5\""),
    ("transferAmount", "1e-5"),
    ("transferAmount", "-131350"),
    ("transferAmount", "\"-131350\""),
    ("transferAmount", "0"),
    ("transferAmount", "9007199254740993"),
    ("transferAmount", "\"9007199254740993\""),
    ("transferAmount", "99999999999999999999999999"),
    ("transferAmount", "\"131,350\""),
    ("transferAmount", "\"131.350\""),
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
    ("transferType", "\"i n\""),
    ("transferType", "1"),
    ("transferType", ""),
    ("accountNumber", "[]"),
];

/// Messages about the transfer of `order` that can't be read, as a whole or in one field.
fn unreadable(order: &Value, whole: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut bodies = vec![
        ("no bytes", Vec::new()),
        ("no text", b"{\"id\":7011,\"content\":\"\xff\xfe\"}".to_vec()),
        ("no JSON", b"id=7012&transferAmount=131350".to_vec()),
        ("no object", b"[7001]".to_vec()),
        ("nothing", b"null".to_vec()),
        ("a deep hole", "[".repeat(100_000).into_bytes()),
        ("a truncated body", whole.as_bytes()[..whole.len() - 1].to_vec()),
        ("two amounts", whole.replace("}", ",\"transferAmount\":9131350}").into_bytes()),
    ];
    let fields = UNREADABLE.iter().zip(7_100..);
    bodies.extend(
        fields.map(|(&(field, value), id)| (field, message_with(id, order, field, value).into_bytes())),
    );
    bodies
}

#[tokio::test]
async fn an_authentic_message_that_can_not_be_read_is_kept_once_and_answered_with_success() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let whole = message_with(7_001, &order, "", "");
    let bodies = unreadable(&order, &whole);
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
        assert_eq!(payment["why"], "unreadable", "{payment}");
        assert!(
            ["0", "131350"].contains(&payment["amount"]["decimal"].as_str().unwrap()),
            "what can be read: {payment}"
        );
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
async fn while_a_secret_is_changed_both_are_good() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (account, holder) = (("BANK_ACCOUNT", sandbox::BANK_ACCOUNT), ("BANK_ACCOUNT_NAME", "CITIPEN"));
    let both = format!("whsec_tomorrows,{}", sandbox::SEPAY_BANK_HMAC_SECRET);
    let changing = desk.world.instance(&[account, holder, ("SEPAY_BANK_HMAC_SECRETS", &both)]).await;
    let changed = ("SEPAY_BANK_HMAC_SECRETS", "whsec_tomorrows");
    let changed = desk.world.instance(&[account, holder, changed]).await;
    let order = desk.order(&ann, "viet_qr", 500).await;
    let sandbox = &desk.world.sandbox;
    let id = sandbox.bank_transfer(exact(&order));
    let (signed, keyed) = (sandbox.bank_webhook(id).unwrap(), bank_message(message_with(id, &order, "", "")));

    for message in [&signed, &keyed] {
        assert_eq!(deliver(&changed, message).await.status, 401);
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
        assert_eq!((&payment["credits"], &payment["top_up_id"]), (&credit(500), &order["id"]), "{payment}");
        // The same transfer told in other words, and with another amount.
        assert_taken(&desk.deliver(&bank_message(message_with(id, &order, "", ""))).await);
        assert_taken(
            &desk.deliver(&bank_message(message_with(id, &order, "transferAmount", "9131350"))).await,
        );
        assert_eq!(desk.show(&ann, &order).await["credited"], credit(500));
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
