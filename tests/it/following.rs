//! A listener hears a run that another request began: the run's story from the beginning, the text as it comes, and the
//! end. Where no other process ends the run, the listener's process does.

use crate::books;
use crate::tools::{NEVER, market, named, poll, shown, video};
use crate::world::{Answer, Person, StreamEvent, World, credit, events, image, new_run_id, script, text_of};
use sandbox::{FaultRule, Service};
use serde_json::{Value, json};
use std::time::Duration;

/// The story, told from behind an event if one is named.
async fn heard(person: &Person, run: &str, behind: Option<&str>) -> (Answer, Vec<StreamEvent>) {
    let mut request = person.request("GET", &format!("/v1/runs/{run}/events"));
    if let Some(id) = behind {
        request = request.header("last-event-id", id);
    }
    let answer = Answer::of(request.send().await.unwrap()).await;
    let told = events(&answer.text);
    (answer, told)
}

fn names(told: &[StreamEvent]) -> Vec<&str> {
    told.iter().map(|event| event.name.as_str()).filter(|name| *name != "progress").collect()
}

/// Begins a long run, which is answered at once.
async fn begun(person: &Person, wish: Value) -> String {
    let run = new_run_id();
    let answer = person.run(&named(wish, &run)).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    run
}

#[tokio::test]
async fn a_listener_brings_a_video_to_its_end_and_hears_it() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = begun(&ann, video("a red kite")).await;

    let (answer, told) = heard(&ann, &run, None).await;

    assert_eq!((answer.status, &answer.headers["x-run-id"]), (200, &run.parse().unwrap()), "{}", answer.text);
    assert_eq!(names(&told), ["run", "output", "done"], "{}", answer.text);
    assert_eq!((&told[0].data["id"], &told[0].data["status"]), (&json!(run), &json!("running")));
    assert_eq!(told[0].data.get("replayed"), None);
    let done = &told.last().unwrap().data;
    assert_eq!((&done["charged"], &done["outputs"][0]["kind"]), (&credit(96), &json!("video")), "{done}");
    assert_eq!(ann.balance().await, (4, 0, 0));
    assert_eq!((world.provider_calls(Service::Fal), poll(&world).await.jobs), (1, 0));
    world.advance_and_sweep().await;
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_research_is_heard_as_it_is_written_with_all_that_it_brings() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = begun(&ann, market("who sells them")).await;

    let (answer, told) = heard(&ann, &run, None).await;

    let deltas = told.iter().filter(|event| event.name == "delta").count();
    assert!(deltas > 1, "{}", answer.text);
    let mut rest = names(&told);
    rest.retain(|name| *name != "delta");
    assert_eq!(rest, ["run", "output", "output", "output", "done"], "{}", answer.text);
    let ids: Vec<&str> = told.iter().filter_map(|event| event.id.as_deref()).collect();
    for end in ["output", "output2", "output3", "end"] {
        assert!(ids.contains(&format!("{run}.{end}").as_str()), "{ids:?}");
    }
    let shown = shown(&ann, &run).await;
    assert_eq!(text_of(&told), shown["outputs"][0]["text"].as_str().unwrap());
    assert_eq!(shown["charged"], credit(14));
    world.advance_and_sweep().await;
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_text_that_another_process_writes_is_heard_as_it_comes_and_gone_on_with_behind_any_event() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let writer = world.instance(&[]).await;
    let run = new_run_id();
    let (there, wish) = (ann.at(&writer.base), named(script("a red kite [[sandbox:pace ms=500]]"), &run));
    let writing = tokio::spawn(async move { there.run(&wish).await });
    while world.provider_calls(Service::Deepseek) == 0 {
        tokio::task::yield_now().await;
    }

    let (answer, told) = heard(&ann, &run, None).await;

    let written = writing.await.unwrap();
    let whole = written.body["outputs"][0]["text"].as_str().unwrap_or_else(|| panic!("{}", written.text));
    assert_eq!(text_of(&told), whole);
    let deltas: Vec<&StreamEvent> = told.iter().filter(|event| event.name == "delta").collect();
    assert!(deltas.len() > 1, "it was heard before its end: {}", answer.text);
    assert_eq!(told.last().unwrap().name, "done");

    let mut known = 0;
    for delta in deltas {
        known += delta.data["text"].as_str().unwrap().len();
        let (_, rest) = heard(&ann, &run, delta.id.as_deref()).await;
        assert!(!names(&rest).contains(&"run"), "{rest:?}");
        assert_eq!(text_of(&rest), &whole[known..]);
        assert_eq!(rest.last().unwrap().name, "done");
    }
    let (nothing, _) = heard(&ann, &run, Some(&format!("{run}.end"))).await;
    assert_eq!((nothing.status, nothing.text.as_str()), (204, ""), "all was heard");
    assert_eq!(nothing.headers["x-run-id"], run.as_str());
    assert_eq!(ann.balance().await, (99, 0, 0));
    assert_eq!(world.provider_calls(Service::Deepseek), 1);
    books::check(&world).await;
}

