use super::fal::{IMPATIENT, PNG};
use super::stand::{Received, Reply, Say, json, reply};
use super::world::{PROMPT, World};
use crate::Artifact;
use serde_json::{Value, json};

/// The run of [`super::world::job`] as ComfyUI knows it.
pub(super) const ID: &str = "019aae3d-9f80-7a8b-9a0f-cfa76c599270";

pub(super) fn finished(id: &str) -> Value {
    let image = json!({"filename": "cit 1&.png", "subfolder": "", "type": "output"});
    json!({id: {"prompt": [], "outputs": {"9": {"images": [image]}},
                "status": {"status_str": "success", "completed": true, "messages": []}}})
}

pub(super) fn queue(id: &str) -> Value {
    json!({"queue_running": [[1, id, {"6": {"inputs": {"text": "x"}}}, {}, ["9"]]], "queue_pending": []})
}

pub(super) fn vendor(request: &Received) -> Reply {
    vendor_with(request, ID)
}

/// An older server chooses the id by itself.
fn vendor_with(request: &Received, id: &str) -> Reply {
    let path = request.path.split('?').next().unwrap();
    match (request.method.as_str(), path) {
        ("POST", "/comfyui/prompt") => json(200, &json!({"prompt_id": id, "number": 12, "node_errors": {}})),
        ("GET", "/comfyui/queue") => json(200, &queue(id)),
        ("GET", "/comfyui/view") => reply(200, &[], PNG),
        ("GET", path) if path == format!("/comfyui/history/{id}") => match request.nth {
            0 => json(200, &json!({})),
            _ => json(200, &finished(id)),
        },
        _ => reply(404, &[], ""),
    }
}

#[tokio::test]
async fn an_image_is_queued_followed_and_fetched() {
    let world = World::start(vendor).await;
    let told = world.image(&["comfyui/image"]).await;

    assert_eq!(told.files, [Artifact::of(PNG.to_vec()).unwrap()]);
    let served = told.served();
    assert_eq!((served.model.as_str(), served.cost), ("z8.safetensors", "0.2".parse().unwrap()));
    assert_eq!(served.attempts[0].provider_request_id.as_deref(), Some(ID));
    assert_eq!(world.stand.count("GET /comfyui/view?filename=cit+1%26.png&subfolder=&type=output"), 1);
    let requests = world.stand.requests();
    assert!(requests.iter().all(|r| r.header("authorization") == Some("Bearer comfy-token")));
}

#[tokio::test]
async fn only_allowed_inputs_enter_our_template() {
    let world = World::with([("COMFYUI_CHECKPOINT", "z9.safetensors")], vendor).await;
    world.image(&["comfyui/image"]).await.served();

    let body = world.stand.requests()[0].json();
    assert_eq!((&body["prompt_id"], &body["client_id"]), (&json!(ID), &json!("citipen")));
    let nodes = &body["prompt"];
    assert_eq!(nodes["6"]["inputs"]["text"], PROMPT);
    assert_eq!(nodes["3"]["inputs"]["seed"], 7);
    assert_eq!(
        (&nodes["5"]["inputs"]["width"], &nodes["5"]["inputs"]["height"]),
        (&json!(1024), &json!(768))
    );
    assert_eq!(nodes["4"]["inputs"]["ckpt_name"], "z9.safetensors");
    assert_eq!(nodes["9"]["inputs"]["filename_prefix"], "cit_01KAQ3V7W05A5XM3YFMXP5K4KG");
}

#[tokio::test]
async fn the_id_in_the_answer_is_followed() {
    let world = World::start(|request| vendor_with(request, "old-server-7")).await;
    let told = world.image(&["comfyui/image"]).await;
    assert_eq!(told.served().attempts[0].provider_request_id.as_deref(), Some("old-server-7"));
}

#[tokio::test]
async fn a_lost_answer_is_found_again_by_our_own_id() {
    for cut in [true, false] {
        let world = World::start(move |request| match request.method.as_str() {
            "POST" if cut => vec![Say::Cut],
            "POST" => reply(200, &[], "<html>"),
            _ => vendor(request),
        })
        .await;
        world.image(&["comfyui/image"]).await.served();
        assert_eq!(world.stand.count("POST /comfyui/prompt"), 1);
    }
}

#[tokio::test]
async fn a_prompt_in_neither_queue_nor_history_is_lost_at_the_second_look() {
    let world = World::start(|request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/comfyui/queue") => json(200, &queue("other")),
        ("GET", _) => json(200, &json!({})),
        _ => vendor(request),
    })
    .await;
    assert_eq!(world.image(&["comfyui/image"]).await.failure().0, "unavailable");
    assert_eq!(world.stand.count("GET /comfyui/queue"), 2);
}

