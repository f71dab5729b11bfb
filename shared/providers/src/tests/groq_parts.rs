//! Recordings that are longer than Groq takes at once.

use super::groq::{answer, fields, hearing, sound, transcript, vendor};
use super::stand::{Received, Reply, Say, json, reply};
use super::world::{Told, World};
use serde_json::json;

const STEP: &[&str] = &["groq/whisper"];
/// A part's head of 44 bytes and 400 bytes of sound.
const SMALL: (&str, &str) = ("GROQ_FILE_BYTES_MAX", "444");
/// 1,000 bytes of sound in 16-bit samples.
const SOUND: usize = 1_000;

fn wave() -> Vec<u8> {
    let format = [16, 0, 0, 0, 1, 0, 1, 0, 64, 31, 0, 0, 128, 62, 0, 0, 2, 0, 16, 0];
    let sound: Vec<u8> = (0..SOUND).map(|at| (at % 251) as u8).collect();
    [b"RIFF\x0c\x04\0\0WAVEfmt ".as_slice(), &format, b"data\xe8\x03\0\0", &sound].concat()
}

/// Gives the parts of the file that are asked for, as S3 does.
fn store(request: &Received, file: &[u8]) -> Reply {
    let range = request.header("range").unwrap().strip_prefix("bytes=").unwrap();
    let (first, last) = range.split_once('-').unwrap();
    let part = &file[first.parse().unwrap()..=last.parse().unwrap()];
    assert!(part.len() <= 444, "no more than a part is held");
    reply(206, &[], part)
}

async fn world(said: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> World {
    World::with([SMALL], move |request| match request.method.as_str() {
        "GET" => store(request, &wave()),
        "POST" => said(request, request.nth),
        _ => vendor(request),
    })
    .await
}

async fn hear(world: &World) -> Told {
    world.order(STEP, hearing(sound(world, "wav", wave().len() as u64), 30, None)).await
}

fn part(nth: usize) -> Reply {
    let mut heard = answer();
    heard["duration"] = json!(if nth == 2 { 6.25 } else { 12.5 });
    heard["x_groq"]["id"] = json!(format!("req_{nth}"));
    json(200, &heard)
}

#[tokio::test]
async fn a_long_recording_is_heard_in_parts_and_their_times_go_on() {
    let world = world(|_, nth| part(nth)).await;
    let told = hear(&world).await;

    let starts: Vec<u64> = transcript(&told).segments.iter().map(|piece| piece.start).collect();
    assert_eq!(starts, [0, 4_100, 12_500, 16_600, 25_000, 29_100]);
    let served = told.served();
    // Two begun tens of seconds, twice, and one.
    assert_eq!((served.cost, served.cost_is_estimated), ("0.154168".parse().unwrap(), false));
    assert_eq!(served.attempts[0].provider_request_id.as_deref(), Some("req_0"));

    let asked = world.stand.requests().into_iter().filter(|request| request.method == "POST");
    let mut heard = Vec::new();
    for request in asked {
        let (name, file) = fields(&request).pop().unwrap();
        assert!(name.contains("filename=\"sound.wav\""));
        assert_eq!((&file[..4], &file[8..16], &file[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
        let length = u32::from_le_bytes(file[40..44].try_into().unwrap());
        assert_eq!(length as usize, file.len() - 44);
        heard.extend_from_slice(&file[44..]);
    }
    assert_eq!(heard, wave()[44..], "no sample is lost or heard twice");
}

#[tokio::test]
async fn times_go_on_by_a_parts_share_where_groq_does_not_tell_its_length() {
    let world = world(|_, _| json(200, &json!({"text": "Xin"}))).await;
    let told = hear(&world).await;
    let starts: Vec<u64> = transcript(&told).segments.iter().map(|piece| piece.start).collect();
    // 400 of 1,044 bytes of 30 seconds, begun ones counting whole.
    assert_eq!(starts, [0, 12_000, 24_000]);
    assert!(told.served().cost_is_estimated);
}

#[tokio::test]
async fn a_later_part_that_is_refused_before_any_work_is_asked_for_again() {
    let world = world(|_, nth| match nth {
        1 => reply(429, &[("retry-after", "0")], "{}"),
        2 => reply(498, &[], "{}"),
        _ => part(nth),
    })
    .await;
    let told = hear(&world).await;
    assert_eq!(transcript(&told).segments.len(), 6);
    assert_eq!(told.served().attempts.len(), 1, "what was heard is not asked for again");
    assert_eq!(world.stand.count("POST"), 5);
}

#[tokio::test]
async fn a_later_part_that_fails_ends_the_work_at_the_cost_of_those_before() {
    let table: [(fn() -> Reply, &str, &str, bool, usize); 4] = [
        (|| reply(500, &[], "{}"), "unavailable", "0.061667", false, 2),
        (|| reply(429, &[("retry-after", "500")], "{}"), "rate_limited", "0.061667", false, 2),
        (|| reply(429, &[], "{}"), "rate_limited", "0.061667", false, 5),
        // And of what was lost: 12 of 30 seconds.
        (|| vec![Say::Cut], "broken_stream", "0.123334", true, 2),
    ];
    for (row, (said, class, cost, is_estimated, asked)) in table.into_iter().enumerate() {
        let world = world(move |_, nth| if nth == 0 { part(0) } else { said() }).await;
        let told = hear(&world).await;
        assert_eq!(told.failure(), (class, vec![class]), "row {row}");
        assert_eq!(world.stand.count("POST"), asked, "row {row}");
        let attempt = &told.outcome.unwrap_err().attempts[0];
        assert_eq!((attempt.cost, attempt.cost_is_estimated), (cost.parse().unwrap(), is_estimated), "row {row}");
    }
}

#[tokio::test]
async fn the_first_part_may_be_asked_for_anew() {
    let world = world(|_, nth| if nth == 0 { reply(503, &[], "{}") } else { part(nth) }).await;
    let told = hear(&world).await;
    assert_eq!(transcript(&told).segments.len(), 6);
    assert_eq!(told.served().attempts.len(), 2);
}

#[tokio::test]
async fn what_has_no_place_to_cut_at_is_refused_without_asking_groq() {
    for extension in ["mp3", "flac", "ogg"] {
        let world = world(|_, nth| part(nth)).await;
        let order = hearing(sound(&world, extension, wave().len() as u64), 30, None);
        assert_eq!(world.order(STEP, order).await.failure(), ("bad_input", vec!["bad_input"]), "{extension}");
        assert_eq!(world.stand.count("POST"), 0, "{extension}");
    }
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_ends_the_work_at_its_cost() {
    let world = World::with([SMALL], |request| match (request.method.as_str(), request.header("range")) {
        ("GET", Some("bytes=0-443")) => store(request, &wave()),
        ("GET", _) => reply(500, &[], ""),
        _ => part(0),
    })
    .await;
    let told = hear(&world).await;
    assert_eq!(told.failure(), ("unavailable", vec!["unavailable"]));
    assert_eq!(told.outcome.unwrap_err().attempts[0].cost, "0.061667".parse().unwrap());
}
