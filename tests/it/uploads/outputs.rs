//! Outputs stored as they come, and looked at by signed links.

use super::{MP4, PNG, keys, object, unfinished};
use crate::world::{World, http};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use media::Media;
use media::{FileFamily, FileType, MediaError, NewOutput, PART_BYTES, StoredOutput};
use primitives::{AccountId, Private};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn account() -> AccountId {
    "user_sandbox_ann".parse().unwrap()
}

fn new<'a>(account: &'a AccountId, name: &'a str, family: FileFamily) -> NewOutput<'a> {
    let bytes_max = 1024 * 1024 * 1024;
    NewOutput { account, name, tool: "video", n: Some(1), family, bytes_max, with_thumbnail: false }
}

fn pieces(bytes: &[u8], length: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + use<> {
    let pieces: Vec<_> = bytes.chunks(length).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

/// An MP4 that goes on for so many bytes: its samples are passed over.
pub(crate) fn long_mp4(length: usize) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let rest = u64::try_from(length - MP4.len()).unwrap();
    let mut head = MP4.to_vec();
    // A box that every reader passes over.
    head.extend_from_slice(&1_u32.to_be_bytes());
    head.extend_from_slice(b"free");
    head.extend_from_slice(&rest.to_be_bytes());
    let zeros = length - head.len();
    let piece = Bytes::from(vec![0; 256 * 1024]);
    let count = zeros / piece.len();
    let last = piece.slice(..zeros % piece.len());
    let repeated = stream::iter((0..count).map(move |_| piece.clone()));
    stream::iter([Bytes::from(head)]).chain(repeated).chain(stream::iter([last])).map(Ok)
}

#[tokio::test]
async fn what_is_small_is_stored_by_one_put_with_all_that_is_known_of_it() {
    let world = World::start().await;
    let (media, account) = (Media::new(&world.product.platform).unwrap(), account());
    for (family, bytes, kind, pixels, millis) in [
        (FileFamily::Video, MP4, FileType::Mp4, Some((64, 48)), true),
        (FileFamily::Image, PNG, FileType::Png, Some((64, 48)), false),
        (FileFamily::Audio, super::M4A, FileType::M4a, None, true),
        (FileFamily::Text, "Thả diều".as_bytes(), FileType::Text, None, false),
        (FileFamily::Table, b"a,b\n1,2\n", FileType::Csv, None, false),
        (FileFamily::Table, b"[{\"a\": 1}]", FileType::Json, None, false),
        (FileFamily::Subtitles, b"WEBVTT\n\n00:00.000 --> 00:01.000\nhi\n", FileType::Vtt, None, false),
        (FileFamily::Subtitles, b"1\n00:00:00,000 --> 00:00:01,000\nhi\n", FileType::Srt, None, false),
    ] {
        world.product.meddler.forget();
        let name = format!("run-hold-{}", kind.extension());
        let stored =
            media.store_stream(&new(&account, &name, family), pieces(bytes, 7), world.now()).await.unwrap();
        assert_eq!((stored.kind, stored.bytes, stored.pixels), (kind, bytes.len() as u64, pixels));
        assert_eq!(stored.millis.is_some(), millis, "{kind:?}");
        let file_name = format!("video-20270115-080000-1.{}", kind.extension());
        assert_eq!(stored.file_name.as_deref(), Some(file_name.as_str()));
        assert_eq!(world.product.meddler.tally().puts, 1);
        assert_eq!(object(&world, &stored.key).await, bytes);
    }
}

/// What the source gave and what the bucket took, at every moment of the way.
#[tokio::test]
async fn a_long_output_passes_with_two_parts_in_memory() {
    let world = World::start().await;
    let (media, account) = (Media::new(&world.product.platform).unwrap(), account());
    let length = 500 * 1024 * 1024;
    let (given, peak) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let meddler = world.product.meddler.clone();
    meddler.forget();
    let counted = {
        let (given, peak) = (given.clone(), peak.clone());
        long_mp4(length).inspect(move |piece| {
            let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
            let given = given.fetch_add(length, Ordering::SeqCst) + length;
            let taken: u64 =
                meddler.calls().iter().filter_map(|call| call.object).map(|call| call.bytes).sum();
            peak.fetch_max(given - taken.min(given), Ordering::SeqCst);
        })
    };
    let stored = media
        .store_stream(&new(&account, "run-hold-1", FileFamily::Video), counted, world.now())
        .await
        .unwrap();
    assert_eq!((stored.bytes, given.load(Ordering::SeqCst)), (length as u64, length as u64));
    // Two parts, and the piece that the source had in hand.
    let peak = peak.load(Ordering::SeqCst);
    assert!(peak <= 2 * PART_BYTES as u64 + 256 * 1024, "{peak} bytes were held");
    let sent = world.product.meddler.tally();
    assert_eq!(sent.put_bytes, length as u64, "{sent:?}");

    // It can be read in parts, and the hash is that of what came.
    let part = media.read_range(&stored, 0..64, world.now()).await.unwrap().into_inner();
    assert_eq!(part, MP4[..64]);
    let head = world.accountant.s3().head_object().bucket(citipen::MEDIA_BUCKET).key(&stored.key);
    let head = head.send().await.unwrap();
    assert_eq!((head.content_length, head.content_type.as_deref()), (Some(length as i64), Some("video/mp4")));
    assert_eq!(unfinished(&world).await, [""; 0]);
}

#[tokio::test]
async fn the_hash_of_an_output_in_parts_is_that_of_its_content() {
    let world = World::start().await;
    let (media, account) = (Media::new(&world.product.platform).unwrap(), account());
    let text = "a red kite, ".repeat(PART_BYTES / 12 * 2 + 5);
    for length in [PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, text.len()] {
        let content = &text.as_bytes()[..length];
        let name = format!("run-hold-{length}");
        let stored = media
            .store_stream(&new(&account, &name, FileFamily::Text), pieces(content, 1_000_003), world.now())
            .await
            .unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA256, content);
        use base64::Engine;
        let digest = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest);
        assert_eq!((stored.sha256, stored.bytes), (digest, length as u64));
        assert!(object(&world, &stored.key).await == content, "{length}");
    }
}

