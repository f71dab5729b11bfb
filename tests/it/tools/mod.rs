//! What each tool brings, what it costs, and what becomes of its credit when its providers fail.

mod research;
mod sounds;
mod videos;

use crate::books;
use crate::jobs::webhook;
use crate::uploads::{PNG, WAV, begin, id_of, path_of, sent};
use crate::world::{Answer, Person, World, credit, http};
use primitives::{CostCents, Credits, Unit};
use sandbox::{Fault, Service};
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

async fn tell(world: &World, path: &str, word: &sandbox::Delivery) -> Answer {
    let mut request = http().post(format!("{}{path}", world.product.base)).body(word.body.clone());
    for (name, value) in &word.headers {
        request = request.header(name, value);
    }
    Answer::of(request.send().await.unwrap()).await
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
    // ComfyUI makes the size that is paid for, too.
    world.sandbox.faults().set(Service::Fal, sandbox::FaultRule::always(Fault::Refuse));
    let run = finished(&world, &ann, &painted).await;
    let made = &outputs(&run)[0];
    assert_eq!((&run["charged"], &run["receipt"]["provider"]), (&credit(4), &json!("comfyui")), "{run}");
    assert_eq!((&made["width"], &made["height"]), (&json!(64), &json!(48)), "{run}");
    world.sandbox.faults().clear();
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
