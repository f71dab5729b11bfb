use std::fmt;

/// A file a provider made, already downloaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Artifact {
    pub bytes: Vec<u8>,
    pub media_type: MediaType,
    /// Width and height, where the file says them in its first bytes (PNG).
    pub size: Option<(u32, u32)>,
}

/// What a file is, judged by its first bytes: headers and names are only claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    Png,
    Jpeg,
    Webp,
}

impl Artifact {
    /// `None` when the bytes are no image of a known type.
    pub(crate) fn of(bytes: Vec<u8>) -> Option<Artifact> {
        let media_type = MediaType::of(&bytes)?;
        let size = (media_type == MediaType::Png).then(|| png_size(&bytes)).flatten();
        Some(Artifact { bytes, media_type, size })
    }
}

impl MediaType {
    fn of(bytes: &[u8]) -> Option<MediaType> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(MediaType::Png),
            [0xff, 0xd8, 0xff, ..] => Some(MediaType::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(MediaType::Webp),
            _ => None,
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

/// The IHDR chunk always comes first in a PNG.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let side = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    Some((side(16)?, side(20)?))
}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Artifact({}, {} bytes)", self.media_type.as_str(), self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        let table: [(&[u8], Option<MediaType>); 6] = [
            (b"\x89PNG\r\n\x1a\n....IHDR\0\0\0\x02\0\0\0\x03", Some(MediaType::Png)),
            (b"\xff\xd8\xff\xe0 jpeg", Some(MediaType::Jpeg)),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some(MediaType::Webp)),
            (b"RIFF\x10\0\0\0WAVEfmt ", None),
            (b"<!doctype html>", None),
            (b"", None),
        ];
        for (bytes, media_type) in table {
            assert_eq!(Artifact::of(bytes.to_vec()).map(|a| a.media_type), media_type);
        }
        let png = Artifact::of(table[0].0.to_vec()).unwrap();
        assert_eq!(png.size, Some((2, 3)));
        assert_eq!(Artifact::of(table[0].0[..12].to_vec()).unwrap().size, None);
    }

    #[test]
    fn an_artifact_prints_without_its_bytes() {
        let artifact = Artifact::of(b"\xff\xd8\xffsecret".to_vec()).unwrap();
        assert_eq!(format!("{artifact:?}"), "Artifact(image/jpeg, 9 bytes)");
    }
}
