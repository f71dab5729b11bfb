//! Videos of our own server: Wan 2.2 5B in ComfyUI.

use super::comfyui::{ID, queue};
use super::fal::PNG;
use super::stand::{Received, Reply, Say, json, reply};
use super::world::{PROMPT, World, content, order, source};
use crate::{JobOrder, Request, Sign, SourceFile, VideoRequest, VideoShape};
use primitives::Private;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

const MP4: &[u8] = b"\0\0\0\x18ftypmp42 only its first bytes are a video";

/// A short patience, so that the chain gives up within a test what never comes.
const IMPATIENT: [(&str, &str); 1] = [("PROVIDER_FIRST_CONTENT_MS_VIDEO", "1600")];

fn film(shape: VideoShape, first_picture: Option<SourceFile>) -> JobOrder {
    let prompt = Private::new(PROMPT.to_owned());
    order(Request::Video(VideoRequest { prompt, shape, seconds: 5, seed: 7, first_picture }))
}

/// A finished prompt with these outputs of the node that is ours.
fn history(outputs: &Value) -> Value {
    json!({ID: {"outputs": {"9": outputs, "8": {"gifs": [{"filename": "other.mp4"}]}},
                "status": {"status_str": "success", "completed": true}}})
}

fn saved() -> Value {
    json!({"images": [{"filename": "cit_1_.mp4", "subfolder": "", "type": "output"}], "animated": [true]})
}

fn vendor(request: &Received, outputs: &Value) -> Reply {
    let path = request.path.split('?').next().unwrap();
    match (request.method.as_str(), path) {
        ("POST", "/comfyui/prompt") => json(200, &json!({"prompt_id": ID, "number": 1, "node_errors": {}})),
        ("POST", "/comfyui/upload/image") => {
            json(200, &json!({"name": "a.png", "subfolder": "", "type": "temp"}))
        }
        ("GET", "/comfyui/queue") => json(200, &queue(ID)),
        ("GET", "/comfyui/view") => reply(200, &[], MP4),
        ("GET", path) if path.starts_with("/media/") => reply(200, &[], PNG),
        ("GET", path) if path == format!("/comfyui/history/{ID}") => match request.nth {
            0 => json(200, &json!({})),
            _ => json(200, &history(outputs)),
        },
        _ => reply(404, &[], ""),
    }
}

fn workflow(world: &World) -> Value {
    let requests = world.stand.requests();
    let submit = requests.iter().find(|request| request.path == "/comfyui/prompt").unwrap();
    submit.json()["prompt"].clone()
}

#[tokio::test]
async fn a_video_of_words_is_made_by_our_template_and_passed_on() {
    let world = World::with([("COMFYUI_VIDEO_MODEL", "wan-9.safetensors")], |r| vendor(r, &saved())).await;
    let told = world.order(&["comfyui/video"], film(VideoShape::Landscape, None)).await;

    let served = told.served();
    assert_eq!((served.model.as_str(), served.cost), ("wan-9.safetensors", "10".parse().unwrap()));
    assert!(!served.cost_is_estimated);
    assert_eq!(told.signs, [Sign::Working { percent: None }]);
    let [made] = told.made.as_slice() else { panic!("one video") };
    assert_eq!(world.stand.count("GET /comfyui/view"), 0, "it comes when it is opened");
    assert_eq!(content(made).await.unwrap(), MP4);
    assert_eq!(world.stand.count("GET /comfyui/view?filename=cit_1_.mp4&subfolder=&type=output"), 1);
    let requests = world.stand.requests();
    assert!(requests.iter().all(|request| request.header("authorization") == Some("Bearer comfy-token")));

    assert_eq!(requests[0].json()["prompt_id"], ID);
    let nodes = workflow(&world);
    let inputs = |node: &str| nodes[node]["inputs"].clone();
    assert_eq!(inputs("6"), json!({"text": PROMPT, "clip": ["38", 0]}));
    assert_eq!(inputs("37")["unet_name"], "wan-9.safetensors");
    assert_eq!((&inputs("3")["seed"], &inputs("3")["latent_image"]), (&json!(7), &json!(["5", 0])));
    let latent = json!({"vae": ["39", 0], "width": 1280, "height": 704, "length": 121, "batch_size": 1});
    assert_eq!((&nodes["5"]["class_type"], inputs("5")), (&json!("Wan22ImageToVideoLatent"), latent));
    assert_eq!(nodes["9"]["class_type"], "SaveVideo");
    assert_eq!(inputs("9")["filename_prefix"], "cit_01KAQ3V7W05A5XM3YFMXP5K4KG");
    assert_eq!(nodes["10"], Value::Null);
}

#[tokio::test]
async fn each_shape_has_a_size_and_a_first_picture_decides_it() {
    let table = [
        (VideoShape::Landscape, None, (1280, 704)),
        (VideoShape::Portrait, None, (704, 1280)),
        (VideoShape::Square, None, (960, 960)),
        (VideoShape::Square, Some((1601, 1200)), (1280, 704)),
        (VideoShape::Landscape, Some((1600, 1200)), (960, 960)),
        (VideoShape::Landscape, Some((1200, 1601)), (704, 1280)),
        (VideoShape::Portrait, Some((u32::MAX, 1)), (1280, 704)),
    ];
    for (shape, pixels, (width, height)) in table {
        let world = World::start(|request| vendor(request, &saved())).await;
        let picture = pixels.map(|pixels| SourceFile { pixels: Some(pixels), ..source(&world, "kite.png") });
        world.order(&["comfyui/video"], film(shape, picture)).await.served();
        let nodes = workflow(&world);
        let inputs = &nodes["5"]["inputs"];
        assert_eq!(
            (&inputs["width"], &inputs["height"]),
            (&json!(width), &json!(height)),
            "{shape:?} {pixels:?}"
        );
        let (loaded, start) = match pixels {
            Some(_) => (json!("a.png [temp]"), json!(["10", 0])),
            None => (Value::Null, Value::Null),
        };
        assert_eq!((&nodes["10"]["inputs"]["image"], &inputs["start_image"]), (&loaded, &start));
        assert_eq!(world.stand.count("POST /comfyui/upload/image"), usize::from(pixels.is_some()));
    }
}

