//! Bad input of every kind: a clear problem that says what to do, and no credit taken.

use crate::books;
use crate::world::{Answer, ORIGIN, World, http, script};
use serde_json::{Value, json};

#[tokio::test]
async fn bad_input_is_named_by_its_place_and_costs_nothing() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let long = "x".repeat(20_001);
    let table: [(Value, &str, &str); 13] = [
        (json!({ "tool": "video", "input": { "prompt": "x" } }), "unknown_tool", ""),
        (json!({ "tool": "script", "input": {} }), "invalid_input", "/input/prompt"),
        (json!({ "tool": "script", "input": { "prompt": "   " } }), "invalid_input", "/input/prompt"),
        (json!({ "tool": "script", "input": { "prompt": 7 } }), "invalid_input", "/input/prompt"),
        (json!({ "tool": "script", "input": { "prompt": "a\u{0}b" } }), "invalid_input", "/input/prompt"),
        (json!({ "tool": "script", "input": { "prompt": long } }), "invalid_input", "/input/prompt"),
        (
            json!({ "tool": "script", "input": { "prompt": "x", "model": "gpt" } }),
            "invalid_input",
            "/input/model",
        ),
        (
            json!({ "tool": "script", "input": { "prompt": "x", "size": "square" } }),
            "invalid_input",
            "/input",
        ),
        (
            json!({ "tool": "image", "input": { "prompt": "x", "size": "huge" } }),
            "invalid_input",
            "/input/size",
        ),
        (json!({ "tool": "image", "input": { "prompt": "x", "seed": -1 } }), "invalid_input", "/input/seed"),
        (json!({ "tool": "image", "input": "x" }), "invalid_input", "/input"),
        (
            json!({ "tool": "script", "input": { "prompt": "x" }, "run_id": "run-1" }),
            "invalid_run_id",
            "/run_id",
        ),
        (json!({ "tool": "script", "input": { "prompt": "x" }, "cost": 0 }), "invalid_input", ""),
    ];
    for (wish, code, pointer) in table {
        let answer = ann.run(&wish).await;
        let shown = wish.to_string().chars().take(90).collect::<String>();
        assert_eq!(answer.problem(), code, "{shown}: {}", answer.text);
        assert_eq!(answer.body["credit"], "not_taken", "{shown}");
        if !pointer.is_empty() {
            assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{shown}: {}", answer.text);
        }
    }
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert!(world.sandbox.journal().iter().all(|entry| entry.service == sandbox::Service::Clerk));
    books::check(&world).await;
}

#[tokio::test]
async fn bodies_that_can_not_be_read_are_refused_by_their_fault() {
    let world = World::start().await;
    let ann = world.person("ann");
    let post = |kind: &'static str, body: Vec<u8>| {
        let request = ann.request("POST", "/v1/runs").header("content-type", kind).body(body);
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    let table = [
        ("application/json", b"{\"tool\":".to_vec(), "invalid_request", 400),
        ("application/json", b"\xff\xfe".to_vec(), "invalid_request", 400),
        ("application/json", vec![b'['; 4000], "invalid_request", 400),
        ("text/plain", script("x").to_string().into_bytes(), "unsupported_media_type", 415),
        ("application/json", vec![b' '; 300 * 1024], "body_too_large", 413),
    ];
    for (kind, body, code, status) in table {
        let answer = post(kind, body).await;
        assert_eq!((answer.problem(), answer.status), (code, status), "{}", answer.text);
    }
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_problems_too() {
    let world = World::start().await;
    let ann = world.person("ann");
    assert_eq!(ann.get("/v1/nothing").await.problem(), "not_found");
    let wrong = Answer::of(ann.request("DELETE", "/v1/runs").send().await.unwrap()).await;
    assert_eq!((wrong.problem(), wrong.status), ("method_not_allowed", 405));
    let picky = Answer::of(
        ann.request("POST", "/v1/runs")
            .header("accept", "text/html")
            .header("content-type", "application/json")
            .body(script("x").to_string())
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((picky.problem(), picky.status), ("not_acceptable", 406));
    let anonymous = http().get(format!("{}/v1/account", world.product.base)).send().await.unwrap();
    assert_eq!(Answer::of(anonymous).await.problem(), "unauthenticated");
}

#[tokio::test]
async fn only_the_configured_origin_may_call_from_a_browser() {
    let world = World::start().await;
    let preflight = |origin: &'static str| {
        let request = http().request("OPTIONS".parse().unwrap(), format!("{}/v1/runs", world.product.base));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "authorization,content-type,idempotency-key").send()
    };
    let allowed = preflight(ORIGIN).await.unwrap();
    assert_eq!(allowed.headers()["access-control-allow-origin"], ORIGIN);
    for origin in ["http://evil.test", "null", "http://page.test.evil.test"] {
        let refused = preflight(origin).await.unwrap();
        assert!(!refused.headers().contains_key("access-control-allow-origin"), "{origin}");
    }
}

#[tokio::test]
async fn requests_beyond_the_limit_of_a_person_wait_and_a_broken_limiter_lets_everybody_in() {
    let world = World::with(&[("USER_REQUESTS_PER_MINUTE_MAX", "20")]).await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    let mut refused = None;
    for _ in 0..25 {
        let answer = ann.get("/v1/runs").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the limit is met");
    assert_eq!(refused.problem(), "rate_limited");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(bob.get("/v1/runs").await.status, 200, "others are not hurt");
    world.advance(std::time::Duration::from_secs(61));
    assert_eq!(ann.get("/v1/runs").await.status, 200);

    world.product.platform.dynamo().delete_table().table_name("citipen-request_limits").send().await.unwrap();
    for _ in 0..15 {
        assert_eq!(ann.get("/v1/runs").await.status, 200);
    }
}

#[tokio::test]
async fn not_enough_credit_is_told_with_price_and_balance() {
    let world = World::start().await;
    let ann = world.person("ann");
    for _ in 0..12 {
        let wish = json!({ "tool": "script", "input": { "prompt": "x", "model": "premium" } });
        assert_eq!(ann.run(&wish).await.status, 200);
    }
    let wish = json!({ "tool": "script", "input": { "prompt": "x", "model": "premium" } });
    let refused = ann.run(&wish).await;
    assert_eq!((refused.problem(), refused.status), ("insufficient_credit", 402));
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.contains("costs 8") && detail.contains("4 is available"), "{detail}");
    assert_eq!(ann.balance().await, (4, 0, 0));
}
