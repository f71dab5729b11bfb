//! Which files are sold as images: whole ones, as a decoder sees them.

use crate::Artifact;
use crate::artifact::png_chunk as chunk;

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const KITE: &[u8] = include_bytes!("pictures/kite.png");

fn header(width: u32, height: u32, [depth, colour, interlace]: [u8; 3]) -> Vec<u8> {
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(b"IHDR", &[sides, vec![depth, colour, 0, 0, interlace]].concat())
}

fn pixels(bytes: &[u8]) -> Vec<u8> {
    chunk(b"IDAT", &miniz_oxide::deflate::compress_to_vec_zlib(bytes, 6))
}

fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
    [SIGNATURE.to_vec(), chunks.concat()].concat()
}

fn end() -> Vec<u8> {
    chunk(b"IEND", b"")
}

fn size_of(bytes: &[u8]) -> Option<(u32, u32)> {
    Artifact::of(bytes.to_vec()).map(|artifact| artifact.size)
}

#[test]
fn whole_images_of_all_kinds_are_sold() {
    let rgb = [8, 2, 0];
    let row = |width: usize| [vec![0], vec![7; width * 3]].concat();
    let palette = chunk(b"PLTE", &[1, 2, 3]);
    // 3 × 3 pixels in five of seven passes: 1×1, 1×1, 2×1, 1×2, 3×1.
    let passes: [&[u8]; 5] = [&[0, 1], &[0, 1], &[0, 1, 1], &[0, 1, 0, 1], &[0, 1, 1, 1]];
    let table = [
        (KITE.to_vec(), Some((16, 9))),
        (include_bytes!("pictures/kite.jpg").to_vec(), Some((16, 9))),
        (include_bytes!("pictures/progressive.jpg").to_vec(), Some((16, 9))),
        (include_bytes!("pictures/lossy.webp").to_vec(), Some((16, 9))),
        (include_bytes!("pictures/lossless.webp").to_vec(), Some((16, 9))),
        (include_bytes!("pictures/extended.webp").to_vec(), Some((16, 9))),
        (png(&[header(2, 1, rgb), pixels(&row(2)), end()]), Some((2, 1))),
        (
            png(&[header(3, 2, rgb), chunk(b"tEXt", b"a\0b"), pixels(&[row(3), row(3)].concat()), end()]),
            Some((3, 2)),
        ),
        (png(&[header(9, 1, [1, 3, 0]), palette, pixels(&[0, 0, 0]), end()]), Some((9, 1))),
        (png(&[header(2, 2, [16, 6, 0]), pixels(&[4; 34]), end()]), Some((2, 2))),
        (png(&[header(3, 3, [8, 0, 1]), pixels(&passes.concat()), end()]), Some((3, 3))),
    ];
    for (row, (bytes, size)) in table.into_iter().enumerate() {
        assert_eq!(size_of(&bytes), size, "row {row}");
    }
}

#[test]
fn a_large_image_in_many_chunks_is_sold() {
    let (width, height) = (1024_usize, 768_usize);
    let rows: Vec<u8> = (0..height)
        .flat_map(|y| [vec![2], (0..width * 3).map(|x| (x * y) as u8).collect()].concat())
        .collect();
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(&rows, 1);
    let mut chunks = vec![header(1024, 768, [8, 2, 0])];
    chunks.extend(packed.chunks(8_192).map(|part| chunk(b"IDAT", part)));
    chunks.extend([chunk(b"IDAT", b""), end()]);
    let bytes = png(&chunks);
    assert_eq!(size_of(&bytes), Some((1024, 768)));
    for cut in [bytes.len() - 1, bytes.len() - 12, bytes.len() / 2, 33, 40] {
        assert_eq!(size_of(&bytes[..cut]), None, "cut at {cut}");
    }
}

