mod jpeg;
mod png;
mod webp;

#[cfg(test)]
pub(crate) use png::chunk as png_chunk;

use std::fmt;

/// A file a provider made, already downloaded: a whole image, as far as that can be seen without its pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Artifact {
    pub bytes: Vec<u8>,
    pub media_type: MediaType,
    /// Width and height in pixels.
    pub size: (u32, u32),
}

/// What a file is, judged by its bytes: headers and names are only claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    Png,
    Jpeg,
    Webp,
}

/// What the look at a whole image found.
struct Sound {
    size: (u32, u32),
    /// Where the image ends: what a file holds behind that is not sold.
    len: usize,
}

/// Larger than any image we ask for, and small enough to be decompressed without noticing.
const SIDE_MAX: u32 = 16_384;
const PIXELS_MAX: u64 = 64 * 1024 * 1024;

fn is_plausible(width: u32, height: u32) -> bool {
    let sides = 1..=SIDE_MAX;
    sides.contains(&width) && sides.contains(&height) && u64::from(width) * u64::from(height) <= PIXELS_MAX
}

impl Artifact {
    /// `None` when the bytes are no whole image of a known type. Only what can be shown is sold, so it is looked at as
    /// a decoder would: a PNG is decompressed row by row, the other two are walked to their end.
    pub(crate) fn of(mut bytes: Vec<u8>) -> Option<Artifact> {
        let media_type = MediaType::of(&bytes)?;
        let sound = match media_type {
            MediaType::Png => png::check(&bytes),
            MediaType::Jpeg => jpeg::check(&bytes),
            MediaType::Webp => webp::check(&bytes),
        }?;
        bytes.truncate(sound.len);
        Some(Artifact { bytes, media_type, size: sound.size })
    }
}

impl MediaType {
    fn of(bytes: &[u8]) -> Option<MediaType> {
        if bytes.starts_with(png::SIGNATURE) {
            Some(MediaType::Png)
        } else if bytes.starts_with(jpeg::SIGNATURE) {
            Some(MediaType::Jpeg)
        } else if webp::is_signed(bytes) {
            Some(MediaType::Webp)
        } else {
            None
        }
    }

    /// As in a `content-type` header.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaType::Png => "image/png",
            MediaType::Jpeg => "image/jpeg",
            MediaType::Webp => "image/webp",
        }
    }

    /// The usual end of a file's name, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            MediaType::Png => "png",
            MediaType::Jpeg => "jpg",
            MediaType::Webp => "webp",
        }
    }
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Artifact({}, {} bytes)", self.media_type.as_str(), self.bytes.len())
    }
}
