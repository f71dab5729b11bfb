//! Recordings that are longer than Groq takes at once.

use super::groq::{answer, fields, hearing, sound, transcript, vendor};
use super::stand::{Received, Reply, Say, json, reply};
use super::world::{Told, World};
use serde_json::json;

const STEP: &[&str] = &["groq/whisper"];
/// A part's head of 44 bytes and at most 400 bytes of sound.
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
    reply(206, &[], part)
}

async fn world(said: impl Fn(&Received, usize) -> Reply + Send + Sync + 'static) -> World {
    World::with([SMALL], move |request| match request.method.as_str() {
        "GET" => {
            let reply = store(request, &wave());
            assert!(
                reply.iter().all(|say| matches!(say, Say::Bytes(bytes) if bytes.len() < 444 + 100)),
                "one part is held"
            );
            reply
        }
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
    heard["duration"] = json!(12.5);
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
    // Three times two begun tens of seconds.
    assert_eq!((served.cost, served.cost_is_estimated), ("0.185001".parse().unwrap(), false));
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
    // 304, 348 and 348 of 1,044 bytes of 30 seconds, begun ones counting whole.
    assert_eq!(starts, [0, 9_000, 19_000]);
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
    type Case = (fn() -> Reply, &'static str, &'static str, bool, usize);
    let table: [Case; 4] = [
        (|| reply(500, &[], "{}"), "unavailable", "0.061667", false, 2),
        (|| reply(429, &[("retry-after", "500")], "{}"), "rate_limited", "0.061667", false, 2),
        (|| reply(429, &[], "{}"), "rate_limited", "0.061667", false, 5),
        // And of what was lost: 10 of 30 seconds.
        (|| vec![Say::Cut], "broken_stream", "0.092501", true, 2),
    ];
    for (row, (said, class, cost, is_estimated, asked)) in table.into_iter().enumerate() {
        let world = world(move |_, nth| if nth == 0 { part(0) } else { said() }).await;
        let told = hear(&world).await;
        assert_eq!(told.failure(), (class, vec![class]), "row {row}");
        assert_eq!(world.stand.count("POST"), asked, "row {row}");
        let attempt = &told.outcome.unwrap_err().attempts[0];
        assert_eq!(
            (attempt.cost, attempt.cost_is_estimated),
            (cost.parse().unwrap(), is_estimated),
            "row {row}"
        );
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
        ("GET", Some("bytes=0-347")) => store(request, &wave()),
        ("GET", _) => reply(500, &[], ""),
        _ => part(0),
    })
    .await;
    let told = hear(&world).await;
    assert_eq!(told.failure(), ("unavailable", vec!["unavailable"]));
    assert_eq!(told.outcome.unwrap_err().attempts[0].cost, "0.061667".parse().unwrap());
}

#[tokio::test]
async fn no_part_is_too_short_to_be_heard() {
    let file = [wave(), vec![9; 300]].concat();
    let bytes = file.len() as u64;
    for max in [444, 522, 1_000, 1_043, bytes - 1] {
        let (max, file) = (max.to_string(), file.clone());
        let world = World::with([("GROQ_FILE_BYTES_MAX", max.as_str())], move |request| {
            match request.method.as_str() {
                "GET" => store(request, &file),
                _ => part(0),
            }
        })
        .await;
        world.order(STEP, hearing(sound(&world, "wav", bytes), 30, None)).await.served();
        let asked = world.stand.requests().into_iter().filter(|request| request.method == "POST");
        let parts: Vec<usize> = asked.map(|request| fields(&request).pop().unwrap().1.len() - 44).collect();
        assert_eq!(parts.iter().sum::<usize>(), SOUND, "what lies behind the sound is none");
        assert!(parts.iter().all(|bytes| *bytes >= 150), "{max}: {parts:?}");
        let most: usize = max.parse().unwrap();
        assert!(parts.iter().all(|bytes| *bytes + 44 <= most), "{max}: {parts:?}");
    }
}
