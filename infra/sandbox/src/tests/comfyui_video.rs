use serde_json::{Value, json};

use super::video::Boxes;
use super::{Answer, ask, instant, paced, png_size};
use crate::{COMFY_TOKEN, Fault, FaultRule, Sandbox, Service};

/// Text to video with Wan, as ComfyUI's templates have it; the last node differs.
pub(super) fn workflow(ending: &Value) -> Value {
    let mut nodes = json!({
        "3": { "class_type": "KSampler", "inputs": {
            "seed": 5, "steps": 20, "cfg": 6.0, "sampler_name": "uni_pc", "scheduler": "simple", "denoise": 1.0,
            "model": ["48", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["40", 0] } },
        "6": { "class_type": "CLIPTextEncode", "inputs": { "text": "a red kite", "clip": ["38", 0] } },
        "7": { "class_type": "CLIPTextEncode", "inputs": { "text": "blurry", "clip": ["38", 0] } },
        "8": { "class_type": "VAEDecode", "inputs": { "samples": ["3", 0], "vae": ["39", 0] } },
        "37": { "class_type": "UNETLoader", "inputs": { "unet_name": "wan.safetensors", "weight_dtype": "default" } },
        "38": { "class_type": "CLIPLoader", "inputs": { "clip_name": "umt5.safetensors", "type": "wan" } },
        "39": { "class_type": "VAELoader", "inputs": { "vae_name": "wan_vae.safetensors" } },
        "40": { "class_type": "EmptyHunyuanLatentVideo", "inputs": {
            "width": 832, "height": 480, "length": 81, "batch_size": 1 } },
        "48": { "class_type": "ModelSamplingSD3", "inputs": { "shift": 8.0, "model": ["37", 0] } },
        "49": { "class_type": "CreateVideo", "inputs": { "fps": 16.0, "images": ["8", 0] } },
    });
    nodes["50"] = ending.clone();
    nodes
}

pub(super) fn saved() -> Value {
    json!({ "class_type": "SaveVideo", "inputs": {
        "video": ["49", 0], "filename_prefix": "video/cit", "format": "auto", "codec": "auto" } })
}

fn combined() -> Value {
    json!({ "class_type": "VHS_VideoCombine", "inputs": {
        "images": ["8", 0], "frame_rate": 16, "loop_count": 0, "filename_prefix": "cit",
        "format": "video/h264-mp4", "pingpong": false, "save_output": true } })
}

pub(super) async fn comfy(sandbox: &Sandbox, order: &str, body: &Value) -> Answer {
    let token = format!("Bearer {COMFY_TOKEN}");
    ask(sandbox, order, &[("authorization", &token)], body.to_string()).await
}

pub(super) async fn submit(sandbox: &Sandbox, prompt: Value) -> String {
    let answer = comfy(sandbox, "POST /sandbox/comfyui/prompt", &json!({ "prompt": prompt })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["prompt_id"].as_str().expect("an id").to_owned()
}

async fn outputs(sandbox: &Sandbox, prompt: Value) -> Value {
    let id = submit(sandbox, prompt).await;
    comfy(sandbox, &format!("GET /sandbox/comfyui/history/{id}"), &Value::Null).await.json()[&id]["outputs"]
        .clone()
}

async fn view(sandbox: &Sandbox, query: &str) -> Answer {
    comfy(sandbox, &format!("GET /sandbox/comfyui/view?{query}"), &Value::Null).await
}

/// Uploads a file; answers the server's answer.
async fn upload(sandbox: &Sandbox, name: &str, content: &[u8], fields: &[(&str, &str)]) -> Answer {
    let token = format!("Bearer {COMFY_TOKEN}");
    let mut body = Vec::new();
    for (field, value) in fields {
        let head = format!("--line\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        body.extend(head.into_bytes());
    }
    let head = format!(
        "--line\r\nContent-Disposition: form-data; name=\"image\"; filename=\"{name}\"\r\n\
         Content-Type: image/png\r\n\r\n"
    );
    body.extend(head.into_bytes());
    body.extend(content);
    body.extend(b"\r\n--line--\r\n");
    let headers = [("authorization", token.as_str()), ("content-type", "multipart/form-data; boundary=line")];
    ask(sandbox, "POST /sandbox/comfyui/upload/image", &headers, body).await
}

async fn picture(width: u32, height: u32) -> Vec<u8> {
    let path = format!("GET /sandbox/fal/files/3-{width}-{height}-a-0.png");
    ask(&instant(), &path, &[], "").await.body.to_vec()
}

#[tokio::test]
async fn a_saved_video_is_an_animated_image_and_plays() {
    let sandbox = instant();
    let outputs = outputs(&sandbox, workflow(&saved())).await;
    let file = json!({ "filename": "cit_00001_.mp4", "subfolder": "video", "type": "output" });
    assert_eq!(outputs, json!({ "50": { "images": [file], "animated": [true] } }));

    let shown = view(&sandbox, "filename=cit_00001_.mp4&subfolder=video&type=output").await;
    assert_eq!((shown.status, shown.header("content-type")), (200, "video/mp4"));
    assert_eq!(shown.header("content-disposition"), "filename=\"cit_00001_.mp4\"");
    let boxes = Boxes::of(&shown.body);
    assert_eq!((boxes.size(), boxes.frames(), boxes.milliseconds()), ((832, 480), 81, 5_062));

    let token = format!("Bearer {COMFY_TOKEN}");
    let headers = [("authorization", token.as_str()), ("range", "bytes=4-7")];
    let path = "GET /sandbox/comfyui/api/view?filename=cit_00001_.mp4&subfolder=video";
    let part = ask(&sandbox, path, &headers, "").await;
    assert_eq!((part.status, &part.body[..]), (206, &b"ftyp"[..]));
}

#[tokio::test]
async fn the_node_packs_use_other_words() {
    let sandbox = instant();
    let made = outputs(&sandbox, workflow(&combined())).await;
    let file = json!({ "filename": "cit_00001.mp4", "subfolder": "", "type": "output",
        "format": "video/h264-mp4", "frame_rate": 16, "workflow": "cit_00001.png",
        "fullpath": "/opt/ComfyUI/output/cit_00001.mp4" });
    assert_eq!(made, json!({ "50": { "gifs": [file] } }));
    assert_eq!(Boxes::of(&view(&sandbox, "filename=cit_00001.mp4").await.body).milliseconds(), 5_062);
    assert_eq!(png_size(&view(&sandbox, "filename=cit_00001.png").await.body), (832, 480));

    let mut unsaved = combined();
    unsaved["inputs"]["save_output"] = json!(false);
    let made = outputs(&sandbox, workflow(&unsaved)).await;
    assert_eq!(made["50"]["gifs"][0]["type"], "temp");
    assert_eq!(view(&sandbox, "filename=cit_00002.mp4").await.status, 404);
    assert_eq!(view(&sandbox, "filename=cit_00002.mp4&type=temp").await.status, 200);

    let listed = json!({ "class_type": "MTB_VideoCombine", "inputs": {
        "images": ["8", 0], "frame_rate": 16, "codec": "h264", "crf": 15, "preset": "fast",
        "pix_fmt": "yuv420p", "chunk_size": 8, "save_images_in_memory": true, "tile_size": 0,
        "tile_overlap": 8, "filename_prefix": "cit" } });
    let made = outputs(&sandbox, workflow(&listed)).await;
    let file =
        json!({ "filename": "cit_00003.mp4", "subfolder": "", "type": "output", "format": "video/mp4" });
    assert_eq!(made, json!({ "50": { "video": [file] } }));
}

#[tokio::test]
async fn an_uploaded_picture_starts_a_video() {
    let sandbox = instant();
    let up =
        upload(&sandbox, "kite.png", &picture(400, 300).await, &[("subfolder", "cit"), ("type", "input")])
            .await;
    assert_eq!(
        (up.status, up.json()),
        (200, json!({ "name": "kite.png", "subfolder": "cit", "type": "input" }))
    );

    let mut nodes = workflow(&saved());
    nodes["51"] = json!({ "class_type": "LoadImage", "inputs": { "image": "cit/kite.png" } });
    nodes["52"] = json!({ "class_type": "WanImageToVideo", "inputs": {
        "positive": ["6", 0], "negative": ["7", 0], "vae": ["39", 0], "width": 480, "height": 832,
        "length": 33, "batch_size": 1, "start_image": ["51", 0] } });
    nodes["3"]["inputs"]["latent_image"] = json!(["52", 2]);
    nodes.as_object_mut().expect("nodes").remove("40");
    outputs(&sandbox, nodes.clone()).await;
    let shown = view(&sandbox, "filename=cit_00001_.mp4&subfolder=video").await;
    let boxes = Boxes::of(&shown.body);
    assert_eq!((boxes.size(), boxes.frames()), ((480, 832), 33));

    for name in ["kite.png", "cit/boat.png", "cit/kite.png [output]"] {
        nodes["51"]["inputs"]["image"] = json!(name);
        let order = "POST /sandbox/comfyui/prompt";
        let refused = comfy(&sandbox, order, &json!({ "prompt": nodes })).await;
        let error = refused.json()["node_errors"]["51"]["errors"][0].clone();
        assert_eq!((refused.status, &error["type"]), (400, &json!("custom_validation_failed")));
        assert_eq!(error["details"], format!("image - Invalid image file: {name}"));
    }
    nodes["51"]["inputs"]["image"] = json!("cit/kite.png [input]");
    submit(&sandbox, nodes).await;
}

#[tokio::test]
async fn a_picture_of_an_uploaded_one_has_its_size() {
    let sandbox = instant();
    upload(&sandbox, "kite.png", &picture(400, 300).await, &[]).await;
    let mut nodes = workflow(&json!({ "class_type": "SaveImage", "inputs": {
        "images": ["8", 0], "filename_prefix": "cit" } }));
    nodes["40"] = json!({ "class_type": "VAEEncode", "inputs": { "pixels": ["51", 0], "vae": ["39", 0] } });
    nodes["51"] = json!({ "class_type": "LoadImage", "inputs": { "image": "kite.png" } });
    nodes.as_object_mut().expect("nodes").remove("49");
    outputs(&sandbox, nodes.clone()).await;
    assert_eq!(png_size(&view(&sandbox, "filename=cit_00001_.png").await.body), (400, 300));

    nodes["41"] =
        json!({ "class_type": "RepeatLatentBatch", "inputs": { "samples": ["40", 0], "amount": 3 } });
    nodes["3"]["inputs"]["latent_image"] = json!(["41", 0]);
    let made = outputs(&sandbox, nodes).await;
    assert_eq!(made["50"]["images"].as_array().map(Vec::len), Some(3), "it is repeated");
}

#[tokio::test]
async fn a_taken_name_is_changed_unless_the_picture_is_the_same() {
    let sandbox = instant();
    let (one, other) = (picture(8, 8).await, picture(9, 9).await);
    let name = async |content: &[u8], fields: &[(&str, &str)]| {
        upload(&sandbox, "kite.png", content, fields).await.json()["name"].clone()
    };
    assert_eq!(name(&one, &[]).await, "kite.png");
    assert_eq!(name(&one, &[]).await, "kite.png");
    assert_eq!(name(&other, &[]).await, "kite (1).png");
    assert_eq!(name(&other, &[("overwrite", "true")]).await, "kite.png");
    let shown = view(&sandbox, "filename=kite.png&type=input").await;
    assert_eq!((shown.header("content-type"), &shown.body[..]), ("image/png", &other[..]));
    assert_eq!(view(&sandbox, "filename=kite.png").await.status, 404, "it is no output");
}

#[tokio::test]
async fn uploads_stay_in_their_folder() {
    let sandbox = instant();
    for (name, fields, status) in [
        ("../kite.png", &[][..], 400),
        ("/etc/kite.png", &[], 400),
        ("kite.png", &[("subfolder", "../..")], 400),
        ("", &[], 400),
        ("kite.png", &[("type", "models")], 500),
    ] {
        assert_eq!(upload(&sandbox, name, b"x", fields).await.status, status, "{name} {fields:?}");
    }
    let token = format!("Bearer {COMFY_TOKEN}");
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let no_form = ask(&sandbox, "POST /sandbox/comfyui/upload/image", &headers, "{}").await;
    assert_eq!(no_form.status, 500);
}

#[tokio::test]
async fn a_wrong_video_node_is_refused_with_the_reason() {
    let broken = |input: &str, value: Value| {
        let mut ending = combined();
        ending["inputs"][input] = value;
        workflow(&ending)
    };
    let mut strange = saved();
    strange["inputs"]["codec"] = json!("av1");
    for (prompt, kind) in [
        (broken("format", json!("image/gif")), "value_not_in_list"),
        (broken("pingpong", json!("no")), "invalid_input_type"),
        (broken("loop_count", json!(101)), "value_bigger_than_max"),
        (broken("images", json!(["49", 0])), "return_type_mismatch"),
        (workflow(&strange), "value_not_in_list"),
    ] {
        let answer = comfy(&instant(), "POST /sandbox/comfyui/prompt", &json!({ "prompt": prompt })).await;
        let error = answer.json()["node_errors"]["50"]["errors"][0]["type"].clone();
        assert_eq!((answer.status, error), (400, json!(kind)));
    }
    let mut older = saved();
    older["inputs"].as_object_mut().expect("inputs").remove("codec");
    submit(&instant(), workflow(&older)).await;
}

#[tokio::test]
async fn a_video_waits_and_runs_for_three_looks_each() {
    let sandbox = paced();
    let id = submit(&sandbox, workflow(&saved())).await;
    let mut seen = Vec::new();
    for _ in 0..7 {
        let history =
            comfy(&sandbox, &format!("GET /sandbox/comfyui/history/{id}"), &Value::Null).await.json();
        let queue = comfy(&sandbox, "GET /sandbox/comfyui/queue", &Value::Null).await.json();
        let count = |name: &str| queue[name].as_array().map_or(0, Vec::len);
        seen.push((count("queue_pending"), count("queue_running"), history != json!({})));
    }
    let (waiting, running, done) = ((1, 0, false), (0, 1, false), (0, 0, true));
    assert_eq!(seen, [waiting, waiting, waiting, running, running, running, done]);
}

#[tokio::test]
async fn a_video_can_be_large_missing_or_fail() {
    let sandbox = instant();
    sandbox.faults().set(Service::Comfyui, FaultRule::once(Fault::Large { mb: 3 }));
    outputs(&sandbox, workflow(&saved())).await;
    let shown = view(&sandbox, "filename=cit_00001_.mp4&subfolder=video").await;
    assert_eq!(shown.body.len(), 3 << 20);
    assert_eq!(Boxes::of(&shown.body).top(), ["ftyp", "moov", "free", "mdat"]);
    for fault in [Fault::Empty, Fault::ErrorFrame { after: 0 }] {
        sandbox.faults().set(Service::Comfyui, FaultRule::once(fault));
        assert_eq!(outputs(&sandbox, workflow(&saved())).await, json!({}));
    }
}
