//! A store that takes every call and answers none: whoever asked hears so from us, in the time there is, and no credit
//! stays held for longer than it has to.

use crate::books;
use crate::payments::desk::{Desk, deliver};
use crate::world::{Hanging, World, credit, events, image, new_run_id, script};
use primitives::times;
use sandbox::{Service, TransferWish};
use serde_json::{Value, json};
use std::time::Duration;

/// Short limits, in the order of the table's: a healthy store is never so slow.
const QUICK: [(&str, &str); 4] =
    [("STORE_TRY_MS", "150"), ("STORE_CALL_MS", "400"), ("MEDIA_TRY_MS", "150"), ("MEDIA_CALL_MS", "400")];

/// What the waits of so many tries, one after the other, come to with the product's own limits.
fn waited(tries: usize) -> Duration {
    times::STORE_TRY.limit * u32::try_from(tries).unwrap()
}

/// The time of most functions; the others have more (`template.yaml`).
const FUNCTION: Duration = Duration::from_secs(20);

/// Something for every route that may touch a store, as its caller would send it.
fn asks() -> Vec<(&'static str, String, Value)> {
    let id = new_run_id();
    let ask = |method, path: &str, body: Value| (method, path.to_owned(), body);
    vec![
        ask("GET", "/v1/account", Value::Null),
        ask("PATCH", "/v1/account", json!({ "name": "Ann" })),
        ask("GET", "/v1/account/transactions", Value::Null),
        ask("GET", "/v1/runs", Value::Null),
        ask("GET", &format!("/v1/runs/{id}"), Value::Null),
        ask("POST", "/v1/runs", script("a red kite")),
        ask("POST", "/v1/runs", image("a red kite")),
        ask("GET", "/v1/top-ups", Value::Null),
        ask("GET", &format!("/v1/top-ups/{id}"), Value::Null),
        ask("POST", "/v1/top-ups", json!({ "method": "viet_qr", "credits": credit(500) })),
        ask("POST", "/v1/top-ups", json!({ "method": "tron_usdt", "credits": credit(500) })),
        ask("POST", "/v1/top-ups", json!({ "method": "sepay_card", "credits": credit(500) })),
    ]
}

#[tokio::test]
async fn a_table_that_hangs_is_told_by_us_long_before_lambda_ends_the_function() {
    let desk = Desk::open().await;
    let ann = desk.world.person("ann");
    ann.balance().await;
    let other = desk.world.instance(&QUICK).await;
    let ann = ann.at(&other.base);
    // Sign-in keys are no matter of the store.
    assert_eq!(ann.get("/v1/account").await.status, 200);
    for (method, path, body) in asks() {
        other.meddler.hang(Hanging::Tables);

        let answer = ann.send(method, &path, &body).await;

        let tries = other.meddler.hung();
        assert_eq!(
            (answer.status, answer.problem()),
            (503, "store_unavailable"),
            "{method} {path}: {}",
            answer.text
        );
        assert!(!tries.is_empty(), "{method} {path} did not ask the store");
        assert!(waited(tries.len()) < FUNCTION - times::ANSWER_MARGIN, "{method} {path}: {tries:?}");
    }
    for path in ["/v1/admin/payments", "/v1/admin/payments/viet_qr.1.0"] {
        other.meddler.hang(Hanging::Tables);
        let answer = desk.administrator().at(&other.base).get(path).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.text);
        assert!(waited(other.meddler.hung().len()) < FUNCTION - times::ANSWER_MARGIN);
    }
    let transfer = desk.world.sandbox.bank_transfer(TransferWish::new(100_000, "CITAB12CD"));
    other.meddler.hang(Hanging::Tables);
    let told = deliver(&other, &desk.world.sandbox.bank_webhook(transfer).unwrap()).await;
    assert_eq!((told.status, told.problem()), (503, "store_unavailable"), "SePay sends it again");
    assert!(waited(other.meddler.hung().len()) < FUNCTION - times::ANSWER_MARGIN);
    books::check(&desk.world).await;
}

