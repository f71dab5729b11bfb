//! What each tool brings, what it costs, and what becomes of its credit when its providers fail.

use crate::books;
use crate::uploads::{PNG, WAV, begin, id_of, path_of, sent};
use crate::world::{Answer, Person, World, credit, http, new_run_id};
use primitives::{CostCents, Credits, Unit};
use sandbox::{Fault, FaultRule, Service, Then};
use serde_json::{Value, json};
use std::time::Duration;

/// A provider does not begin it by being looked at.
pub(crate) const NEVER: Fault = Fault::Late { polls: u32::MAX };

pub(crate) fn video(prompt: &str) -> Value {
    json!({ "tool": "video", "input": { "prompt": prompt } })
}

pub(crate) fn voice(text: &str) -> Value {
    json!({ "tool": "voice", "input": { "text": text } })
}

pub(crate) fn market(question: &str) -> Value {
    json!({
        "tool": "market_research",
        "input": { "queries": ["red kites"], "question": question, "answer_language": "en" },
    })
}

fn transcript(url: &str) -> Value {
    json!({ "tool": "transcript", "input": { "url": url } })
}

pub(crate) fn named(mut wish: Value, run: &str) -> Value {
    wish["run_id"] = json!(run);
    wish
}

pub(crate) async fn poll(world: &World) -> runs::PollReport {
    run_poll::handle(&world.instance(&[]).await.role("RunPoll")).await.unwrap()
}

pub(crate) async fn shown(person: &Person, run: &str) -> Value {
    person.get(&format!("/v1/runs/{run}")).await.body
}

/// More credit than the welcome.
async fn enrich(world: &World, person: &Person, units: u64) {
    person.balance().await;
    let (key, amount) = (credits::OnceKey::new("test", person.id()), Credits::new(units).unwrap());
    let grant = credits::Posting::Grant { amount, origin: credits::Origin::TopUp, key };
    let ledger = credits::Ledger::new(&world.product.platform).unwrap();
    ledger.post(&person.id().parse().unwrap(), &grant, world.now()).await.unwrap();
}

/// The run at its end; a long one is ended by the poll.
async fn finished(world: &World, person: &Person, wish: &Value) -> Value {
    let answer = person.run(wish).await;
    assert!([200, 202].contains(&answer.status), "{}", answer.text);
    if answer.status == 202 {
        world.advance(Duration::from_secs(61));
        assert_eq!(poll(world).await.ended, 1, "{}", answer.text);
    }
    shown(person, answer.body["id"].as_str().unwrap()).await
}

fn outputs(run: &Value) -> &[Value] {
    run["outputs"].as_array().map_or(&[][..], Vec::as_slice)
}

fn failures(run: &Value) -> Vec<(&str, &str)> {
    let attempts = run["receipt"]["attempts"].as_array().unwrap();
    let told = attempts
        .iter()
        .map(|attempt| (attempt["provider"].as_str().unwrap(), attempt["outcome"].as_str().unwrap()));
    told.filter(|(_, outcome)| *outcome != "served").collect()
}

fn charges(transactions: &[Value]) -> usize {
    transactions.iter().filter(|entry| entry["kind"] == "charge").count()
}

/// What its attempts cost us together.
fn cost_of(run: &Value) -> CostCents {
    let attempts = run["receipt"]["attempts"].as_array().unwrap();
    let costs =
        attempts.iter().map(|attempt| attempt["cost_cents"].as_str().unwrap().parse::<CostCents>().unwrap());
    costs.fold(CostCents::ZERO, |sum, cost| sum.saturating_add(cost))
}

async fn check_settled(world: &World) {
    world.advance_and_sweep().await;
    books::check_settled(world).await;
    books::check_losses(world).await;
}

/// Sixteen-bit sound of a tone that never stops.
fn wav(seconds: u32) -> Vec<u8> {
    let (rate, bytes) = (8_000_u32, 16_000 * seconds);
    let mut wav = b"RIFF".to_vec();
    wav.extend_from_slice(&(36 + bytes).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16_u32.to_le_bytes());
    for (number, length) in [(1, 2), (1, 2), (rate, 4), (2 * rate, 4), (2, 2), (16, 2)] {
        wav.extend_from_slice(&number.to_le_bytes()[..length]);
    }
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&bytes.to_le_bytes());
    let samples = (0..bytes / 2).map(|at| i16::try_from(at % 40).unwrap() * 400 - 8_000);
    samples.for_each(|sample| wav.extend_from_slice(&sample.to_le_bytes()));
    wav
}

