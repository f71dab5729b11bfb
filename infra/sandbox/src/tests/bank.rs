use serde_json::{Value, json};

use super::{Answer, ask, instant};
use crate::bank::{Transfer, signature};
use crate::{
    BANK_ACCOUNT, Fault, FaultRule, Mangle, Proof, SEPAY_BANK_API_KEY, SEPAY_BANK_API_TOKEN,
    SEPAY_BANK_HMAC_SECRET, Sandbox, Service, TransferWish,
};

/// Thursday, 1 January 2026, 07:00 in Vietnam.
const NOW: u64 = 1_767_225_600;

fn bank() -> Sandbox {
    let sandbox = instant();
    sandbox.set_now(Some(NOW));
    sandbox
}

async fn transfer(sandbox: &Sandbox, order: Value) -> Answer {
    ask(sandbox, "POST /sandbox/bank/transfers", &[], order.to_string()).await
}

async fn list(sandbox: &Sandbox, query: &str) -> Answer {
    let token = format!("Bearer {SEPAY_BANK_API_TOKEN}");
    let order = format!("GET /sandbox/bank/userapi/transactions/{query}");
    ask(sandbox, &order, &[("authorization", &token)], "").await
}

fn told(sandbox: &Sandbox, id: u64) -> Value {
    serde_json::from_slice(&sandbox.bank_webhook(id).expect("known").body).expect("JSON")
}

fn contents(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let rows = body["transactions"].as_array().expect("rows").iter();
    rows.filter_map(|row| row["transaction_content"].as_str().map(str::to_owned)).collect()
}

#[test]
fn the_body_and_its_signature_are_those_of_the_vectors() {
    let secret = "whsec_a1b2c3d4e5f60718293a4b5c6d7e8f90";
    let body = Transfer::sample().body();
    let wanted = concat!(
        r#"{"id":92704,"gateway":"ACB","transactionDate":"2026-01-01 07:00:00","accountNumber":"12345678","#,
        r#""code":"CITAB12CD","content":"CITAB12CD","transferType":"in","transferAmount":250000,"#,
        r#""accumulated":1250000,"subAccount":null,"referenceCode":"FT26001000001","description":"ACB CITAB12CD"}"#
    );
    assert_eq!(std::str::from_utf8(&body), Ok(wanted));
    assert_eq!(
        signature(secret, 1_767_225_600, &body),
        "sha256=03d77575e3cb8ad7bd421678f024270bbdb0674bdd2136cf5e11a96c04856519"
    );
    assert_eq!(
        signature(
            secret,
            1_767_225_661,
            r#"{"id":92705,"content":"Nạp tiền CITAB12CD","transferAmount":250000}"#.as_bytes()
        ),
        "sha256=47db140b7480b50a32c275d6ac704ff4ee060d675e6908189853318e86cbd2c6"
    );
}

#[test]
fn a_webhook_is_signed_at_the_sandboxs_clock_and_keeps_its_body() {
    let sandbox = bank();
    let id = sandbox.bank_transfer(TransferWish::new(250_000, "CITAB12CD"));
    let first = sandbox.bank_webhook(id).expect("known");
    sandbox.set_now(Some(NOW + 400));
    let later = sandbox.bank_webhook(id).expect("known");

    assert_eq!((&first.path[..], &first.body), ("/v1/webhooks/sepay/bank", &later.body));
    for (delivery, at) in [(first, NOW), (later, NOW + 400)] {
        let wanted = [
            ("content-type", "application/json".to_owned()),
            ("x-sepay-signature", signature(SEPAY_BANK_HMAC_SECRET, at, &delivery.body)),
            ("x-sepay-timestamp", at.to_string()),
        ];
        assert_eq!(delivery.headers, wanted.map(|(name, value)| (name.to_owned(), value)));
    }
    assert!(sandbox.bank_webhook(id + 1).is_none());
}

#[test]
fn ids_follow_the_clock_and_never_repeat() {
    let sandbox = bank();
    let first = sandbox.bank_transfer(TransferWish::new(1, "a"));
    let second = sandbox.bank_transfer(TransferWish::new(1, "b"));
    sandbox.set_now(Some(NOW - 500));
    let third = sandbox.bank_transfer(TransferWish::new(1, "c"));
    assert_eq!([first, second, third], [NOW * 1_000, NOW * 1_000 + 1, NOW * 1_000 + 2]);
}

