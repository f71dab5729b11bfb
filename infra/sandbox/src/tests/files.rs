//! Addresses of files: parts of them, large ones, and those that break off.

use serde_json::json;

use super::fal_video::film;
use super::video::Boxes;
use super::{Answer, ask, instant};
use crate::{Fault, FaultRule, Sandbox, Service};

const PICTURE: &str = "/sandbox/fal/files/1-64-64-a-0.png";

async fn part(sandbox: &Sandbox, path: &str, range: &str) -> Answer {
    ask(sandbox, &format!("GET {path}"), &[("range", range)], "").await
}

#[tokio::test]
async fn a_range_gets_its_bytes_and_says_of_how_many() {
    let sandbox = instant();
    let whole = ask(&sandbox, &format!("GET {PICTURE}"), &[], "").await;
    let length = whole.body.len();
    assert_eq!((whole.status, whole.header("accept-ranges")), (200, "bytes"));
    assert_eq!(whole.header("content-length"), length.to_string());

    for (range, from, to) in [
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, length),
        ("bytes=-7", length - 7, length),
        ("bytes=5-1000000", 5, length),
        ("bytes=-1000000", 0, length),
    ] {
        let answer = part(&sandbox, PICTURE, range).await;
        assert_eq!((answer.status, &answer.body[..]), (206, &whole.body[from..to]), "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {from}-{}/{length}", to - 1));
        assert_eq!(answer.header("content-length"), (to - from).to_string());
    }
}

#[tokio::test]
async fn a_range_outside_is_refused_and_an_unreadable_one_gets_everything() {
    let sandbox = instant();
    let length = ask(&sandbox, &format!("GET {PICTURE}"), &[], "").await.body.len();
    for range in [format!("bytes={length}-"), "bytes=-0".to_owned()] {
        let answer = part(&sandbox, PICTURE, &range).await;
        assert_eq!((answer.status, answer.body.len()), (416, 0), "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes */{length}"));
    }
    for range in ["bytes=9-3", "bytes=0-1,4-5", "pictures=0-1", "bytes=a-b", "bytes=-"] {
        let answer = part(&sandbox, PICTURE, range).await;
        assert_eq!((answer.status, answer.body.len()), (200, length), "{range}");
    }
}

#[tokio::test]
async fn a_range_of_another_version_gets_everything() {
    let sandbox = instant();
    let order = format!("GET {PICTURE}");
    let tag = ask(&sandbox, &order, &[], "").await.header("etag").to_owned();
    let known = ask(&sandbox, &order, &[("range", "bytes=0-3"), ("if-range", &tag)], "").await;
    let stale = ask(&sandbox, &order, &[("range", "bytes=0-3"), ("if-range", "\"old\"")], "").await;
    assert_eq!((known.status, stale.status), (206, 200));
}

#[tokio::test]
async fn a_head_call_tells_the_size_without_the_file() {
    let head = ask(&instant(), &format!("HEAD {PICTURE}"), &[], "").await;
    let whole = ask(&instant(), &format!("GET {PICTURE}"), &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), whole.header("content-length"));
    assert_eq!(head.header("content-type"), "image/png");
}

#[tokio::test]
async fn a_video_can_be_as_large_as_ordered_and_still_plays() {
    let sandbox = instant();
    sandbox.faults().set(Service::Fal, FaultRule::once(Fault::Large { mb: 70 }));
    let (told, url) = film(&sandbox, json!({ "prompt": "a kite", "duration": "3" })).await;
    assert_eq!(told["file_size"], 70 << 20);
    let file = ask(&sandbox, &format!("GET {url}"), &[], "").await;
    assert_eq!((file.status, file.header("content-type")), (200, "video/mp4"));
    assert_eq!((file.header("content-length"), file.body.len()), ("73400320", 70 << 20));
    let boxes = Boxes::of(&file.body);
    assert_eq!((boxes.top(), boxes.milliseconds()), (vec!["ftyp", "moov", "free", "mdat"], 3_008));

    let end = part(&sandbox, &url, "bytes=-1000").await;
    assert_eq!((end.status, &end.body[..]), (206, &file.body[file.body.len() - 1_000..]));
}

#[tokio::test]
async fn a_file_that_breaks_off_can_be_taken_up_where_it_broke() {
    let sandbox = instant();
    let (_, whole) = film(&sandbox, json!({ "prompt": "a kite" })).await;
    let whole = ask(&sandbox, &format!("GET {whole}"), &[], "").await;
    sandbox.faults().set(Service::Fal, FaultRule::once(Fault::CutFile));
    let (_, url) = film(&sandbox, json!({ "prompt": "a kite" })).await;
    let broken = ask(&sandbox, &format!("GET {url}"), &[], "").await;
    assert!(broken.is_broken);
    assert_eq!(broken.body, whole.body[..whole.body.len() / 2]);
    assert_eq!(broken.header("content-length"), whole.body.len().to_string());
    let rest = part(&sandbox, &url, &format!("bytes={}-", broken.body.len())).await;
    assert!(!rest.is_broken);
    assert_eq!([broken.body, rest.body].concat(), whole.body);
}

#[tokio::test]
async fn a_video_can_be_a_page_or_endless_too() {
    let sandbox = instant();
    for (fault, content_type, size_min) in [
        (Fault::NotAnImage, "text/html; charset=utf-8", 1),
        (Fault::Huge { announced: true }, "video/mp4", 64 << 20),
        (Fault::Huge { announced: false }, "video/mp4", 64 << 20),
    ] {
        sandbox.faults().set(Service::Fal, FaultRule::once(fault));
        let (_, url) = film(&sandbox, json!({ "prompt": "x" })).await;
        let file = ask(&sandbox, &format!("GET {url}"), &[], "").await;
        assert_eq!((file.status, file.header("content-type")), (200, content_type));
        assert!(file.body.len() > size_min);
    }
}

#[tokio::test]
async fn a_name_that_no_job_can_have_is_not_found() {
    for name in [
        "1-64-64-z-0.png",
        "1-0-64-a-0.png",
        "1-64-64-a-0.mp4",
        "1-64-64-72-500-96-m9999-0.mp4",
        "1-64-64-99999-500-96-a-0.mp4",
        "x.mp4",
    ] {
        let answer = ask(&instant(), &format!("GET /sandbox/fal/files/{name}"), &[], "").await;
        assert_eq!(answer.status, 404, "{name}");
    }
}
