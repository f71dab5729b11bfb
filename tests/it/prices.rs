//! The price follows from the input, is shown, and is what is charged; a row that can't be trusted sells nothing.

use crate::books;
use crate::world::{Answer, World, credit};
use aws_sdk_dynamodb::types::AttributeValue;
use sandbox::{Fault, FaultRule, Service};
use serde_json::{Value, json};
use std::time::Duration;

async fn price_list(world: &World) -> Vec<Value> {
    let list = world.person("ann").get("/v1/pricing").await;
    assert_eq!(list.status, 200, "{}", list.text);
    list.body["tools"].as_array().unwrap().clone()
}

async fn listed(world: &World, model: &str) -> Value {
    price_list(world).await.into_iter().find(|tool| tool["model"] == model).unwrap()
}

/// Changes one column of a row and waits until every instance has seen it.
async fn edit(world: &World, (tool, option): (&str, &str), column: &str, value: AttributeValue) {
    let update = world.product.platform.dynamo().update_item().table_name(world.table("tool_pricing"));
    let update = update.key("tool", platform::text(tool)).key("option", platform::text(option));
    let update =
        update.update_expression("SET #column = :value").expression_attribute_names("#column", column);
    update.expression_attribute_values(":value", value).send().await.unwrap();
    world.advance(Duration::from_secs(61));
}

#[tokio::test]
async fn every_listed_price_of_an_image_is_quoted_and_charged() {
    let world = World::start().await;
    let ann = world.person("ann");
    let ledger = credits::Ledger::new(&world.product.platform).unwrap();
    ann.balance().await;
    let key = credits::OnceKey::new("test", "top-up");
    let amount = primitives::Credits::new(2_000).unwrap();
    let grant = credits::Posting::Grant { amount, origin: credits::Origin::TopUp, key };
    ledger.post(&ann.id().parse().unwrap(), &grant, world.now()).await.unwrap();

    for tool in price_list(&world).await.iter().filter(|tool| tool["tool"] == "image") {
        let prices = tool["prices"].as_array().unwrap();
        assert_eq!(prices.len(), 6 * 4, "six sizes, of one to four pictures: {tool}");
        for line in prices {
            // A person runs so many a minute at most.
            world.advance(Duration::from_secs(61));
            let (model, size, price) =
                (&tool["model"], &line["size"], line["price"]["amount"].as_u64().unwrap());
            let count = line["count"].as_u64().unwrap_or(1);
            let megapixels = count * if size == "square_hd" { 2 } else { 1 };
            // 4 cents for each, or 1.5, rounded half up.
            let expected = if model == "flux-dev" { 4 * megapixels } else { (3 * megapixels).div_ceil(2) };
            assert_eq!(price, expected, "{model} {size} {count}");
            let input = json!({ "prompt": "a red kite", "model": model, "size": size, "count": count });
            let quote = ann.send("POST", "/v1/quotes", &json!({ "tool": "image", "input": input })).await;
            assert_eq!(quote.body["price"], credit(price), "{}", quote.text);
            let wrong = json!({ "tool": "image", "input": input, "price": credit(price + 1) });
            assert_eq!(ann.run(&wrong).await.problem(), "price_changed");
            let shown = json!({ "tool": "image", "input": input, "price": credit(price) });
            let quoted = json!({ "tool": "image", "input": input, "quote_id": quote.body["quote_id"] });
            for wish in [shown, quoted] {
                let run = ann.run(&wish).await;
                assert_eq!(
                    (run.status, run.body["charged"]["amount"].as_u64()),
                    (200, Some(price)),
                    "{}",
                    run.text
                );
            }
        }
    }
    for row in books::scan(&world, "usage_log").await {
        let cost: primitives::CostCents = row["providerCostCents"].as_s().unwrap().parse().unwrap();
        let charged = row["credits"].as_n().unwrap().parse().unwrap();
        let paid = primitives::Unit::UsdCent.cost_paid_by(primitives::Credits::new(charged).unwrap());
        assert!(cost <= paid, "{cost} cents for {charged}");
    }
    books::check(&world).await;
}

