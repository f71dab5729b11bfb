//! Reading a VietQR code as a banking app does (NAPAS, EMVCo merchant-presented).

use std::fmt;

use serde::Serialize;

const NAPAS: &str = "A000000727";
const TO_AN_ACCOUNT: &str = "QRIBFTTA";

/// What the app shows its user before the transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScannedQr {
    /// The bank's number.
    pub bin: String,
    /// The account to pay into.
    pub account: String,
    /// Whole dong; `None` lets the payer type it.
    pub amount: Option<u64>,
    /// The memo; empty when the code has none.
    pub memo: String,
}

/// Why an app shows "invalid code".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadableQr {
    /// Lengths that point past the end, or no digits where a length belongs.
    Broken,
    /// The last four digits do not belong to the rest.
    Checksum,
    /// A required field is missing, or has another value than VietQR's.
    Field(&'static str),
}

/// Checks the whole code, then takes out what a transfer needs.
pub(crate) fn scan(payload: &str) -> Result<ScannedQr, UnreadableQr> {
    let fields = fields(payload)?;
    checked(payload, &fields)?;
    for (id, wanted) in [("00", "01"), ("53", "704"), ("58", "VN")] {
        if value(&fields, id) != Some(wanted) {
            return Err(UnreadableQr::Field(id));
        }
    }
    let (bin, account) = receiver(value(&fields, "38").ok_or(UnreadableQr::Field("38"))?)?;
    Ok(ScannedQr { bin, account, amount: amount(&fields)?, memo: memo(&fields)? })
}

/// CRC-16/CCITT-FALSE.
pub(crate) fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc: u16, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

type Field<'a> = (&'a str, &'a str);

/// Two digits of id, two of length, then the value.
fn fields(mut text: &str) -> Result<Vec<Field<'_>>, UnreadableQr> {
    let mut fields = Vec::new();
    while !text.is_empty() {
        let id = text.get(..2).ok_or(UnreadableQr::Broken)?;
        let length = text.get(2..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let length: usize = length.and_then(|digits| digits.parse().ok()).ok_or(UnreadableQr::Broken)?;
        let value = text.get(4..4 + length).ok_or(UnreadableQr::Broken)?;
        fields.push((id, value));
        text = &text[4 + length..];
    }
    Ok(fields)
}

/// The checksum is the last field and covers all before it, with its own `6304`.
fn checked(payload: &str, fields: &[Field]) -> Result<(), UnreadableQr> {
    let Some((covered, given)) = payload.len().checked_sub(4).and_then(|at| payload.split_at_checked(at))
    else {
        return Err(UnreadableQr::Broken);
    };
    let is_last = fields.last().is_some_and(|(id, value)| *id == "63" && value.len() == 4);
    let is_right = given.eq_ignore_ascii_case(&format!("{:04X}", crc(covered.as_bytes())));
    if is_last && is_right { Ok(()) } else { Err(UnreadableQr::Checksum) }
}

fn receiver(text: &str) -> Result<(String, String), UnreadableQr> {
    let outer = fields(text)?;
    if value(&outer, "00") != Some(NAPAS) || value(&outer, "02") != Some(TO_AN_ACCOUNT) {
        return Err(UnreadableQr::Field("38"));
    }
    let inner = fields(value(&outer, "01").ok_or(UnreadableQr::Field("38"))?)?;
    match (value(&inner, "00"), value(&inner, "01")) {
        (Some(bin), Some(account)) => Ok((bin.to_owned(), account.to_owned())),
        _ => Err(UnreadableQr::Field("38")),
    }
}

/// A code for one payment (`12`) has an amount, a standing one (`11`) has none.
fn amount(fields: &[Field]) -> Result<Option<u64>, UnreadableQr> {
    match (value(fields, "01"), value(fields, "54")) {
        (Some("11"), None) => Ok(None),
        (Some("12"), Some(digits)) if is_amount(digits) => {
            digits.parse().map(Some).map_err(|_| UnreadableQr::Field("54"))
        }
        (Some("11" | "12"), _) => Err(UnreadableQr::Field("54")),
        _ => Err(UnreadableQr::Field("01")),
    }
}

/// At most 13 digits (vietqr.io).
fn is_amount(digits: &str) -> bool {
    (1..=13).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn memo(outer: &[Field]) -> Result<String, UnreadableQr> {
    let Some(more) = value(outer, "62") else { return Ok(String::new()) };
    Ok(value(&fields(more)?, "08").unwrap_or_default().to_owned())
}

fn value<'a>(fields: &[Field<'a>], id: &str) -> Option<&'a str> {
    fields.iter().find(|(of, _)| *of == id).map(|(_, value)| *value)
}

impl fmt::Display for UnreadableQr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnreadableQr::Broken => f.write_str("not a VietQR code"),
            UnreadableQr::Checksum => f.write_str("the checksum does not fit"),
            UnreadableQr::Field(id) => write!(f, "field {id} is missing or not VietQR's"),
        }
    }
}

impl std::error::Error for UnreadableQr {}