/// An upload that is ready, by its id.
async fn uploaded(person: &Person, kind: &str, content_type: &str, bytes: &[u8]) -> String {
    let path = sent(person, kind, content_type, bytes).await;
    let ready = person.get(&path).await;
    assert_eq!(ready.body["status"], "ready", "{}", ready.text);
    id_of(&path).to_string()
}

/// What a file is called after the run's name, as what it is served, and how its bytes begin.
type Promised = (&'static str, &'static str, &'static str, &'static [u8]);

const TEXT: Promised = ("text", "text/plain; charset=utf-8", "txt", b"");
const CSV: Promised = ("table", "text/csv; charset=utf-8", "csv", b"");
const ROWS: Promised = ("table", "application/json", "json", b"[{");
const TRANSCRIPT: [Promised; 4] = [
    TEXT,
    ("subtitles", "application/x-subrip; charset=utf-8", "srt", b"1\n00:0"),
    ("subtitles", "text/vtt; charset=utf-8", "vtt", b"WEBVTT\n\n00:0"),
    ("table", "application/json", "json", b"{"),
];

async fn check_files(run: &Value, promised: &[Promised]) {
    let (tool, id) = (run["tool"].as_str().unwrap(), run["id"].as_str().unwrap());
    assert_eq!(outputs(run).len(), promised.len(), "{run}");
    for ((output, (kind, media_type, ending, begins)), n) in outputs(run).iter().zip(promised).zip(1..) {
        assert_eq!((&output["kind"], &output["media_type"]), (&json!(kind), &json!(media_type)), "{run}");
        let file = http().get(output["download_url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(file.status(), 200, "{tool} {n}");
        assert_eq!(file.headers()["content-type"], *media_type, "{tool} {n}");
        let name = if n == 1 { format!("{tool}-{id}") } else { format!("{tool}-{id}-{n}") };
        let disposition = format!("attachment; filename=\"{name}.{ending}\"");
        assert_eq!(file.headers()["content-disposition"], disposition.as_str());
        let bytes = file.bytes().await.unwrap();
        assert!(
            bytes.starts_with(begins) && !bytes.is_empty(),
            "{tool} {n}: {:?}",
            &bytes[..bytes.len().min(40)]
        );
        assert!(*ending != "mp4" || &bytes[4..8] == b"ftyp", "{tool} {n}");
        assert_eq!(Some(bytes.len() as u64), output["bytes"].as_u64(), "{tool} {n}");
    }
}

#[tokio::test]
async fn every_tool_brings_what_it_promises_and_is_charged_the_quoted_price_once() {
    let world = World::start().await;
    let ann = world.person("ann");
    enrich(&world, &ann, 1_000).await;
    let researched = [TEXT, CSV, ROWS];
    let table: [(Value, u64, &[Promised]); 7] = [
        (crate::world::image("a red kite"), 4, &[("image", "image/png", "png", b"\x89PNG\r\n\x1a\n")]),
        (video("a red kite"), 96, &[("video", "video/mp4", "mp4", b"")]),
        (voice("Một con diều đỏ."), 9, &[("audio", "audio/wav", "wav", b"RIFF")]),
        (transcript("https://youtu.be/dQw4w9WgXcQ"), 4, &TRANSCRIPT),
        (json!({ "tool": "analytics", "input": { "urls": ["@kites"] } }), 14, &researched),
        (json!({ "tool": "channel_research", "input": { "channels": ["@kites"] } }), 14, &researched),
        (market("who sells them"), 14, &researched),
    ];
    for (wish, price, promised) in table {
        let before = ann.balance().await.0;
        let charged_before = charges(&ann.transactions().await);
        let quote = ann.send("POST", "/v1/quotes", &wish).await;
        assert_eq!(quote.body["price"], credit(price), "{}", quote.text);

        let run = finished(&world, &ann, &wish).await;

        assert_eq!((&run["status"], &run["charged"]), (&json!("succeeded"), &credit(price)), "{run}");
        check_files(&run, promised).await;
        assert_eq!(ann.balance().await, (before - price, 0, 0), "{wish}");
        assert_eq!(charges(&ann.transactions().await), charged_before + 1, "{wish}");
        let paid = Unit::UsdCent.cost_paid_by(Credits::new(price).unwrap());
        assert!(cost_of(&run) <= paid, "{run}");
    }
    check_settled(&world).await;
}

#[tokio::test]
async fn several_pictures_are_one_run_with_one_price_and_as_many_outputs() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let mut wish = crate::world::image("a red kite");
    wish["input"]["count"] = json!(3);

    let run = finished(&world, &ann, &wish).await;

    assert_eq!(run["charged"], credit(12), "{run}");
    let picture: (&str, &str, &str, &[u8]) = ("image", "image/png", "png", b"\x89PNG");
    check_files(&run, &[picture; 3]).await;
    assert!(outputs(&run).iter().all(|output| output["width"] == 512), "{run}");
    assert_eq!(world.provider_calls(Service::Fal), 1);
    assert_eq!(charges(&ann.transactions().await), 1);
    assert_eq!(ann.balance().await, (88, 0, 0));
    check_settled(&world).await;
}

#[tokio::test]
async fn pictures_and_videos_are_made_from_an_uploaded_picture() {
    let world = World::start().await;
    let ann = world.person("ann");
    enrich(&world, &ann, 200).await;
    let id = uploaded(&ann, "image", "image/png", PNG).await;
    let painted = json!({ "tool": "image", "input": { "prompt": "in oil", "picture": id, "change": 60 } });
    let quoted = ann.send("POST", "/v1/quotes", &painted).await;
    assert_eq!((quoted.status, &quoted.body["price"]), (200, &credit(4)), "{}", quoted.text);
    let run = finished(&world, &ann, &painted).await;
    assert_eq!((&run["charged"], &outputs(&run)[0]["width"]), (&credit(4), &json!(64)), "{run}");
    let mut moving = video("it flies");
    moving["input"]["picture"] = json!(id);
    let run = finished(&world, &ann, &moving).await;
    assert_eq!((&run["charged"], &run["receipt"]["provider"]), (&credit(96), &json!("fal")), "{run}");
    check_settled(&world).await;
}

#[tokio::test]
async fn an_upload_that_can_not_be_used_is_refused_before_any_credit_is_held() {
    let world = World::start().await;
    let (ann, bob) = (world.person("ann"), world.person("bob"));
    ann.balance().await;
    let theirs = uploaded(&bob, "image", "image/png", PNG).await;
    let announced = begin(&ann, "image", "image/png", PNG).await;
    let announced = id_of(&path_of(&announced)).to_string();
    let sound = uploaded(&ann, "audio", "audio/x-wav", WAV).await;
    for (id, status, code) in [
        (theirs.as_str(), 422, "invalid_input"),
        (announced.as_str(), 409, "upload_not_ready"),
        (sound.as_str(), 422, "invalid_input"),
        ("01KABCDEFGHJKMNPQRSTVWXYZ0", 422, "invalid_input"),
        ("../../x", 422, "invalid_input"),
    ] {
        for tool in ["image", "video"] {
            let wish = json!({ "tool": tool, "input": { "prompt": "x", "picture": id } });
            let refused = ann.run(&wish).await;
            assert_eq!((refused.status, refused.problem()), (status, code), "{id}: {}", refused.text);
            if status == 422 {
                assert_eq!(refused.body["errors"][0]["pointer"], "/input/picture", "{}", refused.text);
            }
            assert_eq!(refused.body["credit"], "not_taken");
        }
    }
    assert_eq!((ann.balance().await, ann.transactions().await.len()), ((100, 0, 0), 1));
    assert_eq!(world.provider_calls(Service::Fal), 0);
}

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
    let told = tell(&world, &format!("/v1/webhooks/providers/fal/{run}"), &word).await;
    assert_eq!(told.status, 200, "{}", told.text);
    assert_eq!(shown(&ann, &run).await["status"], "running", "whoever tells is not kept waiting");

    world.advance(Duration::from_secs(1));
    assert_eq!(poll(&world).await.ended, 1);
    assert_eq!(shown(&ann, &run).await["charged"], credit(96));
    check_settled(&world).await;
}

