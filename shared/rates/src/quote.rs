use crate::rate::{Rate, SCALE};
use primitives::{Currency, Money, Overflow, Timestamp};
use std::fmt;
use std::str::FromStr;

/// What one US dollar costs in `currency`, and where that comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    pub currency: Currency,
    pub rate: Rate,
    pub source: Source,
    pub side: Side,
    /// What the feed says about its own age; noon UTC where it names a day only.
    pub feed_at: Timestamp,
    pub fetched_at: Timestamp,
}

/// Who publishes the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    Vietcombank,
    Frankfurter,
}

/// Which of a bank's prices it is. Frankfurter knows none: its rates are `mid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The bank sells dollars for it: what a customer pays.
    Sell,
    /// The bank buys dollars from an account.
    Transfer,
    /// The bank buys dollars in cash.
    Buy,
    Mid,
}

/// The text names no source, or no side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an unknown name")]
pub struct UnknownName;

impl Quote {
    /// US cents in minor units of the currency (ISO 4217), rounded half up to one of them.
    ///
    /// Errors when the result leaves 64 bits.
    pub fn convert_cents(&self, cents: u64) -> Result<Money, Overflow> {
        let per_dollar = u128::from(self.rate.micros()) * 10_u128.pow(decimals(self.currency));
        let exact = per_dollar.checked_mul(u128::from(cents)).ok_or(Overflow)?;
        let divisor = u128::from(SCALE) * 100;
        let rounded = exact.checked_add(divisor / 2).ok_or(Overflow)? / divisor;
        let minor_units = u64::try_from(rounded).map_err(|_| Overflow)?;
        Ok(Money { minor_units, currency: self.currency })
    }
}

/// ISO 4217, list one: how many decimals a currency's minor unit has.
pub(crate) fn decimals(currency: Currency) -> u32 {
    match currency.code() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Vietcombank => "vietcombank",
            Source::Frankfurter => "frankfurter",
        }
    }
}

impl Side {
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Sell => "sell",
            Side::Transfer => "transfer",
            Side::Buy => "buy",
            Side::Mid => "mid",
        }
    }
}

impl FromStr for Source {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Source, UnknownName> {
        let known = [Source::Vietcombank, Source::Frankfurter];
        known.into_iter().find(|source| source.as_str() == text).ok_or(UnknownName)
    }
}

impl FromStr for Side {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Side, UnknownName> {
        let known = [Side::Sell, Side::Transfer, Side::Buy, Side::Mid];
        known.into_iter().find(|side| side.as_str() == text).ok_or(UnknownName)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::quote;
    use proptest::prelude::*;

    #[test]
    fn cents_become_minor_units_rounded_half_up() {
        for (currency, rate, cents, minor_units) in [
            ("VND", "26270", 500, 131_350),
            ("VND", "26270", 1, 263),
            ("VND", "26250", 1, 263),
            ("VND", "26249.999999", 1, 262),
            ("VND", "26270", 0, 0),
            ("JPY", "155.4", 1, 2),
            ("KRW", "1478.5", 100, 1_479),
            ("EUR", "0.91", 100, 91),
            ("EUR", "0.915", 100, 92),
            ("EUR", "0.914999", 100, 91),
            ("IDR", "16500", 1, 16_500),
            ("KWD", "0.3071", 100, 307),
            ("KWD", "0.3075", 100, 308),
            ("BHD", "0.376", 1_000, 3_760),
        ] {
            let money = quote(currency, rate).convert_cents(cents).unwrap();
            assert_eq!(money.minor_units, minor_units, "{cents} cents at {rate} {currency}");
            assert_eq!(money.currency.code(), currency);
        }
    }

    #[test]
    fn an_amount_beyond_64_bits_is_refused_instead_of_cut() {
        assert_eq!(quote("VND", "26270").convert_cents(u64::MAX), Err(Overflow));
        assert_eq!(quote("UYW", "18446744073709").convert_cents(u64::MAX), Err(Overflow));
    }

    proptest! {
        #[test]
        fn a_conversion_is_within_half_a_minor_unit(
            micros in 1u64..100_000_000_000, cents in 0u64..100_000_000,
        ) {
            let rate = Rate::from_micros(micros).unwrap();
            for (currency, scale) in [("VND", 1i128), ("EUR", 100), ("KWD", 1_000)] {
                let quote = Quote { rate, ..quote(currency, "1") };
                let minor = i128::from(quote.convert_cents(cents).unwrap().minor_units);
                let off = minor * 100_000_000 - i128::from(micros) * i128::from(cents) * scale;
                prop_assert!(-50_000_000 < off && off <= 50_000_000);
            }
        }
    }
}
