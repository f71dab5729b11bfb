use axum::body::Bytes;
use axum::routing::post;
use http::HeaderMap;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::fal_video::{KLING, fal, follow, submit};
use super::{ask, instant, paced};
use crate::fal::{public_key, sign, waits};
use crate::{Delivery, Fault, FaultRule, KeySet, Sandbox, Service, WebhookFault};

const NOW: u64 = 1_790_000_000;
const HOOK: &str = "http://127.0.0.1:9/v1/webhooks/fal?run=7";

/// Percent-encodes what matters in a query.
fn hooked(model: &str, address: &str) -> String {
    let address = address.replace('&', "%26").replace('?', "%3F").replace('=', "%3D").replace(':', "%3A");
    format!("{model}?fal_webhook={address}")
}

async fn submitted(sandbox: &Sandbox, input: Value) -> (Value, String) {
    let job = submit(sandbox, &hooked(KLING, HOOK), input).await;
    let id = job["request_id"].as_str().expect("an id").to_owned();
    (job, id)
}

fn header<'a>(delivery: &'a Delivery, name: &str) -> &'a str {
    let found = delivery.headers.iter().find(|(of, _)| of == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

fn told(delivery: &Delivery) -> Value {
    serde_json::from_slice(&delivery.body).expect("JSON")
}

/// The keys that the sandbox shows.
async fn keys(sandbox: &Sandbox) -> Vec<String> {
    let set = ask(sandbox, "GET /sandbox/fal/.well-known/jwks.json", &[], "").await.json();
    let key = |key: &Value| {
        assert_eq!((&key["kty"], &key["crv"], &key["kid"]), (&json!("OKP"), &json!("Ed25519"), &Value::Null));
        key["x"].as_str().expect("a key").to_owned()
    };
    set["keys"].as_array().expect("a list").iter().map(key).collect()
}

/// Whether one of the keys has signed the request, as fal's page tells to check it.
fn is_signed(delivery: &Delivery, keys: &[String]) -> bool {
    use base64::Engine;
    let message = [
        header(delivery, "x-fal-webhook-request-id"),
        header(delivery, "x-fal-webhook-user-id"),
        header(delivery, "x-fal-webhook-timestamp"),
        &hex::encode(digest(&SHA256, &delivery.body)),
    ]
    .join("\n");
    let signature = hex::decode(header(delivery, "x-fal-webhook-signature")).expect("hexadecimal");
    keys.iter().any(|key| {
        let unpadded = key.trim_end_matches('=');
        let key = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(unpadded).expect("base64url");
        UnparsedPublicKey::new(&ED25519, key).verify(message.as_bytes(), &signature).is_ok()
    })
}

/// `docs/facts/providers.md`, "fal's webhooks": a vector made with another implementation of Ed25519.
#[test]
fn the_published_vector_is_reproduced() {
    let seed: [u8; 32] = std::array::from_fn(|place| place as u8 + 1);
    let body = br#"{"request_id":"req-77","gateway_request_id":"req-77","status":"OK","error":null,"payload":{"images":[{"url":"https://media.test/a.png"}]}}"#;
    assert_eq!(public_key(&seed, false), "ebVWLo_mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ");
    assert_eq!(
        sign(&seed, "req-77", "usr-5", 1_790_000_000, body),
        "4a90361ba5e421adc5b1cb2728cdab97f768780430427246fceeedfbc3edbfff\
         af7d4f8ca6e01c2e87fca3094e72b6caefaeed2ae5778df35af2632fc9512800"
    );
}

#[tokio::test]
async fn a_finished_job_is_told_with_its_result_signed_for_exactly_that_address() {
    let sandbox = instant();
    sandbox.set_now(Some(NOW));
    let (job, id) = submitted(&sandbox, json!({ "prompt": "a kite" })).await;
    assert_eq!(job["gateway_request_id"], json!(id));

    let delivery = sandbox.fal_webhook(&id, None).expect("a webhook");
    assert_eq!(delivery.path, "/v1/webhooks/fal?run=7");
    assert_eq!(header(&delivery, "x-fal-webhook-request-id"), id);
    assert_eq!(header(&delivery, "x-fal-webhook-timestamp"), NOW.to_string());
    assert!(is_signed(&delivery, &keys(&sandbox).await));
    let result = follow(&sandbox, "GET", &job, "response_url").await.json();
    let expected = json!({ "request_id": id, "gateway_request_id": id, "status": "OK", "error": null, "payload": result });
    assert_eq!(told(&delivery), expected);
    assert!(header(&delivery, "x-fal-billable-units").is_empty(), "the units are told by the result alone");
}

#[tokio::test]
async fn a_failed_job_is_told_with_the_models_own_error() {
    let sandbox = instant();
    let (job, id) = submitted(&sandbox, json!({ "prompt": "x", "duration": "99" })).await;
    let told = told(&sandbox.fal_webhook(&id, None).expect("a webhook"));
    assert_eq!((&told["status"], &told["error"]), (&json!("ERROR"), &json!("Invalid status code: 422")));
    assert_eq!(told["payload"], follow(&sandbox, "GET", &job, "response_url").await.json());
    assert_eq!(told["payload"]["detail"][0]["loc"], json!(["body", "duration"]));
}

#[tokio::test]
async fn a_webhook_can_be_wrong_in_every_way() {
    let sandbox = instant();
    sandbox.set_now(Some(NOW));
    let (_, id) = submitted(&sandbox, json!({ "prompt": "a kite" })).await;
    let keys = keys(&sandbox).await;
    let plain = sandbox.fal_webhook(&id, None).expect("a webhook");
    let wrong = |how| sandbox.fal_webhook(&id, Some(how)).expect("a webhook");

    let forged = wrong(WebhookFault::Forged);
    assert!(!is_signed(&forged, &keys) && forged.body == plain.body);
    let stale = wrong(WebhookFault::Stale);
    assert!(is_signed(&stale, &keys));
    assert_eq!(header(&stale, "x-fal-webhook-timestamp"), (NOW - 600).to_string());
    let other = told(&wrong(WebhookFault::OtherGateway));
    assert!(other["request_id"] == json!(id) && other["gateway_request_id"] != json!(id));
    assert_eq!(other, told(&wrong(WebhookFault::OtherGateway)), "a repeat keeps the other id");
    let error = told(&wrong(WebhookFault::Error));
    assert_eq!((&error["status"], &error["error"]), (&json!("ERROR"), &json!("Invalid status code: 504")));
    assert_eq!(error["payload"]["error_type"], "request_timeout");
    let payload = told(&wrong(WebhookFault::PayloadError));
    assert_eq!((&payload["status"], &payload["payload"]), (&json!("OK"), &Value::Null));
    assert!(payload["payload_error"].is_string() && payload.get("error").is_none());
    for how in [WebhookFault::Lost, WebhookFault::Early, WebhookFault::AfterCancel] {
        assert_eq!(wrong(how).body, plain.body, "{how:?} is about when, not what");
    }
}

#[tokio::test]
async fn the_keys_can_be_padded_changed_or_gone() {
    let sandbox = instant();
    let (_, id) = submitted(&sandbox, json!({ "prompt": "a kite" })).await;
    let delivery = sandbox.fal_webhook(&id, None).expect("a webhook");
    let usual = keys(&sandbox).await;
    assert!(usual.len() == 2 && usual.iter().all(|key| key.len() == 43 && !key.contains('=')));
    assert!(is_signed(&delivery, &usual[1..]) && !is_signed(&delivery, &usual[..1]));
    for (show, count, is_known) in
        [(KeySet::Padded, 2, true), (KeySet::Other, 1, false), (KeySet::None, 0, false)]
    {
        sandbox.faults().set(Service::Fal, FaultRule::once(Fault::Keys { show }));
        // A rule about the keys strikes no other call.
        submitted(&sandbox, json!({ "prompt": "another" })).await;
        let keys = keys(&sandbox).await;
        assert_eq!((keys.len(), is_signed(&delivery, &keys)), (count, is_known), "{show:?}");
        assert!(show != KeySet::Padded || keys.iter().all(|key| key.len() == 44 && key.ends_with('=')));
    }
}

#[tokio::test]
async fn jobs_can_be_found_ended_and_told_of_without_their_submits_answer() {
    let sandbox = instant();
    sandbox.faults().set(Service::Fal, FaultRule::once(Fault::DropConnection));
    let lost =
        fal(&sandbox, &format!("POST /sandbox/fal/{}", hooked(KLING, HOOK)), &json!({ "prompt": "x" })).await;
    assert!(lost.is_broken);
    let [id] = &sandbox.fal_jobs()[..] else { panic!("one job") };
    assert!(sandbox.finish_fal_job(id) && !sandbox.finish_fal_job("nobody"));
    assert_eq!(told(&sandbox.fal_webhook(id, None).expect("a webhook"))["status"], "OK");
    assert_eq!(sandbox.fal_webhook("nobody", None), None);
    let without = submit(&sandbox, KLING, json!({ "prompt": "x" })).await;
    assert_eq!(sandbox.fal_webhook(without["request_id"].as_str().expect("an id"), None), None);
}

#[tokio::test]
async fn the_control_calls_list_end_and_show() {
    let sandbox = paced();
    let (job, id) = submitted(&sandbox, json!({ "prompt": "a kite [[sandbox:webhook how=lost]]" })).await;
    let listed = ask(&sandbox, "GET /sandbox/fal/jobs", &[], "").await.json();
    let expected =
        json!({ "request_id": id, "model": KLING, "status": "IN_QUEUE", "webhook": HOOK, "deliveries": [] });
    assert_eq!(listed["jobs"], json!([expected]));
    let ended = ask(&sandbox, &format!("POST /sandbox/fal/jobs/{id}/finish"), &[], "").await;
    assert_eq!((ended.status, &ended.json()["status"]), (200, &json!("COMPLETED")));
    assert_eq!(follow(&sandbox, "GET", &job, "response_url").await.status, 200);
    let path = format!("/sandbox/fal/jobs/{id}/webhook-request");
    let shown = ask(&sandbox, &format!("GET {path}?how=other_gateway"), &[], "").await.json();
    assert_eq!((&shown["url"], &shown["path"]), (&json!(HOOK), &json!("/v1/webhooks/fal?run=7")));
    let body: Value = serde_json::from_str(shown["body"].as_str().expect("a body")).expect("JSON");
    assert_ne!(body["gateway_request_id"], json!(id));
    for (order, status) in [
        (format!("GET {path}?how=nicely"), 422),
        ("POST /sandbox/fal/jobs/none/finish".to_owned(), 404),
        ("POST /sandbox/fal/jobs/none/webhook".to_owned(), 404),
    ] {
        assert_eq!(ask(&sandbox, &order, &[], "").await.status, status, "{order}");
    }
}

/// A product whose answers come from a list, the last one for ever; what it is sent comes out of the channel.
async fn product(answers: &'static [u16]) -> (mpsc::UnboundedReceiver<(HeaderMap, Bytes)>, String) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let handler = move |headers: HeaderMap, body: Bytes| async move {
        let place = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        sender.send((headers, body)).expect("the test listens");
        let status = answers.get(place).or(answers.last()).copied().unwrap_or(204);
        http::StatusCode::from_u16(status).expect("a status")
    };
    let router = axum::Router::new().route("/v1/webhooks/fal", post(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}/v1/webhooks/fal", listener.local_addr().expect("bound"));
    super::serve(router, listener);
    (receiver, address)
}

/// The next webhook that the product is sent; a test that waits in vain fails.
async fn next(received: &mut mpsc::UnboundedReceiver<(HeaderMap, Bytes)>) -> (HeaderMap, Bytes) {
    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, received.recv()).await.expect("in time").expect("a webhook")
}

