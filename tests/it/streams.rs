//! What the listener of a run hears, from the hold to the end: never silence, and every end told.

use crate::books;
use crate::world::{
    Answer, Person, StreamEvent, World, credit, events, http, image, new_run_id, script, text_of,
};
use sandbox::{Fault, FaultRule, Service};
use serde_json::{Value, json};

/// As a stream, read to its end; whatever its status is.
async fn streamed(person: &Person, wish: &Value) -> (Answer, Vec<StreamEvent>) {
    let request = person.request("POST", "/v1/runs").header("accept", "text/event-stream");
    let request = request.header("content-type", "application/json").body(wish.to_string());
    let answer = Answer::of(request.send().await.unwrap()).await;
    let told = events(&answer.text);
    (answer, told)
}

fn names(told: &[StreamEvent]) -> Vec<&str> {
    told.iter().map(|event| event.name.as_str()).collect()
}

fn stages(told: &[StreamEvent]) -> Vec<&str> {
    let progress = told.iter().filter(|event| event.name == "progress");
    progress.map(|event| event.data["stage"].as_str().unwrap()).collect()
}

/// A wish with an id of its own.
fn named(mut wish: Value) -> (Value, String) {
    let id = new_run_id();
    wish["run_id"] = json!(id);
    (wish, id)
}

#[tokio::test]
async fn a_stream_begins_when_the_credit_is_held_and_goes_on_telling_while_the_provider_is_silent() {
    let world = World::with(&[("RUN_PROGRESS_MS", "20")]).await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Deepseek, FaultRule::once(Fault::Slow { ms: 400 }));
    let (wish, id) = named(script("a red kite"));
    let request = ann.request("POST", "/v1/runs").header("accept", "text/event-stream");
    let request = request.header("content-type", "application/json").body(wish.to_string());

    let mut response = request.send().await.unwrap();

    assert_eq!((response.status().as_u16(), &response.headers()["x-run-id"]), (200, &id.parse().unwrap()));
    let first = response.chunk().await.unwrap().unwrap();
    let first = events(std::str::from_utf8(&first).unwrap());
    assert_eq!(first[0].name, "run");
    // Holds are kept to the second.
    let now = primitives::Timestamp::from_seconds(world.now().seconds());
    let held_until = now.after(std::time::Duration::from_secs(900 + 60)).to_string();
    assert_eq!(
        first[0].data,
        json!({ "id": id, "tool": "script", "model": "chat", "price": credit(1), "status": "running", "held_until": held_until }),
    );
    assert_eq!(ann.balance().await, (99, 1, 0), "held, and the provider has said nothing yet");
    assert_eq!(ann.get(&format!("/v1/runs/{id}")).await.body["status"], "running");

    let rest = events(&response.text().await.unwrap());
    let waiting = rest.iter().take_while(|event| event.name == "progress").count();
    assert!(waiting > 3, "{:?}", names(&rest));
    assert!(stages(&rest[..waiting]).iter().all(|stage| *stage == "waiting"), "{:?}", stages(&rest));
    assert!(text_of(&rest).contains("a red kite"));
    assert_eq!(rest.last().unwrap().name, "done");
    books::check(&world).await;
}

#[tokio::test]
async fn a_pause_in_the_middle_of_a_text_is_not_silent() {
    let world = World::with(&[("RUN_PROGRESS_MS", "20")]).await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Deepseek, FaultRule::once(Fault::Stall { ms: 300, after: 3 }));

    let told = ann.stream(&script("a red kite [[sandbox:pace ms=1]]")).await.unwrap();

    let first_piece = told.iter().position(|event| event.name == "delta").unwrap();
    let (before, after) = told.split_at(first_piece);
    assert!(stages(before).iter().all(|stage| *stage == "waiting"), "{:?}", stages(before));
    let writing = stages(after).into_iter().filter(|stage| *stage == "writing").count();
    assert!(writing > 3, "{:?}", names(after));
    assert_eq!(told.last().unwrap().name, "done");
}

