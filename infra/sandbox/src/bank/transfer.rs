//! One line of the account's statement.

use serde::{Deserialize, Serialize};

use super::memo;
use super::webhook::Proof;
use super::wish::TransferWish;
use crate::calendar;
use crate::delivery::Outcome;

/// The bank's brand as SePay writes it.
pub(super) const BRAND: &str = "ACB";

/// A transfer that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) id: u64,
    /// Vietnam's time, as the bank prints it.
    pub(super) date: String,
    pub(super) account: String,
    pub(super) code: Option<String>,
    pub(super) content: String,
    pub(super) is_outgoing: bool,
    /// Whole dong.
    pub(super) amount: u64,
    /// The account's balance afterwards; it does not follow where that would leave zero or the integers.
    pub(super) accumulated: u64,
    pub(super) reference: String,
    pub(super) description: String,
    pub(crate) proof: Proof,
    pub(super) deliveries: Vec<Outcome>,
}

/// The webhook's body (SePay, "Integrate webhook"); the fields keep the order of its samples.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    id: u64,
    gateway: &'static str,
    transaction_date: &'a str,
    account_number: &'a str,
    code: Option<&'a str>,
    content: &'a str,
    transfer_type: &'static str,
    transfer_amount: u64,
    accumulated: u64,
    sub_account: Option<&'a str>,
    reference_code: &'a str,
    description: &'a str,
}

impl Transfer {
    pub(super) fn new(id: u64, wish: TransferWish, accumulated: u64, now: u64) -> Transfer {
        let (content, code) = memo::reported(&wish.memo, wish.mangle);
        Transfer {
            id,
            date: calendar::text(wish.at.unwrap_or(now)),
            account: wish.account,
            code,
            is_outgoing: wish.outgoing,
            amount: wish.amount,
            accumulated,
            reference: format!("FT{id:014}"),
            description: format!("{BRAND} {content}"),
            content,
            proof: wish.proof,
            deliveries: Vec::new(),
        }
    }

    /// The webhook's bytes; a repeated delivery has the same.
    pub(crate) fn body(&self) -> Vec<u8> {
        let body = Body {
            id: self.id,
            gateway: BRAND,
            transaction_date: &self.date,
            account_number: &self.account,
            code: self.code.as_deref(),
            content: &self.content,
            transfer_type: if self.is_outgoing { "out" } else { "in" },
            transfer_amount: self.amount,
            accumulated: self.accumulated,
            sub_account: None,
            reference_code: &self.reference,
            description: &self.description,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The line behind the check value of the signature.
    #[cfg(test)]
    pub(crate) fn sample() -> Transfer {
        let wish = TransferWish { at: Some(1_767_225_600), ..TransferWish::new(250_000, "CITAB12CD") };
        let made = Transfer::new(92_704, wish, 1_250_000, 0);
        Transfer { reference: "FT26001000001".to_owned(), ..made }
    }
}
