use super::stand::{Answer, Received, Reply, Say, json, reply, then};
use super::world::{PROMPT, World, brought, order, recording, speech, spoken, wav};
use crate::{FailureClass, ProviderName, Request, Sign, Ticket, Visit, Visited, Voice, Work};
use serde_json::json;
use std::time::Duration;

const STEP: &[&str] = &["omnivoice/speech"];
const CHAIN: &[&str] = &["omnivoice/speech", "replicate/xtts"];
/// A short patience, so that the chain gives up within a test what never comes.
const IMPATIENT: [(&str, &str); 1] = [("PROVIDER_FIRST_CONTENT_MS_SPEECH", "1600")];
const RECORDING: &[u8] = b"RIFF a voice \r\n--citipen-0000";

fn vendor(request: &Received) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/omnivoice/v1/audio/speech" | "/omnivoice/v1/audio/speech/clone") => {
            reply(200, &[("content-type", "audio/wav"), ("x-audio-duration-s", "0.0")], wav())
        }
        ("GET", "/media/ann.wav?signed=1") => reply(200, &[], RECORDING),
        _ => super::replicate::vendor(request),
    }
}

fn recorded(world: &World) -> Request {
    let recording = recording(&world.stand.host, RECORDING.len() as u64);
    spoken(PROMPT, "vi", Voice::Recorded(recording))
}

