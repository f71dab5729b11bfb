//! What an order is paid with: its reference and QR, the links that work without a sign-in, SePay's checkout form.

use super::desk::{Desk, dong, micros};
use super::orders::{HOUR, cancel};
use crate::books;
use crate::world::{Answer, http};
use serde_json::Value;
use std::collections::HashSet;

#[tokio::test]
async fn every_order_has_a_reference_of_its_own_that_a_bank_app_reads_from_the_qr() {
    let desk = Desk::with(&[("OPEN_TOP_UPS_MAX", "40"), ("TOP_UPS_PER_DAY_MAX", "40")]).await;
    let (ann, bob) = (desk.world.person("ann"), desk.world.person("bob"));
    let (mut codes, mut amounts) = (HashSet::new(), HashSet::new());
    for nth in 0..40 {
        let person = if nth % 2 == 0 { &ann } else { &bob };
        let order = desk.order(person, "viet_qr", 500).await;
        let code = order["reference"].as_str().unwrap();
        let suffix = code.strip_prefix("CIT").unwrap();
        let is_plain = |b: u8| b"23456789ABCDEFGHJKMNPQRSTUVWXYZ".contains(&b);
        assert!(suffix.len() == 6 && suffix.bytes().all(is_plain), "{code}");
        assert!(codes.insert(code.to_owned()), "{code} twice");
        let pay = &order["pay"];
        let scanned = desk.world.sandbox.scan_viet_qr(pay["qr_payload"].as_str().unwrap()).unwrap();
        assert_eq!((scanned.amount, scanned.memo.as_str()), (Some(131_350), code));
        assert_eq!((&pay["memo"], &pay["account"]), (&code.into(), &sandbox::BANK_ACCOUNT.into()));
        let order = desk.order(person, "tron_usdt", 500).await;
        assert!(amounts.insert(micros(&order)), "{order}");
        assert_eq!(
            (&order["pay"]["amount"], &order["pay"]["address"]),
            (&order["amount_due"], &sandbox::TRON_WALLET.into())
        );
    }
}

/// Opens a link of an order as a browser does, without a sign-in.
async fn open(desk: &Desk, link: &str) -> Answer {
    let path = link.strip_prefix(desk.world.outside()).unwrap();
    Answer::of(http().get(format!("{}{path}", desk.world.product.base)).send().await.unwrap()).await
}

#[tokio::test]
async fn the_links_of_an_order_work_without_a_sign_in_and_only_with_its_key() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let (bank, card) = (desk.order(&ann, "viet_qr", 500).await, desk.order(&ann, "sepay_card", 500).await);
    let other = desk.order(&ann, "viet_qr", 500).await;
    let link = |order: &Value, name: &str| order["pay"][name].as_str().unwrap().to_owned();
    let links = [link(&bank, "qr_svg_url"), link(&bank, "qr_png_url"), link(&card, "page_url")];
    for (link, kind) in links.iter().zip(["image/svg+xml", "image/png", "text/html; charset=utf-8"]) {
        let shown = open(&desk, link).await;
        assert_eq!((shown.status, shown.headers["content-type"].to_str().unwrap()), (200, kind), "{link}");
        assert_eq!(shown.headers["x-content-type-options"], "nosniff");
        let policy = shown.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        let cached = shown.headers["cache-control"].to_str().unwrap();
        assert!(!cached.contains("public"), "{cached}");
    }
    assert!(open(&desk, &links[0]).await.text.starts_with("<svg"));
    let page = open(&desk, &links[2]).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action") && !policy.contains("'unsafe"), "{policy}");
    assert!(page.text.contains(card["reference"].as_str().unwrap()) && !page.text.contains("<script"));
    assert!(!page.text.contains(sandbox::SEPAY_SECRET_KEY), "the key that signs stays with us");
    assert!(open(&desk, &format!("{}&lang=vi", links[2])).await.text.contains("lang=\"vi\""));

    let id = |order: &Value| order["id"].as_str().unwrap().to_owned();
    let mut wrong = vec![
        links[0].replace(&id(&bank), &id(&other)),
        links[0].replace(&id(&bank), "01KABCDEFGHJKMNPQRSTVWXYZ0"),
        links[0].replace(&id(&bank), "slot%230"),
        links[0].replace("ann", "bob"),
        link(&bank, "qr_svg_url").replace("qr.svg", "checkout"),
        link(&card, "page_url").replace("checkout", "qr.png"),
    ];
    for link in &links {
        let (bare, key) = link.split_once("?key=").unwrap();
        let account = key.split_once('.').unwrap().0;
        let shorter = &key[..key.len() - 1];
        wrong.push(bare.to_owned());
        wrong.extend(["", ".", account, shorter].map(|key| format!("{bare}?key={key}")));
        wrong.push(format!("{bare}?key={account}."));
        wrong.push(format!("{bare}?key={key}x"));
    }
    for link in &wrong {
        let refused = open(&desk, link).await;
        assert_eq!((refused.status, refused.problem()), (404, "not_found"), "{link}");
    }
    desk.transfer(dong(&bank), bank["reference"].as_str().unwrap()).await;
    assert_eq!(open(&desk, &links[0]).await.status, 404, "it is paid");
    assert_eq!(cancel(&ann, &card).await.status, 200);
    let page = open(&desk, &links[2]).await;
    assert_eq!(page.status, 200, "whoever presses Back sees a page");
    assert!(page.text.contains("nothing to pay") && !page.text.contains("<form"), "{}", page.text);
    desk.world.advance(HOUR);
    assert_eq!(open(&desk, &link(&other, "qr_svg_url")).await.status, 404, "it has expired");
}

#[tokio::test]
async fn sepay_accepts_the_checkout_form_as_it_is_and_no_other() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    let order = desk.order(&ann, "sepay_card", 2000).await;
    let fields = order["pay"]["fields"].as_array().unwrap();
    let value =
        |name: &str| fields.iter().find(|field| field["name"] == name).unwrap()["value"].as_str().unwrap();
    assert_eq!((value("order_amount"), value("currency"), value("operation")), ("525400", "VND", "PURCHASE"));
    assert_eq!(value("order_invoice_number"), order["reference"]);
    let post = async |change: &dyn Fn(&str, &str) -> String| {
        let pairs = fields.iter().map(|field| {
            let (name, value) = (field["name"].as_str().unwrap(), field["value"].as_str().unwrap());
            (name.to_owned(), change(name, value))
        });
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = http().post(order["pay"]["action"].as_str().unwrap());
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        request.send().await.unwrap().status().as_u16()
    };
    for field in ["order_amount", "order_invoice_number", "success_url", "signature"] {
        let tampered =
            |name: &str, value: &str| if name == field { format!("{value}0") } else { value.to_owned() };
        assert_eq!(post(&tampered).await, 400, "{field}");
    }
    assert_eq!(post(&|_: &str, value: &str| value.to_owned()).await, 200);
    assert_eq!(desk.show(&ann, &order).await["status"], "created", "opening the page pays nothing");
    books::check(&desk.world).await;
}
