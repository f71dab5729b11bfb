//! Text that people type: one rule for names, prompts and notes of whether anything was written at all.

use crate::is_blank;

/// What [`is_blank`] calls blank, below U+10000, as the inside of a character class of a JSON schema.
pub const BLANK_CLASS: &str = concat!(
    r"\u0000-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f",
    r"\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
);

/// What [`typed`] lets through, for a JSON schema: no NUL, and one character at least that shows.
pub fn typed_pattern() -> String {
    format!(r"^[^\u0000]*[^{BLANK_CLASS}][^\u0000]*$")
}

/// The text without the blanks around it. `None` when nothing of it would show, when it holds a NUL, which databases
/// and providers cut texts at, or when it has more than `chars_max` characters.
pub fn typed(text: &str, chars_max: usize) -> Option<&str> {
    let fits = !is_blank(text) && !text.contains('\0') && text.chars().count() <= chars_max;
    fits.then(|| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_show_is_empty() {
        for blank in [
            "",
            " ",
            "\0",
            "\u{200b}",
            "\n\t\r",
            "\u{feff}",
            "\u{ad}\u{2060}",
            "\u{3000}",
            "\u{2800}",
            "\u{3164}",
            "\u{200d}\u{fe0f}",
            "\u{e0041}",
            "\u{7f}",
            "\u{85}",
            "\u{202e}",
        ] {
            assert!(is_blank(blank) && typed(blank, 100).is_none(), "{blank:?}");
        }
        for written in ["a", " a ", "\u{200b}a", "李", "ก็", "👨\u{200d}👩", ".", "\u{fffd}"] {
            assert_eq!(typed(written, 100), Some(written.trim()), "{written:?}");
        }
    }

    #[test]
    fn a_typed_text_holds_no_nul_and_ends_somewhere() {
        assert_eq!(typed("a\0b", 100), None);
        assert_eq!(typed("ééé", 3), Some("ééé"));
        assert_eq!(typed("éééé", 3), None);
        assert_eq!(typed("ééé ", 3), None, "blanks count before they are cut");
    }

    #[test]
    fn the_class_of_the_schema_says_the_same() {
        let code = |text: &str| u32::from_str_radix(text, 16).unwrap();
        let mut listed = Vec::new();
        let mut rest = BLANK_CLASS;
        while let Some(after) = rest.strip_prefix(r"\u") {
            let first = code(&after[..4]);
            let (last, next) = match after[4..].strip_prefix(r"-\u") {
                Some(more) => (code(&more[..4]), &more[4..]),
                None => (first, &after[4..]),
            };
            listed.extend(first..=last);
            rest = next;
        }
        assert_eq!(rest, "");
        for point in (0..0x1_0000).filter_map(char::from_u32) {
            assert_eq!(listed.contains(&u32::from(point)), is_blank(&point.to_string()), "{point:?}");
        }
    }
}
