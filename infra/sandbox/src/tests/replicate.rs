use http::HeaderMap;
use serde_json::{Value, json};

use super::{Answer, BASE, ask, config, instant};
use crate::clerk::signature;
use crate::{Fault, FaultRule, REPLICATE_API_TOKEN, REPLICATE_WEBHOOK_SECRET, Sandbox, Service};

const XTTS: &str = "684bc3855b37866c0c65add2ff39c78f3dea3f4ff103a436465326e0f438d55e";
const VIXTTS: &str = "5222190b47dfb128cd588f07dadb78107aa489bdcd0af45814d7841d47f608c6";
const CREATE: &str = "POST /sandbox/replicate/v1/predictions";
const SPEAKER: &str = "https://files.example/ann.wav";
const NOON: u64 = 1_790_000_000;

async fn call(sandbox: &Sandbox, order: &str, more: &[(&str, &str)], body: &Value) -> Answer {
    let token = format!("Bearer {REPLICATE_API_TOKEN}");
    let headers = [&[("authorization", token.as_str())], more].concat();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    ask(sandbox, order, &headers, body).await
}

fn spoken(text: &str) -> Value {
    json!({ "version": XTTS, "input": { "text": text, "speaker": SPEAKER } })
}

async fn created(sandbox: &Sandbox, body: &Value) -> Value {
    let answer = call(sandbox, CREATE, &[], body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

async fn looked(sandbox: &Sandbox, prediction: &Value) -> Value {
    let order = format!("GET {}", prediction["urls"]["get"].as_str().expect("an address"));
    call(sandbox, &order, &[], &Value::Null).await.json()
}

fn id(prediction: &Value) -> &str {
    prediction["id"].as_str().expect("an id")
}

#[tokio::test]
async fn a_prediction_ends_with_a_wav_that_lasts_as_long_as_its_text() {
    let sandbox = instant();
    sandbox.set_now(Some(NOON));
    let born = created(&sandbox, &spoken("Thirty characters make two sec")).await;
    assert_eq!(
        (&born["status"], &born["output"], &born["metrics"]),
        (&json!("starting"), &Value::Null, &json!({}))
    );
    assert_eq!((&born["model"], &born["version"]), (&json!("lucataco/xtts-v2"), &json!(XTTS)));
    assert_eq!(born["created_at"], "2026-09-21T14:13:20.000Z");

    let done = looked(&sandbox, &born).await;
    assert_eq!((&done["status"], &done["error"]), (&json!("succeeded"), &Value::Null));
    assert_eq!(done["metrics"]["predict_time"].to_string(), "0.4");
    assert_eq!(done["input"], born["input"]);
    let url = done["output"].as_str().expect("a URI");
    assert!(url.starts_with(&format!("{BASE}/sandbox/replicate/files/")) && url.ends_with(".wav"));

    let file = ask(&sandbox, &format!("GET {url}"), &[], "").await;
    assert_eq!((file.status, file.header("content-type")), (200, "audio/wav"));
    assert_eq!(file.header("content-length"), "96044");
    assert_eq!(
        (file.body.len(), &file.body[..4], &file.body[8..16]),
        (96_044, &b"RIFF"[..], &b"WAVEfmt "[..])
    );
}

#[tokio::test]
async fn a_file_is_served_in_parts_and_ends_after_an_hour() {
    let sandbox = instant();
    sandbox.set_now(Some(NOON));
    let born = created(&sandbox, &spoken("A text of some length")).await;
    let done = looked(&sandbox, &born).await;
    let order = format!("GET {}", done["output"].as_str().expect("a URI"));
    let whole = ask(&sandbox, &order, &[], "").await;
    let size = whole.body.len();
    for (range, from, to) in [("bytes=40-50", 40, 51), ("bytes=-7", size - 7, size), ("bytes=45-", 45, size)]
    {
        let part = ask(&sandbox, &order, &[("range", range)], "").await;
        assert_eq!((part.status, &part.body[..]), (206, &whole.body[from..to]), "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/{size}", to - 1));
    }
    let beyond = ask(&sandbox, &order, &[("range", "bytes=999999999-")], "").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, format!("bytes */{size}").as_str()));

    sandbox.set_now(Some(NOON + 3_599));
    assert_eq!(looked(&sandbox, &born).await["data_removed"], false);
    sandbox.set_now(Some(NOON + 3_600));
    let removed = looked(&sandbox, &born).await;
    assert_eq!((&removed["data_removed"], &removed["output"]), (&json!(true), &Value::Null));
    assert_eq!((&removed["input"], &removed["status"]), (&json!({}), &json!("succeeded")));
    assert_eq!(ask(&sandbox, &order, &[], "").await.status, 404);
}