async fn tell(world: &World, path: &str, word: &sandbox::Delivery) -> Answer {
    let mut request = http().post(format!("{}{path}", world.product.base)).body(word.body.clone());
    for (name, value) in &word.headers {
        request = request.header(name, value);
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn apifys_word_makes_a_research_due_and_that_of_another_run_changes_nothing() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Apify, FaultRule::once(NEVER));
    let run = new_run_id();
    assert_eq!(ann.run(&named(market("x"), &run)).await.status, 202);
    let list = http().get(format!("{}/sandbox/apify/v2/actor-runs", world.outside()));
    let list = Answer::of(list.bearer_auth(sandbox::APIFY_TOKEN).send().await.unwrap()).await;
    let job = list.body["data"]["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{}", list.text));
    assert!(world.sandbox.finish_actor_run(job));
    let word = world.sandbox.actor_run_webhook(job).unwrap();

    let foreign = tell(&world, &format!("/v1/webhooks/providers/apify/{}", new_run_id()), &word).await;
    assert_eq!((foreign.status, foreign.problem()), (401, "webhook_refused"));
    assert_eq!(poll(&world).await.jobs, 0);
    assert_eq!(tell(&world, &format!("/v1/webhooks/providers/apify/{run}"), &word).await.status, 200);
    assert_eq!(shown(&ann, &run).await["status"], "running");
    world.advance(Duration::from_secs(1));
    assert_eq!(poll(&world).await.ended, 1);
    assert_eq!(shown(&ann, &run).await["charged"], credit(14));
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
    assert_eq!(poll(&world).await.ended, 0, "nobody is asked twice, and nothing is given up");
    let job = world.sandbox.fal_jobs()[0].clone();
    world.sandbox.finish_fal_job(&job);
    let word = world.sandbox.fal_webhook(&job, None).unwrap();
    assert_eq!(tell(&world, &format!("/v1/webhooks/providers/fal/{run}"), &word).await.status, 200);
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

