use std::fmt;
use std::str::FromStr;

use primitives::random_bytes;

/// What a person may have to read aloud or type: no 0/O, no 1/I/L. 31 characters, 31^6 = 887 million codes.
pub(super) const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
pub(super) const SUFFIX_LENGTH: usize = 6;
const PREFIX_LENGTH_MAX: usize = 5;

/// The text in a transfer that names its order: a prefix and six characters, e.g. `CITAB2CDE`. Upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferenceCode {
    prefix: CodePrefix,
    suffix: [u8; SUFFIX_LENGTH],
}

/// Two to five letters A-Z, one per product: SePay cuts codes out of transfer texts by such a template
/// (SePay, "Payment code structure"). Shorter ones are filled up with zero bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodePrefix([u8; PREFIX_LENGTH_MAX]);

/// The text is not a prefix and six characters of the alphabet, in upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reference code is 2 to 5 letters and 6 characters of 2-9 and A-Z without I, L and O")]
pub struct InvalidCode;

/// The text is not two to five letters A-Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code prefix is 2 to 5 letters A-Z")]
pub struct InvalidPrefix;

impl ReferenceCode {
    /// A new code, every one as likely as any other. Whether an open order has it already is the store's to say.
    pub fn mint(prefix: CodePrefix) -> ReferenceCode {
        let mut suffix = [0; SUFFIX_LENGTH];
        let mut places = suffix.iter_mut();
        loop {
            for byte in random_bytes::<8>() {
                let Some(character) = character_of(byte) else { continue };
                match places.next() {
                    Some(place) => *place = character,
                    None => return ReferenceCode { prefix, suffix },
                }
            }
        }
    }

    pub fn prefix(&self) -> CodePrefix {
        self.prefix
    }

    /// `None` unless these are exactly this prefix and six characters of the alphabet.
    pub(super) fn of_bytes(prefix: CodePrefix, bytes: &[u8]) -> Option<ReferenceCode> {
        let suffix: [u8; SUFFIX_LENGTH] = bytes.strip_prefix(prefix.letters())?.try_into().ok()?;
        suffix.iter().all(|byte| ALPHABET.contains(byte)).then_some(ReferenceCode { prefix, suffix })
    }
}

/// A random byte as a character. The last eight values would make the first eight characters likelier: `None`.
fn character_of(byte: u8) -> Option<u8> {
    const EVEN: usize = 256 - 256 % ALPHABET.len();
    let byte = usize::from(byte);
    (byte < EVEN).then(|| ALPHABET[byte % ALPHABET.len()])
}

impl CodePrefix {
    pub const CIT: CodePrefix = CodePrefix(*b"CIT\0\0");

    pub(super) fn letters(&self) -> &[u8] {
        let length = self.0.iter().position(|&byte| byte == 0).unwrap_or(PREFIX_LENGTH_MAX);
        &self.0[..length]
    }
}

impl FromStr for ReferenceCode {
    type Err = InvalidCode;

    /// One spelling per code: lower case, blanks and separators are for [`find_codes`](super::find_codes). Any
    /// prefix will do; compare [`prefix`](ReferenceCode::prefix) where only one's own count.
    fn from_str(text: &str) -> Result<ReferenceCode, InvalidCode> {
        let border = text.len().checked_sub(SUFFIX_LENGTH).ok_or(InvalidCode)?;
        let prefix = text.get(..border).ok_or(InvalidCode)?.parse().map_err(|_| InvalidCode)?;
        ReferenceCode::of_bytes(prefix, text.as_bytes()).ok_or(InvalidCode)
    }
}

impl FromStr for CodePrefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<CodePrefix, InvalidPrefix> {
        let is_prefix = (2..=PREFIX_LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_prefix {
            return Err(InvalidPrefix);
        }
        let mut letters = [0; PREFIX_LENGTH_MAX];
        letters[..text.len()].copy_from_slice(text.as_bytes());
        Ok(CodePrefix(letters))
    }
}

impl fmt::Display for ReferenceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.prefix.letters().iter().chain(&self.suffix);
        f.pad(&bytes.map(|&byte| char::from(byte)).collect::<String>())
    }
}

impl fmt::Display for CodePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.letters().iter().map(|&byte| char::from(byte)).collect::<String>())
    }
}

impl fmt::Debug for ReferenceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for CodePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn every_character_is_the_answer_to_as_many_bytes_as_any_other() {
        let mut counts = HashMap::new();
        for character in (0..=u8::MAX).filter_map(character_of) {
            *counts.entry(character).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), ALPHABET.len());
        assert!(counts.values().all(|&count| count == 8));
    }

    #[test]
    fn a_minted_code_is_read_back_and_is_not_the_last_one() {
        for prefix in ["CIT", "NF", "DALLE"] {
            let prefix: CodePrefix = prefix.parse().unwrap();
            let code = ReferenceCode::mint(prefix);
            assert_eq!(code.to_string().parse(), Ok(code));
            assert_eq!(code.prefix(), prefix);
            assert_ne!(code, ReferenceCode::mint(prefix));
        }
        assert_eq!(ReferenceCode::mint(CodePrefix::CIT).to_string().len(), 9);
    }

    #[test]
    fn a_code_has_one_spelling() {
        assert_eq!("CITAB2CDE".parse::<ReferenceCode>().unwrap().to_string(), "CITAB2CDE");
        assert_eq!(CodePrefix::CIT.to_string(), "CIT");
        for text in [
            "",
            "AB2CDE",
            "CAB2CDE",
            "CIAB2CD",
            "CITAB12CD",
            "CITAB0CDE",
            "CITABOCDE",
            "CITABICDE",
            "CITABLCDE",
            "citAB2CDE",
            "CITab2cde",
            "CIT AB2CDE",
            " CITAB2CDE",
            "CITAB2CDE\n",
            "C1TAB2CDE",
            "CITCITAB2CDE",
            "CITĐB2CDE",
            "ĐTAB2CDE",
            "CITAB2CDé",
        ] {
            assert_eq!(text.parse::<ReferenceCode>(), Err(InvalidCode), "{text}");
        }
        for text in ["", "C", "CITIZE", "cit", "C1T", "CĐ", "CI ", "CI\0"] {
            assert_eq!(text.parse::<CodePrefix>(), Err(InvalidPrefix), "{text}");
        }
    }
}
