use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use url::form_urlencoded;

use super::{Answer, ask, instant};
use crate::sepay::Form;
use crate::{CardRefusal, SEPAY_MERCHANT_ID, SEPAY_SECRET_KEY, Sandbox};

/// Thursday, 1 January 2026, 07:00 in Vietnam.
pub(super) const NOW: u64 = 1_767_225_600;
const OPEN: &str = "POST /sandbox/sepay/v1/checkout/init";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
pub(super) const INVOICE: &str = "CIT-20260101-000001";

type Fields = Vec<(&'static str, String)>;

/// The fields in the order of SePay's form page.
pub(super) fn fields() -> Fields {
    let address = |name: &str| format!("https://app.example.com/topup/{name}?o=1");
    vec![
        ("order_amount", "250000".to_owned()),
        ("merchant", SEPAY_MERCHANT_ID.to_owned()),
        ("currency", "VND".to_owned()),
        ("operation", "PURCHASE".to_owned()),
        ("order_description", "Nạp <b>10</b> USD, \"nhanh\"".to_owned()),
        ("order_invoice_number", INVOICE.to_owned()),
        ("customer_id", "user_2abc".to_owned()),
        ("payment_method", "CARD".to_owned()),
        ("success_url", address("ok")),
        ("error_url", address("error")),
        ("cancel_url", address("cancel")),
    ]
}

pub(super) fn with(mut fields: Fields, name: &str, value: &str) -> Fields {
    fields.iter_mut().filter(|(of, _)| *of == name).for_each(|(_, held)| *held = value.to_owned());
    fields
}

/// Signs everything given, as the shop does.
fn posted(fields: &Fields) -> String {
    let message: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SEPAY_SECRET_KEY.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, message.join(",").as_bytes()));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    form.append_pair("signature", &signature).finish()
}

pub(super) async fn open(sandbox: &Sandbox, fields: &Fields) -> Answer {
    ask(sandbox, OPEN, &[FORM], posted(fields)).await
}

/// The path a button of the page posts to.
pub(super) fn button(page: &Answer, name: &str) -> String {
    let mut actions = page.text().split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let path = actions.find(|path| path.ends_with(name)).expect("a button");
    format!("POST {path}")
}

#[test]
fn forms_signed_by_the_official_kits_are_believed() {
    let vectors = [
        (
            "spsk_test_madeupsecret_0001",
            "order_amount=250000,merchant=SP-TEST-CITIPEN1,currency=VND,operation=PURCHASE,\
             order_description=Nap credit Citipen 10 USD,order_invoice_number=CIT-20260101-000001,\
             customer_id=user_2abc,payment_method=CARD,success_url=https://app.example.com/topup/ok?o=1,\
             error_url=https://app.example.com/topup/error?o=1,cancel_url=https://app.example.com/topup/cancel?o=1",
            "W5DZNqR4FG8xOTMlq9f/bULzdtVroUdShTTFcuae9jE=",
        ),
        (
            "spsk_test_madeupsecret_0001",
            "merchant=SP-TEST-CITIPEN1,operation=PURCHASE,payment_method=CARD,order_amount=250000,currency=VND,\
             order_invoice_number=CIT-20260101-000001,order_description=Nap credit Citipen 10 USD,\
             customer_id=user_2abc,success_url=https://app.example.com/topup/ok?o=1,\
             error_url=https://app.example.com/topup/error?o=1,cancel_url=https://app.example.com/topup/cancel?o=1",
            "7v0SWas8hNAVfSs0taqKpaMYGLLggtNQVALHhK/0HlU=",
        ),
        (
            "spsk_live_madeupsecret_0002",
            "order_amount=1299000,merchant=SP-LIVE-CITIPEN2,currency=VND,operation=PURCHASE,\
             order_description=Nạp tiền Citipen, gói 50$ = 1.299.000đ,order_invoice_number=CITAB12CD",
            "PW2vkqSurNnrKcf0Lx3YpQpEhZIMTSdBILBn9tW2wBA=",
        ),
        (
            "khoa bi mat đặc biệt",
            "operation=PURCHASE,order_invoice_number=CIT_7,order_amount=10000,currency=VND,\
             success_url=https://example.com/order/CIT_7,order_description=Thanh toan don hang CIT_7,\
             merchant=SP-TEST-CITIPEN3",
            "a274OxqYcQjKvzPVXMlSOn7DdyFIrUSwEIgG6t/NuC4=",
        ),
    ];
    for (secret, message, signature) in vectors {
        let form = Form::read(form_of(message, signature).as_bytes());
        assert_eq!(form.message(), message);
        assert!(form.is_signed_by(secret));
        assert!(!form.is_signed_by("spsk_other"));
    }
}

