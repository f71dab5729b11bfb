//! Several pictures of ComfyUI's at once, and pictures made from a picture that is sent there first.

use super::comfyui::{ID, vendor};
use super::fal::PNG;
use super::stand::{Answer, Received, Reply, Say, json, reply};
use super::world::{PROMPT, World, order, source};
use crate::{ImageRequest, JobOrder, Painted, Request, SourceFile};
use primitives::Private;
use serde_json::{Value, json};

/// The job of `world::order`.
const JOB: &str = "01KAQ3V7W05A5XM3YFMXP5K4KG";

fn images(count: u32, source: Option<Painted>) -> JobOrder {
    let prompt = Private::new(PROMPT.to_owned());
    order(Request::Image(ImageRequest { prompt, width: 1024, height: 768, seed: 7, count, source }))
}

fn from_a_picture(world: &World, count: u32) -> JobOrder {
    images(count, Some(Painted { picture: source(world, "kite.png"), change: 85 }))
}

/// A finished prompt with so many saved images.
fn history(count: usize) -> Value {
    let image =
        |place: usize| json!({"filename": format!("cit_{place}.png"), "subfolder": "", "type": "output"});
    let images: Vec<_> = (0..count).map(image).collect();
    json!({ID: {"outputs": {"9": {"images": images}}, "status": {"status_str": "success", "completed": true}}})
}

fn with_images(request: &Received, count: usize) -> Reply {
    match request.path.starts_with("/comfyui/history/") {
        true => json(200, &history(count)),
        false => vendor(request),
    }
}

/// The store gives the picture, and the server takes it.
fn with_uploads(request: &Received, taken: &Value) -> Reply {
    match request.path.split('?').next().unwrap() {
        path if path.starts_with("/media/") => reply(200, &[("content-type", "image/png")], PNG),
        "/comfyui/upload/image" => json(200, taken),
        _ => vendor(request),
    }
}

fn taken() -> Value {
    json!({"name": "cit_x.png", "subfolder": "", "type": "temp"})
}

fn workflow(world: &World) -> Value {
    let requests = world.stand.requests();
    let submit = requests.iter().find(|request| request.path == "/comfyui/prompt").unwrap();
    submit.json()["prompt"].clone()
}

#[tokio::test]
async fn several_images_are_one_batch_and_all_of_them_come() {
    let world = World::start(|request| with_images(request, 3)).await;
    let told = world.order(&["comfyui/image"], images(3, None)).await;

    assert_eq!(told.files.len(), 3);
    assert_eq!(told.served().cost, "0.6".parse().unwrap());
    assert_eq!(workflow(&world)["5"]["inputs"]["batch_size"], 3);
    assert_eq!(world.stand.count("GET /comfyui/view?filename=cit_"), 3);
}

#[tokio::test]
async fn fewer_saved_images_are_none_and_cost_what_was_made() {
    for (saved, cost) in [(2, "0.4"), (1, "0.2"), (0, "0")] {
        let world = World::start(move |request| with_images(request, saved)).await;
        let told = world.order(&["comfyui/image"], images(3, None)).await;
        assert_eq!(told.failure().0, "unavailable", "{saved}");
        assert!(told.files.is_empty() && world.stand.count("GET /comfyui/view") == 0, "{saved}");
        assert_eq!(told.outcome.unwrap_err().attempts[0].cost, cost.parse().unwrap(), "{saved}");
    }
    let world = World::start(|request| with_images(request, 4)).await;
    assert_eq!(world.order(&["comfyui/image"], images(3, None)).await.files.len(), 3);
}

#[tokio::test]
async fn a_picture_is_sent_first_and_loaded_by_the_name_that_comes_back() {
    let table = [
        (taken(), "cit_x.png [temp]"),
        (json!({"name": "cit_x (1).png", "subfolder": "a", "type": "temp"}), "a/cit_x (1).png [temp]"),
        (json!({"name": "cit_x.png", "subfolder": null, "type": "input"}), "cit_x.png [input]"),
        (json!({"name": "cit_x.png"}), "cit_x.png [temp]"),
    ];
    for (taken, name) in table {
        let world = World::start(move |request| with_uploads(request, &taken)).await;
        world.order(&["comfyui/image"], from_a_picture(&world, 1)).await.served();

        let requests = world.stand.requests();
        let paths: Vec<_> = requests.iter().map(|request| request.path.as_str()).take(3).collect();
        assert_eq!(
            paths,
            ["/media/kite.png?signature=secret-link", "/comfyui/upload/image", "/comfyui/prompt"]
        );
        assert_eq!(requests[0].header("authorization"), None, "our token stays with the server");
        let upload = &requests[1];
        assert_eq!(upload.header("authorization"), Some("Bearer comfy-token"));
        let boundary = format!("citipen-{JOB}");
        assert_eq!(
            upload.header("content-type"),
            Some(format!("multipart/form-data; boundary={boundary}").as_str())
        );
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\ntemp\r\n--{boundary}\r\n\
             Content-Disposition: form-data; name=\"image\"; filename=\"cit_{JOB}.png\"\r\n\
             Content-Type: image/png\r\n\r\n"
        );
        let body = [head.as_bytes(), PNG, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
        assert_eq!(upload.body, body);
        assert_eq!(workflow(&world)["10"], json!({"class_type": "LoadImage", "inputs": {"image": name}}));
    }
}