/// The link to the picture is signed by whoever asks: the request that begins the run, or the poll.
#[tokio::test]
async fn a_picture_can_be_read_by_the_provider_that_the_poll_asks() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let id = uploaded(&ann, "image", "image/png", PNG).await;
    // fal takes the work and fails in it, when nobody waits any more.
    world.sandbox.faults().set(Service::Fal, FaultRule::always(Fault::ErrorFrame { after: 3 }));
    let mut wish = video("it flies");
    wish["input"]["picture"] = json!(id);
    let run = finished(&world, &ann, &wish).await;
    assert_eq!((&run["receipt"]["provider"], &run["charged"]), (&json!("comfyui"), &credit(96)), "{run}");
    check_settled(&world).await;
}

#[tokio::test]
async fn a_video_that_nobody_makes_gives_the_credit_back() {
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

/// Counted calls in place of time: nobody is there while fal works.
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

    assert_eq!(world.product.meddler.calls().len(), calls, "no store is asked while nobody looks");
    assert_eq!(world.sandbox.journal().len(), asked, "nor is fal");
    let job = world.sandbox.fal_jobs()[0].clone();
    world.sandbox.finish_fal_job(&job);
    let word = world.sandbox.fal_webhook(&job, None).unwrap();
    assert_eq!(tell(&world, &format!("/v1/webhooks/providers/fal/{run}"), &word).await.status, 200);
    world.advance(Duration::from_secs(1));
    let report = poll(&world).await;
    assert_eq!((report.jobs, report.ended), (1, 1), "two requests and one poll are all there was");
    assert_eq!(shown(&ann, &run).await["charged"], credit(96));
    check_settled(&world).await;
}

