use ring::digest::{SHA256, digest};

use super::{ask, instant};
use crate::content::Content;
use crate::video::{USUAL_FRAME_TICKS, Video};

/// The boxes of a file: path (`moov/trak/…`) and content, in the file's order.
pub(super) struct Boxes(Vec<(String, Vec<u8>)>);

impl Boxes {
    pub(super) fn of(file: &[u8]) -> Boxes {
        let mut boxes = Boxes(Vec::new());
        boxes.walk("", file);
        boxes
    }

    fn walk(&mut self, parent: &str, mut rest: &[u8]) {
        while !rest.is_empty() {
            let size = word(rest, 0) as usize;
            assert!(size >= 8 && size <= rest.len(), "a box of {size} in {}", rest.len());
            let path = format!("{parent}{}", std::str::from_utf8(&rest[4..8]).expect("a kind"));
            let content = &rest[8..size];
            self.0.push((path.clone(), content.to_vec()));
            if matches!(path.as_str(), "moov" | "moov/trak")
                || path.ends_with("/mdia")
                || path.ends_with("/minf")
                || path.ends_with("/stbl")
            {
                self.walk(&format!("{path}/"), content);
            }
            rest = &rest[size..];
        }
    }

    pub(super) fn top(&self) -> Vec<&str> {
        self.0.iter().map(|(path, _)| path.as_str()).filter(|path| !path.contains('/')).collect()
    }

    pub(super) fn get(&self, end: &str) -> &[u8] {
        &self.0.iter().find(|(path, _)| path.ends_with(end)).unwrap_or_else(|| panic!("no {end}")).1
    }

    /// Width and height of the pictures.
    pub(super) fn size(&self) -> (u32, u32) {
        let entry = &self.get("stsd")[16..];
        let side = |at: usize| u32::from(u16::from_be_bytes([entry[at], entry[at + 1]]));
        (side(24), side(26))
    }

    /// Milliseconds, as the film, the track and the sum of the pictures' times say; all agree.
    pub(super) fn milliseconds(&self) -> u64 {
        let clock = u64::from(word(self.get("moov/mvhd"), 12));
        let duration = word(self.get("moov/mvhd"), 16);
        assert_eq!((word(self.get("mdia/mdhd"), 16), word(self.get("trak/tkhd"), 20)), (duration, duration));
        let times = self.get("stts");
        let sum: u32 = (0..word(times, 4) as usize)
            .map(|place| word(times, 8 + 8 * place) * word(times, 12 + 8 * place))
            .sum();
        assert_eq!(sum, duration);
        u64::from(duration) * 1_000 / clock
    }

