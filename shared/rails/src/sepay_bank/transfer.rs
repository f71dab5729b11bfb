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

/// What can be read of a body that is no [`Transfer`]: enough for the person who decides about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glimpse {
    pub id: Option<u64>,
    pub amount: Option<Vnd>,
    pub at: Option<Timestamp>,
    pub reference_code: Option<String>,
    /// Everything in which a code may stand.
    pub texts: Vec<Private<String>>,
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
    /// `accumulated` is not read: some banks always report 0. Only what decides can make a body unreadable: the id, the
    /// direction, the amount and the account. Everything else counts as absent when it can't be read.
    pub fn parse(raw: &[u8], offset_minutes: i16) -> Result<Transfer, Unreadable> {
        let mut fields = Fields::of_body(raw).ok_or(Unreadable("body"))?;
        Ok(Transfer {
            id: fields.id("id")?,
            direction: direction(&fields.word("transferType")?)?,
            amount: amount(fields.dong("transferAmount")?)?,
            at: bank_time(&mut fields, "transactionDate", offset_minutes),
            gateway: fields.text("gateway"),
            account_number: fields.account("accountNumber")?,
            sub_account: fields.account("subAccount").unwrap_or_default(),
            code: fields.text("code"),
            content: fields.verbatim("content").map(Private::new),
            description: fields.verbatim("description").map(Private::new),
            reference_code: fields.text("referenceCode"),
        })
    }

    /// What can be read of a body that [`Transfer::parse`] refuses.
    pub fn glimpse(raw: &[u8], offset_minutes: i16) -> Glimpse {
        let Some(mut fields) = Fields::of_body(raw) else { return Glimpse::default() };
        let texts = ["code", "content", "description"].map(|name| fields.text(name));
        Glimpse {
            id: fields.id("id").ok(),
            amount: fields.dong("transferAmount").ok().flatten(),
            at: bank_time(&mut fields, "transactionDate", offset_minutes),
            reference_code: fields.text("referenceCode"),
            texts: texts.into_iter().flatten().map(Private::new).collect(),
        }
    }

    /// Reads a row of the list of transactions: other names, and the direction is told by which amount is not zero.
    pub(super) fn from_row(row: &str, offset_minutes: i16) -> Result<Transfer, Unreadable> {
        let mut row = Fields::of_json(row).ok_or(Unreadable("transactions"))?;
        let (direction, amount) = moved(row.dong("amount_in")?, row.dong("amount_out")?)?;
        Ok(Transfer {
            id: row.id("id")?,
            direction,
            amount,
            at: bank_time(&mut row, "transaction_date", offset_minutes),
            gateway: row.text("bank_brand_name"),
            account_number: row.account("account_number")?,
            sub_account: row.account("sub_account").unwrap_or_default(),
            code: row.text("code"),
            content: row.verbatim("transaction_content").map(Private::new),
            description: None,
            reference_code: row.text("reference_number"),
        })
    }

    /// Everything in which a code may stand.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let told =
            [&self.content, &self.description].into_iter().flatten().map(|text| text.expose().as_str());
        self.code.as_deref().into_iter().chain(told)
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

/// `in` or `out`, in any case.
fn direction(word: &str) -> Result<Direction, Unreadable> {
    match word {
        "in" => Ok(Direction::In),
        "out" => Ok(Direction::Out),
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

/// `None` also when it can't be read: a deposit does not wait for its date.
fn bank_time(fields: &mut Fields, name: &str, offset_minutes: i16) -> Option<Timestamp> {
    let local = PrimitiveDateTime::parse(&fields.text(name)?, BANK_TIME).ok()?;
    let seconds = local.assume_utc().unix_timestamp() - i64::from(offset_minutes) * 60;
    Some(Timestamp::from_seconds(u64::try_from(seconds).ok()?))
}
