//! Amounts as answers show them and requests name them: one shape for credit, one for money.

use crate::{Credits, CreditsDelta, Language, Money, Unit};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{AdditionalProperties, KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

/// An amount of credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Credits)]
pub struct CreditsView {
    /// In whole units
    #[serde(deserialize_with = "within_the_ledger")]
    #[schema(value_type = u64, maximum = 9007199254740991_u64)]
    pub amount: Credits,
    #[expect(missing_docs, reason = "the API's document would repeat it beside the reference to `Unit`")]
    pub unit: Unit,
}

impl CreditsView {
    /// What a request names, in the ledger's unit. With a second unit the match does not
    /// compile until it says how a request in the other one is answered.
    pub fn amount_in(self, ledger: Unit) -> Credits {
        match (self.unit, ledger) {
            (Unit::UsdCent, Unit::UsdCent) => self.amount,
        }
    }
}

/// What a movement did to the balance, or the sum of movements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CreditsDelta)]
pub struct CreditsDeltaView {
    /// In whole units. Negative: credit went out
    #[schema(value_type = i64)]
    pub amount: CreditsDelta,
    #[expect(missing_docs, reason = "the API's document would repeat it beside the reference to `Unit`")]
    pub unit: Unit,
}

/// An amount of money outside the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Money)]
pub struct MoneyView {
    /// In the currency's smallest unit: dong, cents, millionths of a USDT
    #[schema(maximum = 9007199254740991_u64, example = 131350)]
    pub minor: u64,
    /// ISO 4217, or `USDT`
    #[schema(example = "VND")]
    pub currency: String,
    /// As it is typed at a bank or into a wallet: not grouped, with a point before the decimals
    #[schema(example = "131350")]
    pub decimal: String,
    /// For a person, grouped as their language does (`Accept-Language`)
    #[schema(example = "131,350 VND")]
    pub text: String,
}

/// How amounts are shown to one caller: credit in the ledger's unit, money in the caller's language.
#[derive(Debug, Clone, Copy)]
pub struct Amounts {
    /// The ledger's.
    pub unit: Unit,
    /// The caller's.
    pub language: Language,
}

impl Amounts {
    /// An amount of credit, in the ledger's unit.
    pub fn credits(self, amount: Credits) -> CreditsView {
        CreditsView::new(amount, self.unit)
    }

    /// An amount of money, grouped for the caller's language.
    pub fn money(self, money: Money) -> MoneyView {
        MoneyView::new(money, self.language)
    }
}

impl CreditsView {
    /// `amount` counts whole units of `unit`.
    pub fn new(amount: Credits, unit: Unit) -> CreditsView {
        CreditsView { amount, unit }
    }

    /// The schema of an amount that a request may name only within bounds, in whole steps.
    pub fn within(minimum: u64, maximum: u64, step: u64) -> Object {
        let amount = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(minimum))
            .maximum(Some(maximum))
            .multiple_of((step > 1).then_some(step))
            .description(Some("In whole units"))
            .build();
        ObjectBuilder::new()
            .property("amount", amount)
            .property("unit", Ref::from_schema_name(Unit::name()))
            .required("amount")
            .required("unit")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .build()
    }
}

impl CreditsDeltaView {
    /// `amount` counts whole units of `unit`; negative: credit went out.
    pub fn new(amount: CreditsDelta, unit: Unit) -> CreditsDeltaView {
        CreditsDeltaView { amount, unit }
    }
}

impl MoneyView {
    /// The shape of an amount; only `text` depends on the language.
    pub fn new(money: Money, language: Language) -> MoneyView {
        MoneyView {
            minor: money.minor(),
            currency: money.currency().to_string(),
            decimal: money.to_string(),
            text: money.in_words(language),
        }
    }
}

/// A request may not name more than the ledger keeps.
fn within_the_ledger<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Credits, D::Error> {
    let units = u64::deserialize(deserializer)?;
    Credits::new(units).map_err(|_| de::Error::invalid_value(de::Unexpected::Unsigned(units), &"u64"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;
    use serde_json::{from_value, json, to_value};

    #[test]
    fn credit_is_an_amount_and_its_unit_wherever_it_stands() {
        let five = Credits::new(5).unwrap();
        let shown = CreditsView::new(five, Unit::UsdCent);
        assert_eq!(to_value(shown).unwrap(), json!({ "amount": 5, "unit": "USD cent" }));
        assert_eq!(from_value::<CreditsView>(to_value(shown).unwrap()).unwrap(), shown);

        let spent = CreditsDeltaView::new(five.spent(), Unit::UsdCent);
        assert_eq!(to_value(spent).unwrap(), json!({ "amount": -5, "unit": "USD cent" }));
    }

    #[test]
    fn a_request_names_the_ledgers_unit_and_no_more_than_the_ledger_keeps() {
        for amount in [
            json!({ "amount": 5 }),
            json!({ "unit": "USD cent" }),
            json!({ "amount": 5, "unit": "USD" }),
            json!({ "amount": 5, "unit": "USD cent", "text": "5" }),
            json!({ "amount": -5, "unit": "USD cent" }),
            json!({ "amount": "5", "unit": "USD cent" }),
            json!({ "amount": 9_007_199_254_740_992_u64, "unit": "USD cent" }),
            json!(5),
        ] {
            assert!(from_value::<CreditsView>(amount.clone()).is_err(), "{amount}");
        }
    }

    #[test]
    fn money_tells_programs_banks_and_persons_the_same() {
        for (minor, currency, decimal, english, vietnamese) in [
            (131_350, "VND", "131350", "131,350 VND", "131.350 VND"),
            (20_123_000, "USDT", "20.123", "20.123 USDT", "20,123 USDT"),
            (1_020_000_000, "USDT", "1020.00", "1,020.00 USDT", "1.020,00 USDT"),
            (112_345, "EUR", "1123.45", "1,123.45 EUR", "1.123,45 EUR"),
            (3, "KWD", "0.003", "0.003 KWD", "0,003 KWD"),
        ] {
            let currency: Currency = currency.parse().unwrap();
            let money = Money::new(minor, currency).unwrap();
            let shown = MoneyView::new(money, Language::English);
            let expected =
                json!({ "minor": minor, "currency": currency, "decimal": decimal, "text": english });
            assert_eq!(to_value(shown).unwrap(), expected);
            assert_eq!(MoneyView::new(money, Language::Vietnamese).text, vietnamese);
        }
    }
}
