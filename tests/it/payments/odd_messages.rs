//! Authentic messages whose fields are odd in what does not matter are booked; what decides stays strict, and what waits
//! shows its amount and the orders it may have meant.

use super::bank::code;
use super::desk::{Desk, assert_taken, bank_message, dong};
use crate::books;
use crate::world::dong_of;
use sandbox::{Delivery, TransferWish};
use serde_json::{Value, json};

/// A message of JSON pieces; an empty piece leaves the field out.
fn written(id: &str, order: &Value, changes: &[(&str, &str)]) -> String {
    let own = [
        ("id", id.to_owned()),
        ("gateway", "\"ACB\"".to_owned()),
        ("transactionDate", "null".to_owned()),
        ("accountNumber", format!("\"{}\"", sandbox::BANK_ACCOUNT)),
        ("subAccount", "null".to_owned()),
        ("code", "null".to_owned()),
        ("content", format!("\"{}\"", code(order))),
        ("transferType", "\"in\"".to_owned()),
        ("transferAmount", dong(order).to_string()),
        ("accumulated", "0".to_owned()),
        ("referenceCode", format!("\"FT{id}\"")),
        ("description", "\"\"".to_owned()),
    ];
    let changed = |name: &str| changes.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
    let pieces = own.iter().map(|(name, own)| (*name, changed(name).unwrap_or(own)));
    let pieces =
        pieces.filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", pieces.collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn what_is_beside_the_point_makes_no_transfer_unreadable() {
    let desk = Desk::with(&[("OPEN_TOP_UPS_MAX", "100"), ("TOP_UPS_PER_DAY_MAX", "1000")]).await;
    let ann = desk.world.person("ann");
    let mut cents = 100;
    let odd =
        ["1", "1.5", "-1", "1e400", "true", "[]", "[\"x\"]", "{}", "{\"a\":{\"b\":[1]}}", "\"\"", "null", ""];
    let beside =
        ["gateway", "transactionDate", "subAccount", "code", "accumulated", "referenceCode", "description"];
    let mut cases: Vec<(&str, &str)> =
        beside.iter().flat_map(|field| odd.iter().map(move |value| (*field, *value))).collect();
    cases.extend([
        ("transferType", "\"IN\""),
        ("transferType", "\" in \""),
        ("transferType", "\"In\\t\""),
        ("transferAmount", "\"131350\""),
        ("transferAmount", "\"131350.0\""),
        ("transferAmount", "\" 131350.00 \""),
        ("transferAmount", "131350.0"),
        ("transferAmount", "131350.000"),
        ("transferAmount", "13135e1"),
        ("transferAmount", "1.3135E+5"),
        ("accountNumber", "null"),
        ("accountNumber", ""),
    ]);
    for (nth, (field, value)) in (70_000..).zip(&cases) {
        let order = desk.order(&ann, "viet_qr", 500).await;
        let message = written(&nth.to_string(), &order, &[(field, value)]);
        assert_taken(&desk.deliver(&bank_message(message)).await);
        let payment = desk.payment(&format!("viet_qr.{nth}.0")).await;
        assert_eq!(
            (&payment["state"], &payment["top_up_id"]),
            (&"credited".into(), &order["id"]),
            "{field} {value}"
        );
        cents += 500;
    }
    for id in ["\"80001\"", "\" 80002 \"", "80003.0", "8.0004e4"] {
        let order = desk.order(&ann, "viet_qr", 500).await;
        assert_taken(&desk.deliver(&bank_message(written(id, &order, &[("referenceCode", "null")]))).await);
        assert_eq!(desk.show(&ann, &order).await["status"], "paid", "{id}");
        cents += 500;
    }
    assert_eq!(ann.balance().await, (cents, 0, 0));
    assert!(desk.waiting().await.is_empty());
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn form_data_is_booked_as_json_is() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let fields = [
        ("id", "92704"),
        ("gateway", "ACB"),
        ("transactionDate", ""),
        ("accountNumber", sandbox::BANK_ACCOUNT),
        ("content", code(&order)),
        ("transferType", "in"),
        ("transferAmount", "131350"),
        ("referenceCode", "FT1"),
    ];
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut message: Delivery = bank_message(body);
    message.headers[0].1 = "application/x-www-form-urlencoded".to_owned();
    assert_taken(&desk.deliver(&message).await);
    assert_eq!(ann.balance().await, (600, 0, 0));
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn what_decides_stays_strict_and_shows_what_can_be_read() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "viet_qr", 500).await;
    let cases = [
        ("transferType", "\"credit\"", "131350"),
        ("transferType", "null", "131350"),
        ("transferType", "1", "131350"),
        ("transferType", "[\"in\"]", "131350"),
        ("accountNumber", "[]", "131350"),
        ("accountNumber", "true", "131350"),
        ("accountNumber", "1.5", "131350"),
        ("transferAmount", "131350.5", "0"),
        ("transferAmount", "\"131.350\"", "0"),
        ("transferAmount", "\"131,350\"", "0"),
        ("transferAmount", "\"131350 VND\"", "0"),
        ("transferAmount", "-131350", "0"),
        ("transferAmount", "0", "0"),
        ("transferAmount", "9007199254740993", "0"),
        ("transferAmount", "null", "0"),
    ];
    for (nth, (field, value, amount)) in (71_000..).zip(cases) {
        let message = written(&nth.to_string(), &order, &[(field, value)]);
        assert_taken(&desk.deliver(&bank_message(message.clone())).await);
        let payment = desk.payment(&format!("viet_qr.{nth}.0")).await;
        assert_eq!(
            (&payment["why"], &payment["amount"]["decimal"]),
            (&"unreadable".into(), &amount.into()),
            "{field} {value}"
        );
        assert_eq!(payment["deliveries"][0]["body"], message, "it is kept as it came");
        assert_eq!(payment["likely_orders"][0]["top_up_id"], order["id"], "{field} {value}: {payment}");
    }
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(desk.show(&ann, &order).await["status"], "created");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn told_as_outgoing_first_it_waits_when_told_as_incoming_and_the_list_decides() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (one, two) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&ann, "viet_qr", 500).await);
    for (order, first) in [(&one, "out"), (&two, "OUT")] {
        let id = desk.world.sandbox.bank_transfer(TransferWish::new(dong(order), code(order)));
        let told = |way: &str| {
            let way = format!("\"{way}\"");
            bank_message(written(
                &id.to_string(),
                order,
                &[("transferType", &way), ("referenceCode", "null")],
            ))
        };
        let name = format!("viet_qr.{id}.0");
        assert_taken(&desk.deliver(&told(first)).await);
        assert_eq!(desk.payment(&name).await["state"], "ignored");
        for _ in 0..2 {
            assert_taken(&desk.deliver(&told("in")).await);
            let payment = desk.payment(&name).await;
            assert_eq!((&payment["state"], &payment["why"]), (&"unmatched".into(), &"contradicted".into()));
            assert_eq!(
                (&payment["amount"], &payment["top_up_id"]),
                (&dong_of(131_350, "131,350"), &order["id"]),
                "{payment}"
            );
        }
    }
    assert_eq!(ann.balance().await, (100, 0, 0), "two words of SePay contradict each other");
    assert_eq!(desk.waiting().await.len(), 2);

    desk.reconcile().await;

    assert_eq!(ann.balance().await, (1_100, 0, 0), "SePay's own list says which is true");
    assert!(desk.waiting().await.is_empty());
    // Without a second word of the webhook the list alone is enough.
    let three = desk.order(&ann, "viet_qr", 500).await;
    let id = desk.world.sandbox.bank_transfer(TransferWish::new(dong(&three), code(&three)));
    let out = written(&id.to_string(), &three, &[("transferType", "\"out\""), ("referenceCode", "null")]);
    assert_taken(&desk.deliver(&bank_message(out)).await);
    let reports = desk.reconcile().await;
    assert_eq!(ann.balance().await, (1_600, 0, 0));
    assert!(reports.iter().all(|report| report.differences.is_empty()), "{reports:?}");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn what_waits_shows_the_orders_it_may_have_meant() {
    let desk = Desk::with(&[("OPEN_TOP_UPS_MAX", "20")]).await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let order = desk.order(&ann, "viet_qr", 2000).await;
    let suffix = code(&order).strip_prefix("CIT").unwrap().to_owned();
    let wide: String = code(&order).chars().map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap()).collect();
    let last = suffix.chars().last().unwrap();
    let wrong = format!("CIT{}{}", &suffix[..5], if last == 'A' { 'B' } else { 'A' });
    for memo in [
        format!("C1T{suffix}"),
        format!("ClT{suffix}"),
        format!("nap tien {suffix}"),
        format!("CT{suffix}"),
        wide,
        wrong,
        format!("CIT{}", &suffix[..5]),
    ] {
        let payment = desk.took(TransferWish::new(dong(&order), &memo)).await;
        assert_eq!((&payment["state"], &payment["why"]), (&"unmatched".into(), &"no_order".into()), "{memo}");
        let likely = &payment["likely_orders"][0];
        assert_eq!(
            (&likely["top_up_id"], &likely["why"]),
            (&order["id"], &"near_code".into()),
            "{memo}: {payment}"
        );
        assert_eq!((&likely["account_id"], &likely["amount_due"]), (&ann.id().into(), &order["amount_due"]));
        let other = desk.took(TransferWish::new(50_000, &memo)).await;
        assert_eq!(other["likely_orders"][0]["why"], "near_code_other_amount", "{memo}");
    }
    let nameless = desk.took(TransferWish::new(dong(&order), "nap tien")).await;
    assert_eq!(nameless["likely_orders"][0]["why"], "same_amount", "{nameless}");
    assert_eq!(nameless["likely_orders"][0]["top_up_id"], order["id"]);
    assert!(desk.took(TransferWish::new(77_777, "nap tien")).await["likely_orders"].is_null());

    let (one, two) = (desk.order(&bob, "viet_qr", 500).await, desk.order(&bob, "viet_qr", 600).await);
    let memo = format!("{} {}", code(&one), code(&two));
    let both = desk.took(TransferWish::new(dong(&one) + dong(&two), &memo)).await;
    assert_eq!(both["why"], "several_orders");
    let likely: Vec<_> = both["likely_orders"].as_array().unwrap().iter().collect();
    assert!(likely.len() == 2 && likely.iter().all(|likely| likely["why"] == "sum_of_orders"), "{both}");
    let listed = desk.waiting().await;
    assert!(
        listed
            .iter()
            .any(|payment| payment["id"] == both["id"] && payment["likely_orders"] == both["likely_orders"])
    );
    assert_eq!((ann.balance().await, bob.balance().await), ((100, 0, 0), (100, 0, 0)), "nothing is guessed");
    books::check_payments(&desk.world).await;
}

#[tokio::test]
async fn an_account_that_is_written_as_a_number_is_ours() {
    let zeros = "0123456789";
    let desk = Desk::with(&[("BANK_ACCOUNT_ALIASES", zeros)]).await;
    let ann = desk.world.person("ann");
    for (nth, account) in
        (72_000..).zip(["123456789", "\"123456789\"", "\"0123 456 789\"", "\"0123.456.789\""])
    {
        let order = desk.order(&ann, "viet_qr", 500).await;
        let message = written(&nth.to_string(), &order, &[("accountNumber", account)]);
        assert_taken(&desk.deliver(&bank_message(message)).await);
        assert_eq!(desk.payment(&format!("viet_qr.{nth}.0")).await["state"], "credited", "{account}");
    }
    let order = desk.order(&ann, "viet_qr", 500).await;
    let message = written("72100", &order, &[("accountNumber", "987654321")]);
    assert_taken(&desk.deliver(&bank_message(message)).await);
    let other: Value = json!("other_account");
    assert_eq!(desk.payment("viet_qr.72100.0").await["why"], other);
    books::check_payments(&desk.world).await;
}
