//! What is found in a file that came, and what a run and a provider get of it.

use super::{
    FLAC, GIF, JPEG, M4A, MP3, MP4, OGG, PNG, WAV, WEBA, WEBM, WEBP, id_of, keys, object, sent, state,
};
use crate::world::{World, http};
use media::{FileType, Media, OpenedUpload, UploadError, UploadRefusal, UploadState};
use serde_json::json;
use std::time::Duration;

async fn opened(world: &World, path: &str) -> Result<OpenedUpload, UploadError> {
    let media = Media::new(&world.accountant).unwrap();
    let (account, id) = (world.person("ann").id().parse().unwrap(), id_of(path));
    media.uploads().show(&account, id, world.now()).await?;
    let (kind, facts) = media.uploads().ready(&account, id, world.now()).await?;
    Ok(media.known_upload(id, kind, facts))
}

#[tokio::test]
async fn every_type_that_is_taken_is_known_by_its_bytes() {
    let world = World::start().await;
    let ann = world.person("ann");
    for (kind, claimed, bytes, found, millis) in [
        ("image", "image/png", PNG, "image/png", None),
        ("image", "image/jpeg", JPEG, "image/jpeg", None),
        ("image", "image/webp", WEBP, "image/webp", None),
        // A name is only a claim; the kind is what was promised.
        ("image", "image/png", JPEG, "image/jpeg", None),
        ("video", "video/mp4", MP4, "video/mp4", Some(2_000)),
        ("video", "video/webm", WEBM, "video/webm", Some(2_000)),
        ("audio", "audio/webm", WEBA, "audio/webm", Some(2_000)),
        ("audio", "audio/x-wav", WAV, "audio/wav", Some(200)),
        ("audio", "audio/mpeg", MP3, "audio/mpeg", Some(2_000)),
        ("audio", "audio/ogg", OGG, "audio/ogg", Some(2_000)),
        ("audio", "audio/flac", FLAC, "audio/flac", Some(500)),
        ("audio", "audio/x-m4a", M4A, "audio/mp4", Some(2_000)),
    ] {
        let path = sent(&ann, kind, claimed, bytes).await;
        let ready = ann.get(&path).await;
        assert_eq!(ready.body["status"], "ready", "{found}: {}", ready.text);
        assert_eq!(ready.body["content_type"], found);
        let told = ready.body["duration_ms"].as_u64();
        let is_near = |told: u64, millis: u64| (millis - 50..millis + 150).contains(&told);
        let is_right = match (told, millis) {
            (None, None) => true,
            (Some(told), Some(millis)) => is_near(told, millis),
            _ => false,
        };
        assert!(is_right, "{found}: {told:?}");
        let read = opened(&world, &path).await.unwrap().bytes().await.unwrap().into_inner();
        assert_eq!(read.len() as u64, ready.body["bytes"].as_u64().unwrap());
        if kind != "image" {
            assert_eq!(read, bytes, "{found} is passed on as it came");
        }
    }
}