#[tokio::test]
async fn the_picture_is_scaled_encoded_and_repeated_for_the_sampler() {
    let world = World::start(|request| match request.path.starts_with("/comfyui/history/") {
        true => json(200, &history(2)),
        false => with_uploads(request, &taken()),
    })
    .await;
    let told = world.order(&["comfyui/image"], from_a_picture(&world, 2)).await;
    assert_eq!((told.files.len(), told.served().cost), (2, "0.4".parse().unwrap()));

    let nodes = workflow(&world);
    let inputs = |node: &str| nodes[node]["inputs"].clone();
    let scaled = json!({"image": ["10", 0], "upscale_method": "lanczos", "width": 1024, "height": 768, "crop": "center"});
    assert_eq!((&nodes["11"]["class_type"], inputs("11")), (&json!("ImageScale"), scaled));
    assert_eq!(
        (&nodes["12"]["class_type"], inputs("12")),
        (&json!("VAEEncode"), json!({"pixels": ["11", 0], "vae": ["4", 2]}))
    );
    let repeated = json!({"samples": ["12", 0], "amount": 2});
    assert_eq!((&nodes["5"]["class_type"], inputs("5")), (&json!("RepeatLatentBatch"), repeated));
    assert_eq!((&inputs("3")["latent_image"], &inputs("3")["denoise"]), (&json!(["5", 0]), &json!(0.85)));
    assert_eq!(inputs("9")["filename_prefix"], format!("cit_{JOB}"));
}

#[tokio::test]
async fn a_picture_that_is_not_taken_starts_no_work_and_has_a_class() {
    let table: [(u16, &str, &str, usize); 10] = [
        (401, "", "auth", 1),
        (403, "", "auth", 1),
        (302, "", "auth", 1),
        (400, "", "request_refused", 1),
        (404, "404: Not Found", "request_refused", 1),
        (413, "<html>nginx</html>", "request_refused", 1),
        (429, "", "rate_limited", 2),
        (500, "<html>", "unavailable", 1),
        (503, "", "unavailable", 2),
        (200, "<html>", "unavailable", 2),
    ];
    for (status, body, class, uploads) in table {
        let world = World::start(move |request| match request.path.as_str() {
            "/comfyui/upload/image" => reply(status, &[], body),
            _ => with_uploads(request, &taken()),
        })
        .await;
        let told = world.order(&["comfyui/image"], from_a_picture(&world, 1)).await;
        assert_eq!(told.failure().0, class, "{status}");
        assert_eq!(world.stand.count("POST /comfyui/upload/image"), uploads, "{status}");
        assert_eq!(world.stand.count("POST /comfyui/prompt"), 0, "{status}");
    }
}

#[tokio::test]
async fn a_picture_whose_sending_broke_is_sent_again() {
    let table: Vec<Answer> = vec![
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| json(200, &json!({"name": null}))),
        Box::new(|_| json(200, &json!([]))),
    ];
    for (row, first) in table.into_iter().enumerate() {
        let world = World::start(move |request| match (request.path.as_str(), request.nth) {
            ("/comfyui/upload/image", 0) => first(request),
            _ => with_uploads(request, &taken()),
        })
        .await;
        world.order(&["comfyui/image"], from_a_picture(&world, 1)).await.served();
        assert_eq!(world.stand.count("POST /comfyui/upload/image"), 2, "row {row}");
        assert_eq!(world.stand.count("POST /comfyui/prompt"), 1, "row {row}");
    }
}

#[tokio::test]
async fn a_picture_that_our_store_does_not_give_is_not_sent() {
    let table: Vec<Answer> = vec![
        Box::new(|_| reply(403, &[], "expired")),
        Box::new(|_| reply(200, &[], &PNG[..20])),
        Box::new(|_| reply(200, &[], [PNG, PNG].concat())),
        Box::new(|_| vec![Say::Cut]),
    ];
    for (row, store) in table.into_iter().enumerate() {
        let world = World::start(move |request| match request.path.starts_with("/media/") {
            true => store(request),
            false => with_uploads(request, &taken()),
        })
        .await;
        let told = world.order(&["comfyui/image"], from_a_picture(&world, 1)).await;
        assert_eq!(told.failure().0, "unavailable", "row {row}");
        assert_eq!(world.stand.count("POST"), 0, "row {row}");
    }
}

#[tokio::test]
async fn a_picture_beyond_twenty_mebibytes_is_not_read() {
    let world = World::start(|request| with_uploads(request, &taken())).await;
    let picture = SourceFile { bytes: 20 * 1024 * 1024 + 1, ..source(&world, "kite.png") };
    let told = world.order(&["comfyui/image"], images(1, Some(Painted { picture, change: 50 }))).await;
    assert_eq!(told.failure().0, "bad_input");
    assert!(world.stand.requests().is_empty());
}
