//! Sign in, see the price, run a tool, and the books are right.

use crate::books;
use crate::world::{World, credit, http, image, new_run_id, script, text_of};
use sandbox::Service;
use serde_json::json;

#[tokio::test]
async fn a_signed_in_person_sees_the_price_runs_a_tool_and_pays_exactly_that() {
    let world = World::start().await;
    let ann = world.person("ann");

    let prices = ann.get("/v1/pricing").await;
    let chat =
        prices.body["tools"].as_array().unwrap().iter().find(|row| row["model"] == "chat").unwrap().clone();
    assert_eq!((chat["tool"].as_str(), chat["price"]["amount"].as_u64()), (Some("script"), Some(1)));
    assert_eq!(ann.balance().await, (100, 0, 0), "the welcome credit");
    world.advance(std::time::Duration::from_secs(1));

    let events = ann.stream(&script("a red kite")).await.unwrap();

    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("run", "done"));
    assert!(text_of(&events).contains("a red kite"));
    let done = &events.last().unwrap().data;
    assert_eq!((done["status"].as_str(), done["charged"]["amount"].as_u64()), (Some("succeeded"), Some(1)));
    assert_eq!(done["balance"], json!({ "available": credit(99), "reserved": credit(0), "debt": credit(0) }));
    assert_eq!(done["receipt"]["provider"], "deepseek");
    assert_eq!(done["receipt"]["entry_id"], done["id"]);
    assert_eq!(ann.balance().await, (99, 0, 0));

    let transactions = ann.transactions().await;
    let kinds: Vec<(&str, i64)> = transactions
        .iter()
        .map(|t| (t["kind"].as_str().unwrap(), t["credits"]["amount"].as_i64().unwrap()))
        .collect();
    assert_eq!(kinds, [("charge", -1), ("grant", 100)]);

    let run = ann.get(&format!("/v1/runs/{}", done["id"].as_str().unwrap())).await;
    assert_eq!(run.body["outputs"][0]["text"].as_str().unwrap(), text_of(&events), "fetchable afterwards");
    let what: Vec<&str> =
        run.body["timeline"].as_array().unwrap().iter().map(|step| step["what"].as_str().unwrap()).collect();
    assert_eq!(what, ["reserved", "first_content", "charged"]);
    let steps = &run.body["timeline"];
    assert_eq!((&steps[0]["credits"], &steps[2]["credits"]), (&credit(1), &credit(1)), "held, and taken");
    let history = ann.get("/v1/runs").await;
    assert_eq!(history.body["runs"][0]["charged"], credit(1));
    assert_eq!(history.body["runs"][0]["input_chars"], 10);
    let usage = books::scan(&world, "usage_log").await;
    assert_eq!(usage[0]["credits"].as_n().unwrap(), "1");
    assert_eq!(usage[0]["provider"].as_s().unwrap(), "deepseek");
    books::check(&world).await;
}

#[tokio::test]
async fn an_image_is_stored_under_its_owner_and_offered_by_a_signed_link() {
    let world = World::start().await;
    let ann = world.person("ann");

    let run = ann.run(&image("a red kite")).await;

    assert_eq!((run.status, run.body["charged"]["amount"].as_u64()), (200, Some(4)), "{}", run.text);
    let output = &run.body["outputs"][0];
    assert_eq!(output["media_type"], "image/png");
    let url = output["download_url"].as_str().unwrap();
    assert!(url.contains("/tmp30/user_sandbox_ann/"), "{url}");
    let file = http().get(url).send().await.unwrap();
    assert_eq!(file.headers()["content-type"], "image/png");
    let bytes = file.bytes().await.unwrap();
    assert_eq!(bytes.len() as u64, output["bytes"].as_u64().unwrap());
    assert!(bytes.starts_with(b"\x89PNG"));
    let tampered = url.replace("user_sandbox_ann", "user_sandbox_bob");
    assert_eq!(http().get(tampered).send().await.unwrap().status(), 403, "a link opens one object only");
    assert_eq!(world.provider_calls(Service::Fal), 1);
    books::check(&world).await;
}

#[tokio::test]
async fn the_list_of_runs_is_enough_for_a_gallery() {
    let world = World::start().await;
    let ann = world.person("ann");
    let picture = ann.run(&image("a red kite")).await.body;

    let listed = ann.get("/v1/runs").await.body["runs"][0].clone();

    for member in ["id", "tool", "model", "status", "price", "charged", "created_at", "finished_at"] {
        assert_eq!(listed[member], picture[member], "{member}");
    }
    let id = picture["id"].as_str().unwrap();
    for (link, disposition) in [("view_url", "inline"), ("download_url", "attachment")] {
        let file = http().get(listed["outputs"][0][link].as_str().unwrap()).send().await.unwrap();
        let wanted = format!("{disposition}; filename=\"image-{id}.png\"");
        assert_eq!(file.headers()["content-disposition"], wanted.as_str());
        assert!(file.bytes().await.unwrap().starts_with(b"\x89PNG"));
    }
    books::check(&world).await;
}

