use super::tlv::{crc16, field};
use crate::Vnd;

pub(super) const NAPAS: &str = "A000000727";
/// To an account; `QRIBFTTC` would be to a card.
pub(super) const TO_ACCOUNT: &str = "QRIBFTTA";
pub(super) const VND: &str = "704";
/// 13 digits; this limit, the account's and the purpose's are those of vietqr.io's form.
const AMOUNT_MAX: u64 = 9_999_999_999_999;
const PURPOSE_LENGTH_MAX: usize = 25;

/// The text a VietQR code carries: one transfer of one amount with one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(String);

/// The account that is paid: its bank's 6-digit BIN (ACB is 970416) and its number, which may start with 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beneficiary {
    bin: String,
    account: String,
}

/// Which part a banking app would not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPayload {
    #[error("a bank's BIN is 6 digits")]
    Bin,
    #[error("an account is 6 to 19 letters or digits")]
    Account,
    #[error("an amount is 1 to 9,999,999,999,999 dong")]
    Amount,
    #[error("a purpose is 1 to 25 letters, digits or spaces, without diacritics")]
    Purpose,
}

impl Payload {
    /// The purpose is what the bank passes on as the transfer's text: the reference code.
    pub fn new(to: &Beneficiary, amount: Vnd, purpose: &str) -> Result<Payload, InvalidPayload> {
        if !(1..=AMOUNT_MAX).contains(&amount.get()) {
            return Err(InvalidPayload::Amount);
        }
        let is_plain = purpose.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ');
        if !is_plain || !(1..=PURPOSE_LENGTH_MAX).contains(&purpose.len()) {
            return Err(InvalidPayload::Purpose);
        }
        let account = field("00", &to.bin) + &field("01", &to.account);
        let transfer = field("00", NAPAS) + &field("01", &account) + &field("02", TO_ACCOUNT);
        let fields = [
            field("00", "01"),
            field("01", "12"),
            field("38", &transfer),
            field("53", VND),
            field("54", &amount.to_string()),
            field("58", "VN"),
            field("62", &field("08", purpose)),
        ];
        // The checksum covers its own id and length too.
        let body = fields.concat() + "6304";
        let crc = crc16(body.as_bytes());
        Ok(Payload(format!("{body}{crc:04X}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Beneficiary {
    pub fn new(bin: &str, account: &str) -> Result<Beneficiary, InvalidPayload> {
        if bin.len() != 6 || !bin.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidPayload::Bin);
        }
        if !(6..=19).contains(&account.len()) || !account.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(InvalidPayload::Account);
        }
        Ok(Beneficiary { bin: bin.to_owned(), account: account.to_owned() })
    }

    pub fn bin(&self) -> &str {
        &self.bin
    }

    pub fn account(&self) -> &str {
        &self.account
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::viet_qr::vectors::PUBLISHED;

    fn payload(account: &str, dong: u64, purpose: &str) -> Result<Payload, InvalidPayload> {
        Payload::new(&Beneficiary::new("970416", account)?, Vnd::new(dong).unwrap(), purpose)
    }

    #[test]
    fn the_published_vectors_are_written_byte_for_byte() {
        for (account, dong, text) in PUBLISHED {
            assert_eq!(payload(account, dong, "CITAB12CD").unwrap().as_str(), text);
        }
    }

    #[test]
    fn the_longest_payment_is_written() {
        let longest = payload(&"9".repeat(19), AMOUNT_MAX, &"W".repeat(25)).unwrap();
        assert!(longest.as_str().contains("54139999999999999"));
    }

    #[test]
    fn what_a_banking_app_would_refuse_is_refused_here() {
        for bin in ["", "97041", "9704166", "97041a", "97041٦"] {
            assert_eq!(Beneficiary::new(bin, "12345678"), Err(InvalidPayload::Bin), "{bin}");
        }
        for account in ["", "12345", "12345678901234567890", "123 456", "1234-5678", "ĐBC12345"] {
            assert_eq!(Beneficiary::new("970416", account), Err(InvalidPayload::Account), "{account}");
        }
        for dong in [0, AMOUNT_MAX + 1] {
            assert_eq!(payload("12345678", dong, "CITAB2CDE"), Err(InvalidPayload::Amount), "{dong}");
        }
        for purpose in ["", "12345678901234567890123456", "Nạp tiền", "CIT-AB2CDE", "a\nb", "CITAB2CDE."]
        {
            assert_eq!(payload("12345678", 1, purpose), Err(InvalidPayload::Purpose), "{purpose}");
        }
    }
}
