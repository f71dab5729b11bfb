use primitives::{BLANK_CLASS, Private, is_blank};
use serde::Deserialize;

const CHARS_MAX: usize = 80;

/// A name as others may see it: 1 to 80 characters, none of which hides or turns the text around it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DisplayName(Private<String>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 80 characters, without control or direction characters")]
pub struct InvalidName;

impl DisplayName {
    pub const CHARS_MAX: usize = CHARS_MAX;

    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The same rule for a JSON schema.
    pub fn pattern() -> String {
        const HIDDEN: &str =
            r"\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff";
        format!("^[^{HIDDEN}]*[^{BLANK_CLASS}][^{HIDDEN}]*$")
    }

    /// A name from elsewhere, with what we don't show left out.
    pub(crate) fn cleaned(text: &str) -> Option<DisplayName> {
        let kept: String = text.chars().filter(|c| !is_hidden(*c)).take(CHARS_MAX).collect();
        DisplayName::try_from(kept).ok()
    }
}

impl TryFrom<String> for DisplayName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<DisplayName, InvalidName> {
        let is_plain = !text.chars().any(is_hidden);
        if is_blank(&text) || text.chars().count() > CHARS_MAX || !is_plain {
            return Err(InvalidName);
        }
        Ok(DisplayName(Private::new(text.trim().to_owned())))
    }
}

/// Control characters, Unicode's direction marks, line separators and invisible spaces. Joiners stay:
/// many scripts need them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_deceive_are_refused() {
        let long = "x".repeat(81);
        for bad in [
            "",
            "   ",
            "a\u{0}b",
            "a\nb",
            "a\u{202e}b",
            "a\u{2066}b",
            "\u{200b}",
            "\u{2800}",
            "\n",
            long.as_str(),
        ] {
            assert_eq!(DisplayName::try_from(bad.to_owned()), Err(InvalidName), "{bad:?}");
        }
        for good in ["Ann", "  Nguyễn Văn A ", "李", "O'Neil-Smith", "ก็"] {
            assert_eq!(DisplayName::try_from(good.to_owned()).unwrap().expose(), good.trim());
        }
    }

    #[test]
    fn a_foreign_name_is_cleaned_instead() {
        assert_eq!(DisplayName::cleaned("A\u{202e}nn").unwrap().expose(), "Ann");
        assert_eq!(DisplayName::cleaned(&"x".repeat(200)).unwrap().expose().len(), 80);
        assert_eq!(DisplayName::cleaned("\u{200b}"), None);
    }
}