#[tokio::test]
async fn a_quote_holds_its_price_although_the_price_list_changes() {
    let world = World::start().await;
    let ann = world.person("ann");
    let quote = ann.send("POST", "/v1/quotes", &script("a red kite")).await;
    assert_eq!((quote.status, quote.body["price"]["amount"].as_u64()), (200, Some(1)), "{}", quote.text);

    raise_price(&world, "9").await;
    let dear = ann.script("a red kite").await;
    assert_eq!(
        dear.body["charged"],
        credit(23),
        "9 × 5/2 = 22.5, half up: an edit shows without a deployment"
    );

    let mut shown = script("a red kite");
    shown["price"] = credit(1);
    let refused = ann.run(&shown).await;
    assert_eq!((refused.problem(), refused.status), ("price_changed", 409), "the price I was shown, or none");
    shown["price"] = credit(23);
    assert_eq!(ann.run(&shown).await.body["charged"], credit(23));

    let mut wish = script("a red kite");
    wish["quote_id"] = quote.body["quote_id"].clone();
    let quoted = ann.run(&wish).await;
    assert_eq!(quoted.body["charged"], credit(1), "{}", quoted.text);
    assert!(quoted.body["receipt"]["quote_number"].is_string());

    wish["input"]["prompt"] = json!("something longer");
    assert_eq!(ann.run(&wish).await.problem(), "quote_mismatch");
    let bob = world.person("bob");
    wish["input"]["prompt"] = json!("a red kite");
    assert_eq!(bob.run(&wish).await.problem(), "quote_mismatch", "a quote is its owner's");
    world.advance(std::time::Duration::from_secs(601));
    assert_eq!(ann.run(&wish).await.problem(), "quote_expired");
    books::check(&world).await;
}

#[tokio::test]
async fn a_tool_can_be_switched_off_and_limited_in_the_table() {
    let world = World::start().await;
    let ann = world.person("ann");
    let dynamo = world.product.platform.dynamo();
    let update = dynamo.update_item().table_name(world.table("tool_pricing"));
    let update = update.key("tool", platform::text("script")).key("option", platform::text("chat"));
    let update = update.update_expression("SET enabled = :off");
    update
        .expression_attribute_values(":off", aws_sdk_dynamodb::types::AttributeValue::Bool(false))
        .send()
        .await
        .unwrap();
    let wish = json!({ "tool": "script", "input": { "prompt": "x", "model": "chat" } });
    assert_eq!(ann.run(&wish).await.problem(), "tool_disabled");
    assert_eq!(ann.script("x").await.body["model"], "reasoner", "the next variant is the default now");
}

async fn raise_price(world: &World, cost: &str) {
    let update = world.product.platform.dynamo().update_item().table_name(world.table("tool_pricing"));
    let update = update.key("tool", platform::text("script")).key("option", platform::text("chat"));
    let update = update.update_expression("SET providerCostCents = :cost");
    update.expression_attribute_values(":cost", platform::text(cost)).send().await.unwrap();
    world.advance(std::time::Duration::from_secs(60));
}

#[tokio::test]
async fn a_written_text_takes_one_round_trip_before_the_provider_and_at_most_five_write_units() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.script("warm the price list").await;
    world.product.meddler.forget();
    let mut wish = script("a red kite");
    wish["run_id"] = json!(new_run_id());
    assert_eq!(ann.run(&wish).await.status, 200);

    let calls = world.product.meddler.calls();
    let units: u64 = calls.iter().map(|call| call.table_units).sum();
    assert!(units <= 5, "{calls:#?}");
    assert_eq!(units, 4, "{calls:#?}");
    assert!(calls.iter().all(|call| call.index_units == 0), "the sweep's mark stands already: {calls:#?}");
    // Before the provider: the reserving write, with the look for an earlier outcome beside it.
    let dynamo: Vec<&str> =
        calls.iter().filter(|call| call.operation != "S3").map(|call| call.operation.as_str()).collect();
    let mut first_two = dynamo[..2].to_vec();
    first_two.sort_unstable();
    assert_eq!(first_two, ["GetItem", "UpdateItem"], "one round trip: both go out at once");
    // Whether the owner wants all outputs saved is asked beside the log.
    let writes: Vec<&str> = dynamo[2..].iter().copied().filter(|call| *call != "GetItem").collect();
    assert_eq!(writes, ["PutItem", "PutItem", "UpdateItem"], "decide, log, apply");
    assert_eq!(dynamo.len(), 6, "{dynamo:?}");
}

#[tokio::test]
async fn thirteen_open_holds_do_not_make_a_run_dearer() {
    let world = World::with(&[("UNPAID_OPEN_HOLDS_MAX", "64")]).await;
    let ann = world.person("a_person_with_a_rather_long_name_x");
    ann.script("open the account").await;
    let ledger = credits::Ledger::new(&world.product.platform).unwrap();
    for _ in 0..13 {
        let wish = credits::Reservation {
            account: ann.id().parse().unwrap(),
            run: primitives::RunId::mint(world.now()),
            price: primitives::Credits::new(4).unwrap(),
            tool: "image/flux-schnell".to_owned(),
            fingerprint: primitives::Fingerprint::of(&[b"x"]),
            lifetime: ledger.hold_lifetime(),
        };
        ledger.reserve(&wish, world.now()).await.unwrap().unwrap();
    }
    world.product.meddler.forget();
    assert_eq!(ann.script("x").await.status, 200);
    let units: u64 = world.product.meddler.calls().iter().map(|call| call.table_units).sum();
    assert!(units <= 6, "13 holds and this one: the account item is at its first kilobyte's end: {units}");
    books::check(&world).await;
}
