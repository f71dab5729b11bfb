//! Small files of a real encoder (FFmpeg 9.0), cut, bent and mixed up.

use super::*;
use FileFamily::{Audio, Image, Subtitles, Table, Text, Video};
use proptest::prelude::*;

macro_rules! samples {
    ($($name:ident = $file:literal;)+) => {$(
        pub(crate) const $name: &[u8] = include_bytes!(concat!("samples/", $file));
    )+};
}
samples! {
    PNG = "picture.png";
    JPEG = "picture.jpg";
    WEBP = "picture.webp";
    LOSSLESS_WEBP = "lossless.webp";
    MOVING_WEBP = "moving.webp";
    GIF = "moving.gif";
    MP4 = "video.mp4";
    FRAGMENTED_MP4 = "fragmented.mp4";
    MOV = "video.mov";
    WEBM = "video.webm";
    M4A = "sound.m4a";
    LIVE_WEBA = "live.weba";
    WAV = "sound.wav";
    MP3 = "sound.mp3";
    VBR_MP3 = "vbr.mp3";
    OPUS = "opus.ogg";
    VORBIS = "vorbis.ogg";
    FLAC = "sound.flac";
}

/// `(name, bytes, family, type, pixels, seconds in tenths)`
type Sample = (&'static str, &'static [u8], FileFamily, FileType, Option<(u32, u32)>, Option<u64>);

const SAMPLES: [Sample; 18] = [
    ("png", PNG, Image, FileType::Png, Some((64, 48)), None),
    ("jpeg", JPEG, Image, FileType::Jpeg, Some((64, 48)), None),
    ("webp", WEBP, Image, FileType::Webp, Some((64, 48)), None),
    ("lossless webp", LOSSLESS_WEBP, Image, FileType::Webp, Some((64, 48)), None),
    ("moving webp", MOVING_WEBP, Image, FileType::Webp, Some((16, 12)), None),
    ("gif", GIF, Image, FileType::Gif, Some((16, 12)), Some(10)),
    ("mp4", MP4, Video, FileType::Mp4, Some((64, 48)), Some(20)),
    // A fragment counts from its first frame's decoding, which comes earlier where frames are stored out of order.
    ("fragmented mp4", FRAGMENTED_MP4, Video, FileType::Mp4, Some((64, 48)), Some(24)),
    ("mov", MOV, Video, FileType::Mov, Some((64, 48)), Some(20)),
    ("webm", WEBM, Video, FileType::Webm, Some((64, 48)), Some(20)),
    ("m4a", M4A, Audio, FileType::M4a, None, Some(20)),
    ("live weba", LIVE_WEBA, Audio, FileType::Weba, None, Some(20)),
    ("wav", WAV, Audio, FileType::Wav, None, Some(2)),
    ("mp3", MP3, Audio, FileType::Mp3, None, Some(20)),
    ("vbr mp3", VBR_MP3, Audio, FileType::Mp3, None, Some(20)),
    ("opus", OPUS, Audio, FileType::Ogg, None, Some(20)),
    ("vorbis", VORBIS, Audio, FileType::Ogg, None, Some(20)),
    ("flac", FLAC, Audio, FileType::Flac, None, Some(5)),
];

const BOUNDS: Bounds = Bounds { side_max: 4_096, pixels_max: 16 * 1024 * 1024 };

fn look(bytes: &[u8], family: FileFamily) -> Result<Facts, Flaw> {
    facts(bytes, family, BOUNDS)
}

fn in_pieces(bytes: &[u8], family: FileFamily, lengths: &[usize]) -> Result<Facts, Flaw> {
    let mut sniffer = Sniffer::new(family, BOUNDS);
    let (mut rest, mut lengths) = (bytes, lengths.iter().cycle());
    while !rest.is_empty() {
        let length = lengths.next().map_or(rest.len(), |length| (*length).clamp(1, rest.len()));
        let (piece, after) = rest.split_at(length);
        sniffer.feed(piece);
        rest = after;
    }
    sniffer.finish()
}

#[test]
fn every_type_is_known_with_its_pixels_and_its_seconds() {
    for (name, bytes, family, file_type, pixels, tenths) in SAMPLES {
        let facts = look(bytes, family).unwrap_or_else(|flaw| panic!("{name}: {flaw}"));
        assert_eq!((facts.file_type, facts.pixels), (file_type, pixels), "{name}");
        // An encoder's own silence at both ends is played, too: a tenth of a second and a half at most.
        let is_near = match (tenths, facts.millis) {
            (None, None) => true,
            (Some(tenths), Some(millis)) => (tenths * 100 - 50..=tenths * 100 + 150).contains(&millis),
            _ => false,
        };
        assert!(is_near, "{name}: {:?}", facts.millis);
    }
}

