//! `/api/jobs`, and the order of the queue.

use serde_json::{Value, json};

use super::comfyui_video::{comfy, saved, submit, workflow};
use super::{instant, paced};
use crate::{Fault, FaultRule, Sandbox, Service};

const NOW: u64 = 1_790_000_000;

async fn jobs(sandbox: &Sandbox, rest: &str) -> (u16, Value) {
    let answer = comfy(sandbox, &format!("GET /sandbox/comfyui/api/jobs{rest}"), &Value::Null).await;
    (answer.status, answer.json())
}

async fn cancel(sandbox: &Sandbox, id: &str) -> Value {
    comfy(sandbox, &format!("POST /sandbox/comfyui/api/jobs/{id}/cancel"), &Value::Null).await.json()
}

#[tokio::test]
async fn a_job_is_shown_from_pending_to_completed() {
    let sandbox = paced();
    sandbox.set_now(Some(NOW));
    let id = submit(&sandbox, workflow(&saved())).await;
    let mut states = Vec::new();
    for second in 1..=7 {
        sandbox.set_now(Some(NOW + second));
        let (_, job) = jobs(&sandbox, &format!("/{id}")).await;
        states.push(job["status"].as_str().expect("a state").to_owned());
    }
    let expected =
        ["pending", "pending", "pending", "in_progress", "in_progress", "in_progress", "completed"];
    assert_eq!(states, expected);

    let (_, job) = jobs(&sandbox, &format!("/{id}")).await;
    let file = json!({ "filename": "cit_00001_.mp4", "subfolder": "video", "type": "output" });
    let mut preview = file.clone();
    (preview["nodeId"], preview["mediaType"]) = (json!("50"), json!("images"));
    assert_eq!(job["preview_output"], preview);
    assert_eq!(job["outputs"], json!({ "50": { "images": [file], "animated": [true] } }));
    assert_eq!((&job["outputs_count"], &job["id"]), (&json!(1), &json!(id)));
    assert_eq!(
        [&job["create_time"], &job["execution_start_time"], &job["execution_end_time"]],
        [&json!(NOW * 1_000), &json!((NOW + 4) * 1_000), &json!((NOW + 7) * 1_000)]
    );
    assert_eq!(job["workflow"]["extra_data"]["create_time"], NOW * 1_000);
    assert_eq!(job["execution_status"]["status_str"], "success");
}

#[tokio::test]
async fn the_list_is_filtered_sorted_and_cut_into_pages() {
    let sandbox = instant();
    let mut ids = Vec::new();
    for (second, fault) in
        [None, Some(Fault::ErrorFrame { after: 0 }), Some(Fault::Late { polls: 9 })].into_iter().enumerate()
    {
        sandbox.set_now(Some(NOW + second as u64));
        if let Some(fault) = fault {
            sandbox.faults().set(Service::Comfyui, FaultRule::once(fault));
        }
        ids.push(submit(&sandbox, workflow(&saved())).await);
    }
    let shown = |answer: &Value| -> Vec<(Value, Value)> {
        let jobs = answer["jobs"].as_array().expect("a list");
        jobs.iter().map(|job| (job["id"].clone(), job["status"].clone())).collect()
    };
    let (_, all) = jobs(&sandbox, "").await;
    let expected = [(&ids[2], "pending"), (&ids[1], "failed"), (&ids[0], "completed")];
    assert_eq!(shown(&all), expected.map(|(id, state)| (json!(id), json!(state))));
    assert_eq!(all["pagination"], json!({ "offset": 0, "limit": null, "total": 3, "has_more": false }));
    assert_eq!(all["jobs"][1]["execution_error"]["exception_type"], "torch.OutOfMemoryError");
    assert_eq!((&all["jobs"][2]["outputs"], &all["jobs"][2]["workflow"]), (&Value::Null, &Value::Null));

    let (_, page) = jobs(&sandbox, "?sort_order=asc&limit=1&offset=1").await;
    assert_eq!(shown(&page), [(json!(ids[1]), json!("failed"))]);
    assert_eq!(page["pagination"], json!({ "offset": 1, "limit": 1, "total": 3, "has_more": true }));
    let (_, some) = jobs(&sandbox, "?status=completed,%20FAILED").await;
    assert_eq!(shown(&some).len(), 2);
    for wrong in ["?status=running", "?sort_by=name", "?sort_order=up", "?limit=0", "?limit=x", "?offset=x"] {
        let (status, answer) = jobs(&sandbox, wrong).await;
        assert!(status == 400 && answer["error"].is_string(), "{wrong}");
    }
}