#[tokio::test]
async fn a_video_is_taken_from_our_node_under_whatever_word() {
    let file = json!({"filename": "cit_1.mp4", "subfolder": "video", "type": "output"});
    for outputs in [
        json!({"images": [file], "animated": [true]}),
        json!({"gifs": [{"filename": "cit_0.mp4", "type": "temp"}, file], "images": null}),
        json!({"video": [null, {"filename": "cit.png"}, file]}),
    ] {
        let world = World::start(move |request| vendor(request, &outputs)).await;
        let told = world.order(&["comfyui/video"], film(VideoShape::Square, None)).await;
        assert_eq!(content(&told.made[0]).await.unwrap(), MP4);
        assert_eq!(world.stand.count("GET /comfyui/view?filename=cit_1.mp4&subfolder=video&type=output"), 1);
    }
}

#[tokio::test]
async fn a_finished_prompt_without_our_video_failed_for_nothing() {
    for outputs in [json!(null), json!({}), json!({"images": [{"filename": "a.png"}]}), json!({"gifs": 7})] {
        let world = World::start(move |request| vendor(request, &outputs)).await;
        let told = world.order(&["comfyui/video"], film(VideoShape::Square, None)).await;
        assert_eq!(told.failure(), ("unavailable", vec!["unavailable"]));
        assert_eq!(told.outcome.unwrap_err().attempts[0].cost, "0".parse().unwrap());
    }
    let failed = json!({ID: {"outputs": {"9": saved()}, "status": {"status_str": "error",
        "messages": [["execution_error", {"exception_message": "secret"}]]}}});
    let world = World::start(move |request| match request.path.starts_with("/comfyui/history/") {
        true => json(200, &failed),
        false => vendor(request, &saved()),
    })
    .await;
    let told = world.order(&["comfyui/video"], film(VideoShape::Square, None)).await;
    assert_eq!(told.failure().0, "unavailable");
    assert!(!format!("{:?}", told.outcome).contains("secret"));
}

#[tokio::test]
async fn a_video_whose_submit_has_no_answer_is_found_by_its_id() {
    let world = World::start(|request| match request.path.as_str() {
        "/comfyui/prompt" => vec![Say::Cut],
        _ => vendor(request, &saved()),
    })
    .await;
    let told = world.order(&["comfyui/video"], film(VideoShape::Square, None)).await;
    assert_eq!(content(&told.made[0]).await.unwrap(), MP4);
    assert_eq!(world.stand.count("POST /comfyui/prompt"), 1);
}

#[tokio::test]
async fn a_late_video_is_stopped_by_its_id_and_the_prompt_of_another_run_is_not_interrupted() {
    let world = World::with(IMPATIENT, |request| match request.path.starts_with("/comfyui/history/") {
        true => json(200, &json!({})),
        false => vendor(request, &saved()),
    })
    .await;
    let told = world.order(&["comfyui/video"], film(VideoShape::Square, None)).await;
    assert_eq!(told.failure().0, "unavailable");
    assert_eq!(world.stand.count(&format!("POST /comfyui/api/jobs/{ID}/cancel")), 1);
    assert_eq!(world.stand.count("POST /comfyui/queue"), 1, "older servers have no call that cancels by id");
    assert_eq!(world.stand.count("POST /comfyui/interrupt"), 0);
}

#[tokio::test]
async fn a_video_that_was_finished_while_it_was_stopped_is_delivered() {
    let is_stopped = Arc::new(AtomicBool::new(false));
    let world = World::with(IMPATIENT, move |request| match request.path.as_str() {
        path if path.starts_with("/comfyui/history/") && is_stopped.load(SeqCst) => {
            json(200, &history(&saved()))
        }
        path if path.starts_with("/comfyui/history/") => json(200, &json!({})),
        path if path.ends_with("/cancel") => {
            is_stopped.store(true, SeqCst);
            json(200, &json!({"cancelled": false}))
        }
        _ => vendor(request, &saved()),
    })
    .await;
    let told = world.order(&["comfyui/video"], film(VideoShape::Square, None)).await;
    assert_eq!(content(&told.made[0]).await.unwrap(), MP4);
}

#[tokio::test]
async fn a_refused_video_has_a_class() {
    let table = [
        (400, r#"{"error":{"type":"missing_node_type"},"node_errors":{}}"#, "model_gone"),
        (
            400,
            r#"{"error":{"type":"x"},"node_errors":{"37":{"errors":[{"type":"value_not_in_list"}]}}}"#,
            "model_gone",
        ),
        (400, r#"{"error":{"type":"x"},"node_errors":{"6":{"errors":[{"type":"y"}]}}}"#, "bad_input"),
        (
            400,
            r#"{"error":{"type":"x"},"node_errors":{"10":{"errors":[{"type":"custom_validation_failed"}]}}}"#,
            "request_refused",
        ),
        (401, "", "auth"),
        (500, "<html>", "unavailable"),
    ];
    for (status, body, class) in table {
        let world = World::start(move |_| reply(status, &[], body)).await;
        let told = world.order(&["comfyui/video"], film(VideoShape::Square, None)).await;
        assert_eq!(told.failure().0, class, "{status} {body}");
    }
}