#[test]
fn the_code_is_found_unless_the_bank_spoilt_it() {
    let found = Some("CITAB12CD");
    let table = [
        ("CITAB12CD", None, "CITAB12CD", found),
        ("CITIPEN citab12cd cam on", None, "CITIPEN citab12cd cam on", found),
        ("CITAB12C", None, "CITAB12C", None),
        ("CITAB12CD", Some(Mangle::Lower), "citab12cd", found),
        ("CITAB12CD", Some(Mangle::Spaces), "CIT AB1 2CD", None),
        ("CITAB12CD", Some(Mangle::Glued), "CITAB12CDFT26325", found),
        ("CITAB12CD", Some(Mangle::Cut), "CITAB12", None),
        ("CITAB12CD", Some(Mangle::NoCode), "CITAB12CD", None),
        ("đặc biệt CITđđđ", None, "đặc biệt CITđđđ", None),
    ];
    let sandbox = bank();
    for (memo, mangle, content, code) in table {
        let id = sandbox.bank_transfer(TransferWish { mangle, ..TransferWish::new(1, memo) });
        let told = told(&sandbox, id);
        assert_eq!((told["content"].as_str(), told["code"].as_str()), (Some(content), code), "{mangle:?}");
    }
    let wish = TransferWish { mangle: Some(Mangle::Prefix), ..TransferWish::new(1, "CITAB12CD") };
    let told = told(&sandbox, sandbox.bank_transfer(wish));
    assert!(told["code"] == "CITAB12CD" && told["content"].as_str().is_some_and(|text| text.len() > 30));
}

#[tokio::test]
async fn an_order_says_everything_about_the_transfer() {
    let sandbox = bank();
    let order = json!({
        "amount": 250_000, "memo": "CITAB12CD", "account": "0071000888888", "direction": "out",
        "at": "2025-12-31 23:59:59", "mangle": "lower", "auth": "api_key", "twice": true,
    });
    let answer = transfer(&sandbox, order).await;
    assert_eq!(answer.status, 201);
    let made = answer.json();
    let wanted = json!({
        "id": NOW * 1_000, "gateway": "ACB", "transactionDate": "2025-12-31 23:59:59",
        "accountNumber": "0071000888888", "code": "CITAB12CD", "content": "citab12cd", "transferType": "out",
        "transferAmount": 250_000, "accumulated": 0, "subAccount": null, "referenceCode": "FT01767225600000",
        "description": "ACB citab12cd", "deliveries": [],
    });
    assert_eq!(made["referenceCode"].as_str().map(|text| &text[..2]), Some("FT"));
    assert_eq!(
        Value::from_iter(without(&made, "referenceCode")),
        Value::from_iter(without(&wanted, "referenceCode"))
    );

    let wrong = [
        json!({ "memo": "x" }),
        json!({ "amount": 0, "memo": "x" }),
        json!({ "amount": 1.5, "memo": "x" }),
        json!({ "amount": -1, "memo": "x" }),
        json!({ "amount": 1, "memo": "x", "at": "2025-02-29 00:00:00" }),
        json!({ "amount": 1, "memo": "x", "mangle": "upside_down" }),
        json!({ "amount": 1, "memo": "x", "amont": 2 }),
    ];
    for order in wrong {
        assert_eq!(transfer(&sandbox, order.clone()).await.status, 422, "{order}");
    }
}

