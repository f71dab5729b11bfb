use super::{cut, languages};
use crate::settings::ProviderSettings;
use platform::{InvalidSettings, Platform};

/// Which recordings this deployment can have transcribed: the caller refuses others before any credit is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hearable {
    file_bytes_max: u64,
    link_bytes_max: u64,
}

impl Hearable {
    /// Reads this deployment's settings. It sends no request to Groq.
    pub fn new(platform: &Platform) -> Result<Hearable, InvalidSettings> {
        let groq = platform.env().section(|settings| ProviderSettings::read(settings).groq)?;
        Ok(Hearable::within(groq.file_bytes_max, groq.link_bytes_max))
    }

    /// What is sent at once has `file_bytes_max` bytes at most, what is handed over as a link `link_bytes_max`.
    pub(crate) fn within(file_bytes_max: u64, link_bytes_max: u64) -> Hearable {
        Hearable { file_bytes_max, link_bytes_max }
    }

    /// Whether a file of `bytes` bytes whose name ends with `extension` (without the dot, small letters) can be
    /// transcribed: its format is known, and it is short enough or of a format that can be cut without decoding it.
    pub fn takes(&self, extension: &str, bytes: u64) -> bool {
        let is_whole = self.fits(bytes) || self.goes_by_link(bytes);
        ending(extension).is_some_and(|ending| bytes > 0 && (is_whole || cut::can_cut(ending)))
    }

    /// Whether a language can be asked for, by its code in ISO 639-1 (or 639-3 where there is none).
    pub fn knows(language: &str) -> bool {
        languages::is_known(language)
    }

    pub(super) fn fits(&self, bytes: u64) -> bool {
        bytes <= self.file_bytes_max
    }

    pub(super) fn goes_by_link(&self, bytes: u64) -> bool {
        bytes <= self.link_bytes_max
    }

    pub(super) fn file_bytes_max(&self) -> u64 {
        self.file_bytes_max
    }
}

/// How Groq wants such a file's name to end: it decides by that, not by the content type.
pub(super) fn ending(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "flac" => "flac",
        "m4a" => "m4a",
        "mp3" => "mp3",
        "mp4" => "mp4",
        "ogg" | "oga" => "ogg",
        "opus" => "opus",
        "wav" => "wav",
        "webm" | "weba" => "webm",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_can_be_heard_when_its_format_is_known_and_it_is_short_or_can_be_cut() {
        let free = Hearable::within(25_000_000, 0);
        let table = [
            ("wav", 25_000_000, true),
            ("wav", 25_000_001, true),
            ("mp3", 900_000_000, true),
            ("flac", 900_000_000, true),
            ("ogg", 900_000_000, true),
            ("m4a", 25_000_000, true),
            ("m4a", 25_000_001, false),
            ("weba", 1_000, true),
            ("weba", 25_000_001, false),
            ("mp4", 25_000_001, false),
            ("mov", 1_000, false),
            ("png", 1_000, false),
            ("", 1_000, false),
            ("wav", 0, false),
        ];
        for (extension, bytes, is_taken) in table {
            assert_eq!(free.takes(extension, bytes), is_taken, "{extension} {bytes}");
        }
        let paid = Hearable::within(25_000_000, 100_000_000);
        assert!(paid.takes("m4a", 100_000_000) && !paid.takes("m4a", 100_000_001));
        assert!(Hearable::knows("vi") && Hearable::knows("yue") && !Hearable::knows("xx"));
    }
}
