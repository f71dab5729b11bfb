//! What the services were asked: the test's proof of how often a provider was called.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::Service;
use crate::call::Call;

const KEPT: usize = 2_000;
const BODY_BYTES_KEPT: usize = 64 * 1024;
const WATCHED: [&str; 10] = [
    "authorization",
    "x-api-key",
    "anthropic-version",
    "content-type",
    "accept",
    "idempotency-key",
    "x-fal-request-timeout",
    "x-fal-no-retry",
    "x-fal-store-io",
    "tron-pro-api-key",
];

/// One request a service received.
#[derive(Clone, Debug, Serialize)]
pub struct JournalEntry {
    /// Who was asked.
    pub service: Service,
    /// HTTP method.
    pub method: String,
    /// Path and query, from `/sandbox/…` on.
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
        let entry = entry(service, call, fault, at);
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
    let kept = &call.body[..call.body.len().min(BODY_BYTES_KEPT)];
    JournalEntry {
        service,
        method: call.method.as_str().to_owned(),
        path: call.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        headers: WATCHED.into_iter().filter(|name| call.headers.contains_key(*name)).collect(),
        body: String::from_utf8_lossy(kept).into_owned(),
        status: None,
        fault,
        at,
    }
}
