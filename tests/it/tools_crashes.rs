//! A process is killed at any moment of a video or a research, or of a shorter tool right after it asked the provider:
//! another process ends the run, once, and the owner can fetch all that is charged.

use crate::books;
use crate::tools::{NEVER, market, named, poll, shown, video, voice};
use crate::world::{Fault, Instance, Person, World, credit, http, image, new_run_id};
use primitives::{CostCents, RunId};
use sandbox::{FaultRule, Service};
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than other processes leave a run alone while one fetches a large file or has a text written (`LONG_LEASE`).
const LEASE: Duration = Duration::from_secs(331);
/// Longer than any credit is held, with what the sweep adds.
const HOLD: Duration = Duration::from_secs(3_600);

/// Begins a run at an instance that is gone for good once it has stored what the provider calls the job.
async fn begin_and_vanish(world: &World, person: &Person, wish: &Value) {
    let instance = world.instance(&[]).await;
    let (there, wish) = (person.at(&instance.base), wish.clone());
    let asked = tokio::spawn(async move { there.run(&wish).await });
    let ticket = ("run_jobs".to_owned(), "UpdateItem".to_owned());
    while !instance.meddler.calls().iter().any(|call| call.rights.contains(&ticket)) {
        tokio::task::yield_now().await;
    }
    instance.meddler.kill();
    asked.abort();
}

async fn check_charged_once(world: &World, person: &Person, run: &str, price: u64) {
    let shown = shown(person, run).await;
    assert_eq!((&shown["status"], &shown["charged"]), (&json!("succeeded"), &credit(price)), "{shown}");
    check_files(&shown).await;
    assert_eq!(person.balance().await, (100 - price, 0, 0));
    world.advance_and_sweep().await;
    books::check_settled(world).await;
}

/// The owner can fetch every output that was charged.
async fn check_files(shown: &Value) {
    let outputs = shown["outputs"].as_array().unwrap_or_else(|| panic!("{shown}"));
    for output in outputs {
        let file = http().get(output["download_url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(file.status(), 200, "{shown}");
        assert_eq!(Some(file.bytes().await.unwrap().len() as u64), output["bytes"].as_u64());
    }
}

#[tokio::test]
async fn a_run_whose_process_is_gone_right_after_the_submit_is_ended_by_another() {
    for (wish, service, price) in [
        (image("a red kite"), Service::Fal, 4),
        (video("a red kite"), Service::Fal, 96),
        (market("x"), Service::Apify, 14),
        (
            json!({ "tool": "transcript", "input": { "url": "https://youtu.be/dQw4w9WgXcQ" } }),
            Service::Apify,
            4,
        ),
    ] {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        let run = new_run_id();
        // More looks than its process lives for, and few for a poll.
        world.sandbox.faults().set(service, FaultRule::once(sandbox::Fault::Late { polls: 60 }));
        begin_and_vanish(&world, &ann, &named(wish.clone(), &run)).await;
        assert_eq!(shown(&ann, &run).await["status"], "running", "{wish}");
        assert_eq!(poll(&world).await.jobs, 0, "the poll leaves the run to its request for a minute");
        world.advance(Duration::from_secs(61));

        let report = poll(&world).await;

        assert_eq!((report.jobs, report.ended, report.failed), (1, 1, 0), "{wish}");
        check_charged_once(&world, &ann, &run, price).await;
        assert_eq!(world.provider_calls(service), 1, "{wish}");
        assert_eq!(poll(&world).await.jobs, 0, "the run has ended, so the poll does not look at it");
    }
}

/// OmniVoice answers with the sound itself, so only the process that asked could have it. After that process is killed,
/// the poll has Replicate speak the text.
#[tokio::test]
async fn a_voice_whose_process_is_gone_while_it_is_spoken_is_spoken_by_replicate() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    let slow = sandbox::Fault::Slow { ms: 500 };
    world.sandbox.faults().set(Service::Omnivoice, FaultRule::once(slow));
    let instance = world.instance(&[]).await;
    let (there, wish) = (ann.at(&instance.base), named(voice("Một con diều đỏ."), &run));
    let asked = tokio::spawn(async move { there.run(&wish).await });
    while world.provider_calls(Service::Omnivoice) == 0 {
        tokio::task::yield_now().await;
    }
    instance.meddler.kill();
    asked.abort();
    drop(instance);
    // Longer than the poll leaves a run alone while its request asks OmniVoice.
    world.advance(Duration::from_secs(126));

    assert_eq!(poll(&world).await.ended, 1);

    let shown = shown(&ann, &run).await;
    assert_eq!(shown["receipt"]["provider"], "replicate", "{shown}");
    assert_eq!(shown["receipt"]["attempts"][0]["outcome"], "broken_stream", "{shown}");
    check_charged_once(&world, &ann, &run, 9).await;
    assert_eq!((world.provider_calls(Service::Omnivoice), world.provider_calls(Service::Replicate)), (1, 1));
}

#[tokio::test]
async fn a_video_that_is_never_begun_gives_its_credit_back_at_the_end_of_its_hold() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    for service in [Service::Fal, Service::Comfyui] {
        world.sandbox.faults().set(service, FaultRule::always(NEVER));
    }
    begin_and_vanish(&world, &ann, &named(video("a red kite"), &run)).await;
    world.advance(HOLD);
    world.advance_and_sweep().await;
    let shown = shown(&ann, &run).await;
    assert_eq!((&shown["status"], &shown["charged"]), (&json!("failed"), &credit(0)), "{shown}");
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check_settled(&world).await;
    books::check_losses(&world).await;
}