    pub(super) fn frames(&self) -> u32 {
        word(self.get("stsz"), 8)
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn bytes(content: Content) -> Vec<u8> {
    content.pieces().flatten().collect()
}

fn kite(width: u32, height: u32) -> Video {
    Video::of("a red kite", 7, width, height)
}

#[test]
fn a_file_says_where_its_pictures_are_before_they_come() {
    let file = bytes(kite(1_280, 720).lasting(5).file(None));
    let boxes = Boxes::of(&file);
    assert_eq!(boxes.top(), ["ftyp", "moov", "mdat"]);
    assert_eq!((boxes.size(), boxes.milliseconds(), boxes.frames()), ((1_280, 720), 5_008, 120));

    let pictures = boxes.get("mdat");
    let first = word(boxes.get("stco"), 8) as usize;
    assert_eq!(&file[first..first + 64], &pictures[..64]);
    let sizes = boxes.get("stsz");
    let mut at = 0;
    let mut keys = Vec::new();
    for number in 1..=boxes.frames() {
        let size = word(sizes, 8 + 4 * number as usize) as usize;
        assert_eq!(word(pictures, at) as usize, size - 4);
        match pictures[at + 4] {
            0x65 => keys.push(number),
            kind => assert_eq!(kind, 0x41),
        }
        at += size;
    }
    assert_eq!(at, pictures.len());
    let listed: Vec<u32> =
        (0..word(boxes.get("stss"), 4) as usize).map(|key| word(boxes.get("stss"), 8 + 4 * key)).collect();
    assert_eq!((&listed, keys), (&vec![1, 25, 49, 73, 97], listed.clone()));
}

#[test]
fn every_length_and_shape_is_as_long_and_large_as_asked() {
    for (width, height) in [(1_920, 1_080), (1_080, 1_920), (1_440, 1_440), (832, 480), (64, 64), (2, 2)] {
        for seconds in [3, 10, 15] {
            let boxes = Boxes::of(&bytes(kite(width, height).lasting(seconds).file(None)));
            assert_eq!(
                (boxes.size(), boxes.milliseconds()),
                ((width, height), u64::from(seconds) * 1_000 + 8)
            );
        }
    }
    // 81 pictures at 16 a second, as Wan makes them.
    let boxes = Boxes::of(&bytes(kite(832, 480).of_frames(81, 750).file(None)));
    assert_eq!((boxes.frames(), boxes.milliseconds()), (81, 5_062));
    let one = Boxes::of(&bytes(kite(832, 480).of_frames(1, USUAL_FRAME_TICKS).file(None)));
    assert_eq!((one.frames(), one.milliseconds()), (1, 41));
}

#[test]
fn a_size_that_can_not_be_made_becomes_the_nearest_one() {
    let video = kite(8_191, 5).of_frames(1_000_000, 0);
    assert_eq!((video.width, video.height, video.frames, video.frame_ticks), (4_096, 4, 3_600, 1));
}

#[test]
fn colours_follow_from_prompt_and_seed() {
    let file = |prompt: &str, seed: u64| bytes(Video::of(prompt, seed, 320, 180).lasting(3).file(None));
    assert_eq!(file("a kite", 1), file("a kite", 1));
    assert_ne!(file("a kite", 1), file("a kite", 2));
    assert_ne!(file("a kite", 1), file("a boat", 1));
}

/// The padding lies before the pictures, so that a copy which was cut short shows nothing.
#[test]
fn a_filled_up_file_has_exactly_the_wanted_size_and_is_handed_out_in_small_pieces() {
    let content = kite(1_280, 720).lasting(5).file(Some(500));
    assert_eq!(content.len(), 500 << 20);
    let mut total = 0;
    for piece in content.clone().pieces() {
        assert!(piece.len() <= 256 * 1024, "{}", piece.len());
        total += piece.len() as u64;
    }
    assert_eq!(total, 500 << 20);

    let small = bytes(kite(1_280, 720).lasting(5).file(Some(1)));
    let boxes = Boxes::of(&small);
    assert_eq!((small.len(), boxes.top()), (1 << 20, vec!["ftyp", "moov", "free", "mdat"]));
    let first = word(boxes.get("stco"), 8) as usize;
    assert_eq!(&small[first..first + 64], &boxes.get("mdat")[..64]);
    assert_eq!(boxes.get("mdat"), Boxes::of(&bytes(kite(1_280, 720).lasting(5).file(None))).get("mdat"));
}

#[test]
fn a_part_of_a_file_is_what_lies_there() {
    let content = kite(64, 64).lasting(3).file(Some(1));
    let whole = bytes(content.clone());
    for range in [0..0, 0..1, 0..100, 500..70_000, 1_000..1_001, 1_048_000..1_048_576, 0..1_048_576] {
        let part = content.within(&range);
        assert_eq!(part.len(), range.end - range.start);
        assert_eq!(bytes(part), whole[range.start as usize..range.end as usize], "{range:?}");
    }
}

/// These very bytes were decoded to their last picture, each picture as it was drawn, and played by a browser: see
/// "Videos" in the README. Whoever changes what is written does so again with the new files before changing these lines.
#[tokio::test]
async fn the_files_are_those_that_were_played() {
    for (name, expected) in [
        (
            "17-1920-1080-120-500-96-a-0.mp4",
            "d3002ce6238d94730cb84a0ff58fe9023956971fdc625f98ef0246e11f49f590",
        ),
        (
            "42-1080-1920-72-500-96-a-0.mp4",
            "a87872efe4b25de4dba22a93e8b0a3bb8b975406851c8b0e8c9f31c8dfb2dcaa",
        ),
        (
            "3-1440-1440-360-500-96-a-0.mp4",
            "51616d26d3cbbec10fed8cbd8e29f6bca84884be40805f6b7cfedd06050e4164",
        ),
        ("60-832-480-81-750-0-a-0.mp4", "5da5889be625515194ceb8dde8569e03eaab915686396a6c32070487ac47080a"),
        ("5-130-34-25-400-0-m1-0.mp4", "677315b66ec4f9b859c709ccdcb55cd838c5b5a25d0f8a4c127c046bbd744fa7"),
    ] {
        let file = ask(&instant(), &format!("GET /sandbox/fal/files/{name}"), &[], "").await;
        assert_eq!(hex::encode(digest(&SHA256, &file.body)), expected, "{name}");
    }
}
