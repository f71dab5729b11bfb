//! Runs whose provider works apart from us: whoever sees their end first ends them, and nobody needs the process that began
//! them.

use crate::books;
use crate::world::{Fault, Instance, Person, World, credit, http, image, new_run_id};
use primitives::JobId;
use ring::hmac;
use sandbox::{FaultRule, Service};
use serde_json::{Value, json};
use std::time::Duration;

/// A picture that fal begins after so many looks: more than its process lives for, and few for a poll.
pub(crate) const LATE: sandbox::Fault = sandbox::Fault::Late { polls: 60 };
/// One that fal does not begin.
const NEVER: sandbox::Fault = sandbox::Fault::Late { polls: u32::MAX };

fn picture(run: &str) -> Value {
    let mut wish = image("a red kite");
    wish["run_id"] = json!(run);
    wish
}

/// The address of a provider's webhook about a person's run.
pub(crate) fn webhook(person: &Person, provider: &str, run: &str) -> String {
    let job = JobId::of(&person.id().parse().unwrap(), run.parse().unwrap());
    let address = match provider {
        "fal" => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, sandbox::FAL_KEY.as_bytes());
            let token = hmac::sign(&key, format!("fal-webhook:{job}").as_bytes());
            let token: String = token.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{job}.{token}")
        }
        _ => job.to_string(),
    };
    format!("/v1/webhooks/providers/{provider}/{address}")
}

pub(crate) async fn poll(world: &World) -> runs::PollReport {
    poll_at(&world.instance(&[]).await).await
}

async fn poll_at(instance: &Instance) -> runs::PollReport {
    run_poll::handle(&instance.role("RunPoll")).await.unwrap()
}

async fn shown(ann: &Person, run: &str) -> Value {
    ann.get(&format!("/v1/runs/{run}")).await.body
}

/// Begins a run at an instance that is gone for good once it has stored what fal calls the job.
pub(crate) async fn begin_and_vanish(world: &World, ann: &Person, run: &str, late: sandbox::Fault) {
    let instance = world.instance(&[]).await;
    let there = ann.at(&instance.base);
    world.sandbox.faults().set(Service::Fal, FaultRule::once(late));
    let wish = picture(run);
    let asked = tokio::spawn(async move { there.run(&wish).await });
    let ticket = ("run_jobs".to_owned(), "UpdateItem".to_owned());
    while !instance.meddler.calls().iter().any(|call| call.rights.contains(&ticket)) {
        tokio::task::yield_now().await;
    }
    instance.meddler.kill();
    asked.abort();
}

async fn check_charged_once(world: &World, ann: &Person, run: &str) {
    let shown = shown(ann, run).await;
    assert_eq!((&shown["status"], &shown["charged"]), (&json!("succeeded"), &credit(4)), "{shown}");
    let file = http().get(shown["outputs"][0]["download_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(file.status(), 200);
    assert_eq!(ann.balance().await, (96, 0, 0));
    world.advance_and_sweep().await;
    books::check_settled(world).await;
}

#[tokio::test]
async fn a_picture_whose_process_is_gone_is_brought_to_its_end_by_the_poll_and_charged_once() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    begin_and_vanish(&world, &ann, &run, LATE).await;
    assert_eq!(shown(&ann, &run).await["status"], "running");
    assert_eq!(poll(&world).await.jobs, 0, "whoever began it is left alone for a minute");

    world.advance(Duration::from_secs(61));
    let report = poll(&world).await;

    assert_eq!((report.jobs, report.ended, report.failed), (1, 1, 0));
    check_charged_once(&world, &ann, &run).await;
    assert_eq!(world.provider_calls(Service::Fal), 1);
    assert_eq!(poll(&world).await.jobs, 0, "nobody looks after it any more");
}

#[tokio::test]
async fn a_poll_leaves_a_job_that_goes_on_and_looks_again_a_minute_later() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    begin_and_vanish(&world, &ann, &run, sandbox::Fault::Late { polls: 400 }).await;
    world.advance(Duration::from_secs(61));
    let report = poll(&world).await;
    assert_eq!((report.jobs, report.ended), (1, 0));
    assert_eq!(poll(&world).await.jobs, 0, "it is left alone until its time");
    while shown(&ann, &run).await["status"] == "running" {
        world.advance(Duration::from_secs(20));
        poll(&world).await;
    }
    check_charged_once(&world, &ann, &run).await;
}

#[tokio::test]
async fn a_picture_that_its_provider_never_begins_is_taken_back_and_made_by_the_fallback() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    begin_and_vanish(&world, &ann, &run, NEVER).await;
    // Its patience is over, its time is not.
    world.advance(Duration::from_secs(121));
    assert_eq!(poll(&world).await.ended, 1);
    let shown = shown(&ann, &run).await;
    assert_eq!(shown["receipt"]["provider"], "comfyui", "{shown}");
    assert_eq!(shown["receipt"]["attempts"][0]["outcome"], "unavailable");
    check_charged_once(&world, &ann, &run).await;
}

