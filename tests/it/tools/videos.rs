//! Videos: answered before they are made, told by webhooks, cancelled, and large.

use super::{
    NEVER, charges, check_files, check_settled, enrich, failures, finished, named, outputs, poll, shown,
    tell, uploaded, video, webhook,
};
use crate::uploads::PNG;
use crate::world::{Instance, Person, World, credit, new_run_id};
use sandbox::{Delivery, Fault, FaultRule, Service, Then};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_video_is_answered_at_once_and_charged_when_it_is_there() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let answer = ann.run(&video("a red kite")).await;
    let run = answer.body["id"].as_str().unwrap();
    assert_eq!((answer.status, &answer.body["status"]), (202, &json!("running")), "{}", answer.text);
    assert_eq!(answer.headers["location"], format!("/v1/runs/{run}").as_str());
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!((&answer.body["price"], &answer.body["charged"]), (&credit(96), &credit(0)));
    assert_eq!((ann.balance().await, world.sandbox.fal_jobs().len()), ((4, 96, 0), 1));
    assert_eq!(charges(&ann.transactions().await), 0);

    world.advance(Duration::from_secs(61));
    let report = poll(&world).await;

    assert_eq!((report.jobs, report.ended, report.failed), (1, 1, 0));
    assert_eq!(shown(&ann, run).await["charged"], credit(96));
    assert_eq!(ann.balance().await, (4, 0, 0));
    check_settled(&world).await;
}

#[tokio::test]
async fn a_video_shows_its_place_in_the_queue_and_its_webhook_only_makes_it_due() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(NEVER));
    let run = new_run_id();
    assert_eq!(ann.run(&named(video("a red kite"), &run)).await.status, 202);
    world.advance(Duration::from_secs(61));
    assert_eq!(poll(&world).await.ended, 0);
    let waiting = shown(&ann, &run).await;
    assert_eq!(waiting["progress"]["stage"], "queued", "{waiting}");
    assert!(waiting["progress"]["ahead"].is_u64(), "{waiting}");

    let job = world.sandbox.fal_jobs()[0].clone();
    world.sandbox.finish_fal_job(&job);
    let word = world.sandbox.fal_webhook(&job, None).unwrap();
    assert_eq!(poll(&world).await.jobs, 0, "it is not due");
    let told = tell(&world, &webhook(&ann, "fal", &run), &word).await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert_eq!(shown(&ann, &run).await["status"], "running", "the webhook only makes the run due");

    world.advance(Duration::from_secs(1));
    assert_eq!(poll(&world).await.ended, 1);
    assert_eq!(shown(&ann, &run).await["charged"], credit(96));
    check_settled(&world).await;
}

#[tokio::test]
async fn a_video_that_fal_refuses_is_made_by_comfyui_at_the_same_price() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::always(Fault::Refuse));
    let run = finished(&world, &ann, &video("a red kite")).await;
    assert_eq!((&run["receipt"]["provider"], &run["charged"]), (&json!("comfyui"), &credit(96)), "{run}");
    assert!(failures(&run).iter().all(|(provider, _)| *provider == "fal"), "{run}");
    check_files(&run, &[("video", "video/mp4", "mp4", b"")]).await;
    check_settled(&world).await;
}

#[tokio::test]
async fn a_video_whose_submit_was_never_answered_is_named_by_fals_word() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(Fault::DropConnection));
    let run = new_run_id();
    let doubtful = ann.run(&named(video("a red kite"), &run)).await;
    assert_eq!((doubtful.problem(), &doubtful.body["credit"]), ("outcome_unknown", &json!("held")));
    assert_eq!(ann.balance().await, (4, 96, 0));
    world.advance(Duration::from_secs(61));
    assert_eq!(poll(&world).await.ended, 0, "fal may have the work: the poll asks no provider and waits");
    let job = world.sandbox.fal_jobs()[0].clone();
    world.sandbox.finish_fal_job(&job);
    let word = world.sandbox.fal_webhook(&job, None).unwrap();
    assert_eq!(tell(&world, &webhook(&ann, "fal", &run), &word).await.status, 200);
    world.advance(Duration::from_secs(1));
    assert_eq!(poll(&world).await.ended, 1);
    assert_eq!(shown(&ann, &run).await["charged"], credit(96));
    assert_eq!((world.provider_calls(Service::Fal), world.provider_calls(Service::Comfyui)), (1, 0));
    check_settled(&world).await;
}

