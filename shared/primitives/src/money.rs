use crate::{Currency, Language, Overflow};
use std::fmt;

/// What somebody pays, or has paid, outside: whole minor units of a currency, at most 2^53 - 1 of them. It never mixes
/// with [`crate::Credits`]; [`crate::Unit`] turns one into the other.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: u64,
    currency: Currency,
}

/// The largest integer every JSON reader sees exactly.
const MINOR_MAX: u64 = (1 << 53) - 1;

impl Money {
    /// `minor` counts the currency's smallest unit: dong, cents, millionths of a USDT.
    pub const fn new(minor: u64, currency: Currency) -> Result<Money, Overflow> {
        if minor > MINOR_MAX { Err(Overflow) } else { Ok(Money { minor, currency }) }
    }

    /// No money of that currency.
    pub const fn zero(currency: Currency) -> Money {
        Money { minor: 0, currency }
    }

    /// In the currency's smallest unit.
    pub const fn minor(self) -> u64 {
        self.minor
    }

    /// Which currency it is.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is no money.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// `None`: the two are of different currencies, or their sum leaves the range.
    pub fn checked_add(self, other: Money) -> Option<Money> {
        let minor = self.minor.checked_add(other.minor)?;
        (self.currency == other.currency).then(|| Money::new(minor, self.currency).ok())?
    }

    /// `None`: the two are of different currencies, or `other` is more.
    pub fn checked_sub(self, other: Money) -> Option<Money> {
        let minor = self.minor.checked_sub(other.minor)?;
        (self.currency == other.currency).then_some(Money { minor, currency: self.currency })
    }

    /// For a person, grouped as their language does: `131,350 VND`.
    pub fn in_words(self, language: Language) -> String {
        let typed = self.to_string();
        let (whole, fraction) = typed.split_once('.').unwrap_or((&typed, ""));
        format!("{} {}", language.grouped(whole, fraction), self.currency)
    }
}

/// As a person types it at a bank or into a wallet, without the currency: `131350`, `5.00`, and of a token's many
/// decimals no needless zeros after the second (`5.123`).
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.currency.scale();
        let (whole, fraction) = (self.minor / scale, self.minor % scale);
        let width = self.currency.decimals() as usize;
        if width == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{fraction:0width$}");
        let shown =
            if self.currency == Currency::USDT { digits.trim_end_matches('0').len().max(2) } else { width };
        write!(f, "{whole}.{}", &digits[..shown])
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: u64, currency: &str) -> Money {
        Money::new(minor, currency.parse().unwrap()).unwrap()
    }

    #[test]
    fn an_amount_is_written_as_it_is_typed() {
        for (minor, currency, text) in [
            (131_350, "VND", "131350"),
            (0, "VND", "0"),
            (500, "USD", "5.00"),
            (5, "EUR", "0.05"),
            (15_050, "THB", "150.50"),
            (300, "KWD", "0.300"),
            (5_123_000, "USDT", "5.123"),
            (5_000_000, "USDT", "5.00"),
            (5_123_400, "USDT", "5.1234"),
            (10, "USDT", "0.00001"),
            (0, "USDT", "0.00"),
        ] {
            assert_eq!(money(minor, currency).to_string(), text, "{minor} {currency}");
        }
        assert_eq!(format!("{:?}", money(5, "EUR")), "0.05 EUR");
    }

    #[test]
    fn money_of_two_currencies_is_neither_added_nor_taken_away() {
        let (dong, usdt) = (money(100, "VND"), money(100, "USDT"));
        assert_eq!((dong.checked_add(usdt), dong.checked_sub(usdt)), (None, None));
        assert_eq!(dong.checked_add(dong), Some(money(200, "VND")));
        assert_eq!(dong.checked_sub(dong), Some(Money::zero(Currency::VND)));
        assert_eq!(dong.checked_sub(money(101, "VND")), None);
    }

    #[test]
    fn an_amount_that_not_every_reader_sees_exactly_is_refused() {
        let most = money(MINOR_MAX, "VND");
        assert_eq!(Money::new(MINOR_MAX + 1, Currency::VND), Err(Overflow));
        assert_eq!(most.checked_add(money(1, "VND")), None);
    }
}