#[tokio::test]
async fn only_two_looks_in_a_row_that_miss_a_prompt_give_it_up() {
    let nothing: [fn() -> Reply; 4] =
        [|| vec![Say::Cut], || reply(500, &[], ""), || reply(200, &[], "<html>"), || reply(401, &[], "")];
    for path in ["/comfyui/history/", "/comfyui/queue"] {
        for (row, nothing) in nothing.into_iter().enumerate() {
            // The second look brings nothing, all before `found_at` miss the prompt.
            for (found_at, is_served) in [(3, true), (4, false)] {
                let world = World::start(move |request| match (request.method.as_str(), request.nth) {
                    ("GET", 1) if request.path.starts_with(path) => nothing(),
                    ("GET", _) if request.path == "/comfyui/queue" => json(200, &queue("other")),
                    ("GET", look) if look < found_at && request.path.starts_with("/comfyui/history/") => {
                        json(200, &json!({}))
                    }
                    _ => vendor(request),
                })
                .await;
                let told = world.image(&["comfyui/image"]).await;
                let class = told.outcome.as_ref().err().map(|failed| failed.class.as_str());
                assert_eq!(class, (!is_served).then_some("unavailable"), "{path} row {row}");
                assert_eq!(world.stand.count("GET /comfyui/history/"), 4, "{path} row {row}");
                assert_eq!(world.stand.count("POST"), 1, "{path} row {row}");
            }
        }
    }
}

#[tokio::test]
async fn a_finished_prompt_without_our_image_failed() {
    let error = json!({ID: {"outputs": {}, "status": {"status_str": "error", "completed": false,
        "messages": [["execution_error", {"exception_message": "secret"}]]}}});
    let world = World::start(move |request| {
        if request.path.starts_with("/comfyui/history/") { json(200, &error) } else { vendor(request) }
    })
    .await;
    assert_eq!(world.image(&["comfyui/image"]).await.failure().0, "unavailable");
}

#[tokio::test]
async fn a_200_can_be_a_refusal() {
    let node_errors = json!({"4": {"errors": [{"type": "value_not_in_list", "message": "secret"}]}});
    let world = World::start(move |request| match request.path.as_str() {
        "/comfyui/prompt" => json(200, &json!({"prompt_id": ID, "number": 1, "node_errors": node_errors})),
        _ => reply(200, &[], ""),
    })
    .await;
    assert_eq!(world.image(&["comfyui/image"]).await.failure().0, "model_gone");
    let requests = world.stand.requests();
    assert_eq!(requests.last().unwrap().json(), json!({"delete": [ID]}));
}

#[tokio::test]
async fn a_closed_door_is_auth_wherever_it_stands() {
    for status in [302, 401, 403] {
        for prefix in ["/comfyui/prompt", "/comfyui/history", "/comfyui/queue"] {
            let world = World::with(IMPATIENT, move |request| {
                let never_ends = request.path.starts_with("/comfyui/history") && prefix.ends_with("queue");
                match request.path.starts_with(prefix) {
                    true => reply(status, &[], ""),
                    false if never_ends => json(200, &json!({})),
                    false => vendor(request),
                }
            })
            .await;
            assert_eq!(world.image(&["comfyui/image"]).await.failure().0, "auth", "{status} {prefix}");
        }
    }
}

#[tokio::test]
async fn refusals_have_a_class() {
    let too_big = r#"{"error":{"type":"prompt_outputs_failed_validation"},
        "node_errors":{"5":{"errors":[{"type":"value_bigger_than_max"}]}}}"#;
    let table = [
        (400, too_big, "request_refused"),
        (400, r#"{"error":{"type":"x"},"node_errors":{"6":{"errors":[{"type":"y"}]}}}"#, "bad_input"),
        (400, "", "request_refused"),
        (404, "", "model_gone"),
        (500, "<html>", "unavailable"),
    ];
    for (status, body, class) in table {
        let world = World::start(move |_| reply(status, &[], body)).await;
        assert_eq!(world.image(&["comfyui/image"]).await.failure().0, class, "{status}");
    }
}

#[tokio::test]
async fn a_prompt_that_takes_too_long_is_taken_off_the_queue() {
    let world = World::with(IMPATIENT, |request| {
        if request.path.starts_with("/comfyui/history/") {
            return json(200, &json!({}));
        }
        if (request.method.as_str(), request.path.as_str()) == ("POST", "/comfyui/queue") {
            return reply(200, &[], "");
        }
        vendor(request)
    })
    .await;
    assert_eq!(world.image(&["comfyui/image"]).await.failure().0, "unavailable");
    assert_eq!(world.stand.count("POST /comfyui/queue"), 1);
    assert_eq!(world.stand.count("POST /comfyui/interrupt"), 0);
}