#[tokio::test]
async fn the_vietnamese_fork_answers_an_object_and_the_official_model_needs_no_version() {
    let sandbox = instant();
    let input = json!({ "text": "Xin chào", "speaker": SPEAKER, "language": "vi" });
    let born =
        created(&sandbox, &json!({ "version": format!("suminhthanh/vixtts:{VIXTTS}"), "input": input }))
            .await;
    let done = looked(&sandbox, &born).await;
    let path = done["output"]["path"].as_str().expect("a path");
    assert_eq!(ask(&sandbox, &format!("GET {path}"), &[], "").await.status, 200);

    let order = "POST /sandbox/replicate/v1/models/minimax/speech-02-turbo/predictions";
    let answer =
        call(&sandbox, order, &[("prefer", "wait")], &json!({ "input": { "text": "Xin chào" } })).await;
    assert_eq!((answer.status, &answer.json()["status"]), (201, &json!("succeeded")));
    assert_eq!(answer.json()["version"], "hidden");
    let community = order.replace("minimax/speech-02-turbo", "lucataco/xtts-v2");
    assert_eq!(call(&sandbox, &community, &[], &json!({ "input": {} })).await.status, 404);
}

#[tokio::test]
async fn what_is_wrong_is_named_field_by_field() {
    let sandbox = instant();
    let fields = async |body: Value| {
        let answer = call(&sandbox, CREATE, &[], &body).await;
        assert_eq!(answer.status, 422);
        let problem = answer.json();
        assert_eq!(problem["status"], 422);
        let fields = problem["invalid_fields"].as_array().cloned().unwrap_or_default();
        fields.iter().map(|field| field["description"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    let missing = fields(json!({ "version": XTTS, "input": {} })).await;
    assert_eq!(missing, ["text is required", "speaker is required"]);
    let vietnamese = json!({ "text": "Xin chào", "speaker": SPEAKER, "language": "vi" });
    let language = fields(json!({ "version": XTTS, "input": vietnamese })).await;
    assert!(language[0].starts_with("language must be one of the following: \"en\", \"es\""), "{language:?}");
    let mut more = spoken("x");
    more["priority"] = json!(1);
    assert_eq!(fields(more).await, ["Additional property priority is not allowed"]);
    let unknown = call(&sandbox, CREATE, &[], &json!({ "version": "0".repeat(64), "input": {} })).await;
    assert_eq!((unknown.status, &unknown.json()["title"]), (422, &json!("Invalid version or not permitted")));
}

#[tokio::test]
async fn refusals_have_replicates_shape() {
    let sandbox = instant();
    let order = "GET /sandbox/replicate/v1/predictions";
    let nobody = ask(&sandbox, order, &[], "").await;
    assert_eq!(nobody.json()["detail"], "You did not pass an authentication token");
    let stranger = ask(&sandbox, order, &[("authorization", "Bearer r8_other")], "").await;
    assert_eq!((stranger.status, &stranger.json()["title"]), (401, &json!("Unauthenticated")));
    for status in [402, 404, 429, 500, 503] {
        let fault = Fault::Status { status, retry_after: Some(30) };
        sandbox.faults().set(Service::Replicate, FaultRule::once(fault));
        let answer = call(&sandbox, CREATE, &[], &spoken("x")).await;
        assert_eq!((answer.status, &answer.json()["status"]), (status, &json!(status)));
        assert!(answer.json()["detail"].is_string() && answer.header("retry-after") == "30");
    }
    let gone = call(&sandbox, "GET /sandbox/replicate/v1/predictions/none", &[], &Value::Null).await;
    assert_eq!((gone.status, &gone.json()["status"]), (404, &json!(404)));
}

#[tokio::test]
async fn a_lost_submit_is_found_in_the_list_newest_first_with_its_input() {
    let sandbox = instant();
    sandbox.set_now(Some(NOON));
    created(&sandbox, &spoken("the first")).await;
    sandbox.set_now(Some(NOON + 60));
    sandbox.faults().set(Service::Replicate, FaultRule::once(Fault::DropConnection));
    assert!(call(&sandbox, CREATE, &[], &spoken("the lost one")).await.is_broken);

    let list = call(&sandbox, "GET /sandbox/replicate/v1/predictions", &[], &Value::Null).await.json();
    let texts: Vec<&Value> =
        list["results"].as_array().expect("a list").iter().map(|row| &row["input"]["text"]).collect();
    assert_eq!(texts, ["the lost one", "the first"]);
    assert_eq!((&list["next"], &list["results"][0]["status"]), (&Value::Null, &json!("starting")));
    let order = "GET /sandbox/replicate/v1/predictions?created_after=2026-09-21T14:14:20Z";
    let fresh = call(&sandbox, order, &[], &Value::Null).await.json();
    assert_eq!(fresh["results"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_list_comes_in_pages_of_a_hundred() {
    let sandbox = instant();
    for number in 0..203 {
        created(&sandbox, &spoken(&format!("text {number}"))).await;
    }
    let mut next = json!("/sandbox/replicate/v1/predictions");
    let mut seen = Vec::new();
    while let Some(page) = next.as_str() {
        let page = call(&sandbox, &format!("GET {page}"), &[], &Value::Null).await.json();
        let results = page["results"].as_array().expect("a list");
        seen.push(results.len());
        assert_eq!(results[0]["input"]["text"], format!("text {}", 202 - (seen.len() - 1) * 100));
        next = page["next"].clone();
        created(&sandbox, &spoken("a newer one moves no page")).await;
    }
    assert_eq!(seen, [100, 100, 3]);
}

#[tokio::test]
async fn a_deadline_aborts_before_the_start_and_a_cancel_stops() {
    let sandbox = instant();
    sandbox.set_now(Some(NOON));
    sandbox.faults().set(Service::Replicate, FaultRule::always(Fault::Late { polls: 9 }));
    let born = call(&sandbox, CREATE, &[("cancel-after", "1m30s")], &spoken("x")).await.json();
    assert_eq!(born["deadline"], "2026-09-21T14:14:50.000Z");
    sandbox.set_now(Some(NOON + 89));
    assert_eq!(looked(&sandbox, &born).await["status"], "starting");
    sandbox.set_now(Some(NOON + 90));
    let aborted = looked(&sandbox, &born).await;
    assert_eq!((&aborted["status"], &aborted["started_at"]), (&json!("aborted"), &Value::Null));
    assert!(aborted["metrics"].get("predict_time").is_none());
    for header in ["4s", "soon", "0"] {
        assert_eq!(call(&sandbox, CREATE, &[("cancel-after", header)], &spoken("x")).await.status, 422);
    }

    let other = created(&sandbox, &spoken("y")).await;
    let order = format!("POST {}", other["urls"]["cancel"].as_str().expect("an address"));
    assert_eq!(call(&sandbox, &order, &[], &Value::Null).await.json()["status"], "canceled");
    assert_eq!(looked(&sandbox, &other).await["status"], "canceled");
}

#[tokio::test]
async fn a_wait_that_runs_out_is_a_202() {
    let sandbox = instant();
    let late = |polls: u32| spoken(&format!("[[sandbox:late polls={polls}]] hello"));
    let answer = call(&sandbox, CREATE, &[("prefer", "wait=5")], &late(9)).await;
    assert_eq!((answer.status, &answer.json()["status"]), (202, &json!("starting")));
    let answer = call(&sandbox, CREATE, &[("prefer", "wait=5")], &late(2)).await;
    assert_eq!((answer.status, &answer.json()["status"]), (201, &json!("succeeded")));
}

#[tokio::test]
async fn predictions_can_fail_be_refused_or_end_with_nothing() {
    let sandbox = instant();
    let cases =
        [("error_frame", "failed", true), ("content_filter", "failed", true), ("empty", "succeeded", false)];
    for (fault, status, has_error) in cases {
        let born = created(&sandbox, &spoken(&format!("[[sandbox:{fault}]]"))).await;
        let done = looked(&sandbox, &born).await;
        assert_eq!(
            (&done["status"], done["error"].is_string(), &done["output"]),
            (&json!(status), has_error, &Value::Null)
        );
    }
}

#[tokio::test]
async fn a_file_can_be_a_page_or_far_too_large() {
    let sandbox = instant();
    for (fault, content_type, size_min, is_announced) in [
        ("not_an_image", "text/html; charset=utf-8", 1, true),
        ("huge", "audio/wav", 64 << 20, true),
        ("huge announced=false", "audio/wav", 64 << 20, false),
    ] {
        let born = created(&sandbox, &spoken(&format!("[[sandbox:{fault}]]"))).await;
        let done = looked(&sandbox, &born).await;
        let file = ask(&sandbox, &format!("GET {}", done["output"].as_str().expect("a URI")), &[], "").await;
        assert_eq!((file.status, file.header("content-type")), (200, content_type));
        assert!(file.body.len() > size_min);
        let length = if is_announced { file.body.len().to_string() } else { String::new() };
        assert_eq!(file.header("content-length"), length, "{fault}");
    }
}

#[test]
fn the_signature_matches_a_computed_vector() {
    let made = signature(
        "whsec_Y2l0aXBlbi1kZW1vLXNlY3JldC0zMi1ieXRlcy1vayE=",
        "msg_demo1",
        1_790_000_000,
        r#"{"id":"p1a2b3","status":"succeeded","output":"https://media.test/o.wav"}"#,
    );
    assert_eq!(made.as_deref(), Some("v1,zKlO254CMCuP1IFGeLnIVpYfiLMSiPRYAOygJy1hcNY="));
}

fn verified(headers: &HeaderMap, body: &[u8]) -> bool {
    let checker =
        standardwebhooks::Webhook::new(REPLICATE_WEBHOOK_SECRET).expect("the secret is well formed");
    checker.verify(body, headers).is_ok()
}

fn hooked(text: &str, url: &str, events: &Value) -> Value {
    let mut body = spoken(text);
    body["webhook"] = json!(url);
    body["webhook_events_filter"] = events.clone();
    body
}

#[tokio::test]
async fn the_webhook_request_can_be_had_unsent_and_forged() {
    let sandbox = instant();
    let born =
        created(&sandbox, &hooked("hello", "https://product.test/hook?run=7", &json!(["completed"]))).await;
    let request = format!("/sandbox/replicate/predictions/{}/webhook-request", id(&born));
    assert_eq!(ask(&sandbox, &format!("GET {request}"), &[], "").await.status, 409);
    assert!(sandbox.prediction_webhook(id(&born)).is_none());
    assert!(sandbox.finish_prediction(id(&born)));

    let mut seen = Vec::new();
    for (query, is_valid) in [("", true), ("?forged=1", false)] {
        let shown = ask(&sandbox, &format!("GET {request}{query}"), &[], "").await.json();
        assert_eq!(shown["path"], "/hook?run=7");
        let headers: HeaderMap = shown["headers"]
            .as_object()
            .expect("headers")
            .iter()
            .map(|(name, value)| {
                (name.parse().expect("name"), value.as_str().expect("text").parse().expect("value"))
            })
            .collect();
        let body = shown["body"].as_str().expect("a body");
        assert_eq!(verified(&headers, body.as_bytes()), is_valid);
        let told: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&told["id"], &told["status"]), (&born["id"], &json!("succeeded")));
        seen.push((headers["webhook-id"].clone(), told["output"].clone()));
    }
    assert_ne!(seen[0], seen[1]);
    let carried = sandbox.prediction_webhook(id(&born)).expect("it has ended");
    let carried_id =
        carried.headers.iter().find(|(name, _)| name == "webhook-id").map(|(_, value)| value.as_str());
    assert_eq!(carried_id, seen[0].0.to_str().ok(), "the id stays when it is sent again");
}

/// The statuses and ids in the order in which the product has got them.
async fn received(fault: Option<Fault>, events: &Value, count: usize) -> Vec<(String, String, bool)> {
    let (received, address) = super::product("/hook").await;
    let sandbox = instant();
    if let Some(fault) = fault {
        sandbox.faults().set(Service::Replicate, FaultRule::once(fault));
    }
    let born = created(&sandbox, &hooked("hello", &format!("{address}/hook"), events)).await;
    looked(&sandbox, &born).await;
    super::until(|| received.lock().expect("no test panicked").len() >= count).await;
    let received = received.lock().expect("no test panicked");
    let rows = received.iter().map(|(headers, body)| {
        let told: Value = serde_json::from_slice(body).expect("JSON");
        let id = headers["webhook-id"].to_str().expect("text").to_owned();
        (told["status"].as_str().expect("a status").to_owned(), id, verified(headers, body))
    });
    rows.collect()
}

#[tokio::test]
async fn webhooks_follow_the_filter_and_go_to_the_address_given() {
    let all = json!(["start", "output", "logs", "completed"]);
    let told = received(None, &all, 4).await;
    let statuses: Vec<&str> = told.iter().map(|(status, ..)| status.as_str()).collect();
    assert_eq!(statuses, ["processing", "processing", "processing", "succeeded"]);
    assert!(told.iter().all(|(.., is_genuine)| *is_genuine));
    assert_eq!(received(None, &json!(["completed"]), 1).await.len(), 1);
    let by_default: Vec<String> =
        received(None, &Value::Null, 2).await.into_iter().map(|(status, ..)| status).collect();
    assert_eq!(by_default, ["processing", "succeeded"]);
}

#[tokio::test]
async fn webhooks_can_repeat_turn_round_and_be_forged() {
    let twice = received(Some(Fault::Duplicate), &json!(["completed"]), 2).await;
    assert_eq!(twice[0], twice[1], "the same id and body");
    let turned = received(Some(Fault::OutOfOrder), &json!(["start", "completed"]), 2).await;
    assert_eq!((turned[0].0.as_str(), turned[1].0.as_str()), ("succeeded", "processing"));
    let forged = received(Some(Fault::Forged), &json!(["completed"]), 2).await;
    let genuine: Vec<bool> = forged.iter().map(|(.., is_genuine)| *is_genuine).collect();
    assert_eq!(genuine.iter().filter(|is_genuine| **is_genuine).count(), 1);
    assert!(forged.iter().all(|(status, ..)| status == "succeeded"));
}

#[tokio::test]
async fn a_webhook_can_come_before_the_answer_to_its_submit() {
    let (received, address) = super::product("/hook").await;
    let sandbox = instant();
    sandbox.faults().set(Service::Replicate, FaultRule::once(Fault::Early));
    let born = created(&sandbox, &hooked("hello", &format!("{address}/hook"), &json!(["completed"]))).await;
    assert_eq!(received.lock().expect("no test panicked").len(), 1, "it has come already");
    assert_eq!(born["status"], "starting", "the answer knows nothing of it");
    let sent = sandbox.journal().into_iter().find(|line| line.path == "/hook").expect("noted");
    assert_eq!((sent.status, sent.fault), (Some(204), Some("early")));
}

#[tokio::test]
async fn a_lost_webhook_leaves_only_the_look() {
    let (received, address) = super::product("/hook").await;
    let sandbox = instant();
    let body = hooked("[[sandbox:lost]]", &format!("{address}/hook"), &json!(["completed"]));
    let born = created(&sandbox, &body).await;
    assert_eq!(looked(&sandbox, &born).await["status"], "succeeded");
    // A later prediction's webhook shows that the first one is not merely slow.
    let other = created(&sandbox, &hooked("x", &format!("{address}/hook"), &json!(["completed"]))).await;
    looked(&sandbox, &other).await;
    super::until(|| !received.lock().expect("no test panicked").is_empty()).await;
    let received = received.lock().expect("no test panicked");
    let told: Value = serde_json::from_slice(&received[0].1).expect("JSON");
    assert_eq!((received.len(), &told["id"]), (1, &other["id"]));
}

#[tokio::test]
async fn in_a_patient_sandbox_a_prediction_ends_by_itself_and_says_so() {
    let (received, address) = super::product("/hook").await;
    let sandbox = Sandbox::new(config(false));
    let body =
        hooked("[[sandbox:pace ms=1]] hello", &format!("{address}/hook"), &json!(["start", "completed"]));
    let born = created(&sandbox, &body).await;
    super::until(|| received.lock().expect("no test panicked").len() == 2).await;
    assert_eq!(looked(&sandbox, &born).await["status"], "succeeded");
    let pace = [("prefer", "wait"), ("x-sandbox-pace", "1")];
    let waited = call(&sandbox, CREATE, &pace, &spoken("hello")).await;
    assert_eq!((waited.status, &waited.json()["status"]), (201, &json!("succeeded")));
}

#[tokio::test]
async fn nothing_is_sent_to_another_machine() {
    let sandbox = instant();
    let born = created(&sandbox, &hooked("hello", "https://192.0.2.1/hook", &json!(["completed"]))).await;
    looked(&sandbox, &born).await;
    super::until(|| sandbox.journal().iter().any(|line| line.path == "/hook")).await;
    let sent = sandbox.journal().into_iter().find(|line| line.path == "/hook").expect("noted");
    assert_eq!(sent.status, None);
}

#[tokio::test]
async fn the_signing_secret_and_the_models_can_be_asked_for() {
    let sandbox = instant();
    let secret = call(&sandbox, "GET /sandbox/replicate/v1/webhooks/default/secret", &[], &Value::Null).await;
    assert_eq!(secret.json()["key"], REPLICATE_WEBHOOK_SECRET);
    let order = format!("GET /sandbox/replicate/v1/models/lucataco/xtts-v2/versions/{XTTS}");
    let version = call(&sandbox, &order, &[], &Value::Null).await.json();
    assert_eq!(version["openapi_schema"]["components"]["schemas"]["Output"]["format"], "uri");
}