#[tokio::test]
async fn a_large_video_passes_in_parts_and_is_never_held_whole() {
    const MIB: u64 = 1024 * 1024;
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Fal, FaultRule::once(Fault::Large { mb: 100 }));
    let run = new_run_id();
    assert_eq!(ann.run(&named(video("a red kite"), &run)).await.status, 202);
    world.advance(Duration::from_secs(61));
    let poller = world.instance(&[]).await;

    assert_eq!(run_poll::handle(&poller.role("RunPoll")).await.unwrap().ended, 1);

    let calls = poller.meddler.calls();
    let parts: Vec<u64> = calls
        .iter()
        .filter_map(|call| call.object)
        .filter(|call| call.is_put)
        .map(|call| call.bytes)
        .collect();
    assert_eq!(parts.iter().sum::<u64>(), 100 * MIB, "{parts:?}");
    assert_eq!(parts.len() as u64, (100 * MIB).div_ceil(media::PART_BYTES as u64), "{parts:?}");
    assert!(parts.iter().all(|bytes| *bytes <= media::PART_BYTES as u64), "{parts:?}");
    let shown = shown(&ann, &run).await;
    assert_eq!(
        (&shown["charged"], &outputs(&shown)[0]["bytes"]),
        (&credit(96), &json!(100 * MIB)),
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

#[tokio::test]
async fn vietnamese_is_spoken_by_omnivoice() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let run = finished(&world, &ann, &voice("Một con diều đỏ.")).await;
    assert_eq!((&run["receipt"]["provider"], &run["charged"]), (&json!("omnivoice"), &credit(9)), "{run}");
    let journal = world.sandbox.journal();
    let asked = journal.iter().find(|entry| entry.path.ends_with("/v1/audio/speech")).unwrap();
    assert!(asked.body.contains(r#""language":"vi""#), "{}", asked.body);
    assert_eq!(world.provider_calls(Service::Replicate), 0);
    check_settled(&world).await;
}

#[tokio::test]
async fn what_omnivoice_refuses_or_loses_is_spoken_by_replicate() {
    for (fault, outcome) in [(Fault::Refuse, "unavailable"), (Fault::DropConnection, "broken_stream")] {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        world.sandbox.faults().set(Service::Omnivoice, FaultRule::always(fault));
        let run = finished(&world, &ann, &voice("Một con diều đỏ.")).await;
        assert_eq!(
            (&run["receipt"]["provider"], &run["charged"]),
            (&json!("replicate"), &credit(9)),
            "{run}"
        );
        assert_eq!(failures(&run)[0], ("omnivoice", outcome), "{run}");
        check_files(&run, &[("audio", "audio/wav", "wav", b"RIFF")]).await;
        check_settled(&world).await;
    }
}

#[tokio::test]
async fn a_voice_like_in_a_recording_needs_the_speakers_consent_which_the_receipt_keeps() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let id = uploaded(&ann, "audio", "audio/x-wav", &wav(4)).await;
    let with = |consent: Value| {
        let mut wish = voice("Một con diều đỏ.");
        wish["input"]["recording"] = json!(id);
        wish["input"]["consent"] = consent;
        wish
    };
    for no in [Value::Null, json!(false), json!("true"), json!(1)] {
        let refused = ann.run(&with(no)).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{}", refused.text);
        assert_eq!(refused.body["errors"][0]["pointer"], "/input/consent", "{}", refused.text);
    }
    assert_eq!((ann.balance().await, world.provider_calls(Service::Omnivoice)), ((100, 0, 0), 0));

    let run = finished(&world, &ann, &with(json!(true))).await;

    assert_eq!((&run["receipt"]["consent"], &run["charged"]), (&json!(true), &credit(9)), "{run}");
    let plain = finished(&world, &ann, &voice("Một con diều đỏ.")).await;
    assert_eq!(plain["receipt"].get("consent"), None, "{plain}");
    let short = uploaded(&ann, "audio", "audio/x-wav", WAV).await;
    let mut wish = with(json!(true));
    wish["input"]["recording"] = json!(short);
    let refused = ann.run(&wish).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/input/recording", "{}", refused.text);
    check_settled(&world).await;
}

#[tokio::test]
async fn a_recording_is_heard_by_groq() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let id = uploaded(&ann, "audio", "audio/x-wav", &wav(9)).await;
    let wish = json!({ "tool": "transcript", "input": { "recording": id, "language": "vi" } });
    let run = finished(&world, &ann, &wish).await;
    assert_eq!(
        (&run["model"], &run["receipt"]["provider"], &run["charged"]),
        (&json!("whisper"), &json!("groq"), &credit(4)),
        "{run}"
    );
    check_files(&run, &TRANSCRIPT).await;
    let both = json!({ "recording": id, "url": "https://youtu.be/dQw4w9WgXcQ" });
    for input in [both, json!({}), json!({ "recording": id, "model": "captions" })] {
        let refused = ann.run(&json!({ "tool": "transcript", "input": input })).await;
        assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{}", refused.text);
    }
    check_settled(&world).await;
}

#[tokio::test]
async fn a_video_without_captions_gives_the_credit_back() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    let failed = ann.run(&transcript("https://youtu.be/nocaption12")).await;
    assert_eq!((failed.status, failed.problem()), (502, "provider_failed"), "{}", failed.text);
    assert_eq!(ann.get("/v1/runs").await.body["runs"][0]["failure"], "empty_answer");
    assert_eq!((ann.balance().await, charges(&ann.transactions().await)), ((100, 0, 0), 0));
    check_settled(&world).await;
}

