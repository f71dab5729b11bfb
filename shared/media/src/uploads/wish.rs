//! What a person wants to upload, checked at the door.

use super::upload::Announced;
use crate::{FileFamily, MediaRules};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A file that may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadWish {
    pub(crate) kind: FileFamily,
    pub(crate) announced: Announced,
}

/// One thing that is wrong with a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadFault {
    /// The kind is none of those that are uploaded.
    Kind,
    /// The type is none of those of its kind.
    ContentType(FileFamily),
    /// It has no bytes, or more than a file of its kind may have.
    Bytes {
        /// So many it may have.
        max: u64,
    },
    /// The hash is not 32 bytes in hexadecimal or in URL-safe base64.
    Sha256,
}

/// What browsers and systems call the types that we take.
const CONTENT_TYPES: [(FileFamily, &[&str]); 3] = [
    (FileFamily::Image, &["image/jpeg", "image/png", "image/webp"]),
    (
        FileFamily::Audio,
        &[
            "audio/flac",
            "audio/m4a",
            "audio/mp3",
            "audio/mp4",
            "audio/mpeg",
            "audio/ogg",
            "audio/vnd.wave",
            "audio/wav",
            "audio/wave",
            "audio/webm",
            "audio/x-flac",
            "audio/x-m4a",
            "audio/x-wav",
        ],
    ),
    (FileFamily::Video, &["video/mp4", "video/quicktime", "video/webm"]),
];

impl UploadWish {
    /// The kinds that can be uploaded.
    pub fn kinds() -> impl Iterator<Item = FileFamily> {
        CONTENT_TYPES.into_iter().map(|(kind, _)| kind)
    }

    /// What a file of the kind may be called.
    pub fn content_types(kind: FileFamily) -> &'static [&'static str] {
        CONTENT_TYPES.into_iter().find(|(known, _)| *known == kind).map_or(&[], |(_, types)| types)
    }

    /// Every fault of the wish at once.
    pub fn parse(
        kind: &str,
        content_type: &str,
        bytes: u64,
        sha256: &str,
        rules: &MediaRules,
    ) -> Result<UploadWish, Vec<UploadFault>> {
        let Some(kind) = UploadWish::kinds().find(|known| known.as_str() == kind) else {
            return Err(vec![UploadFault::Kind]);
        };
        // What follows a semicolon (`audio/webm;codecs=opus`) says nothing to us.
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let max = rules.upload_bytes_max(kind).unwrap_or_default();
        let hash = read_sha256(sha256);
        let faults = [
            (!UploadWish::content_types(kind).contains(&content_type.as_str()))
                .then_some(UploadFault::ContentType(kind)),
            (!(1..=max).contains(&bytes)).then_some(UploadFault::Bytes { max }),
            hash.is_none().then_some(UploadFault::Sha256),
        ];
        let faults: Vec<UploadFault> = faults.into_iter().flatten().collect();
        match hash {
            Some(sha256) if faults.is_empty() => {
                Ok(UploadWish { kind, announced: Announced { content_type, bytes, sha256 } })
            }
            _ => Err(faults),
        }
    }
}

/// 64 hexadecimal digits, as tools print it, or 43 characters of URL-safe base64, as our answers show it.
fn read_sha256(text: &str) -> Option<[u8; 32]> {
    if text.len() == 43 {
        return URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok();
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> = pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect();
    bytes.filter(|_| text.len() == 64)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::super::upload::tests::rules;
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_wish_is_taken_or_all_its_faults_are_told() {
        let parse = |kind, content_type, bytes| UploadWish::parse(kind, content_type, bytes, HEX, &rules());
        let wish = parse("audio", "Audio/WebM; codecs=opus", 600).unwrap();
        assert_eq!((wish.kind, wish.announced.content_type.as_str()), (FileFamily::Audio, "audio/webm"));
        for (kind, content_type, bytes, faults) in [
            ("text", "text/plain", 1, vec![UploadFault::Kind]),
            ("image", "image/svg+xml", 1, vec![UploadFault::ContentType(FileFamily::Image)]),
            ("image", "video/mp4", 1, vec![UploadFault::ContentType(FileFamily::Image)]),
            ("image", "image/png", 501, vec![UploadFault::Bytes { max: 500 }]),
            ("video", "video/mp4", 0, vec![UploadFault::Bytes { max: 700 }]),
            (
                "video",
                "",
                701,
                vec![UploadFault::ContentType(FileFamily::Video), UploadFault::Bytes { max: 700 }],
            ),
        ] {
            assert_eq!(
                parse(kind, content_type, bytes).unwrap_err(),
                faults,
                "{kind} {content_type} {bytes}"
            );
        }
    }

    #[test]
    fn a_hash_is_read_as_tools_and_as_answers_write_it() {
        let hash = read_sha256(HEX).unwrap();
        assert_eq!(hash, *ring::digest::digest(&ring::digest::SHA256, b"").as_ref());
        assert_eq!(read_sha256(&HEX.to_uppercase()), Some(hash));
        assert_eq!(read_sha256(&URL_SAFE_NO_PAD.encode(hash)), Some(hash));
        for wrong in
            ["", &HEX[1..], &format!("{HEX}0"), &HEX.replace('e', "g"), &"é".repeat(32), &"!".repeat(43)]
        {
            assert_eq!(read_sha256(wrong), None, "{wrong}");
        }
    }
}
