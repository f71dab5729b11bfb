use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::video::Boxes;
use super::{Answer, BASE, ask, instant, paced};
use crate::{FAL_KEY, Fault, FaultRule, Sandbox, Service};

pub(super) const KLING: &str = "fal-ai/kling-video/v3/pro/text-to-video";
const KLING_OF_A_PICTURE: &str = "fal-ai/kling-video/v3/pro/image-to-video";
const WAN: &str = "fal-ai/wan-25-preview/text-to-video";
const WAN_OF_A_PICTURE: &str = "fal-ai/wan-25-preview/image-to-video";
const FLUX_OF_A_PICTURE: &str = "fal-ai/flux/dev/image-to-image";

pub(super) async fn fal(sandbox: &Sandbox, order: &str, body: &Value) -> Answer {
    let key = format!("Key {FAL_KEY}");
    ask(sandbox, order, &[("authorization", &key)], body.to_string()).await
}

pub(super) async fn submit(sandbox: &Sandbox, model: &str, input: Value) -> Value {
    let answer = fal(sandbox, &format!("POST /sandbox/fal/{model}"), &input).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

pub(super) async fn follow(sandbox: &Sandbox, method: &str, job: &Value, address: &str) -> Answer {
    fal(sandbox, &format!("{method} {}", job[address].as_str().expect("an address")), &Value::Null).await
}

pub(super) async fn result(sandbox: &Sandbox, model: &str, input: Value) -> Answer {
    let job = submit(sandbox, model, input).await;
    assert_eq!(follow(sandbox, "GET", &job, "status_url").await.json()["status"], "COMPLETED");
    follow(sandbox, "GET", &job, "response_url").await
}

/// What Kling tells of its video, and the video's address.
pub(super) async fn film(sandbox: &Sandbox, input: Value) -> (Value, String) {
    let told = result(sandbox, KLING, input).await.json()["video"].clone();
    let url = told["url"].as_str().expect("an address").strip_prefix(BASE).expect("ours").to_owned();
    (told, url)
}

/// A PNG of the sandbox as a `data:` address.
async fn inline(width: u32, height: u32) -> String {
    let path = format!("GET /sandbox/fal/files/3-{width}-{height}-a-0.png");
    format!("data:image/png;base64,{}", STANDARD.encode(ask(&instant(), &path, &[], "").await.body))
}

/// Place and type of each complaint.
fn complaints(answer: &Answer) -> Vec<(Value, String)> {
    assert_eq!((answer.status, answer.header("x-fal-billable-units")), (422, "0"), "{}", answer.text());
    let list = answer.json()["detail"].as_array().expect("a list").clone();
    list.iter().map(|one| (one["loc"].clone(), one["type"].as_str().expect("a type").to_owned())).collect()
}

#[tokio::test]
async fn kling_makes_a_video_of_the_asked_shape_and_length_and_bills_its_seconds() {
    let sandbox = instant();
    for (aspect, size) in [("16:9", (1_920, 1_080)), ("9:16", (1_080, 1_920)), ("1:1", (1_440, 1_440))] {
        for (duration, units, milliseconds) in [("3", "3.008", 3_008), ("15", "15.008", 15_008)] {
            let input = json!({ "prompt": "a kite", "duration": duration, "aspect_ratio": aspect,
                "negative_prompt": "rain", "cfg_scale": 0.5, "generate_audio": true });
            let answer = result(&sandbox, KLING, input).await;
            assert_eq!((answer.status, answer.header("x-fal-billable-units")), (200, units));
            let body = answer.json();
            let told = &body["video"];
            let url = told["url"].as_str().expect("an address");
            let file = ask(&sandbox, &format!("GET {url}"), &[], "").await;
            let boxes = Boxes::of(&file.body);
            assert_eq!((boxes.size(), boxes.milliseconds()), (size, milliseconds));
            let described = json!({ "url": url, "content_type": "video/mp4", "file_name": "output.mp4",
                "file_size": file.body.len() });
            assert_eq!(body, json!({ "video": described }), "no poster, no seed");
        }
    }
    let usual = result(&sandbox, KLING, json!({ "prompt": "a kite" })).await;
    assert_eq!(usual.header("x-fal-billable-units"), "5.008");
}

#[tokio::test]
async fn wan_describes_its_video() {
    let sandbox = instant();
    let input = json!({ "prompt": "a kite", "duration": "10", "resolution": "480p", "aspect_ratio": "9:16", "seed": 4 });
    let answer = result(&sandbox, WAN, input).await;
    let body = answer.json();
    assert_eq!((answer.header("x-fal-billable-units"), &body["seed"]), ("10.008", &json!(4)));
    assert_eq!(body["actual_prompt"], "a kite");
    let video = &body["video"];
    assert_eq!(
        [&video["width"], &video["height"], &video["num_frames"], &video["fps"], &video["duration"]],
        [&json!(480), &json!(832), &json!(240), &json!(24.0), &json!(10.008)]
    );
}

#[tokio::test]
async fn a_video_takes_its_time_and_the_queue_moves() {
    let sandbox = paced();
    let job = submit(&sandbox, KLING, json!({ "prompt": "a kite" })).await;
    let id = job["request_id"].as_str().expect("an id");
    assert_eq!(
        job["status_url"],
        format!("{BASE}/sandbox/fal/fal-ai/kling-video/requests/{id}/status"),
        "the model's path is gone"
    );
    assert_eq!(job["queue_position"], 2);
    let mut seen = Vec::new();
    for _ in 0..7 {
        let url = job["status_url"].as_str().expect("an address");
        let status = fal(&sandbox, &format!("GET {url}?logs=1"), &Value::Null).await;
        let body = status.json();
        let logs = body["logs"].as_array().map_or(0, Vec::len);
        seen.push((status.status, body["status"].clone(), body["queue_position"].clone(), logs));
    }
    let expected = [
        (202, json!("IN_QUEUE"), json!(2), 0),
        (202, json!("IN_QUEUE"), json!(1), 0),
        (202, json!("IN_QUEUE"), json!(0), 0),
        (202, json!("IN_PROGRESS"), Value::Null, 1),
        (202, json!("IN_PROGRESS"), Value::Null, 2),
        (202, json!("IN_PROGRESS"), Value::Null, 3),
        (200, json!("COMPLETED"), Value::Null, 3),
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        follow(&sandbox, "GET", &job, "status_url").await.json()["logs"],
        Value::Null,
        "not asked for"
    );
}

#[tokio::test]
async fn the_result_names_the_same_file_every_time() {
    let sandbox = instant();
    for (model, place) in [(KLING, "/video/url"), ("fal-ai/flux/dev", "/images/0/url")] {
        let job = submit(&sandbox, model, json!({ "prompt": "a kite" })).await;
        let other = submit(&sandbox, model, json!({ "prompt": "a kite" })).await;
        let url = |answer: Answer| answer.json().pointer(place).expect("an address").clone();
        let first = url(follow(&sandbox, "GET", &job, "response_url").await);
        assert_eq!(url(follow(&sandbox, "GET", &job, "response_url").await), first);
        assert_ne!(url(follow(&sandbox, "GET", &other, "response_url").await), first);
    }
}

#[tokio::test]
async fn what_kling_does_not_take_is_told_in_pydantics_words() {
    let sandbox = instant();
    let wrong = json!({ "prompt": "p".repeat(2_501), "duration": 5, "aspect_ratio": "4:3", "cfg_scale": 1.5,
        "generate_audio": "yes", "negative_prompt": 7 });
    let answer = result(&sandbox, KLING, wrong).await;
    let expected = [
        ("prompt", "string_too_long"),
        ("aspect_ratio", "literal_error"),
        ("duration", "literal_error"),
        ("negative_prompt", "string_type"),
        ("cfg_scale", "less_than_equal"),
        ("generate_audio", "bool_type"),
    ];
    let expected = expected.map(|(field, kind)| (json!(["body", field]), kind.to_owned()));
    assert_eq!(complaints(&answer), expected);
    let details = answer.json()["detail"].clone();
    assert_eq!(details[1]["msg"], "Input should be '16:9', '9:16' or '1:1'");
    assert_eq!((&details[2]["input"], &details[0]["ctx"]), (&json!(5), &json!({ "max_length": 2_500 })));

    for neither_or_both in [json!({}), json!({ "prompt": "x", "multi_prompt": [{ "prompt": "y" }] })] {
        let answer = result(&sandbox, KLING, neither_or_both).await;
        assert_eq!(complaints(&answer), [(json!(["body"]), "value_error".to_owned())]);
    }
    let shots = json!({ "multi_prompt": [{ "prompt": "a kite", "duration": "3" }, { "prompt": "a boat" }] });
    assert_eq!(result(&sandbox, KLING, shots).await.status, 200);
    for seconds in ["2", "16", "5s"] {
        let answer = result(&sandbox, KLING, json!({ "prompt": "x", "duration": seconds })).await;
        assert_eq!(complaints(&answer), [(json!(["body", "duration"]), "literal_error".to_owned())]);
    }
}

#[tokio::test]
async fn wan_has_limits_of_its_own() {
    let answer = result(
        &instant(),
        WAN,
        json!({ "prompt": "p".repeat(1_501), "duration": "7", "resolution": "4k",
            "negative_prompt": "n".repeat(501) }),
    )
    .await;
    let fields: Vec<Value> = complaints(&answer).into_iter().map(|(place, _)| place[1].clone()).collect();
    assert_eq!(fields, ["prompt", "resolution", "duration", "negative_prompt"]);
}

#[tokio::test]
async fn a_video_of_a_picture_has_its_proportions() {
    let sandbox = instant();
    let size = |answer: Answer| {
        let sandbox = sandbox.clone();
        async move {
            assert_eq!(answer.status, 200, "{}", answer.text());
            let url = answer.json()["video"]["url"].as_str().expect("an address").to_owned();
            Boxes::of(&ask(&sandbox, &format!("GET {url}"), &[], "").await.body).size()
        }
    };
    for (picture, expected) in [
        (inline(400, 800).await, (1_018, 2_036)),
        (inline(600, 600).await, (1_440, 1_440)),
        ("https://media.test/kite.png".to_owned(), (1_920, 1_080)),
        ("https://127.0.0.1:1/kite.png".to_owned(), (1_920, 1_080)),
        (format!("{BASE}/somewhere/kite.png"), (1_920, 1_080)),
    ] {
        let input = json!({ "prompt": "it flies", "start_image_url": picture, "duration": "3" });
        assert_eq!(size(result(&sandbox, KLING_OF_A_PICTURE, input).await).await, expected);
    }
    let input = json!({ "prompt": "it flies", "image_url": inline(64, 64).await, "resolution": "720p" });
    assert_eq!(size(result(&sandbox, WAN_OF_A_PICTURE, input).await).await, (960, 960));
}

#[tokio::test]
async fn kling_wants_its_picture_under_its_own_name_and_large_enough() {
    let sandbox = instant();
    let misnamed = json!({ "prompt": "x", "image_url": "https://media.test/kite.png" });
    let answer = result(&sandbox, KLING_OF_A_PICTURE, misnamed).await;
    assert_eq!(complaints(&answer), [(json!(["body", "start_image_url"]), "missing".to_owned())]);
    let small = json!({ "prompt": "x", "start_image_url": inline(299, 400).await });
    let answer = result(&sandbox, KLING_OF_A_PICTURE, small).await;
    assert_eq!(complaints(&answer), [(json!(["body", "start_image_url"]), "image_too_small".to_owned())]);
    assert_eq!(answer.json()["detail"][0]["ctx"], json!({ "min_width": 300, "min_height": 300 }));
}

#[tokio::test]
async fn a_picture_that_can_not_be_read_or_fetched_fails_the_job() {
    let sandbox = instant();
    let nobody = "http://127.0.0.1:1/kite.png";
    for (address, kind) in [
        ("data:image/png;base64,AAAA", "image_load_error"),
        ("data:image/png,text", "image_load_error"),
        (nobody, "file_download_error"),
        ("http://media.test/kite.png", "file_download_error"),
        ("file:///etc/passwd", "file_download_error"),
        ("kite.png", "file_download_error"),
    ] {
        let answer =
            result(&sandbox, FLUX_OF_A_PICTURE, json!({ "prompt": "x", "image_url": address })).await;
        assert_eq!(complaints(&answer), [(json!(["body", "image_url"]), kind.to_owned())], "{address}");
    }
}

#[tokio::test]
async fn a_picture_of_this_machine_is_fetched() {
    let sandbox = instant();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    super::serve(sandbox.router(), listener);
    let picture = format!("{address}/sandbox/fal/files/3-500-700-a-0.png");
    let answer = result(&sandbox, FLUX_OF_A_PICTURE, json!({ "prompt": "x", "image_url": picture })).await;
    let image = answer.json()["images"][0].clone();
    assert_eq!((&image["width"], &image["height"]), (&json!(500), &json!(700)));
    assert!(sandbox.journal().iter().any(|line| line.path.ends_with("3-500-700-a-0.png")), "it was fetched");

    let page = format!("{address}/sandbox/fal/files/3-500-700-h-0.png");
    let answer = result(&sandbox, FLUX_OF_A_PICTURE, json!({ "prompt": "x", "image_url": page })).await;
    assert_eq!(complaints(&answer)[0].1, "image_load_error");
}

#[tokio::test]
async fn several_pictures_of_a_picture_are_billed_by_its_size() {
    let sandbox = instant();
    let input = json!({ "prompt": "as a drawing", "image_url": inline(1_200, 1_000).await, "strength": 0.8,
        "num_images": 3 });
    let answer = result(&sandbox, FLUX_OF_A_PICTURE, input).await;
    assert_eq!(answer.header("x-fal-billable-units"), "6");
    let body = answer.json();
    let urls: std::collections::HashSet<&str> =
        body["images"].as_array().expect("a list").iter().filter_map(|image| image["url"].as_str()).collect();
    assert_eq!(urls.len(), 3);
    for url in urls {
        let file = ask(&sandbox, &format!("GET {url}"), &[], "").await;
        assert_eq!(super::png_size(&file.body), (1_200, 1_000));
    }
    let wrong = json!({ "prompt": "x", "strength": 1.5, "num_inference_steps": 9 });
    let answer = result(&sandbox, FLUX_OF_A_PICTURE, wrong).await;
    let expected = [
        ("image_url", "missing"),
        ("strength", "less_than_equal"),
        ("num_inference_steps", "greater_than_equal"),
    ];
    assert_eq!(complaints(&answer), expected.map(|(field, kind)| (json!(["body", field]), kind.to_owned())));
}

#[tokio::test]
async fn a_video_job_can_fail_in_every_way() {
    let sandbox = instant();
    for (fault, status, kind) in [
        (Fault::ContentFilter, 422, Some("content_policy_violation")),
        (Fault::Nsfw, 422, Some("content_policy_violation")),
        (Fault::ErrorFrame { after: 0 }, 500, Some("internal_server_error")),
        (Fault::Empty, 200, None),
    ] {
        sandbox.faults().set(Service::Fal, FaultRule::once(fault.clone()));
        let answer = result(&sandbox, KLING, json!({ "prompt": "x" })).await;
        assert_eq!((answer.status, answer.header("x-fal-billable-units")), (status, "0"), "{fault:?}");
        assert_eq!(answer.json()["detail"][0]["type"].as_str(), kind, "{fault:?}");
    }
    sandbox.faults().set(Service::Fal, FaultRule::once(Fault::Result504));
    let job = submit(&sandbox, KLING, json!({ "prompt": "x" })).await;
    let first = follow(&sandbox, "GET", &job, "response_url").await;
    assert_eq!((first.status, first.header("x-fal-error-type")), (504, "request_timeout"));
    assert_eq!(follow(&sandbox, "GET", &job, "response_url").await.status, 200);
}
