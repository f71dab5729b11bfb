use super::stand::{Answer, Received, Reply, Say, json, reply};
use super::world::{PROMPT, World, brought, order, recording, speech, spoken, wav};
use crate::{JobOrder, Made, ProviderName, Request, Sign, SourceFile, Voice};
use serde_json::{Value, json};

pub(super) const STEP: &[&str] = &["replicate/xtts"];
pub(super) const XTTS: &str = "684bc3855b37866c0c65add2ff39c78f3dea3f4ff103a436465326e0f438d55e";
/// The job of `world::order`.
pub(super) const JOB: &str = "01KAQ3V7W05A5XM3YFMXP5K4KG";
pub(super) const CREATE: &str = "POST /replicate/v1/predictions";
/// A short patience, so that the chain gives up within a test what never comes.
pub(super) const IMPATIENT: [(&str, &str); 1] = [("PROVIDER_FIRST_CONTENT_MS_SPEECH", "1600")];

/// The vendor's happy day, call by call.
pub(super) fn vendor(request: &Received) -> Reply {
    match (request.method.as_str(), request.path.split('?').next().unwrap()) {
        ("POST", "/replicate/v1/predictions") => json(201, &shown("starting")),
        ("GET", "/replicate/v1/predictions") => json(200, &json!({"next": null, "results": []})),
        ("GET", "/replicate/v1/predictions/p1a2b3") => match request.nth {
            0 => json(200, &shown("starting")),
            1 => json(200, &shown("processing")),
            _ => json(200, &succeeded(request, Value::Null)),
        },
        ("GET", "/replicate/files/a.wav") => reply(200, &[("content-type", "audio/wav")], wav()),
        _ => reply(404, &[], r#"{"detail":"The requested resource could not be found."}"#),
    }
}

pub(super) fn shown(status: &str) -> Value {
    json!({"id": "p1a2b3", "model": "lucataco/xtts-v2", "version": XTTS, "input": {}, "logs": "", "output": null,
           "error": null, "status": status, "metrics": {}, "created_at": "2026-09-21T14:13:20.123456Z",
           "started_at": null, "data_removed": false, "urls": {"get": "http://elsewhere.test/p1a2b3"}})
}

/// With the fields of `changed` in place of its own.
pub(super) fn succeeded(request: &Received, changed: Value) -> Value {
    let mut body = shown("succeeded");
    body["output"] = json!(format!("http://{}/replicate/files/a.wav", request.header("host").unwrap()));
    body["metrics"] = json!({"predict_time": 3.2, "total_time": 9.1});
    for (name, value) in changed.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

pub(super) fn is_look(request: &Received) -> bool {
    request.method == "GET" && request.path.ends_with("/p1a2b3")
}

fn ordered(request: Request) -> JobOrder {
    let webhooks = "https://api.citipen.test/v1/webhooks/providers/".parse().ok();
    JobOrder { webhooks, ..order(request) }
}

#[tokio::test]
async fn a_speech_is_asked_for_followed_and_priced_by_the_machines_time() {
    let world = World::start(vendor).await;
    let told = world.order(STEP, order(speech("en"))).await;

    assert_eq!(brought(&told).await.unwrap(), wav());
    assert_eq!(told.signs, [Sign::Queued { ahead: None }, Sign::Working { percent: None }]);
    let served = told.served();
    assert_eq!((served.provider, served.model.as_str()), (ProviderName::Replicate, "xtts-v2"));
    assert_eq!((served.cost, served.cost_is_estimated), ("0.312".parse().unwrap(), false));
    assert_eq!(served.usage.billable_units.as_deref(), Some("3.2"));
    assert_eq!(served.attempts[0].provider_request_id.as_deref(), Some("p1a2b3"));
    assert_eq!(world.stand.count(CREATE), 1);
    let requests = world.stand.requests();
    let (file, api) = requests.split_last().unwrap();
    assert_eq!((file.path.as_str(), file.header("authorization")), ("/replicate/files/a.wav", None));
    assert!(api.iter().all(|call| call.header("authorization") == Some("Bearer r8_key")));
}

#[tokio::test]
async fn the_submit_is_the_documented_one_and_lives_no_longer_than_its_price_pays() {
    let world = World::start(vendor).await;
    world.order(STEP, ordered(speech("en"))).await.served();
    let requests = world.stand.requests();
    // Six cents at 0.0975 a second.
    assert_eq!(requests[0].header("cancel-after"), Some("61s"));
    assert_eq!(requests[0].header("prefer"), None);
    let expected = json!({
        "version": XTTS,
        "input": {
            "text": PROMPT, "speaker": format!("https://voices.test/ann.wav?signed=1#{JOB}"), "language": "en",
            "cleanup_voice": false,
        },
        "webhook": format!("https://api.citipen.test/v1/webhooks/providers/replicate/{JOB}"),
        "webhook_events_filter": ["completed"],
    });
    assert_eq!(requests[0].json(), expected);
}

#[tokio::test]
async fn a_life_is_bounded_by_price_and_patience_and_is_five_seconds_at_least() {
    let text = |chars| spoken(&"a".repeat(chars), "en", Voice::Named("man_deep".to_owned()));
    for (chars, cost, patience, life) in [
        (1_000, "6", "110000", "61s"),
        (1_001, "6", "110000", "110s"),
        (1_000, "0.5", "110000", "5s"),
        (1_000, "6", "9000", "9s"),
        (1_000, "6", "1600", "5s"),
    ] {
        let settings =
            [("REPLICATE_SPEECH_COST_CENTS", cost), ("PROVIDER_FIRST_CONTENT_MS_SPEECH", patience)];
        let world = World::with(settings, vendor).await;
        world.order(STEP, order(text(chars))).await.served();
        assert_eq!(world.stand.requests()[0].header("cancel-after"), Some(life), "{chars} {cost} {patience}");
        assert_eq!(world.stand.requests()[0].json().get("webhook"), None, "the order has no webhooks");
    }
}

#[test]
fn a_price_that_does_not_pay_the_shortest_life_is_refused_at_the_start() {
    let env = super::world::env("127.0.0.1:1").with([("REPLICATE_SPEECH_COST_CENTS", "0.4")]);
    let platform = platform::Platform::build(env, primitives::Clock::system(), None).unwrap();
    let refused = crate::Providers::new(&platform).err().unwrap().to_string();
    assert!(refused.contains("REPLICATE_SPEECH_COST_CENTS"), "{refused}");
}

#[tokio::test]
async fn vietnamese_goes_to_the_model_that_speaks_it_and_its_object_is_read() {
    let world = World::start(|request| {
        let url = format!("http://{}/replicate/files/a.wav", request.header("host").unwrap_or_default());
        match is_look(request) {
            true => json(200, &succeeded(request, json!({"output": {"path": url}}))),
            false => vendor(request),
        }
    })
    .await;
    let told = world.order(STEP, order(speech("vi"))).await;
    assert_eq!(brought(&told).await.unwrap(), wav());
    let body = world.stand.requests()[0].json();
    assert_eq!(
        (&body["version"], &body["input"]["language"]),
        (&json!("suminhthanh/vixtts:5222"), &json!("vi"))
    );
    assert_eq!(body["input"].get("cleanup_voice"), None, "the fork is not known to take it");
}

#[tokio::test]
async fn a_recording_is_passed_on_as_a_link() {
    let world = World::start(vendor).await;
    let recording = recording(&world.stand.host, 20);
    let link = format!("{}#{JOB}", recording.link.expose());
    world.order(STEP, order(spoken(PROMPT, "en", Voice::Recorded(recording)))).await.served();
    assert_eq!(world.stand.requests()[0].json()["input"]["speaker"], json!(link));
    assert_eq!(world.stand.count("GET /media"), 0, "it is Replicate that reads it");
}

#[tokio::test]
async fn what_no_model_there_can_do_is_left_out_without_being_asked() {
    let no_fork: &[(&str, &str)] = &[("REPLICATE_VIXTTS_VERSION", "")];
    let no_speaker: &[(&str, &str)] = &[("REPLICATE_SPEAKER_URL", "")];
    let flac = SourceFile { extension: "flac", ..recording("127.0.0.1:1", 20) };
    let table = [
        (&[][..], speech("ja")),
        (&[], speech("xx")),
        (no_fork, speech("vi")),
        (no_speaker, speech("en")),
        (&[], spoken(PROMPT, "en", Voice::Recorded(flac))),
    ];
    for (row, (settings, request)) in table.into_iter().enumerate() {
        let unset = settings.first().copied().unwrap_or(("UNUSED", ""));
        let world = World::with([unset], vendor).await;
        let told = world.order(STEP, order(request)).await;
        assert_eq!(told.failure(), ("unavailable", vec![]), "row {row}");
        assert_eq!(world.stand.requests().len(), 0, "row {row}");
    }
}

#[tokio::test]
async fn a_refused_submit_has_the_class_its_words_have_and_costs_nothing() {
    let version = r#"{"title":"Invalid version or not permitted","detail":"secret","status":422}"#;
    let text = r#"{"title":"Input validation failed","invalid_fields":[{"field":"input.text"}]}"#;
    let speaker = r#"{"title":"Input validation failed","invalid_fields":[{"field":"input.speaker"}]}"#;
    let throttled = r#"{"detail":"Request was throttled. Your rate limit resets in ~30s."}"#;
    let soon = r#"{"detail":"Request was throttled. Your rate limit resets in ~0s."}"#;
    let table = [
        (400, "{}", "request_refused", 1),
        (401, r#"{"title":"Unauthenticated"}"#, "auth", 1),
        (402, r#"{"title":"Insufficient credit","detail":"secret"}"#, "no_balance", 1),
        (404, "{}", "model_gone", 1),
        (422, version, "model_gone", 1),
        (422, text, "bad_input", 1),
        (422, speaker, "request_refused", 1),
        (429, throttled, "rate_limited", 1),
        (429, soon, "rate_limited", 2),
    ];
    for (status, body, class, tries) in table {
        let world = World::start(move |_| reply(status, &[], body)).await;
        let told = world.order(STEP, order(speech("en"))).await;
        assert_eq!(told.failure(), (class, vec![class; tries]), "{status} {body}");
        assert_eq!(world.stand.requests().len(), tries, "{status}: nothing is looked for");
        assert!(!format!("{:?}", told.outcome).contains("secret"));
        assert!(told.outcome.unwrap_err().attempts.iter().all(|attempt| attempt.cost.micro_cents() == 0));
    }
}

#[tokio::test]
async fn one_odd_look_ends_nothing() {
    let table: Vec<Answer> = vec![
        Box::new(|_| vec![Say::Hang]),
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| vec![Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec()), Say::Cut]),
        Box::new(|_| reply(404, &[], r#"{"detail":"Not Found"}"#)),
        Box::new(|_| reply(401, &[], "{}")),
        Box::new(|_| reply(429, &[], "{}")),
        Box::new(|_| reply(500, &[], "<html>")),
        Box::new(|_| reply(302, &[("location", "/login")], "")),
        Box::new(|_| reply(200, &[], "<html>")),
        Box::new(|_| reply(200, &[], "null")),
        Box::new(|_| json(200, &json!({"status": null}))),
        Box::new(|_| json(200, &json!({"status": "novel", "output": "http://elsewhere.test/a.wav"}))),
    ];
    for (row, odd) in table.into_iter().enumerate() {
        let settings = [("PROVIDER_FIRST_CONTENT_MS_SPEECH", "4000")];
        let world = World::with(settings, move |request| match request.nth {
            0 if is_look(request) => odd(request),
            _ => vendor(request),
        })
        .await;
        let told = world.order(STEP, order(speech("en"))).await;
        assert_eq!(told.served().attempts.len(), 1, "row {row}");
        assert_eq!(world.stand.count(CREATE), 1, "row {row}");
    }
}

#[tokio::test]
async fn a_file_that_breaks_off_is_told_and_can_be_opened_again() {
    let world = World::start(|request| match request.path.as_str() {
        "/replicate/files/a.wav" => match request.nth {
            0 => vec![Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nRIFF".to_vec()), Say::Cut],
            1 => reply(302, &[("location", "/replicate/files/b.wav")], ""),
            2 => reply(404, &[], ""),
            _ => vendor(request),
        },
        _ => vendor(request),
    })
    .await;
    let told = world.order(STEP, order(speech("en"))).await;
    assert!(matches!(told.made.as_slice(), [Made::File(_)]));
    // What broke off is gone on with behind what has come; that leads elsewhere, and the next look finds nothing.
    for nth in 0..2 {
        assert!(brought(&told).await.is_err(), "{nth}");
    }
    let ranges = world.stand.requests();
    let ranges = ranges.iter().filter(|request| request.path == "/replicate/files/a.wav");
    let ranges: Vec<_> = ranges.map(|request| request.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=4-".to_owned()), None]);
    assert_eq!(brought(&told).await.unwrap(), wav());
    assert_eq!(world.stand.count("GET /replicate/files/b.wav"), 0, "redirects are not followed");
}
