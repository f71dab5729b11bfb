use crate::Vnd;
use crate::sepay_card::{
    CheckoutOrder, Merchant, PageLanguage, PaymentMethod, checkout_form, checkout_page, page_style_source,
    sign, verify,
};
use primitives::Secret;
use url::Url;

// The vectors were computed with SePay's npm package sepay-pg-node 1.0.0.
const V1: &str = "W5DZNqR4FG8xOTMlq9f/bULzdtVroUdShTTFcuae9jE=";
const V1_KEY: &str = "spsk_test_madeupsecret_0001";
const V1_FIELDS: [(&str, &str); 11] = [
    ("order_amount", "250000"),
    ("merchant", "SP-TEST-CITIPEN1"),
    ("currency", "VND"),
    ("operation", "PURCHASE"),
    ("order_description", "Nap credit Citipen 10 USD"),
    ("order_invoice_number", "CIT-20260101-000001"),
    ("customer_id", "user_2abc"),
    ("payment_method", "CARD"),
    ("success_url", "https://app.example.com/topup/ok?o=1"),
    ("error_url", "https://app.example.com/topup/error?o=1"),
    ("cancel_url", "https://app.example.com/topup/cancel?o=1"),
];

#[test]
fn another_order_of_the_same_inputs_is_another_signature() {
    let order = [
        "merchant",
        "operation",
        "payment_method",
        "order_amount",
        "currency",
        "order_invoice_number",
        "order_description",
        "customer_id",
        "success_url",
        "error_url",
        "cancel_url",
    ];
    let v1b = order.map(|name| *V1_FIELDS.iter().find(|field| field.0 == name).unwrap());
    assert_eq!(sign(&Secret::new(V1_KEY), &V1_FIELDS), V1);
    assert_eq!(sign(&Secret::new(V1_KEY), &v1b), "7v0SWas8hNAVfSs0taqKpaMYGLLggtNQVALHhK/0HlU=");
}

#[test]
fn commas_equals_signs_and_vietnamese_letters_are_signed_as_they_are() {
    let fields = [
        ("order_amount", "1299000"),
        ("merchant", "SP-LIVE-CITIPEN2"),
        ("currency", "VND"),
        ("operation", "PURCHASE"),
        ("order_description", "Nạp tiền Citipen, gói 50$ = 1.299.000đ"),
        ("order_invoice_number", "CITAB12CD"),
    ];
    let signature = sign(&Secret::new("spsk_live_madeupsecret_0002"), &fields);
    assert_eq!(signature, "PW2vkqSurNnrKcf0Lx3YpQpEhZIMTSdBILBn9tW2wBA=");
}

#[test]
fn inputs_that_are_never_signed_are_passed_over() {
    let fields = [
        ("operation", "PURCHASE"),
        ("custom_data", "user=42"),
        ("order_invoice_number", "CIT_7"),
        ("order_amount", "10000"),
        ("currency", "VND"),
        ("success_url", "https://example.com/order/CIT_7"),
        ("order_description", "Thanh toan don hang CIT_7"),
        ("merchant", "SP-TEST-CITIPEN3"),
    ];
    let signature = sign(&Secret::new("khoa bi mat đặc biệt"), &fields);
    assert_eq!(signature, "a274OxqYcQjKvzPVXMlSOn7DdyFIrUSwEIgG6t/NuC4=");
}

#[test]
fn a_forged_form_is_refused() {
    let secret = Secret::new(V1_KEY);
    assert!(verify(&secret, &V1_FIELDS, V1));
    let mut cheaper = V1_FIELDS;
    cheaper[0].1 = "250";
    let mut swapped = V1_FIELDS;
    swapped.swap(0, 1);
    for fields in [&cheaper[..], &swapped[..], &V1_FIELDS[1..], &[]] {
        assert!(!verify(&secret, fields, V1));
    }
    for signature in ["", "W5DZ", "W5DZNqR4FG8xOTMlq9f/bULzdtVroUdShTTFcuae9jE", &V1.to_lowercase(), "đ"] {
        assert!(!verify(&secret, &V1_FIELDS, signature), "{signature}");
    }
    let nothing = Secret::new("");
    assert!(!verify(&nothing, &V1_FIELDS, &sign(&nothing, &V1_FIELDS)));
}

#[test]
fn the_form_has_the_documented_inputs_in_the_documented_order() {
    let form = checkout_form(&merchant(), &checkout_url(), &order());
    let mut expected: Vec<_> = V1_FIELDS.into();
    expected.push(("signature", V1));
    let fields: Vec<_> = form.fields.iter().map(|field| (field.name, field.value.as_str())).collect();
    assert_eq!(fields, expected);
    assert_eq!(form.action, "https://pay-sandbox.sepay.vn/v1/checkout/init");
    assert_eq!(form.targets(), "https://pay-sandbox.sepay.vn https://*.sepay.vn");
}

