use serde_json::{Value, json};

use super::{Answer, ask, instant, paced, png_size};
use crate::{COMFY_TOKEN, Fault, FaultRule, Sandbox, Service};

const ID: &str = "0b5c9f4e-7a55-4a51-9b53-6f6c2f3a1d10";

fn workflow() -> Value {
    json!({
        "3": { "class_type": "KSampler", "inputs": {
            "seed": 5, "steps": 20, "cfg": 8.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0] } },
        "4": { "class_type": "CheckpointLoaderSimple", "inputs": { "ckpt_name": "z8.safetensors" } },
        "5": { "class_type": "EmptyLatentImage", "inputs": { "width": 640, "height": 384, "batch_size": 1 } },
        "6": { "class_type": "CLIPTextEncode", "inputs": { "text": "a red boat", "clip": ["4", 1] } },
        "7": { "class_type": "CLIPTextEncode", "inputs": { "text": "blurry", "clip": ["4", 1] } },
        "8": { "class_type": "VAEDecode", "inputs": { "samples": ["3", 0], "vae": ["4", 2] } },
        "9": { "class_type": "SaveImage", "inputs": { "filename_prefix": "cit", "images": ["8", 0] } },
    })
}

async fn comfy(sandbox: &Sandbox, order: &str, body: &Value) -> Answer {
    let token = format!("Bearer {COMFY_TOKEN}");
    ask(sandbox, order, &[("authorization", &token)], body.to_string()).await
}

async fn submit(sandbox: &Sandbox, prompt: Value) -> Answer {
    comfy(sandbox, "POST /sandbox/comfyui/prompt", &json!({ "prompt": prompt, "prompt_id": ID })).await
}

async fn history(sandbox: &Sandbox) -> Value {
    comfy(sandbox, &format!("GET /sandbox/comfyui/history/{ID}"), &Value::Null).await.json()
}

async fn queue(sandbox: &Sandbox) -> (usize, usize) {
    let queue = comfy(sandbox, "GET /sandbox/comfyui/api/queue", &Value::Null).await.json();
    let count = |name: &str| queue[name].as_array().map_or(0, Vec::len);
    (count("queue_pending"), count("queue_running"))
}

#[tokio::test]
async fn the_proxy_wants_its_token() {
    let answer = ask(&instant(), "GET /sandbox/comfyui/system_stats", &[], "").await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"));
    let answer = comfy(&instant(), "GET /sandbox/comfyui/system_stats", &Value::Null).await;
    assert_eq!(answer.json()["devices"][0]["type"], "cuda");
}

#[tokio::test]
async fn a_workflow_waits_runs_and_leaves_a_picture() {
    let sandbox = paced();
    let answer = submit(&sandbox, workflow()).await;
    assert_eq!((answer.status, &answer.json()["prompt_id"]), (200, &json!(ID)));

    assert_eq!((history(&sandbox).await, queue(&sandbox).await), (json!({}), (1, 0)));
    assert_eq!((history(&sandbox).await, queue(&sandbox).await), (json!({}), (0, 1)));
    let done = &history(&sandbox).await[ID];
    assert_eq!(queue(&sandbox).await, (0, 0));
    assert_eq!(
        (&done["status"]["status_str"], &done["status"]["completed"]),
        (&json!("success"), &json!(true))
    );

    let image = &done["outputs"]["9"]["images"][0];
    assert_eq!(image, &json!({ "filename": "cit_00001_.png", "subfolder": "", "type": "output" }));
    let file =
        comfy(&sandbox, "GET /sandbox/comfyui/view?filename=cit_00001_.png&type=output", &Value::Null).await;
    assert_eq!(png_size(&file.body), (640, 384));
}

#[tokio::test]
async fn files_outside_the_folder_are_not_served() {
    let sandbox = instant();
    for (query, status) in
        [("filename=../x", 400), ("filename=x&subfolder=../y", 403), ("filename=x.png", 404)]
    {
        let answer = comfy(&sandbox, &format!("GET /sandbox/comfyui/view?{query}"), &Value::Null).await;
        assert_eq!(answer.status, status, "{query}");
    }
}

