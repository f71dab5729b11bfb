use super::reading::{Reading, Window, read};
use super::transfer::{Numbered, numbered};
use super::{Reason, Source, Transfer, Watch};
use crate::ApiError;
use primitives::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// A window with fewer rows was needlessly short: the next one is twice as long.
const SPARSE: usize = 12;

/// Reads the transfers of a stretch of time, oldest first, a window at a time.
///
/// A window with too many rows for one answer is halved, and those after it grow again as the list thins out. Nothing
/// of a window is told before all of it is known, so a walk can stop anywhere: at an error, which changes nothing and
/// may be followed by another `next`, of the other source too; or for good, and another walk starts behind the last
/// `covered_to`.
#[derive(Debug)]
pub struct Walk {
    watch: Watch,
    /// Milliseconds; what lies before is covered. Behind `last`, the walk is over.
    first: u64,
    last: u64,
    /// Milliseconds of the next window, at least 1.
    span: u64,
    /// A transfer that was not final holds the coverage back.
    held_before: Option<Timestamp>,
}

/// One window's transfers. Most hold fewer than 50; only a single moment can bring up to 10,000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Ascending in time.
    pub transfers: Vec<Transfer>,
    /// Rows that look in every way like one of `transfers`, numbered after it: the same transfer listed twice, or
    /// another one of the same transaction, sender and amount. Only the other indexer's list can tell.
    pub alike: Vec<Transfer>,
    /// Rows that are no money to us, for the log.
    pub refused: BTreeMap<Reason, u32>,
    /// Transfers the chain may still drop; they are not among `transfers`.
    pub not_yet: u32,
    /// With this batch everything up to here, inclusive, has been told, so far as the source knew it. It stops before
    /// the first transfer that is not final; the walk still goes on.
    pub covered_to: Timestamp,
}

impl Walk {
    /// From `from` to `to`, both included.
    ///
    /// The indexers leave out what is not final yet, about a minute's worth: `to` should lie behind the clock by more
    /// than that, or the next walk should begin as much before `covered_to`. Keys make the overlap harmless.
    pub fn new(watch: Watch, from: Timestamp, to: Timestamp) -> Walk {
        let (first, last) = (from.millis(), to.millis());
        Walk { watch, first, last, span: last.saturating_sub(first).saturating_add(1), held_before: None }
    }

    /// The next batch, or `None` when all is told. Each request has 10 seconds and at most 4 MiB of answer; a quiet
    /// window takes one or two.
    ///
    /// # Errors
    /// `TooFast` when the source throttles us; `Unreadable` when it does not answer what was asked; `Incomplete` when
    /// one moment holds more than it lists, or changes while it is read. None of them loses anything.
    pub async fn next(&mut self, source: &Source, http: &reqwest::Client) -> Result<Option<Batch>, ApiError> {
        while self.first <= self.last {
            let window = self.window();
            match read(source, http, self.watch, window).await? {
                Some(reading) => return Ok(Some(self.pass(window, reading))),
                None => self.span = (length(window) / 2).max(1),
            }
        }
        Ok(None)
    }

    fn window(&self) -> Window {
        let last = self.first.saturating_add(self.span - 1).min(self.last);
        Window { first: Timestamp::from_millis(self.first), last: Timestamp::from_millis(last) }
    }

    fn pass(&mut self, window: Window, reading: Reading) -> Batch {
        self.first = window.last.millis().saturating_add(1);
        if reading.rows < SPARSE {
            self.span = self.span.saturating_mul(2);
        }
        let earliest = reading.not_yet.iter().map(|seen| seen.at.before(Duration::from_millis(1))).min();
        self.held_before = self.held_before.or(earliest);
        let Numbered { transfers, alike } = numbered(reading.accepted);
        Batch {
            transfers,
            alike,
            refused: reading.refused,
            not_yet: u32::try_from(reading.not_yet.len()).unwrap_or(u32::MAX),
            covered_to: self.held_before.unwrap_or(window.last),
        }
    }
}

fn length(window: Window) -> u64 {
    (window.last.millis() - window.first.millis()).saturating_add(1)
}