fn id_of((headers, body): &(HeaderMap, Bytes)) -> String {
    let told: Value = serde_json::from_slice(body).expect("JSON");
    let id = told["request_id"].as_str().expect("an id").to_owned();
    assert_eq!(headers.get("x-fal-webhook-request-id").and_then(|id| id.to_str().ok()), Some(id.as_str()));
    id
}

#[tokio::test]
async fn a_job_that_nobody_looks_at_ends_by_itself_and_is_told() {
    let sandbox = paced();
    let (mut received, address) = product(&[204]).await;
    let input = json!({ "prompt": "a kite [[sandbox:finish ms=0]]" });
    let job = submit(&sandbox, &hooked(KLING, &address), input).await;
    let delivery = next(&mut received).await;
    assert_eq!(json!(id_of(&delivery)), job["request_id"]);
    let status = follow(&sandbox, "GET", &job, "status_url").await;
    assert_eq!((status.status, &status.json()["status"]), (200, &json!("COMPLETED")));
}

#[tokio::test]
async fn a_job_that_ends_under_somebodys_eyes_is_told_once() {
    let sandbox = paced();
    let (mut received, address) = product(&[204]).await;
    let model = hooked("fal-ai/flux/dev", &address);
    let input = json!({ "prompt": "a kite [[sandbox:finish ms=3600000]]" });
    let job = submit(&sandbox, &model, input).await;
    for _ in 0..5 {
        follow(&sandbox, "GET", &job, "status_url").await;
    }
    assert_eq!(json!(id_of(&next(&mut received).await)), job["request_id"]);
    let id = job["request_id"].as_str().expect("an id");
    ask(&sandbox, &format!("POST /sandbox/fal/jobs/{id}/finish"), &[], "").await;
    // A second job's webhook would come behind a second one of the first.
    let other = json!({ "prompt": "a boat [[sandbox:finish ms=0]]" });
    let other = submit(&sandbox, &model, other).await;
    assert_eq!(json!(id_of(&next(&mut received).await)), other["request_id"]);
}

