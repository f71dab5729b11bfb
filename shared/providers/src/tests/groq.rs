//! Groq's Whisper: a recording in, a transcript out, in one call.

use super::stand::{Answer, Headers, Received, Reply, Say, bytewise, json, reply};
use super::world::{Told, World, order};
use crate::{
    FailureClass, HearingRequest, JobOrder, Made, ProviderName, Request, Segment, SourceFile, Transcript,
    Visit, Visited, Work,
};
use primitives::Private;
use serde_json::{Value, json};
use std::time::Duration;

const STEP: &[&str] = &["groq/whisper"];
pub(super) const IMPATIENT: (&str, &str) = ("PROVIDER_FIRST_CONTENT_MS_HEARING", "1200");

/// Bytes that are no text, and hold what looks like the end of a field.
fn mp3() -> Vec<u8> {
    [[0xff, 0xfb, 0x90, 0x64].as_slice(), b"\r\n--citipen\r\n\0\xfe", &[7; 900]].concat()
}

pub(super) fn answer() -> Value {
    json!({
        "task": "transcribe", "language": "Vietnamese", "duration": 12.44, "text": " Xin chào. Tạm biệt.",
        "segments": [
            {"id": 0, "start": 0, "end": 4.1, "text": " Xin chào.", "no_speech_prob": 0.01, "avg_logprob": -0.2},
            {"id": 1, "start": 4.1, "end": 12.44, "text": " Tạm biệt.", "no_speech_prob": 0.9, "avg_logprob": -0.2},
            {"id": 2, "start": 12.44, "end": 12.44, "text": " Subscribe!", "no_speech_prob": 0.9, "avg_logprob": -1.3},
        ],
        "x_groq": {"id": "req_01abc"},
    })
}

pub(super) fn vendor(request: &Received) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/sound") => reply(200, &[], mp3()),
        ("POST", "/groq/audio/transcriptions") => json(200, &answer()),
        _ => reply(404, &[], "{}"),
    }
}

pub(super) fn sound(world: &World, extension: &'static str, bytes: u64) -> SourceFile {
    let link = format!("http://{}/sound", world.stand.host).parse().unwrap();
    SourceFile { link: Private::new(link), media_type: "audio/mpeg", extension, bytes, pixels: None }
}

pub(super) fn hearing(sound: SourceFile, seconds: u32, language: Option<&str>) -> JobOrder {
    let language = language.map(str::to_owned);
    order(Request::Hearing(HearingRequest { sound, seconds, language }))
}

async fn hear(world: &World) -> Told {
    let sound = sound(world, "mp3", mp3().len() as u64);
    world.order(STEP, hearing(sound, 13, Some("vi"))).await
}

/// Each field with the name of its file.
pub(super) fn fields(request: &Received) -> Vec<(String, Vec<u8>)> {
    let content_type = request.header("content-type").unwrap();
    let boundary = format!("--{}", content_type.strip_prefix("multipart/form-data; boundary=").unwrap());
    let mut fields = Vec::new();
    let find = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
    let mut rest = request.body.strip_prefix(boundary.as_bytes()).unwrap();
    while let Some(field) = rest.strip_prefix(b"\r\n") {
        let head = find(field, b"\r\n\r\n").unwrap();
        let end = find(field, format!("\r\n{boundary}").as_bytes()).unwrap();
        let name = std::str::from_utf8(&field[..head]).unwrap().to_owned();
        fields.push((name, field[head + 4..end].to_vec()));
        rest = &field[end + 2 + boundary.len()..];
    }
    assert_eq!(rest, b"--\r\n");
    fields
}

pub(super) fn transcript(told: &Told) -> &Transcript {
    match told.made.as_slice() {
        [Made::Transcript(transcript)] => transcript,
        other => panic!("{other:?}, {:?}", told.outcome),
    }
}

fn piece(start: u64, end: u64, text: &str) -> Segment {
    Segment { start, end, text: text.to_owned() }
}

/// What the one attempt cost, and whether that is an estimate.
fn cost(told: &Told) -> (String, bool) {
    let attempts = match &told.outcome {
        Ok(served) => &served.attempts,
        Err(failed) => &failed.attempts,
    };
    let attempt = attempts.last().unwrap();
    (attempt.cost.to_string(), attempt.cost_is_estimated)
}