#[test]
fn a_file_is_what_it_is_wherever_it_is_cut_into_pieces() {
    for (name, bytes, family, ..) in SAMPLES {
        for lengths in [&[1][..], &[2, 7], &[63, 1, 64], &[1_000]] {
            assert_eq!(in_pieces(bytes, family, lengths), look(bytes, family), "{name} in {lengths:?}");
        }
    }
}

#[test]
fn a_file_of_another_family_is_refused_by_what_it_is() {
    for (name, bytes, family, ..) in SAMPLES {
        for other in [Image, Video, Audio, Text, Table, Subtitles] {
            if other == family {
                continue;
            }
            match look(bytes, other) {
                Err(Flaw::OtherFamily(found, expected)) => {
                    // Where neither is expected, a container is judged by its first bytes.
                    let is_container = name == "live weba" && found == Video;
                    assert!((found == family || is_container) && expected == other, "{name}: {found:?}");
                }
                outcome => panic!("{name} as {other:?}: {outcome:?}"),
            }
        }
    }
    for bytes in [&b"<svg onload=alert(1)>"[..], b"%PDF-1.7", b"PK\x03\x04", b"#EXTM3U\n", b"MZ", b""] {
        assert_eq!(look(bytes, Image), Err(Flaw::Unknown), "{bytes:?}");
    }
}

/// Of formats that are recorded until the last moment, what is there plays; all others are whole or nothing.
#[test]
fn what_is_cut_off_is_refused_where_a_part_of_it_can_not_be_used() {
    for (name, bytes, family, ..) in SAMPLES {
        let ends_anywhere =
            ["webm", "live weba", "mp3", "vbr mp3", "flac", "opus", "vorbis", "fragmented mp4"];
        if ends_anywhere.contains(&name) {
            assert!(look(&bytes[..40], family).is_err(), "{name}");
            continue;
        }
        for length in 0..bytes.len() {
            let outcome = look(&bytes[..length], family);
            // The byte that fills up the last chunk of a RIFF is often forgotten, and `IEND` has a checksum nobody needs.
            assert!(outcome.is_err() || length + 1 == bytes.len(), "{name} of {length} bytes: {outcome:?}");
        }
    }
}

#[test]
fn a_picture_of_too_many_pixels_is_refused_by_its_header_and_a_row_too_many_at_once() {
    let small = Bounds { side_max: 63, pixels_max: u64::MAX };
    let few = Bounds { side_max: 4_096, pixels_max: 64 * 48 - 1 };
    for (name, bytes, family, _, pixels, _) in SAMPLES {
        if pixels != Some((64, 48)) {
            continue;
        }
        for bounds in [small, few] {
            assert_eq!(facts(bytes, family, bounds), Err(Flaw::TooManyPixels), "{name}");
        }
    }
    let bomb = png_of(60_000, 60_000, &[]);
    assert_eq!(look(&bomb, Image), Err(Flaw::TooManyPixels));
    // A gigabyte of zeros behind the announced row.
    let zeros = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 4 * 1024 * 1024], 9);
    let more = png_of(1, 1, &zeros);
    assert_eq!(look(&more, Image), Err(Flaw::Damaged("more rows than announced")));
    let fewer = png_of(64, 64, &miniz_oxide::deflate::compress_to_vec_zlib(&[0; 64], 1));
    assert_eq!(look(&fewer, Image), Err(Flaw::Cut));
}

/// A grey picture with these compressed rows.
pub(crate) fn png_of(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let chunks = [png::chunk(b"IHDR", &header), png::chunk(b"IDAT", pixels), png::chunk(b"IEND", b"")];
    [png::SIGNATURE.to_vec(), chunks.concat()].concat()
}

