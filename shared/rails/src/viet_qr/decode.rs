use super::payload::{NAPAS, TO_ACCOUNT, VND};
use super::tlv::{Fields, crc16};
use super::{Beneficiary, Payload};
use crate::Vnd;

/// What a banking app reads out of a VietQR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub beneficiary: Beneficiary,
    /// `None` in a static code, where the payer types it.
    pub amount: Option<Vnd>,
    pub purpose: Option<String>,
}

/// Why a text is not taken for a VietQR payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    #[error("the text is not made of numbered fields with a checksum at its end")]
    Shape,
    #[error("the checksum is another one")]
    Checksum,
    #[error("the field {0} is missing or not VietQR's")]
    Field(&'static str),
}

impl Payload {
    /// Reads any VietQR payload to an account, also another maker's. Fields this rail does not use are skipped.
    pub fn decode(text: &str) -> Result<Decoded, Undecodable> {
        check(text)?;
        let fields = Fields::split(text).ok_or(Undecodable::Shape)?;
        if fields.last_id() != Some("63") {
            return Err(Undecodable::Shape);
        }
        for (id, value) in [("00", "01"), ("53", VND), ("58", "VN")] {
            if fields.get(id) != Some(value) {
                return Err(Undecodable::Field(id));
            }
        }
        Ok(Decoded {
            beneficiary: fields.get("38").and_then(beneficiary).ok_or(Undecodable::Field("38"))?,
            amount: fields.get("54").map(amount).transpose()?,
            purpose: fields.get("62").map(purpose).transpose()?.flatten(),
        })
    }
}

/// The last four characters are the checksum of all before them; some makers write it in lower case.
fn check(text: &str) -> Result<(), Undecodable> {
    let border = text.len().checked_sub(4).ok_or(Undecodable::Shape)?;
    let (body, crc) = text.split_at_checked(border).ok_or(Undecodable::Shape)?;
    // Other makers count a letter's length in other units than bytes, so only ASCII has one meaning.
    if !text.is_ascii() || !body.ends_with("6304") {
        return Err(Undecodable::Shape);
    }
    let is_right = crc.eq_ignore_ascii_case(&format!("{:04X}", crc16(body.as_bytes())));
    is_right.then_some(()).ok_or(Undecodable::Checksum)
}

fn beneficiary(transfer: &str) -> Option<Beneficiary> {
    let transfer = Fields::split(transfer)?;
    if transfer.get("00") != Some(NAPAS) || transfer.get("02") != Some(TO_ACCOUNT) {
        return None;
    }
    let account = Fields::split(transfer.get("01")?)?;
    Beneficiary::new(account.get("00")?, account.get("01")?).ok()
}

fn amount(text: &str) -> Result<Vnd, Undecodable> {
    Vnd::parse(text).map_err(|_| Undecodable::Field("54"))
}

fn purpose(additional: &str) -> Result<Option<String>, Undecodable> {
    let additional = Fields::split(additional).ok_or(Undecodable::Field("62"))?;
    Ok(additional.get("08").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::viet_qr::vectors::{PUBLISHED, VIETNAM_QR_PAY, VIETQR_IO};
    use proptest::prelude::*;

    const FIRST: &str = PUBLISHED[0].2;

    fn decoded(account: &str, bin: &str, dong: u64, purpose: &str) -> Result<Decoded, Undecodable> {
        Ok(Decoded {
            beneficiary: Beneficiary::new(bin, account).unwrap(),
            amount: Some(Vnd::new(dong).unwrap()),
            purpose: Some(purpose.to_owned()),
        })
    }

    #[test]
    fn the_published_vectors_are_read() {
        for (account, dong, text) in PUBLISHED {
            assert_eq!(Payload::decode(text), decoded(account, "970416", dong, "CITAB12CD"));
        }
    }

    #[test]
    fn other_makers_payloads_are_read() {
        let vaccine = decoded("113366668888", "970415", 79_000, "Ung Ho Quy Vac Xin");
        assert_eq!(Payload::decode(VIETQR_IO), vaccine);
        assert_eq!(Payload::decode(VIETNAM_QR_PAY), decoded("257678859", "970416", 10_000, "Chuyen tien"));
    }

    #[test]
    fn a_checksum_in_lower_case_is_the_same_checksum() {
        for (_, _, text) in PUBLISHED {
            let (body, crc) = text.split_at(text.len() - 4);
            assert_eq!(Payload::decode(&(body.to_owned() + &crc.to_lowercase())), Payload::decode(text));
        }
        assert!(Payload::decode(&VIETQR_IO.replace("3ACF", "3acf")).is_ok());
    }

    #[test]
    fn a_changed_amount_is_refused() {
        assert_eq!(Payload::decode(&FIRST.replace("250000", "150000")), Err(Undecodable::Checksum));
    }

    #[test]
    fn a_right_checksum_does_not_excuse_a_wrong_field() {
        for (from, to, error) in [
            ("5303704", "5303840", Undecodable::Field("53")),
            ("5802VN", "5802TH", Undecodable::Field("58")),
            ("QRIBFTTA", "QRIBFTTC", Undecodable::Field("38")),
            ("A000000727", "A000000728", Undecodable::Field("38")),
            ("970416", "97041X", Undecodable::Field("38")),
            ("5406250000", "54ed250000", Undecodable::Shape),
            ("5406250000", "5406250.50", Undecodable::Field("54")),
            ("5406250000", "5406-25000", Undecodable::Field("54")),
            ("62130809", "62130810", Undecodable::Field("62")),
            ("5802VN", "5802VN5802VN", Undecodable::Shape),
        ] {
            assert_eq!(Payload::decode(&resealed(&FIRST.replace(from, to))), Err(error), "{to}");
        }
        for text in ["", "6304", "63047720", "ệệệệ", "6304FFFF"] {
            assert!(Payload::decode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_static_code_has_no_amount() {
        let decoded = Payload::decode(&resealed(&FIRST.replace("5406250000", ""))).unwrap();
        assert_eq!(decoded.amount, None);
    }

    fn resealed(text: &str) -> String {
        let body = &text[..text.len() - 4];
        format!("{body}{:04X}", crc16(body.as_bytes()))
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(
            bin in "[0-9]{6}", account in "[0-9A-Za-z]{6,19}", dong in 1u64..=9_999_999_999_999,
            purpose in "[0-9A-Za-z ]{1,25}",
        ) {
            let to = Beneficiary::new(&bin, &account).unwrap();
            let payload = Payload::new(&to, Vnd::new(dong).unwrap(), &purpose).unwrap();
            prop_assert_eq!(Payload::decode(payload.as_str()), decoded(&account, &bin, dong, &purpose));
        }

        #[test]
        fn any_text_is_decoded_without_harm(text in any::<String>(), tail in "[0-9]{0,60}") {
            let _ = Payload::decode(&text);
            let _ = Payload::decode(&resealed(&format!("000201{tail}63040000")));
        }
    }
}
