use super::support::{BUCKET, in_memory, platform, platform_for};
use crate::stores::{LifecycleRule, Place, Stores};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Tag, Tagging};
use platform::Platform;
use primitives::{Clock, Timestamp};
use std::time::{Duration, UNIX_EPOCH};

const KEY: &str = "tmp30/user_ann/2026-11-22/01KAMX0000000000000000000.txt";
const HOUR: Duration = Duration::from_secs(3600);

async fn put(platform: &Platform, key: &str, text: &'static str) {
    let put = platform.s3().put_object().bucket(BUCKET).key(key).content_type("text/plain; charset=utf-8");
    put.body(ByteStream::from_static(text.as_bytes())).send().await.unwrap();
}

async fn keys(platform: &Platform) -> Vec<String> {
    let listed = platform.s3().list_objects_v2().bucket(BUCKET).send().await.unwrap();
    listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
}

/// The router on a real port, and clients whose links lead there.
async fn on_a_port(stores: &Stores) -> (Platform, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = stores.s3_router(&["https://app.example".to_owned()]);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (platform_for(stores, &origin), origin)
}

async fn link(platform: &Platform, start: Timestamp) -> String {
    let start = UNIX_EPOCH + Duration::from_millis(start.millis());
    let signing = PresigningConfig::builder().start_time(start).expires_in(HOUR).build().unwrap();
    let get = platform.s3().get_object().bucket(BUCKET).key(KEY).response_content_disposition("attachment");
    get.presigned(signing).await.unwrap().uri().to_owned()
}

#[tokio::test]
async fn a_link_opens_its_object_until_it_ends_or_is_tampered_with() {
    let stores = in_memory().await;
    let (platform, _) = on_a_port(&stores).await;
    put(&platform, KEY, "a red kite").await;
    let now = platform.now();
    let status = async |url: String| platform.http().get(url).send().await.unwrap().status().as_u16();

    let url = link(&platform, now).await;
    let answer = platform.http().get(&url).header("origin", "https://app.example").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers()["content-disposition"], "attachment");
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!(answer.headers()["access-control-expose-headers"], "etag");
    assert_eq!(answer.text().await.unwrap(), "a red kite");

    assert_eq!(status(url.replace("user_ann", "user_bob")).await, 403);
    assert_eq!(status(url.replace("X-Amz-Expires=3600", "X-Amz-Expires=9999")).await, 403);
    assert_eq!(status(url.replace("attachment", "inline")).await, 403);
    assert_eq!(status(url.split('?').next().unwrap().to_owned()).await, 403);
    assert_eq!(status(link(&platform, now.before(2 * HOUR)).await).await, 403);
}

