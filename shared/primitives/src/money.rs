use serde::{Deserialize, Serialize, de};
use std::fmt;
use std::str::FromStr;

/// An ISO 4217 currency code, e.g. `VND`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// What somebody paid outside, in minor units of its currency; it never mixes with [`crate::Credits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    pub minor_units: u64,
    pub currency: Currency,
}

/// The text is not three upper-case letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three upper-case letters, such as USD")]
pub struct InvalidCurrency;

impl Currency {
    pub const USD: Currency = Currency(*b"USD");
    pub const VND: Currency = Currency(*b"VND");

    /// The currency a person in that country (ISO 3166 alpha-2) usually thinks in; for display only.
    pub fn of_country(country: &str) -> Currency {
        let code = match country {
            "VN" => b"VND",
            "TH" => b"THB",
            "JP" => b"JPY",
            "KR" => b"KRW",
            "SG" => b"SGD",
            "GB" => b"GBP",
            "AU" => b"AUD",
            "CA" => b"CAD",
            "CH" => b"CHF",
            "CN" => b"CNY",
            "HK" => b"HKD",
            "IN" => b"INR",
            "ID" => b"IDR",
            "MY" => b"MYR",
            "PH" => b"PHP",
            "NZ" => b"NZD",
            "AT" | "BE" | "CY" | "DE" | "EE" | "ES" | "FI" | "FR" | "GR" | "HR" | "IE" | "IT" | "LT"
            | "LU" | "LV" | "MT" | "NL" | "PT" | "SI" | "SK" => b"EUR",
            _ => b"USD",
        };
        Currency(*code)
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Currency, InvalidCurrency> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| InvalidCurrency)?;
        if !code.iter().all(u8::is_ascii_uppercase) {
            return Err(InvalidCurrency);
        }
        Ok(Currency(code))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
