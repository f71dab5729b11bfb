//! Providers that fail in every way: the credit comes back, the customer is told, the fallback is silent.

use crate::books;
use crate::world::{World, credit, image, new_run_id, script, text_of, transcript};
use sandbox::{Fault, FaultRule, Service};
use serde_json::json;

#[tokio::test]
async fn a_failed_run_gives_the_credit_back() {
    let world = World::start().await;
    let ann = world.person("ann");
    for service in [Service::Deepseek, Service::Anthropic] {
        world.sandbox.faults().set(service, FaultRule::always(Fault::Refuse));
    }
    let id = new_run_id();
    let mut wish = script("a red kite");
    wish["run_id"] = json!(id);

    let run = ann.run(&wish).await;

    assert_eq!((run.problem(), run.status), ("provider_failed", 502));
    assert_eq!(
        (run.body["credit"].as_str(), run.body["run_id"].as_str()),
        (Some("not_taken"), Some(id.as_str()))
    );
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert!(ann.transactions().await.iter().all(|entry| entry["kind"] != "charge"));
    let shown = ann.get(&format!("/v1/runs/{id}")).await;
    assert_eq!(
        (shown.body["status"].as_str(), shown.body["charged"]["amount"].as_u64()),
        (Some("failed"), Some(0))
    );
    assert_eq!(ann.get("/v1/runs").await.body["runs"][0]["failure"], "unavailable");
    books::check(&world).await;
}

#[tokio::test]
async fn a_fallback_before_the_first_content_is_silent_and_costs_the_shown_price() {
    let world = World::start().await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Deepseek, FaultRule::always(Fault::Refuse));

    let events = ann.stream(&script("a red kite")).await.unwrap();

    assert_eq!(events[0].name, "run");
    assert!(events.iter().all(|event| event.name != "failed"));
    let done = &events.last().unwrap().data;
    assert_eq!(
        (done["charged"]["amount"].as_u64(), done["receipt"]["provider"].as_str()),
        (Some(1), Some("anthropic"))
    );
    books::check(&world).await;
}

#[tokio::test]
async fn images_fall_back_to_comfyui() {
    let world = World::start().await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Fal, FaultRule::always(Fault::Refuse));
    let run = ann.run(&image("a red kite")).await;
    assert_eq!(
        (run.status, run.body["receipt"]["provider"].as_str()),
        (200, Some("comfyui")),
        "{}",
        run.text
    );
    assert_eq!(run.body["charged"], credit(4));
    books::check(&world).await;
}

#[tokio::test]
async fn a_stream_that_breaks_after_content_is_told_free_and_never_restarted() {
    for fault in [Fault::CutStream { after: 1 }, Fault::EndEarly { after: 1 }, Fault::ErrorFrame { after: 1 }]
    {
        let world = World::start().await;
        let ann = world.person("ann");
        world.sandbox.faults().set(Service::Deepseek, FaultRule::always(fault.clone()));
        // Paced, so that content is really sent before the break.
        let answer = ann.stream(&script("a red kite [[sandbox:pace ms=1]]")).await;
        match answer {
            Ok(events) => {
                let last = events.last().unwrap();
                assert_eq!(
                    (last.name.as_str(), last.data["charged"]["amount"].as_u64()),
                    ("failed", Some(0)),
                    "{fault:?}"
                );
                assert_eq!(last.data["credit"], "not_taken");
                assert_eq!(world.provider_calls(Service::Anthropic), 0, "no second provider after content");
            }
            Err(refused) => {
                panic!("{fault:?}: content was sent first, so the answer had begun: {}", refused.text)
            }
        }
        assert_eq!(ann.balance().await, (100, 0, 0), "{fault:?}");
        books::check(&world).await;
    }
}

#[tokio::test]
async fn a_refused_content_is_final_and_free() {
    let world = World::start().await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Fal, FaultRule::always(Fault::Nsfw));
    let run = ann.run(&image("a red kite")).await;
    assert_eq!(run.problem(), "content_rejected");
    assert_eq!(world.provider_calls(Service::Comfyui), 0, "no second vendor is asked");
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn a_text_that_its_own_request_ended_after_a_part_was_shown_is_kept_and_charged() {
    for (model, provider, price) in
        [("chat", "deepseek", 1), ("reasoner", "deepseek", 3), ("premium", "anthropic", 8)]
    {
        let world = World::start().await;
        let ann = world.person("ann");
        let prompt = "a red kite [[sandbox:content_filter]]";
        let wish = json!({ "tool": "script", "input": { "prompt": prompt, "model": model } });

        let events = ann.stream(&wish).await.unwrap();

        let done = &events.last().unwrap().data;
        assert_eq!(
            (done["status"].as_str(), done["charged"]["amount"].as_u64()),
            (Some("succeeded"), Some(price)),
            "{done}"
        );
        let receipt = &done["receipt"];
        assert_eq!(
            (receipt["provider"].as_str(), receipt["ending"].as_str(), receipt["cut_at_limit"].as_bool()),
            (Some(provider), Some("content_filter"), None)
        );
        let shown = text_of(&events);
        assert!(!shown.is_empty() && !shown.contains("THE END"), "a part of it: {shown}");
        let kept = ann.get(&format!("/v1/runs/{}", done["id"].as_str().unwrap())).await;
        assert_eq!(kept.body["outputs"][0]["text"].as_str(), Some(shown.as_str()));
        assert_eq!(kept.body["receipt"]["ending"], "content_filter");
        assert_eq!(ann.balance().await, (100 - price, 0, 0));
        assert_eq!(
            world.sandbox.journal().iter().filter(|entry| entry.method == "POST").count(),
            1,
            "no fallback"
        );
        books::check(&world).await;
    }
}