#[tokio::test]
async fn the_price_of_a_long_prompt_is_listed_and_charged() {
    let world = World::start().await;
    let ann = world.person("ann");
    let premium = listed(&world, "premium").await;
    let prices: Vec<(u64, u64)> = premium["prices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["prompt_bytes_max"].as_u64().unwrap(), line["price"]["amount"].as_u64().unwrap()))
        .collect();
    assert_eq!(premium["price"], credit(8));
    assert_eq!((prices[0], prices[1], prices.len()), ((12_000, 8), (24_000, 16), 7));
    for (bytes, price) in [(12_000, 8), (12_001, 16)] {
        let wish = json!({ "tool": "script", "input": { "prompt": "x".repeat(bytes), "model": "premium" } });
        assert_eq!(ann.run(&wish).await.body["charged"], credit(price), "{bytes} bytes");
    }
    // Bytes, not characters: no tokenizer makes more tokens than a text has bytes.
    let wish = json!({ "tool": "script", "input": { "prompt": "Đ".repeat(6_001), "model": "premium" } });
    assert_eq!(ann.run(&wish).await.body["charged"], credit(16));
}

#[tokio::test]
async fn a_row_that_can_not_be_read_closes_its_variant_and_no_other() {
    for (column, value) in [
        ("providerCostCents", platform::text("2,5")),
        ("providerCostCents", platform::text("")),
        ("markupRatio", AttributeValue::Null(true)),
        ("enabled", platform::text("true")),
        ("chain", platform::text("fal/flux-dev")),
        ("chain", AttributeValue::L(vec![platform::number(7_u32)])),
        ("promptCharsMax", platform::text("4000")),
        ("title", platform::number(1_u32)),
        ("position", platform::text("first")),
    ] {
        let world = World::start().await;
        let ann = world.person("ann");
        assert_eq!(listed(&world, "flux-dev").await["enabled"], true);
        edit(&world, ("image", "flux-dev"), column, value.clone()).await;

        let wish = json!({ "tool": "image", "input": { "prompt": "x", "model": "flux-dev" } });
        assert_eq!(ann.run(&wish).await.problem(), "tool_disabled", "{column} {value:?}");
        let quote = ann.send("POST", "/v1/quotes", &wish).await;
        assert_eq!(quote.problem(), "tool_disabled", "{column} {value:?}");
        let closed = listed(&world, "flux-dev").await;
        assert_eq!((&closed["enabled"], &closed["is_default"]), (&json!(false), &json!(false)), "{column}");
        assert_eq!(listed(&world, "flux-schnell").await["is_default"], true, "{column}");
        assert_eq!(ann.script("x").await.status, 200, "{column}: other tools are sold");
        assert_eq!(world.provider_calls(Service::Fal), 0);
    }
}

#[tokio::test]
async fn a_row_of_a_new_variant_that_can_not_be_read_hides_nothing_else() {
    let world = World::start().await;
    let ann = world.person("ann");
    edit(&world, ("image", "flux-pro"), "title", platform::text("Image, better")).await;
    assert_eq!(price_list(&world).await.len(), 13);
    let wish = json!({ "tool": "image", "input": { "prompt": "x", "model": "flux-pro" } });
    assert_eq!(ann.run(&wish).await.problem(), "invalid_input");
    assert_eq!(ann.script("x").await.status, 200);
}

#[tokio::test]
async fn a_row_that_would_sell_below_its_cost_is_closed_until_it_is_mended() {
    let world = World::start().await;
    let ann = world.person("ann");
    let wish = |size: &str| json!({ "tool": "image", "input": { "prompt": "x", "model": "flux-dev", "size": size } });
    for (column, value, is_sold) in [
        ("markupRatio", "2.5", true),
        // 3 for one megapixel, which costs 2.5; 6 for two, which cost 5.
        ("providerCostCents", "1.2", true),
        // 1.92, rounded to 2.
        ("markupRatio", "1.6", false),
        ("markupRatio", "2.5", true),
        ("providerCostCents", "2.5", true),
        ("markupRatio", "0.9", false),
        ("markupRatio", "1.6", true),
    ] {
        edit(&world, ("image", "flux-dev"), column, platform::text(value)).await;
        for size in ["square", "square_hd"] {
            let answer = ann.send("POST", "/v1/quotes", &wish(size)).await;
            assert_eq!(answer.status == 200, is_sold, "{column} {value} {size}: {}", answer.text);
        }
        assert_eq!(listed(&world, "flux-dev").await["enabled"], is_sold, "{column} {value}");
    }
    // A price beyond every ledger can't even be listed; the others are.
    edit(&world, ("image", "flux-dev"), "providerCostCents", platform::text("10000000000000")).await;
    assert_eq!(ann.run(&wish("square")).await.problem(), "tool_disabled");
    assert_eq!(price_list(&world).await.len(), 12);
    edit(&world, ("image", "flux-dev"), "providerCostCents", platform::text("2.5")).await;
    let names = vec![platform::text("fal/flux-pro")];
    edit(&world, ("image", "flux-dev"), "chain", AttributeValue::L(names)).await;
    assert_eq!(ann.run(&wish("square")).await.problem(), "tool_disabled", "a step that does not exist");
}

#[tokio::test]
async fn a_provider_that_became_dearer_than_the_price_is_not_asked() {
    let world = World::start().await;
    let ann = world.person("ann");
    let quote = ann.send("POST", "/v1/quotes", &json!({ "tool": "image", "input": { "prompt": "x" } })).await;
    // Its settings say so; the price list of this instance does not know yet.
    let dear =
        world.instance(&[("FAL_FLUX_DEV_UNIT_PRICE_CENTS", "4.1"), ("COMFYUI_COST_CENTS", "4.1")]).await;
    let there = ann.at(&dear.base);
    let wish = json!({ "tool": "image", "input": { "prompt": "x", "model": "flux-dev" } });
    assert_eq!(there.run(&wish).await.problem(), "tool_disabled");
    let mut quoted = json!({ "tool": "image", "input": { "prompt": "x" } });
    quoted["quote_id"] = quote.body["quote_id"].clone();
    assert!(there.run(&quoted).await.status != 200);
    assert_eq!((world.provider_calls(Service::Fal), world.provider_calls(Service::Comfyui)), (0, 0));
    assert_eq!(ann.balance().await, (100, 0, 0));
}

#[tokio::test]
async fn a_fallback_that_the_price_does_not_pay_is_not_asked() {
    let world = World::start().await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Deepseek, FaultRule::always(Fault::Refuse));
    // A cent pays Claude for reading 4,000 bytes, and then for no answer.
    let run = ann.script(&"x".repeat(4_000)).await;
    assert_eq!(run.problem(), "provider_failed", "{}", run.text);
    assert_eq!(world.provider_calls(Service::Anthropic), 0);
    let run = ann.script("a red kite").await;
    assert_eq!(
        (run.status, run.body["receipt"]["provider"].as_str()),
        (200, Some("anthropic")),
        "{}",
        run.text
    );
    assert_eq!(ann.balance().await, (99, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn an_answer_that_thinking_used_up_is_final_and_free_and_no_dearer_provider_serves_it() {
    let world = World::start().await;
    let ann = world.person("ann");
    // No word fits one token, so the limit is reached after the thinking.
    edit(&world, ("script", "reasoner"), "outputTokensMax", platform::number(1_u32)).await;
    let run = ann.run(&json!({ "tool": "script", "input": { "prompt": "x", "model": "reasoner" } })).await;
    assert_eq!((run.problem(), run.status), ("provider_failed", 502), "{}", run.text);
    assert_eq!(ann.get("/v1/runs").await.body["runs"][0]["failure"], "length_limit");
    assert_eq!(world.provider_calls(Service::Anthropic), 0);
    assert_eq!(ann.balance().await, (100, 0, 0));
    // What the thinking cost us counts as lost.
    books::check_losses(&world).await;
    books::check(&world).await;
}

/// What a person is asked for a tool is what the tool takes: built from nothing but the form.
#[tokio::test]
async fn a_run_can_be_asked_for_by_nothing_but_its_form() {
    let world = World::start().await;
    let ann = world.person("ann");
    let pricing = ann.get("/v1/pricing").await;
    let forms = pricing.body["forms"].as_array().unwrap();
    assert_eq!(
        forms.iter().map(|form| form["tool"].as_str().unwrap()).collect::<Vec<_>>(),
        [
            "script",
            "image",
            "video",
            "voice",
            "transcript",
            "analytics",
            "channel_research",
            "market_research"
        ]
    );
    for form in forms {
        let (tool, fields) = (&form["tool"], form["input"]["properties"].as_object().unwrap());
        let order = form["input"]["x-order"].as_array().unwrap();
        assert_eq!(order.len(), fields.len(), "{form}");
        let mut usual = json!({});
        for name in form["input"]["required"].as_array().unwrap() {
            usual[name.as_str().unwrap()] = match name.as_str().unwrap() {
                "prompt" | "text" => json!("a red kite"),
                "urls" | "channels" => json!(["@kites"]),
                "queries" => json!(["red kites"]),
                other => panic!("{tool}: this test has no value for {other}"),
            };
        }
        if tool == "transcript" {
            usual["url"] = json!("https://youtu.be/dQw4w9WgXcQ");
        }
        for (name, field) in fields {
            assert!(field["title"].is_string(), "{tool}: {name}");
            if let Some(value) = field.get("default") {
                usual[name] = value.clone();
            }
        }
        let quoted = async |input: Value| {
            ann.send("POST", "/v1/quotes", &json!({ "tool": tool, "input": input })).await
        };
        let answer = quoted(usual.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        if let Some(default) = fields["model"].get("default") {
            assert_eq!(&answer.body["model"], default, "{}", answer.text);
        }
        // Which model transcribes follows from what is sent.
        for (name, field) in fields.iter().filter(|(name, _)| tool != "transcript" || *name != "model") {
            for choice in field["oneOf"].as_array().into_iter().flatten() {
                let mut input = usual.clone();
                input[name] = choice["const"].clone();
                assert_eq!(quoted(input).await.status, 200, "{tool}: {name}: {choice}");
            }
            for (bound, beyond) in [("minimum", -1), ("maximum", 1)] {
                let Some(edge) = field[bound].as_i64() else { continue };
                for (value, status) in [(edge, 200), (edge + beyond, 422)] {
                    let mut input = usual.clone();
                    input[name] = json!(value);
                    assert_eq!(quoted(input).await.status, status, "{tool}: {name}: {value}");
                }
            }
        }
        for name in ["prompt", "text", "question"] {
            let Some(field) = fields.get(name) else { continue };
            // The form has the longest of all models, and not every model takes that.
            let longest = usize::try_from(field["maxLength"].as_u64().unwrap()).unwrap();
            for (chars, fits) in [(longest, tool != "video"), (longest + 1, false)] {
                let mut input = usual.clone();
                input[name] = json!("x".repeat(chars));
                let status = if fits { 200 } else { 422 };
                assert_eq!(quoted(input).await.status, status, "{tool}: {name} of {chars} characters");
            }
        }
    }
    let request = ann.request("GET", "/v1/pricing").header("accept-language", "vi");
    let vietnamese = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(vietnamese.body["forms"][1]["input"]["properties"]["size"]["title"], "Kích thước");
}
