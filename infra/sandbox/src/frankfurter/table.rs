//! The currencies, with plausible rates.

use std::collections::BTreeMap;

/// What the European Central Bank publishes, for one dollar.
const ECB: [(&str, &str); 31] = [
    ("AUD", "1.5384"),
    ("BGN", "1.6934"),
    ("BRL", "5.3382"),
    ("CAD", "1.3997"),
    ("CHF", "0.8021"),
    ("CNY", "7.1042"),
    ("CZK", "20.984"),
    ("DKK", "6.4662"),
    ("EUR", "0.86588"),
    ("GBP", "0.76245"),
    ("HKD", "7.7836"),
    ("HUF", "331.12"),
    ("IDR", "16702"),
    ("ILS", "3.2617"),
    ("INR", "88.619"),
    ("ISK", "127.02"),
    ("JPY", "155.31"),
    ("KRW", "1467.4"),
    ("MXN", "18.366"),
    ("MYR", "4.1402"),
    ("NOK", "10.147"),
    ("NZD", "1.7651"),
    ("PHP", "58.842"),
    ("PLN", "3.6689"),
    ("RON", "4.4037"),
    ("SEK", "9.5174"),
    ("SGD", "1.3047"),
    ("THB", "32.411"),
    ("TRY", "42.337"),
    ("USD", "1.0"),
    ("ZAR", "17.206"),
];

/// What other central banks add in v2.
const OTHERS: [(&str, &str); 4] =
    [("AED", "3.6725"), ("KHR", "4012.0"), ("TWD", "31.204"), ("VND", "26120.0")];

/// All currencies on an ordinary day.
pub(super) fn usual() -> BTreeMap<String, String> {
    let owned = |(code, rate): (&str, &str)| (code.to_owned(), rate.to_owned());
    ECB.into_iter().chain(OTHERS).map(owned).collect()
}

pub(super) fn is_of_the_ecb(code: &str) -> bool {
    ECB.iter().any(|(known, _)| *known == code)
}

/// Three capitals.
pub(super) fn is_code(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}