#[tokio::test]
async fn a_webhook_is_repeated_until_it_is_taken_and_each_time_signed_anew() {
    let sandbox = instant();
    let (mut received, address) = product(&[500, 302, 204]).await;
    let job = submit(&sandbox, &hooked(KLING, &address), json!({ "prompt": "a kite" })).await;
    let id = job["request_id"].as_str().expect("an id").to_owned();
    assert!(received.try_recv().is_err(), "with zero latency nothing is sent by itself");
    let order = format!("POST /sandbox/fal/jobs/{id}/webhook?until_taken=1");
    let sent = ask(&sandbox, &order, &[], "").await.json();
    let statuses: Vec<&Value> =
        sent["deliveries"].as_array().expect("a list").iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, [&json!(500), &json!(302), &json!(204)]);
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let delivery = received.try_recv().expect("a webhook");
        assert_eq!(id_of(&delivery), id);
        bodies.push(delivery.1);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
    let listed = ask(&sandbox, "GET /sandbox/fal/jobs", &[], "").await.json();
    assert_eq!(listed["jobs"][0]["deliveries"].as_array().map(Vec::len), Some(3));
    let sent: Vec<_> = sandbox.journal().into_iter().filter(|line| line.path == "/v1/webhooks/fal").collect();
    assert!(sent.len() == 3 && sent.iter().all(|line| line.headers.contains(&"x-fal-webhook-signature")));
}

