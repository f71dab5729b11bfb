//! MP4, MOV and M4A: boxes of the ISO base media format (ISO/IEC 14496-12) and of QuickTime. The index (`moov`) is read
//! whole, fragments (`moof`) one by one; samples are passed over.
//!
//! How long it plays is the longest of what the index says in its several places, so that one number that was made small
//! changes nothing.

use super::walk::{Ending, Format, Want, u16_be, u32_be, u64_be};
use super::{Bounds, Flaw, Found};

const HEAD: usize = 8;
const TRACKS_MAX: usize = 32;
/// An AAC frame; other sound in the same box has more samples a frame.
const AAC_FRAME: u64 = 1_024;

pub(super) struct IsoMedia {
    bounds: Bounds,
    next: Next,
    kind: [u8; 4],
    index: Option<Index>,
    has_samples: bool,
    /// Whether the last box goes to the end of the file.
    is_open: bool,
}

#[derive(Clone, Copy)]
enum Next {
    Head,
    LongLength,
    Whole,
    Passed,
}

#[derive(Default)]
struct Index {
    millis: u64,
    tracks: Vec<Track>,
}

#[derive(Default)]
struct Track {
    id: u32,
    is_video: bool,
    is_audio: bool,
    pixels: Option<(u32, u32)>,
    timescale: u32,
    /// In the timescale: by the header, by the table of times, by the fragments.
    announced: u64,
    listed: u64,
    fragments: u64,
    samples: u64,
    /// Of sound in AAC.
    rate: u32,
    /// Of a fragment's sample that says nothing else (`trex`).
    default_duration: u32,
}

impl IsoMedia {
    pub(super) fn new(bounds: Bounds) -> IsoMedia {
        IsoMedia { bounds, next: Next::Head, kind: [0; 4], index: None, has_samples: false, is_open: false }
    }

    fn begin_box(&mut self, length: u64, head: u64) -> Result<Want, Flaw> {
        let content = length.checked_sub(head).ok_or(Flaw::Damaged("a box's length"))?;
        match &self.kind {
            b"moov" if self.index.is_some() => Err(Flaw::Damaged("a second index")),
            b"moov" | b"moof" => {
                self.next = Next::Whole;
                Ok(Want::Exactly(usize::try_from(content).unwrap_or(usize::MAX)))
            }
            kind => {
                self.has_samples |= kind == b"mdat";
                self.next = Next::Passed;
                Ok(Want::Skip(content))
            }
        }
    }

    fn whole(&mut self, content: &[u8]) -> Result<(), Flaw> {
        if self.kind == *b"moov" {
            self.index = Some(Index::read(content, self.bounds)?);
            return Ok(());
        }
        let index = self.index.as_mut().ok_or(Flaw::Damaged("a fragment before the index"))?;
        index.fragment(content)
    }
}

impl Format for IsoMedia {
    fn begin(&self) -> Want {
        Want::Exactly(HEAD)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<Want, Flaw> {
        match self.next {
            Next::Head => {
                self.kind = bytes.get(4..8).and_then(|kind| kind.try_into().ok()).unwrap_or_default();
                match u32_be(bytes, 0).unwrap_or_default() {
                    0 if self.kind == *b"mdat" => {
                        (self.is_open, self.has_samples) = (true, true);
                        Ok(Want::Nothing)
                    }
                    0 => Err(Flaw::Damaged("a box without a length")),
                    1 => {
                        self.next = Next::LongLength;
                        Ok(Want::Exactly(8))
                    }
                    length => self.begin_box(length.into(), 8),
                }
            }
            Next::LongLength => self.begin_box(u64_be(bytes, 0).unwrap_or_default(), 16),
            Next::Whole => {
                self.whole(bytes)?;
                self.next = Next::Head;
                Ok(Want::Exactly(HEAD))
            }
            Next::Passed => {
                self.next = Next::Head;
                Ok(Want::Exactly(HEAD))
            }
        }
    }

    fn end(&mut self, ending: Ending) -> Result<Found, Flaw> {
        let is_whole = self.is_open || ending == Ending::Clean && matches!(self.next, Next::Head);
        let Some(index) = self.index.as_ref().filter(|_| is_whole && self.has_samples) else {
            return Err(Flaw::Cut);
        };
        index.found()
    }
}

impl Index {
    fn read(content: &[u8], bounds: Bounds) -> Result<Index, Flaw> {
        let mut index = Index::default();
        let mut defaults = Vec::new();
        each_box(content, |kind, content| {
            match kind {
                b"mvhd" => {
                    let (timescale, duration) = times(content).ok_or(HEADER)?;
                    index.millis = millis(duration, timescale);
                }
                b"trak" => {
                    if index.tracks.len() == TRACKS_MAX {
                        return Err(Flaw::Unfit("too many tracks"));
                    }
                    index.tracks.push(Track::read(content, bounds)?);
                }
                b"mvex" => each_box(content, |kind, content| {
                    if kind == b"trex" {
                        defaults.extend(u32_be(content, 4).zip(u32_be(content, 12)));
                    }
                    Ok(())
                })?,
                b"cmov" => return Err(Flaw::Unfit("its index is compressed")),
                _ => {}
            }
            Ok(())
        })?;
        for (id, duration) in defaults {
            let tracks = index.tracks.iter_mut().filter(|track| track.id == id);
            tracks.for_each(|track| track.default_duration = duration);
        }
        Ok(index)
    }