#[tokio::test]
async fn storing_and_booking_are_not_silent_either() {
    let world = World::with(&[("RUN_PROGRESS_MS", "20")]).await;
    let ann = world.person("ann");
    ann.balance().await;
    for wish in [script("a red kite"), image("a red kite")] {
        let slow = world.instance(&[]).await;
        slow.meddler.hold_media_back();
        let request = ann.at(&slow.base).request("POST", "/v1/runs").header("accept", "text/event-stream");
        let request = request.header("content-type", "application/json").body(wish.to_string());
        let (mut response, mut bytes) = (request.send().await.unwrap(), Vec::new());
        while let Some(chunk) = response.chunk().await.unwrap() {
            bytes.extend(chunk);
            if String::from_utf8_lossy(&bytes).matches("storing").count() > 3 {
                slow.meddler.let_go();
            }
        }
        let told = events(std::str::from_utf8(&bytes).unwrap());
        let storing = stages(&told).into_iter().filter(|stage| *stage == "storing").count();
        assert!(storing > 3, "{:?}", names(&told));
        assert_eq!(told.last().unwrap().name, "done");
    }
}

#[tokio::test]
async fn a_model_that_reasons_is_told_as_thinking_and_its_reasoning_is_not() {
    let world = World::start().await;
    let ann = world.person("ann");
    let wish = json!({ "tool": "script", "input": { "prompt": "a red kite", "model": "reasoner" } });

    let told = ann.stream(&wish).await.unwrap();

    assert_eq!(names(&told)[..3], ["run", "progress", "delta"]);
    assert_eq!(told[1].data, json!({ "stage": "thinking" }));
    assert_eq!(told[0].data["model"], "reasoner");
}

#[tokio::test]
async fn a_picture_is_told_as_queued_and_working_and_a_fallback_is_not() {
    let world = World::start().await;
    let ann = world.person("ann");
    let told = ann.stream(&image("a red kite")).await.unwrap();
    assert_eq!(stages(&told)[0], "queued");
    assert_eq!(stages(&told).last(), Some(&"storing"));

    world.sandbox.faults().set(Service::Fal, FaultRule::always(Fault::Refuse));
    let told = ann.stream(&image("a red kite")).await.unwrap();
    assert!(!stages(&told).contains(&"waiting"), "{:?}", stages(&told));
    assert_eq!(told.last().unwrap().data["receipt"]["provider"], "comfyui");
}

#[tokio::test]
async fn what_is_refused_before_the_hold_stays_a_plain_error() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let mut shown = script("a red kite");
    shown["price"] = credit(7);
    let dear = json!({ "tool": "script", "input": { "prompt": "x", "model": "gpt" } });
    for (wish, status, code) in [
        (shown, 409, "price_changed"),
        (dear, 422, "invalid_input"),
        (json!({ "tool": "music", "input": {} }), 422, "unknown_tool"),
    ] {
        let (answer, _) = streamed(&ann, &wish).await;
        assert_eq!((answer.status, answer.problem()), (status, code));
        assert!(!answer.headers.contains_key("x-run-id"));
    }
    let bob = world.person("bob");
    let broke = World::with(&[("OPEN_HOLDS_MAX", "0")]).await;
    let (answer, _) = streamed(&broke.person("bob"), &script("x")).await;
    assert_eq!((answer.status, answer.problem()), (429, "too_many_open_runs"));
    let nobody = http().post(format!("{}/v1/runs", world.product.base)).header("accept", "text/event-stream");
    assert_eq!(nobody.body(script("x").to_string()).send().await.unwrap().status(), 401);
    assert_eq!((ann.balance().await, bob.balance().await), ((100, 0, 0), (100, 0, 0)));
}

/// What goes wrong after the hold, and what it is called.
async fn break_something(world: &World, what: &str) {
    let faults = world.sandbox.faults();
    faults.clear();
    world.product.meddler.forget();
    // The breaker forgets what the case before did.
    world.advance(std::time::Duration::from_secs(61));
    match what {
        "provider_failed" => {
            faults.set(Service::Deepseek, FaultRule::always(Fault::Refuse));
            faults.set(Service::Anthropic, FaultRule::always(Fault::Refuse));
            faults.set(Service::Fal, FaultRule::always(Fault::Refuse));
            faults.set(Service::Comfyui, FaultRule::always(Fault::Refuse));
        }
        "content_rejected" => faults.set(Service::Fal, FaultRule::always(Fault::Nsfw)),
        "outcome_unknown" => faults.set(Service::Fal, FaultRule::always(Fault::DropConnection)),
        "output_not_stored" => world.product.meddler.break_media(),
        other => panic!("nobody knows how to break {other}"),
    }
}