#[test]
fn absent_and_empty_inputs_are_in_neither_form_nor_signature() {
    let bare = CheckoutOrder {
        customer_id: None,
        payment_method: None,
        success_url: String::new(),
        error_url: String::new(),
        cancel_url: String::new(),
        ..order()
    };
    let form = checkout_form(&merchant(), &checkout_url(), &bare);
    let names: Vec<_> = form.fields.iter().map(|field| field.name).collect();
    let kept =
        ["order_amount", "merchant", "currency", "operation", "order_description", "order_invoice_number"];
    assert_eq!(names, [&kept[..], &["signature"]].concat());
    assert_eq!(form.fields[6].value, sign(&merchant().secret_key, &V1_FIELDS[..6]));
}

#[test]
fn what_a_browser_or_server_would_rewrite_is_not_signed() {
    let order = CheckoutOrder { description: " ten\r\ndollars\t\0 ".to_owned(), ..order() };
    let form = checkout_form(&merchant(), &checkout_url(), &order);
    assert_eq!(form.value("order_description"), "ten  dollars");
    let (signature, fields) = form.fields.split_last().unwrap();
    let pairs: Vec<_> = fields.iter().map(|field| (field.name, field.value.as_str())).collect();
    assert!(verify(&merchant().secret_key, &pairs, &signature.value));
}

#[test]
fn the_page_posts_the_inputs_in_order_and_says_what_is_paid() {
    let form = checkout_form(&merchant(), &checkout_url(), &order());
    let page = checkout_page(&form, "Citipen", PageLanguage::English);

    assert_eq!(inputs_of(&page), form.fields.iter().map(|f| (f.name, f.value.as_str())).collect::<Vec<_>>());
    assert!(page.contains(r#"<form method="post" action="https://pay-sandbox.sepay.vn/v1/checkout/init""#));
    assert!(page.contains(r#"<html lang="en">"#) && page.contains(r#"<meta charset="utf-8">"#));
    assert!(page.contains("<strong>250,000 VND</strong>") && page.contains("Nap credit Citipen 10 USD</dd>"));
    assert!(page.contains(r#"<button type="submit">Continue to SePay</button>"#));
    assert!(!page.contains("<script") && !page.contains(V1_KEY));

    let page = checkout_page(&form, "Citipen", PageLanguage::Vietnamese);
    assert!(page.contains(r#"<html lang="vi">"#) && page.contains("<strong>250.000 VND</strong>"));
    assert!(page.contains("Tiếp tục đến SePay</button>"));
}

#[test]
fn nothing_in_an_order_can_leave_its_place_in_the_page() {
    let hostile = r#""><script>alert('1')</script>&quot;<"#;
    let order = CheckoutOrder { description: hostile.to_owned(), ..order() };
    let form = checkout_form(&merchant(), &checkout_url(), &order);
    let page = checkout_page(&form, hostile, PageLanguage::English);
    assert!(!page.contains("<script"));
    let escaped = "&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;quot;&lt;";
    assert!(inputs_of(&page).contains(&("order_description", escaped)));
    assert_eq!(page.matches(escaped).count(), 4);
}

#[test]
fn the_style_has_the_hash_that_a_browser_computes() {
    let form = checkout_form(&merchant(), &checkout_url(), &order());
    let page = checkout_page(&form, "Citipen", PageLanguage::English);
    let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = ring::digest::digest(&ring::digest::SHA256, style.as_bytes());
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, hash);
    assert_eq!(page_style_source(), format!("'sha256-{encoded}'"));
}

fn inputs_of(page: &str) -> Vec<(&str, &str)> {
    let inputs = page
        .lines()
        .filter_map(|line| line.strip_prefix("<input type=\"hidden\" autocomplete=\"off\" name=\""));
    inputs.map(|rest| rest.strip_suffix("\">").unwrap().split_once("\" value=\"").unwrap()).collect()
}

fn merchant() -> Merchant {
    Merchant { id: "SP-TEST-CITIPEN1".to_owned(), secret_key: Secret::new(V1_KEY) }
}

fn checkout_url() -> Url {
    "https://pay-sandbox.sepay.vn/v1/checkout/init".parse().unwrap()
}

fn order() -> CheckoutOrder {
    let address = |end: &str| format!("https://app.example.com/topup/{end}?o=1");
    CheckoutOrder {
        amount: Vnd::new(250_000).unwrap(),
        invoice: "CIT-20260101-000001".parse().unwrap(),
        description: "Nap credit Citipen 10 USD".to_owned(),
        customer_id: Some("user_2abc".to_owned()),
        payment_method: Some(PaymentMethod::Card),
        success_url: address("ok"),
        error_url: address("error"),
        cancel_url: address("cancel"),
    }
}
