use serde::{Deserialize, Serialize, de};
use std::fmt;
use std::str::FromStr;

/// What money is counted in: an ISO 4217 currency (`VND`), or the token that is taken like one (`USDT`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(Code);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Code {
    Iso([u8; 3]),
    Usdt,
}

/// The text is neither three upper-case letters nor `USDT`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three upper-case letters, such as USD, or USDT")]
pub struct InvalidCurrency;

impl Currency {
    /// The US dollar, in cents.
    pub const USD: Currency = Currency(Code::Iso(*b"USD"));
    /// The Vietnamese dong, which has no smaller unit (ISO 4217).
    pub const VND: Currency = Currency(Code::Iso(*b"VND"));
    /// The Thai baht, in satang.
    pub const THB: Currency = Currency(Code::Iso(*b"THB"));
    /// Tether's dollar token, with the six decimals it has on TRON.
    pub const USDT: Currency = Currency(Code::Usdt);

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
        Currency(Code::Iso(*code))
    }

    /// Only what ISO 4217 could name: three upper-case letters. What a person may have amounts shown in.
    pub fn of_iso(text: &str) -> Result<Currency, InvalidCurrency> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| InvalidCurrency)?;
        if !code.iter().all(u8::is_ascii_uppercase) {
            return Err(InvalidCurrency);
        }
        Ok(Currency(Code::Iso(code)))
    }

    /// Its ISO 4217 code, or `USDT`.
    pub fn code(&self) -> &str {
        match &self.0 {
            Code::Iso(code) => std::str::from_utf8(code).unwrap_or("???"),
            Code::Usdt => "USDT",
        }
    }

    /// How many decimals its minor unit has: ISO 4217, list one; six for USDT (`docs/facts/tron.md`).
    pub fn decimals(&self) -> u32 {
        match self.code() {
            "USDT" => 6,
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
            | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        }
    }

    /// Minor units in one of the currency.
    pub(crate) fn scale(&self) -> u64 {
        10_u64.pow(self.decimals())
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Currency, InvalidCurrency> {
        if text == "USDT" { Ok(Currency::USDT) } else { Currency::of_iso(text) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_read_as_it_is_written_and_knows_its_decimals() {
        for (code, decimals) in [("USD", 2), ("THB", 2), ("VND", 0), ("KWD", 3), ("UYW", 4), ("USDT", 6)] {
            let currency: Currency = code.parse().unwrap();
            assert_eq!((currency.to_string().as_str(), currency.decimals()), (code, decimals));
        }
        assert_eq!("USDT".parse(), Ok(Currency::USDT));
        assert!(Currency::of_iso("USDT").is_err(), "nobody's accounts are kept in it");
        for text in ["", "US", "usd", "usdt", "USDC", "US D", "ÄÖÜ", "USDTT"] {
            assert!(text.parse::<Currency>().is_err(), "{text}");
        }
    }
}