#[tokio::test]
async fn a_cancelled_job_leaves_the_queue_or_ends() {
    let sandbox = paced();
    let waiting = submit(&sandbox, workflow(&saved())).await;
    assert_eq!(cancel(&sandbox, &waiting).await, json!({ "cancelled": true }));
    assert_eq!(jobs(&sandbox, &format!("/{waiting}")).await, (404, json!({ "error": "Job not found" })));
    assert_eq!(cancel(&sandbox, &waiting).await, json!({ "cancelled": false }));

    let running = submit(&sandbox, workflow(&saved())).await;
    while jobs(&sandbox, &format!("/{running}")).await.1["status"] != "in_progress" {}
    assert_eq!(cancel(&sandbox, &running).await, json!({ "cancelled": true }));
    let (_, job) = jobs(&sandbox, &format!("/{running}")).await;
    assert_eq!((&job["status"], &job["outputs_count"]), (&json!("cancelled"), &json!(0)));
    let path = format!("GET /sandbox/comfyui/history/{running}");
    let history = comfy(&sandbox, &path, &Value::Null).await.json();
    assert_eq!(history[&running]["status"]["messages"][2][0], "execution_interrupted");
    assert_eq!(cancel(&sandbox, &running).await, json!({ "cancelled": false }));
}

#[tokio::test]
async fn several_jobs_are_cancelled_at_once() {
    let sandbox = paced();
    let order = "POST /sandbox/comfyui/api/jobs/cancel";
    let ids = [submit(&sandbox, workflow(&saved())).await, submit(&sandbox, workflow(&saved())).await];
    let answer = comfy(&sandbox, order, &json!({ "job_ids": [ids[0], "NOT-AN-ID"] })).await;
    assert_eq!((answer.status, &answer.json()["invalid_ids"]), (400, &json!(["NOT-AN-ID"])));
    let answer = comfy(&sandbox, order, &json!({ "job_ids": ids })).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "cancelled": true })));
    assert_eq!(jobs(&sandbox, "").await.1["pagination"]["total"], 0);
    assert_eq!(
        comfy(&sandbox, order, &json!({ "job_ids": ids })).await.json(),
        json!({ "cancelled": false })
    );
    assert_eq!(comfy(&sandbox, order, &json!({})).await.status, 400);
}

#[tokio::test]
async fn these_calls_exist_below_api_only() {
    assert_eq!(comfy(&instant(), "GET /sandbox/comfyui/jobs", &Value::Null).await.status, 404);
}

#[tokio::test]
async fn the_queue_stands_in_the_order_of_its_numbers() {
    let sandbox = paced();
    let mut wanted = Vec::new();
    for more in [json!({}), json!({ "front": true }), json!({ "number": 0.5 }), json!({})] {
        let mut body = json!({ "prompt": workflow(&saved()), "client_id": "c1", "extra_data": { "run": 7 } });
        body.as_object_mut().expect("a body").extend(more.as_object().expect("fields").clone());
        let answer = comfy(&sandbox, "POST /sandbox/comfyui/prompt", &body).await.json();
        wanted.push((answer["number"].clone(), answer["prompt_id"].clone()));
    }
    let numbers: Vec<&Value> = wanted.iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [&json!(1), &json!(-2), &json!(0.5), &json!(3)]);
    let queue = comfy(&sandbox, "GET /sandbox/comfyui/queue", &Value::Null).await.json();
    let pending = queue["queue_pending"].as_array().expect("a list");
    let order: Vec<&Value> = pending.iter().map(|line| &line[1]).collect();
    assert_eq!(order, [1, 2, 0, 3].map(|place: usize| &wanted[place].1));
    assert_eq!((&pending[0][3]["client_id"], &pending[0][3]["run"]), (&json!("c1"), &json!(7)));
}