#[tokio::test]
async fn what_fails_after_the_hold_is_the_last_event_with_the_same_document_as_the_plain_answer() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    for (what, wish) in [
        ("provider_failed", script("a red kite")),
        ("provider_failed", image("a red kite")),
        ("content_rejected", image("a red kite")),
        ("output_not_stored", script("a red kite")),
        ("output_not_stored", image("a red kite")),
        ("outcome_unknown", image("a red kite")),
    ] {
        break_something(&world, what).await;
        let (wish, id) = named(wish);
        let plain = ann.run(&wish).await;
        assert_eq!((plain.problem(), &plain.headers["x-run-id"]), (what, &id.parse().unwrap()));
        break_something(&world, what).await;
        let (wish, id) = named(wish);

        let (answer, told) = streamed(&ann, &wish).await;

        assert_eq!((answer.status, &answer.headers["x-run-id"]), (200, &id.parse().unwrap()), "{what}");
        assert_eq!((told[0].name.as_str(), &told[0].data["id"]), ("run", &json!(id)), "{what}");
        let failed = told.last().unwrap();
        assert_eq!(failed.name, "failed", "{what}: {}", answer.text);
        assert_eq!(names(&told).into_iter().filter(|name| ["done", "failed"].contains(name)).count(), 1);
        let is_back = failed.data["credit"] == "not_taken";
        assert_eq!(failed.data["charged"], if is_back { credit(0) } else { Value::Null }, "{what}");
        assert_eq!(is_back, what != "outcome_unknown");
        assert!(failed.data["request_id"].is_string());
        let mut expected = plain.body.clone();
        let mut document = failed.data.clone();
        for (document, run) in [(&mut expected, plain.body["run_id"].clone()), (&mut document, json!(id))] {
            assert_eq!(document["run_id"], run);
            let fields = document.as_object_mut().unwrap();
            for own in ["run_id", "request_id", "charged"] {
                fields.remove(own);
            }
            // It names the moment until which credit is held.
            if what == "outcome_unknown" {
                fields.remove("detail");
            }
        }
        assert_eq!(document, expected, "{what}");
        assert_eq!(document["status"], plain.status, "{what}");
    }
    books::check(&world).await;
}

#[tokio::test]
async fn a_repeat_of_an_ended_run_tells_its_story_from_the_beginning() {
    let world = World::start().await;
    let ann = world.person("ann");
    let (wish, id) = named(script("a red kite"));
    let first = ann.stream(&wish).await.unwrap();

    let (answer, told) = streamed(&ann, &wish).await;

    assert_eq!(&answer.headers["x-run-id"], id.as_str());
    let run = &told[0].data;
    assert_eq!(
        (&run["id"], &run["status"], &run["replayed"], &run["price"]),
        (&json!(id), &json!("succeeded"), &json!(true), &credit(1))
    );
    assert_eq!(text_of(&told), text_of(&first));
    assert_eq!(told.last().unwrap().data["replayed"], true);

    for what in ["provider_failed", "output_not_stored"] {
        break_something(&world, what).await;
        let (wish, id) = named(script("a red kite"));
        let (_, first) = streamed(&ann, &wish).await;
        assert_eq!(first.last().unwrap().data["code"], what);
        world.sandbox.faults().clear();
        world.product.meddler.forget();
        assert_eq!(ann.run(&wish).await.problem(), what, "the same end, whoever asks again");
        let (_, told) = streamed(&ann, &wish).await;
        assert_eq!(names(&told), ["run", "failed"]);
        assert_eq!((&told[0].data["id"], &told[0].data["status"]), (&json!(id), &json!("failed")));
        assert_eq!((&told[1].data["code"], &told[1].data["charged"]), (&json!(what), &credit(0)));
    }
    books::check(&world).await;
}

#[tokio::test]
async fn a_run_that_was_broken_off_is_told_as_that_and_not_as_the_providers_silence() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let (wish, _) = named(script("a red kite"));
    let dying = world.instance(&[]).await;
    let there = ann.at(&dying.base);
    there.get("/v1/pricing").await;
    // Two calls reserve and look; the third would store the output.
    dying.meddler.plan(2, crate::world::Fault::KilledBefore);
    tokio::select! {
        () = dying.meddler.death() => {}
        answer = there.run(&wish) => panic!("it answered: {}", answer.text),
    }
    world.advance_and_sweep().await;

    let again = ann.run(&wish).await;

    assert_eq!((again.status, again.problem()), (503, "run_broken_off"), "{}", again.text);
    assert!(!again.text.contains("service behind this tool"), "{}", again.text);
    assert_eq!(ann.balance().await, (100, 0, 0));
}

