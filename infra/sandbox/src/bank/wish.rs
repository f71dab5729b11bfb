//! What somebody wants transferred, and what shall go wrong on the way.

use serde::Deserialize;

use super::memo::Mangle;
use super::webhook::Proof;
use crate::{BANK_ACCOUNT, calendar};

/// One transfer to be made. Start from [`TransferWish::new`] and change what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferWish {
    /// Whole dong.
    pub amount: u64,
    /// What the payer typed.
    pub memo: String,
    /// The account it goes to (or comes from); the shop's unless said otherwise.
    pub account: String,
    /// What the bank does to the memo.
    pub mangle: Option<Mangle>,
    /// Money leaves the account.
    pub outgoing: bool,
    /// The webhook goes out twice, under one id.
    pub twice: bool,
    /// The webhook does not go out; the list has the transfer all the same.
    pub lose_webhook: bool,
    /// The bank's time in Unix seconds; now when absent.
    pub at: Option<u64>,
    /// How the webhook proves its origin.
    pub proof: Proof,
}

impl TransferWish {
    /// An ordinary transfer to the shop's account, now.
    pub fn new(amount: u64, memo: &str) -> TransferWish {
        TransferWish {
            amount,
            memo: memo.to_owned(),
            account: BANK_ACCOUNT.to_owned(),
            mangle: None,
            outgoing: false,
            twice: false,
            lose_webhook: false,
            at: None,
            proof: Proof::Hmac,
        }
    }

    /// Reads the body of `POST transfers`; the error says what is wrong with it.
    pub(super) fn read(body: &[u8]) -> Result<TransferWish, String> {
        let order: Order = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if order.amount == 0 {
            return Err("amount: whole dong above zero".to_owned());
        }
        let at = order.at.map(|text| calendar::unix(&text).ok_or("at: YYYY-MM-DD HH:MM:SS")).transpose()?;
        Ok(TransferWish {
            amount: order.amount,
            memo: order.memo,
            account: order.account.unwrap_or_else(|| BANK_ACCOUNT.to_owned()),
            mangle: order.mangle,
            outgoing: order.direction == Direction::Out,
            twice: order.twice,
            lose_webhook: order.lose_webhook,
            at,
            proof: order.auth,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    amount: u64,
    memo: String,
    account: Option<String>,
    mangle: Option<Mangle>,
    #[serde(default)]
    direction: Direction,
    #[serde(default)]
    twice: bool,
    #[serde(default)]
    lose_webhook: bool,
    at: Option<String>,
    #[serde(default)]
    auth: Proof,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    #[default]
    In,
    Out,
}