#[tokio::test]
async fn a_text_is_spoken_by_one_of_our_voices_in_one_answer() {
    let world = World::start(vendor).await;
    let told = world.order(STEP, order(speech("ar"))).await;

    assert_eq!(brought(&told).await.unwrap(), wav());
    assert_eq!(told.signs, [] as [Sign; 0]);
    let served = told.served();
    assert_eq!((served.provider, served.model.as_str()), (ProviderName::Omnivoice, "omnivoice"));
    assert_eq!((served.cost, served.cost_is_estimated), ("1".parse().unwrap(), false));

    let requests = world.stand.requests();
    assert_eq!((requests.len(), requests[0].path.as_str()), (1, "/omnivoice/v1/audio/speech"));
    assert_eq!(requests[0].header("authorization"), Some("Bearer omni-key"));
    assert_eq!(requests[0].header("content-type"), Some("application/json"));
    let mut body = requests[0].json();
    let seconds = body["request_timeout_s"].take().as_u64().unwrap();
    assert!((1..=20).contains(&seconds), "no longer than our call waits: {seconds}");
    let expected = json!({
        "model": "omnivoice", "input": PROMPT, "voice": "design:male, middle-aged, low pitch", "seed": 1105,
        "language": "arb", "response_format": "wav", "request_timeout_s": null,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_text_is_spoken_like_in_a_recording_that_we_send_along() {
    let world = World::start(vendor).await;
    let told = world.order(STEP, order(recorded(&world))).await;
    assert_eq!(brought(&told).await.unwrap(), wav());

    let requests = world.stand.requests();
    let (fetch, call) = (&requests[0], &requests[1]);
    assert_eq!(fetch.header("authorization"), None, "our store gets a link, not the server's key");
    assert_eq!(call.path, "/omnivoice/v1/audio/speech/clone");
    assert_eq!(call.header("authorization"), Some("Bearer omni-key"));
    let boundary =
        call.header("content-type").unwrap().strip_prefix("multipart/form-data; boundary=").unwrap();
    let body = call.body.clone();
    let part = |head: &str, content: &[u8]| {
        [
            format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(),
            content,
            b"\r\n",
        ]
        .concat()
    };
    let seconds = (1..=20).find(|seconds| {
        let parts = [
            part("name=\"text\"", PROMPT.as_bytes()),
            part("name=\"language\"", b"vi"),
            part("name=\"response_format\"", b"wav"),
            part("name=\"request_timeout_s\"", seconds.to_string().as_bytes()),
            part("name=\"ref_audio\"; filename=\"recording.wav\"\r\nContent-Type: audio/wav", RECORDING),
            format!("--{boundary}--\r\n").into_bytes(),
        ];
        parts.concat() == body
    });
    assert!(seconds.is_some(), "{}", String::from_utf8_lossy(&body));
}

#[tokio::test]
async fn a_recording_that_our_store_does_not_give_is_asked_for_again_and_nothing_is_sent() {
    let world = World::start(|request| match request.path.starts_with("/media/") {
        true => reply(503, &[], ""),
        false => vendor(request),
    })
    .await;
    let told = world.order(STEP, order(recorded(&world))).await;
    assert_eq!(told.failure(), ("unavailable", vec!["unavailable", "unavailable"]));
    assert_eq!((world.stand.count("GET /media"), world.stand.count("POST")), (2, 0));
    assert!(told.outcome.unwrap_err().attempts.iter().all(|attempt| attempt.cost.micro_cents() == 0));
}

#[tokio::test]
async fn the_cost_counts_begun_thousands_of_characters() {
    let world = World::with([("OMNIVOICE_COST_CENTS", "0.7")], vendor).await;
    for (chars, cost) in [(1, "0.7"), (1_000, "0.7"), (1_001, "1.4")] {
        let text = "đ".repeat(chars);
        let request = spoken(&text, "vi", Voice::Named("man_deep".to_owned()));
        let told = world.order(STEP, order(request)).await;
        assert_eq!(told.served().cost, cost.parse().unwrap(), "{chars}");
    }
}

#[tokio::test]
async fn sound_without_speech_or_without_anything_to_hear_is_empty_and_paid() {
    let silent = [&wav()[..44], &[0; 8]].concat();
    let empty = [&wav()[..40], &[0; 4]].concat();
    let table = [(wav(), "true"), (wav(), "True"), (silent, "false"), (empty, "")];
    for (row, (file, no_speech)) in table.into_iter().enumerate() {
        let world = World::start(move |request| match request.path.starts_with("/omnivoice") {
            true => reply(200, &[("x-no-speech-detected", no_speech)], &file),
            false => vendor(request),
        })
        .await;
        let told = world.order(STEP, order(speech("vi"))).await;
        assert_eq!(told.failure(), ("empty_answer", vec!["empty_answer"]), "row {row}");
        let attempt = told.outcome.unwrap_err().attempts.remove(0);
        assert_eq!((attempt.cost, attempt.cost_is_estimated), ("1".parse().unwrap(), false), "row {row}");
        assert_eq!(world.order(CHAIN, order(speech("vi"))).await.served().provider, ProviderName::Replicate);
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_late_or_no_sound_is_paid_and_the_next_provider_is_asked() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 52\r\n\r\n".to_vec();
    let half = move || Say::Bytes([head.clone(), wav()[..30].to_vec()].concat());
    let half_again = half.clone();
    let huge = b"HTTP/1.1 200 OK\r\ncontent-length: 67108865\r\n\r\nRIFF";
    let table: Vec<Answer> = vec![
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| vec![Say::Hang]),
        Box::new(move |_| vec![half(), Say::Cut]),
        Box::new(move |_| vec![half_again(), Say::Hang]),
        Box::new(|_| reply(200, &[], &wav()[..50])),
        Box::new(|_| reply(200, &[("content-type", "audio/wav")], "<html>")),
        Box::new(|_| reply(200, &[], "")),
        Box::new(|_| json(200, &json!({"error": {"code": "inference_failed"}}))),
        Box::new(|_| then(vec![Say::Bytes(huge.to_vec())], Say::Hang)),
    ];
    for (row, odd) in table.into_iter().enumerate() {
        let world = World::with(IMPATIENT, move |request| {
            if request.path.starts_with("/omnivoice") { odd(request) } else { vendor(request) }
        })
        .await;
        let told = world.order(CHAIN, order(speech("vi"))).await;
        let served = told.served();
        assert_eq!(served.provider, ProviderName::Replicate, "row {row}");
        let lost = &served.attempts[0];
        assert_eq!(lost.failure, Some(FailureClass::BrokenStream), "row {row}");
        assert_eq!(lost.cost, "1".parse().unwrap(), "row {row}");
        assert_eq!(world.stand.count("POST /omnivoice"), 1, "row {row}: the machine works once");
    }
}

#[tokio::test]
async fn a_refusal_is_told_by_the_servers_own_shapes_and_costs_nothing() {
    let loading = json!({"error": {"code": "model_not_ready", "message": "Model is still loading"}});
    let table = [
        (401, json!({"error": "Invalid or missing API key"}), "auth", 1),
        (501, json!({"error": {"code": "http_501", "message": "secret"}}), "request_refused", 1),
        (503, loading, "unavailable", 2),
        (422, json!({"error": {"detail": [{"loc": ["body", "input"], "msg": "secret"}]}}), "bad_input", 1),
        (400, json!({"error": {"code": "bad_request", "message": "secret"}}), "request_refused", 1),
        (418, json!(null), "request_refused", 1),
    ];
    for (status, body, class, tries) in table {
        let text = body.to_string();
        let world = World::start(move |_| reply(status, &[], &text)).await;
        let told = world.order(STEP, order(speech("vi"))).await;
        assert_eq!(told.failure(), (class, vec![class; tries]), "{status}");
        assert!(!format!("{:?}", told.outcome).contains("secret"));
        assert!(told.outcome.unwrap_err().attempts.iter().all(|attempt| attempt.cost.micro_cents() == 0));
    }
}

#[tokio::test]
async fn a_server_that_is_still_loading_is_asked_once_more() {
    let world = World::start(|request| match request.nth {
        0 => json(503, &json!({"error": {"code": "model_not_ready"}})),
        _ => vendor(request),
    })
    .await;
    let told = world.order(STEP, order(speech("vi"))).await;
    let failures: Vec<_> = told.served().attempts.iter().map(|attempt| attempt.failure).collect();
    assert_eq!(failures, [Some(FailureClass::Unavailable), None]);
}

#[tokio::test]
async fn what_the_server_can_not_do_is_left_to_the_next_without_being_asked() {
    let world = World::start(vendor).await;
    let host = &world.stand.host;
    let long = "a".repeat(10_001);
    let named = |name: &str| Voice::Named(name.to_owned());
    let recorded = |bytes: u64, extension: &'static str| {
        Voice::Recorded(crate::SourceFile { extension, ..recording(host, bytes) })
    };
    let table = [
        spoken(&long, "vi", named("man_deep")),
        spoken(PROMPT, "vi", named("unknown")),
        spoken(PROMPT, "en", recorded(25_000_001, "wav")),
        spoken(PROMPT, "en", recorded(20, "m4a")),
    ];
    for (row, request) in table.into_iter().enumerate() {
        let told = world.order(CHAIN, order(request)).await;
        let served = told.served();
        assert_eq!((served.provider, served.attempts.len()), (ProviderName::Replicate, 1), "row {row}");
    }
    let unspoken = world.order(CHAIN, order(speech("xx"))).await;
    assert_eq!(unspoken.failure(), ("unavailable", vec![]), "no step speaks it");
    assert_eq!(world.stand.count("POST /omnivoice"), 0);
}

/// One process was killed after it had asked: a second process knows from the stored state only that the first one
/// asked.
#[tokio::test]
async fn a_second_process_can_not_get_a_lost_sound_and_goes_on_with_the_next_provider() {
    let world = World::start(vendor).await;
    let (chain, order) = (world.chain(CHAIN), order(speech("vi")));
    let visit = Visit::new(world.clock.now(), Duration::from_secs(5), Duration::from_secs(5));
    let begun = Work::new(visit.now(), visit.now().after(Duration::from_secs(60)), visit.now());
    let asking = chain.choose(&begun, &order).await.unwrap().asking(&begun, visit.now());
    let asked = chain.ask(&asking, &order, visit).await;
    assert!(asked.finished.is_some());

    let found = chain.find(&asking, &order, visit.now(), visit).await;
    assert_eq!(found.step(), 1);
    let attempt = &found.attempts()[0];
    assert_eq!((attempt.failure, attempt.cost), (Some(FailureClass::BrokenStream), "1".parse().unwrap()));
    assert!(attempt.cost_is_estimated);

    let stored: Work = serde_json::from_str(&serde_json::to_string(&asked.work).unwrap()).unwrap();
    let ticket: Ticket = stored.ticket().unwrap().clone();
    let Visited::Next(seen) =
        chain.watch(&stored, &ticket, &order, visit, visit.until(visit.now()), &mut |_| {}).await
    else {
        panic!("only the process that asked had the sound")
    };
    assert_eq!((seen.step(), seen.attempts()[0].failure), (1, Some(FailureClass::BrokenStream)));
    let Visited::Next(ended) = chain.withdraw(&stored.ending(), &ticket, &order, visit).await else {
        panic!("the server has no job to take back")
    };
    assert_eq!(ended.attempts()[0].cost, "1".parse().unwrap());
    assert_eq!(world.stand.count("POST /omnivoice"), 1);
}