#[tokio::test]
async fn fal_gives_up_after_ten_repeats() {
    let sandbox = instant();
    let (mut received, address) = product(&[503]).await;
    let job = submit(&sandbox, &hooked(KLING, &address), json!({ "prompt": "a kite" })).await;
    let id = job["request_id"].as_str().expect("an id");
    ask(&sandbox, &format!("POST /sandbox/fal/jobs/{id}/webhook?until_taken=1"), &[], "").await;
    let mut count = 0;
    while received.try_recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, 11);
    let seconds: Vec<u64> = waits(false).map(|wait| wait.as_secs()).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 15, 15, 15, 15, 15, 15]);
    assert!(waits(true).all(|wait| wait.is_zero()));
}

#[tokio::test]
async fn a_doubled_webhook_is_taken_twice() {
    let sandbox = paced();
    let (mut received, address) = product(&[204]).await;
    let input = json!({ "prompt": "a kite [[sandbox:finish ms=0]] [[sandbox:duplicate]]" });
    submit(&sandbox, &hooked(KLING, &address), input).await;
    let (first, second) = (next(&mut received).await, next(&mut received).await);
    assert_eq!((id_of(&first), first.1), (id_of(&second), second.1));
}

#[tokio::test]
async fn an_early_webhook_comes_before_the_submits_answer() {
    let sandbox = instant();
    let (mut received, address) = product(&[204]).await;
    let input = json!({ "prompt": "a kite [[sandbox:webhook how=early]]" });
    let job = submit(&sandbox, &hooked(KLING, &address), input).await;
    let delivery = received.try_recv().expect("it came before");
    assert_eq!(json!(id_of(&delivery)), job["request_id"]);
    assert_eq!(follow(&sandbox, "GET", &job, "response_url").await.status, 200, "the job has ended");
}

