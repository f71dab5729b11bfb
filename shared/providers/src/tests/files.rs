//! What becomes of a finished file on its way to us; fal stands for all.

use super::fal::{IMPATIENT, PNG, is_result, result, vendor};
use super::stand::{Answer, Say, reply};
use super::world::World;
use serde_json::json;

#[tokio::test]
async fn only_a_real_image_from_a_listed_host_is_taken() {
    let at = |url: &str| json!({"images": [{"url": url}]});
    let elsewhere = at("http://elsewhere.test/a.png");
    let inline = at("data:image/png;base64,iVBORw0KGgo=");
    let none = json!({"images": []});
    for output in [elsewhere, inline, none] {
        let world = World::start(
            move |request| {
                if is_result(request) { result(&output, "1") } else { vendor(request) }
            },
        )
        .await;
        let told = world.image(&["fal/flux-dev"]).await;
        assert_eq!(told.failure().0, "unavailable");
        assert_eq!(told.outcome.unwrap_err().attempts[0].cost, "2.5".parse().unwrap(), "it was billed");
    }

    let huge = b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n\x89PNG\r\n\x1a\n";
    let table: Vec<(Answer, bool)> = vec![
        (Box::new(|_| reply(200, &[("content-type", "image/png")], "<html>")), true),
        (Box::new(|_| reply(200, &[], &PNG[..40])), true),
        (Box::new(|_| reply(404, &[], "")), true),
        (Box::new(|_| reply(403, &[], "")), true),
        (Box::new(|_| vec![Say::Hang]), true),
        (Box::new(|_| reply(302, &[("location", "/fal/files/b.png")], "")), false),
        (Box::new(|_| vec![Say::Bytes(huge.to_vec()), Say::Hang]), false),
    ];
    for (row, (file, is_asked_again)) in table.into_iter().enumerate() {
        let world = World::with(IMPATIENT, move |request| {
            if request.path == "/fal/files/a.png" { file(request) } else { vendor(request) }
        })
        .await;
        let told = world.image(&["fal/flux-dev"]).await;
        assert_eq!(told.failure().0, "unavailable", "row {row}");
        assert!(told.files.is_empty(), "row {row}");
        assert_eq!(world.stand.count("GET /fal/files/") > 1, is_asked_again, "row {row}");
    }
}

#[tokio::test]
async fn a_fresh_file_may_be_unknown_incomplete_or_slow_for_a_moment() {
    let table: Vec<Answer> = vec![
        Box::new(|_| reply(404, &[], "")),
        Box::new(|_| reply(401, &[], "")),
        Box::new(|_| reply(403, &[], "<html>")),
        Box::new(|_| reply(500, &[], "")),
        Box::new(|_| reply(200, &[], "<html>")),
        Box::new(|_| reply(200, &[], &PNG[..60])),
        Box::new(|_| reply(200, &[], "")),
        Box::new(|_| reply(202, &[], "")),
        Box::new(|_| vec![Say::Hang]),
        Box::new(|_| vec![Say::Cut]),
        Box::new(|_| {
            vec![Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 115\r\n\r\n\x89PNG".to_vec()), Say::Hang]
        }),
    ];
    for (row, first) in table.into_iter().enumerate() {
        let settings = [("PROVIDER_FIRST_CONTENT_MS_IMAGE", "8000")];
        let world = World::with(settings, move |request| match request.nth {
            0 if request.path == "/fal/files/a.png" => first(request),
            _ => vendor(request),
        })
        .await;
        let told = world.image(&["fal/flux-dev", "comfyui/image"]).await;
        assert_eq!(told.served().attempts.len(), 1, "row {row}: nothing is bought twice");
    }
}

#[tokio::test]
async fn a_file_without_announced_length_is_limited_too() {
    let world = World::start(|request| {
        if request.path != "/fal/files/a.png" {
            return vendor(request);
        }
        let mut said = vec![Say::Bytes(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec())];
        said.push(Say::Bytes(PNG.to_vec()));
        said.extend((0..26).map(|_| Say::Bytes(vec![0; 1024 * 1024])));
        said.push(Say::Cut);
        said
    })
    .await;
    assert_eq!(world.image(&["fal/flux-dev"]).await.failure().0, "unavailable");
}

#[tokio::test]
async fn a_download_that_breaks_is_repeated() {
    let cut = || vec![Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n\x89PNG".to_vec()), Say::Cut];
    let world = World::start(move |request| match request.nth {
        0 if request.path == "/fal/files/a.png" => cut(),
        1 if request.path == "/fal/files/a.png" => reply(503, &[], ""),
        _ => vendor(request),
    })
    .await;
    world.image(&["fal/flux-dev"]).await.served();
}