    /// Adds what the tracks of a fragment play.
    fn fragment(&mut self, content: &[u8]) -> Result<(), Flaw> {
        each_box(content, |kind, content| {
            if kind != b"traf" {
                return Ok(());
            }
            let mut track = None;
            each_box(content, |kind, content| {
                match kind {
                    b"tfhd" => track = self.track_of(content),
                    b"trun" => {
                        let (at, default) = track.ok_or(HEADER)?;
                        let added = run(content, default).ok_or(Flaw::Damaged("a fragment"))?;
                        let track: &mut Track = &mut self.tracks[at];
                        track.fragments = track.fragments.saturating_add(added);
                    }
                    _ => {}
                }
                Ok(())
            })
        })
    }

    /// The track that a `tfhd` names, and how long its samples play that say nothing else.
    fn track_of(&self, header: &[u8]) -> Option<(usize, u32)> {
        let (flags, id) = (u32_be(header, 0)?, u32_be(header, 4)?);
        let at = self.tracks.iter().position(|track| track.id == id)?;
        // Before the duration stand an offset and a number of a description, if there are any.
        let before = 8 + 8 * usize::from(flags & 1 != 0) + 4 * usize::from(flags & 2 != 0);
        let own = if flags & 8 != 0 { u32_be(header, before) } else { None };
        Some((at, own.unwrap_or(self.tracks[at].default_duration)))
    }