#[test]
fn what_no_decoder_shows_is_not_sold() {
    let gray = [8, 0, 0];
    let whole = || pixels(&[0, 7, 7]);
    let mut wrong_checksum = KITE.to_vec();
    *wrong_checksum.last_mut().unwrap() ^= 1;
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("a page", b"<!doctype html>".to_vec()),
        ("a signature", SIGNATURE.to_vec()),
        ("40 bytes", KITE[..40].to_vec()),
        ("a script", [SIGNATURE, b"<script>alert(1)</script>".as_slice()].concat()),
        ("a script behind the header", png(&[header(2, 1, gray), b"<script>alert(1)</script>".to_vec()])),
        ("a wrong checksum", wrong_checksum),
        ("no pixels", png(&[header(2, 1, gray), end()])),
        ("no end", png(&[header(2, 1, gray), whole()])),
        ("no header", png(&[whole(), end()])),
        ("two headers", png(&[header(2, 1, gray), header(2, 1, gray), whole(), end()])),
        ("a row too few", png(&[header(2, 2, gray), whole(), end()])),
        ("a row too many", png(&[header(2, 1, gray), pixels(&[0, 7, 7, 0, 7, 7]), end()])),
        ("an unknown filter", png(&[header(2, 1, gray), pixels(&[5, 7, 7]), end()])),
        ("pixels that are not compressed", png(&[header(2, 1, gray), chunk(b"IDAT", &[0, 7, 7]), end()])),
        ("no width", png(&[header(0, 1, gray), whole(), end()])),
        ("too wide", png(&[header(70_000, 1, gray), whole(), end()])),
        ("an unknown colour", png(&[header(2, 1, [8, 5, 0]), whole(), end()])),
        ("an unknown depth", png(&[header(2, 1, [3, 0, 0]), whole(), end()])),
        ("colours without a palette", png(&[header(2, 1, [8, 3, 0]), whole(), end()])),
        (
            "an unknown chunk that must be understood",
            png(&[header(2, 1, gray), chunk(b"XXXX", b""), whole(), end()]),
        ),
        ("pixels in two places", png(&[header(2, 1, gray), whole(), chunk(b"tEXt", b"x"), whole(), end()])),
        ("a WAVE", b"RIFF\x10\0\0\0WAVEfmt ".to_vec()),
        ("a JPEG's signature", b"\xff\xd8\xff\xe0 jpeg".to_vec()),
        ("a JPEG without anything", b"\xff\xd8\xff\xd9".to_vec()),
        ("a script as JPEG", b"\xff\xd8\xff<script>alert(1)</script>\xff\xd9".to_vec()),
        ("a WebP's signature", b"RIFF\x10\0\0\0WEBPVP8 ".to_vec()),
        ("a script as WebP", b"RIFF\x20\0\0\0WEBP<script>alert(1)</script>".to_vec()),
    ];
    for (name, bytes) in table {
        assert_eq!(size_of(&bytes), None, "{name}");
    }
}

#[test]
fn no_image_that_is_cut_is_sold() {
    for whole in [
        KITE,
        include_bytes!("pictures/kite.jpg"),
        include_bytes!("pictures/progressive.jpg"),
        include_bytes!("pictures/lossy.webp"),
        include_bytes!("pictures/lossless.webp"),
        include_bytes!("pictures/extended.webp"),
    ] {
        for cut in 0..whole.len() {
            assert_eq!(size_of(&whole[..cut]), None, "{:?} cut at {cut}", &whole[..4]);
        }
    }
}

#[test]
fn what_follows_an_image_is_not_sold_with_it() {
    for whole in [KITE, include_bytes!("pictures/kite.jpg"), include_bytes!("pictures/lossy.webp")] {
        let bytes = [whole, b"<script>alert(1)</script>"].concat();
        assert_eq!(Artifact::of(bytes).unwrap().bytes, whole);
    }
}

#[test]
fn an_artifact_prints_without_its_bytes() {
    let artifact = Artifact::of(KITE.to_vec()).unwrap();
    assert_eq!(format!("{artifact:?}"), "Artifact(image/png, 115 bytes)");
}