#[tokio::test]
async fn the_best_video_has_its_own_price_by_the_second() {
    let world = World::start().await;
    let ann = world.person("ann");
    enrich(&world, &ann, 500).await;
    let mut wish = video("a red kite");
    (wish["input"]["model"], wish["input"]["seconds"]) = (json!("kling"), json!(10));
    let run = finished(&world, &ann, &wish).await;
    assert_eq!((&run["model"], &run["charged"]), (&json!("kling"), &credit(504)), "{run}");
    let lasts = outputs(&run)[0]["duration_ms"].as_u64().unwrap();
    assert!((9_900..10_200).contains(&lasts), "{run}");
    check_settled(&world).await;
}

/// The process that asks a provider signs the link to the picture: the request's for fal, and the poll's for ComfyUI.
#[tokio::test]
async fn a_picture_can_be_read_by_the_provider_that_the_poll_asks() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let id = uploaded(&ann, "image", "image/png", PNG).await;
    // fal takes the work, and fails in it after the request was answered.
    world.sandbox.faults().set(Service::Fal, FaultRule::always(Fault::ErrorFrame { after: 3 }));
    let mut wish = video("it flies");
    wish["input"]["picture"] = json!(id);
    let run = finished(&world, &ann, &wish).await;
    assert_eq!((&run["receipt"]["provider"], &run["charged"]), (&json!("comfyui"), &credit(96)), "{run}");
    check_settled(&world).await;
}

#[tokio::test]
async fn a_video_that_fal_and_comfyui_refuse_gives_the_credit_back() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    for service in [Service::Fal, Service::Comfyui] {
        world.sandbox.faults().set(service, FaultRule::always(Fault::Refuse));
    }
    let refused = ann.run(&video("a red kite")).await;
    assert_eq!((refused.status, refused.problem()), (502, "provider_failed"), "{}", refused.text);
    assert_eq!(ann.balance().await, (100, 0, 0));
    check_settled(&world).await;
}

#[tokio::test]
async fn a_video_is_cancelled_free_of_charge_while_it_waits_for_its_turn() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(NEVER));
    let run = new_run_id();
    assert_eq!(ann.run(&named(video("a red kite"), &run)).await.status, 202);
    let cancelled = ann.send("POST", &format!("/v1/runs/{run}/cancel"), &json!({})).await;
    assert_eq!(
        (cancelled.status, &cancelled.body["failure"]),
        (200, &json!("cancelled")),
        "{}",
        cancelled.text
    );
    assert_eq!(ann.balance().await, (100, 0, 0));
    check_settled(&world).await;
}

#[tokio::test]
async fn a_video_that_is_worked_on_can_not_be_cancelled_and_is_charged_when_it_is_there() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let working = Fault::Scripted {
        status: 200,
        headers: Default::default(),
        content_type: "application/json".to_owned(),
        body: r#"{"status":"IN_PROGRESS"}"#.to_owned(),
        then: Then::End,
    };
    world.sandbox.faults().set(Service::Fal, FaultRule::once(NEVER));
    let run = new_run_id();
    assert_eq!(ann.run(&named(video("a red kite"), &run)).await.status, 202);
    let rule = FaultRule { matching: Some("/status".to_owned()), ..FaultRule::always(working) };
    world.sandbox.faults().set(Service::Fal, rule);

    let refused = ann.send("POST", &format!("/v1/runs/{run}/cancel"), &json!({})).await;

    assert_eq!((refused.status, refused.problem()), (409, "not_cancellable"), "{}", refused.text);
    assert_eq!(ann.balance().await, (4, 96, 0));
    world.sandbox.faults().clear();
    world.sandbox.finish_fal_job(&world.sandbox.fal_jobs()[0]);
    world.advance(Duration::from_secs(61));
    assert_eq!(poll(&world).await.ended, 1);
    assert_eq!(shown(&ann, &run).await["charged"], credit(96));
    check_settled(&world).await;
}

#[tokio::test]
async fn a_repeat_of_a_long_run_is_the_same_run_and_does_not_wait() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(NEVER));
    let run = new_run_id();
    let wish = named(video("a red kite"), &run);
    for _ in 0..3 {
        let answer = ann.run(&wish).await;
        assert_eq!((answer.status, &answer.body["id"]), (202, &json!(run)), "{}", answer.text);
    }
    let told = ann.stream(&wish).await.unwrap();
    assert_eq!((told[0].name.as_str(), &told[0].data["replayed"]), ("run", &json!(true)));
    assert_eq!(told.last().unwrap().name, "goes_on");
    assert_eq!((ann.balance().await, world.provider_calls(Service::Fal)), ((4, 96, 0), 1));
    let other = ann.run(&named(video("a blue kite"), &run)).await;
    assert_eq!((other.status, other.problem()), (409, "run_conflict"));
}

