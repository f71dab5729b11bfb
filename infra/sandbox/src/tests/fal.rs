use serde_json::{Value, json};

use super::{Answer, ask, instant, paced, png_size};
use crate::{FAL_KEY, Fault, FaultRule, Sandbox, Service};

const SUBMIT: &str = "POST /sandbox/fal/fal-ai/flux/dev";

async fn fal(sandbox: &Sandbox, order: &str, body: &Value) -> Answer {
    let key = format!("Key {FAL_KEY}");
    ask(sandbox, order, &[("authorization", &key)], body.to_string()).await
}

async fn submit(sandbox: &Sandbox, input: Value) -> Value {
    let answer = fal(sandbox, SUBMIT, &input).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

async fn follow(sandbox: &Sandbox, method: &str, job: &Value, address: &str) -> Answer {
    fal(sandbox, &format!("{method} {}", job[address].as_str().expect("an address")), &Value::Null).await
}

#[tokio::test]
async fn a_wrong_key_is_refused_but_files_are_public() {
    let sandbox = instant();
    let answer = ask(&sandbox, SUBMIT, &[("authorization", "Bearer sandbox-fal-key")], "{}").await;
    assert_eq!(answer.status, 401);
    assert!(answer.json()["detail"].is_string());
    assert_eq!(ask(&sandbox, "GET /sandbox/fal/files/1-8-8-a-0.png", &[], "").await.status, 200);
}

#[tokio::test]
async fn an_unknown_application_is_not_found() {
    let answer = fal(&instant(), "POST /sandbox/fal/fal-ai/nothing/dev", &json!({ "prompt": "x" })).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn a_job_goes_through_the_queue_and_its_addresses_lose_the_model_path() {
    let sandbox = paced();
    let job = submit(&sandbox, json!({ "prompt": "a red kite" })).await;
    let id = job["request_id"].as_str().expect("an id");
    assert_eq!(
        job["status_url"],
        format!("http://sandbox.test/sandbox/fal/fal-ai/flux/requests/{id}/status")
    );
    assert_eq!(job["status"], "IN_QUEUE");

    assert_eq!(follow(&sandbox, "GET", &job, "response_url").await.status, 202);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let status = follow(&sandbox, "GET", &job, "status_url").await;
        seen.push((status.status, status.json()["status"].as_str().expect("a status").to_owned()));
    }
    let expected = [(202, "IN_QUEUE"), (202, "IN_PROGRESS"), (200, "COMPLETED")];
    assert_eq!(seen, expected.map(|(code, status)| (code, status.to_owned())));

    let result = follow(&sandbox, "GET", &job, "response_url").await;
    assert_eq!((result.status, result.header("x-fal-billable-units")), (200, "1"));
    assert_eq!(result.header("x-fal-request-id"), id);
    assert_eq!(result.json()["prompt"], "a red kite");
    assert_eq!(result.json()["has_nsfw_concepts"], json!([false]));
}

#[tokio::test]
async fn the_images_are_real_and_of_the_size_wanted() {
    let sandbox = instant();
    let size = json!({ "width": 1030, "height": 1021 });
    let job =
        submit(&sandbox, json!({ "prompt": "a kite", "image_size": size, "num_images": 2, "seed": 7 })).await;
    assert_eq!(follow(&sandbox, "GET", &job, "status_url").await.json()["status"], "COMPLETED");
    let result = follow(&sandbox, "GET", &job, "response_url").await;

    assert_eq!((result.header("x-fal-billable-units"), &result.json()["seed"]), ("4", &json!(7)));
    for image in result.json()["images"].as_array().expect("images") {
        let file = ask(&sandbox, &format!("GET {}", image["url"].as_str().expect("url")), &[], "").await;
        assert_eq!(file.header("content-type"), "image/png");
        assert_eq!(png_size(&file.body), (1030, 1021));
    }
}

#[tokio::test]
async fn bad_input_completes_and_only_the_result_says_422() {
    let sandbox = instant();
    let wrong = json!({ "num_images": 9, "image_size": "giant", "output_format": "gif" });
    let job = submit(&sandbox, wrong).await;
    let status = follow(&sandbox, "GET", &job, "status_url").await;
    assert_eq!((status.status, &status.json()["status"]), (200, &json!("COMPLETED")));

    let result = follow(&sandbox, "GET", &job, "response_url").await;
    assert_eq!((result.status, result.header("x-fal-billable-units")), (422, "0"));
    let found: Vec<(Value, Value)> = result.json()["detail"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|detail| (detail["loc"].clone(), detail["type"].clone()))
        .collect();
    let expected = [
        (json!(["body", "prompt"]), json!("missing")),
        (json!(["body", "image_size"]), json!("enum")),
        (json!(["body", "num_images"]), json!("less_than_equal")),
        (json!(["body", "output_format"]), json!("literal_error")),
    ];
    assert_eq!(found, expected);
    assert_eq!(result.json()["detail"][2]["input"], 9);
}

#[tokio::test]
async fn only_a_waiting_job_can_be_cancelled() {
    let sandbox = instant();
    sandbox.faults().set(Service::Fal, FaultRule::once(Fault::Late { polls: 3 }));
    let job = submit(&sandbox, json!({ "prompt": "x" })).await;
    let cancelled = follow(&sandbox, "PUT", &job, "cancel_url").await;
    assert_eq!((cancelled.status, &cancelled.json()["status"]), (202, &json!("CANCELLATION_REQUESTED")));
    let again = follow(&sandbox, "PUT", &job, "cancel_url").await;
    assert_eq!((again.status, &again.json()["status"]), (400, &json!("ALREADY_COMPLETED")));
    let unknown = fal(&sandbox, "PUT /sandbox/fal/fal-ai/flux/requests/none/cancel", &Value::Null).await;
    assert_eq!((unknown.status, &unknown.json()["status"]), (404, &json!("NOT_FOUND")));
}

#[tokio::test]
async fn the_status_stream_ends_when_the_job_is_complete() {
    let sandbox = Sandbox::new(super::config(false));
    let job = submit(&sandbox, json!({ "prompt": "x" })).await;
    let order = format!("GET {}/stream?logs=1", job["status_url"].as_str().expect("url"));
    let key = format!("Key {FAL_KEY}");
    let headers = [("authorization", key.as_str()), ("x-sandbox-pace", "0")];
    let stream = ask(&sandbox, &order, &headers, "").await;
    assert_eq!(stream.events().len(), 3);
    assert!(stream.events()[2].contains("COMPLETED"));
}

#[tokio::test]
async fn jobs_can_be_late_lost_flagged_or_without_a_picture() {
    let sandbox = instant();
    let answer = |fault: Fault| {
        let sandbox = sandbox.clone();
        async move {
            sandbox.faults().set(Service::Fal, FaultRule::once(fault));
            let job = submit(&sandbox, json!({ "prompt": "x" })).await;
            let status = follow(&sandbox, "GET", &job, "status_url").await;
            (status.status, follow(&sandbox, "GET", &job, "response_url").await, job)
        }
    };
    let (_, late, _) = answer(Fault::Late { polls: 2 }).await;
    assert_eq!(late.status, 202);
    let (status, lost, _) = answer(Fault::Lost).await;
    assert_eq!((status, lost.status), (404, 404));
    let (_, first, job) = answer(Fault::Result504).await;
    let second = follow(&sandbox, "GET", &job, "response_url").await;
    assert_eq!((first.status, second.status), (504, 200));
    let (_, flagged, _) = answer(Fault::Nsfw).await;
    assert_eq!(flagged.json()["has_nsfw_concepts"], json!([true]));
    let (_, filtered, _) = answer(Fault::ContentFilter).await;
    assert_eq!(filtered.json()["detail"][0]["type"], "content_policy_violation");
    let (_, failed, _) = answer(Fault::ErrorFrame { after: 0 }).await;
    assert_eq!(failed.status, 500);
    let (_, none, _) = answer(Fault::Empty).await;
    assert_eq!((none.status, &none.json()["images"]), (200, &json!([])));
}

#[tokio::test]
async fn a_file_can_be_a_page_or_far_too_large() {
    let sandbox = instant();
    for (fault, content_type, size_min) in [
        (Fault::NotAnImage, "text/html; charset=utf-8", 1),
        (Fault::Huge { announced: true }, "image/png", 64 << 20),
        (Fault::Huge { announced: false }, "image/png", 64 << 20),
    ] {
        sandbox.faults().set(Service::Fal, FaultRule::once(fault));
        let job = submit(&sandbox, json!({ "prompt": "x" })).await;
        let result = follow(&sandbox, "GET", &job, "response_url").await.json();
        let url = result["images"][0]["url"].as_str().expect("url").to_owned();
        let file = ask(&sandbox, &format!("GET {url}"), &[], "").await;
        assert_eq!((file.status, file.header("content-type")), (200, content_type));
        assert!(file.body.len() > size_min);
    }
}