#[tokio::test]
async fn an_early_webhook_that_was_refused_comes_again() {
    let sandbox = paced();
    let (mut received, address) = product(&[404, 204]).await;
    let input = json!({ "prompt": "a kite [[sandbox:webhook how=early]]" });
    let job = submit(&sandbox, &hooked(KLING, &address), input.clone()).await;
    let first = received.try_recv().expect("it came before");
    let again = next(&mut received).await;
    assert_eq!((json!(id_of(&again)), &again.1), (job["request_id"].clone(), &first.1));

    let sandbox = instant();
    let (mut received, address) = product(&[404, 204]).await;
    submit(&sandbox, &hooked(KLING, &address), input).await;
    received.try_recv().expect("it came before");
    assert!(received.try_recv().is_err(), "with zero latency a test decides about the next one");
}

#[tokio::test]
async fn a_cancelled_job_is_silent_unless_told_otherwise() {
    let sandbox = paced();
    let (mut received, address) = product(&[204]).await;
    let mut ids = Vec::new();
    for order in ["", "[[sandbox:webhook how=after_cancel]]"] {
        let input = json!({ "prompt": format!("a kite {order}") });
        let job = submit(&sandbox, &hooked(KLING, &address), input).await;
        assert_eq!(follow(&sandbox, "PUT", &job, "cancel_url").await.status, 202);
        let id = job["request_id"].as_str().expect("an id").to_owned();
        let ended = ask(&sandbox, &format!("POST /sandbox/fal/jobs/{id}/finish"), &[], "").await;
        assert_eq!(ended.json()["status"], "CANCELLED");
        ids.push((id, job));
    }
    let delivery = next(&mut received).await;
    assert_eq!(id_of(&delivery), ids[1].0, "the first job's would have come before");
    assert!(std::str::from_utf8(&delivery.1).expect("text").contains("\"status\":\"OK\""));
    let result = follow(&sandbox, "GET", &ids[1].1, "response_url").await;
    assert_eq!((result.status, &result.json()["error_type"]), (400, &json!("request_cancelled")));
}

#[tokio::test]
async fn nothing_is_sent_to_another_machine() {
    let sandbox = instant();
    let job =
        submit(&sandbox, &hooked(KLING, "https://shop.example/hook"), json!({ "prompt": "a kite" })).await;
    let id = job["request_id"].as_str().expect("an id");
    let sent = ask(&sandbox, &format!("POST /sandbox/fal/jobs/{id}/webhook"), &[], "").await;
    assert_eq!(sent.status, 409);
    assert!(sandbox.journal().iter().all(|line| line.path != "/hook"));
    assert_eq!(sandbox.fal_webhook(id, None).expect("it can be carried").path, "/hook");
    let unreadable =
        fal(&sandbox, &format!("POST /sandbox/fal/{KLING}?fal_webhook=here"), &json!({ "prompt": "x" }))
            .await;
    assert_eq!((unreadable.status, &unreadable.json()["error_type"]), (400, &json!("bad_request")));
}
