//! What the services were asked: the test's proof of how often a provider was called.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::call::Call;
use crate::{Delivery, Service};

const KEPT: usize = 2_000;
const BODY_BYTES_KEPT: usize = 64 * 1024;
const WATCHED: [&str; 19] = [
    "authorization",
    "x-api-key",
    "anthropic-version",
    "content-type",
    "accept",
    "range",
    "idempotency-key",
    "x-fal-request-timeout",
    "x-fal-no-retry",
    "x-fal-store-io",
    "x-fal-webhook-signature",
    "x-secret-key",
    "x-sepay-signature",
    "x-sepay-timestamp",
    "tron-pro-api-key",
    "prefer",
    "cancel-after",
    "range",
    "webhook-signature",
];

/// One request a service received, or sent to the product.
#[derive(Clone, Debug, Serialize)]
pub struct JournalEntry {
    /// Who was asked, or who sent a webhook.
    pub service: Service,
    /// HTTP method.
    pub method: String,
    /// Path and query, from `/sandbox/…` on; a webhook's path is the product's.
    pub path: String,
    /// Which of the watched headers were present; their values are not kept.
    pub headers: Vec<&'static str>,
    /// The body as text, cut at 64 KiB.
    pub body: String,
    /// The status answered; `None` while the answer is pending or when the connection was dropped.
    pub status: Option<u16>,
    /// The fault that shaped the answer.
    pub fault: Option<&'static str>,
    /// Unix seconds of the sandbox's clock.
    pub at: u64,
}

/// The latest entries, written at arrival and completed by the answer.
#[derive(Default)]
pub(crate) struct Journal {
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    kept: VecDeque<JournalEntry>,
    forgotten: u64,
}

/// Names an entry, also after older ones were forgotten.
pub(crate) struct Ticket(u64);

impl Journal {
    pub(crate) fn arrived(
        &self,
        service: Service,
        call: &Call,
        fault: Option<&'static str>,
        at: u64,
    ) -> Ticket {
        self.note(entry(service, call, fault, at))
    }

    /// A webhook leaves for the product.
    pub(crate) fn sent(
        &self,
        service: Service,
        delivery: &Delivery,
        fault: Option<&'static str>,
        at: u64,
    ) -> Ticket {
        let has = |name: &str| delivery.headers.iter().any(|(of, _)| of.as_str() == name);
        self.note(JournalEntry {
            service,
            method: "POST".to_owned(),
            // A query may hold the secret by which the product knows a sender.
            path: delivery.path.split('?').next().unwrap_or_default().to_owned(),
            headers: WATCHED.into_iter().filter(|name| has(name)).collect(),
            body: kept_text(&delivery.body),
            status: None,
            fault,
            at,
        })
    }

    fn note(&self, entry: JournalEntry) -> Ticket {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.kept.len() == KEPT {
            lines.kept.pop_front();
            lines.forgotten += 1;
        }
        lines.kept.push_back(entry);
        Ticket(lines.forgotten + lines.kept.len() as u64 - 1)
    }

    pub(crate) fn answered(&self, ticket: Ticket, status: u16) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let place = ticket.0.checked_sub(lines.forgotten).and_then(|place| usize::try_from(place).ok());
        if let Some(entry) = place.and_then(|place| lines.kept.get_mut(place)) {
            entry.status = Some(status);
        }
    }

    pub(crate) fn entries(&self) -> Vec<JournalEntry> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).kept.iter().cloned().collect()
    }

    /// The last `count` entries, newest first.
    pub(crate) fn latest(&self, count: usize) -> Vec<JournalEntry> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.kept.iter().rev().take(count).cloned().collect()
    }
}

fn entry(service: Service, call: &Call, fault: Option<&'static str>, at: u64) -> JournalEntry {
    JournalEntry {
        service,
        method: call.method.as_str().to_owned(),
        path: without_token(call.uri.path_and_query().map_or("/", |path| path.as_str())),
        headers: WATCHED.into_iter().filter(|name| call.headers.contains_key(*name)).collect(),
        body: kept_text(&call.body),
        status: None,
        fault,
        at,
    }
}

/// Apify takes its token in the query too, and the journal keeps no credential.
///
/// An upload's address at Google is a credential too.
fn without_token(path: &str) -> String {
    let without_upload = path.split_once("upload_id=").map(|(head, _)| format!("{head}upload_id=…"));
    if let Some(path) = without_upload {
        return path;
    }
    let Some((head, rest)) = path.split_once("token=") else { return path.to_owned() };
    let behind = rest.split_once('&').map_or(String::new(), |(_, behind)| format!("&{behind}"));
    format!("{head}token=…{behind}")
}

fn kept_text(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(BODY_BYTES_KEPT)]).into_owned()
}