/// Polls at an instance that is gone for good as soon as `is_time`.
async fn poll_and_vanish(world: &World, is_time: impl Fn() -> bool) {
    let poller = world.instance(&[]).await;
    let role = poller.role("RunPoll");
    let waiting = async {
        while !is_time() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        polled = run_poll::handle(&role) => panic!("the poll ended before it was killed: {polled:?}"),
        () = waiting => poller.meddler.kill(),
    }
}

/// Is gone while the rows are fetched, which Apify lets wait.
async fn poll_and_vanish_while_fetching(world: &World) {
    let asked = || world.sandbox.journal().iter().filter(|entry| entry.path.contains("/items?")).count();
    let before = asked();
    poll_and_vanish(world, || asked() > before).await;
}

/// Is gone while the text about the rows is written, which DeepSeek lets wait.
async fn poll_and_vanish_while_writing(world: &World) {
    let before = world.provider_calls(Service::Deepseek);
    poll_and_vanish(world, || world.provider_calls(Service::Deepseek) > before).await;
}

/// Lets every answer of the service wait for longer than a process lives; for Apify, only the rows.
fn slow_down(world: &World, service: Service) {
    let matching = (service == Service::Apify).then(|| "/items?".to_owned());
    let slow = sandbox::Fault::Slow { ms: 600_000 };
    world.sandbox.faults().set(service, FaultRule { matching, ..FaultRule::always(slow) });
}

/// The tries at the text that were lost with their processes: each counts with a cost.
fn lost_tries(run: &Value) -> usize {
    let attempts = run["receipt"]["attempts"].as_array().unwrap_or_else(|| panic!("{run}"));
    let lost = attempts.iter().filter(|attempt| attempt["outcome"] == "broken_stream");
    let costly = lost.inspect(|attempt| {
        let cost: CostCents = attempt["cost_cents"].as_str().unwrap().parse().unwrap();
        assert!(attempt["provider"] == "deepseek" && cost > CostCents::ZERO, "{run}");
    });
    costly.count()
}

#[tokio::test]
async fn a_research_whose_writer_is_gone_is_written_once_more_and_then_given_back() {
    for (killed, status, charged) in [(1, "succeeded", 14), (2, "failed", 0)] {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        let run = new_run_id();
        assert_eq!(ann.run(&named(market("x"), &run)).await.status, 202);
        slow_down(&world, Service::Deepseek);
        for _ in 0..killed {
            world.advance(LEASE);
            poll_and_vanish_while_writing(&world).await;
            assert_eq!(poll(&world).await.ended, 0, "another poll waits for the lease to end");
        }
        world.sandbox.faults().clear();
        world.advance(LEASE);

        assert_eq!(poll(&world).await.ended, 1);

        let shown = shown(&ann, &run).await;
        assert_eq!((&shown["status"], &shown["charged"]), (&json!(status), &credit(charged)), "{shown}");
        assert_eq!(lost_tries(&shown), killed, "{shown}");
        assert_eq!(ann.balance().await, (100 - charged, 0, 0));
        assert_eq!(world.provider_calls(Service::Deepseek), 2, "no more texts than the price pays for");
        assert_eq!(world.provider_calls(Service::Apify), 1);
        world.advance_and_sweep().await;
        books::check_settled(&world).await;
        books::check_losses(&world).await;
    }
}