#[test]
fn a_length_that_was_made_small_in_the_header_changes_nothing() {
    // All durations of the index: `mvhd`, `tkhd`, `mdhd`; the table of times stays.
    let mut forged = MP4.to_vec();
    for kind in [b"mvhd", b"mdhd"] {
        let places: Vec<usize> =
            forged.windows(4).enumerate().filter(|(_, w)| w == kind).map(|(at, _)| at).collect();
        assert!(!places.is_empty());
        for at in places {
            forged[at + 20..at + 24].copy_from_slice(&1_u32.to_be_bytes());
        }
    }
    assert_eq!(look(&forged, Video).unwrap().millis, look(MP4, Video).unwrap().millis);
    // FLAC: the number of samples.
    let mut forged = FLAC.to_vec();
    forged[21] &= 0xf0;
    forged[22..26].fill(0);
    let (told, true_one) =
        (look(&forged, Audio).unwrap().millis.unwrap(), look(FLAC, Audio).unwrap().millis.unwrap());
    assert!(true_one - told < 300, "{told} of {true_one}");
    // Ogg: every page claims to be at its beginning.
    let mut forged = OPUS.to_vec();
    let pages: Vec<usize> =
        forged.windows(4).enumerate().filter(|(_, w)| *w == b"OggS").map(|(at, _)| at).collect();
    pages.iter().for_each(|at| forged[at + 6..at + 14].fill(0));
    assert!(look(&forged, Audio).unwrap().millis.unwrap() > 1_900);
}

#[test]
fn an_index_that_points_to_another_file_is_refused() {
    let at = MP4.windows(4).position(|bytes| bytes == b"url ").unwrap();
    let mut pointing = MP4.to_vec();
    pointing[at + 7] = 0;
    assert_eq!(look(&pointing, Video), Err(Flaw::Unfit("it points to another file")));
}

#[test]
fn a_matroska_that_is_no_webm_is_refused() {
    let at = WEBM.windows(4).position(|bytes| bytes == b"webm").unwrap();
    let mut other = WEBM.to_vec();
    other[at..at + 4].copy_from_slice(b"mkv_");
    assert_eq!(look(&other, Video), Err(Flaw::Unfit("a Matroska that is no WebM")));
}

#[test]
fn a_video_without_a_picture_is_a_sound() {
    assert_eq!(look(LIVE_WEBA, Audio).unwrap().file_type, FileType::Weba);
    assert_eq!(look(LIVE_WEBA, Video), Err(Flaw::OtherFamily(Audio, Video)));
    assert_eq!(look(WEBM, Audio), Err(Flaw::OtherFamily(Video, Audio)));
    // The brand says video, the tracks don't.
    let mut branded = M4A.to_vec();
    branded[8..12].copy_from_slice(b"isom");
    assert_eq!(look(&branded, Audio).unwrap().file_type, FileType::M4a);
}

#[test]
fn texts_are_utf_8_without_control_characters() {
    for (text, family, file_type) in [
        ("Thả diều đỏ", Text, FileType::Text),
        ("a,b\n1,2\n", Table, FileType::Csv),
        ("{\"a\": [1, 2]}", Table, FileType::Json),
        ("WEBVTT\n\n00:00.000 --> 00:01.000\nhi\n", Subtitles, FileType::Vtt),
        ("1\n00:00:00,000 --> 00:00:01,000\nhi\n", Subtitles, FileType::Srt),
    ] {
        assert_eq!(look(text.as_bytes(), family).unwrap().file_type, file_type, "{text}");
        assert_eq!(in_pieces(text.as_bytes(), family, &[1]), look(text.as_bytes(), family), "{text}");
    }
    let long = "x".repeat(200);
    for (bad, flaw) in [
        ([long.as_bytes(), b"\0"].concat(), Flaw::Damaged("a control character in a text")),
        ([long.as_bytes(), b"\xff\xfe"].concat(), Flaw::Damaged("it is not UTF-8")),
        ([long.as_bytes(), b"\xe1\xba"].concat(), Flaw::Cut),
    ] {
        assert_eq!(look(&bad, Text), Err(flaw));
    }
}

/// A JPEG as a telephone writes it: Exif with a place and an orientation, XMP, a comment, a preview, and a film behind its end.
pub(crate) fn telephone_jpeg() -> Vec<u8> {
    let segment = |marker: u8, content: &[u8]| {
        let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], content].concat()
    };
    let tiff = b"MM\0\x2a\0\0\0\x08\0\x02\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\x88\x25\0\x04\0\0\0\x01\0\0\0\x26\0\0\0\0GPS 48.2082 N";
    let (start, rest) = JPEG.split_at(2);
    [
        start,
        &segment(0xe1, &[b"Exif\0\0", &tiff[..]].concat()),
        &segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>GPS of Ann</x:xmpmeta>"),
        &segment(0xe2, b"MPF\0GPS again"),
        &segment(0xfe, b"made by Ann's telephone, GPS on"),
        rest,
        b"\0\0\0\x18ftypmp42 a film with GPS",
    ]
    .concat()
}

