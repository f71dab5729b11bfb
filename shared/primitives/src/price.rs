use crate::Overflow;
use serde::{Deserialize, Serialize, de};
use std::fmt;
use std::str::FromStr;

const SCALE: u64 = 1_000_000;

/// What a provider charges us, in US cents with up to six decimals, exact.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CostCents {
    micro_cents: u64,
}

/// The ratio between our price and the provider's cost, as a fraction of integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Markup {
    numerator: u32,
    denominator: u32,
}

/// The text is not a plain non-negative decimal, or is too precise or too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a plain decimal such as 0.4 or 12 with at most six decimals")]
pub struct InvalidDecimal(String);

impl CostCents {
    /// Nothing.
    pub const ZERO: CostCents = CostCents { micro_cents: 0 };
    /// The largest cost; sums of nonsense stay there.
    pub const MAX: CostCents = CostCents { micro_cents: u64::MAX };

    /// Millionths of a cent.
    pub const fn from_micro_cents(micro_cents: u64) -> CostCents {
        CostCents { micro_cents }
    }

    /// In millionths of a US cent.
    pub const fn micro_cents(self) -> u64 {
        self.micro_cents
    }

    /// Sums of costs that came from outside: nonsense stays at the largest cost, where it is noticed.
    pub const fn saturating_add(self, other: CostCents) -> CostCents {
        CostCents { micro_cents: self.micro_cents.saturating_add(other.micro_cents) }
    }

    /// The difference; an error when `other` is more.
    pub fn checked_sub(self, other: CostCents) -> Result<CostCents, Overflow> {
        self.micro_cents.checked_sub(other.micro_cents).map(Self::from_micro_cents).ok_or(Overflow)
    }

    /// The sum; an error beyond [`CostCents::MAX`].
    pub fn checked_add(self, other: CostCents) -> Result<CostCents, Overflow> {
        let micro_cents = self.micro_cents.checked_add(other.micro_cents);
        micro_cents.map(Self::from_micro_cents).ok_or(Overflow)
    }

    /// This cost times `units / per`, rounded half up to a millionth of a cent.
    pub fn scaled_half_up(self, units: u64, per: u64) -> Result<CostCents, Overflow> {
        if per == 0 {
            return Err(Overflow);
        }
        let exact = u128::from(self.micro_cents) * u128::from(units);
        let per = u128::from(per);
        let micro_cents = u64::try_from((exact * 2 + per) / (per * 2)).map_err(|_| Overflow)?;
        Ok(CostCents { micro_cents })
    }
}

impl Markup {
    /// `None` when the denominator is zero or the ratio is zero.
    pub fn new(numerator: u32, denominator: u32) -> Option<Markup> {
        (numerator > 0 && denominator > 0).then_some(Markup { numerator, denominator })
    }

    /// Numerator and denominator, both above zero.
    pub(crate) const fn ratio(self) -> (u32, u32) {
        (self.numerator, self.denominator)
    }
}

/// Reads `12`, `0.4` or `2.250000` into millionths, without any rounding.
fn parse_millionths(text: &str) -> Result<u64, InvalidDecimal> {
    let invalid = || InvalidDecimal(text.chars().take(40).collect());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return Err(invalid());
    }
    let whole: u64 = whole.parse().map_err(|_| invalid())?;
    let fraction: u64 = format!("{fraction:0<6}").parse().map_err(|_| invalid())?;
    let scaled = whole.checked_mul(SCALE).and_then(|w| w.checked_add(fraction));
    scaled.ok_or_else(invalid)
}

impl FromStr for CostCents {
    type Err = InvalidDecimal;

    fn from_str(text: &str) -> Result<CostCents, InvalidDecimal> {
        parse_millionths(text).map(Self::from_micro_cents)
    }
}

impl fmt::Display for CostCents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.micro_cents / SCALE, self.micro_cents % SCALE);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{fraction:06}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

impl fmt::Debug for CostCents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CostCents({self})")
    }
}

impl FromStr for Markup {
    type Err = InvalidDecimal;

    /// Reads a fraction (`5/2`) or a decimal (`2.5`).
    fn from_str(text: &str) -> Result<Markup, InvalidDecimal> {
        let invalid = || InvalidDecimal(text.chars().take(40).collect());
        if let Some((numerator, denominator)) = text.split_once('/') {
            let part = |part: &str| part.trim().parse::<u32>().map_err(|_| invalid());
            return Markup::new(part(numerator)?, part(denominator)?).ok_or_else(invalid);
        }
        let millionths = parse_millionths(text)?;
        let common = greatest_common_divisor(millionths, SCALE);
        let part = |value: u64| u32::try_from(value / common).map_err(|_| invalid());
        Markup::new(part(millionths)?, part(SCALE)?).ok_or_else(invalid)
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { greatest_common_divisor(b, a % b) }
}

macro_rules! text_serde {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}
text_serde!(CostCents);
text_serde!(Markup);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_that_are_not_plain_are_refused() {
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", "0.0000001", "NaN", "１", "99999999999999999999"]
        {
            assert!(text.parse::<CostCents>().is_err(), "{text}");
        }
        for text in ["0", "1/0", "0/1", "a/b", "-1/2"] {
            assert!(text.parse::<Markup>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_cost_survives_being_written_and_read(micro in any::<u64>()) {
            let cost = CostCents::from_micro_cents(micro);
            prop_assert_eq!(cost.to_string().parse(), Ok(cost));
        }
    }
}