#[tokio::test]
async fn a_process_that_is_gone_before_the_text_is_begun_uses_up_no_try_at_it() {
    for texts_lost in [0, 1] {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        let run = new_run_id();
        assert_eq!(ann.run(&named(market("x"), &run)).await.status, 202);
        slow_down(&world, Service::Apify);
        for _ in 0..2 {
            world.advance(LEASE);
            poll_and_vanish_while_fetching(&world).await;
        }
        assert_eq!(world.provider_calls(Service::Deepseek), 0, "no text was begun");
        world.sandbox.faults().clear();
        slow_down(&world, Service::Deepseek);
        for _ in 0..texts_lost {
            world.advance(LEASE);
            poll_and_vanish_while_writing(&world).await;
        }
        world.sandbox.faults().clear();
        world.advance(LEASE);

        assert_eq!(poll(&world).await.ended, 1);

        let ended = shown(&ann, &run).await;
        assert_eq!(lost_tries(&ended), texts_lost, "{ended}");
        assert_eq!(ended["outputs"][0]["kind"], "text", "{ended}");
        check_charged_once(&world, &ann, &run, 14).await;
        assert_eq!(world.provider_calls(Service::Deepseek), texts_lost + 1);
        assert_eq!(world.provider_calls(Service::Apify), 1);
        books::check_losses(&world).await;
    }
}

/// What is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Submit,
    /// The looks at the job and its end, by the poll.
    Poll,
    /// The same, by a listener.
    Follow,
    Cancel,
}