    fn found(&self) -> Result<Found, Flaw> {
        let playing = self.tracks.iter().filter(|track| track.is_video || track.is_audio);
        let longest = playing.clone().map(Track::millis).max().ok_or(Flaw::Unfit("it plays nothing"))?;
        let millis = longest.max(self.millis);
        if millis == 0 {
            return Err(Flaw::Damaged("it does not say how long it plays"));
        }
        let pixels = playing.filter(|track| track.is_video).find_map(|track| track.pixels);
        Ok(Found { pixels, millis: Some(millis) })
    }
}

const HEADER: Flaw = Flaw::Damaged("its index");

impl Track {
    fn read(content: &[u8], bounds: Bounds) -> Result<Track, Flaw> {
        let mut track = Track::default();
        each_box(content, |kind, content| {
            match kind {
                b"tkhd" => {
                    track.id = u32_be(content, if is_long(content) { 20 } else { 12 }).ok_or(HEADER)?
                }
                b"mdia" => track.media(content, bounds)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(track)
    }

    fn media(&mut self, content: &[u8], bounds: Bounds) -> Result<(), Flaw> {
        // What a sample entry means depends on who handles it.
        each_box(content, |kind, content| {
            match kind {
                b"mdhd" => (self.timescale, self.announced) = times(content).ok_or(HEADER)?,
                b"hdlr" => match content.get(8..12) {
                    Some(b"vide") => self.is_video = true,
                    Some(b"soun") => self.is_audio = true,
                    _ => {}
                },
                _ => {}
            }
            Ok(())
        })?;
        each_box(
            content,
            |kind, content| if kind == b"minf" { self.information(content, bounds) } else { Ok(()) },
        )
    }

    fn information(&mut self, content: &[u8], bounds: Bounds) -> Result<(), Flaw> {
        each_box(content, |kind, content| match kind {
            b"dinf" => each_box(content, |kind, content| match kind {
                b"dref" => references(content),
                _ => Ok(()),
            }),
            b"stbl" => each_box(content, |kind, content| {
                match kind {
                    b"stsd" => self.description(content, bounds)?,
                    b"stts" => self.listed = listed(content).ok_or(HEADER)?,
                    b"stsz" | b"stz2" => self.samples = u32_be(content, 8).ok_or(HEADER)?.into(),
                    _ => {}
                }
                Ok(())
            }),
            _ => Ok(()),
        })
    }

    /// The first sample entry, behind version, flags and the number of entries.
    fn description(&mut self, content: &[u8], bounds: Bounds) -> Result<(), Flaw> {
        let entry = content.get(8..).ok_or(HEADER)?;
        let kind = entry.get(4..8).ok_or(HEADER)?;
        if self.is_video {
            let side = |at| u16_be(entry, at).map(u32::from).ok_or(HEADER);
            self.pixels = Some(bounds.check(side(32)?, side(34)?)?);
        }
        if self.is_audio && kind == b"mp4a" {
            self.rate = u16_be(entry, 32).unwrap_or_default().into();
        }
        Ok(())
    }

    fn millis(&self) -> u64 {
        let index = self.announced.max(self.listed).max(self.fragments);
        let frames = millis(self.samples.saturating_mul(AAC_FRAME), self.rate);
        millis(index, self.timescale).max(frames)
    }
}

/// Whether version 1 of a box, whose times have 64 bits.
fn is_long(content: &[u8]) -> bool {
    content.first() == Some(&1)
}

/// Timescale and duration of a `mvhd` or `mdhd`. A duration of all ones is not known.
fn times(content: &[u8]) -> Option<(u32, u64)> {
    let (timescale, duration) = if is_long(content) {
        (u32_be(content, 20)?, u64_be(content, 24).filter(|duration| *duration != u64::MAX).unwrap_or(0))
    } else {
        let duration = u32_be(content, 16)?;
        (u32_be(content, 12)?, if duration == u32::MAX { 0 } else { duration.into() })
    };
    Some((timescale, duration))
}

fn millis(duration: u64, timescale: u32) -> u64 {
    if timescale == 0 { 0 } else { duration.saturating_mul(1_000) / u64::from(timescale) }
}

/// The sum of a table of times: how many samples play how long each.
fn listed(content: &[u8]) -> Option<u64> {
    let count = usize::try_from(u32_be(content, 4)?).ok()?;
    let rows = content.get(8..8_usize.checked_add(count.checked_mul(8)?)?)?;
    let row = |row: &[u8]| Some(u64::from(u32_be(row, 0)?).saturating_mul(u32_be(row, 4)?.into()));
    rows.chunks_exact(8).try_fold(0_u64, |sum, bytes| Some(sum.saturating_add(row(bytes)?)))
}

/// How long a `trun` plays; each of its rows has the fields that its flags name.
fn run(content: &[u8], default: u32) -> Option<u64> {
    let (flags, count) = (u32_be(content, 0)? & 0x00ff_ffff, u32_be(content, 4)?);
    let start = 8 + 4 * (usize::from(flags & 1 != 0) + usize::from(flags & 4 != 0));
    if flags & 0x100 == 0 {
        return Some(u64::from(count).saturating_mul(default.into()));
    }
    let fields = [0x100, 0x200, 0x400, 0x800].iter().filter(|flag| flags & **flag != 0).count();
    let length = usize::try_from(count).ok()?.checked_mul(4 * fields)?;
    let rows = content.get(start..start.checked_add(length)?)?;
    rows.chunks_exact(4 * fields).try_fold(0_u64, |sum, row| Some(sum.saturating_add(u32_be(row, 0)?.into())))
}

/// Where the samples are: in this very file (flag 1 of an entry), or we don't take it. A reader would open the other one.
fn references(content: &[u8]) -> Result<(), Flaw> {
    each_box(content.get(8..).ok_or(HEADER)?, |_, entry| match u32_be(entry, 0) {
        Some(flags) if flags & 1 == 1 => Ok(()),
        _ => Err(Flaw::Unfit("it points to another file")),
    })
}

/// Calls with kind and content of each box.
fn each_box(mut bytes: &[u8], mut take: impl FnMut(&[u8; 4], &[u8]) -> Result<(), Flaw>) -> Result<(), Flaw> {
    while let (Some(length), Some(kind)) = (u32_be(bytes, 0), bytes.get(4..8)) {
        let kind: &[u8; 4] = kind.try_into().map_err(|_| HEADER)?;
        let (length, head) = match length {
            0 => (bytes.len() as u64, HEAD),
            1 => (u64_be(bytes, 8).ok_or(HEADER)?, 16),
            length => (length.into(), HEAD),
        };
        let length = usize::try_from(length).ok().filter(|length| (head..=bytes.len()).contains(length));
        let (this, rest) = bytes.split_at(length.ok_or(HEADER)?);
        take(kind, &this[head..])?;
        bytes = rest;
    }
    Ok(())
}
