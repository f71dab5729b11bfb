use std::fmt;
use std::str::FromStr;

/// What SePay's own PHP SDK accepts.
const LENGTH_MAX: usize = 100;

/// Our name of an order at SePay, unique for ever: 1 to 100 of `A-Z a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InvoiceNumber(String);

/// The text is not an invoice number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an invoice number is 1 to 100 letters, digits, `_` and `-`")]
pub struct InvalidInvoice;

impl InvoiceNumber {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InvoiceNumber {
    type Err = InvalidInvoice;

    fn from_str(text: &str) -> Result<InvoiceNumber, InvalidInvoice> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let is_valid = (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_plain);
        is_valid.then(|| InvoiceNumber(text.to_owned())).ok_or(InvalidInvoice)
    }
}

impl fmt::Display for InvoiceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_sepay_takes_is_an_invoice_number() {
        for text in ["1", "CIT_7", "CIT-20260101-000001", &"a".repeat(100)] {
            assert_eq!(text.parse::<InvoiceNumber>().unwrap().as_str(), text);
        }
        for text in ["", " ", "CIT 7", "CIT/7", "CIT.7", "CIT,7", "CIT=7", "ĐH1", "a\n", &"a".repeat(101)] {
            assert!(text.parse::<InvoiceNumber>().is_err(), "{text:?}");
        }
    }
}
