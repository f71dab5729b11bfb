//! What somebody wants to see on the chain.

use std::sync::Arc;

use serde::Deserialize;

use super::address::is_address;
use super::transfer::Transfer;
use super::{CUSTOMER, FAKE_CONTRACT, FINAL_AFTER_SECONDS};
use crate::{TRON_WALLET, USDT_CONTRACT};

/// One transfer of USDT, or of something that looks like it.
///
/// As JSON the fields have the same names and all but the amount may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsdtWish {
    /// Millionths of a USDT.
    pub amount_micros: u64,
    /// The receiving address; `TRON_WALLET` when absent.
    pub to: Option<String>,
    /// The sending address; some customer's when absent.
    pub from: Option<String>,
    /// The token's contract: `USDT_CONTRACT` when absent, `fake` for one with the same symbol, or an address.
    pub contract: Option<String>,
    /// `true`: final at once; `false`: never; absent: after `confirm_after_seconds`.
    pub confirmed: Option<bool>,
    /// Seconds of the sandbox's clock from block to finality; 60 when absent.
    pub confirm_after_seconds: Option<u64>,
    /// Shown by TronScan with `revert`, never final, never an event at TronGrid.
    pub reverted: bool,
    /// The contract's outcome: `SUCCESS`, `OUT_OF_ENERGY`, …
    pub contract_ret: Option<String>,
    /// Listed among the transfers, but only an allowance.
    pub approval: bool,
    /// How long ago its block was made.
    pub age_seconds: u64,
    /// How long after its block the indexers know it.
    pub indexed_after_seconds: u64,
    /// The indexer that never lists it: `tronscan` or `trongrid`; both do when absent.
    pub unlisted_by: Option<String>,
    /// The transaction (64 hexadecimal digits) to put it into; a fresh one when absent.
    pub tx: Option<String>,
}

impl UsdtWish {
    /// A good transfer of `amount_micros` to `TRON_WALLET`, now.
    pub fn of(amount_micros: u64) -> UsdtWish {
        UsdtWish { amount_micros, ..UsdtWish::default() }
    }

    /// What is wrong with it, in a person's words.
    pub(super) fn refusal(&self) -> Option<String> {
        let addresses = [("to", &self.to), ("from", &self.from), ("contract", &self.contract)];
        let wrong = addresses.into_iter().find(|(name, text)| {
            text.as_deref().is_some_and(|text| !is_address(text) && (*name, text) != ("contract", "fake"))
        });
        if let Some((name, _)) = wrong {
            return Some(format!("`{name}` is no TRON address"));
        }
        if self.unlisted_by.as_deref().is_some_and(|name| !["tronscan", "trongrid"].contains(&name)) {
            return Some("`unlisted_by` is tronscan or trongrid".to_owned());
        }
        let tx = self.tx.as_deref().unwrap_or_default();
        let is_tx = tx.len() == 64 && tx.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (self.tx.is_some() && !is_tx).then(|| "`tx` is 64 hexadecimal digits in lower case".to_owned())
    }

    /// The transfer of the transaction `tx` in the block of `block_ms`.
    pub(super) fn transfer(&self, tx: Arc<str>, block_ms: u64) -> Transfer {
        let after = |seconds: u64| block_ms.saturating_add(seconds.saturating_mul(1_000));
        let final_after = match self.confirmed {
            Some(true) => Some(0),
            Some(false) => None,
            None => Some(self.confirm_after_seconds.unwrap_or(FINAL_AFTER_SECONDS)),
        };
        let contract = match self.contract.as_deref() {
            None => USDT_CONTRACT,
            Some("fake") => FAKE_CONTRACT,
            Some(other) => other,
        };
        let usual_outcome = if self.reverted { "REVERT" } else { "SUCCESS" };
        Transfer {
            seq: 0,
            tx,
            block_ms,
            from: self.from.as_deref().unwrap_or(CUSTOMER).into(),
            to: self.to.as_deref().unwrap_or(TRON_WALLET).into(),
            contract: contract.into(),
            micros: self.amount_micros,
            final_at_ms: final_after.map(after),
            indexed_at_ms: after(self.indexed_after_seconds),
            unlisted_by: self.unlisted_by.as_deref().map(Into::into),
            is_reverted: self.reverted,
            contract_ret: self.contract_ret.as_deref().unwrap_or(usual_outcome).into(),
            is_approval: self.approval,
        }
    }
}

/// Millionths from `5`, `5.1` or `5.123456`: digits, at most six of them after the dot.
pub(super) fn micros_of(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction)
}
