//! Bad input of every kind: a clear problem that says what to do, and no credit taken.

use crate::books;
use crate::world::{Answer, ORIGIN, World, credit, http, script};
use serde_json::{Value, json};

#[tokio::test]
async fn bad_input_is_named_by_its_place_and_costs_nothing() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let long = "x".repeat(20_001);
    let table: [(Value, &str, &str); 13] = [
        (json!({ "tool": "music", "input": { "prompt": "x" } }), "unknown_tool", ""),
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

/// To JSON Schema `500.0` is an integer, so to us too, everywhere in a body.
#[tokio::test]
async fn whole_numbers_are_integers_however_they_are_written() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let post = async |path: &str, body: String| {
        let request = ann.request("POST", path).header("content-type", "application/json").body(body);
        Answer::of(request.send().await.unwrap()).await
    };
    for (amount, status) in [("500.0", 201), ("5e2", 201), ("5.00E+2", 201), ("500.5", 422), ("5e-1", 422)] {
        let ordered = post(
            "/v1/top-ups",
            format!(r#"{{"method":"tron_usdt","credits":{{"amount":{amount},"unit":"USD cent"}}}}"#),
        )
        .await;
        assert_eq!(ordered.status, status, "{amount}: {}", ordered.text);
    }
    let id = crate::world::new_run_id();
    let run = |seed: &str| {
        let input = format!(r#"{{"prompt":"x 1.0","size":"square","seed":{seed}}}"#);
        format!(r#"{{"tool":"image","run_id":"{id}","input":{input}}}"#)
    };
    assert_eq!(post("/v1/runs", run("7")).await.status, 200);
    let again = post("/v1/runs", run("7.0")).await;
    assert_eq!(
        (again.status, &again.body["replayed"]),
        (200, &json!(true)),
        "the same input: {}",
        again.text
    );
    books::check(&world).await;
}

/// One rule for all that people type: something of it must show.
#[tokio::test]
async fn a_text_of_which_nothing_shows_is_empty() {
    let world = World::start().await;
    let (ann, admin) = (world.person("ann"), world.person("admin"));
    ann.balance().await;
    for blank in
        ["", " ", "\0", "\u{200b}", "\n\t", "\u{feff}\u{2060}", "\u{ad}", "\u{2800}", "\u{3164}", "\u{e0020}"]
    {
        let note = json!({ "note": blank });
        let case = json!({ "cause": "return", "case": blank, "note": "x" });
        let places = [
            (ann.run(&script(blank)).await, "/input/prompt"),
            (ann.send("POST", "/v1/quotes", &script(blank)).await, "/input/prompt"),
            (ann.send("PATCH", "/v1/account", &json!({ "name": blank })).await, "/name"),
            (admin.send("POST", "/v1/admin/payments/viet_qr.1.0/dismiss", &note).await, "/note"),
            (admin.send("POST", "/v1/admin/payments/viet_qr.1.0/reverse", &case).await, "/case"),
        ];
        for (refused, pointer) in places {
            assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{blank:?} at {pointer}");
            assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{blank:?}: {}", refused.text);
        }
    }
    assert_eq!(ann.balance().await, (100, 0, 0));
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

    world
        .product
        .platform
        .dynamo()
        .delete_table()
        .table_name(world.table("request_limits"))
        .send()
        .await
        .unwrap();
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
    assert_eq!(refused.body["price"], credit(8));
    assert_eq!(refused.body["available"], credit(4));

    let request = ann.request("POST", "/v1/runs").header("accept-language", "vi-VN,vi;q=0.9,en;q=0.5");
    let request = request.header("content-type", "application/json").body(wish.to_string());
    let refused = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(
        (refused.problem(), &refused.headers["content-language"]),
        ("insufficient_credit", &"vi".parse().unwrap())
    );
    assert!(refused.body["detail"].as_str().unwrap().contains("giá 8"), "{}", refused.text);
    assert_eq!(ann.balance().await, (4, 0, 0));
}
