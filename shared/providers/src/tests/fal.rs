use super::stand::{Answer, Headers, Received, Reply, Say, json, reply};
use super::world::{PROMPT, World};
use crate::{Artifact, ProviderName, Sign};
use serde_json::{Value, json};

/// A real picture of 16 × 9 pixels.
pub(super) const PNG: &[u8] = include_bytes!("pictures/kite.png");

/// The vendor's happy day, call by call.
pub(super) fn vendor(request: &Received) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("POST", _) => json(200, &submitted(request)),
        ("GET", "/fal/fal-ai/flux/requests/req-1/status") => status(request.nth),
        ("GET", "/fal/fal-ai/flux/requests/req-1") => result(&output(request, false), "1.048576"),
        ("GET", "/fal/files/a.png") => reply(200, &[("content-type", "text/plain")], PNG),
        _ => reply(404, &[], "{}"),
    }
}

fn submitted(request: &Received) -> Value {
    let base = format!("http://{}/fal/fal-ai/flux/requests/req-1", request.header("host").unwrap());
    json!({
        "status": "IN_QUEUE", "request_id": "req-1", "response_url": base, "queue_position": 0,
        "status_url": format!("{base}/status"), "cancel_url": format!("{base}/cancel"),
    })
}

fn status(nth: usize) -> Reply {
    match nth {
        0 => json(202, &json!({"status": "IN_QUEUE", "queue_position": 1})),
        1 => json(202, &json!({"status": "IN_PROGRESS", "logs": null})),
        _ => json(200, &json!({"status": "COMPLETED", "logs": [], "error": null})),
    }
}

pub(super) fn output(request: &Received, is_nsfw: bool) -> Value {
    let url = format!("http://{}/fal/files/a.png", request.header("host").unwrap());
    json!({"images": [{"url": url, "content_type": "image/png", "width": 1024, "height": 768}],
           "seed": 7, "timings": {"inference": 1.2}, "has_nsfw_concepts": [is_nsfw], "prompt": "x"})
}

pub(super) fn result(output: &Value, units: &str) -> Reply {
    let headers = [("x-fal-billable-units", units), ("content-type", "application/json")];
    reply(200, &headers, output.to_string())
}

pub(super) fn is_submit(request: &Received) -> bool {
    request.method == "POST"
}

pub(super) fn is_status(request: &Received) -> bool {
    request.path.ends_with("/status")
}

pub(super) fn is_result(request: &Received) -> bool {
    request.path.ends_with("/req-1") && request.method == "GET"
}

/// So that what never comes is given up within a test.
pub(super) const IMPATIENT: [(&str, &str); 1] = [("PROVIDER_FIRST_CONTENT_MS_IMAGE", "1600")];

#[tokio::test]
async fn an_image_is_submitted_followed_fetched_and_priced() {
    let world = World::start(vendor).await;
    let told = world.image(&["fal/flux-dev"]).await;

    let artifact = Artifact::of(PNG.to_vec()).unwrap();
    assert_eq!(artifact.size, (16, 9));
    assert_eq!(told.files, [artifact]);
    assert_eq!(told.signs, [Sign::Queued { ahead: Some(1) }, Sign::Working { percent: None }]);
    let served = told.served();
    assert_eq!((served.provider, served.model.as_str()), (ProviderName::Fal, "fal-ai/flux/dev"));
    assert_eq!(served.usage.billable_units.as_deref(), Some("1.048576"));
    assert_eq!(served.cost, "2.62144".parse().unwrap());
    assert!(!served.cost_is_estimated);
    assert_eq!(served.attempts[0].provider_request_id.as_deref(), Some("req-1"));
    assert_eq!(world.stand.count("GET /fal/fal-ai/flux/requests/req-1/status"), 3);
}

#[tokio::test]
async fn the_submit_is_the_documented_one_and_the_key_stays_with_the_queue() {
    let world = World::start(vendor).await;
    world.image(&["fal/flux-schnell"]).await.served();

    let requests = world.stand.requests();
    let submit = &requests[0];
    assert_eq!(submit.path, "/fal/fal-ai/flux/schnell");
    assert_eq!(submit.header("authorization"), Some("Key id:secret"));
    assert_eq!(submit.header("x-fal-store-io"), Some("0"));
    assert!(submit.header("x-fal-request-timeout").unwrap().parse::<u64>().unwrap() > 1);
    let expected = json!({
        "prompt": PROMPT, "image_size": {"width": 1024, "height": 768}, "num_images": 1, "seed": 7,
        "output_format": "png", "enable_safety_checker": true,
    });
    assert_eq!(submit.json(), expected);
    assert_eq!(requests.last().unwrap().header("authorization"), None, "files are fetched without the key");
}

#[tokio::test]
async fn a_submit_whose_answer_is_lost_is_never_repeated() {
    let foreign = |request: &Received| {
        let mut body = submitted(request);
        body["status_url"] = json!("http://elsewhere.test/status");
        json(200, &body)
    };
    let table: Vec<Answer> = vec![
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| vec![Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_vec()), Say::Cut]),
        Box::new(|_| vec![Say::Hang]),
        Box::new(|_| reply(200, &[], "<html>")),
        Box::new(|_| json(200, &json!({"request_id": "req-1"}))),
        Box::new(foreign),
    ];
    for (row, submit) in table.into_iter().enumerate() {
        let world = World::with(IMPATIENT, move |request| submit(request)).await;
        let told = world.image(&["fal/flux-dev", "comfyui/image"]).await;
        assert_eq!(told.failure(), ("unknown_outcome", vec!["unknown_outcome"]), "row {row}");
        assert_eq!(world.stand.requests().len(), 1, "row {row}");
    }
}

