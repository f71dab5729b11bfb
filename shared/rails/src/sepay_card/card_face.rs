use super::reading;
use serde_json::Value;
use std::fmt;

/// What a person recognises a card by. The rest of its number and its holder's name are never kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFace {
    last4: String,
    brand: Option<String>,
    expiry: Option<CardExpiry>,
}

/// Shown as on the card, `12/26`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardExpiry {
    month: u8,
    /// Of this century.
    year: u8,
}

impl CardFace {
    /// `None` when the number does not end in four digits (a bank transfer has no card).
    pub fn read(number: &str, brand: Option<&str>, expiry: Option<&str>) -> Option<CardFace> {
        let start = number.len().checked_sub(4)?;
        let last4 = number.get(start..).filter(|end| end.bytes().all(|b| b.is_ascii_digit()))?;
        Some(CardFace {
            last4: last4.to_owned(),
            brand: brand.filter(|brand| is_brand(brand)).map(str::to_owned),
            expiry: expiry.and_then(CardExpiry::read),
        })
    }

    pub(crate) fn of_transaction(transaction: &Value) -> Option<CardFace> {
        let number = reading::text(&transaction["card_number"])?;
        let expiry = reading::text(&transaction["card_expiry"]);
        CardFace::read(&number, transaction["card_brand"].as_str(), expiry.as_deref())
    }

    /// The last four digits.
    pub fn last4(&self) -> &str {
        &self.last4
    }

    /// E.g. `VISA`, `MASTERCARD`, `JCB`.
    pub fn brand(&self) -> Option<&str> {
        self.brand.as_deref()
    }

    pub fn expiry(&self) -> Option<CardExpiry> {
        self.expiry
    }
}

/// No digits: nothing of a card's number can hide in it.
fn is_brand(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphabetic() || b == b' ' || b == b'_';
    (1..=20).contains(&text.len()) && text.bytes().all(is_plain)
}

impl CardExpiry {
    /// `12/26` as in the IPN, `1230` (MMYY) as in the order API.
    pub fn read(text: &str) -> Option<CardExpiry> {
        let (month, year) = text.split_once('/').or_else(|| text.split_at_checked(2))?;
        let two_digits = |part: &str| {
            let is_digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            is_digits.then(|| part.parse::<u8>().ok())?
        };
        let (month, year) = (two_digits(month)?, two_digits(year)?);
        (1..=12).contains(&month).then_some(CardExpiry { month, year })
    }

    pub fn month(self) -> u8 {
        self.month
    }

    /// All four digits.
    pub fn year(self) -> u16 {
        2000 + u16::from(self.year)
    }
}

impl fmt::Display for CardExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}/{:02}", self.month, self.year)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_four_digits_of_a_number_are_kept() {
        for number in
            ["411111XXXXXX1234", "************1234", "4111-1111-1111-1234", "4111111111111234", "1234"]
        {
            let face = CardFace::read(number, Some("VISA"), Some("12/26")).unwrap();
            assert_eq!(face.last4(), "1234", "{number}");
            assert!(!format!("{face:?}").contains("1111"), "{number}");
        }
        for number in ["", "123", "411111******", "4111 1111 1111 123 ", "ab1234đ", "12345é67"] {
            assert_eq!(CardFace::read(number, None, None), None, "{number}");
        }
    }

    #[test]
    fn a_number_in_the_wrong_place_is_not_kept_either() {
        let full = "4111111111111234";
        let face = CardFace::read(full, Some(full), Some(full)).unwrap();
        assert_eq!((face.last4(), face.brand(), face.expiry()), ("1234", None, None));
    }

    #[test]
    fn both_ways_to_write_an_expiry_mean_the_same() {
        for (text, shown) in [("12/26", "12/26"), ("1226", "12/26"), ("0130", "01/30")] {
            assert_eq!(CardExpiry::read(text).unwrap().to_string(), shown);
        }
        assert_eq!(CardExpiry::read("1230").map(|expiry| (expiry.month(), expiry.year())), Some((12, 2030)));
        for text in ["", "1", "13/26", "00/26", "1326", "12/2026", "12-26", "+1/26", "1é30", "12/ 6"] {
            assert_eq!(CardExpiry::read(text), None, "{text}");
        }
    }
}
