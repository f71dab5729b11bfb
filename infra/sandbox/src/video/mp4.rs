//! The file around the pictures (ISO/IEC 14496-12 and -15). Everything a player needs stands at its beginning.

use super::h264::{Film, PROFILE};
use super::{TICKS_PER_SECOND, Video};

/// Size and kind of a box.
pub(super) const BOX_HEADER: u64 = 8;
const IDENTITY: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// A file in its parts.
pub(super) struct File {
    video: Video,
    film: Film,
    /// Bytes of each picture, its length of four bytes included.
    sizes: Vec<u32>,
    /// Numbers of the key pictures; the first picture is 1.
    keys: Vec<u32>,
    pictures: Vec<u8>,
}

impl File {
    pub(super) fn of(video: Video) -> File {
        let film = Film::of(video);
        let mut file = File { video, film, sizes: Vec::new(), keys: Vec::new(), pictures: Vec::new() };
        for number in 0..video.frames {
            let frame = file.film.frame(number);
            if frame.is_key {
                file.keys.push(number + 1);
            }
            let length = frame.unit.len() as u32;
            file.sizes.push(length + 4);
            file.pictures.extend(length.to_be_bytes());
            file.pictures.extend(frame.unit);
        }
        file
    }

    /// Bytes of the file without padding.
    pub(super) fn len(&self) -> u64 {
        self.head(0).len() as u64 + BOX_HEADER + self.pictures.len() as u64
    }

    /// What stands before the padding, with the header of the box that holds it.
    pub(super) fn before_padding(&self, padding: u64) -> Vec<u8> {
        let head = self.head(0).len() as u64;
        let mut bytes = self.head((head + padding + BOX_HEADER) as u32);
        if padding > 0 {
            bytes.extend((padding as u32).to_be_bytes());
            bytes.extend(b"free");
        }
        bytes
    }

    /// The pictures, behind the padding: a copy that was cut short shows nothing.
    pub(super) fn after_padding(&self) -> Vec<u8> {
        boxed(b"mdat", &[&self.pictures])
    }

    /// What the file is and where each picture lies. Its length does not depend on the place of the first picture.
    fn head(&self, first_picture: u32) -> Vec<u8> {
        let kind = boxed(b"ftyp", &[b"isom", &number(0x200), b"isom", b"iso2", b"avc1", b"mp41"]);
        let movie = boxed(b"moov", &[&self.movie_header(), &self.track(first_picture)]);
        [kind, movie].concat()
    }

    fn movie_header(&self) -> Vec<u8> {
        let mut header = vec![number(0), number(0), number(TICKS_PER_SECOND), number(self.duration())];
        header.extend([number(0x1_0000), number(0x100_0000), number(0), number(0)]);
        header.extend(IDENTITY.map(number));
        header.extend([number(0); 6]);
        header.push(number(2));
        full(b"mvhd", 0, &header.concat())
    }

    fn track(&self, first_picture: u32) -> Vec<u8> {
        let mut header = vec![number(0), number(0), number(1), number(0), number(self.duration())];
        header.extend([number(0); 4]);
        header.extend(IDENTITY.map(number));
        header.extend([number(self.video.width << 16), number(self.video.height << 16)]);
        // Enabled, and part of the film.
        let header = full(b"tkhd", 3, &header.concat());
        boxed(b"trak", &[&header, &self.media(first_picture)])
    }

    fn media(&self, first_picture: u32) -> Vec<u8> {
        let clock =
            [number(0), number(0), number(TICKS_PER_SECOND), number(self.duration()), number(0x55c4_0000)];
        let handler = [&number(0)[..], b"vide", &[0; 12], b"VideoHandler\0"];
        let here = full(b"dref", 0, &[&number(1)[..], &full(b"url ", 1, &[])].concat());
        let information = boxed(
            b"minf",
            &[&full(b"vmhd", 1, &[0; 8]), &boxed(b"dinf", &[&here]), &self.table(first_picture)],
        );
        boxed(
            b"mdia",
            &[&full(b"mdhd", 0, &clock.concat()), &full(b"hdlr", 0, &handler.concat()), &information],
        )
    }

    /// The table of pictures: what they are, when each is shown, which are keys, how large each is, where they begin.
    fn table(&self, first_picture: u32) -> Vec<u8> {
        let frames = self.video.frames;
        let (usual, last) = (self.video.frame_ticks, self.video.frame_ticks + self.video.tail_ticks);
        let times = match frames - 1 {
            0 => vec![1, 1, last],
            others => vec![2, others, usual, 1, last],
        };
        let times = times.into_iter().map(number).collect::<Vec<_>>().concat();
        let keys = self.keys.iter().copied().map(number).collect::<Vec<_>>().concat();
        let sizes = self.sizes.iter().copied().map(number).collect::<Vec<_>>().concat();
        let description = [&number(1)[..], &self.description()].concat();
        boxed(
            b"stbl",
            &[
                &full(b"stsd", 0, &description),
                &full(b"stts", 0, &times),
                &full(b"stss", 0, &[&number(self.keys.len() as u32)[..], &keys].concat()),
                &full(b"stsc", 0, &[1, 1, frames, 1].map(number).concat()),
                &full(b"stsz", 0, &[&[0, frames].map(number).concat()[..], &sizes].concat()),
                &full(b"stco", 0, &[1, first_picture].map(number).concat()),
            ],
        )
    }

    fn description(&self) -> Vec<u8> {
        let side = |side: u32| (side as u16).to_be_bytes();
        let (sequence, pictures) = (self.film.sequence(), Film::pictures());
        let length = |unit: &[u8]| (unit.len() as u16).to_be_bytes();
        let decoder = boxed(
            b"avcC",
            &[
                // Its version, profile and level; lengths of four bytes; one unit of each kind.
                &[1, PROFILE[0], PROFILE[1], self.film.level(), 0xff, 0xe1],
                &length(&sequence),
                &sequence,
                &[1],
                &length(&pictures),
                &pictures,
            ],
        );
        let resolution = number(72 << 16);
        let size = [side(self.video.width), side(self.video.height)].concat();
        boxed(
            b"avc1",
            &[
                &[0, 0, 0, 0, 0, 0, 0, 1],
                &[0; 16],
                &size,
                &resolution,
                &resolution,
                &number(0),
                &[0, 1],
                &[0; 32],
                &[0, 24, 0xff, 0xff],
                &decoder,
            ],
        )
    }

    /// In ticks.
    fn duration(&self) -> u32 {
        self.video.frames * self.video.frame_ticks + self.video.tail_ticks
    }
}

fn number(value: u32) -> [u8; 4] {
    value.to_be_bytes()
}

fn boxed(kind: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let size = BOX_HEADER as u32 + content.len() as u32;
    [&number(size)[..], kind, &content].concat()
}

/// A box that begins with its version, 0, and flags.
fn full(kind: &[u8; 4], flags: u32, content: &[u8]) -> Vec<u8> {
    boxed(kind, &[&number(flags), content])
}
