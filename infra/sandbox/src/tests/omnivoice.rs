use serde_json::{Value, json};

use super::{Answer, ask, instant, paced};
use crate::sound::{Melody, Wave};
use crate::{Fault, FaultRule, OMNIVOICE_KEY, Sandbox, Service};

const SPEECH: &str = "POST /sandbox/omnivoice/v1/audio/speech";
const BOUNDARY: &str = "multipart/form-data; boundary=seam";

async fn call(
    sandbox: &Sandbox,
    order: &str,
    content_type: &str,
    body: impl Into<axum::body::Body>,
) -> Answer {
    let key = format!("Bearer {OMNIVOICE_KEY}");
    ask(sandbox, order, &[("authorization", &key), ("content-type", content_type)], body).await
}

async fn speech(sandbox: &Sandbox, body: &Value) -> Answer {
    call(sandbox, SPEECH, "application/json", body.to_string()).await
}

/// A form of texts, and of files where the name has an `@`: `("ref_audio@ann.wav", bytes)`.
fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let name = match name.split_once('@') {
            Some((name, file)) => format!("name=\"{name}\"; filename=\"{file}\"\r\nContent-Type: audio/wav"),
            None => format!("name=\"{name}\""),
        };
        body.extend_from_slice(
            format!("--seam\r\nContent-Disposition: form-data; {name}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--seam--\r\n");
    body
}

fn recording() -> Vec<u8> {
    let melody = Melody { seed: 7, millis: 6_000, is_drone: false };
    melody.file(0..melody.file_bytes())
}

fn message(answer: &Answer) -> (u16, String, String) {
    let error = answer.json()["error"].clone();
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    (answer.status, text("code"), text("message"))
}

#[tokio::test]
async fn speech_is_a_wav_whose_length_follows_from_the_text() {
    let sandbox = instant();
    let text = "Một câu tiếng Việt dài đúng bốn mươi lăm chữ.";
    assert_eq!(text.chars().count(), 45);
    let answer = speech(&sandbox, &json!({ "model": "omnivoice", "input": text, "language": "vi" })).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "audio/wav"));
    assert_eq!(
        (answer.header("x-audio-duration-s"), answer.header("x-synthesis-latency-s")),
        ("3.0", "0.15")
    );
    assert!(answer.header("x-no-speech-detected").is_empty());
    let wave = Wave::read(&answer.body).expect("a WAV");
    assert_eq!((wave.sample_rate, wave.millis, wave.is_silent), (24_000, 3_000, false));
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    assert_eq!(
        u32::from_le_bytes(answer.body[40..44].try_into().expect("four")) as usize,
        answer.body.len() - 44
    );

    for (body, millis) in
        [(json!({ "input": text, "speed": 1.5 }), 2_000), (json!({ "input": text, "duration": 0.5 }), 500)]
    {
        assert_eq!(Wave::read(&speech(&sandbox, &body).await.body).expect("a WAV").millis, millis);
    }
}

#[tokio::test]
async fn the_bytes_follow_from_text_voice_and_seed() {
    let sandbox = instant();
    let bytes = async |body: Value| speech(&sandbox, &body).await.body;
    let first = bytes(json!({ "input": "hello there", "voice": "nova", "seed": 3 })).await;
    assert_eq!(first, bytes(json!({ "input": "hello there", "voice": "nova", "seed": 3 })).await);
    for other in [
        json!({ "input": "hello where", "voice": "nova", "seed": 3 }),
        json!({ "input": "hello there", "voice": "onyx", "seed": 3 }),
        json!({ "input": "hello there", "voice": "nova", "seed": 4 }),
    ] {
        let other = bytes(other).await;
        assert_eq!(other.len(), first.len());
        assert_ne!(other, first);
    }
}