#[tokio::test]
async fn what_is_no_file_of_its_kind_is_refused_by_its_bytes_and_not_kept() {
    let world = World::start().await;
    let ann = world.person("ann");
    let half = &PNG[..PNG.len() / 2];
    let bomb = {
        let mut png = PNG.to_vec();
        // 60,000 by 60,000, with the header's checksum made anew by nobody: too many pixels or damaged, never decoded.
        png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        png
    };
    for (kind, claimed, bytes, code) in [
        (
            "image",
            "image/png",
            &b"<svg onload=\"alert(1)\" xmlns=\"http://www.w3.org/2000/svg\"/>"[..],
            "other_kind",
        ),
        ("image", "image/png", b"<html><script>alert(1)</script>", "other_kind"),
        ("image", "image/jpeg", b"%PDF-1.7 ...", "other_kind"),
        ("image", "image/png", MP4, "other_kind"),
        ("image", "image/png", GIF, "other_kind"),
        ("video", "video/mp4", M4A, "other_kind"),
        ("audio", "audio/mpeg", WEBM, "other_kind"),
        ("audio", "audio/mpeg", b"#EXTM3U\nfile:///etc/passwd\n", "other_kind"),
        ("image", "image/png", half, "damaged"),
        ("image", "image/png", &bomb, "damaged"),
    ] {
        let path = sent(&ann, kind, claimed, bytes).await;
        let refused = ann.get(&path).await;
        assert_eq!((refused.status, &refused.body["status"]), (200, &json!("refused")), "{}", refused.text);
        assert_eq!(refused.body["refusal"]["code"], code, "{claimed} {}", refused.text);
        match opened(&world, &path).await {
            Err(error @ UploadError::Refused(_)) => {
                assert_eq!(error.problem().code().as_str(), "upload_refused");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
    assert_eq!(keys(&world, "up30/").await, [""; 0]);
}

#[tokio::test]
async fn a_sound_or_picture_beyond_the_limits_is_refused_by_what_is_in_it() {
    let world = World::start().await;
    let small = world.service(small_limits()).await;
    let ann = world.person("ann").at(&small.base);
    for (kind, claimed, bytes, code) in [
        ("image", "image/png", PNG, "too_many_pixels"),
        ("audio", "audio/mpeg", MP3, "too_long"),
        ("video", "video/mp4", MP4, "too_many_pixels"),
    ] {
        let path = sent(&ann, kind, claimed, bytes).await;
        assert_eq!(ann.get(&path).await.body["refusal"]["code"], code, "{claimed}");
    }
}

/// Citipen, but with pictures of 2,000 pixels and a second of sound.
fn small_limits() -> platform::Profile {
    let text = include_str!("../../../infra/profiles/citipen.toml")
        .replace("pixels_max = 16777216", "pixels_max = 2000")
        .replace("audio_seconds_max = 14400", "audio_seconds_max = 1");
    platform::Profile::parse("citipen", &text).unwrap()
}

/// A JPEG with the place where it was taken, and which side is up.
fn telephone_jpeg() -> Vec<u8> {
    let tiff = b"MM\0\x2a\0\0\0\x08\0\x02\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\x88\x25\0\x04\0\0\0\x01\0\0\0\x26\0\0\0\0GPS 48.2082 N";
    let content = [&b"Exif\0\0"[..], tiff].concat();
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&JPEG[..2], &[0xff, 0xe1], &length, &content, &JPEG[2..], b"\0behind the end: GPS"].concat()
}

#[tokio::test]
async fn a_picture_is_passed_on_without_the_place_where_it_was_taken() {
    let world = World::start().await;
    let ann = world.person("ann");
    let picture = telephone_jpeg();
    let path = sent(&ann, "image", "image/jpeg", &picture).await;
    let [original] = keys(&world, "up30/").await.try_into().unwrap();
    assert!(object(&world, &original).await.windows(3).any(|part| part == b"GPS"));

    let ready = ann.get(&path).await;
    assert_eq!(ready.body["status"], "ready", "{}", ready.text);
    assert!(ready.body["bytes"].as_u64().unwrap() < picture.len() as u64);
    let [clean] = keys(&world, "up30/").await.try_into().unwrap();
    assert_ne!(clean, original, "what was sent is not kept beside it");
    let upload = opened(&world, &path).await.unwrap();
    let bytes = upload.bytes().await.unwrap().into_inner();
    assert!(!bytes.windows(3).any(|part| part == b"GPS"));
    assert!(bytes.windows(4).any(|part| part == b"MM\0\x2a"), "which side is up stays");
    assert_eq!(upload.facts.pixels, Some((64, 48)));
    let link = upload.provider_link(Duration::from_secs(300), world.now()).await.unwrap().into_inner();
    let fetched = http().get(link).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(fetched, bytes);

    ann.send("DELETE", &path, &serde_json::Value::Null).await;
    assert_eq!(keys(&world, "up30/").await, [""; 0]);
}

#[tokio::test]
async fn a_provider_reads_by_a_link_that_ends_and_a_run_reads_in_parts() {
    let world = World::start().await;
    let ann = world.person("ann");
    let path = sent(&ann, "video", "video/mp4", MP4).await;
    let upload = opened(&world, &path).await.unwrap();
    assert_eq!(upload.facts.file_type, FileType::Mp4);
    let part = upload.read_range(10..20).await.unwrap().into_inner();
    assert_eq!(part, MP4[10..20]);
    let end = MP4.len() as u64;
    for wrong in [5..5, 0..end + 1, end..end + 5] {
        assert!(upload.read_range(wrong).await.is_err());
    }
    let whole = upload.reader().await.unwrap().collect().await.unwrap().into_bytes();
    assert_eq!(whole, MP4);

    let link = upload.provider_link(Duration::from_secs(300), world.now()).await.unwrap().into_inner();
    assert!(!link.contains("ann's"), "no name that a person gave");
    let answer = http().get(&link).header("range", "bytes=0-3").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()),
        (206, "video/mp4")
    );
    world.advance(Duration::from_secs(301));
    assert_eq!(http().get(&link).send().await.unwrap().status(), 403);
    let year = Duration::from_secs(365 * 86_400);
    let link = upload.provider_link(year, world.now()).await.unwrap().into_inner();
    world.advance(Duration::from_secs(3_601));
    assert_eq!(http().get(&link).send().await.unwrap().status(), 403, "an hour at most");
}

