use crate::{CostCents, Credits, Currency, Markup, Money, Overflow, Rate};
use serde::{Deserialize, Serialize, de};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// What one unit of the ledger is: the profile says it (`unit`), and only the functions here know what follows
/// from it. They are the only ones that turn credit into money, money into credit, or a provider's cost into a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A cent of a US dollar, so it has a price in every currency that has a rate.
    UsdCent,
}

/// The text names no unit of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a ledger's unit is `USD cent`")]
pub struct UnknownUnit;

/// Ledger units in the dollar that rates are told for.
const CENTS: u128 = 100;
/// Millionths: of a provider's cent, and of a rate.
const MILLION: u128 = 1_000_000;

impl Unit {
    /// Every unit that a ledger can have.
    pub const ALL: [Unit; 1] = [Unit::UsdCent];

    /// The stable name, for profile and API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Unit::UsdCent => "USD cent",
        }
    }

    /// Several of them, in a sentence for a person: `512 US cents`.
    pub fn in_words(self, credits: Credits) -> String {
        match self {
            Unit::UsdCent => format!("{credits} US cents"),
        }
    }

    /// So much credit as money: what it says on a receipt, before any exchange.
    pub fn worth(self, credits: Credits) -> Money {
        match self {
            // Both hold at most 2^53 - 1.
            Unit::UsdCent => Money::new(credits.get(), Currency::USD).unwrap_or(Money::zero(Currency::USD)),
        }
    }

    /// What so much credit costs in a currency at that rate, rounded half up to the currency's minor unit.
    pub fn price_half_up(self, credits: Credits, currency: Currency, rate: Rate) -> Result<Money, Overflow> {
        let Unit::UsdCent = self;
        let per_dollar = u128::from(rate.micros()) * u128::from(currency.scale());
        let exact = per_dollar.checked_mul(u128::from(credits.get())).ok_or(Overflow)?;
        let divisor = CENTS * MILLION;
        let rounded = exact.checked_add(divisor / 2).ok_or(Overflow)? / divisor;
        Money::new(u64::try_from(rounded).map_err(|_| Overflow)?, currency)
    }

    /// How much credit money is worth at that rate; the rest of a unit is cut off.
    pub fn credits_down(self, paid: Money, rate: Rate) -> Result<Credits, Overflow> {
        let Unit::UsdCent = self;
        let per_dollar = u128::from(rate.micros()) * u128::from(paid.currency().scale());
        let units = u128::from(paid.minor()) * CENTS * MILLION / per_dollar;
        Credits::new(u64::try_from(units).map_err(|_| Overflow)?)
    }

    /// The price of a run = ROUND(provider cost × markup), half up, and at least 1 when the cost is above 0.
    pub fn run_price_half_up(self, cost: CostCents, markup: Markup) -> Result<Credits, Overflow> {
        let Unit::UsdCent = self;
        if cost == CostCents::ZERO {
            return Ok(Credits::ZERO);
        }
        let (numerator, denominator) = markup.ratio();
        let divisor = u128::from(denominator) * MILLION;
        let exact = u128::from(cost.micro_cents()) * u128::from(numerator);
        let rounded = (exact * 2 + divisor) / (divisor * 2);
        Credits::new(u64::try_from(rounded.max(1)).map_err(|_| Overflow)?)
    }

    /// The provider's cost that a price pays for.
    pub fn cost_paid_by(self, price: Credits) -> CostCents {
        let Unit::UsdCent = self;
        CostCents::from_micro_cents(price.get().saturating_mul(1_000_000))
    }
}

impl Rate {
    /// The rate of a currency that counts as the dollar itself, and is never looked up: one USDT is one dollar.
    pub fn at_par(currency: Currency) -> Option<Rate> {
        [Currency::USD, Currency::USDT].contains(&currency).then_some(Rate::ONE)
    }
}

impl FromStr for Unit {
    type Err = UnknownUnit;

    fn from_str(text: &str) -> Result<Unit, UnknownUnit> {
        if text == Unit::UsdCent.as_str() { Ok(Unit::UsdCent) } else { Err(UnknownUnit) }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Unit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Unit, D::Error> {
        const NAMES: &[&str] = &[Unit::UsdCent.as_str()];
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|_| de::Error::unknown_variant(&name, NAMES))
    }
}

impl PartialSchema for Unit {
    fn schema() -> RefOr<Schema> {
        let names = Unit::ALL.map(Unit::as_str);
        let object = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        RefOr::T(Schema::Object(object.description(Some("What one unit of credit is.")).build()))
    }
}

impl ToSchema for Unit {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Unit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNIT: Unit = Unit::UsdCent;

    fn credits(units: u64) -> Credits {
        Credits::new(units).unwrap()
    }

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    fn price(units: u64, currency: &str, text: &str) -> Result<u64, Overflow> {
        let price = UNIT.price_half_up(credits(units), currency.parse().unwrap(), rate(text))?;
        assert_eq!(price.currency().code(), currency);
        Ok(price.minor())
    }

    fn worth(minor: u64, currency: Currency, text: &str) -> u64 {
        UNIT.credits_down(Money::new(minor, currency).unwrap(), rate(text)).unwrap().get()
    }

