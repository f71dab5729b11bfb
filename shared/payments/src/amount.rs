//! Where money becomes credit: the only conversions of the product, all of them integers.

use primitives::{Credits, Overflow};
use rails::{InvalidAmount, UsdtMicros, Vnd};
use std::fmt;

/// What arrived, or shall arrive, in the rail's own smallest unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    Vnd(Vnd),
    Usdt(UsdtMicros),
}

/// Dong for one dollar, in millionths of a dong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DongRate(u64);

const MILLION: u128 = 1_000_000;
const CENTS: u128 = 100;
/// Millionths of a USDT that make one US cent.
const MICROS_PER_CENT: u64 = 10_000;

impl DongRate {
    /// Refuses zero and what no currency will reach, a thousand million dong for a dollar.
    pub fn new(micros: u64) -> Option<DongRate> {
        (1..=1_000_000_000_000_000).contains(&micros).then_some(DongRate(micros))
    }

    pub fn micros(self) -> u64 {
        self.0
    }

    /// What so many cents cost in dong, rounded half up to a whole dong.
    pub fn dong_half_up(self, cents: Credits) -> Result<Vnd, Overflow> {
        let exact = u128::from(cents.get()) * u128::from(self.0);
        let divisor = CENTS * MILLION;
        let dong = (exact + divisor / 2) / divisor;
        u64::try_from(dong).ok().and_then(|dong| Vnd::new(dong).ok()).ok_or(Overflow)
    }

    /// What so many dong are worth in whole cents; the rest of a cent is cut off.
    pub fn cents_down(self, dong: Vnd) -> Result<Credits, Overflow> {
        let cents = u128::from(dong.get()) * CENTS * MILLION / u128::from(self.0);
        Credits::new(u64::try_from(cents).map_err(|_| Overflow)?)
    }
}

impl fmt::Display for DongRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, millionths) = (self.0 / 1_000_000, format!("{:06}", self.0 % 1_000_000));
        match millionths.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            rest => write!(f, "{whole}.{rest}"),
        }
    }
}

/// One USDT counts as one dollar; parts of a cent are cut off.
pub fn usdt_cents_down(amount: UsdtMicros) -> Result<Credits, Overflow> {
    Credits::new(amount.get() / MICROS_PER_CENT)
}

/// The exact price in millionths of a USDT.
pub(crate) fn usdt_of_cents(cents: Credits) -> Result<UsdtMicros, Overflow> {
    let micros = cents.get().checked_mul(MICROS_PER_CENT).ok_or(Overflow)?;
    UsdtMicros::new(micros).map_err(|_| Overflow)
}

impl Amount {
    /// In the rail's smallest unit: dong, or millionths of a USDT.
    pub fn units(self) -> u64 {
        match self {
            Amount::Vnd(dong) => dong.get(),
            Amount::Usdt(micros) => micros.get(),
        }
    }

    /// The currency's code as people know it.
    pub fn currency(self) -> &'static str {
        match self {
            Amount::Vnd(_) => "VND",
            Amount::Usdt(_) => "USDT",
        }
    }

    /// `None`: another currency, or more than a number holds.
    pub(crate) fn checked_add(self, other: Amount) -> Option<Amount> {
        let units = self.units().checked_add(other.units())?;
        (self.currency() == other.currency()).then(|| Amount::of(self.currency(), units).ok())?
    }

    pub(crate) fn of(currency: &str, units: u64) -> Result<Amount, InvalidAmount> {
        match currency {
            "VND" => Vnd::new(units).map(Amount::Vnd),
            "USDT" => UsdtMicros::new(units).map(Amount::Usdt),
            _ => Err(InvalidAmount),
        }
    }
}

/// As it is typed at a bank or into a wallet, without the currency.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Amount::Vnd(dong) => dong.fmt(f),
            Amount::Usdt(micros) => micros.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cents(units: u64) -> Credits {
        Credits::new(units).unwrap()
    }

    #[test]
    fn dong_are_rounded_once_and_half_up() {
        let rate = DongRate::new(26_270_000_000).unwrap();
        assert_eq!(rate.to_string(), "26270");
        assert_eq!(rate.dong_half_up(cents(500)).unwrap().get(), 131_350);
        let rate = DongRate::new(26_270_500_000).unwrap();
        assert_eq!(rate.to_string(), "26270.5");
        assert_eq!(rate.dong_half_up(cents(1)).unwrap().get(), 263, "262.705");
        assert_eq!(DongRate::new(50_000_000).unwrap().dong_half_up(cents(1)).unwrap().get(), 1, "0.5");
        assert!(DongRate::new(0).is_none() && DongRate::new(u64::MAX).is_none());
    }

    #[test]
    fn a_part_of_a_cent_is_never_credited() {
        let rate = DongRate::new(26_270_000_000).unwrap();
        let worth = |dong| rate.cents_down(Vnd::new(dong).unwrap()).unwrap().get();
        assert_eq!((worth(131_349), worth(131_350), worth(262), worth(263)), (499, 500, 0, 1));
        let usdt = |micros| usdt_cents_down(UsdtMicros::new(micros).unwrap()).unwrap().get();
        assert_eq!((usdt(5_123_000), usdt(5_009_999), usdt(9_999)), (512, 500, 0));
        assert_eq!(usdt_of_cents(cents(500)).unwrap().get(), 5_000_000);
    }

    proptest! {
        /// Whoever pays what they were told is credited at most a cent less by the conversion alone, never more;
        /// the order's own amount makes up for that cent (`ruling`).
        #[test]
        fn there_and_back_never_gains(units in 1_u64..100_000_000, micros in 1_000_000_u64..100_000_000_000) {
            let rate = DongRate::new(micros).unwrap();
            let dong = rate.dong_half_up(cents(units)).unwrap();
            let back = rate.cents_down(dong).unwrap().get();
            let slack = 100_000_000 / micros + 1;
            prop_assert!(back <= units + slack && back + slack >= units, "{back} {units}");
        }

        #[test]
        fn usdt_there_and_back_is_the_same(units in 0_u64..=Credits::MAX.get() / 10_000) {
            prop_assert_eq!(usdt_cents_down(usdt_of_cents(cents(units)).unwrap()).unwrap(), cents(units));
        }
    }
}
