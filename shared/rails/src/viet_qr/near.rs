//! Codes that a payer may have meant and mistyped. Only ever shown to the person who decides: no credit follows them.

use std::collections::HashSet;

use super::reference_code::{ALPHABET, SUFFIX_LENGTH};
use super::{CodePrefix, ReferenceCode};

/// A transfer's text is a line; the rest of a longer one is not searched.
const CHARS_MAX: usize = 512;
/// Several reads of the store at once, not more.
const CODES_MAX: usize = 300;
/// A letter no code has; nothing is read across it.
const FOREIGN: u8 = 0;

/// Codes of this prefix that differ from something in `text` by one mistake, the likeliest first, 300 at most.
///
/// Mistakes are those that people report: letters of another width or alphabet, a prefix with `1` or `l` for `I`, with
/// one letter wrong, missing or in the wrong place, or no prefix at all; a code with one character wrong, missing, too
/// many, or swapped with its neighbour.
pub fn near_codes(prefix: CodePrefix, text: &str) -> Vec<ReferenceCode> {
    let words = words(text);
    let mut near = Near { prefix, seen: HashSet::new(), codes: Vec::new() };
    let whole: Vec<u8> = words.concat();
    let length = prefix.letters().len() + SUFFIX_LENGTH;
    let windows = || whole.windows(length).filter(|window| looks_like(prefix, window));
    for window in windows() {
        near.add(&window[prefix.letters().len()..]);
    }
    for word in &words {
        near.add_of_wrong_prefix(word);
    }
    for start in 0..words.len() {
        for end in start + 1..=words.len().min(start + SUFFIX_LENGTH) {
            near.add(&words[start..end].concat());
        }
    }
    for word in words.iter().chain([&whole]).filter(|word| looks_like(prefix, word)) {
        near.add_of_wrong_length(&word[prefix.letters().len()..]);
    }
    for window in windows() {
        near.add_of_wrong_character(&window[prefix.letters().len()..]);
    }
    near.codes
}

struct Near {
    prefix: CodePrefix,
    seen: HashSet<ReferenceCode>,
    codes: Vec<ReferenceCode>,
}

impl Near {
    /// What is no suffix is left out.
    fn add(&mut self, suffix: &[u8]) {
        let written = [self.prefix.letters(), suffix].concat();
        let Some(code) = ReferenceCode::of_bytes(self.prefix, &written) else { return };
        if self.codes.len() < CODES_MAX && self.seen.insert(code) {
            self.codes.push(code);
        }
    }

    fn add_of_wrong_prefix(&mut self, word: &[u8]) {
        let letters = self.prefix.letters().to_vec();
        let Some(border) = word.len().checked_sub(SUFFIX_LENGTH) else { return };
        let (typed, suffix) = word.split_at(border);
        let is_near = match typed.len().cmp(&letters.len()) {
            std::cmp::Ordering::Equal => {
                let wrong = typed.iter().zip(&letters).filter(|(one, other)| one != other).count();
                wrong <= 1 || swaps(&letters).any(|swapped| swapped == typed)
            }
            std::cmp::Ordering::Less => cuts(&letters).any(|cut| cut == typed),
            std::cmp::Ordering::Greater => cuts(typed).any(|cut| cut == letters),
        };
        if is_near {
            self.add(suffix);
        }
    }

    fn add_of_wrong_length(&mut self, suffix: &[u8]) {
        if suffix.len() == SUFFIX_LENGTH + 1 {
            cuts(suffix).for_each(|cut| self.add(&cut));
        }
        if suffix.len() + 1 == SUFFIX_LENGTH {
            for at in 0..=suffix.len() {
                for letter in ALPHABET {
                    self.add(&[&suffix[..at], &[*letter], &suffix[at..]].concat());
                }
            }
        }
    }

    fn add_of_wrong_character(&mut self, suffix: &[u8]) {
        swaps(suffix).for_each(|swapped| self.add(&swapped));
        for at in 0..suffix.len() {
            for letter in ALPHABET {
                self.add(&[&suffix[..at], &[*letter], &suffix[at + 1..]].concat());
            }
        }
    }
}

