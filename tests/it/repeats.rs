//! The same wish twice: one run, one provider call, one charge.

use crate::books;
use crate::world::{Answer, Fault, Person, World, image, new_run_id, script, text_of};
use primitives::{RunId, Timestamp};
use sandbox::Service;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn the_same_run_id_and_input_give_the_same_run() {
    let world = World::start().await;
    let ann = world.person("ann");
    let mut wish = script("a red kite");
    wish["run_id"] = json!(new_run_id());
    let first = ann.run(&wish).await;
    let second = ann.run(&wish).await;
    assert_eq!((second.status, second.body["replayed"].as_bool()), (200, Some(true)));
    assert_eq!(second.body["id"], first.body["id"]);
    assert_eq!(second.body["outputs"][0]["text"], first.body["outputs"][0]["text"]);
    let streamed = ann.stream(&wish).await.unwrap();
    assert_eq!(text_of(&streamed), first.body["outputs"][0]["text"].as_str().unwrap());
    assert_eq!(world.provider_calls(Service::Deepseek), 1);
    assert_eq!(ann.balance().await, (99, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn the_same_key_with_another_input_is_refused() {
    let world = World::start().await;
    let ann = world.person("ann");
    let id = new_run_id();
    let with_id = |prompt: &str| {
        let mut wish = script(prompt);
        wish["run_id"] = json!(id);
        wish
    };
    ann.run(&with_id("a red kite")).await;
    let other = ann.run(&with_id("a blue kite")).await;
    assert_eq!((other.problem(), other.status), ("run_conflict", 409));
    assert_eq!(ann.balance().await, (99, 0, 0), "what was reserved meanwhile is back");

    let keyed = |prompt: &str| {
        let body = script(prompt).to_string();
        ann.request("POST", "/v1/runs")
            .header("content-type", "application/json")
            .header("idempotency-key", "order-17")
            .body(body)
    };
    let first = crate::world::Answer::of(keyed("a red kite").send().await.unwrap()).await;
    let again = crate::world::Answer::of(keyed("a red kite").send().await.unwrap()).await;
    let other = crate::world::Answer::of(keyed("a blue kite").send().await.unwrap()).await;
    assert_eq!(
        (again.body["id"].clone(), again.body["replayed"].as_bool()),
        (first.body["id"].clone(), Some(true))
    );
    assert_eq!(other.problem(), "run_conflict");
    assert_eq!(ann.balance().await, (98, 0, 0));
    assert_eq!(world.provider_calls(Service::Deepseek), 2);
    books::check(&world).await;
}

#[tokio::test]
async fn two_identical_requests_at_once_make_one_provider_call_and_one_charge() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    for (service, mut wish) in
        [(Service::Deepseek, script("a red kite")), (Service::Fal, image("a red kite"))]
    {
        wish["run_id"] = json!(new_run_id());
        let twice: Vec<_> = (0..5)
            .map(|_| {
                let (ann, wish) = (ann.clone(), wish.clone());
                tokio::spawn(async move { ann.run(&wish).await })
            })
            .collect();
        for answer in twice {
            let answer = answer.await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        assert_eq!(world.provider_calls(service), 1);
    }
    assert_eq!(ann.balance().await, (95, 0, 0), "1 and 4, once each");
    books::check(&world).await;
}

#[tokio::test]
async fn identical_idempotency_keys_at_once_make_one_run() {
    let world = World::start().await;
    let ann = world.person("ann");
    let at_once: Vec<_> = (0..8)
        .map(|_| {
            let request = ann.request("POST", "/v1/runs").header("content-type", "application/json");
            let request = request.header("idempotency-key", "\"k\"").body(script("a red kite").to_string());
            tokio::spawn(async move { crate::world::Answer::of(request.send().await.unwrap()).await })
        })
        .collect();
    let mut ids = Vec::new();
    for answer in at_once {
        let answer = answer.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        ids.push(answer.body["id"].clone());
    }
    let first = ids[0].clone();
    assert!(ids.iter().all(|id| *id == first), "{ids:?}");
    assert_eq!(world.provider_calls(Service::Deepseek), 1);
    assert_eq!(ann.balance().await, (99, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn a_repeat_of_a_failed_run_tells_the_same_failure_and_an_old_id_finds_its_run() {
    let world = World::start().await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Deepseek, sandbox::FaultRule::always(sandbox::Fault::Refuse));
    world.sandbox.faults().set(Service::Anthropic, sandbox::FaultRule::always(sandbox::Fault::Refuse));
    let mut wish = script("a red kite");
    wish["run_id"] = json!(new_run_id());
    assert_eq!(ann.run(&wish).await.problem(), "provider_failed");
    world.sandbox.faults().clear();
    assert_eq!(ann.run(&wish).await.problem(), "provider_failed", "one terminal state, ever");

    let mut wish = script("a blue kite");
    wish["run_id"] = json!(new_run_id());
    world.advance(Duration::from_secs(61));
    assert_eq!(ann.run(&wish).await.status, 200);
    world.advance(Duration::from_secs(25 * 3600));
    assert_eq!(ann.run(&wish).await.body["replayed"], true, "a day later it still is the same run");
    for (made_at, what) in
        [(Timestamp::from_seconds(1), "too old"), (world.now().after(Duration::from_secs(3600)), "ahead")]
    {
        wish["run_id"] = json!(RunId::mint(made_at).to_string());
        assert_eq!(ann.run(&wish).await.problem(), "invalid_run_id", "{what}");
    }
    books::check(&world).await;
}

#[tokio::test]
async fn one_persons_run_id_is_nothing_to_another() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    let id = new_run_id();
    let mut wish = script("a red kite");
    wish["run_id"] = json!(id);
    ann.run(&wish).await;
    assert_eq!(bob.get(&format!("/v1/runs/{id}")).await.problem(), "not_found");
    let own = bob.run(&wish).await;
    assert_eq!((own.status, own.body["charged"]["amount"].as_u64()), (200, Some(1)));
    assert_eq!(world.provider_calls(Service::Deepseek), 2);
}

#[tokio::test]
async fn a_repeat_finds_its_run_although_quote_price_and_tool_have_changed() {
    let world = World::start().await;
    let ann = world.person("ann");
    let quote = ann.send("POST", "/v1/quotes", &script("a red kite")).await;
    let mut wish = script("a red kite");
    wish["run_id"] = json!(new_run_id());
    wish["quote_id"] = quote.body["quote_id"].clone();
    let first = ann.run(&wish).await;
    assert_eq!(first.status, 200, "{}", first.text);

    world.advance(Duration::from_secs(700));
    let again = ann.run(&wish).await;
    assert_eq!(
        (again.body["id"].clone(), again.body["replayed"].as_bool()),
        (first.body["id"].clone(), Some(true))
    );

    switch_off(&world, "chat").await;
    world.advance(Duration::from_secs(61));
    let again = ann.run(&wish).await;
    assert_eq!(again.body["id"], first.body["id"], "another variant is the default now: {}", again.text);
    for other in ["reasoner", "premium"] {
        switch_off(&world, other).await;
    }
    world.advance(Duration::from_secs(61));
    let again = ann.run(&wish).await;
    assert_eq!(again.body["id"], first.body["id"], "the tool is not sold at all: {}", again.text);
    wish["input"]["prompt"] = json!("a blue kite");
    assert_eq!(ann.run(&wish).await.problem(), "run_conflict");
    assert_eq!(ann.balance().await, (99, 0, 0));
    books::check(&world).await;
}

async fn switch_off(world: &World, option: &str) {
    let update = world.product.platform.dynamo().update_item().table_name(world.table("tool_pricing"));
    let update = update.key("tool", platform::text("script")).key("option", platform::text(option));
    let off = aws_sdk_dynamodb::types::AttributeValue::Bool(false);
    update
        .update_expression("SET enabled = :off")
        .expression_attribute_values(":off", off)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn twins_with_credit_for_one_both_get_the_one_run() {
    let world = World::start().await;
    for turn in 0..8 {
        let ann = world.person(&format!("ann_{turn}"));
        for _ in 0..12 {
            let dear = json!({ "tool": "script", "input": { "prompt": "x", "model": "premium" } });
            assert_eq!(ann.run(&dear).await.status, 200);
        }
        let twins: Vec<_> = (0..2)
            .map(|_| {
                let request = ann.request("POST", "/v1/runs").header("content-type", "application/json");
                let request = request.header("idempotency-key", "twin").body(image("x").to_string());
                tokio::spawn(async move { crate::world::Answer::of(request.send().await.unwrap()).await })
            })
            .collect();
        for twin in twins {
            let answer = twin.await.unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text);
        }
        assert_eq!(ann.balance().await, (0, 0, 0));
    }
    books::check(&world).await;
}

#[tokio::test]
async fn the_id_of_another_kind_of_entry_is_no_run() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let mut wish = script("x");
    wish["run_id"] = ann.transactions().await[0]["id"].clone();
    assert_eq!(ann.run(&wish).await.problem(), "run_conflict");
}

async fn keyed(person: &Person, key: &str, prompt: &str) -> Answer {
    let request = person.request("POST", "/v1/runs").header("content-type", "application/json");
    let request = request.header("idempotency-key", key).body(script(prompt).to_string());
    Answer::of(request.send().await.unwrap()).await
}

/// Asked for by key, with a quote that is over by then, until the key is forgotten as well.
#[tokio::test]
async fn a_repeat_by_key_is_answered_although_its_price_no_longer_holds() {
    let world = World::start().await;
    let ann = world.person("ann");
    let quote = ann.send("POST", "/v1/quotes", &script("a red kite")).await;
    let ask = async |prompt: &str| {
        let mut wish = script(prompt);
        wish["quote_id"] = quote.body["quote_id"].clone();
        let request = ann.request("POST", "/v1/runs").header("content-type", "application/json");
        let request = request.header("idempotency-key", "k").body(wish.to_string());
        Answer::of(request.send().await.unwrap()).await
    };
    let first = ask("a red kite").await;
    assert_eq!((first.status, first.body["charged"]["amount"].as_u64()), (200, Some(1)), "{}", first.text);

    world.advance(Duration::from_secs(48 * 3600 - 1));
    let again = ask("a red kite").await;
    assert_eq!((again.status, again.body["replayed"].as_bool()), (200, Some(true)), "{}", again.text);
    assert_eq!(again.body["id"], first.body["id"]);
    assert_eq!(ask("a blue kite").await.problem(), "run_conflict");

    world.advance(Duration::from_secs(1));
    assert_eq!(ask("a red kite").await.problem(), "quote_expired", "48 hours are over");
    assert_eq!(world.provider_calls(Service::Deepseek), 1);
    assert_eq!(ann.balance().await, (99, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn a_reservation_that_comes_after_its_twin_has_run_the_same_id_to_its_end_starts_nothing() {
    for fault in [Fault::Late, Fault::LateThrottled] {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        let slow = world.instance(&[]).await;
        let there = ann.at(&slow.base);
        there.get("/v1/pricing").await;
        slow.meddler.plan(0, fault);
        let first = tokio::spawn(async move { keyed(&there, "k", "a red kite").await });
        slow.meddler.holding_back().await;
        // The key is recorded beside the reservation, so a twin can use its run id from now on.
        while books::scan(&world, "idempotency").await.is_empty() {
            tokio::task::yield_now().await;
        }
        let twin = keyed(&ann, "k", "a red kite").await;
        assert_eq!((twin.status, twin.body["charged"]["amount"].as_u64()), (200, Some(1)), "{}", twin.text);

        slow.meddler.let_go();
        let first = first.await.unwrap();

        assert_eq!((first.status, first.body["replayed"].as_bool()), (200, Some(true)), "{}", first.text);
        assert_eq!(first.body["id"], twin.body["id"]);
        assert_eq!(world.provider_calls(Service::Deepseek), 1, "{fault:?}: worked on once");
        assert_eq!(ann.balance().await, (99, 0, 0));
        books::check(&world).await;
    }
}

#[tokio::test]
async fn a_reservation_by_run_id_that_comes_late_or_again_starts_nothing_either() {
    for fault in [Fault::Late, Fault::LateThrottled] {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        let slow = world.instance(&[]).await;
        let there = ann.at(&slow.base);
        there.get("/v1/pricing").await;
        let mut wish = script("a red kite");
        wish["run_id"] = json!(new_run_id());
        slow.meddler.plan(0, fault);
        let first = tokio::spawn({
            let wish = wish.clone();
            async move { there.run(&wish).await }
        });
        slow.meddler.holding_back().await;
        assert_eq!(ann.run(&wish).await.status, 200);
        slow.meddler.let_go();
        assert_eq!(first.await.unwrap().body["replayed"], true);
        assert_eq!(world.provider_calls(Service::Deepseek), 1, "{fault:?}");
        assert_eq!(ann.balance().await, (99, 0, 0));
        books::check(&world).await;
    }
}

#[tokio::test]
async fn a_twin_that_began_long_ago_and_ends_between_look_and_reservation_is_seen_too() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let (dying, slow) = (world.instance(&[]).await, world.instance(&[]).await);
    let (by_dying, by_slow) = (ann.at(&dying.base), ann.at(&slow.base));
    for there in [&by_dying, &by_slow] {
        there.get("/v1/pricing").await;
    }
    let mut wish = script("a red kite");
    wish["run_id"] = json!(new_run_id());
    // It holds its price, and is killed before its provider is asked.
    dying.meddler.plan(2, Fault::KilledBefore);
    tokio::select! {
        () = dying.meddler.death() => {}
        answer = by_dying.run(&wish) => panic!("it answered: {}", answer.text),
    }
    slow.meddler.plan(0, Fault::Late);
    let repeat = tokio::spawn(async move { by_slow.run(&wish).await });
    slow.meddler.holding_back().await;
    // All that is left of the twin takes some milliseconds: decide, log, apply.
    world.advance_and_sweep().await;

    slow.meddler.let_go();
    let repeat = repeat.await.unwrap();

    assert_eq!((repeat.status, repeat.problem()), (503, "run_broken_off"), "{}", repeat.text);
    assert_eq!(world.provider_calls(Service::Deepseek), 0, "the repeat asks no provider");
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check(&world).await;
}

/// A run that goes on for some seconds, whose id is `wish`'s.
async fn start_slowly(
    world: &World,
    person: &Person,
) -> (serde_json::Value, tokio::task::JoinHandle<Answer>) {
    let mut wish = script("a red kite [[sandbox:slow ms=6000]]");
    wish["run_id"] = json!(new_run_id());
    let running = tokio::spawn({
        let (person, wish) = (person.clone(), wish.clone());
        async move { person.run(&wish).await }
    });
    while world.provider_calls(Service::Deepseek) == 0 {
        tokio::task::yield_now().await;
    }
    (wish, running)
}

#[tokio::test]
async fn a_repeat_of_a_run_that_goes_on_is_sent_away_after_two_seconds() {
    let world = World::start().await;
    let ann = world.person("ann");
    let (wish, running) = start_slowly(&world, &ann).await;
    let begun = std::time::Instant::now();
    let repeat = ann.run(&wish).await;
    assert_eq!((repeat.problem(), repeat.status), ("run_conflict", 409));
    assert_eq!(repeat.body["credit"], "held");
    assert!(repeat.headers.contains_key("retry-after"));
    assert!(begun.elapsed() < Duration::from_millis(3500), "{:?}", begun.elapsed());
    assert_eq!(running.await.unwrap().status, 200);
    assert_eq!(ann.run(&wish).await.body["replayed"], true);
    assert_eq!(world.provider_calls(Service::Deepseek), 1);
    books::check(&world).await;
}

#[tokio::test]
async fn of_many_repeats_at_once_a_few_wait_whichever_instance_they_reach() {
    let world = World::start().await;
    let ann = world.person("ann");
    let (wish, running) = start_slowly(&world, &ann).await;
    let other = world.instance(&[]).await;
    ann.at(&other.base).get("/v1/runs").await;
    let waiting = || async {
        let rows = books::scan(&world, "idempotency").await;
        rows.iter()
            .filter_map(|row| row.get("waits"))
            .map(|waits| waits.as_n().unwrap().clone())
            .collect::<Vec<_>>()
    };
    let repeats: Vec<_> = (0..40)
        .map(|turn| {
            let base = if turn % 2 == 0 { &world.product.base } else { &other.base };
            let (there, wish) = (ann.at(base), wish.clone());
            tokio::spawn(async move { there.run(&wish).await })
        })
        .collect();
    for repeat in repeats {
        let answer = repeat.await.unwrap();
        assert_eq!((answer.problem(), answer.status), ("run_conflict", 409), "{}", answer.text);
    }
    assert_eq!(waiting().await, ["8"], "eight waited, the others were answered at once");
    // Two seconds later there are places again.
    world.advance(Duration::from_secs(2));
    assert_eq!(ann.run(&wish).await.problem(), "run_conflict");
    assert_eq!(waiting().await.len(), 2);
    assert_eq!(running.await.unwrap().status, 200);
    books::check(&world).await;
}
