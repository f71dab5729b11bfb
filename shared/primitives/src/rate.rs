use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

/// Millionths in one unit.
const SCALE: u64 = 1_000_000;

/// How many units of a currency one US dollar costs: whole millionths, above zero, never a float.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(NonZeroU64);

/// The text is not a plain decimal above zero, or it is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a rate: a plain decimal above zero, such as 26270 or 0.91")]
pub struct InvalidRate;

impl Rate {
    /// One unit for one US dollar.
    pub const ONE: Rate = Rate(NonZeroU64::new(SCALE).expect("a constant above zero"));

    /// Millionths of a unit for one US dollar.
    pub const fn from_micros(micros: u64) -> Result<Rate, InvalidRate> {
        match NonZeroU64::new(micros) {
            Some(micros) => Ok(Rate(micros)),
            None => Err(InvalidRate),
        }
    }

    /// Millionths of a unit for one US dollar.
    pub const fn micros(self) -> u64 {
        self.0.get()
    }

    /// Whether the two differ by more than `percent` of `base`.
    pub fn is_apart(self, base: Rate, percent: u32) -> bool {
        let apart = u128::from(self.micros().abs_diff(base.micros()));
        apart * 100 > u128::from(base.micros()) * u128::from(percent)
    }
}

/// Reads `26270`, `26270.0` or `0.912345678`; what lies beyond the sixth decimal is rounded half up.
///
/// A sign, an exponent, a blank, a thousands separator and zero are refused.
impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Rate, InvalidRate> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(InvalidRate);
        }
        let (kept, beyond) = fraction.split_at(fraction.len().min(6));
        let whole: u64 = whole.parse().map_err(|_| InvalidRate)?;
        let kept: u64 = format!("{kept:0<6}").parse().map_err(|_| InvalidRate)?;
        let rounding = u64::from(beyond.bytes().next().is_some_and(|digit| digit >= b'5'));
        let micros = whole.checked_mul(SCALE).and_then(|whole| whole.checked_add(kept + rounding));
        Rate::from_micros(micros.ok_or(InvalidRate)?)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.micros() / SCALE, self.micros() % SCALE);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{fraction:06}").trim_end_matches('0'))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rate({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rate_is_read_exactly_and_rounded_half_up_beyond_its_sixth_decimal() {
        for (text, micros) in [
            ("26270", 26_270_000_000),
            ("26270.00", 26_270_000_000),
            ("26120.0", 26_120_000_000),
            ("0.91", 910_000),
            ("0.9123454", 912_345),
            ("0.9123455", 912_346),
            ("0.9999995", 1_000_000),
            ("0.00000049", 0),
            ("0.0000005", 1),
            ("18446744073709.551615", u64::MAX),
        ] {
            assert_eq!(text.parse::<Rate>().ok(), Rate::from_micros(micros).ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_decimal_above_zero_is_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1E-7",
            " 1",
            "1,000",
            "0",
            "0.0",
            "NaN",
            "\"1\"",
            "１",
            "1.0.0",
            "18446744073709.551616",
            "18446744073709.5516155",
            "99999999999999999999",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_rate_survives_being_written_and_read(micros in 1u64..) {
            let rate = Rate::from_micros(micros).unwrap();
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }
}
