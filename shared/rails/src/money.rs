//! Amounts as the outside world writes them: whole dong, millionths of a USDT. Never a float on the way.

use primitives::{Currency, Money};
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
    ///
    /// So is `250.000`: in Vietnam that is a quarter of a million, elsewhere 250.
    pub fn parse(text: &str) -> Result<Vnd, InvalidAmount> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let is_group = fraction.len() == 3 && whole.len() <= 3;
        if !is_digits(whole) || !is_digits(fraction) || is_group || fraction.bytes().any(|b| b != b'0') {
            return Err(InvalidAmount);
        }
        Vnd::new(whole.parse().map_err(|_| InvalidAmount)?)
    }

    /// A JSON number as it is written. `250000`, `250000.0` and `2.5e5` are the same whole amount.
    pub fn of_json_number(written: &str) -> Result<Vnd, InvalidAmount> {
        Vnd::new(whole_of_json_number(written).ok_or(InvalidAmount)?)
    }
}

/// The integer that a JSON number is, read digit by digit; `None` when it has a sign or a part of one, or is too large.
pub(crate) fn whole_of_json_number(written: &str) -> Option<u64> {
    let (mantissa, exponent) = match written.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (written, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let cut = digits.len() - digits.trim_end_matches('0').len();
    let zeros = i64::from(exponent) + i64::try_from(cut).ok()? - i64::try_from(fraction.len()).ok()?;
    // 2^64 has twenty digits.
    let zeros = usize::try_from(zeros).ok().filter(|zeros| *zeros <= 20)?;
    format!("{significant}{}", "0".repeat(zeros)).parse().ok()
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

impl From<Vnd> for Money {
    fn from(amount: Vnd) -> Money {
        of_checked(amount.0, Currency::VND)
    }
}

impl From<UsdtMicros> for Money {
    fn from(amount: UsdtMicros) -> Money {
        of_checked(amount.0, Currency::USDT)
    }
}

/// Both hold at most 2^53 - 1 minor units, as money does.
fn of_checked(minor: u64, currency: Currency) -> Money {
    Money::new(minor, currency).unwrap_or(Money::zero(currency))
}

impl TryFrom<Money> for Vnd {
    type Error = InvalidAmount;

    fn try_from(money: Money) -> Result<Vnd, InvalidAmount> {
        if money.currency() == Currency::VND { Vnd::new(money.minor()) } else { Err(InvalidAmount) }
    }
}

impl TryFrom<Money> for UsdtMicros {
    type Error = InvalidAmount;

    fn try_from(money: Money) -> Result<UsdtMicros, InvalidAmount> {
        if money.currency() == Currency::USDT { UsdtMicros::new(money.minor()) } else { Err(InvalidAmount) }
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
            "250.000",
            "1.000",
            "1.250.000",
        ] {
            assert_eq!(Vnd::parse(text), Err(InvalidAmount), "{text}");
        }
    }

    #[test]
    fn an_amount_of_the_wire_is_money_of_its_own_currency_and_no_other() {
        let (dong, usdt) = (Vnd(131_350), UsdtMicros(5_123_000));
        assert_eq!(format!("{:?}", Money::from(dong)), "131350 VND");
        assert_eq!(format!("{:?}", Money::from(usdt)), "5.123 USDT");
        assert_eq!(
            (Vnd::try_from(Money::from(dong)), UsdtMicros::try_from(Money::from(usdt))),
            (Ok(dong), Ok(usdt))
        );
        assert_eq!(Vnd::try_from(Money::from(usdt)), Err(InvalidAmount));
        assert_eq!(UsdtMicros::try_from(Money::from(dong)), Err(InvalidAmount));
    }

    #[test]
    fn a_json_number_is_read_exactly_or_not_at_all() {
        for (written, dong) in [
            ("250000", 250_000),
            ("250000.0", 250_000),
            ("250000.000000", 250_000),
            ("2.5e5", 250_000),
            ("2.5E+5", 250_000),
            ("25000000e-2", 250_000),
            ("0.0025e8", 250_000),
            ("0", 0),
            ("0.0", 0),
            ("0e99", 0),
            ("9007199254740991", MAX),
            ("9007199254740991.0", MAX),
        ] {
            assert_eq!(Vnd::of_json_number(written).map(Vnd::get), Ok(dong), "{written}");
        }
        for written in [
            "250000.5",
            "0.1",
            "25e-1",
            "-250000",
            "-0",
            "9007199254740992",
            "9007199254740991.1",
            "1e19",
            "1e999",
            "1e99999999999",
            "184467440737095516160",
            "",
            "e5",
        ] {
            assert_eq!(Vnd::of_json_number(written), Err(InvalidAmount), "{written}");
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