#[tokio::test]
async fn a_recording_is_sent_whole_and_what_is_said_comes_back() {
    let world = World::start(vendor).await;
    let told = hear(&world).await;

    let heard = transcript(&told);
    assert_eq!(heard.language.as_deref(), Some("vi"));
    assert_eq!(heard.segments, [piece(0, 4_100, "Xin chào."), piece(4_100, 12_440, "Tạm biệt.")]);
    let served = told.served();
    assert_eq!((served.provider, served.model.as_str()), (ProviderName::Groq, "whisper-large-v3"));
    assert_eq!(served.attempts[0].provider_request_id.as_deref(), Some("req_01abc"));
    // Two begun tens of seconds at 11.1 cents an hour.
    assert_eq!(cost(&told), ("0.061667".to_owned(), false));
}

#[tokio::test]
async fn the_form_is_the_documented_one_and_the_key_stays_with_groq() {
    let world = World::start(vendor).await;
    hear(&world).await.served();

    let requests = world.stand.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].header("authorization"), None, "our store is no provider");
    let asked = &requests[1];
    assert_eq!(asked.header("authorization"), Some("Bearer groq-key"));
    assert_eq!(asked.header("transfer-encoding"), None);
    let plain = |name: &str| format!("content-disposition: form-data; name=\"{name}\"");
    let file =
        "content-disposition: form-data; name=\"file\"; filename=\"sound.mp3\"\r\ncontent-type: audio/mpeg";
    let expected: Vec<(String, Vec<u8>)> = vec![
        (plain("model"), b"whisper-large-v3".to_vec()),
        (plain("response_format"), b"verbose_json".to_vec()),
        (plain("timestamp_granularities[]"), b"segment".to_vec()),
        (plain("temperature"), b"0".to_vec()),
        (plain("language"), b"vi".to_vec()),
        (file.to_owned(), mp3()),
    ];
    assert_eq!(fields(asked), expected);
}

#[tokio::test]
async fn a_file_is_handed_over_as_a_link_only_where_a_setting_allows_it() {
    let world = World::with([("GROQ_LINK_BYTES_MAX", "5000")], vendor).await;
    let sound = sound(&world, "mp3", 5_000);
    world.order(STEP, hearing(sound.clone(), 13, None)).await.served();

    let requests = world.stand.requests();
    assert_eq!(requests.len(), 1, "nothing is read here");
    let fields = fields(&requests[0]);
    let (name, value) = fields.last().unwrap();
    assert_eq!(name, "content-disposition: form-data; name=\"url\"");
    assert_eq!(value, sound.link.expose().as_str().as_bytes());
    assert!(fields.iter().all(|(name, _)| !name.contains("file\"") && !name.contains("language")));
}

#[tokio::test]
async fn a_file_that_groq_can_not_fetch_is_sent() {
    let refused = json!({"error": {"message": "failed to retrieve media: received status code: 403",
                                   "type": "invalid_request_error"}});
    let world = World::with([("GROQ_LINK_BYTES_MAX", "5000")], move |request| {
        match (request.method.as_str(), request.nth) {
            ("POST", 0) => json(400, &refused),
            _ => vendor(request),
        }
    })
    .await;
    hear(&world).await.served();
    let last = world.stand.requests().pop().unwrap();
    assert!(fields(&last).iter().any(|(name, content)| name.contains("filename") && *content == mp3()));
}