/// A long tool, and its price.
type Tool = (&'static str, fn(&str) -> Value, u64);

const VIDEO: Tool = ("video", video, 96);
const RESEARCH: Tool = ("research", market, 14);

const FATAL: [Fault; 2] = [Fault::KilledBefore, Fault::KilledAfter];
const PASSING: [Fault; 3] = [Fault::ReplyLost, Fault::Conflict, Fault::Throttled];

#[tokio::test]
async fn a_video_whose_submit_is_interrupted_at_any_store_call_has_one_end() {
    at_every_call_of(VIDEO, Step::Submit).await;
}

#[tokio::test]
async fn a_research_whose_submit_is_interrupted_at_any_store_call_has_one_end() {
    at_every_call_of(RESEARCH, Step::Submit).await;
}

#[tokio::test]
async fn a_video_whose_poll_is_interrupted_at_any_store_call_is_charged_once() {
    at_every_call_of(VIDEO, Step::Poll).await;
}

#[tokio::test]
async fn a_research_whose_poll_is_interrupted_at_any_store_call_is_charged_once() {
    at_every_call_of(RESEARCH, Step::Poll).await;
}

#[tokio::test]
async fn a_video_whose_listener_is_interrupted_at_any_store_call_is_charged_once() {
    at_every_call_of(VIDEO, Step::Follow).await;
}

#[tokio::test]
async fn a_research_whose_listener_is_interrupted_at_any_store_call_is_charged_once() {
    at_every_call_of(RESEARCH, Step::Follow).await;
}

/// Apify has already gathered the rows, so the run may end charged or cancelled; never both.
#[tokio::test]
async fn a_research_whose_cancelling_is_interrupted_at_any_store_call_has_one_end() {
    at_every_call_of(RESEARCH, Step::Cancel).await;
}

async fn at_every_call_of(tool: Tool, step: Step) {
    for fault in FATAL.into_iter().chain(PASSING) {
        at_every_call(tool, step, fault).await;
    }
}

/// Moves the fault from the first store call to the last, each time with a new person and a new instance.
async fn at_every_call((name, wish, price): Tool, step: Step, fault: Fault) {
    let world = World::start().await;
    let is_fatal = FATAL.contains(&fault);
    let mut trials = Vec::new();
    for nth in 0.. {
        let case = format!("{name} {step:?} {fault:?} at call {nth}");
        let person = world.person(&format!("{name}_{nth}"));
        person.balance().await;
        let run = RunId::mint(world.now()).to_string();
        let wish = named(wish("a red kite"), &run);
        let instance = world.instance(&[]).await;
        let there = person.at(&instance.base);
        if step != Step::Submit {
            assert_eq!(person.run(&wish).await.status, 202, "{case}");
            world.advance(Duration::from_secs(61));
        }
        there.get("/v1/pricing").await;
        instance.meddler.plan(nth, fault);
        let died = tokio::select! {
            () = act(step, &instance, &there, &wish, &run, &case) => false,
            () = instance.meddler.death() => true,
        };
        let has_struck = instance.meddler.has_struck();
        drop(instance);
        assert!(!died || is_fatal, "{case}");
        books::check(&world).await;
        for _ in 0..2 {
            world.advance(LEASE);
            assert_eq!(poll(&world).await.failed, 0, "{case}");
        }
        check_repeat(&person, &wish, &case).await;
        let shown = shown(&person, &run).await;
        let must_succeed = step != Step::Cancel && (step != Step::Submit || !is_fatal);
        assert!(!must_succeed || shown["status"] == "succeeded", "{case}: {shown}");
        trials.push((person, run, case.clone()));
        if !has_struck {
            assert!(nth >= 5, "{case}: it makes more store calls than that");
            break;
        }
        assert!(nth < 80, "{case}: the fault moves to an end");
    }
    // A run whose provider may or may not have the work ends with its hold.
    world.advance(HOLD);
    world.advance_and_sweep().await;
    poll(&world).await;
    books::check_settled(&world).await;
    books::check_losses(&world).await;
    for (person, run, case) in &trials {
        check_end(person, run, price, case).await;
    }
}

async fn act(step: Step, instance: &Instance, there: &Person, wish: &Value, run: &str, case: &str) {
    match step {
        Step::Submit => {
            let answer = there.run(wish).await;
            assert_eq!(answer.status, 202, "{case}: {}", answer.text);
        }
        Step::Poll => {
            let role = instance.role("RunPoll");
            run_poll::handle(&role).await.unwrap();
        }
        Step::Follow => {
            let request = there.request("GET", &format!("/v1/runs/{run}/events"));
            let told = request.send().await.unwrap().text().await.unwrap();
            let told = crate::world::events(&told);
            assert_eq!(told.last().map(|event| event.name.as_str()), Some("done"), "{case}: {told:?}");
        }
        Step::Cancel => {
            let answer = there.send("POST", &format!("/v1/runs/{run}/cancel"), &json!({})).await;
            // 409: the provider has made the work already, so the run goes on and is charged.
            assert!([200, 409].contains(&answer.status), "{case}: {}", answer.text);
        }
    }
}

/// The customer asks again at a healthy instance: it is the same run, or one that had never begun.
async fn check_repeat(person: &Person, wish: &Value, case: &str) {
    let repeat = person.run(wish).await;
    let is_told = match repeat.status {
        200 | 202 => repeat.body["id"] == wish["run_id"],
        _ => ["run_cancelled", "run_broken_off", "provider_failed"].contains(&repeat.problem()),
    };
    assert!(is_told, "{case}: {}", repeat.text);
}

/// One outcome: charged with all that it brought, or given back.
async fn check_end(person: &Person, run: &str, price: u64, case: &str) {
    let shown = shown(person, run).await;
    let transactions = person.transactions().await;
    let charges = transactions.iter().filter(|entry| entry["kind"] == "charge").count() as u64;
    let is_charged = match shown["status"].as_str() {
        Some("succeeded") => true,
        Some("failed") => false,
        other => panic!("{case}: {other:?}: {shown}"),
    };
    assert_eq!(charges, u64::from(is_charged), "{case}: {shown}");
    assert_eq!(shown["charged"], credit(price * charges), "{case}");
    assert_eq!(person.balance().await, (100 - price * charges, 0, 0), "{case}");
    if is_charged {
        check_files(&shown).await;
    }
}
