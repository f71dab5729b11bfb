//! Killed, cut off or turned away at every single store call of a run, then swept: the books balance, nothing is
//! charged that can't be fetched, no hold outlives its limit.

use crate::books;
use crate::world::{Answer, Fault, Instance, Person, World, credit, http, image, new_run_id, script};
use sandbox::{FaultRule, Service};
use serde_json::{Value, json};

/// What providers do in a scenario, and what is asked.
struct Scenario {
    name: &'static str,
    wish: fn(&str) -> Value,
    broken: &'static [Service],
    /// What they do.
    by: sandbox::Fault,
    /// What the customer pays when nothing crashes.
    price: u64,
    with_key: bool,
}

const SCENARIOS: [Scenario; 7] = [
    Scenario {
        name: "script",
        wish: script,
        broken: &[],
        by: sandbox::Fault::Refuse,
        price: 1,
        with_key: false,
    },
    Scenario {
        name: "image",
        wish: image,
        broken: &[],
        by: sandbox::Fault::Refuse,
        price: 4,
        with_key: false,
    },
    Scenario {
        name: "keyed",
        wish: script,
        broken: &[],
        by: sandbox::Fault::Refuse,
        price: 1,
        with_key: true,
    },
    Scenario {
        name: "fallback",
        wish: script,
        broken: &[Service::Deepseek],
        by: sandbox::Fault::Refuse,
        price: 1,
        with_key: false,
    },
    Scenario {
        name: "image_fallback",
        wish: image,
        broken: &[Service::Fal],
        by: sandbox::Fault::Refuse,
        price: 4,
        with_key: false,
    },
    Scenario {
        name: "failure",
        wish: script,
        broken: &[Service::Deepseek, Service::Anthropic],
        by: sandbox::Fault::Refuse,
        price: 0,
        with_key: false,
    },
    // We pay for the picture, and the customer does not.
    Scenario {
        name: "flagged",
        wish: image,
        broken: &[Service::Fal],
        by: sandbox::Fault::Nsfw,
        price: 0,
        with_key: true,
    },
];

#[tokio::test]
async fn killed_before_any_store_call_nothing_is_lost() {
    for scenario in &SCENARIOS {
        at_every_call(scenario, Fault::KilledBefore).await;
    }
}

#[tokio::test]
async fn killed_after_any_store_call_nothing_is_lost() {
    for scenario in &SCENARIOS {
        at_every_call(scenario, Fault::KilledAfter).await;
    }
}

#[tokio::test]
async fn a_lost_reply_of_any_store_call_changes_nothing_for_the_customer() {
    for scenario in &SCENARIOS {
        at_every_call(scenario, Fault::ReplyLost).await;
    }
}

#[tokio::test]
async fn conflicts_and_throttles_of_any_store_call_are_not_seen_by_the_customer() {
    for scenario in &SCENARIOS {
        at_every_call(scenario, Fault::Conflict).await;
        at_every_call(scenario, Fault::Throttled).await;
    }
}

/// Moves the fault from the first store call to the last, each time with a new person and a new instance.
async fn at_every_call(scenario: &Scenario, fault: Fault) {
    let world = World::start().await;
    for service in scenario.broken {
        world.sandbox.faults().set(*service, FaultRule::always(scenario.by.clone()));
    }
    let mut nth = 0;
    loop {
        let trial = Trial::new(&world, scenario, fault, nth).await;
        let has_struck = trial.instance.meddler.has_struck();
        let case = format!("{} {fault:?} at call {nth}", scenario.name);
        trial.check(&case).await;
        if !has_struck {
            assert!(nth >= 4, "{case}: a run makes more store calls than that");
            break;
        }
        nth += 1;
    }
    world.advance_and_sweep().await;
    books::check_settled(&world).await;
    books::check_losses(&world).await;
    check_every_charge_can_be_fetched(&world).await;
}

/// One run on an instance of its own, with the fault at the nth store call.
struct Trial<'a> {
    world: &'a World,
    scenario: &'a Scenario,
    instance: Instance,
    person: Person,
    run: String,
    /// `None`: the instance died and nobody was answered.
    answer: Option<Answer>,
    fault: Fault,
}