fn png_with_metadata() -> Vec<u8> {
    let end = PNG.len() - 12;
    let tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0GPS";
    let added = [
        png::chunk(b"tEXt", b"Comment\0GPS of Ann"),
        png::chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0GPS"),
        png::chunk(b"eXIf", tiff),
        png::chunk(b"tIME", b"\x07\xea\x0b\x1e\x10\x00\x00"),
    ];
    [&PNG[..end], &added.concat(), &PNG[end..], b"GPS behind the end"].concat()
}

fn webp_with_metadata() -> Vec<u8> {
    let chunk = |kind: &[u8; 4], content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        [&kind[..], &length, content, if content.len() % 2 == 1 { b"\0" } else { b"" }].concat()
    };
    let header = chunk(b"VP8X", &[0x0c, 0, 0, 0, 63, 0, 0, 47, 0, 0]);
    let tiff = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0GPS of Ann";
    let content =
        [header, WEBP[12..].to_vec(), chunk(b"EXIF", tiff), chunk(b"XMP ", b"<x>GPS of Ann</x>")].concat();
    let length = u32::try_from(content.len() + 4).unwrap().to_le_bytes();
    [b"RIFF", &length[..], b"WEBP", &content, b"GPS behind"].concat()
}

#[test]
fn a_picture_that_is_passed_on_says_nothing_about_who_took_it_where() {
    for (name, file_type, bytes) in [
        ("jpeg", FileType::Jpeg, telephone_jpeg()),
        ("png", FileType::Png, png_with_metadata()),
        ("webp", FileType::Webp, webp_with_metadata()),
    ] {
        let before = look(&bytes, Image).unwrap_or_else(|flaw| panic!("{name}: {flaw}"));
        assert!(bytes.windows(3).any(|part| part == b"GPS"), "{name}");
        let stripped = strip(file_type, bytes);
        for told in [&b"GPS"[..], b"Ann", b"xmp", b"Comment"] {
            assert!(!stripped.windows(told.len()).any(|part| part == told), "{name} still tells {told:?}");
        }
        assert_eq!(look(&stripped, Image), Ok(before), "{name}");
        // Which side is up is the picture's own.
        assert!(stripped.windows(4).any(|part| part == b"MM\0\x2a"), "{name} stands on its head");
        assert_eq!(strip(file_type, stripped.clone()), stripped, "{name} once more");
    }
}

#[test]
fn the_pixels_stay_as_they_are() {
    for (name, bytes, family, file_type, ..) in SAMPLES {
        if family == Image {
            let stripped = strip(file_type, bytes.to_vec());
            assert_eq!(look(&stripped, Image), look(bytes, Image), "{name}");
            assert!(stripped.len() <= bytes.len(), "{name}");
        }
    }
    // What carries pixels is copied byte for byte.
    let scan_of = |bytes: &[u8]| {
        let at = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
        let end = bytes.windows(2).rposition(|pair| pair == [0xff, 0xd9]).unwrap();
        bytes[at..end].to_vec()
    };
    assert_eq!(scan_of(&strip(FileType::Jpeg, telephone_jpeg())), scan_of(JPEG));
}

fn any_family() -> impl Strategy<Value = FileFamily> {
    prop::sample::select(vec![Image, Video, Audio, Text, Table, Subtitles])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_sniffer_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000), family in any_family()) {
        let _ = look(&bytes, family);
    }

    /// Damage in a real file reaches deeper than noise does.
    #[test]
    fn no_damage_makes_a_sniffer_panic_and_pieces_change_nothing(
        sample in 0..SAMPLES.len(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        lengths in prop::collection::vec(1..500_usize, 1..4),
    ) {
        let (_, bytes, family, file_type, ..) = SAMPLES[sample];
        let mut bytes = bytes.to_vec();
        for (at, byte) in damages {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let whole = look(&bytes, family);
        prop_assert_eq!(in_pieces(&bytes, family, &lengths), whole);
        // Only whole pictures are stripped, but nothing breaks by others.
        let stripped = strip(file_type, bytes);
        if whole.is_ok() && family == Image {
            prop_assert!(look(&stripped, family).is_ok());
        }
    }
}
