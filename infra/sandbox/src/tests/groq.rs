use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};

use super::{Answer, ask, instant};
use crate::sound::Melody;
use crate::{Fault, FaultRule, GROQ_KEY, Sandbox, Service};

const TRANSCRIBE: &str = "POST /sandbox/groq/openai/v1/audio/transcriptions";
const MODEL: (&str, &str) = ("model", "whisper-large-v3-turbo");
const VERBOSE: (&str, &str) = ("response_format", "verbose_json");

fn recording(seed: u64, millis: u64) -> Vec<u8> {
    let melody = Melody { seed, millis, is_drone: false };
    melody.file(0..melody.file_bytes())
}

async fn heard(sandbox: &Sandbox, file: Option<(&str, &[u8])>, fields: &[(&str, &str)]) -> Answer {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head = format!("--seam\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(head.as_bytes());
    }
    if let Some((name, bytes)) = file {
        let head =
            format!("--seam\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--seam--\r\n");
    let key = format!("Bearer {GROQ_KEY}");
    let headers =
        [("authorization", key.as_str()), ("content-type", "multipart/form-data; boundary=\"seam\"")];
    ask(sandbox, TRANSCRIBE, &headers, body).await
}

fn problem(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["message"].as_str().expect("a message").to_owned())
}

#[tokio::test]
async fn segments_fill_the_sound_from_its_beginning_to_its_end() {
    let sandbox = instant();
    let file = recording(1, 12_400);
    let answer = heard(&sandbox, Some(("a.wav", &file)), &[MODEL, VERBOSE, ("language", "vi")]).await;
    let heard = answer.json();
    assert_eq!((&heard["task"], &heard["language"]), (&json!("transcribe"), &json!("Vietnamese")));
    assert_eq!(heard["duration"].to_string(), "12.4");
    let segments = heard["segments"].as_array().expect("segments");
    let times: Vec<(String, String)> =
        segments.iter().map(|segment| (segment["start"].to_string(), segment["end"].to_string())).collect();
    let expected = [("0.0", "3.1"), ("3.1", "6.2"), ("6.2", "9.3"), ("9.3", "12.4")];
    assert_eq!(times, expected.map(|(start, end)| (start.to_owned(), end.to_owned())));
    let together: String = segments.iter().map(|segment| segment["text"].as_str().expect("text")).collect();
    assert_eq!(heard["text"], together);
    assert_eq!(segments[3]["id"], 3);
    assert!(segments[0]["no_speech_prob"].as_f64() < Some(0.1));
    assert!(heard["x_groq"]["id"].as_str().is_some_and(|id| id.starts_with("req_")));
    assert!(heard.get("words").is_none());
    assert_eq!(answer.header("x-ratelimit-limit-audio-seconds"), "7200");
}

#[tokio::test]
async fn the_same_file_is_heard_the_same_and_another_otherwise() {
    let sandbox = instant();
    let text = async |file: &[u8]| {
        let answer = heard(&sandbox, Some(("a.wav", file)), &[MODEL, ("response_format", "text")]).await;
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        answer.text().to_owned()
    };
    let (first, second) = (recording(1, 5_000), recording(2, 5_000));
    assert_eq!(text(&first).await, text(&first).await);
    assert_ne!(text(&first).await, text(&second).await);
    let short = heard(&sandbox, Some(("a.wav", &first)), &[MODEL]).await.json();
    assert_eq!(short["text"], text(&first).await);
    assert!(short.get("segments").is_none());
}