#[tokio::test]
async fn what_is_refused_or_breaks_off_leaves_nothing_behind() {
    let world = World::start().await;
    let (media, account) = (Media::new(&world.product.platform).unwrap(), account());
    let store = async |family, bytes_max, content: Vec<Result<Bytes, std::io::Error>>| {
        let new = NewOutput { bytes_max, ..new(&account, "run-hold-1", family) };
        media.store_stream(&new, stream::iter(content), world.now()).await.map(|_| ()).unwrap_err()
    };
    let bytes = |content: &[u8]| -> Vec<Result<Bytes, std::io::Error>> {
        content.chunks(1024 * 1024).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect()
    };
    let long = "x".repeat(PART_BYTES + 10);
    let much = u64::MAX;

    let other = store(FileFamily::Image, much, bytes(MP4)).await;
    assert!(matches!(other, MediaError::Unfit { .. }), "{other}");
    let html = store(FileFamily::Image, much, bytes(b"<html><script>alert(1)</script></html>")).await;
    assert!(matches!(html, MediaError::Unfit { .. }), "{html}");
    let cut = store(FileFamily::Image, much, bytes(&PNG[..200])).await;
    assert!(matches!(cut, MediaError::Unfit { .. }), "{cut}");
    // Found in its second part.
    let no_text = store(FileFamily::Text, much, bytes(&[long.as_bytes(), b"\0"].concat())).await;
    assert!(matches!(no_text, MediaError::Unfit { .. }), "{no_text}");
    let too_long = store(FileFamily::Text, PART_BYTES as u64 + 5, bytes(long.as_bytes())).await;
    assert!(matches!(too_long, MediaError::TooLong { .. }), "{too_long}");
    let mut broken = bytes(long.as_bytes());
    broken.push(Err(std::io::Error::other("the provider hung up")));
    let broken = store(FileFamily::Text, much, broken).await;
    assert!(matches!(broken, MediaError::BrokeOff(_)), "{broken}");
    assert!(matches!(store(FileFamily::Text, much, Vec::new()).await, MediaError::Empty));

    assert_eq!(keys(&world, "tmp30/").await, [""; 0]);
    assert_eq!(unfinished(&world).await, [""; 0]);
}

async fn stored(world: &World, family: FileFamily, bytes: &[u8]) -> StoredOutput {
    let (media, account) = (Media::new(&world.product.platform).unwrap(), account());
    media.store_stream(&new(&account, "run-hold-1", family), pieces(bytes, 1000), world.now()).await.unwrap()
}

#[tokio::test]
async fn a_video_can_be_sought_by_its_link() {
    let world = World::start().await;
    let media = Media::new(&world.product.platform).unwrap();
    let output = stored(&world, FileFamily::Video, MP4).await;
    let links = media.links(&output, world.now()).await.unwrap();
    let length = MP4.len();
    for (range, status, content_range, bytes) in [
        ("bytes=0-", 206, format!("bytes 0-{}/{length}", length - 1), MP4),
        ("bytes=1000-1999", 206, format!("bytes 1000-1999/{length}"), &MP4[1000..2000]),
        ("bytes=-100", 206, format!("bytes {}-{}/{length}", length - 100, length - 1), &MP4[length - 100..]),
    ] {
        let answer = http().get(&links.view_url).header("range", range).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{range}");
        assert_eq!(answer.headers()["content-range"], content_range.as_str());
        assert_eq!(answer.headers()["content-type"], "video/mp4");
        assert_eq!(answer.bytes().await.unwrap(), bytes, "{range}");
    }
    let behind =
        http().get(&links.view_url).header("range", format!("bytes={length}-")).send().await.unwrap();
    assert_eq!(behind.status(), 416);
    let whole = http().get(&links.view_url).send().await.unwrap();
    assert_eq!((whole.status().as_u16(), whole.headers()["accept-ranges"].to_str().unwrap()), (200, "bytes"));
}