#[tokio::test]
async fn a_run_whose_tables_hang_after_the_hold_says_until_when_its_credit_is_held() {
    let world = World::start().await;
    let quick = world.instance(&QUICK).await;
    let ann = world.person("ann");
    ann.balance().await;
    let ann = ann.at(&quick.base);
    let mut wish = script("a red kite [[sandbox:pace ms=20]]");
    let id = new_run_id();
    wish["run_id"] = json!(id);
    let request = ann.request("POST", "/v1/runs").header("accept", "text/event-stream");
    let request = request.header("content-type", "application/json").body(wish.to_string());
    let mut response = request.send().await.unwrap();
    let begun = response.chunk().await.unwrap().unwrap();
    assert!(begun.starts_with(b"event: run\n"));
    quick.meddler.hang(Hanging::Tables);

    let told = events(&response.text().await.unwrap());

    let failed = told.last().unwrap();
    assert_eq!(
        (failed.name.as_str(), &failed.data["code"], &failed.data["credit"], &failed.data["run_id"]),
        ("failed", &json!("store_unavailable"), &json!("held"), &json!(id)),
    );
    assert_eq!(failed.data.get("charged"), None, "nobody knows yet");
    let tries = quick.meddler.hung().len();
    assert!(waited(tries) < times::RUN_AFTER.limit, "{tries} tries");
    quick.meddler.forget();
    books::check(&world).await;
    world.advance_and_sweep().await;
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_media_store_that_hangs_costs_a_run_its_output_and_nobody_credit() {
    let world = World::start().await;
    let quick = world.instance(&QUICK).await;
    let ann = world.person("ann");
    ann.balance().await;
    let ann = ann.at(&quick.base);
    for (wish, service) in [(script("a red kite"), Service::Deepseek), (image("a red kite"), Service::Fal)] {
        quick.meddler.hang(Hanging::Media);
        let run = ann.run(&wish).await;
        assert_eq!((run.status, run.problem()), (503, "output_not_stored"), "{}", run.text);
        let tries = u32::try_from(quick.meddler.hung().len()).unwrap();
        assert!(tries > 0 && times::MEDIA_TRY.limit * tries < times::RUN_AFTER.limit, "{tries} tries");
        assert_eq!(world.provider_calls(service), 1);
    }
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn a_run_is_shown_although_its_text_hangs() {
    let world = World::start().await;
    let ann = world.person("ann");
    let run = ann.script("a red kite").await;
    let quick = world.instance(&QUICK).await;
    quick.meddler.hang(Hanging::Media);

    let shown = ann.at(&quick.base).get(&format!("/v1/runs/{}", run.body["id"].as_str().unwrap())).await;

    assert_eq!((shown.status, &shown.body["charged"]), (200, &credit(1)), "{}", shown.text);
    assert!(
        shown.body["outputs"][0].get("text").is_none()
            && shown.body["outputs"][0]["download_url"].is_string()
    );
    let tries = u32::try_from(quick.meddler.hung().len()).unwrap();
    assert!(times::MEDIA_TRY.limit * tries < FUNCTION - times::ANSWER_MARGIN, "{tries} tries");
}

#[tokio::test]
async fn limits_that_would_not_fit_are_refused_at_the_start() {
    let world = World::start().await;
    for (name, value, part) in [
        ("STORE_TRY_MS", "6000", "STORE_TRY_MS must be from 1 to 2500"),
        ("STORE_CALL_MS", "25000", "STORE_CALL_MS must be from 1 to 6000"),
        ("STORE_CALL_MS", "2500", "STORE_TRY_MS must be shorter than STORE_CALL_MS"),
        ("MEDIA_CALL_MS", "0", "MEDIA_CALL_MS must be from 1 to 13000"),
    ] {
        let env = world.product.platform.env().with([(name, value)]);
        let refused = platform::Platform::build(env, world.clock.clone(), None).err().unwrap().to_string();
        assert!(refused.contains(part), "{refused}");
    }
}