/// The form a browser posts for a message, with a field nobody signs. The comma in V2's text belongs to its value.
fn form_of(message: &str, signature: &str) -> String {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in message.split(',') {
        match (piece.split_once('='), pairs.last_mut()) {
            (Some((name, value)), _) if !name.starts_with(' ') => {
                pairs.push((name.to_owned(), value.to_owned()))
            }
            (_, Some((_, value))) => *value = format!("{value},{piece}"),
            (_, None) => panic!("no field: {piece}"),
        }
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("custom_data", "user=42")
        .extend_pairs(pairs)
        .append_pair("signature", signature)
        .finish()
}

#[tokio::test]
async fn a_signed_form_opens_a_page_whose_texts_are_no_markup() {
    let page = open(&instant(), &fields()).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("250.000 ₫") && page.text().contains("Nạp &lt;b&gt;10&lt;/b&gt; USD"));
    assert!(!page.text().contains("<b>"));
}

#[tokio::test]
async fn a_wrong_signature_shows_what_was_signed_and_never_the_secret() {
    let sandbox = instant();
    let body = posted(&fields()).replace("order_amount=250000", "order_amount=25000");
    let answer = ask(&sandbox, OPEN, &[FORM], body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("order_amount=25000,merchant=SP-TEST-SANDBOX,currency=VND"));
    assert!(!answer.text().contains(SEPAY_SECRET_KEY));
    assert_eq!(sandbox.pay_card(INVOICE), Err(CardRefusal::UnknownOrder));
}

#[tokio::test]
async fn fields_that_make_no_sense_are_named() {
    let sandbox = instant();
    let wrong = [
        ("order_amount", "0"),
        ("order_amount", "-5"),
        ("order_amount", "250000.00"),
        ("order_amount", "1e5"),
        ("currency", "USD"),
        ("operation", "VERIFY"),
        ("order_description", ""),
        ("order_invoice_number", "CIT 1"),
        ("order_invoice_number", ""),
        ("payment_method", "CASH"),
        ("success_url", "javascript:alert(1)"),
    ];
    for (name, value) in wrong {
        let answer = open(&sandbox, &with(fields(), name, value)).await;
        assert_eq!(answer.status, 400, "{name}={value}");
        assert!(answer.text().contains(name), "{name}={value}: {}", answer.text());
    }
    assert!(
        open(&sandbox, &with(fields(), "merchant", "SP-LIVE-X")).await.text().contains("no such merchant")
    );
    let mut twice = fields();
    twice.push(("order_amount", "1".to_owned()));
    assert!(open(&sandbox, &twice).await.text().contains("order_amount is there twice"));
    assert_eq!(ask(&sandbox, OPEN, &[], posted(&fields())).await.status, 415);
}

#[tokio::test]
async fn an_invoice_number_is_taken_for_ever_except_by_the_same_unpaid_form() {
    let sandbox = instant();
    let first = open(&sandbox, &fields()).await;
    let again = open(&sandbox, &fields()).await;
    assert_eq!((again.status, button(&again, "/pay")), (200, button(&first, "/pay")));
    let other = open(&sandbox, &with(fields(), "order_amount", "1")).await;
    assert!(other.status == 400 && other.text().contains("unique for ever"));
    sandbox.pay_card(INVOICE).expect("payable");
    assert_eq!(open(&sandbox, &fields()).await.status, 400);
}

#[tokio::test]
async fn each_button_goes_back_to_its_own_address() {
    let sandbox = instant();
    let page = open(&sandbox, &fields()).await;
    for (name, address) in [("cancel", "cancel"), ("decline", "error"), ("pay", "ok")] {
        let back = ask(&sandbox, &button(&page, name), &[], "").await;
        assert_eq!(back.status, 303);
        assert_eq!(back.header("location"), format!("https://app.example.com/topup/{address}?o=1"));
    }
    assert_eq!(ask(&sandbox, &button(&page, "pay"), &[], "").await.status, 409);
}