#[tokio::test]
async fn nothing_active_is_shown_and_everything_is_saved_under_its_own_name() {
    let world = World::start().await;
    let media = Media::new(&world.product.platform).unwrap();
    let page = b"<html><script>alert(1)</script></html>";
    for (family, bytes, shown, saved, name) in [
        (FileFamily::Text, &page[..], "text/plain; charset=utf-8", "text/plain; charset=utf-8", "txt"),
        (
            FileFamily::Table,
            b"{\"a\": \"<script>\"}",
            "text/plain; charset=utf-8",
            "application/json",
            "json",
        ),
        (FileFamily::Table, b"=cmd()|x", "text/plain; charset=utf-8", "text/csv; charset=utf-8", "csv"),
        (FileFamily::Image, PNG, "image/png", "image/png", "png"),
    ] {
        let output = stored(&world, family, bytes).await;
        let links = media.links(&output, world.now()).await.unwrap();
        let view = http().get(&links.view_url).send().await.unwrap();
        let file_name = format!("video-20270115-080000-1.{name}");
        assert_eq!(view.headers()["content-type"], shown);
        assert_eq!(
            view.headers()["content-disposition"],
            format!("inline; filename=\"{file_name}\"").as_str()
        );
        let download = http().get(&links.download_url).send().await.unwrap();
        assert_eq!(download.headers()["content-type"], saved);
        let disposition = format!("attachment; filename=\"{file_name}\"");
        assert_eq!(download.headers()["content-disposition"], disposition.as_str());
        // What a link says of type and name is signed.
        let bent = links.view_url.replace("text%2Fplain", "text%2Fhtml").replace("inline", "attachment");
        assert_eq!(http().get(bent).send().await.unwrap().status(), 403);
    }
}

#[tokio::test]
async fn an_output_is_refused_after_thirty_days_although_its_object_is_still_there() {
    let world = World::start().await;
    let media = Media::new(&world.product.platform).unwrap();
    let output = stored(&world, FileFamily::Video, MP4).await;
    world.advance(Duration::from_secs(30 * 86_400 - 60));
    let links = media.links(&output, world.now()).await.unwrap();
    assert_eq!(links.expires_at, output.expires_at, "a link ends with its output");
    world.advance(Duration::from_secs(60));
    assert!(!keys(&world, "tmp30/").await.is_empty());
    assert!(matches!(media.links(&output, world.now()).await, Err(MediaError::Gone)));
    assert!(matches!(media.read_range(&output, 0..5, world.now()).await, Err(MediaError::Gone)));
    world.advance(Duration::from_secs(1));
    assert_eq!(http().get(&links.view_url).send().await.unwrap().status(), 403);
}

/// A grey PNG of so many pixels, as an image tool makes it.
fn large_png(width: u32, height: u32) -> Vec<u8> {
    let mut written = Vec::new();
    let mut encoder = png::Encoder::new(&mut written, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    let pixels: Vec<u8> = (0..width * height).map(|at| (at % 251) as u8).collect();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    written
}

#[tokio::test]
async fn a_large_png_gets_a_thumbnail_and_a_video_the_poster_that_its_provider_made() {
    let world = World::start().await;
    let (media, account) = (Media::new(&world.product.platform).unwrap(), account());
    let picture = large_png(1_024, 768);
    let new = NewOutput { with_thumbnail: true, ..new(&account, "run-hold-1", FileFamily::Image) };
    let output = media.store_stream(&new, pieces(&picture, 10_000), world.now()).await.unwrap();
    assert_eq!(output.pixels, Some((1_024, 768)));
    let links = media.links(&output, world.now()).await.unwrap();
    let small = http().get(links.thumbnail_url.unwrap()).send().await.unwrap();
    assert_eq!(small.headers()["content-type"], "image/png");
    let small = small.bytes().await.unwrap();
    let facts = media::sniff::facts(&small, FileFamily::Image, media::sniff::Bounds::OUTPUT).unwrap();
    assert_eq!(facts.pixels, Some((320, 240)));

    let mut video = stored(&world, FileFamily::Video, MP4).await;
    assert_eq!(video.thumbnail, None);
    video.thumbnail = media.store_thumbnail(&video, Private::new(super::JPEG.to_vec())).await;
    let links = media.links(&video, world.now()).await.unwrap();
    let poster = http().get(links.thumbnail_url.unwrap()).send().await.unwrap();
    assert_eq!(poster.headers()["content-type"], "image/jpeg");
    assert_eq!(media.store_thumbnail(&video, Private::new(b"<svg/>".to_vec())).await, None);
}