/// Counts calls in place of time: no function of ours calls a store or fal while fal works.
#[tokio::test]
async fn a_video_of_ten_minutes_keeps_no_function_waiting() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(NEVER));
    let run = new_run_id();
    world.product.meddler.forget();
    assert_eq!(ann.run(&named(video("a red kite"), &run)).await.status, 202);
    world.product.platform.idle().await;
    let (calls, asked) = (world.product.meddler.calls().len(), world.sandbox.journal().len());

    world.advance(Duration::from_secs(600));

    assert_eq!(world.product.meddler.calls().len(), calls, "no function asks a store while fal works");
    assert_eq!(world.sandbox.journal().len(), asked, "no function asks fal while fal works");
    let job = world.sandbox.fal_jobs()[0].clone();
    world.sandbox.finish_fal_job(&job);
    let word = world.sandbox.fal_webhook(&job, None).unwrap();
    assert_eq!(tell(&world, &webhook(&ann, "fal", &run), &word).await.status, 200);
    world.advance(Duration::from_secs(1));
    let report = poll(&world).await;
    assert_eq!((report.jobs, report.ended), (1, 1), "two requests and one poll are all there was");
    assert_eq!(shown(&ann, &run).await["charged"], credit(96));
    check_settled(&world).await;
}

const MIB: u64 = 1024 * 1024;

/// The instance has stored so many bytes, in parts.
fn check_parts(instance: &Instance, bytes: u64) {
    let calls = instance.meddler.calls();
    let parts: Vec<u64> = calls
        .iter()
        .filter_map(|call| call.object)
        .filter(|call| call.is_put)
        .map(|call| call.bytes)
        .collect();
    assert_eq!(parts.iter().sum::<u64>(), bytes, "{parts:?}");
    assert_eq!(parts.len() as u64, bytes.div_ceil(media::PART_BYTES as u64), "{parts:?}");
    assert!(parts.iter().all(|bytes| *bytes <= media::PART_BYTES as u64), "{parts:?}");
}

#[tokio::test]
async fn a_large_video_passes_in_parts_and_is_never_held_whole() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(Fault::Large { mb: 500 }));
    let run = new_run_id();
    assert_eq!(ann.run(&named(video("a red kite"), &run)).await.status, 202);
    world.advance(Duration::from_secs(61));
    let poller = world.instance(&[]).await;

    assert_eq!(run_poll::handle(&poller.role("RunPoll")).await.unwrap().ended, 1);

    check_parts(&poller, 500 * MIB);
    let shown = shown(&ann, &run).await;
    assert_eq!(
        (&shown["charged"], &outputs(&shown)[0]["bytes"]),
        (&credit(96), &json!(500 * MIB)),
        "{shown}"
    );
    check_settled(&world).await;
}

#[tokio::test]
async fn a_video_whose_file_breaks_off_again_and_again_is_brought_whole_all_the_same() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(Fault::CutFile));
    let run = finished(&world, &ann, &video("a red kite")).await;
    assert_eq!(run["charged"], credit(96), "{run}");
    check_files(&run, &[("video", "video/mp4", "mp4", b"")]).await;
    assert_eq!(world.provider_calls(Service::Fal), 1);
    check_settled(&world).await;
}

/// A video that fal makes for longer than its credit is held, by fal's word about it.
struct Late {
    world: World,
    ann: Person,
    run: String,
    word: Delivery,
}

/// The same before fal has finished.
struct Begun {
    world: World,
    ann: Person,
    run: String,
}

impl Begun {
    fn finished(self) -> Late {
        let Begun { world, ann, run } = self;
        let job = world.sandbox.fal_jobs()[0].clone();
        world.sandbox.finish_fal_job(&job);
        let word = world.sandbox.fal_webhook(&job, None).unwrap();
        Late { world, ann, run, word }
    }
}

impl Late {
    /// fal takes the work. The sweep has given the credit back when fal finishes, and no poll has come since.
    async fn begun_with(fault: Fault) -> Late {
        Late::released(fault, 202).await.finished()
    }

    /// fal takes the work, and its answer is lost: the poll finds no job of fal's to look at, and notes the run's end. Then
    /// fal finishes.
    async fn begun_in_doubt() -> Late {
        let late = Late::released(Fault::DropConnection, 502).await;
        let report = poll(&late.world).await;
        assert_eq!((report.jobs, report.ended, report.failed), (1, 1, 0));
        assert_eq!(poll(&late.world).await.jobs, 0, "without fal's word the poll does not look at it");
        late.finished()
    }