#[tokio::test]
async fn pcm_is_the_wav_without_its_header_and_can_be_streamed() {
    let sandbox = instant();
    let text = "A sentence that lasts a second or two.";
    let wav = speech(&sandbox, &json!({ "input": text })).await;
    let pcm = speech(&sandbox, &json!({ "input": text, "response_format": "pcm" })).await;
    assert_eq!((pcm.header("content-type"), &pcm.body[..]), ("audio/pcm", &wav.body[44..]));
    assert_eq!(pcm.header("x-audio-duration-s"), wav.header("x-audio-duration-s"));

    let streamed =
        speech(&sandbox, &json!({ "input": text, "response_format": "pcm", "stream": true })).await;
    assert_eq!((&streamed.body, streamed.header("x-audio-format")), (&pcm.body, "pcm-int16-le"));
    assert!(streamed.header("x-audio-duration-s").is_empty(), "nobody knows yet");
    let refused = speech(&sandbox, &json!({ "input": text, "stream": true })).await;
    assert_eq!(message(&refused).1, "bad_request");
    let missing = speech(&sandbox, &json!({ "input": text, "response_format": "mp3" })).await;
    assert_eq!((message(&missing).0, message(&missing).1.as_str()), (501, "http_501"));
}

#[tokio::test]
async fn the_401_of_the_key_is_a_bare_string() {
    let sandbox = instant();
    for order in [SPEECH, "GET /sandbox/omnivoice/v1/voices", "GET /sandbox/omnivoice/nowhere"] {
        let answer = ask(&sandbox, order, &[], "{}").await;
        assert_eq!((answer.status, answer.json()), (401, json!({ "error": "Invalid or missing API key" })));
    }
    for open in ["health", "v1/models", "metrics"] {
        assert_eq!(ask(&sandbox, &format!("GET /sandbox/omnivoice/{open}"), &[], "").await.status, 200);
    }
}

#[tokio::test]
async fn wrong_fields_are_named_and_other_errors_have_a_code() {
    let sandbox = instant();
    let wrong =
        speech(&sandbox, &json!({ "input": "", "speed": 5, "seed": -1, "response_format": "gif" })).await;
    assert_eq!((wrong.status, &wrong.json()["error"]["code"]), (422, &json!("validation_error")));
    let found: Vec<(Value, Value)> = wrong.json()["error"]["detail"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| (entry["loc"][1].clone(), entry["type"].clone()))
        .collect();
    let expected = [
        ("input", "string_too_short"),
        ("response_format", "literal_error"),
        ("speed", "less_than_equal"),
        ("seed", "int_parsing"),
    ];
    assert_eq!(found, expected.map(|(name, kind)| (json!(name), json!(kind))));
    let long = speech(&sandbox, &json!({ "input": "x".repeat(10_001) })).await;
    assert_eq!(long.json()["error"]["detail"][0]["type"], "string_too_long");

    for (voice, status) in
        [("auto", 200), ("design:female, british", 200), ("nova", 200), ("Bella", 422), ("clone:ann", 404)]
    {
        assert_eq!(
            speech(&sandbox, &json!({ "input": "hi", "voice": voice })).await.status,
            status,
            "{voice}"
        );
    }
    for (status, code) in
        [(500, "inference_failed"), (503, "model_not_ready"), (504, "timeout"), (413, "payload_too_large")]
    {
        sandbox
            .faults()
            .set(Service::Omnivoice, FaultRule::once(Fault::Status { status, retry_after: None }));
        let answer = speech(&sandbox, &json!({ "input": "hi" })).await;
        assert_eq!((message(&answer).0, message(&answer).1.as_str()), (status, code));
    }
}

#[tokio::test]
async fn sound_can_be_a_drone_empty_cut_or_short() {
    let sandbox = instant();
    let text = "A sentence that is long enough for more than three halves of a second of sound.";
    let ordered = async |fault: &str, more: Value| {
        let mut body = json!({ "input": format!("[[sandbox:{fault}]] {text}") });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        speech(&sandbox, &body).await
    };
    let drone = ordered("no_speech", json!({})).await;
    assert_eq!(drone.header("x-no-speech-detected"), "true");
    let crossings = |body: &[u8]| {
        let samples: Vec<i16> =
            body[44..].chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        samples.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count() * 100 / samples.len()
    };
    let plain = speech(&sandbox, &json!({ "input": text })).await;
    assert!(
        crossings(&drone.body) < 1 && crossings(&plain.body) >= 4,
        "speech crosses zero often, a drone does not"
    );

    let empty = ordered("empty", json!({})).await;
    assert_eq!((empty.body.len(), empty.header("x-audio-duration-s")), (44, "0.0"));
    let cut = ordered("cut_stream after=2", json!({})).await;
    assert_eq!((cut.is_broken, cut.body.len()), (true, 48_000));
    let short = ordered("end_early after=2", json!({ "response_format": "pcm", "stream": true })).await;
    assert_eq!((short.is_broken, short.body.len()), (false, 48_000));
}

