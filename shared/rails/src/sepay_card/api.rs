//! SePay's order API ("Payment gateway", API). Each method is one question with at most three requests.

use super::{CardOrder, InvoiceNumber, Merchant, reading};
use crate::{ApiError, Unreadable};
use primitives::{Timestamp, times};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

const LENGTH_MAX: usize = 4 * 1024 * 1024;
/// The most SePay gives at once.
const PER_PAGE: usize = 100;
const ONE_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Whom to ask, and as whom.
#[derive(Debug, Clone)]
pub struct Api {
    pub http: Client,
    /// E.g. `https://pgapi.sepay.vn`.
    pub base_url: Url,
    pub merchant: Merchant,
    /// How far SePay's clock is ahead of UTC; it writes times without a zone. Vietnam is 420.
    pub utc_offset_minutes: i16,
}

/// Some rows of the list, oldest first. They rarely show transactions: ask for the order before credit moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPage {
    pub orders: Vec<CardOrder>,
    pub has_more: bool,
    /// How many rows could not be read.
    pub unreadable: usize,
}

/// The answer to a wish to void or cancel. What became of the order, only [`Api::order`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    Accepted,
    /// Too late, the wrong kind of payment, or done before.
    Declined {
        status: u16,
    },
    NotFound,
}

impl Api {
    /// The order as SePay has it now; `None` when it knows none with this invoice number.
    ///
    /// The documents ask for SePay's order id here, SePay's SDKs for the invoice number. So the number is tried
    /// first; if that finds nothing, the list knows the id.
    pub async fn order(&self, invoice: &InvoiceNumber) -> Result<Option<CardOrder>, ApiError> {
        if let Some(order) = self.detail(invoice.as_str(), invoice).await? {
            return Ok(Some(order));
        }
        let Some(listed) = self.listed(invoice).await? else { return Ok(None) };
        match &listed.order_id {
            Some(order_id) if listed.transactions.is_none() => {
                Ok(Some(self.detail(order_id, invoice).await?.unwrap_or(listed)))
            }
            _ => Ok(Some(listed)),
        }
    }

    /// Orders created between these days, both included; `page` counts from 1.
    ///
    /// SePay takes days, not moments, and does not say whether the last one is included, so up to a day more comes.
    pub async fn orders(&self, from: Timestamp, to: Timestamp, page: u32) -> Result<OrderPage, ApiError> {
        let first_day = reading::local_day(from, self.utc_offset_minutes);
        let last_day = reading::local_day(to.after(ONE_DAY), self.utc_offset_minutes);
        let mut url = self.url(&["v1", "order"]);
        // The end is called one way in the documents and another in the SDKs. Ascending, so that a new order does
        // not move others to a page already read.
        url.query_pairs_mut()
            .append_pair("per_page", &PER_PAGE.to_string())
            .append_pair("page", &page.to_string())
            .append_pair("from_created_at", &first_day)
            .append_pair("end_created_at", &last_day)
            .append_pair("to_created_at", &last_day)
            .append_pair("sort", "created_at:asc");
        self.page(url).await
    }

    /// Gives a card payment back before it is settled. After an error it may have been done all the same.
    pub async fn void(&self, invoice: &InvoiceNumber) -> Result<Closing, ApiError> {
        self.close("voidTransaction", invoice).await
    }

    /// Ends a bank transfer order that is not paid. After an error it may have been done all the same.
    pub async fn cancel(&self, invoice: &InvoiceNumber) -> Result<Closing, ApiError> {
        self.close("cancel", invoice).await
    }

    async fn detail(&self, id: &str, invoice: &InvoiceNumber) -> Result<Option<CardOrder>, ApiError> {
        let response = self.ask(self.http.get(self.url(&["v1", "order", "detail", id]))).await?;
        // 400 and 422: an id of a form it does not take.
        if matches!(response.status().as_u16(), 400 | 404 | 422) {
            return Ok(None);
        }
        let answer = json_of(succeeded(response)?).await?;
        match &answer["data"] {
            Value::Null => Ok(None),
            data => {
                let order = CardOrder::read(data, self.utc_offset_minutes).map_err(ApiError::Unreadable)?;
                Ok(Some(order).filter(|order| order.invoice == *invoice))
            }
        }
    }

