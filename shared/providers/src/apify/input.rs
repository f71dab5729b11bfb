//! What actors are asked for. They have no common schema: those that are known here get the fields of their own pages, every
//! other one gets the general form of its kind.
//!
//! | kind | general form |
//! |---|---|
//! | captions | `videoUrls` (one address), `language` and `languages` where one is wanted |
//! | videos, channels | `startUrls` (`[{"url"}]`), `maxResults` for each of them, `maxItems` |
//! | market | `queries` (a list), `countryCode`, `languageCode`, `maxItems` |
//!
//! Each input names our job in `citipenJob`. Actors pass over fields that they do not know, unless their schema forbids it.

use crate::job::JobOrder;
use crate::{CaptionsRequest, Request, RowsRequest, Subject};
use serde_json::{Value, json};

/// The field that names our job.
pub(super) const MARK: &str = "citipenJob";
/// Results on a page of Google's.
const RESULTS_PER_PAGE: usize = 10;

const GOOGLE: &str = "apify~google-search-scraper";
const PINTO: &str = "pintostudio~youtube-transcript-scraper";

/// `None`: Apify does no such work here.
pub(super) fn of(actor: &str, order: &JobOrder) -> Option<Value> {
    let mut input = match &order.request {
        Request::Captions(captions) => of_captions(actor, captions),
        Request::Rows(rows) => of_rows(actor, rows),
        _ => return None,
    };
    input[MARK] = json!(order.job().to_string());
    Some(input)
}

/// How many items are paid at most: rows of the actor's, of which one of Google's is a page.
pub(super) fn items_max(actor: &str, order: &JobOrder) -> usize {
    match &order.request {
        Request::Rows(RowsRequest { subject: Subject::Market { queries, .. }, rows_max })
            if actor == GOOGLE =>
        {
            pages_per_query(queries.len(), *rows_max).saturating_mul(queries.len()).max(1)
        }
        Request::Rows(rows) => (rows.rows_max as usize).max(1),
        _ => 1,
    }
}

fn of_captions(actor: &str, captions: &CaptionsRequest) -> Value {
    let address = format!("https://www.youtube.com/watch?v={}", captions.video);
    let mut input = match actor {
        PINTO => json!({ "videoUrl": address }),
        _ => json!({ "videoUrls": [address] }),
    };
    match (&captions.language, actor) {
        (Some(language), PINTO) => input["targetLanguage"] = json!(language),
        (Some(language), _) => {
            input["language"] = json!(language);
            input["languages"] = json!([language]);
        }
        (None, _) => {}
    }
    input
}

fn of_rows(actor: &str, rows: &RowsRequest) -> Value {
    match &rows.subject {
        Subject::Videos(addresses) | Subject::Channels(addresses) => {
            let urls: Vec<Value> = addresses.iter().map(|address| json!({ "url": address })).collect();
            let each = (rows.rows_max as usize).div_ceil(urls.len().max(1)).max(1);
            let mut input = json!({ "startUrls": urls, "maxResults": each });
            if !actor.starts_with("streamers~") {
                input["maxItems"] = json!(rows.rows_max);
            }
            input
        }
        Subject::Market { queries, country, language } => {
            let queries: Vec<String> = queries.iter().map(|query| one_line(query.expose())).collect();
            let mut input = json!({ "countryCode": country, "languageCode": language });
            if actor == GOOGLE {
                input["maxPagesPerQuery"] = json!(pages_per_query(queries.len(), rows.rows_max));
                input["queries"] = json!(queries.join("\n"));
            } else {
                input["maxItems"] = json!(rows.rows_max);
                input["queries"] = json!(queries);
            }
            input
        }
    }
}

/// A line is a query of its own.
fn one_line(query: &str) -> String {
    query.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many rows of ours so many of the actor's items are, at most.
pub(super) fn rows_of(actor: &str, items: u64) -> u64 {
    if actor == GOOGLE { items.saturating_mul(RESULTS_PER_PAGE as u64) } else { items }
}

fn pages_per_query(queries: usize, rows_max: u32) -> usize {
    (rows_max as usize).div_ceil(queries.max(1) * RESULTS_PER_PAGE).max(1)
}