fn without(body: &Value, name: &str) -> Vec<(String, Value)> {
    let fields = body.as_object().expect("an object").iter().filter(|(of, _)| *of != name);
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[tokio::test]
async fn webhooks_arrive_twice_not_at_all_and_again() {
    let (received, address) = super::product("/v1/webhooks/sepay/bank").await;
    let config = crate::SandboxConfig { webhook_target: Some(address), ..super::config(true) };
    let sandbox = Sandbox::new(config);
    let count = || received.lock().expect("no test panicked").len();

    let made = transfer(&sandbox, json!({ "amount": 5, "memo": "CITAB12CD", "twice": true })).await.json();
    assert_eq!((count(), made["deliveries"].as_array().map(Vec::len)), (2, Some(2)));
    sandbox.faults().set(Service::Bank, FaultRule::once(Fault::Duplicate));
    let lost = transfer(&sandbox, json!({ "amount": 6, "memo": "x", "lose_webhook": true })).await.json();
    assert_eq!((count(), lost["deliveries"].as_array().map(Vec::len)), (2, Some(0)));
    sandbox.faults().set(Service::Bank, FaultRule::once(Fault::Lost));
    transfer(&sandbox, json!({ "amount": 7, "memo": "y" })).await;
    assert_eq!(count(), 2);
    let replay = format!("POST /sandbox/bank/transfers/{}/replay?auth=api_key", made["id"]);
    assert_eq!(ask(&sandbox, &replay, &[], "").await.json()["deliveries"][0]["status"], 204);

    let received = received.lock().expect("no test panicked").clone();
    assert_eq!(received.len(), 3);
    assert!(received.iter().all(|(_, body)| *body == received[0].1));
    assert!(received[1].0.contains_key("x-sepay-signature"));
    assert_eq!(received[2].0["authorization"], format!("Apikey {SEPAY_BANK_API_KEY}"));
    assert_eq!(contents(&list(&sandbox, "list").await), ["y", "x", "CITAB12CD"]);
    let sent = sandbox.journal().into_iter().filter(|line| line.path == "/v1/webhooks/sepay/bank");
    assert!(sent.map(|line| line.status).eq([Some(204); 3]));
    let shown = ask(&sandbox, "GET /sandbox/bank/transfers", &[], "").await.json();
    assert_eq!(shown["transfers"][2]["deliveries"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn the_request_can_be_had_unsent_and_with_other_proofs() {
    let sandbox = bank();
    let id =
        sandbox.bank_transfer(TransferWish { proof: Proof::ApiKey, ..TransferWish::new(1, "Nạp tiền") });
    let path = format!("GET /sandbox/bank/transfers/{id}/webhook-request");
    let shown = ask(&sandbox, &path, &[], "").await.json();
    assert_eq!(shown["headers"]["authorization"], format!("Apikey {SEPAY_BANK_API_KEY}"));
    let body = shown["body"].as_str().expect("text");
    let right = signature(SEPAY_BANK_HMAC_SECRET, NOW, body.as_bytes());
    for (auth, is_right) in [("hmac", true), ("broken", false), ("none", false)] {
        let shown = ask(&sandbox, &format!("{path}?auth={auth}"), &[], "").await.json();
        assert_eq!(shown["headers"]["x-sepay-signature"] == right, is_right, "{auth}");
    }
    assert_eq!(ask(&sandbox, &format!("{path}?auth=magic"), &[], "").await.status, 422);
    assert_eq!(ask(&sandbox, "GET /sandbox/bank/transfers/1/webhook-request", &[], "").await.status, 404);
}

#[tokio::test]
async fn the_list_filters_and_writes_every_value_as_text() {
    let sandbox = bank();
    let at = |at: u64, wish: TransferWish| sandbox.bank_transfer(TransferWish { at: Some(at), ..wish });
    at(NOW, TransferWish::new(250_000, "first"));
    let second = at(NOW + 86_400, TransferWish::new(10_000, "CITAB12CD"));
    at(NOW + 86_400, TransferWish { outgoing: true, ..TransferWish::new(10_000, "out") });
    at(NOW + 172_800, TransferWish { account: "999".to_owned(), ..TransferWish::new(7, "elsewhere") });

    let details = list(&sandbox, &format!("details/{second}")).await.json();
    let mut row = details["transaction"].clone();
    let reference = row["reference_number"].take();
    let wanted = json!({
        "id": second.to_string(), "bank_brand_name": "ACB", "account_number": BANK_ACCOUNT,
        "transaction_date": "2026-01-02 07:00:00", "amount_in": "10000.00", "amount_out": "0.00",
        "accumulated": "260000.00", "transaction_content": "CITAB12CD", "reference_number": null,
        "code": "CITAB12CD", "sub_account": "", "bank_account_id": "19",
    });
    assert_eq!(row, wanted);

    let reference = format!("reference_number={}", reference.as_str().expect("text"));
    let table: &[(&str, &[&str])] = &[
        ("", &["elsewhere", "out", "CITAB12CD", "first"]),
        (&format!("since_id={second}"), &["elsewhere", "out", "CITAB12CD"]),
        ("account_number=12345678", &["out", "CITAB12CD", "first"]),
        ("transaction_date_min=2026-01-02&transaction_date_max=2026-01-02", &["out", "CITAB12CD"]),
        ("transaction_date_max=2026-01-02%2006:59:59", &["first"]),
        ("amount_in=10000", &["CITAB12CD"]),
        ("amount_out=10000.00", &["out"]),
        (&reference, &["CITAB12CD"]),
        ("limit=1", &["elsewhere"]),
    ];
    for (query, wanted) in table {
        assert_eq!(contents(&list(&sandbox, &format!("list?{query}")).await), *wanted, "{query}");
    }
    let count = list(&sandbox, "count?account_number=12345678").await.json();
    assert_eq!(count["count_transactions"], "3");
    for query in ["since_id=x", "limit=-1", "amount_in=1.5", "transaction_date_min=2026-02-30"] {
        assert_eq!(list(&sandbox, &format!("list?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn the_list_wants_its_token_and_can_fail_while_transfers_go_on() {
    let sandbox = bank();
    let path = "GET /sandbox/bank/userapi/transactions/list";
    assert_eq!(ask(&sandbox, path, &[], "").await.status, 401);
    assert_eq!(ask(&sandbox, path, &[("authorization", "Bearer other")], "").await.status, 401);
    sandbox.faults().set(Service::Bank, FaultRule::once(Fault::Status { status: 429, retry_after: Some(3) }));
    assert_eq!(transfer(&sandbox, json!({ "amount": 1, "memo": "x" })).await.status, 201);
    let answer = list(&sandbox, "list").await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "3"));
    sandbox.faults().set(Service::Bank, FaultRule::once(Fault::Empty));
    assert!(contents(&list(&sandbox, "list").await).is_empty());
    assert_eq!(contents(&list(&sandbox, "list").await), ["x"]);
}
