//! The voices and languages that the product offers, and who speaks them.

/// A voice of ours, which needs no recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoiceSpec {
    /// As requests name it; small letters and `_`.
    pub name: &'static str,
    pub title_en: &'static str,
    pub title_vi: &'static str,
    /// What OmniVoice calls it: attributes of its voice design, without an accent, which only English knows.
    pub(crate) omnivoice: &'static str,
    /// A designed voice is another one each time; with the same seed it stays the same person.
    pub(crate) seed: u32,
}

/// A language that texts are spoken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LanguageSpec {
    /// ISO 639-1, as requests name it.
    pub code: &'static str,
    pub title_en: &'static str,
    pub title_vi: &'static str,
    /// XTTS-v2 speaks it. Vietnamese it does not; a fork of it does.
    pub spoken_by_xtts: bool,
    /// OmniVoice's own id, which is not always ISO 639-1: one it does not know is passed over, and it guesses.
    pub(crate) omnivoice: &'static str,
}

/// In the order they are offered; the first one is the default.
pub const VOICES: &[VoiceSpec] = &[
    voice("woman_young", "Young woman", "Nữ trẻ", "female, young adult, moderate pitch", 1_101),
    voice(
        "woman_bright",
        "Bright young woman",
        "Nữ trẻ, giọng cao",
        "female, young adult, high pitch",
        1_102,
    ),
    voice("woman_mature", "Mature woman", "Nữ trung niên", "female, middle-aged, moderate pitch", 1_103),
    voice("man_young", "Young man", "Nam trẻ", "male, young adult, moderate pitch", 1_104),
    voice("man_deep", "Deep-voiced man", "Nam, giọng trầm", "male, middle-aged, low pitch", 1_105),
    voice("man_elderly", "Elderly man", "Nam cao tuổi", "male, elderly, moderate pitch", 1_106),
];

/// In the order they are offered. Those that XTTS does not speak are the ones OmniVoice heard for more than a hundred hours
/// while it learned (`docs/facts/providers.md`, "omnivoice-server").
pub const LANGUAGES: &[LanguageSpec] = &[
    by_omnivoice("vi", "Vietnamese", "Tiếng Việt"),
    by_both("en", "English", "Tiếng Anh"),
    LanguageSpec { omnivoice: "arb", ..by_both("ar", "Arabic", "Tiếng Ả Rập") },
    by_omnivoice("bn", "Bengali", "Tiếng Bengal"),
    by_omnivoice("bg", "Bulgarian", "Tiếng Bulgaria"),
    by_omnivoice("ca", "Catalan", "Tiếng Catalan"),
    by_both("zh", "Chinese", "Tiếng Trung"),
    by_omnivoice("hr", "Croatian", "Tiếng Croatia"),
    by_both("cs", "Czech", "Tiếng Séc"),
    by_omnivoice("da", "Danish", "Tiếng Đan Mạch"),
    by_both("nl", "Dutch", "Tiếng Hà Lan"),
    by_omnivoice("fi", "Finnish", "Tiếng Phần Lan"),
    by_both("fr", "French", "Tiếng Pháp"),
    by_both("de", "German", "Tiếng Đức"),
    by_omnivoice("el", "Greek", "Tiếng Hy Lạp"),
    by_both("hi", "Hindi", "Tiếng Hindi"),
    by_both("hu", "Hungarian", "Tiếng Hungary"),
    by_omnivoice("id", "Indonesian", "Tiếng Indonesia"),
    by_both("it", "Italian", "Tiếng Ý"),
    by_omnivoice("ja", "Japanese", "Tiếng Nhật"),
    by_both("ko", "Korean", "Tiếng Hàn"),
    by_omnivoice("no", "Norwegian", "Tiếng Na Uy"),
    by_omnivoice("fa", "Persian", "Tiếng Ba Tư"),
    by_both("pl", "Polish", "Tiếng Ba Lan"),
    by_both("pt", "Portuguese", "Tiếng Bồ Đào Nha"),
    by_both("ru", "Russian", "Tiếng Nga"),
    by_omnivoice("sk", "Slovak", "Tiếng Slovak"),
    by_both("es", "Spanish", "Tiếng Tây Ban Nha"),
    by_omnivoice("sv", "Swedish", "Tiếng Thụy Điển"),
    by_omnivoice("ta", "Tamil", "Tiếng Tamil"),
    by_omnivoice("te", "Telugu", "Tiếng Telugu"),
    by_omnivoice("th", "Thai", "Tiếng Thái"),
    by_both("tr", "Turkish", "Tiếng Thổ Nhĩ Kỳ"),
    by_omnivoice("uk", "Ukrainian", "Tiếng Ukraina"),
    by_omnivoice("ur", "Urdu", "Tiếng Urdu"),
];

/// The language with this code, if the product offers it.
pub(crate) fn language(code: &str) -> Option<&'static LanguageSpec> {
    LANGUAGES.iter().find(|language| language.code == code)
}

/// The voice with this name, if the product offers it.
pub(crate) fn named(name: &str) -> Option<&'static VoiceSpec> {
    VOICES.iter().find(|voice| voice.name == name)
}

const fn voice(
    name: &'static str,
    title_en: &'static str,
    title_vi: &'static str,
    omnivoice: &'static str,
    seed: u32,
) -> VoiceSpec {
    VoiceSpec { name, title_en, title_vi, omnivoice, seed }
}

const fn by_both(code: &'static str, title_en: &'static str, title_vi: &'static str) -> LanguageSpec {
    LanguageSpec { code, title_en, title_vi, spoken_by_xtts: true, omnivoice: code }
}

const fn by_omnivoice(code: &'static str, title_en: &'static str, title_vi: &'static str) -> LanguageSpec {
    LanguageSpec { spoken_by_xtts: false, ..by_both(code, title_en, title_vi) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn voices_and_languages_have_names_of_their_own() {
        let names: HashSet<_> = VOICES.iter().map(|voice| voice.name).collect();
        let seeds: HashSet<_> = VOICES.iter().map(|voice| voice.seed).collect();
        assert_eq!((names.len(), seeds.len()), (VOICES.len(), VOICES.len()));
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        let codes: HashSet<_> = LANGUAGES.iter().map(|language| language.code).collect();
        assert_eq!(codes.len(), LANGUAGES.len());
        assert!(
            codes.iter().all(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase()))
        );
    }

    /// docs/facts/providers.md, "Replicate".
    #[test]
    fn xtts_speaks_sixteen_languages_and_no_vietnamese() {
        let spoken = LANGUAGES.iter().filter(|language| language.spoken_by_xtts);
        let mut codes: Vec<_> = spoken.map(|language| language.code).collect();
        codes.sort_unstable();
        let listed = "ar cs de en es fr hi hu it ko nl pl pt ru tr zh";
        assert_eq!(codes.join(" "), listed);
        assert_eq!(language("vi").unwrap().omnivoice, "vi");
    }
}