#[tokio::test]
async fn a_submit_that_was_refused_may_be_repeated() {
    let world = World::start(|request| match request.nth {
        0 if is_submit(request) => reply(503, &[], "{}"),
        _ => vendor(request),
    })
    .await;
    let told = world.image(&["fal/flux-dev"]).await;
    let failures: Vec<_> = told.served().attempts.iter().map(|attempt| attempt.failure).collect();
    assert_eq!(failures, [Some(crate::FailureClass::Unavailable), None]);
}

#[tokio::test]
async fn a_poor_status_answer_does_not_end_a_job() {
    let world = World::start(|request| match request.nth {
        0 if is_status(request) => vec![Say::Cut],
        1 if is_status(request) => reply(500, &[], "<html>"),
        2 if is_status(request) => reply(404, &[], "{}"),
        3 if is_status(request) => reply(202, &[], "<html>"),
        _ => vendor(request),
    })
    .await;
    world.image(&["fal/flux-dev"]).await.served();
}

#[tokio::test]
async fn a_result_that_is_not_readable_yet_is_asked_for_again() {
    let world = World::start(|request| match request.nth {
        0 if is_result(request) => reply(504, &[], "<html>nginx</html>"),
        1 if is_result(request) => json(202, &json!({"status": "IN_PROGRESS"})),
        2 if is_result(request) => vec![Say::Cut],
        _ => vendor(request),
    })
    .await;
    world.image(&["fal/flux-dev"]).await.served();
    assert_eq!(world.stand.count("POST"), 1);
}

#[tokio::test]
async fn a_failed_job_says_so_at_its_result() {
    let detail = |kind: &str| json!({"detail": [{"loc": ["body"], "msg": "secret", "type": kind}]});
    let table = [
        (422, json!({"detail": [{"loc": ["body", "prompt"], "type": "x"}]}), &[] as Headers, "bad_input"),
        (422, detail("content_policy_violation"), &[], "content_rejected"),
        (422, json!({"detail": "secret"}), &[], "request_refused"),
        (500, json!({"detail": "x", "error_type": "runner_server_error"}), &[], "unavailable"),
        (504, json!({}), &[], "unavailable"),
        (504, json!({}), &[("x-fal-request-timeout-type", "user")], "unavailable"),
        (401, json!({}), &[], "unavailable"),
        (200, json!({"detail": "secret"}), &[], "content_rejected"),
        (200, json!({"detail": [{"type": "runner_disconnected"}]}), &[], "unavailable"),
        (200, json!({"images": []}), &[], "unavailable"),
        (200, json!({"images": null, "has_nsfw_concepts": null}), &[], "unavailable"),
    ];
    for (status, body, headers, class) in table {
        let text = body.to_string();
        let world = World::with(IMPATIENT, move |request| {
            if is_result(request) { reply(status, headers, &text) } else { vendor(request) }
        })
        .await;
        let told = world.image(&["fal/flux-dev"]).await;
        assert_eq!(told.failure().0, class, "{status} {body}");
        assert!(!format!("{:?}", told.outcome).contains("secret"));
    }
}

#[tokio::test]
async fn a_flagged_image_is_a_rejection_that_we_pay() {
    let world =
        World::start(
            |request| {
                if is_result(request) { result(&output(request, true), "1") } else { vendor(request) }
            },
        )
        .await;
    let told = world.image(&["fal/flux-dev", "comfyui/image"]).await;

    assert_eq!(told.failure(), ("content_rejected", vec!["content_rejected"]));
    assert!(told.files.is_empty());
    assert_eq!(told.outcome.unwrap_err().attempts[0].cost, "2.5".parse().unwrap());
}

#[tokio::test]
async fn a_result_without_units_is_priced_by_its_size() {
    let world =
        World::start(
            |request| {
                if is_result(request) { json(200, &output(request, false)) } else { vendor(request) }
            },
        )
        .await;
    let told = world.image(&["fal/flux-dev"]).await;
    assert!(told.served().cost_is_estimated);
    assert_eq!(told.served().cost, "2.5".parse().unwrap());
}

#[tokio::test]
async fn a_job_that_takes_too_long_is_taken_back() {
    let world = World::with(IMPATIENT, |request| match (request.method.as_str(), is_status(request)) {
        (_, true) => status(0),
        ("PUT", _) => json(202, &json!({"status": "CANCELLATION_REQUESTED"})),
        _ => vendor(request),
    })
    .await;
    assert_eq!(world.image(&["fal/flux-dev"]).await.failure().0, "unavailable");
    assert_eq!(world.stand.count("PUT /fal/fal-ai/flux/requests/req-1/cancel"), 1);
}

#[tokio::test]
async fn a_job_that_finished_while_it_was_taken_back_is_delivered() {
    let world = World::with(IMPATIENT, |request| match (request.method.as_str(), is_status(request)) {
        (_, true) => status(0),
        ("PUT", _) => json(400, &json!({"status": "ALREADY_COMPLETED"})),
        _ => vendor(request),
    })
    .await;
    world.image(&["fal/flux-dev"]).await.served();
}

#[tokio::test]
async fn a_job_that_fal_does_not_know_for_long_is_lost() {
    let world = World::with(IMPATIENT, |request| {
        if is_submit(request) { vendor(request) } else { reply(404, &[], "{\"status\":\"NOT_FOUND\"}") }
    })
    .await;
    assert_eq!(world.image(&["fal/flux-dev"]).await.failure().0, "unavailable");
    assert!(world.stand.count("GET") >= 6, "status many times, the result once");
    assert_eq!(world.stand.count("PUT"), 1);
}
