//! TronGrid, `GET /v1/accounts/{address}/transactions/trc20` (developers.tron.network).

use super::row::Row;
use super::source::{Cursor, Next, Page, Question, check_obedience, times};
use super::verdict::{Reason, Sighting, Verdict};
use super::{Address, wire};
use crate::{ApiError, Unreadable};
use primitives::{Secret, Timestamp};
use serde_json::Value;

/// The largest page there is.
const PAGE_ROWS: usize = 200;
/// A fingerprint goes back into our query; those seen have about a hundred characters.
const FINGERPRINT_MAX: usize = 4096;

/// TronGrid's index. Its rows carry no word about being final: that confirmed ones were asked for must do.
#[derive(Debug, Clone)]
pub struct Trongrid {
    /// Without the path, e.g. `https://api.trongrid.io`.
    pub base_url: String,
    /// Without it requests are throttled.
    pub api_key: Option<Secret>,
}

impl Trongrid {
    pub(crate) async fn page(
        &self,
        http: &reqwest::Client,
        question: &Question,
        cursor: &Cursor,
    ) -> Result<Page, ApiError> {
        let mut query = vec![
            ("only_confirmed", "true".to_owned()),
            ("only_to", "true".to_owned()),
            ("limit", PAGE_ROWS.to_string()),
            ("min_timestamp", question.first.millis().to_string()),
            ("max_timestamp", question.last.millis().to_string()),
            ("contract_address", question.watch.contract.to_string()),
            ("order_by", "block_timestamp,asc".to_owned()),
        ];
        if let Some(fingerprint) = &cursor.fingerprint {
            query.push(("fingerprint", fingerprint.clone()));
        }
        let path = format!("/v1/accounts/{}/transactions/trc20", question.watch.wallet);
        let url = wire::address(&self.base_url, &path, &query);
        read_page(&wire::get(http, url, self.api_key.as_ref()).await?, question, cursor)
    }
}

fn read_page(answer: &Value, question: &Question, cursor: &Cursor) -> Result<Page, ApiError> {
    let unreadable = |field| ApiError::Unreadable(Unreadable(field));
    if answer.get("success").and_then(Value::as_bool) != Some(true) {
        return Err(unreadable("success"));
    }
    let list = answer.get("data").and_then(Value::as_array).ok_or(unreadable("data"))?;
    let rows: Vec<Verdict> = list.iter().map(|row| judge(row, question)).collect();
    check_obedience(&rows, "block_timestamp")?;
    let times = times(list, "block_timestamp");
    let meta = answer.get("meta").filter(|meta| meta.is_object()).ok_or(unreadable("meta"))?;
    let fingerprint = match meta.get("fingerprint") {
        None | Some(Value::Null) => {
            // Also full pages come without a fingerprint (TRON-US/trongrid issue 23, tronprotocol/tronweb issue 632).
            let next = match rows.len() {
                0 => Next::End,
                count => Next::Unmarked { is_full: count >= PAGE_ROWS },
            };
            return Ok(Page { rows, times, next });
        }
        Some(Value::String(text)) if text.len() <= FINGERPRINT_MAX => Some(text.clone()),
        Some(_) => return Err(unreadable("meta.fingerprint")),
    };
    let next = Cursor { seen: cursor.seen + rows.len(), fingerprint };
    let is_full = rows.len() >= PAGE_ROWS;
    Ok(Page { rows, times, next: if is_full { Next::More(next) } else { Next::Doubtful(next) } })
}

/// What a row is worth. A missing field is a refusal; names and symbols are never looked at.
pub(crate) fn judge(row: &Value, question: &Question) -> Verdict {
    super::source::verdict(check(Row(row), question).map(|sighting| (sighting, true)))
}

fn check(row: Row<'_>, question: &Question) -> Result<Sighting, Reason> {
    let at = Timestamp::from_millis(row.whole("block_timestamp")?);
    let tx = row.parsed("transaction_id")?;
    let from: Address = row.parsed("from")?;
    let to: Address = row.parsed("to")?;
    let token: Address = row.parsed("token_info.address")?;
    if !question.contains(at) {
        return Err(Reason::OtherTime);
    }
    if to != question.watch.wallet {
        return Err(if from == question.watch.wallet { Reason::Outgoing } else { Reason::OtherWallet });
    }
    if token != question.watch.contract {
        return Err(Reason::OtherToken);
    }
    if row.whole("token_info.decimals")? != 6 {
        return Err(Reason::Decimals);
    }
    if row.text("type")? != "Transfer" {
        return Err(Reason::OtherEvent);
    }
    Ok(Sighting { at, tx, amount: row.micros("value")?, from, index: row.event_index() })
}