#[tokio::test]
async fn a_workflow_that_cannot_run_is_refused_with_the_reason() {
    let broken = |pointer: &str, value: Value| {
        let mut workflow = workflow();
        *workflow.pointer_mut(pointer).expect("a place") = value;
        workflow
    };
    let mut no_output = workflow();
    no_output.as_object_mut().expect("nodes").remove("9");
    let node = "prompt_outputs_failed_validation";
    let cases = [
        (json!("text"), "no_prompt", ""),
        (no_output, "prompt_no_outputs", ""),
        (broken("/3/class_type", json!("Mystery")), "missing_node_type", ""),
        (broken("/3/inputs/model", json!(["44", 0])), node, "bad_linked_input"),
        (broken("/3/inputs/model", json!(["4", 1])), node, "return_type_mismatch"),
        (broken("/3/inputs/steps", Value::Null), node, "required_input_missing"),
        (broken("/3/inputs/steps", json!(0)), node, "value_smaller_than_min"),
        (broken("/3/inputs/steps", json!("many")), node, "invalid_input_type"),
    ];
    for (workflow, kind, node_kind) in cases {
        let answer = submit(&instant(), workflow).await;
        assert_eq!((answer.status, &answer.json()["error"]["type"]), (400, &json!(kind)));
        let found = &answer.json()["node_errors"]["3"]["errors"][0]["type"];
        assert_eq!(found.as_str().unwrap_or_default(), node_kind, "{kind}");
    }
}

#[tokio::test]
async fn ids_are_lower_case_uuids_and_json_must_parse() {
    let sandbox = instant();
    let order = "POST /sandbox/comfyui/prompt";
    for id in ["run-1", "0B5C9F4E-7A55-4A51-9B53-6F6C2F3A1D10", "0b5c9f4e7a554a519b536f6c2f3a1d10"] {
        let answer = comfy(&sandbox, order, &json!({ "prompt": workflow(), "prompt_id": id })).await;
        assert_eq!((answer.status, &answer.json()["error"]["type"]), (400, &json!("invalid_prompt_id")));
    }
    let token = format!("Bearer {COMFY_TOKEN}");
    assert_eq!(ask(&sandbox, order, &[("authorization", &token)], "{").await.status, 500);
    let minted = comfy(&sandbox, order, &json!({ "prompt": workflow() })).await.json();
    assert!(crate::ids::is_uuid(minted["prompt_id"].as_str().expect("an id")));
}

#[tokio::test]
async fn a_lost_job_is_in_neither_queue_nor_history() {
    let sandbox = paced();
    sandbox.faults().set(Service::Comfyui, FaultRule::once(Fault::Lost));
    assert_eq!(submit(&sandbox, workflow()).await.status, 200);
    for _ in 0..4 {
        assert_eq!((history(&sandbox).await, queue(&sandbox).await), (json!({}), (0, 0)));
    }
}

#[tokio::test]
async fn waiting_jobs_can_be_dropped_and_running_ones_interrupted() {
    let sandbox = paced();
    submit(&sandbox, workflow()).await;
    let delete = comfy(&sandbox, "POST /sandbox/comfyui/queue", &json!({ "delete": [ID] })).await;
    assert_eq!((delete.status, delete.body.len()), (200, 0));
    assert_eq!(queue(&sandbox).await, (0, 0));

    submit(&sandbox, workflow()).await;
    assert_eq!([queue(&sandbox).await, queue(&sandbox).await], [(1, 0), (0, 1)]);
    comfy(&sandbox, "POST /sandbox/comfyui/interrupt", &json!({ "prompt_id": ID })).await;
    let status = &history(&sandbox).await[ID]["status"];
    assert_eq!(
        (&status["status_str"], &status["messages"][2][0]),
        (&json!("error"), &json!("execution_interrupted"))
    );
}

#[tokio::test]
async fn a_job_can_fail_while_it_runs() {
    let sandbox = instant();
    sandbox.faults().set(Service::Comfyui, FaultRule::once(Fault::ErrorFrame { after: 0 }));
    submit(&sandbox, workflow()).await;
    let done = &history(&sandbox).await[ID];
    assert_eq!((&done["status"]["status_str"], &done["outputs"]), (&json!("error"), &json!({})));
}