    #[test]
    fn credit_costs_its_price_rounded_once_and_half_up() {
        for (currency, text, units, minor) in [
            ("VND", "26270", 500, 131_350),
            ("VND", "26270", 1, 263),
            ("VND", "26270.5", 1, 263),
            ("VND", "26250", 1, 263),
            ("VND", "26249.999999", 1, 262),
            ("VND", "50", 1, 1),
            ("VND", "26270", 0, 0),
            ("JPY", "155.4", 1, 2),
            ("KRW", "1478.5", 100, 1_479),
            ("EUR", "0.91", 100, 91),
            ("EUR", "0.915", 100, 92),
            ("EUR", "0.914999", 100, 91),
            ("THB", "32.465", 500, 16_233),
            ("IDR", "16500", 1, 16_500),
            ("KWD", "0.3071", 100, 307),
            ("KWD", "0.3075", 100, 308),
            ("BHD", "0.376", 1_000, 3_760),
            ("USDT", "1", 500, 5_000_000),
            ("USD", "1", 500, 500),
        ] {
            assert_eq!(price(units, currency, text), Ok(minor), "{units} at {text} {currency}");
        }
    }

    #[test]
    fn a_price_beyond_the_range_is_refused_instead_of_cut() {
        assert_eq!(price(Credits::MAX.get(), "VND", "26270"), Err(Overflow));
        assert_eq!(price(Credits::MAX.get(), "UYW", "18446744073709"), Err(Overflow));
    }

    #[test]
    fn a_part_of_a_unit_is_never_credited() {
        let dong = |minor| worth(minor, Currency::VND, "26270");
        assert_eq!((dong(131_349), dong(131_350), dong(262), dong(263)), (499, 500, 0, 1));
        let usdt = |minor| worth(minor, Currency::USDT, "1");
        assert_eq!((usdt(5_123_000), usdt(5_009_999), usdt(9_999)), (512, 500, 0));
        assert_eq!(worth(16_233, Currency::THB, "32.465"), 500);
    }

    #[test]
    fn only_dollars_and_the_dollar_token_are_at_par() {
        for (currency, expected) in [("USD", true), ("USDT", true), ("VND", false), ("THB", false)] {
            assert_eq!(Rate::at_par(currency.parse().unwrap()) == Some(Rate::ONE), expected, "{currency}");
        }
        assert_eq!(UNIT.worth(credits(505)).to_string(), "5.05");
    }

    #[test]
    fn a_run_is_priced_half_up_and_never_free() {
        let table = [
            ("0", "2", 0),
            ("0.000001", "1", 1),
            ("0.4", "1", 1),
            ("1.4", "1", 1),
            ("1.5", "1", 2),
            ("1.499999", "1", 1),
            ("0.3", "5", 2),
            ("2.5", "1.3", 3),
            ("4", "5/2", 10),
            ("33.333333", "3", 100),
            ("10", "1/3", 3),
            ("5", "1/10", 1),
        ];
        for (cost, markup, price) in table {
            let quoted = UNIT.run_price_half_up(cost.parse().unwrap(), markup.parse().unwrap());
            assert_eq!(quoted.map(Credits::get), Ok(price), "{cost} × {markup}");
        }
    }

    proptest! {
        #[test]
        fn a_runs_price_is_within_half_a_unit_of_the_exact_product(
            micro in 1u64..10_000_000_000_000, numerator in 1u32..10_000, denominator in 1u32..10_000,
        ) {
            let markup = Markup::new(numerator, denominator).unwrap();
            let price = UNIT.run_price_half_up(CostCents::from_micro_cents(micro), markup);
            prop_assume!(price.is_ok());
            let price = i128::from(price.unwrap().get());
            let scale = i128::from(denominator) * 1_000_000;
            let exact = i128::from(micro) * i128::from(numerator);
            let twice_off = 2 * (price * scale - exact);
            prop_assert!(price == 1 || (-scale < twice_off && twice_off <= scale));
            prop_assert!(price >= 1);
        }

        #[test]
        fn a_conversion_is_within_half_a_minor_unit(
            micros in 1u64..100_000_000_000, units in 0u64..100_000_000,
        ) {
            let rate = Rate::from_micros(micros).unwrap();
            for (currency, scale) in [("VND", 1i128), ("EUR", 100), ("KWD", 1_000)] {
                let price = UNIT.price_half_up(credits(units), currency.parse().unwrap(), rate);
                let minor = i128::from(price.unwrap().minor());
                let off = minor * 100_000_000 - i128::from(micros) * i128::from(units) * scale;
                prop_assert!(-50_000_000 < off && off <= 50_000_000);
            }
        }

        /// Whoever pays what they were told is credited at most a unit less by the conversion alone, never more; the
        /// order's own amount makes up for that unit (`payments::ruling`).
        #[test]
        fn there_and_back_never_gains(units in 1_u64..100_000_000, micros in 1_000_000_u64..100_000_000_000) {
            let rate = Rate::from_micros(micros).unwrap();
            let dong = UNIT.price_half_up(credits(units), Currency::VND, rate).unwrap();
            let back = UNIT.credits_down(dong, rate).unwrap().get();
            let slack = 100_000_000 / micros + 1;
            prop_assert!(back <= units + slack && back + slack >= units, "{back} {units}");
        }

        #[test]
        fn usdt_there_and_back_is_the_same(units in 0_u64..=Credits::MAX.get() / 10_000) {
            let usdt = UNIT.price_half_up(credits(units), Currency::USDT, Rate::ONE).unwrap();
            prop_assert_eq!(UNIT.credits_down(usdt, Rate::ONE), Ok(credits(units)));
        }

        #[test]
        fn a_price_pays_for_exactly_its_own_cost(units in 1_u64..=Credits::MAX.get() / 1_000_000) {
            let cost = UNIT.cost_paid_by(credits(units));
            prop_assert_eq!(UNIT.run_price_half_up(cost, "1".parse().unwrap()), Ok(credits(units)));
        }
    }
}