#[tokio::test]
async fn words_come_when_they_are_asked_for() {
    let sandbox = instant();
    let file = recording(1, 4_000);
    let granularity = ("timestamp_granularities[]", "word");
    let heard_words = heard(&sandbox, Some(("a.wav", &file)), &[MODEL, VERBOSE, granularity]).await.json();
    let words = heard_words["words"].as_array().expect("words");
    assert!(heard_words.get("segments").is_none());
    assert_eq!(
        (words[0]["start"].to_string(), words.last().expect("one")["end"].to_string()),
        ("0.0".to_owned(), "4.0".to_owned())
    );
    let both = [MODEL, VERBOSE, granularity, ("timestamp_granularities[]", "segment")];
    assert!(heard(&sandbox, Some(("a.wav", &file)), &both).await.json()["segments"].is_array());
    let refused = heard(&sandbox, Some(("a.wav", &file)), &[MODEL, granularity]).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn the_length_of_other_formats_is_taken_from_their_size() {
    let sandbox = instant();
    let mut flac = b"fLaC\0\0\0\x22".to_vec();
    flac.extend_from_slice(&[0; 10]);
    flac.extend_from_slice(&((16_000_u64 << 44) | 40_000).to_be_bytes());
    flac.resize(60, 0);
    let sized = |start: &[u8], size: usize| {
        let mut file = start.to_vec();
        file.resize(size, 1);
        file
    };
    for (name, file, seconds) in [
        ("a.flac", flac, "2.5"),
        ("a.mp3", sized(b"ID3\x04", 160_000), "10.0"),
        ("a.mpga", sized(&[0xff, 0xfb], 16_000), "1.0"),
        ("a.m4a", sized(b"\0\0\0\x20ftypM4A ", 120_000), "10.0"),
        ("a.ogg", sized(b"OggS", 80_000), "10.0"),
        ("a.webm", sized(&[0x1a, 0x45, 0xdf, 0xa3], 80_000), "10.0"),
    ] {
        let answer = heard(&sandbox, Some((name, &file)), &[MODEL, VERBOSE]).await.json();
        assert_eq!(answer["duration"].to_string(), seconds, "{name}");
    }
}

#[tokio::test]
async fn what_is_no_sound_or_too_much_is_refused() {
    let sandbox = instant();
    let file = recording(1, 1_000);
    let refused = async |file: (&str, &[u8]), fields: &[(&str, &str)]| {
        problem(&heard(&sandbox, Some(file), fields).await)
    };
    let (status, message) = refused(("voice.oga", &file), &[MODEL]).await;
    assert_eq!(
        (status, message.starts_with("file must be one of the following types: [flac mp3")),
        (400, true)
    );
    assert!(refused(("a.wav", b"not a sound"), &[MODEL]).await.1.starts_with("could not process file"));
    assert!(refused(("a.wav", &file[..44]), &[MODEL]).await.1.starts_with("Audio file is too short"));
    let large = vec![0; 25 * 1024 * 1024 + 1];
    assert_eq!(refused(("a.wav", &large), &[MODEL]).await, (413, "Request Entity Too Large".to_owned()));
    assert_eq!(refused(("a.wav", &file), &[("model", "whisper-1")]).await.0, 404);
    let prompt = "x".repeat(904);
    let (_, message) = refused(("a.wav", &file), &[MODEL, ("prompt", &prompt)]).await;
    assert!(message.ends_with("provided prompt contains 904 characters"), "{message}");
    for field in [
        ("response_format", "srt"),
        ("language", "vietnamese"),
        ("temperature", "1.5"),
        ("url", "http://x.test/"),
    ] {
        assert_eq!(refused(("a.wav", &file), &[MODEL, field]).await.0, 400, "{field:?}");
    }
    assert_eq!(problem(&heard(&sandbox, None, &[MODEL]).await).0, 400);
}

#[tokio::test]
async fn refusals_have_openais_shape() {
    let sandbox = instant();
    let stranger = ask(&sandbox, TRANSCRIBE, &[("authorization", "Bearer gsk_other")], "").await;
    assert_eq!((stranger.status, &stranger.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    for status in [429, 498, 500, 502, 503] {
        let fault = Fault::Status { status, retry_after: Some(5) };
        sandbox.faults().set(Service::Groq, FaultRule::once(fault));
        let answer = heard(&sandbox, Some(("a.wav", b"x")), &[MODEL]).await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, "5"));
        assert!(answer.json()["error"]["type"].is_string());
    }
}

#[tokio::test]
async fn silence_invents_a_text_that_gives_itself_away() {
    let sandbox = instant();
    let mut silent = recording(1, 6_000);
    silent[44..].fill(0);
    let spoken = recording(1, 6_000);
    for (file, prompt) in [(&silent, "x"), (&spoken, "[[sandbox:no_speech]]")] {
        let answer =
            heard(&sandbox, Some(("a.wav", file)), &[MODEL, VERBOSE, ("prompt", prompt)]).await.json();
        let segments = answer["segments"].as_array().expect("segments");
        assert_eq!((segments.len(), &answer["text"]), (1, &json!(" Thank you for watching!")));
        assert_eq!(segments[0]["no_speech_prob"].to_string(), "0.9");
        assert!(segments[0]["avg_logprob"].as_f64() < Some(-1.0));
    }
    sandbox.faults().set(Service::Groq, FaultRule::once(Fault::Empty));
    let empty = heard(&sandbox, Some(("a.wav", &spoken)), &[MODEL, VERBOSE]).await.json();
    assert_eq!((&empty["text"], &empty["segments"]), (&json!(""), &json!([])));
}

#[tokio::test]
async fn an_address_is_fetched_from_this_machine_only() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let elsewhere = || async { axum::response::Redirect::temporary("https://files.example/a.wav") };
    let router = Router::new()
        .route("/a.wav", get(|| async { recording(1, 2_000) }))
        .route("/moved.wav", get(elsewhere));
    super::serve(router, listener);
    let sandbox = instant();
    let fetched = async |url: &str| heard(&sandbox, None, &[MODEL, VERBOSE, ("url", url)]).await;
    assert_eq!(fetched(&format!("{address}/a.wav")).await.json()["duration"].to_string(), "2.0");
    let data = format!("data:audio/wav;base64,{}", base64_of(&recording(1, 1_000)));
    assert_eq!(fetched(&data).await.json()["duration"].to_string(), "1.0");
    for (url, words) in [
        (format!("{address}/none.wav"), "received status code: 404"),
        (format!("{address}/moved.wav"), "received status code: 307"),
        ("http://192.0.2.1/a.wav".to_owned(), "only this machine"),
        ("http://169.254.169.254/latest".to_owned(), "only this machine"),
    ] {
        let (status, message) = problem(&fetched(&url).await);
        assert_eq!((status, message.contains(words)), (400, true), "{message}");
    }
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[tokio::test]
async fn a_translation_is_english_and_models_are_listed() {
    let sandbox = instant();
    let key = format!("Bearer {GROQ_KEY}");
    let models =
        ask(&sandbox, "GET /sandbox/groq/openai/v1/models", &[("authorization", &key)], "").await.json();
    let ids: Vec<&Value> =
        models["data"].as_array().expect("a list").iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, ["whisper-large-v3", "whisper-large-v3-turbo"]);
}
