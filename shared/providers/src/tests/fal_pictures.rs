//! Several pictures at once, and pictures made from a picture.

use super::comfyui;
use super::fal::{IMPATIENT, PNG, is_result, is_submit, result, vendor};
use super::stand::{Received, Reply, json, reply};
use super::world::{PROMPT, World, order, source};
use crate::{ImageRequest, JobOrder, Painted, ProviderName, Request};
use primitives::Private;
use serde_json::{Value, json};

const CHAIN: &[&str] = &["fal/flux-dev", "comfyui/image"];

fn images(count: u32, source: Option<Painted>) -> Request {
    let prompt = Private::new(PROMPT.to_owned());
    Request::Image(ImageRequest { prompt, width: 1024, height: 768, seed: 7, count, source })
}

fn from_a_picture(world: &World, count: u32) -> JobOrder {
    order(images(count, Some(Painted { picture: source(world, "kite.png"), change: 85 })))
}

/// As flux answers, with a file for each name.
fn output(request: &Received, names: &[&str], flags: &[bool]) -> Value {
    let host = request.header("host").unwrap();
    let image =
        |name: &&str| json!({"url": format!("http://{host}/fal/files/{name}"), "content_type": "image/png"});
    json!({"images": names.iter().map(image).collect::<Vec<_>>(), "seed": 7, "has_nsfw_concepts": flags})
}

fn at_fal(request: &Received, names: &'static [&'static str], flags: &'static [bool], units: &str) -> Reply {
    match request.path.split('/').nth(1).unwrap() {
        "comfyui" => comfyui::vendor(request),
        _ if is_result(request) => result(&output(request, names, flags), units),
        _ if request.path.starts_with("/fal/files/") => reply(200, &[], PNG),
        _ => vendor(request),
    }
}

#[tokio::test]
async fn several_images_are_asked_for_at_once_and_all_of_them_come() {
    let world = World::start(|request| at_fal(request, &["a.png", "b.png", "c.png"], &[false; 3], "3")).await;
    let told = world.order(CHAIN, order(images(3, None))).await;

    assert_eq!(told.served().cost, "7.5".parse().unwrap());
    assert_eq!(told.files.len(), 3);
    assert_eq!(world.stand.requests()[0].json()["num_images"], 3);
    for name in ["a", "b", "c"] {
        assert_eq!(world.stand.count(&format!("GET /fal/files/{name}.png")), 1);
    }
}

#[tokio::test]
async fn fewer_images_than_were_asked_for_are_none_at_our_cost() {
    let table: [&[&str]; 3] = [&["a.png", "b.png"], &["a.png", "a.png", "a.png"], &[]];
    for names in table {
        let world = World::start(move |request| at_fal(request, names, &[false], "2")).await;
        let told = world.order(&["fal/flux-dev"], order(images(3, None))).await;
        assert_eq!(told.failure().0, "unavailable", "{names:?}");
        assert!(told.files.is_empty() && world.stand.count("GET /fal/files/") == 0, "{names:?}");
        assert_eq!(told.outcome.unwrap_err().attempts[0].cost, "5".parse().unwrap(), "{names:?}");
    }

    let elsewhere = |request: &Received| {
        let mut output = output(request, &["a.png", "b.png", "c.png"], &[]);
        output["images"][1]["url"] = json!("http://elsewhere.test/b.png");
        output
    };
    let world = World::start(move |request| match is_result(request) {
        true => result(&elsewhere(request), "3"),
        false => at_fal(request, &[], &[], ""),
    })
    .await;
    let told = world.order(&["fal/flux-dev"], order(images(3, None))).await;
    assert_eq!(told.failure().0, "unavailable", "one is where nothing is taken from");
}

#[tokio::test]
async fn more_images_than_were_asked_for_are_left_there() {
    let world = World::start(|request| at_fal(request, &["a.png", "b.png", "c.png"], &[], "2")).await;
    assert_eq!(world.order(CHAIN, order(images(2, None))).await.files.len(), 2);
    assert_eq!(world.stand.count("GET /fal/files/c.png"), 0);
}