#[tokio::test]
async fn a_link_ends_when_the_tests_clock_says_so() {
    let clock = Clock::manual(Clock::system().now().after(1000 * HOUR));
    let stores = Stores::open(&Place::Memory, &[], "test-", BUCKET, &[], &clock).await.unwrap();
    let (platform, _) = on_a_port(&stores).await;
    put(&platform, KEY, "a red kite").await;
    let url = link(&platform, clock.now()).await;

    assert_eq!(platform.http().get(&url).send().await.unwrap().status(), 200);
    clock.advance(HOUR + Duration::from_secs(1));
    assert_eq!(platform.http().get(&url).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_page_may_do_with_objects_what_the_bucket_allows_it_in_the_cloud() {
    let stores = in_memory().await;
    let (platform, origin) = on_a_port(&stores).await;
    let ask = |page: &'static str| {
        let preflight = platform.http().request(reqwest::Method::OPTIONS, format!("{origin}/{BUCKET}/x"));
        preflight.header("origin", page).header("access-control-request-method", "GET").send()
    };

    let ours = ask("https://app.example").await.unwrap();
    assert_eq!(ours.status(), 200);
    assert_eq!(ours.headers()["access-control-allow-origin"], "https://app.example");
    assert_eq!(ours.headers()["access-control-allow-methods"], "GET,HEAD,POST");
    assert!(!ours.headers().contains_key("access-control-allow-headers"));
    assert_eq!(ours.headers()["access-control-max-age"], "3000");
    let other = ask("https://evil.example").await.unwrap();
    assert!(!other.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_key_that_is_no_plain_path_is_refused() {
    let stores = in_memory().await;
    let platform = platform(&stores);

    for key in ["up/../../etc", "a//b", "./a", "a/.", "a/"] {
        let put = platform.s3().put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"x"));
        let refused = put.send().await.unwrap_err();
        assert!(refused.raw_response().unwrap().status().is_client_error(), "{key}: {refused:?}");
    }
    let long = "k".repeat(181);
    let put = platform.s3().put_object().bucket(BUCKET).key(long).body(ByteStream::from_static(b"x"));
    assert_eq!(put.send().await.unwrap_err().code(), Some("KeyTooLongError"));
    assert!(keys(&platform).await.is_empty());
}

#[tokio::test]
async fn tags_and_unchanged_objects_are_answered_as_s3_does() {
    let stores = in_memory().await;
    let platform = platform(&stores);
    put(&platform, KEY, "a red kite").await;
    let tag = Tag::builder().key("kind").value("text").build().unwrap();
    let tagging = Tagging::builder().tag_set(tag.clone()).build().unwrap();
    let s3 = platform.s3();

    s3.put_object_tagging().bucket(BUCKET).key(KEY).tagging(tagging).send().await.unwrap();
    let tags = s3.get_object_tagging().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!(tags.tag_set(), [tag]);

    let etag = s3.head_object().bucket(BUCKET).key(KEY).send().await.unwrap().e_tag.unwrap();
    let again = s3.get_object().bucket(BUCKET).key(KEY).if_none_match(etag).send().await.unwrap_err();
    assert_eq!(again.raw_response().unwrap().status().as_u16(), 304);

    s3.delete_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    put(&platform, KEY, "a blue kite").await;
    let tags = s3.get_object_tagging().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert!(tags.tag_set().is_empty());
}

#[tokio::test]
async fn the_sweep_removes_exactly_the_old_objects_of_the_prefix() {
    let clock = Clock::manual(Timestamp::from_seconds(1_900_000_000));
    let rules = [LifecycleRule { prefix: "tmp30/".to_owned(), days: 30 }];
    let stores = Stores::open(&Place::Memory, &[], "test-", BUCKET, &rules, &clock).await.unwrap();
    let platform = platform(&stores);
    put(&platform, "tmp30/ann/old.txt", "old").await;
    put(&platform, "kept/ann/old.txt", "old, of another class").await;
    clock.advance(Duration::from_secs(86_400));
    put(&platform, "tmp30/ann/new.txt", "new").await;

    clock.advance(Duration::from_secs(29 * 86_400 - 1));
    assert_eq!(stores.sweep_media(clock.now()).await.unwrap(), 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(stores.sweep_media(clock.now()).await.unwrap(), 1);

    assert_eq!(keys(&platform).await, ["kept/ann/old.txt", "tmp30/ann/new.txt"]);
    let get = platform.s3().get_object().bucket(BUCKET).key("tmp30/ann/old.txt").send().await;
    assert!(get.unwrap_err().into_service_error().is_no_such_key());
}

#[tokio::test]
async fn a_file_in_parts_is_there_when_it_is_complete_and_given_up_after_a_day() {
    let clock = Clock::manual(Timestamp::from_seconds(1_900_000_000));
    let stores = Stores::open(&Place::Memory, &[], "test-", BUCKET, &[], &clock).await.unwrap();
    let platform = platform(&stores);
    let s3 = platform.s3();
    let begin = async |key: &str| {
        let begun =
            s3.create_multipart_upload().bucket(BUCKET).key(key).content_type("video/mp4").send().await;
        begun.unwrap().upload_id.unwrap()
    };
    let send = async |key: &str, id: &str, number: i32, part: Vec<u8>| {
        let part =
            s3.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(number).body(part.into());
        let tag = part.send().await.unwrap().e_tag.unwrap();
        CompletedPart::builder().part_number(number).e_tag(tag).build()
    };
    let unfinished = async || {
        let listed = s3.list_multipart_uploads().bucket(BUCKET).send().await.unwrap();
        listed.uploads().iter().filter_map(|upload| upload.key().map(str::to_owned)).collect::<Vec<_>>()
    };
    let old = begin("tmp30/ann/old.mp4").await;
    send("tmp30/ann/old.mp4", &old, 1, vec![1; 6 * 1024 * 1024]).await;
    clock.advance(Duration::from_secs(86_399));
    let id = begin("tmp30/ann/new.mp4").await;
    let parts = [
        send("tmp30/ann/new.mp4", &id, 1, vec![1; 6 * 1024 * 1024]).await,
        send("tmp30/ann/new.mp4", &id, 2, vec![2]).await,
    ];
    assert_eq!(stores.sweep_media(clock.now()).await.unwrap(), 0);
    assert_eq!(unfinished().await.len(), 2);
    assert!(keys(&platform).await.is_empty(), "parts are no object");

    clock.advance(Duration::from_secs(1));
    assert_eq!(stores.sweep_media(clock.now()).await.unwrap(), 1);
    assert_eq!(unfinished().await, ["tmp30/ann/new.mp4"]);
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
    let complete = s3.complete_multipart_upload().bucket(BUCKET).key("tmp30/ann/new.mp4").upload_id(id);
    complete.multipart_upload(parts).send().await.unwrap();
    assert!(unfinished().await.is_empty());
    let last =
        s3.get_object().bucket(BUCKET).key("tmp30/ann/new.mp4").range("bytes=-1").send().await.unwrap();
    assert_eq!(last.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(last.body.collect().await.unwrap().to_vec(), [2]);
    let begun = s3.upload_part().bucket(BUCKET).key("tmp30/ann/old.mp4").upload_id(old).part_number(2);
    assert!(begun.body(vec![1].into()).send().await.is_err(), "what was given up takes no more parts");
}
