//! TronScan, `GET /api/token_trc20/transfers` (docs.tronscan.org).

use super::row::{Row, whole};
use super::source::{Cursor, Next, Page, Question, check_obedience, times};
use super::verdict::{Reason, Sighting, Verdict};
use super::{Address, wire};
use crate::{ApiError, Unreadable};
use primitives::{Secret, Timestamp};
use serde_json::Value;

/// The service cuts a larger limit silently.
const PAGE_ROWS: usize = 50;
/// `start + limit` beyond it is mishandled silently.
const OFFSET_MAX: usize = 10_000;
/// `confirm`: 0 asks for confirmed transfers only.
const CONFIRMED: &str = "0";

/// TronScan's public index.
#[derive(Debug, Clone)]
pub struct Tronscan {
    /// Without the path, e.g. `https://apilist.tronscanapi.com`.
    pub base_url: String,
    /// Without it requests are throttled.
    pub api_key: Option<Secret>,
}

impl Tronscan {
    pub(crate) async fn page(
        &self,
        http: &reqwest::Client,
        question: &Question,
        cursor: &Cursor,
    ) -> Result<Page, ApiError> {
        if cursor.seen + PAGE_ROWS > OFFSET_MAX {
            return Err(ApiError::Incomplete);
        }
        let query = [
            ("start", cursor.seen.to_string()),
            ("limit", PAGE_ROWS.to_string()),
            ("contract_address", question.watch.contract.to_string()),
            ("toAddress", question.watch.wallet.to_string()),
            ("start_timestamp", question.first.millis().to_string()),
            ("end_timestamp", question.last.millis().to_string()),
            ("confirm", CONFIRMED.to_owned()),
        ];
        let url = wire::address(&self.base_url, "/api/token_trc20/transfers", &query);
        read_page(&wire::get(http, url, self.api_key.as_ref()).await?, question, cursor)
    }
}

fn read_page(answer: &Value, question: &Question, cursor: &Cursor) -> Result<Page, ApiError> {
    let list = answer.get("token_transfers").and_then(Value::as_array);
    let list = list.ok_or(ApiError::Unreadable(Unreadable("token_transfers")))?;
    let rows: Vec<Verdict> = list.iter().map(|row| judge(row, question)).collect();
    check_obedience(&rows, "block_ts")?;
    let times = times(list, "block_ts");
    let next = Cursor { seen: cursor.seen + rows.len(), fingerprint: None };
    // What exactly is counted is not documented, so a count can raise a doubt and never settle one.
    let count = answer.get("rangeTotal").or_else(|| answer.get("total")).and_then(whole);
    let is_all = count.is_some_and(|count| u64::try_from(next.seen).is_ok_and(|seen| count <= seen));
    let next = match rows.len() {
        0 => Next::End,
        PAGE_ROWS.. => Next::More(next),
        _ if is_all => Next::End,
        _ => Next::Doubtful(next),
    };
    Ok(Page { rows, times, next })
}

/// What a row is worth. A missing field is a refusal; names and symbols are never looked at.
pub(crate) fn judge(row: &Value, question: &Question) -> Verdict {
    super::source::verdict(check(Row(row), question))
}

fn check(row: Row<'_>, question: &Question) -> Result<(Sighting, bool), Reason> {
    let at = Timestamp::from_millis(row.whole("block_ts")?);
    let tx = row.parsed("transaction_id")?;
    let from: Address = row.parsed("from_address")?;
    let to: Address = row.parsed("to_address")?;
    let contract: Address = row.parsed("contract_address")?;
    let token: Address = row.parsed("tokenInfo.tokenId")?;
    if !question.contains(at) {
        return Err(Reason::OtherTime);
    }
    if to != question.watch.wallet {
        return Err(if from == question.watch.wallet { Reason::Outgoing } else { Reason::OtherWallet });
    }
    if contract != question.watch.contract || token != question.watch.contract {
        return Err(Reason::OtherToken);
    }
    if row.whole("tokenInfo.tokenDecimal")? != 6 {
        return Err(Reason::Decimals);
    }
    if row.text("event_type")? != "Transfer" {
        return Err(Reason::OtherEvent);
    }
    let amount = row.micros("quant")?;
    if row.flag("revert")? {
        return Err(Reason::Reverted);
    }
    let sighting = Sighting { at, tx, amount, from, index: row.event_index() };
    // Only a final transaction has a final result.
    if !row.flag("confirmed")? {
        return Ok((sighting, false));
    }
    if row.text("contractRet")? != "SUCCESS" || row.text("finalResult")? != "SUCCESS" {
        return Err(Reason::Failed);
    }
    Ok((sighting, true))
}
