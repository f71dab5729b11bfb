use primitives::{Secret, Timestamp, times};
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::time::Duration;

use super::Transfer;
use crate::{ApiError, Unreadable};

/// Thirty times what 5000 rows take.
const LENGTH_MAX: usize = 16 * 1024 * 1024;
/// SePay's own default and maximum.
const PAGE_ROWS: usize = 5_000;
/// 50 000 transfers are not missed between two looks.
const PAGES_MAX: usize = 10;
const DAY: Duration = Duration::from_secs(86_400);

/// Access to SePay's list of transactions, the safety net below the webhook.
#[derive(Debug, Clone)]
pub struct Api {
    /// Without a slash at the end, e.g. `https://my.sepay.vn`.
    pub base_url: String,
    pub token: Secret,
    pub account_number: String,
    /// The bank's clock, minutes east of UTC; 420 in Vietnam.
    pub offset_minutes: i16,
}

/// What the list showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Each once.
    pub transfers: Vec<Transfer>,
    /// Rows that could not be read: money nobody has looked at.
    pub unreadable: usize,
    /// Whether this is all there is. If not, a later `since_id` may lie beyond transfers that are not in here.
    pub is_complete: bool,
}

#[derive(Deserialize)]
struct Reply {
    transactions: Vec<Row>,
}

/// As it is written, so that no number in it passes through a float.
type Row = Box<RawValue>;

/// How the list goes on behind a page.
enum Next {
    End,
    /// Oldest first: with the transfers from this id on.
    Since(u64),
    /// Newest first: with those that are no younger than this.
    Until(Timestamp),
    /// Nothing that can be asked brings the rest.
    OutOfSight,
}

/// The part of the list that is asked for.
#[derive(Clone, Copy)]
struct Part {
    since_id: Option<u64>,
    from: Timestamp,
    until: Option<Timestamp>,
}

impl Api {
    /// The account's transfers from this one on (SePay gives it again), booked on the day of `from` or later.
    ///
    /// What the first pages brought is not thrown away for an error of a later one.
    pub async fn transactions(
        &self,
        http: &reqwest::Client,
        since_id: Option<u64>,
        from: Timestamp,
    ) -> Result<Listed, ApiError> {
        let mut listed = Listed { transfers: Vec::new(), unreadable: 0, is_complete: false };
        let mut seen = HashSet::new();
        let mut part = Part { since_id, from, until: None };
        for page in 0..PAGES_MAX {
            let rows = match self.page(http, part).await {
                Ok(rows) => rows,
                Err(error) if page == 0 => return Err(error),
                Err(error) => {
                    tracing::warn!(error = %error, page, "SePay's list of transactions broke off");
                    return Ok(listed);
                }
            };
            match listed.add(rows, &mut seen, self.offset_minutes) {
                Next::Since(id) => part.since_id = Some(id),
                Next::Until(moment) => part.until = Some(moment),
                Next::End => return Ok(Listed { is_complete: true, ..listed }),
                Next::OutOfSight => break,
            }
        }
        tracing::warn!(transfers = listed.transfers.len(), "SePay's list of transactions was not seen whole");
        Ok(listed)
    }

    async fn page(&self, http: &reqwest::Client, part: Part) -> Result<Vec<Row>, ApiError> {
        let request =
            http.get(self.address(part)).bearer_auth(self.token.expose()).timeout(times::VENDOR_CALL.limit);
        let answer = request.send().await.map_err(unreachable)?;
        match answer.status().as_u16() {
            200 => {}
            429 => return Err(ApiError::TooFast { retry_after: retry_after(answer.headers()) }),
            status => return Err(ApiError::Status { status }),
        }
        let body = body_up_to(answer, LENGTH_MAX).await?;
        let reply: Result<Reply, _> = serde_json::from_slice(&body);
        reply.map(|reply| reply.transactions).map_err(|_| ApiError::Unreadable(Unreadable("transactions")))
    }

    fn address(&self, part: Part) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("account_number", &self.account_number);
        query.append_pair("transaction_date_min", &self.bank_date(part.from));
        if let Some(until) = part.until {
            // Whether a day counts itself in is not documented, so the next one is named.
            query.append_pair("transaction_date_max", &self.bank_date(until.after(DAY)));
        }
        query.append_pair("limit", &PAGE_ROWS.to_string());
        if let Some(id) = part.since_id {
            query.append_pair("since_id", &id.to_string());
        }
        format!("{}/userapi/transactions/list?{}", self.base_url, query.finish())
    }

    fn bank_date(&self, at: Timestamp) -> String {
        let offset = Duration::from_secs(u64::from(self.offset_minutes.unsigned_abs()) * 60);
        if self.offset_minutes < 0 { at.before(offset).date() } else { at.after(offset).date() }
    }
}

impl Listed {
    /// Takes a page's rows.
    ///
    /// No answer tells whether rows lie behind it, so a full page is never the end. The order of the list is not
    /// documented: oldest first, it is followed by `since_id`; newest first, by the day of the oldest row.
    fn add(&mut self, rows: Vec<Row>, seen: &mut HashSet<u64>, offset_minutes: i16) -> Next {
        let is_full = rows.len() >= PAGE_ROWS;
        let (known, mut ids, mut oldest) = (seen.len(), Vec::new(), None::<Timestamp>);
        for row in rows {
            let Some(transfer) = read(&row, offset_minutes) else {
                self.unreadable += 1;
                continue;
            };
            ids.push(transfer.id);
            oldest = [oldest, transfer.at].into_iter().flatten().min();
            if seen.insert(transfer.id) {
                self.transfers.push(transfer);
            }
        }
        match (ids.last(), oldest) {
            _ if !is_full => Next::End,
            _ if seen.len() == known => Next::OutOfSight,
            (Some(last), _) if ids.is_sorted() => Next::Since(*last),
            (_, Some(oldest)) if ids.is_sorted_by(|one, next| one >= next) => Next::Until(oldest),
            _ => Next::OutOfSight,
        }
    }
}

fn read(row: &RawValue, offset_minutes: i16) -> Option<Transfer> {
    let read = Transfer::from_row(row.get(), offset_minutes);
    read.inspect_err(|error| tracing::warn!(%error, "a row of SePay's list of transactions is unreadable"))
        .ok()
}

/// The second name is the documented one of this API (SePay, "SePay API Overview").
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let names = ["retry-after", "x-sepay-userapi-retry-after"];
    let mut values = names.into_iter().filter_map(|name| headers.get(name)?.to_str().ok()?.parse().ok());
    values.next().map(Duration::from_secs)
}

async fn body_up_to(mut answer: reqwest::Response, length_max: usize) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > length_max {
            return Err(ApiError::Unreadable(Unreadable("body")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The address holds the account's number, which has no place in a log.
fn unreachable(error: reqwest::Error) -> ApiError {
    ApiError::Unreachable(error.without_url())
}
