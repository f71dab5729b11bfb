use serde::{Deserialize, Serialize};

/// What a file is, judged by its bytes: names and headers are only claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileType {
    /// UTF-8.
    Text,
    /// A picture without losses (ISO/IEC 15948).
    Png,
    /// A picture with losses (ISO/IEC 10918).
    Jpeg,
    /// A picture of either kind (RFC 9649).
    Webp,
    /// A picture of few colours that may move.
    Gif,
    /// ISO base media with a picture (ISO/IEC 14496-12).
    Mp4,
    /// The same in Apple's brand, `qt  `.
    Mov,
    /// Matroska's subset for browsers, with a picture.
    Webm,
    /// RIFF with PCM samples.
    Wav,
    /// MPEG audio, layer III.
    Mp3,
    /// ISO base media without a picture.
    M4a,
    /// Opus, Vorbis or FLAC in Ogg pages (RFC 3533).
    Ogg,
    /// Sound without losses (RFC 9639).
    Flac,
    /// WebM without a picture.
    Weba,
    /// RFC 8259.
    Json,
    /// RFC 4180.
    Csv,
    /// SubRip.
    Srt,
    /// WebVTT.
    Vtt,
}

/// What a person does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFamily {
    /// Reads it.
    Text,
    /// Looks at it.
    Image,
    /// Watches it.
    Video,
    /// Hears it.
    Audio,
    /// Opens it in a spreadsheet or a program: CSV or JSON.
    Table,
    /// Shows it with a video: SRT or VTT.
    Subtitles,
}

impl FileType {
    /// What HTTP calls it (RFC 9110, `Content-Type`).
    pub fn media_type(self) -> &'static str {
        match self {
            FileType::Text => PLAIN_TEXT,
            FileType::Png => "image/png",
            FileType::Jpeg => "image/jpeg",
            FileType::Webp => "image/webp",
            FileType::Gif => "image/gif",
            FileType::Mp4 => "video/mp4",
            FileType::Mov => "video/quicktime",
            FileType::Webm => "video/webm",
            FileType::Wav => "audio/wav",
            FileType::Mp3 => "audio/mpeg",
            FileType::M4a => "audio/mp4",
            FileType::Ogg => "audio/ogg",
            FileType::Flac => "audio/flac",
            FileType::Weba => "audio/webm",
            FileType::Json => "application/json",
            FileType::Csv => "text/csv; charset=utf-8",
            FileType::Srt => "application/x-subrip; charset=utf-8",
            FileType::Vtt => "text/vtt; charset=utf-8",
        }
    }

    /// What a browser is told that shows the file in a tab: nothing that could run there. What is text is plain text.
    pub fn shown_as(self) -> &'static str {
        match self.family() {
            FileFamily::Image | FileFamily::Video | FileFamily::Audio => self.media_type(),
            FileFamily::Text | FileFamily::Table | FileFamily::Subtitles => PLAIN_TEXT,
        }
    }

    /// How a saved file's name ends, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            FileType::Text => "txt",
            FileType::Png => "png",
            FileType::Jpeg => "jpg",
            FileType::Webp => "webp",
            FileType::Gif => "gif",
            FileType::Mp4 => "mp4",
            FileType::Mov => "mov",
            FileType::Webm => "webm",
            FileType::Wav => "wav",
            FileType::Mp3 => "mp3",
            FileType::M4a => "m4a",
            FileType::Ogg => "ogg",
            FileType::Flac => "flac",
            FileType::Weba => "weba",
            FileType::Json => "json",
            FileType::Csv => "csv",
            FileType::Srt => "srt",
            FileType::Vtt => "vtt",
        }
    }

    /// What a person does with it.
    pub fn family(self) -> FileFamily {
        match self {
            FileType::Text => FileFamily::Text,
            FileType::Png | FileType::Jpeg | FileType::Webp | FileType::Gif => FileFamily::Image,
            FileType::Mp4 | FileType::Mov | FileType::Webm => FileFamily::Video,
            FileType::Wav
            | FileType::Mp3
            | FileType::M4a
            | FileType::Ogg
            | FileType::Flac
            | FileType::Weba => FileFamily::Audio,
            FileType::Json | FileType::Csv => FileFamily::Table,
            FileType::Srt | FileType::Vtt => FileFamily::Subtitles,
        }
    }

    /// The type of the same container when it turns out to hold no picture.
    pub(crate) fn without_picture(self) -> FileType {
        match self {
            FileType::Mp4 | FileType::Mov => FileType::M4a,
            FileType::Webm => FileType::Weba,
            other => other,
        }
    }
}

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

impl FileFamily {
    /// Its name, as answers and requests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            FileFamily::Text => "text",
            FileFamily::Image => "image",
            FileFamily::Video => "video",
            FileFamily::Audio => "audio",
            FileFamily::Table => "table",
            FileFamily::Subtitles => "subtitles",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [FileType; 18] = [
        FileType::Text,
        FileType::Png,
        FileType::Jpeg,
        FileType::Webp,
        FileType::Gif,
        FileType::Mp4,
        FileType::Mov,
        FileType::Webm,
        FileType::Wav,
        FileType::Mp3,
        FileType::M4a,
        FileType::Ogg,
        FileType::Flac,
        FileType::Weba,
        FileType::Json,
        FileType::Csv,
        FileType::Srt,
        FileType::Vtt,
    ];

    #[test]
    fn nothing_is_shown_in_a_tab_that_a_browser_would_run() {
        for file_type in ALL {
            let shown = file_type.shown_as();
            let is_harmless = ["image/png", "image/jpeg", "image/webp", "image/gif", PLAIN_TEXT];
            let is_harmless =
                is_harmless.contains(&shown) || shown.starts_with("video/") || shown.starts_with("audio/");
            assert!(is_harmless, "{file_type:?} is shown as {shown}");
        }
    }

    #[test]
    fn no_two_types_end_alike() {
        let mut ends: Vec<&str> = ALL.iter().map(|file_type| file_type.extension()).collect();
        ends.sort_unstable();
        ends.dedup();
        assert_eq!(ends.len(), ALL.len());
    }
}