#[tokio::test]
async fn a_submit_whose_answer_was_lost_is_never_repeated_and_the_credit_is_held_until_the_sweep() {
    let world = World::start().await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Fal, FaultRule::once(Fault::DropConnection));
    let id = new_run_id();
    let mut wish = image("a red kite");
    wish["run_id"] = json!(id);

    let run = ann.run(&wish).await;

    assert_eq!((run.problem(), run.body["credit"].as_str()), ("outcome_unknown", Some("held")));
    assert_eq!(world.provider_calls(Service::Fal), 1, "submitted once");
    assert_eq!(world.provider_calls(Service::Comfyui), 0, "and nobody else was paid meanwhile");
    assert_eq!(ann.balance().await, (96, 4, 0));
    assert_eq!(ann.get(&format!("/v1/runs/{id}")).await.body["status"], "running");

    world.advance_and_sweep().await;
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(ann.get(&format!("/v1/runs/{id}")).await.body["failure"], "expired");
    books::check_settled(&world).await;
}

#[tokio::test]
async fn an_output_that_can_not_be_stored_is_not_charged() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.product.meddler.break_media();
    let run = ann.script("a red kite").await;
    assert_eq!(
        (run.problem(), run.status),
        ("output_not_stored", 503),
        "ours, not the provider's: {}",
        run.text
    );
    assert_eq!(run.body["credit"], "not_taken");
    let detail = run.body["detail"].as_str().unwrap();
    assert!(detail.contains("our storage") && !detail.contains("service behind this tool"), "{detail}");
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(ann.get("/v1/runs").await.body["runs"][0]["failure"], "output_lost");
    books::check(&world).await;
}

#[tokio::test]
async fn a_result_that_arrives_after_the_release_is_a_gift() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    // The first status is slow; meanwhile the hold expires and the sweep gives the credit back.
    let slow = FaultRule { matching: Some("/status".into()), ..FaultRule::once(Fault::Slow { ms: 1500 }) };
    world.sandbox.faults().set(Service::Fal, slow);
    let id = new_run_id();
    let mut wish = image("a red kite");
    wish["run_id"] = json!(id);
    let running = tokio::spawn({
        let (ann, wish) = (ann.clone(), wish.clone());
        async move { ann.run(&wish).await }
    });
    while world.provider_calls(Service::Fal) == 0 {
        tokio::task::yield_now().await;
    }
    world.advance_and_sweep().await;
    assert_eq!(ann.balance().await, (100, 0, 0), "the credit is back");

    let run = running.await.unwrap();

    assert_eq!(
        (run.status, run.body["charged"]["amount"].as_u64(), run.body["gift"].as_bool()),
        (200, Some(0), Some(true))
    );
    let again = ann.get(&format!("/v1/runs/{id}")).await;
    assert_eq!(again.body["gift"], true);
    assert!(again.body["outputs"][0]["download_url"].is_string(), "delivered and fetchable: {}", again.text);
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_client_that_leaves_in_mid_stream_still_gets_and_pays_its_run_once() {
    let world = World::start().await;
    let ann = world.person("ann");
    let id = new_run_id();
    let mut wish = script("a red kite [[sandbox:pace ms=20]]");
    wish["run_id"] = json!(id);
    let request = ann.request("POST", "/v1/runs").header("accept", "text/event-stream");
    let mut response =
        request.header("content-type", "application/json").body(wish.to_string()).send().await.unwrap();
    let begun = response.chunk().await.unwrap().unwrap();
    assert!(std::str::from_utf8(&begun).unwrap().starts_with("event: run"));
    drop(response);

    // The same key again waits for the run's end instead of starting a second one.
    let replayed = ann.stream(&wish).await.unwrap();

    assert!(text_of(&replayed).contains("a red kite"));
    assert_eq!(replayed.last().unwrap().data["replayed"], true);
    assert_eq!(world.provider_calls(Service::Deepseek), 1);
    assert_eq!(ann.balance().await, (99, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn reasoning_is_kept_apart_from_the_text() {
    let world = World::start().await;
    let ann = world.person("ann");
    let wish = json!({ "tool": "script", "input": { "prompt": "a red kite", "model": "reasoner" } });
    let events = ann.stream(&wish).await.unwrap();
    assert_eq!(events[0].name, "run");
    assert!(events.iter().all(|event| !event.data.to_string().contains("reasoning")), "{events:?}");
    let run = ann.get(&format!("/v1/runs/{}", events[0].data["id"].as_str().unwrap())).await;
    assert_eq!(run.body["outputs"][0]["text"].as_str().unwrap(), text_of(&events));
    assert_eq!(run.body["charged"], credit(3));
}

#[tokio::test]
async fn a_breaker_opened_by_one_instance_spares_the_others_the_wait() {
    let world = World::start().await;
    let ann = world.person("ann");
    world
        .sandbox
        .faults()
        .set(Service::Deepseek, FaultRule::always(Fault::Status { status: 401, retry_after: None }));
    assert_eq!(ann.script("x").await.body["receipt"]["provider"], "anthropic");
    let calls = world.provider_calls(Service::Deepseek);

    let other = world.instance(&[]).await;
    let run = ann.at(&other.base).script("x").await;

    assert_eq!(run.body["receipt"]["provider"], "anthropic", "{}", run.text);
    assert_eq!(world.provider_calls(Service::Deepseek), calls, "the other instance did not even try");
    world.sandbox.faults().clear();
    world.advance(std::time::Duration::from_secs(61));
    assert_eq!(ann.script("x").await.body["receipt"]["provider"], "deepseek", "a probe finds it well again");
}

#[test]
fn a_transcript_is_read_event_by_event() {
    let read = transcript("event: run\ndata: {\"id\":1}\n\nevent: done\ndata: {}\n\n");
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].data["id"], 1);
}