/// The listener's process tells the writer that it is there by one row, and reads the text from another one.
#[tokio::test]
async fn a_listener_whose_rows_the_store_refuses_hears_the_runs_end_with_all_of_its_text() {
    const REFUSED: [&[&str]; 3] = [&[".heard"], &[".text"], &[".heard", ".text"]];
    for endings in REFUSED {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        let (writer, listener) = (world.instance(&[]).await, world.instance(&[]).await);
        listener.meddler.refuse_rows(endings);
        let run = new_run_id();
        let (there, wish) = (ann.at(&writer.base), named(script("a red kite [[sandbox:pace ms=500]]"), &run));
        let writing = tokio::spawn(async move { there.run(&wish).await });
        while world.provider_calls(Service::Deepseek) == 0 {
            tokio::task::yield_now().await;
        }

        let (answer, told) = heard(&ann.at(&listener.base), &run, None).await;

        let mut heard = names(&told);
        heard.retain(|name| *name != "delta");
        assert_eq!(heard, ["run", "output", "done"], "{endings:?}: {}", answer.text);
        assert_eq!(told[0].data["status"], "running", "{endings:?}: it was heard before its end");
        let written = writing.await.unwrap();
        let whole = written.body["outputs"][0]["text"].as_str();
        assert_eq!(text_of(&told), whole.unwrap_or_else(|| panic!("{}", written.text)), "{endings:?}");
        assert!(listener.meddler.refusals() >= endings.len(), "{endings:?}");
        assert_eq!((ann.balance().await, world.provider_calls(Service::Deepseek)), ((99, 0, 0), 1));
        world.advance_and_sweep().await;
        books::check_settled(&world).await;
    }
}

/// The poll fetches the rows and writes about them; the listener is at another process.
#[tokio::test]
async fn the_text_of_a_research_that_the_poll_writes_is_heard_before_its_end() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    // A listener looks for two seconds, and then asks for the text.
    let run = begun(&ann, market("who sells them [[sandbox:deepseek.pace ms=1000]]")).await;
    world.advance(Duration::from_secs(61));
    let poller = world.instance(&[]).await;
    let role = poller.role("RunPoll");
    let listening = async {
        while world.provider_calls(Service::Deepseek) == 0 {
            tokio::task::yield_now().await;
        }
        heard(&ann, &run, None).await
    };

    let (report, (answer, told)) = tokio::join!(run_poll::handle(&role), listening);

    assert_eq!(report.unwrap().ended, 1);
    let deltas = told.iter().filter(|event| event.name == "delta").count();
    assert!(deltas > 1, "{}", answer.text);
    assert_eq!(told.last().unwrap().name, "done");
    assert_eq!(text_of(&told), shown(&ann, &run).await["outputs"][0]["text"].as_str().unwrap());
    assert_eq!((ann.balance().await, world.provider_calls(Service::Deepseek)), ((86, 0, 0), 1));
    world.advance_and_sweep().await;
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_run_that_is_over_is_told_from_its_beginning_and_a_failed_one_by_its_failure() {
    let world = World::start().await;
    let ann = world.person("ann");
    let done = ann.run(&image("a red kite")).await;
    let (_, told) = heard(&ann, done.body["id"].as_str().unwrap(), None).await;
    assert_eq!(names(&told), ["run", "output", "done"]);
    assert_eq!((&told[0].data["replayed"], &told[2].data["charged"]), (&json!(true), &credit(4)));

    for service in [Service::Deepseek, Service::Anthropic] {
        world.sandbox.faults().set(service, FaultRule::always(sandbox::Fault::Refuse));
    }
    let run = new_run_id();
    assert_eq!(ann.run(&named(script("x"), &run)).await.problem(), "provider_failed");
    let (answer, told) = heard(&ann, &run, None).await;
    assert_eq!((answer.status, names(&told)), (200, vec!["run", "failed"]), "{}", answer.text);
    assert_eq!(told.last().unwrap().data["code"], "provider_failed");
}