impl<'a> Trial<'a> {
    async fn new(world: &'a World, scenario: &'a Scenario, fault: Fault, nth: usize) -> Trial<'a> {
        let instance = world.instance(&[]).await;
        let person = world.person(&format!("{}_{nth}", scenario.name)).at(&instance.base);
        // Half of the persons are new, so that signing up is part of what is interrupted.
        if nth.is_multiple_of(2) {
            person.balance().await;
        }
        person.get("/v1/pricing").await;
        instance.meddler.plan(nth, fault);
        let run = new_run_id();
        let answer = tokio::select! {
            answer = ask(&person, scenario, &run) => Some(answer),
            () = instance.meddler.death() => None,
        };
        Trial { world, scenario, instance, person, run, answer, fault }
    }

    async fn check(self, case: &str) {
        let is_fatal = matches!(self.fault, Fault::KilledBefore | Fault::KilledAfter);
        match &self.answer {
            Some(answer) if self.scenario.price > 0 => {
                assert_eq!(answer.status, 200, "{case}: {}", answer.text);
                assert_eq!(answer.body["charged"], credit(self.scenario.price), "{case}");
            }
            Some(answer) => {
                let told = ["provider_failed", "content_rejected"].contains(&answer.problem());
                assert!(told, "{case}: {}", answer.text);
            }
            None => assert!(is_fatal, "{case}"),
        }
        let died = self.answer.is_none();
        drop(self.instance);
        // The customer asks again at a healthy instance: never two charges, whatever had happened.
        let again = self.person.at(&self.world.product.base);
        if died {
            books::check(self.world).await;
            self.world.advance_and_sweep().await;
        }
        let repeat = ask(&again, self.scenario, &self.run).await;
        let charges = again.transactions().await.iter().filter(|entry| entry["kind"] == "charge").count();
        assert!(charges <= 1, "{case}: {charges} charges");
        if repeat.status == 200 {
            assert_eq!(charges, 1, "{case}: {}", repeat.text);
        }
        let (available, reserved, debt) = again.balance().await;
        assert_eq!(available + reserved, 100 - self.scenario.price * charges as u64, "{case}");
        assert_eq!(debt, 0, "{case}");
    }
}

async fn ask(person: &Person, scenario: &Scenario, run: &str) -> Answer {
    let mut wish = (scenario.wish)("a red kite");
    let mut request = person.request("POST", "/v1/runs").header("content-type", "application/json");
    if scenario.with_key {
        request = request.header("idempotency-key", run);
    } else {
        wish["run_id"] = json!(run);
    }
    Answer::of(request.body(wish.to_string()).send().await.unwrap()).await
}