#[tokio::test]
async fn a_refusal_has_a_class_and_what_was_refused_before_any_work_is_asked_once_more() {
    let said = |message: &str, code: &str| json!({"error": {"message": message, "type": "x", "code": code}});
    let haste = "Rate limit reached for model `whisper-large-v3` on seconds of audio per hour (ASPH): Limit 7200, \
                 Used 7200. Please try again in 5s. Upgrade at https://console.groq.com/settings/billing";
    let table: Vec<(u16, Headers, Value, &str, usize)> = vec![
        (400, &[], said("could not process file - is it a valid media file?", ""), "bad_input", 1),
        (
            400,
            &[],
            said("Audio file is too short. Minimum audio length is 0.01 seconds.", ""),
            "bad_input",
            1,
        ),
        (400, &[], said("unknown field", ""), "request_refused", 1),
        (400, &[], json!(null), "request_refused", 1),
        (400, &[], said("language must be a valid ISO-639-1 language code", ""), "request_refused", 1),
        (400, &[], said("API access was blocked by the spend limit", "blocked_api_access"), "no_balance", 1),
        (401, &[], said("Invalid API Key", "invalid_api_key"), "auth", 1),
        (403, &[], said("Access denied. Please check your network settings.", ""), "auth", 1),
        (404, &[], said("The model `x` does not exist", "model_not_found"), "model_gone", 1),
        (413, &[], said("Request Entity Too Large", "request_too_large"), "request_refused", 1),
        (422, &[], said("The request could not be processed.", ""), "request_refused", 1),
        (429, &[("retry-after", "0")], said(haste, "rate_limit_exceeded"), "rate_limited", 2),
        (429, &[("retry-after", "120")], said(haste, "rate_limit_exceeded"), "rate_limited", 1),
        (429, &[], said("You exceeded your current quota", "insufficient_quota"), "no_balance", 1),
        (498, &[], said("Flex tier capacity exceeded", "capacity_exceeded"), "rate_limited", 2),
        (499, &[], said("Request was cancelled by the caller.", ""), "unavailable", 1),
        (500, &[], said("Internal Server Error", ""), "unavailable", 1),
        (502, &[], json!("<html>"), "unavailable", 1),
        (503, &[], said("Service Unavailable", ""), "unavailable", 2),
        (302, &[("location", "http://elsewhere.test/")], json!(null), "unavailable", 1),
    ];
    for (status, headers, body, class, asked) in table {
        let text = body.to_string();
        let world = World::start(move |request| match request.method.as_str() {
            "POST" => reply(status, headers, &text),
            _ => vendor(request),
        })
        .await;
        let told = hear(&world).await;
        assert_eq!(told.failure().0, class, "{status} {body}");
        assert_eq!(world.stand.count("POST"), asked, "{status} {body}");
        assert_eq!(cost(&told), ("0".to_owned(), false), "{status} {body}");
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_paid_and_nothing_is_asked_again() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"text\"";
    let table: Vec<Answer> = vec![
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| vec![Say::Hang]),
        Box::new(|_| vec![Say::Bytes(head.to_vec()), Say::Cut]),
        Box::new(|_| vec![Say::Bytes(head.to_vec()), Say::Hang]),
        Box::new(|_| reply(200, &[], "<html>")),
        Box::new(|_| json(200, &json!({"error": {"message": "busy"}}))),
        Box::new(|_| json(200, &json!({"text": null, "segments": null}))),
        Box::new(|_| json(200, &json!({"text": "Xin", "segments": [{"text": 7}]}))),
        Box::new(|_| json(200, &json!([]))),
    ];
    for (row, lost) in table.into_iter().enumerate() {
        let world = World::with([IMPATIENT], move |request| match request.method.as_str() {
            "POST" => lost(request),
            _ => vendor(request),
        })
        .await;
        let told = hear(&world).await;
        assert_eq!(told.failure(), ("broken_stream", vec!["broken_stream"]), "row {row}");
        assert_eq!(world.stand.count("POST"), 1, "row {row}");
        assert_eq!(cost(&told), ("0.061667".to_owned(), true), "row {row}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_is_read() {
    let world = World::start(|request| match request.method.as_str() {
        "POST" => bytewise("text/plain", answer().to_string().as_bytes()),
        _ => vendor(request),
    })
    .await;
    assert_eq!(transcript(&hear(&world).await).segments.len(), 2);
}

#[tokio::test]
async fn silence_is_an_empty_answer_at_its_cost() {
    let mut silent = answer();
    for segment in silent["segments"].as_array_mut().unwrap() {
        (segment["no_speech_prob"], segment["avg_logprob"]) = (json!(0.9), json!(-1.15));
    }
    let nothing = json!({"text": "", "segments": [], "duration": 12.44, "x_groq": {"id": "req_01abc"}});
    for heard in [silent, nothing] {
        let world = World::start(move |request| match request.method.as_str() {
            "POST" => json(200, &heard),
            _ => vendor(request),
        })
        .await;
        let told = hear(&world).await;
        assert_eq!(told.failure(), ("empty_answer", vec!["empty_answer"]));
        assert_eq!(cost(&told), ("0.061667".to_owned(), false));
        let attempt = &told.outcome.unwrap_err().attempts[0];
        assert_eq!(attempt.provider_request_id.as_deref(), Some("req_01abc"));
    }
}

#[tokio::test]
async fn a_length_that_groq_does_not_tell_is_estimated_and_one_that_can_not_be_is_bounded() {
    let table = [
        (json!(10), "0.030834", false),
        (json!(null), "0.061667", true),
        (json!("soon"), "0.061667", true),
        (json!(-3), "0.061667", true),
        (json!(26), "0.0925", false),
        (json!(170_000), "0.0925", true),
    ];
    for (duration, expected, is_estimated) in table {
        let mut heard = answer();
        heard["duration"] = duration.clone();
        let world = World::start(move |request| match request.method.as_str() {
            "POST" => json(200, &heard),
            _ => vendor(request),
        })
        .await;
        assert_eq!(cost(&hear(&world).await), (expected.to_owned(), is_estimated), "{duration}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_give_the_file_is_no_reason_to_ask_groq() {
    let table: Vec<Answer> = vec![
        Box::new(|_| reply(404, &[], "")),
        Box::new(|_| reply(200, &[], "too short")),
        Box::new(|_| vec![Say::Cut]),
    ];
    for (row, stored) in table.into_iter().enumerate() {
        let world = World::start(move |request| match request.method.as_str() {
            "GET" => stored(request),
            _ => vendor(request),
        })
        .await;
        let told = hear(&world).await;
        assert_eq!(told.failure().0, "unavailable", "row {row}");
        assert_eq!(world.stand.count("POST"), 0, "row {row}");
    }
}

#[tokio::test]
async fn a_recording_or_language_that_groq_does_not_take_is_refused_without_a_request() {
    let world = World::start(vendor).await;
    let table = [
        (sound(&world, "m4a", 25_000_001), None),
        (sound(&world, "mov", 1_000), None),
        (sound(&world, "mp3", 1_000), Some("xx")),
        (sound(&world, "mp3", 1_000), Some("vi\r\n--x")),
    ];
    for (sound, language) in table {
        let told = world.order(STEP, hearing(sound, 13, language)).await;
        assert_eq!(told.failure(), ("bad_input", vec!["bad_input"]), "{language:?}");
    }
    assert!(world.stand.requests().is_empty());
}

#[tokio::test]
async fn after_a_process_is_killed_the_answer_is_gone_and_paid_once() {
    let world = World::start(vendor).await;
    let order = hearing(sound(&world, "mp3", mp3().len() as u64), 13, None);
    let (chain, now) = (world.chain(STEP), world.clock.now());
    let visit = Visit::new(now, Duration::from_secs(20), Duration::from_secs(20));
    let later = now.after(Duration::from_secs(600));
    let work = Work::new(now, later, later);
    let asking = chain.choose(&work, &order).await.unwrap().asking(&work, now);

    // The process was killed while it asked: the answer is lost.
    let lost = chain.find(&asking, &order, now, visit).await;
    let attempt = &lost.attempts()[0];
    assert_eq!(attempt.failure, Some(FailureClass::BrokenStream));
    assert_eq!((attempt.cost, attempt.cost_is_estimated), ("0.061667".parse().unwrap(), true));

    // The process was killed after it had the answer and before it stored it.
    let asked = chain.ask(&asking, &order, visit).await;
    assert!(asked.finished.is_some());
    let ticket = asked.work.ticket().unwrap();
    let limit = visit.until(later);
    let watched = chain.watch(&asked.work, ticket, &order, visit, limit, &mut |_| {}).await;
    let Visited::Next(watched) = watched else { panic!("{watched:?}") };
    let withdrawn = chain.withdraw(&asked.work, ticket, &order, visit).await;
    let Visited::Next(withdrawn) = withdrawn else { panic!("{withdrawn:?}") };
    for over in [watched, withdrawn] {
        assert_eq!(over.attempts()[0].failure, Some(FailureClass::BrokenStream));
        assert!(!over.is_at_a_provider());
    }
    assert_eq!(world.stand.count("POST"), 1);
}