#[tokio::test]
async fn one_flagged_image_rejects_all_of_them() {
    let flags: [&'static [bool]; 2] = [&[false, true, false], &[true, true, true]];
    for flags in flags {
        let world =
            World::start(move |request| at_fal(request, &["a.png", "b.png", "c.png"], flags, "3")).await;
        let told = world.order(CHAIN, order(images(3, None))).await;
        assert_eq!(told.failure(), ("content_rejected", vec!["content_rejected"]));
        assert!(told.files.is_empty());
        assert_eq!(told.outcome.unwrap_err().attempts[0].cost, "7.5".parse().unwrap());
    }
}

#[tokio::test]
async fn the_units_of_several_images_are_estimated_and_bounded_by_their_number() {
    for (units, cost, is_estimated) in [("", "7.5", true), ("12", "30", false), ("13", "30", true)] {
        let names = &["a.png", "b.png", "c.png"];
        let world = World::start(move |request| at_fal(request, names, &[], units)).await;
        let told = world.order(CHAIN, order(images(3, None))).await;
        let served = told.served();
        assert_eq!((served.cost, served.cost_is_estimated), (cost.parse().unwrap(), is_estimated), "{units}");
    }
}

#[tokio::test]
async fn a_picture_of_a_picture_is_asked_of_its_own_model_at_its_own_price() {
    let world = World::start(|request| at_fal(request, &["a.png", "b.png"], &[false; 2], "1.5")).await;
    let told = world.order(CHAIN, from_a_picture(&world, 2)).await;

    let served = told.served();
    assert_eq!(
        (served.model.as_str(), served.cost),
        ("fal-ai/flux/dev/image-to-image", "4.5".parse().unwrap())
    );
    assert_eq!(served.attempts[0].model, served.model);
    assert_eq!(told.files.len(), 2);
    let requests = world.stand.requests();
    assert_eq!(requests[0].path, "/fal/fal-ai/flux/dev/image-to-image");
    let link = format!("http://{}/media/kite.png?signature=secret-link", world.stand.host);
    let expected = json!({
        "prompt": PROMPT, "image_url": link, "strength": 0.85, "num_images": 2, "seed": 7,
        "output_format": "png", "enable_safety_checker": true,
    });
    assert_eq!(requests[0].json(), expected);
    assert_eq!(world.stand.count("GET /media/"), 0, "fal fetches it by itself");
}

#[tokio::test]
async fn the_change_is_written_as_a_decimal_of_two_digits() {
    for (change, strength) in
        [(1, "0.01"), (10, "0.1"), (85, "0.85"), (100, "1.0"), (0, "0.01"), (255, "1.0")]
    {
        let world = World::start(|request| at_fal(request, &["a.png"], &[], "1")).await;
        let painted = Painted { picture: source(&world, "kite.png"), change };
        world.order(CHAIN, order(images(1, Some(painted)))).await.served();
        let body = String::from_utf8(world.stand.requests()[0].body.clone()).unwrap();
        assert!(
            body.contains(&format!("\"strength\":{strength}}}"))
                || body.contains(&format!("\"strength\":{strength},")),
            "{change}: {body}"
        );
    }
}

#[tokio::test]
async fn what_a_step_does_not_make_is_left_out_without_being_asked() {
    let comfyui_with_media = |request: &Received| match request.path.as_str() {
        path if path.starts_with("/media/") => reply(200, &[], PNG),
        "/comfyui/upload/image" => json(200, &json!({"name": "a.png", "subfolder": "", "type": "temp"})),
        _ => comfyui::vendor(request),
    };
    let world = World::start(comfyui_with_media).await;
    let told = world.order(&["fal/flux-schnell", "comfyui/image"], from_a_picture(&world, 1)).await;
    assert_eq!((told.served().provider, told.served().attempts.len()), (ProviderName::Comfyui, 1));
    assert_eq!(world.stand.count("POST /fal"), 0, "schnell makes nothing of a picture");

    let world = World::start(comfyui_with_media).await;
    let told = world.order(&["fal/flux-schnell"], from_a_picture(&world, 1)).await;
    assert_eq!(told.failure(), ("unavailable", vec![]));
    let told = world.order(&["fal/flux-dev"], order(images(5, None))).await;
    assert_eq!(told.failure(), ("unavailable", vec![]), "flux makes four at once");
    assert!(world.stand.requests().is_empty());
}

#[tokio::test]
async fn a_picture_that_is_too_large_for_the_price_is_not_sent() {
    let chain = &["fal/flux-dev"];
    // Twelve megapixels at three cents.
    for (cost_max, is_asked) in [("35.999999", false), ("36", true)] {
        let world = World::start(|request| at_fal(request, &["a.png"], &[], "12")).await;
        let picture = crate::SourceFile { pixels: Some((4_000, 3_000)), ..source(&world, "kite.png") };
        let of = order(images(1, Some(Painted { picture, change: 50 })));
        let told = world.order(chain, JobOrder { cost_max: cost_max.parse().unwrap(), ..of }).await;
        assert_eq!(
            (told.outcome.is_ok(), world.stand.count("POST") == 1),
            (is_asked, is_asked),
            "{cost_max}"
        );
    }
}

#[tokio::test]
async fn a_refused_picture_is_the_customers_only_when_its_size_is_blamed() {
    let table = [
        ("image_too_small", "bad_input"),
        ("image_too_large", "bad_input"),
        ("file_too_large", "bad_input"),
        ("file_download_error", "request_refused"),
        ("image_load_error", "request_refused"),
        ("missing", "request_refused"),
        ("content_policy_violation", "content_rejected"),
    ];
    for (kind, class) in table {
        let body = json!({"detail": [{"loc": ["body", "image_url"], "msg": "secret", "type": kind, "input": "secret"}]});
        for at_submit in [true, false] {
            let text = body.to_string();
            let world = World::with(IMPATIENT, move |request| {
                let is_it = if at_submit { is_submit(request) } else { is_result(request) };
                if is_it { reply(422, &[], &text) } else { vendor(request) }
            })
            .await;
            let told = world.order(&["fal/flux-dev"], from_a_picture(&world, 1)).await;
            assert_eq!(told.failure().0, class, "{kind}");
            assert!(!format!("{:?}", told.outcome).contains("secret"));
        }
    }
}

#[tokio::test]
async fn nothing_shows_the_prompt_or_the_link() {
    let world = World::start(vendor).await;
    let shown = format!("{:?}", from_a_picture(&world, 1));
    assert!(!shown.contains("secret-link") && !shown.contains(PROMPT), "{shown}");
}