#[tokio::test]
async fn unknown_tags_are_named() {
    let text = "[laughter] hello [laugh] and [Laugh] again [not a tag]";
    let answer = speech(&instant(), &json!({ "input": text })).await;
    assert_eq!(answer.header("x-unknown-nonverbal-tags"), "laugh");
}

#[tokio::test]
async fn a_voice_is_cloned_from_a_form_once_or_under_a_name() {
    let sandbox = instant();
    let recording = recording();
    let order = "POST /sandbox/omnivoice/v1/audio/speech/clone";
    let body = form(&[
        ("text", "Xin chào các bạn".as_bytes()),
        ("ref_audio@ann.wav", &recording),
        ("speed", b"1.0"),
    ]);
    let answer = call(&sandbox, order, BOUNDARY, body).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "audio/wav"));
    let other = form(&[("text", "Xin chào các bạn".as_bytes()), ("ref_audio@bob.wav", &recording[..60_000])]);
    assert_ne!(call(&sandbox, order, BOUNDARY, other).await.body, answer.body);
    for (fields, status) in [
        (&[("text", &b"hi"[..])][..], 422),
        (&[("text", b"hi"), ("ref_audio@a.wav", b"")], 422),
        (&[("text", b"hi"), ("ref_audio@a.txt", b"no sound at all")], 422),
    ] {
        assert_eq!(call(&sandbox, order, BOUNDARY, form(fields)).await.status, status);
    }
    let large = vec![0; 26 * 1024 * 1024];
    let refused =
        call(&sandbox, order, BOUNDARY, form(&[("text", b"hi"), ("ref_audio@a.wav", &large)])).await;
    assert_eq!((message(&refused).0, message(&refused).1.as_str()), (413, "payload_too_large"));

    let profiles = "/sandbox/omnivoice/v1/voices/profiles";
    let named =
        form(&[("profile_id", b"ann"), ("ref_audio@ann.wav", &recording), ("ref_text", "chào".as_bytes())]);
    let created = call(&sandbox, &format!("POST {profiles}"), BOUNDARY, named.clone()).await;
    assert_eq!((created.status, &created.json()["ref_text"]), (201, &json!("chào")));
    assert_eq!(call(&sandbox, &format!("POST {profiles}"), BOUNDARY, named).await.status, 409);
    assert_eq!(speech(&sandbox, &json!({ "input": "hi", "voice": "clone:ann" })).await.status, 200);
    let voices = call(&sandbox, "GET /sandbox/omnivoice/v1/voices", "", "").await.json();
    assert!(voices["voices"].as_array().expect("a list").iter().any(|voice| voice["id"] == "clone:ann"));
    let patch = form(&[("ref_text", b"other")]);
    let patched = call(&sandbox, &format!("PATCH {profiles}/ann"), BOUNDARY, patch).await;
    assert_eq!(patched.json()["ref_text"], "other");
    assert_eq!(call(&sandbox, &format!("DELETE {profiles}/ann"), "", "").await.status, 204);
    assert_eq!(call(&sandbox, &format!("GET {profiles}/ann"), "", "").await.status, 404);
}

#[tokio::test]
async fn a_fault_can_be_asked_for_inside_a_form_with_a_file() {
    let sandbox = instant();
    let order = "POST /sandbox/omnivoice/v1/audio/speech/clone";
    let body = form(&[("ref_audio@ann.wav", &recording()), ("text", b"[[sandbox:status status=504]]")]);
    assert_eq!(call(&sandbox, order, BOUNDARY, body).await.status, 504);
}

#[tokio::test]
async fn a_paced_stream_brings_the_same_sound() {
    let body = json!({ "input": "one two three four five", "response_format": "pcm", "stream": true });
    let key = format!("Bearer {OMNIVOICE_KEY}");
    let headers = [("authorization", key.as_str()), ("x-sandbox-pace", "1")];
    let slow = ask(&paced(), SPEECH, &headers, body.to_string()).await;
    assert_eq!(slow.body, speech(&instant(), &body).await.body);
}