async fn check_every_charge_can_be_fetched(world: &World) {
    let mut charges = 0;
    for row in books::scan(world, "credit_transactions").await {
        if row.get("kind").is_none_or(|kind| kind.as_s().unwrap() != "charge") {
            continue;
        }
        charges += 1;
        let owner = row["account"].as_s().unwrap().strip_prefix("user_sandbox_").unwrap().to_owned();
        let path = format!("/v1/runs/{}", row["entry"].as_s().unwrap());
        let run = world.person(&owner).get(&path).await;
        assert_eq!(run.body["status"], "succeeded", "{}", run.text);
        let output = &run.body["outputs"][0];
        assert!(output["kind"] != "text" || output["text"].is_string(), "{}", run.text);
        let file = http().get(output["download_url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(file.status(), 200);
    }
    let usage = books::scan(world, "usage_log").await;
    let logged = usage.iter().filter(|row| row["credits"].as_n().unwrap() != "0").count();
    assert_eq!(logged, charges, "every charge is in the usage log");
}

#[tokio::test]
async fn a_reservation_that_was_stuck_on_the_way_and_comes_after_the_run_goes_back_whole() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.product.meddler.plan(0, Fault::Stuck);
    let run = ann.script("a red kite").await;
    assert_eq!((run.status, run.body["charged"]["amount"].as_u64()), (200, Some(1)), "{}", run.text);

    assert!(world.product.meddler.deliver_stuck().await, "the first attempt is carried out now");

    assert_eq!(ann.balance().await, (98, 1, 0), "a ghost holds credit for a run that is over");
    books::check(&world).await;
    world.advance_and_sweep().await;
    assert_eq!(ann.balance().await, (99, 0, 0), "charged once");
    books::check_settled(&world).await;
}

#[tokio::test]
async fn debt_is_paid_from_credit_that_comes_back_although_whoever_gave_it_back_was_killed() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let id: primitives::AccountId = ann.id().parse().unwrap();
    let ledger = credits::Ledger::new(&world.product.platform).unwrap();
    let welcome = books::entries(&world, &id).await[0].id;
    // A cent is held by a run whose text will break at its end; meanwhile the welcome is taken back.
    let dying = world.instance(&[]).await;
    let there = ann.at(&dying.base);
    let broken_late = "x [[sandbox:deepseek.error_frame after=3]] [[sandbox:pace ms=25]]";
    let running = tokio::spawn(async move { there.script(broken_late).await });
    while world.provider_calls(Service::Deepseek) == 0 {
        tokio::task::yield_now().await;
    }
    let cent = |units| primitives::Credits::new(units).unwrap();
    let key = credits::OnceKey::new("test", "taken back");
    let reversal = credits::Posting::Reversal { of: welcome, amount: cent(100), unspent: cent(100), key };
    world.advance(std::time::Duration::from_secs(1));
    ledger.post(&id, &reversal, world.now()).await.unwrap();
    assert_eq!(ann.balance().await, (0, 1, 1));
    // It dies right after giving the cent back, before it can pay the debt with it.
    dying.meddler.kill_before_debt_is_settled();
    tokio::select! {
        () = dying.meddler.death() => {}
        answer = running => panic!("it answered: {}", answer.unwrap().text),
    }
    drop(dying);
    assert_eq!(ann.balance().await, (1, 0, 1));
    world.advance_and_sweep().await;
    assert_eq!(ann.balance().await, (0, 0, 0));
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_sweep_killed_or_cut_off_at_any_store_call_is_finished_by_the_next_one() {
    for fault in
        [Fault::KilledBefore, Fault::KilledAfter, Fault::ReplyLost, Fault::Conflict, Fault::Throttled]
    {
        for nth in 0.. {
            let world = World::start().await;
            let ann = world.person("ann");
            ann.balance().await;
            leave_a_hold_behind(&world, &ann).await;
            world.advance(std::time::Duration::from_secs(961));
            let sweeper = world.instance(&[]).await;
            sweeper.meddler.plan(nth, fault);
            let role = sweeper.role("ReservationSweep");
            tokio::select! {
                swept = reservation_sweep::handle(&role) => { swept.unwrap(); }
                () = sweeper.meddler.death() => {}
            }
            books::check(&world).await;
            world.advance_and_sweep().await;
            books::check_settled(&world).await;
            books::check_losses(&world).await;
            assert_eq!(ann.balance().await, (100, 0, 0), "{fault:?} at call {nth}");
            if !sweeper.meddler.has_struck() {
                assert!(nth > 8, "a sweep makes more store calls than that");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_reservation_that_no_sweep_ended_grows_old_in_their_reports() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    leave_a_hold_behind(&world, &ann).await;
    // Its fifteen minutes, the grace, and five minutes without a sweep.
    world.advance(std::time::Duration::from_secs(900 + 60 + 300));
    let dying = world.instance(&[]).await;
    dying.meddler.plan(usize::from(credits::SWEEP_SHARDS), Fault::KilledBefore);
    let role = dying.role("ReservationSweep");
    tokio::select! {
        _ = reservation_sweep::handle(&role) => panic!("this sweep dies at the account"),
        () = dying.meddler.death() => {}
    }
    world.advance(std::time::Duration::from_secs(60));
    let sweeper = world.instance(&[]).await;

    let report = reservation_sweep::handle(&sweeper.role("ReservationSweep")).await.unwrap();

    assert_eq!((report.holds, report.overdue_seconds), (1, 360));
    assert_eq!(
        reservation_sweep::handle(&sweeper.role("ReservationSweep")).await.unwrap().overdue_seconds,
        0
    );
    books::check_settled(&world).await;
}

#[tokio::test]
async fn a_sweep_leaves_a_hold_to_its_run_until_a_minute_past_its_end() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    leave_a_hold_behind(&world, &ann).await;
    let sweep = async || {
        let sweeper = world.instance(&[]).await;
        reservation_sweep::handle(&sweeper.role("ReservationSweep")).await.unwrap().holds
    };
    world.advance(std::time::Duration::from_secs(900 + 59));
    assert_eq!(sweep().await, 0, "its run may still settle it");
    assert_eq!(ann.balance().await, (99, 1, 0));
    world.advance(std::time::Duration::from_secs(1));
    assert_eq!(sweep().await, 1);
    assert_eq!(ann.balance().await, (100, 0, 0));
    books::check_settled(&world).await;
}

/// An instance that reserves and dies before its output is stored.
async fn leave_a_hold_behind(world: &World, person: &Person) {
    let dying = world.instance(&[]).await;
    let there = person.at(&dying.base);
    there.get("/v1/pricing").await;
    dying.meddler.plan(2, Fault::KilledBefore);
    tokio::select! {
        () = dying.meddler.death() => {}
        answer = there.script("x") => panic!("it answered: {}", answer.text),
    }
}