    async fn released(fault: Fault, status: u16) -> Begun {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        world.sandbox.faults().set(Service::Fal, FaultRule::once(fault));
        let run = new_run_id();
        assert_eq!(ann.run(&named(video("a red kite"), &run)).await.status, status);
        world.advance(Duration::from_secs(3_600));
        world.advance_and_sweep().await;
        assert_eq!(ann.balance().await, (100, 0, 0));
        Begun { world, ann, run }
    }

    /// fal's word is answered with success, and the file is left to the poll that comes a second later.
    async fn hear(&self) {
        self.tell().await;
        let shown = shown(&self.ann, &self.run).await;
        assert_eq!((&shown["status"], outputs(&shown).len()), (&json!("failed"), 0), "{shown}");
        self.world.advance(Duration::from_secs(1));
    }

    async fn tell(&self) {
        let path = webhook(&self.ann, "fal", &self.run);
        let told = tell(&self.world, &path, &self.word).await;
        assert_eq!(told.status, 200, "{}", told.text);
    }

    /// The owner can fetch the video, it cost nothing, and no process looks at its job any more.
    async fn check_gift(&self) {
        let Late { world, ann, run, .. } = self;
        let shown = shown(ann, run).await;
        assert_eq!((&shown["status"], &shown["gift"]), (&json!("failed"), &json!(true)), "{shown}");
        assert_eq!(shown["charged"], credit(0), "{shown}");
        check_files(&shown, &[("video", "video/mp4", "mp4", b"")]).await;
        assert_eq!((ann.balance().await, charges(&ann.transactions().await)), ((100, 0, 0), 0));
        assert_eq!(poll(world).await.jobs, 0, "the video is stored");
        self.tell().await;
        assert_eq!(poll(world).await.jobs, 0, "fal's word about a stored video changes nothing");
        assert_eq!((world.provider_calls(Service::Fal), world.provider_calls(Service::Comfyui)), (1, 0));
        check_settled(world).await;
    }
}

#[tokio::test]
async fn a_large_video_that_fal_tells_of_after_the_release_is_stored_in_parts_by_the_poll_and_is_a_gift() {
    let late = Late::begun_with(Fault::Large { mb: 20 }).await;
    late.hear().await;
    let poller = late.world.instance(&[]).await;

    let report = run_poll::handle(&poller.role("RunPoll")).await.unwrap();

    assert_eq!((report.jobs, report.ended, report.failed), (1, 1, 0));
    check_parts(&poller, 20 * MIB);
    late.check_gift().await;
}

/// The poll itself asks for the file again, for about sixteen seconds, before it leaves the file to the next one.
#[tokio::test]
async fn a_late_video_whose_file_can_not_be_had_at_the_first_poll_is_brought_by_a_later_one() {
    let late = Late::begun_with(NEVER).await;
    late.hear().await;
    let gone = FaultRule { matching: Some("/files/".to_owned()), ..FaultRule::always(Fault::DropBefore) };
    late.world.sandbox.faults().set(Service::Fal, gone);

    let report = poll(&late.world).await;

    assert_eq!((report.jobs, report.ended, report.failed), (1, 0, 0));
    assert!(outputs(&shown(&late.ann, &late.run).await).is_empty());
    late.world.sandbox.faults().clear();
    assert_eq!(poll(&late.world).await.jobs, 0, "the next look is some minutes later");
    late.world.advance(Duration::from_secs(290));
    let report = poll(&late.world).await;
    assert_eq!((report.jobs, report.ended, report.failed), (1, 1, 0));
    late.check_gift().await;
}

/// A video of fal's that stays in doubt until its hold ends: fal's word names its job after the credit has gone back.
#[tokio::test]
async fn a_late_video_whose_submit_was_never_answered_is_stored_under_the_name_that_fals_word_brings() {
    let late = Late::begun_in_doubt().await;
    late.hear().await;
    assert_eq!(poll(&late.world).await.ended, 1);
    late.check_gift().await;
}

#[tokio::test]
async fn a_poll_that_is_killed_in_mid_gift_leaves_it_to_the_next_one() {
    let late = Late::begun_with(Fault::Large { mb: 20 }).await;
    late.hear().await;
    let poller = late.world.instance(&[]).await;
    poller.meddler.kill_before_a_write_to("usage_log");
    let role = poller.role("RunPoll");
    tokio::select! {
        polled = run_poll::handle(&role) => panic!("the poll ended before it was killed: {polled:?}"),
        () = poller.meddler.death() => {}
    }
    assert!(outputs(&shown(&late.ann, &late.run).await).is_empty());
    assert_eq!(poll(&late.world).await.ended, 1);
    late.check_gift().await;
}
