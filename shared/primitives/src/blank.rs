/// Whether a text shows nothing: blanks, line ends, control characters, and characters without a shape such as
/// U+200B (zero width space) or U+00AD (soft hyphen). The empty text is blank.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(shows_nothing)
}

/// White space, controls, Unicode's `Default_Ignorable_Code_Point` (DerivedCoreProperties.txt, Unicode 16), and the
/// empty Braille pattern.
fn shows_nothing(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fff8}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_a_visible_character_is_blank() {
        for text in [
            "",
            " \t\r\n",
            "\0",
            "\u{a0}\u{2003}\u{3000}\u{85}\u{2028}",
            "\u{200b}\u{200d}\u{feff}\u{2060}",
            "\u{ad}\u{3164}\u{2800}\u{fe0f}\u{e0020}",
        ] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["a", " \u{200b}.", "Đ", "🌊", "👩\u{200d}🚀", "\u{fffd}", "-"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
