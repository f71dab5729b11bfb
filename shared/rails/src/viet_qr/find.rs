use std::collections::HashSet;

use super::reference_code::SUFFIX_LENGTH;
use super::{CodePrefix, ReferenceCode};

/// Many times what a bank passes on; the rest of a longer text is not searched.
const CHARS_MAX: usize = 4096;
/// A letter no code has, such as `đ`: nothing is read across it.
const FOREIGN: u8 = 0;

/// Every reading of a transfer text as a code of this prefix, each once, in the order of the text.
///
/// Banks change the case, glue their own text on and put blanks, dots, dashes or line breaks anywhere. So all of
/// those are skipped, and a code may start and end inside a word. That makes readings nobody meant: the caller
/// believes only codes of open orders, and none if two of those appear.
pub fn find_codes(prefix: CodePrefix, text: &str) -> Vec<ReferenceCode> {
    let letters: Vec<u8> = text.chars().take(CHARS_MAX).filter_map(letter).collect();
    let windows = letters.windows(prefix.letters().len() + SUFFIX_LENGTH);
    let mut seen = HashSet::new();
    windows
        .filter_map(|window| ReferenceCode::of_bytes(prefix, window))
        .filter(|&code| seen.insert(code))
        .collect()
}

/// `None` for what stands between letters.
fn letter(character: char) -> Option<u8> {
    match u8::try_from(character) {
        Ok(byte) if byte.is_ascii_alphanumeric() => Some(byte.to_ascii_uppercase()),
        _ => character.is_alphanumeric().then_some(FOREIGN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(prefix: &str, text: &str) -> Vec<String> {
        find_codes(prefix.parse().unwrap(), text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_code_is_found_however_the_bank_mangles_it() {
        for text in [
            "CITAB2CDE",
            "citab2cde",
            "QR-CITAB2CDE-250000",
            "QRCITAB2CDE250000",
            "MBVCB.123.CITAB2CDE.CT tu 0123456789 NGUYEN VAN A toi 12345678",
            "CIT AB2 CDE",
            "C I T A B 2 C D E",
            "C.I.T-A_B/2\r\nC\tD\u{a0}E",
            "CITAB2\nCDE",
            "CITCITAB2CDE",
            "Nạp tiền CITAB2CDE đơn hàng",
            "nạpCITAB2CDEđã",
            "na\u{323}pCITAB2CDE\u{301}",
            "CITAB2CDE citab2cde C-I-T-A-B-2-C-D-E",
        ] {
            assert_eq!(found("CIT", text), ["CITAB2CDE"], "{text}");
        }
    }

    #[test]
    fn what_is_no_code_is_not_found() {
        for text in [
            "",
            "CIT",
            "CITAB2CD",
            "CITAB12CD",
            "CITAB0CDE",
            "CIT AB2 đ CDE",
            "CITẠB2CDE",
            "ＣＩＴＡＢ２ＣＤＥ",
            "AB2CDE",
            "CIТAB2CDE", // the third letter is Cyrillic
        ] {
            assert!(found("CIT", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn every_reading_of_an_ambiguous_text_is_a_candidate() {
        assert_eq!(found("CIT", "CITAB2CDE CITFGH234"), ["CITAB2CDE", "CITFGH234"]);
        assert_eq!(found("CIT", "CITAB2CDECITFGH234"), ["CITAB2CDE", "CITFGH234"]);
        assert_eq!(found("AB", "ABABAB2345"), ["ABABAB23", "ABAB2345"]);
        assert_eq!(found("AB", "AB 2345 AB.CDEFGH"), ["AB2345AB", "ABCDEFGH"]);
    }

    #[test]
    fn a_flood_of_text_is_not_searched_to_its_end() {
        let flood = ".".repeat(CHARS_MAX);
        assert!(found("CIT", &format!("{flood}CITAB2CDE")).is_empty());
        assert_eq!(found("CIT", &format!("CITAB2CDE{flood}")).len(), 1);
        assert!(found("AB", &"AB".repeat(1_000_000)).len() <= 1);
    }

    fn mangled() -> impl Strategy<Value = (ReferenceCode, String)> {
        let separators = proptest::collection::vec("[ .,_/*\\-\r\n\t\u{a0}\u{200b}]{0,3}", 9);
        let cases = proptest::collection::vec(any::<bool>(), 9);
        ("[2-9A-HJKMNP-Z]{6}", separators, cases).prop_map(|(suffix, separators, cases)| {
            let code: ReferenceCode = format!("CIT{suffix}").parse().unwrap();
            let letters = code.to_string();
            let spell = |(letter, is_lower): (char, bool)| match is_lower {
                true => letter.to_ascii_lowercase(),
                false => letter,
            };
            let letters = letters.chars().zip(cases).map(spell);
            let text = letters.zip(separators).map(|(letter, after)| format!("{letter}{after}")).collect();
            (code, text)
        })
    }

    proptest! {
        #[test]
        fn a_mangled_code_between_any_two_texts_is_among_the_candidates(
            (code, text) in mangled(), before in "\\PC{0,40}", after in "\\PC{0,40}",
        ) {
            let candidates = find_codes(CodePrefix::CIT, &format!("{before}{text}{after}"));
            prop_assert!(candidates.contains(&code));
        }

        #[test]
        fn a_glued_code_is_among_the_candidates(
            (code, text) in mangled(), before in "[A-Za-z0-9]{0,12}", after in "[A-Za-z0-9]{0,12}",
        ) {
            let candidates = find_codes(CodePrefix::CIT, &format!("{before}{text}{after}"));
            prop_assert!(candidates.contains(&code));
        }

        #[test]
        fn any_text_is_searched_without_harm(text in any::<String>(), prefix in "[A-Z]{2,5}") {
            let candidates = find_codes(prefix.parse().unwrap(), &text);
            let distinct: HashSet<_> = candidates.iter().collect();
            prop_assert_eq!(distinct.len(), candidates.len());
        }
    }
}