    /// `q` finds similar numbers too. "Not found" is only said when every candidate was read.
    async fn listed(&self, invoice: &InvoiceNumber) -> Result<Option<CardOrder>, ApiError> {
        let mut url = self.url(&["v1", "order"]);
        url.query_pairs_mut()
            .append_pair("per_page", &PER_PAGE.to_string())
            .append_pair("q", invoice.as_str());
        let page = self.page(url).await?;
        let is_complete = !page.has_more && page.unreadable == 0;
        let mut same = page.orders.into_iter().filter(|order| order.invoice == *invoice);
        match (same.next(), same.next()) {
            (Some(_), Some(_)) => Err(ApiError::Unreadable(Unreadable("order_invoice_number"))),
            (None, _) if !is_complete => Err(ApiError::Unreadable(Unreadable("data"))),
            (found, _) => Ok(found),
        }
    }

    async fn page(&self, url: Url) -> Result<OrderPage, ApiError> {
        let answer = json_of(succeeded(self.ask(self.http.get(url)).await?)?).await?;
        let rows = answer["data"].as_array().ok_or(ApiError::Unreadable(Unreadable("data")))?;
        let read = rows.iter().map(|row| CardOrder::read(row, self.utc_offset_minutes));
        let orders: Vec<_> = read.filter_map(Result::ok).collect();
        Ok(OrderPage {
            unreadable: rows.len() - orders.len(),
            orders,
            has_more: has_more(&answer["meta"], rows.len()),
        })
    }

    async fn close(&self, action: &str, invoice: &InvoiceNumber) -> Result<Closing, ApiError> {
        let body = json!({ "order_invoice_number": invoice.as_str() }).to_string();
        let request = self.http.post(self.url(&["v1", "order", action]));
        let response = self.ask(request.header(CONTENT_TYPE, "application/json").body(body)).await?;
        match response.status().as_u16() {
            200..=299 => Ok(Closing::Accepted),
            404 => Ok(Closing::NotFound),
            status @ (400 | 409 | 422) => Ok(Closing::Declined { status }),
            status => Err(ApiError::Status { status }),
        }
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base_url.clone();
        // Only an address without a host has no path; a request to it fails by itself.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Response, ApiError> {
        let Merchant { id, secret_key } = &self.merchant;
        let request = request.basic_auth(id, Some(secret_key.expose())).timeout(times::VENDOR_CALL.limit);
        let response = request.send().await.map_err(unreachable)?;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            return Err(ApiError::TooFast { retry_after: retry_after(&response) });
        }
        Ok(response)
    }
}

/// Whether rows may lie behind a page. A full page is never the last one, whatever is said about it: only a page that
/// is not full ends the list. SePay may also fill its pages with fewer rows than were asked for.
fn has_more(meta: &Value, rows: usize) -> bool {
    let number = |name: &str| meta[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let per_page = number("per_page").filter(|rows| *rows > 0).map_or(PER_PAGE, |rows| rows.min(PER_PAGE));
    let is_behind = number("current_page").zip(number("page_count")).is_some_and(|(this, last)| this < last);
    meta["has_more"].as_bool() == Some(true) || rows >= per_page || (rows > 0 && is_behind)
}

fn succeeded(response: Response) -> Result<Response, ApiError> {
    let status = response.status();
    if status.is_success() { Ok(response) } else { Err(ApiError::Status { status: status.as_u16() }) }
}

async fn json_of(mut response: Response) -> Result<Value, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > LENGTH_MAX {
            return Err(ApiError::Unreadable(Unreadable("body")));
        }
        body.extend_from_slice(&chunk);
    }
    reading::document(&body).map_err(ApiError::Unreadable)
}

/// The address carries the invoice number, which is no business of a log of errors.
fn unreachable(error: reqwest::Error) -> ApiError {
    ApiError::Unreachable(error.without_url())
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}