#[tokio::test]
async fn only_its_owner_hears_a_run() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    ann.balance().await;
    bob.balance().await;
    let run = begun(&ann, video("a red kite")).await;
    for going_on in [true, false] {
        let (foreign, _) = heard(&bob, &run, None).await;
        assert_eq!((foreign.status, foreign.problem()), (404, "not_found"), "{}", foreign.text);
        let (foreign, _) = heard(&bob, &run, Some(&format!("{run}.end"))).await;
        assert_eq!((foreign.status, foreign.problem()), (404, "not_found"), "{}", foreign.text);
        if going_on {
            assert_eq!(shown(&ann, &run).await["status"], "running", "a stranger moves nothing");
            heard(&ann, &run, None).await;
        }
    }
    for odd in ["x", "01KABCDEFGHJKMNPQRSTVWXYZ0"] {
        assert_eq!(heard(&ann, odd, None).await.0.problem(), "not_found");
    }
}

#[tokio::test]
async fn two_listeners_and_a_poll_end_a_run_once_and_all_hear_of_it() {
    for (wish, price) in [(video("a red kite"), 96), (market("x"), 14)] {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        let run = begun(&ann, wish.clone()).await;
        world.advance(Duration::from_secs(61));
        let other = world.instance(&[]).await;
        let there = ann.at(&other.base);

        let (one, two, _) = tokio::join!(heard(&ann, &run, None), heard(&there, &run, None), poll(&world));

        for (answer, told) in [one, two] {
            let done = told.last().unwrap();
            assert_eq!(
                (done.name.as_str(), &done.data["charged"]),
                ("done", &credit(price)),
                "{}",
                answer.text
            );
        }
        let transactions = ann.transactions().await;
        assert_eq!(transactions.iter().filter(|entry| entry["kind"] == "charge").count(), 1, "{wish}");
        assert!(world.provider_calls(Service::Deepseek) <= 1, "{wish}: written once");
        world.advance_and_sweep().await;
        books::check_settled(&world).await;
    }
}

#[tokio::test]
async fn a_listener_that_leaves_leaves_the_run_as_it_is() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(NEVER));
    let run = begun(&ann, video("a red kite")).await;
    let request = ann.request("GET", &format!("/v1/runs/{run}/events"));
    let mut listening = request.send().await.unwrap();
    let first = listening.chunk().await.unwrap().unwrap();
    assert_eq!(events(std::str::from_utf8(&first).unwrap())[0].name, "run");
    drop(listening);

    // The listener's process notices between two looks that the client has left.
    world.product.platform.idle().await;

    assert_eq!(
        (shown(&ann, &run).await["status"].as_str(), ann.balance().await),
        (Some("running"), (4, 96, 0))
    );
    world.sandbox.finish_fal_job(&world.sandbox.fal_jobs()[0]);
    let (_, told) = heard(&ann, &run, None).await;
    assert_eq!(told.last().unwrap().data["charged"], credit(96));
    world.advance_and_sweep().await;
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_listener_that_leaves_gives_its_place_to_the_next_one() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(NEVER));
    let run = begun(&ann, video("a red kite")).await;
    let listen = async || {
        let mut stream = ann.request("GET", &format!("/v1/runs/{run}/events")).send().await.unwrap();
        let told = stream.chunk().await.unwrap().unwrap_or_default();
        (stream, String::from_utf8_lossy(&told).into_owned())
    };
    // Eight places; one after the other takes and leaves the same one.
    for nth in 0..10 {
        let (stream, told) = listen().await;
        assert!(told.contains("event: run"), "{nth}: {told}");
        drop(stream);
        world.product.platform.idle().await;
    }
    let mut streams = Vec::new();
    for nth in 0..8 {
        let (stream, told) = listen().await;
        assert!(told.contains("event: run"), "{nth}: {told}");
        streams.push(stream);
    }
    let (refused, _) = heard(&ann, &run, None).await;
    assert_eq!((refused.status, refused.problem()), (409, "run_conflict"), "{}", refused.text);
    assert_eq!(refused.body["credit"], "held");
}

/// The pauses between two looks are kept also when a visit has less time left than the next pause lasts.
#[tokio::test]
async fn a_visit_looks_at_a_provider_no_more_often_than_its_pauses_allow() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(NEVER));
    begun(&ann, video("a red kite")).await;
    world.advance(Duration::from_secs(61));
    let before = world.sandbox.journal().len();
    let slow = world.instance(&[("PROVIDER_POLL_MS", "1000")]).await;
    run_poll::handle(&slow.role("RunPoll")).await.unwrap();
    let since = world.sandbox.journal().split_off(before);
    let looks = since.iter().filter(|call| call.path.contains("/status")).count();
    // A poll looks for three seconds: at once, after one second, and after another second and a half.
    assert!((1..=3).contains(&looks), "{looks} looks");
}
