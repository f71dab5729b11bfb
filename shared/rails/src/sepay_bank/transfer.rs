use primitives::{Private, Timestamp};
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::fields::Fields;
use crate::viet_qr::{CodePrefix, ReferenceCode, find_codes};
use crate::{Unreadable, Vnd};

const BANK_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// One movement on the shop's bank account. SePay's samples leave out or null most texts, so all may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// SePay's own number of it, positive; the same in every retry and in the list.
    pub id: u64,
    pub direction: Direction,
    /// Whole dong, never zero.
    pub amount: Vnd,
    /// When the bank booked it.
    pub at: Option<Timestamp>,
    /// The bank's brand, e.g. `ACB`.
    pub gateway: Option<String>,
    /// The account that moved, ours. It may start with 0.
    pub account_number: Option<String>,
    /// The virtual account, where the bank has them.
    pub sub_account: Option<String>,
    /// What SePay took for a payment code by the company's templates.
    pub code: Option<String>,
    /// The transfer's text as the bank passes it on.
    pub content: Option<Private<String>>,
    /// The bank's whole message.
    pub description: Option<Private<String>>,
    /// The bank's name of the transfer, e.g. `FT26001000001`.
    pub reference_code: Option<String>,
}

/// Which way the money went; only `In` may ever be credited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    In,
    Out,
}

impl Transfer {
    /// Reads the body of a webhook. The bank's times carry no zone: `offset_minutes` east of UTC, 420 in Vietnam.
    ///
    /// `accumulated` is not read: some banks always report 0. What only tells where a transfer came from, or when,
    /// counts as absent when it can't be read: for that no deposit waits.
    pub fn parse(raw: &[u8], offset_minutes: i16) -> Result<Transfer, Unreadable> {
        let mut fields: Fields = serde_json::from_slice(raw).map_err(|_| Unreadable("body"))?;
        Ok(Transfer {
            id: fields.id("id")?,
            direction: direction(fields.verbatim("transferType")?.as_deref())?,
            amount: amount(fields.dong("transferAmount")?)?,
            at: bank_time(&mut fields, "transactionDate", offset_minutes).unwrap_or_default(),
            gateway: fields.text("gateway").unwrap_or_default(),
            account_number: fields.text("accountNumber")?,
            sub_account: fields.text("subAccount").unwrap_or_default(),
            code: fields.text("code")?,
            content: fields.verbatim("content")?.map(Private::new),
            description: fields.verbatim("description")?.map(Private::new),
            reference_code: fields.text("referenceCode").unwrap_or_default(),
        })
    }

    /// SePay's number of the transfer, from a body that may be unreadable otherwise.
    pub fn id_of(raw: &[u8]) -> Option<u64> {
        let mut fields: Fields = serde_json::from_slice(raw).ok()?;
        fields.id("id").ok()
    }

    /// Reads a row of the list of transactions: other names, and the direction is told by which amount is not zero.
    pub(super) fn from_row(mut row: Fields, offset_minutes: i16) -> Result<Transfer, Unreadable> {
        let (direction, amount) = moved(row.dong("amount_in")?, row.dong("amount_out")?)?;
        Ok(Transfer {
            id: row.id("id")?,
            direction,
            amount,
            at: bank_time(&mut row, "transaction_date", offset_minutes).unwrap_or_default(),
            gateway: row.text("bank_brand_name").unwrap_or_default(),
            account_number: row.text("account_number")?,
            sub_account: row.text("sub_account").unwrap_or_default(),
            code: row.text("code")?,
            content: row.verbatim("transaction_content")?.map(Private::new),
            description: None,
            reference_code: row.text("reference_number").unwrap_or_default(),
        })
    }

    /// The codes that may name this transfer's order: SePay's `code` if it is one of ours, and all that are found in
    /// `content`; only if there are none, all in `description`.
    ///
    /// SePay's template takes what merely looks like a code (`CITYBANKS`), so its word alone decides nothing. More
    /// than one code of an open order means: nobody knows.
    pub fn codes(&self, prefix: CodePrefix) -> Vec<ReferenceCode> {
        let cut_out = self.code.as_deref().and_then(|code| code_of(prefix, code));
        let found_in = |text: &Option<Private<String>>| {
            text.as_ref().map(|text| find_codes(prefix, text.expose())).unwrap_or_default()
        };
        let mut codes: Vec<ReferenceCode> = cut_out.into_iter().chain(found_in(&self.content)).collect();
        if codes.is_empty() {
            codes = found_in(&self.description);
        }
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// SePay matches templates in any case (SePay, "Payment code structure").
fn code_of(prefix: CodePrefix, text: &str) -> Option<ReferenceCode> {
    let code: ReferenceCode = text.to_ascii_uppercase().parse().ok()?;
    (code.prefix() == prefix).then_some(code)
}

fn direction(text: Option<&str>) -> Result<Direction, Unreadable> {
    match text {
        Some("in") => Ok(Direction::In),
        Some("out") => Ok(Direction::Out),
        _ => Err(Unreadable("transferType")),
    }
}

fn amount(dong: Option<Vnd>) -> Result<Vnd, Unreadable> {
    dong.filter(|dong| dong.get() > 0).ok_or(Unreadable("transferAmount"))
}

fn moved(amount_in: Option<Vnd>, amount_out: Option<Vnd>) -> Result<(Direction, Vnd), Unreadable> {
    let positive = |amount: Option<Vnd>| amount.filter(|dong| dong.get() > 0);
    match (positive(amount_in), positive(amount_out)) {
        (Some(dong), None) => Ok((Direction::In, dong)),
        (None, Some(dong)) => Ok((Direction::Out, dong)),
        _ => Err(Unreadable("amount_in")),
    }
}

fn bank_time(
    fields: &mut Fields,
    name: &'static str,
    offset_minutes: i16,
) -> Result<Option<Timestamp>, Unreadable> {
    let Some(text) = fields.text(name)? else { return Ok(None) };
    let local = PrimitiveDateTime::parse(&text, BANK_TIME).map_err(|_| Unreadable(name))?;
    let seconds = local.assume_utc().unix_timestamp() - i64::from(offset_minutes) * 60;
    Ok(Some(Timestamp::from_seconds(u64::try_from(seconds).map_err(|_| Unreadable(name))?)))
}
