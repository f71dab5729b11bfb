use super::row::Row;
use super::verdict::{Reason, Sighting, Verdict};
use super::{Trongrid, Tronscan, Watch};
use crate::{ApiError, Unreadable};
use primitives::Timestamp;
use serde_json::Value;

/// An indexer of the chain. Both tell the same transfers with the same keys, so either stands in for the other.
#[derive(Debug, Clone)]
pub enum Source {
    Tronscan(Tronscan),
    Trongrid(Trongrid),
}

/// What is asked of an indexer; the ends may be told or left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    pub(crate) watch: Watch,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// Where the next page begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cursor {
    /// Rows on the pages so far.
    pub(crate) seen: usize,
    /// TronGrid's name of the place.
    pub(crate) fingerprint: Option<String>,
}

pub(crate) struct Page {
    pub(crate) rows: Vec<Verdict>,
    /// The times of the rows that tell one, in the page's order, whatever else is wrong with a row.
    pub(crate) times: Vec<Timestamp>,
    pub(crate) next: Next,
}

pub(crate) enum Next {
    /// This was the last page.
    End,
    /// It looks like the last page, but the answer speaks of more rows: only an empty page proves the end.
    Doubtful(Cursor),
    More(Cursor),
    /// It names no next page, which says nothing about the end: rows may lie behind it all the same.
    Unmarked {
        is_full: bool,
    },
}

impl Source {
    pub(crate) async fn page(
        &self,
        http: &reqwest::Client,
        question: &Question,
        cursor: &Cursor,
    ) -> Result<Page, ApiError> {
        match self {
            Source::Tronscan(tronscan) => tronscan.page(http, question, cursor).await,
            Source::Trongrid(trongrid) => trongrid.page(http, question, cursor).await,
        }
    }
}

impl Question {
    pub(crate) fn contains(&self, at: Timestamp) -> bool {
        (self.first..=self.last).contains(&at)
    }
}

pub(crate) fn times(list: &[Value], field: &'static str) -> Vec<Timestamp> {
    list.iter().filter_map(|row| Row(row).whole(field).ok()).map(Timestamp::from_millis).collect()
}

/// A page none of whose rows answers the question: the indexer did not understand us, or we don't understand it any
/// more. Both are silent otherwise (TronScan, "Common Errors": wrong parameters are ignored, with a 200), and going on
/// would pass over money.
pub(crate) fn check_obedience(rows: &[Verdict], time_field: &'static str) -> Result<(), ApiError> {
    let mut blamed = None;
    for row in rows {
        blamed = match row {
            Verdict::Rejected(Reason::Malformed(field)) => Some(*field),
            Verdict::Rejected(Reason::OtherTime) => Some(time_field),
            Verdict::Rejected(Reason::OtherWallet) => Some("to"),
            Verdict::Accepted(_) | Verdict::NotYet(_) | Verdict::Rejected(_) => return Ok(()),
        };
    }
    blamed.map_or(Ok(()), |field| Err(ApiError::Unreadable(Unreadable(field))))
}

/// A verdict out of checks that stop at the first reason to refuse.
pub(crate) fn verdict(checked: Result<(Sighting, bool), Reason>) -> Verdict {
    match checked {
        Ok((sighting, true)) => Verdict::Accepted(sighting),
        Ok((sighting, false)) => Verdict::NotYet(sighting),
        Err(reason) => Verdict::Rejected(reason),
    }
}