#[tokio::test]
async fn what_has_not_come_yet_can_not_be_used() {
    let world = World::start().await;
    let ann = world.person("ann");
    let begun = super::begin(&ann, "image", "image/png", PNG).await;
    let error = opened(&world, &super::path_of(&begun)).await.unwrap_err();
    assert!(matches!(error, UploadError::NotUploaded), "{error}");
    assert_eq!(error.problem().code().as_str(), "upload_not_ready");
    let unknown = opened(&world, "upload_01KABCDEFGHJKMNPQRSTVWXYZ0").await.unwrap_err();
    assert!(matches!(unknown, UploadError::NotFound), "{unknown}");
}

/// A store that let another file through: what a run gets is what was announced, or nothing.
#[tokio::test]
async fn a_file_that_is_not_the_announced_one_is_refused_whatever_the_store_says() {
    let world = World::start().await;
    let ann = world.person("ann");
    let (s3, bucket) = (world.accountant.s3(), &world.accountant.store().media_bucket);
    let mut other = PNG.to_vec();
    other.extend_from_slice(b"x");
    for content in [WEBP, &other, &PNG[..100]] {
        let begun = super::begin(&ann, "image", "image/png", PNG).await;
        let key = super::fields(&begun).into_iter().find(|(name, _)| name == "key").unwrap().1;
        s3.put_object().bucket(bucket).key(key).body(content.to_vec().into()).send().await.unwrap();
        let path = super::path_of(&begun);
        assert_eq!(ann.get(&path).await.body["refusal"]["code"], "other_content");
        assert_eq!(state(&world, &ann, &path).await, UploadState::Refused(UploadRefusal::OtherContent));
    }
}

#[tokio::test]
async fn many_looks_at_once_find_the_same_and_keep_one_file() {
    let world = World::start().await;
    let ann = world.person("ann");
    let path = sent(&ann, "image", "image/jpeg", &telephone_jpeg()).await;
    let mut looking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (ann, path) = (ann.clone(), path.clone());
        looking.spawn(async move { ann.get(&path).await });
    }
    let answers = looking.join_all().await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("ready")), "{}", answer.text);
    }
    let ready = ann.get(&path).await;
    assert_eq!(ready.body["status"], "ready");
    let UploadState::Ready(facts) = state(&world, &ann, &path).await else { panic!("{}", ready.text) };
    assert_eq!(keys(&world, "up30/").await.len(), 1);
    assert_eq!(facts.bytes, ready.body["bytes"].as_u64().unwrap());
}