#[tokio::test]
async fn a_page_may_read_which_run_its_answer_is_about() {
    let world = World::start().await;
    let ann = world.person("ann");
    let (wish, id) = named(script("a red kite"));
    let run = ann.run(&wish).await;
    assert_eq!(&run.headers["x-run-id"], id.as_str());
    assert!(run.headers["access-control-expose-headers"].to_str().unwrap().contains("x-run-id"));
}

/// The same wish again, from behind the event with this id.
async fn resumed(person: &Person, wish: &Value, last: &str) -> (Answer, Vec<StreamEvent>) {
    let request = person.request("POST", "/v1/runs").header("accept", "text/event-stream");
    let request = request.header("content-type", "application/json").header("last-event-id", last);
    let answer = Answer::of(request.body(wish.to_string()).send().await.unwrap()).await;
    let told = events(&answer.text);
    (answer, told)
}

#[tokio::test]
async fn a_client_that_lost_its_stream_gets_what_it_missed_and_nothing_twice() {
    let world = World::start().await;
    let ann = world.person("ann");
    let (wish, id) = named(script("a red kite"));
    let (_, whole) = streamed(&ann, &wish).await;
    let lasting: Vec<&StreamEvent> = whole.iter().filter(|event| event.id.is_some()).collect();
    assert!(lasting.len() > 4 && lasting.iter().all(|event| event.name != "progress"), "{:?}", names(&whole));

    for (nth, last) in lasting.iter().enumerate() {
        let (answer, rest) = resumed(&ann, &wish, last.id.as_deref().unwrap()).await;
        assert_eq!(&answer.headers["x-run-id"], id.as_str());
        let heard = lasting[..=nth].iter().map(|event| (*event).clone()).collect::<Vec<_>>();
        assert_eq!(text_of(&heard) + &text_of(&rest), text_of(&whole), "behind {last:?}");
        let ends: Vec<&str> = names(&rest).into_iter().filter(|name| *name != "delta").collect();
        match last.name.as_str() {
            "done" => assert_eq!((answer.status, answer.text.as_str()), (204, "")),
            "output" => assert_eq!(ends, ["done"]),
            _ => assert_eq!(ends, ["output", "done"]),
        }
    }
    let (_, again) = streamed(&ann, &wish).await;
    assert_eq!(
        (again[0].name.as_str(), &again[0].data["replayed"]),
        ("run", &json!(true)),
        "the whole story"
    );
    let elsewhere = format!("{}.5", new_run_id());
    let (_, again) = resumed(&ann, &wish, &elsewhere).await;
    assert_eq!(text_of(&again), text_of(&whole), "a place in another run is none in this one");
    assert_eq!(ann.balance().await, (99, 0, 0));
    books::check(&world).await;
}

#[tokio::test]
async fn a_run_that_goes_on_says_when_to_look_again() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Deepseek, FaultRule::once(Fault::Slow { ms: 400 }));
    let (wish, id) = named(script("a red kite"));
    let request = ann.request("POST", "/v1/runs").header("accept", "text/event-stream");
    let request = request.header("content-type", "application/json").body(wish.to_string());
    let mut response = request.send().await.unwrap();
    response.chunk().await.unwrap();

    let running = ann.get(&format!("/v1/runs/{id}")).await;
    assert_eq!(
        (running.body["status"].as_str(), &running.headers["retry-after"]),
        (Some("running"), &"2".parse().unwrap())
    );
    let listed = ann.get("/v1/runs").await.body["runs"][0].clone();
    assert_eq!((listed["status"].as_str(), listed["price"]["amount"].as_u64()), (Some("running"), Some(1)));

    response.text().await.unwrap();
    let ended = ann.get(&format!("/v1/runs/{id}")).await;
    assert_eq!((ended.body["status"].as_str(), ended.headers.get("retry-after")), (Some("succeeded"), None));
}

#[tokio::test]
async fn a_failure_that_is_told_again_says_so_and_asks_for_a_new_key() {
    let world = World::start().await;
    let ann = world.person("ann");
    world.sandbox.faults().set(Service::Fal, FaultRule::always(Fault::Nsfw));
    let (wish, _) = named(image("a red kite"));
    let first = ann.run(&wish).await;
    assert!(first.body.get("replayed").is_none(), "{}", first.text);

    let again = ann.run(&wish).await;

    assert_eq!((again.status, again.problem()), (first.status, first.problem()), "{}", again.text);
    assert_eq!(again.body["replayed"], true);
    assert!(again.body["detail"].as_str().unwrap().contains("new key"), "{}", again.text);
}
