//! Amounts as the outside world writes them: whole dong, millionths of a USDT. Never a float on the way.

use std::fmt;

/// The largest integer every JSON reader sees exactly, 2^53 - 1.
const MAX: u64 = (1 << 53) - 1;

/// Whole Vietnamese dong; there is no smaller unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vnd(u64);

/// Millionths of a USDT (the token has 6 decimals).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsdtMicros(u64);

/// The text is not a whole, non-negative amount within 2^53 - 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a whole amount")]
pub struct InvalidAmount;

impl Vnd {
    pub const ZERO: Vnd = Vnd(0);

    pub const fn new(dong: u64) -> Result<Vnd, InvalidAmount> {
        if dong > MAX { Err(InvalidAmount) } else { Ok(Vnd(dong)) }
    }

    pub const fn get(self) -> u64 {
        self.0
    }

    /// `100000` and `100000.00` are the same amount; a part of a dong, a sign, an exponent or a blank is refused.
    pub fn parse(text: &str) -> Result<Vnd, InvalidAmount> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) || fraction.bytes().any(|b| b != b'0') {
            return Err(InvalidAmount);
        }
        Vnd::new(whole.parse().map_err(|_| InvalidAmount)?)
    }
}

impl UsdtMicros {
    pub const fn new(micros: u64) -> Result<UsdtMicros, InvalidAmount> {
        if micros > MAX { Err(InvalidAmount) } else { Ok(UsdtMicros(micros)) }
    }

    pub const fn get(self) -> u64 {
        self.0
    }

    /// A raw integer as the chain's indexers write it, e.g. `5123000`.
    pub fn parse_raw(text: &str) -> Result<UsdtMicros, InvalidAmount> {
        let is_digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_digits {
            return Err(InvalidAmount);
        }
        UsdtMicros::new(text.parse().map_err(|_| InvalidAmount)?)
    }
}

impl fmt::Display for Vnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As a person types it into a wallet: `5.123`, at least two decimals, no needless zeros after them.
impl fmt::Display for UsdtMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:06}", self.0 % 1_000_000);
        let kept = digits.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / 1_000_000, &digits[..kept])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_dong_are_read() {
        for (text, dong) in [("100000", 100_000), ("100000.00", 100_000), ("0", 0), ("9007199254740991", MAX)]
        {
            assert_eq!(Vnd::parse(text).map(Vnd::get), Ok(dong), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "100000.5",
            "-1",
            "+1",
            "1e5",
            " 1",
            "1,000",
            "9007199254740992",
            "١",
            "1.0.0",
        ] {
            assert_eq!(Vnd::parse(text), Err(InvalidAmount), "{text}");
        }
    }

    #[test]
    fn an_amount_of_usdt_is_written_as_it_is_typed() {
        for (micros, text) in
            [(5_123_000, "5.123"), (5_000_000, "5.00"), (5_123_400, "5.1234"), (10, "0.00001"), (0, "0.00")]
        {
            assert_eq!(UsdtMicros(micros).to_string(), text);
        }
        assert_eq!(UsdtMicros::parse_raw("5123000"), Ok(UsdtMicros(5_123_000)));
        for text in ["", "-1", "1.5", "0x10", "9007199254740992"] {
            assert!(UsdtMicros::parse_raw(text).is_err(), "{text}");
        }
    }
}
