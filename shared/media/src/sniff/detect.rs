//! What a file is by its first bytes (WHATWG, "MIME Sniffing", and each format's own specification).

use super::{mp3, text, webp};
use crate::{FileFamily, FileType};

/// So many bytes tell the type of every file that has as many.
pub const HEAD: usize = 64;

/// `None`: no type that we know. Texts have no signature: which of them it is depends on what is expected.
pub(super) fn detect(head: &[u8], expected: FileFamily) -> Option<FileType> {
    by_signature(head).or_else(|| text::detect(head, expected))
}

fn by_signature(head: &[u8]) -> Option<FileType> {
    match head {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(FileType::Png),
        [0xff, 0xd8, 0xff, ..] => Some(FileType::Jpeg),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(FileType::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some(FileType::Wav),
        head if webp::is_signed(head) => Some(FileType::Webp),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => Some(iso_media(brand)),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(FileType::Webm),
        [b'O', b'g', b'g', b'S', ..] => Some(FileType::Ogg),
        [b'f', b'L', b'a', b'C', ..] => Some(FileType::Flac),
        head if mp3::is_signed(head) => Some(FileType::Mp3),
        _ => None,
    }
}

/// The major brand (ISO/IEC 14496-12, "ftyp"; Apple's brands at mp4ra.org).
fn iso_media(brand: &[u8]) -> FileType {
    match brand {
        [b'q', b't', b' ', b' ', ..] => FileType::Mov,
        [b'M', b'4', b'A' | b'B' | b'P', b' ', ..] => FileType::M4a,
        _ => FileType::Mp4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FileFamily::{Image, Subtitles, Table, Text};

    #[test]
    fn each_signature_names_its_type_and_none_names_another() {
        for (head, expected) in [
            (&b"\x89PNG\r\n\x1a\n0000"[..], FileType::Png),
            (b"\xff\xd8\xff\xe0", FileType::Jpeg),
            (b"GIF89a....", FileType::Gif),
            (b"RIFF....WAVEfmt ", FileType::Wav),
            (b"RIFF....WEBPVP8 ", FileType::Webp),
            (b"\0\0\0\x20ftypisom", FileType::Mp4),
            (b"\0\0\0\x14ftypqt  ", FileType::Mov),
            (b"\0\0\0\x14ftypM4A ", FileType::M4a),
            (b"\x1a\x45\xdf\xa3", FileType::Webm),
            (b"OggS\0", FileType::Ogg),
            (b"fLaC\0", FileType::Flac),
            (b"ID3\x04\0\0\0\0\0\0", FileType::Mp3),
            (b"\xff\xfb\x90\x64\0\0", FileType::Mp3),
        ] {
            assert_eq!(by_signature(head), Some(expected), "{head:?}");
        }
        // Files that are none of these, although they share a beginning with one.
        for head in [
            &b"RIFF....AVI LIST"[..],
            b"\xff\xf1\x50\x80",
            b"%PDF-1.7",
            b"PK\x03\x04",
            b"<svg xmlns=",
            b"\x89PNG",
            b"",
            b"#EXTM3U",
        ] {
            assert_eq!(by_signature(head), None, "{head:?}");
        }
    }

    #[test]
    fn which_text_it_is_depends_on_what_is_expected() {
        for (head, family, expected) in [
            (&b"a red kite"[..], Text, Some(FileType::Text)),
            (b"name,age\nAnn,41\n", Table, Some(FileType::Csv)),
            (b"  [{\"name\": \"Ann\"}]", Table, Some(FileType::Json)),
            (b"WEBVTT\n\n00:00.000 --> 00:01.000\nhi", Subtitles, Some(FileType::Vtt)),
            (b"1\r\n00:00:00,000 --> 00:00:01,000\r\nhi", Subtitles, Some(FileType::Srt)),
            (b"no times here", Subtitles, None),
            (b"<svg xmlns=\"http://www.w3.org/2000/svg\">", Image, None),
            (b"a\0b", Text, None),
            (b"\xff\xfe\x00", Text, None),
            (b"", Text, None),
        ] {
            assert_eq!(detect(head, family), expected, "{head:?}");
        }
        // A letter that is cut in the middle at the end of the head is no damage.
        assert_eq!(detect("hé".as_bytes().split_at(2).0, Text), Some(FileType::Text));
    }
}