/// Whether it begins as the prefix does to the eye.
fn looks_like(prefix: CodePrefix, word: &[u8]) -> bool {
    let letters = prefix.letters();
    word.len() >= letters.len() && word.iter().zip(letters).all(|(one, other)| shape(*one) == shape(*other))
}

/// One letter for all that look like it.
fn shape(letter: u8) -> u8 {
    match letter {
        b'1' | b'L' => b'I',
        b'0' | b'Q' => b'O',
        b'5' => b'S',
        b'8' => b'B',
        b'2' => b'Z',
        b'6' => b'G',
        other => other,
    }
}

fn swaps(letters: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (1..letters.len()).map(|at| {
        let mut swapped = letters.to_vec();
        swapped.swap(at - 1, at);
        swapped
    })
}

fn cuts(letters: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..letters.len()).map(|at| [&letters[..at], &letters[at + 1..]].concat())
}

fn words(text: &str) -> Vec<Vec<u8>> {
    let text: String = text.chars().take(CHARS_MAX).map(plain).collect();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().map(letter).collect()).collect()
}

fn letter(character: char) -> u8 {
    match u8::try_from(character) {
        Ok(byte) if byte.is_ascii_alphanumeric() => byte.to_ascii_uppercase(),
        _ => FOREIGN,
    }
}

/// The letter of our alphabet that it stands for: full-width forms, and Cyrillic and Greek letters of the same shape.
fn plain(character: char) -> char {
    let code = u32::from(character);
    if (0xFF01..=0xFF5E).contains(&code) {
        return char::from_u32(code - 0xFEE0).unwrap_or(character);
    }
    const ALIKE: [(&str, char); 13] = [
        ("АаΑ", 'A'),
        ("ВΒ", 'B'),
        ("СсϹ", 'C'),
        ("ЕеΕ", 'E'),
        ("НΗ", 'H'),
        ("ІіΙӀ", 'I'),
        ("КкΚ", 'K'),
        ("МΜ", 'M'),
        ("Ν", 'N'),
        ("РрΡ", 'P'),
        ("ТτΤ", 'T'),
        ("ХхΧ", 'X'),
        ("УуΥ", 'Y'),
    ];
    ALIKE.iter().find(|(alike, _)| alike.contains(character)).map_or(character, |(_, plain)| *plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_mistake_away_is_near() {
        let meant: ReferenceCode = "CITAB2CDE".parse().unwrap();
        for typed in [
            "CITAB2CDE",
            "C1TAB2CDE",
            "ClTAB2CDE",
            "nap tien c1t ab2 cde",
            "ＣＩＴＡＢ２ＣＤＥ",
            "CIТAB2CDE", // the third letter is Cyrillic
            "AB2CDE",
            "nap tien AB2CDE cam on",
            "chuyen AB2 CDE",
            "CTAB2CDE",
            "CTIAB2CDE",
            "CUTAB2CDE",
            "CIITAB2CDE",
            "CITAB2CDF",
            "CITAB0CDE",
            "CITABOCDE",
            "CITAB2DCE",
            "CITAB2CE",
            "CITAB22CDE",
            "MBVCB.123 C1TAB2CDE.CT tu 0999",
        ] {
            assert!(near_codes(CodePrefix::CIT, typed).contains(&meant), "{typed}");
        }
    }

    #[test]
    fn what_is_further_away_is_not_near() {
        let meant: ReferenceCode = "CITAB2CDE".parse().unwrap();
        for typed in ["", "CIT", "nap tien", "CITAB2", "CITXY2CDE", "DHDAB2CDE9", "đđđ", "CITED2CBA"] {
            assert!(!near_codes(CodePrefix::CIT, typed).contains(&meant), "{typed}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_searched_without_harm_and_within_bounds(text in any::<String>(), prefix in "[A-Z]{2,5}") {
            let near = near_codes(prefix.parse().unwrap(), &text);
            prop_assert!(near.len() <= CODES_MAX);
        }
    }
}