#[tokio::test]
async fn an_address_that_is_not_youtubes_is_asked_for_by_nobody() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    for address in [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/watch?v=dQw4w9WgXcQ",
        "http://127.0.0.1/watch?v=dQw4w9WgXcQ",
        "http://[::1]/watch?v=dQw4w9WgXcQ",
        "http://2852039166/watch?v=dQw4w9WgXcQ",
        "file:///etc/passwd",
        "gopher://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com@169.254.169.254/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com:x@localhost/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com.example.org/watch?v=dQw4w9WgXcQ",
        "https://example.org/?u=https://youtu.be/dQw4w9WgXcQ",
    ] {
        for (tool, field, value) in [
            ("transcript", "url", json!(address)),
            ("analytics", "urls", json!(["https://youtu.be/dQw4w9WgXcQ", address])),
            ("channel_research", "channels", json!([address])),
        ] {
            let refused = ann.run(&json!({ "tool": tool, "input": { field: value } })).await;
            assert_eq!((refused.status, refused.problem()), (422, "invalid_input"), "{tool} {address}");
            assert_eq!(refused.body["errors"][0]["pointer"], format!("/input/{field}").as_str());
            assert!(!refused.text.contains(address), "{tool}: {}", refused.text);
        }
    }
    assert_eq!((ann.balance().await, world.provider_calls(Service::Apify)), ((100, 0, 0), 0));

    // Of a real one only the video's id is passed on.
    let run = ann.run(&transcript("https://ann:hunter2@www.youtube.com/watch?v=dQw4w9WgXcQ&t=hunter2")).await;
    assert_eq!(run.status, 200, "{}", run.text);
    assert!(world.sandbox.journal().iter().all(|entry| !entry.body.contains("hunter2")));
}

#[tokio::test]
async fn a_research_whose_text_fails_or_that_finds_nothing_gives_the_credit_back() {
    for (services, fault, failure) in [
        (&[Service::Deepseek, Service::Anthropic][..], Fault::Refuse, "unavailable"),
        (&[Service::Apify][..], Fault::Empty, "empty_answer"),
        (&[Service::Apify][..], Fault::ErrorRows, "empty_answer"),
    ] {
        let world = World::start().await;
        let ann = world.person("ann");
        ann.balance().await;
        for service in services {
            world.sandbox.faults().set(*service, FaultRule::always(fault.clone()));
        }
        let run = finished(&world, &ann, &market("x")).await;
        assert_eq!(
            (&run["status"], &run["failure"]),
            (&json!("failed"), &json!(failure)),
            "{fault:?}: {run}"
        );
        assert!(outputs(&run).is_empty(), "{run}");
        assert_eq!((ann.balance().await, charges(&ann.transactions().await)), ((100, 0, 0), 0), "{fault:?}");
        assert_eq!(world.provider_calls(Service::Deepseek) > 0, services.contains(&Service::Deepseek));
        check_settled(&world).await;
    }
}

#[tokio::test]
async fn the_price_of_a_research_pays_for_both_of_its_steps() {
    let world = World::start().await;
    let ann = world.person("ann");
    enrich(&world, &ann, 500).await;
    for (rows, price) in [(10, 14), (25, 41), (50, 68)] {
        let mut wish = market("x");
        wish["input"]["rows"] = json!(rows);
        let quote = ann.send("POST", "/v1/quotes", &wish).await;
        assert_eq!(quote.body["price"], credit(price), "{}", quote.text);
        let run = finished(&world, &ann, &wish).await;
        assert_eq!(run["charged"], credit(price), "{run}");
        assert_eq!(
            (&run["receipt"]["provider"], &run["receipt"]["summary_provider"]),
            (&json!("apify"), &json!("deepseek")),
            "{run}"
        );
        let paid = Unit::UsdCent.cost_paid_by(Credits::new(price).unwrap());
        assert!(cost_of(&run) > CostCents::ZERO && cost_of(&run) <= paid, "{run}");
    }
    check_settled(&world).await;
}

#[tokio::test]
async fn a_research_whose_first_writer_is_down_is_written_by_the_other() {
    let world = World::start().await;
    let ann = world.person("ann");
    ann.balance().await;
    world.sandbox.faults().set(Service::Deepseek, FaultRule::always(Fault::Refuse));
    let run = finished(&world, &ann, &market("x")).await;
    assert_eq!((&run["status"], &run["charged"]), (&json!("succeeded"), &credit(14)), "{run}");
    assert_eq!(run["receipt"]["summary_provider"], "anthropic", "{run}");
    assert!(cost_of(&run) <= Unit::UsdCent.cost_paid_by(Credits::new(14).unwrap()), "{run}");
    check_settled(&world).await;
}