#[tokio::test]
async fn a_picture_past_its_time_is_taken_back_and_its_credit_comes_back() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    begin_and_vanish(&world, &ann, &run, NEVER).await;
    world.advance(Duration::from_secs(300));
    assert_eq!(poll(&world).await.ended, 1);
    let shown = shown(&ann, &run).await;
    assert_eq!((&shown["status"], &shown["failure"]), (&json!("failed"), &json!("unavailable")), "{shown}");
    assert_eq!(ann.balance().await, (100, 0, 0));
    assert_eq!(world.provider_calls(Service::Comfyui), 0, "nobody else is asked when the time is over");
    world.advance_and_sweep().await;
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_poll_killed_or_cut_off_at_any_store_call_is_finished_by_the_next_one() {
    for fault in
        [Fault::KilledBefore, Fault::KilledAfter, Fault::ReplyLost, Fault::Conflict, Fault::Throttled]
    {
        for nth in 0.. {
            let world = World::start().await;
            let ann = world.person("ann");
            ann.balance().await;
            let run = new_run_id();
            begin_and_vanish(&world, &ann, &run, LATE).await;
            world.advance(Duration::from_secs(61));
            let poller = world.instance(&[]).await;
            poller.meddler.plan(nth, fault);
            let role = poller.role("RunPoll");
            tokio::select! {
                polled = run_poll::handle(&role) => { polled.unwrap(); }
                () = poller.meddler.death() => {}
            }
            books::check(&world).await;
            let has_struck = poller.meddler.has_struck();
            // Whoever was killed while fetching is left alone for its time.
            for _ in 0..2 {
                world.advance(Duration::from_secs(61));
                poll(&world).await;
            }
            check_charged_once(&world, &ann, &run).await;
            assert_eq!(world.provider_calls(Service::Fal), 1, "{fault:?} at call {nth}");
            if !has_struck {
                assert!(nth > 12, "{fault:?}: a poll makes more store calls than {nth}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn two_polls_and_the_process_that_began_it_end_a_run_once() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    world.sandbox.faults().set(Service::Fal, FaultRule::once(LATE));
    let wish = picture(&run);
    let (one, other) = (world.instance(&[]).await, world.instance(&[]).await);
    let polls = async {
        while world.provider_calls(Service::Fal) == 0 {
            tokio::task::yield_now().await;
        }
        world.advance(Duration::from_secs(61));
        tokio::join!(poll_at(&one), poll_at(&other))
    };
    let (answer, _) = tokio::join!(ann.run(&wish), polls);
    assert_eq!((answer.status, &answer.body["charged"]), (200, &credit(4)), "{}", answer.text);
    check_charged_once(&world, &ann, &run).await;
    assert_eq!(world.provider_calls(Service::Fal), 1);
}

#[tokio::test]
async fn a_run_that_waits_for_its_provider_is_cancelled_free_of_charge() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    begin_and_vanish(&world, &ann, &run, NEVER).await;
    let before = world.sandbox.journal().len();

    let cancelled = ann.send("POST", &format!("/v1/runs/{run}/cancel"), &json!({})).await;

    assert_eq!(
        (cancelled.status, &cancelled.body["failure"]),
        (200, &json!("cancelled")),
        "{}",
        cancelled.text
    );
    assert_eq!(ann.balance().await, (100, 0, 0));
    // From the cancel's sign-in on. The process that was lost may look once more before it knows.
    let since = world.sandbox.journal().split_off(before);
    let calls: Vec<_> = since.iter().skip_while(|call| call.service != Service::Clerk).skip(1).collect();
    let ends = |call: &sandbox::JournalEntry| call.method == "PUT" && call.path.ends_with("/cancel");
    let first_end = calls.iter().position(|call| ends(call)).unwrap();
    assert!(first_end <= 2, "one look says that fal has not begun, then fal is told: {calls:?}");
    assert_eq!(calls.iter().filter(|call| ends(call)).count(), 1);
    let receipt = &shown(&ann, &run).await["receipt"];
    assert_eq!(receipt["attempts"][0]["outcome"], "cancelled", "fal has not failed: {receipt}");
    let again = ann.send("POST", &format!("/v1/runs/{run}/cancel"), &json!({})).await;
    assert_eq!((again.status, &again.body["failure"]), (200, &json!("cancelled")));
    let repeat = ann.run(&picture(&run)).await;
    assert_eq!((repeat.status, repeat.problem()), (409, "run_cancelled"), "{}", repeat.text);
    world.advance_and_sweep().await;
    books::check_settled(&world).await;
}

#[tokio::test]
async fn only_the_owner_cancels_a_run_and_what_is_over_or_written_is_not_cancelled() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    ann.balance().await;
    bob.balance().await;
    let run = new_run_id();
    begin_and_vanish(&world, &ann, &run, NEVER).await;
    let path = format!("/v1/runs/{run}/cancel");
    let foreign = bob.send("POST", &path, &json!({})).await;
    assert_eq!((foreign.status, foreign.problem()), (404, "not_found"));
    assert_eq!(shown(&ann, &run).await["status"], "running");

    let done = ann.script("a red kite").await;
    let id = done.body["id"].as_str().unwrap();
    let over = ann.send("POST", &format!("/v1/runs/{id}/cancel"), &json!({})).await;
    assert_eq!((over.status, &over.body["status"]), (200, &json!("succeeded")), "what is over keeps its end");
    for odd in ["/v1/runs/x/cancel", "/v1/runs/01KABCDEFGHJKMNPQRSTVWXYZ0/cancel"] {
        assert_eq!(ann.send("POST", odd, &json!({})).await.problem(), "not_found");
    }
    assert_eq!(ann.send("POST", &path, &json!({})).await.status, 200);
}

/// Clients make the ids of runs.
#[tokio::test]
async fn two_persons_may_choose_the_same_run_id_and_each_has_a_job_of_their_own() {
    for provider in [Service::Fal, Service::Comfyui] {
        let world = World::start().await;
        if provider == Service::Comfyui {
            world.sandbox.faults().set(Service::Fal, FaultRule::always(sandbox::Fault::Refuse));
        }
        let run = new_run_id();
        for name in ["ann", "bob"] {
            let person = world.person(name);
            person.balance().await;
            let made = person.run(&picture(&run)).await;
            assert_eq!((made.status, &made.body["charged"]), (200, &credit(4)), "{name}: {}", made.text);
            assert_eq!(person.balance().await, (96, 0, 0));
        }
        assert_eq!(world.provider_calls(provider), 2, "{provider:?} is asked for each");
        world.advance_and_sweep().await;
        books::check_settled(&world).await;
    }
}

#[tokio::test]
async fn nothing_of_a_job_can_be_read_in_the_table() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    begin_and_vanish(&world, &ann, &run, NEVER).await;
    let rows = books::scan(&world, "run_jobs").await;
    let text = format!("{rows:?}");
    assert_eq!(rows.len(), 1);
    for secret in ["kite", "sandbox/fal", "http"] {
        assert!(!text.contains(secret), "{secret} lies open");
    }
}

/// Takes the welcome credit back while a run holds some of it: the account owes what is held.
pub(crate) async fn take_the_welcome_back(world: &World, ann: &Person) {
    let id: primitives::AccountId = ann.id().parse().unwrap();
    let welcome = books::entries(world, &id).await[0].id;
    let cents = |units| primitives::Credits::new(units).unwrap();
    let key = credits::OnceKey::new("test", "taken back");
    let reversal = credits::Posting::Reversal { of: welcome, amount: cents(100), unspent: cents(100), key };
    world.advance(Duration::from_secs(1));
    let ledger = credits::Ledger::new(&world.product.platform).unwrap();
    ledger.post(&id, &reversal, world.now()).await.unwrap();
    assert_eq!(ann.balance().await, (0, 4, 4));
}

#[tokio::test]
async fn credit_that_the_poll_gives_back_pays_a_debt_first() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    begin_and_vanish(&world, &ann, &run, NEVER).await;
    take_the_welcome_back(&world, &ann).await;
    world.advance(Duration::from_secs(300));
    assert_eq!(poll(&world).await.ended, 1);
    assert_eq!(ann.balance().await, (0, 0, 0));
}

#[tokio::test]
async fn what_a_poll_fetched_while_the_sweep_gave_the_credit_back_is_a_gift() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = new_run_id();
    begin_and_vanish(&world, &ann, &run, LATE).await;
    world.advance(Duration::from_secs(61));
    let poller = world.instance(&[]).await;
    poller.meddler.plan(0, Fault::LateWriteTo("credit_transactions"));
    let role = poller.role("RunPoll");
    let overtaking = async {
        poller.meddler.holding_back().await;
        world.advance_and_sweep().await;
        poller.meddler.let_go();
    };
    let (polled, ()) = tokio::join!(run_poll::handle(&role), overtaking);
    assert_eq!(polled.unwrap().ended, 1);
    let shown = shown(&ann, &run).await;
    assert_eq!((&shown["status"], &shown["gift"]), (&json!("failed"), &json!(true)), "{shown}");
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check_settled(&world).await;
}
