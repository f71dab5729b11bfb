use super::Watch;
use super::source::{Cursor, Next, Question, Source};
use super::verdict::{Reason, Sighting, Verdict};
use crate::ApiError;
use primitives::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most rows read of one moment; TronScan lists no more.
const ROWS_MAX: usize = 10_000;
/// A moment on either side. Whether the indexers count the ends in is not documented.
const MARGIN: Duration = Duration::from_millis(1);

/// A stretch of time in whole milliseconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
}

/// All that an indexer has of one window.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) accepted: Vec<Sighting>,
    pub(crate) not_yet: Vec<Sighting>,
    pub(crate) refused: BTreeMap<Reason, u32>,
    pub(crate) rows: usize,
    pages: usize,
}

/// Reads one window, or says that it is too long: `None`.
///
/// One answer is one state of the index; two answers may show two states, where a row slips from page to page and is
/// read twice or never. Equal transfers of one transaction are told apart by their number only, so a row read twice
/// would be money twice. Hence a window is believed when one answer holds all of it. A single moment, which can't be
/// made shorter, may take several pages; those are read twice and must agree.
pub(crate) async fn read(
    source: &Source,
    http: &reqwest::Client,
    watch: Watch,
    window: Window,
) -> Result<Option<Reading>, ApiError> {
    let Some(reading) = gather(source, http, watch, window).await? else {
        return if window.is_moment() { Err(ApiError::Incomplete) } else { Ok(None) };
    };
    if reading.pages < 2 {
        return Ok(Some(reading));
    }
    match gather(source, http, watch, window).await? {
        Some(second) if second == reading => Ok(Some(reading)),
        Some(_) | None => Err(ApiError::Incomplete),
    }
}

async fn gather(
    source: &Source,
    http: &reqwest::Client,
    watch: Watch,
    window: Window,
) -> Result<Option<Reading>, ApiError> {
    let question = window.asked(watch);
    let mut reading = Reading::default();
    let mut cursor = Cursor::default();
    loop {
        let page = source.page(http, &question, &cursor).await?;
        reading.take(page.rows, window);
        cursor = match page.next {
            Next::End => return Ok(Some(reading.sorted())),
            Next::Doubtful(cursor) => {
                let is_end = source.page(http, &question, &cursor).await?.rows.is_empty();
                return Ok(is_end.then(|| reading.sorted()));
            }
            Next::Unmarked { is_full } => {
                // A moment can't be asked for in parts, so a full page of one stays in doubt.
                let is_end = !is_full
                    && (window.is_moment() || nothing_beyond(source, http, &question, &page.times).await?);
                return Ok(is_end.then(|| reading.sorted()));
            }
            Next::More(cursor) if window.is_moment() && reading.rows < ROWS_MAX => cursor,
            Next::More(_) => return Ok(None),
        };
    }
}

/// Whether the list, asked again from a page's last row on, shows no more rows than the page did.
///
/// A page that begins with its newest row is continued before its last one; one in no order, at both ends.
async fn nothing_beyond(
    source: &Source,
    http: &reqwest::Client,
    question: &Question,
    seen: &[Timestamp],
) -> Result<bool, ApiError> {
    for rest in rests(question, seen) {
        let asked = Question { first: rest.first.before(MARGIN), last: rest.last.after(MARGIN), ..*question };
        let page = source.page(http, &asked, &Cursor::default()).await?;
        let count =
            |times: &[Timestamp]| times.iter().filter(|at| (rest.first..=rest.last).contains(at)).count();
        if count(&page.times) > count(seen) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The stretches of time in which a page of rows at these times may have been cut off.
fn rests(question: &Question, seen: &[Timestamp]) -> Vec<Window> {
    let (Some(oldest), Some(newest)) = (seen.iter().min(), seen.iter().max()) else { return Vec::new() };
    let ahead = Window { first: *newest, last: question.last };
    let behind = Window { first: question.first, last: *oldest };
    if seen.is_sorted() {
        vec![ahead]
    } else if seen.is_sorted_by(|one, next| one >= next) {
        vec![behind]
    } else {
        vec![behind, ahead]
    }
}

impl Window {
    pub(crate) fn is_moment(self) -> bool {
        self.first == self.last
    }

    /// A little more than the window: what lies beside it is left to the neighbours.
    fn asked(self, watch: Watch) -> Question {
        Question { watch, first: self.first.before(MARGIN), last: self.last.after(MARGIN) }
    }

    fn contains(self, sighting: &Sighting) -> bool {
        (self.first..=self.last).contains(&sighting.at)
    }
}

impl Reading {
    fn take(&mut self, rows: Vec<Verdict>, window: Window) {
        self.rows += rows.len();
        self.pages += usize::from(!rows.is_empty());
        for row in rows {
            match row {
                Verdict::Accepted(seen) if window.contains(&seen) => self.accepted.push(seen),
                Verdict::NotYet(seen) if window.contains(&seen) => self.not_yet.push(seen),
                Verdict::Accepted(_) | Verdict::NotYet(_) => {}
                Verdict::Rejected(reason) => *self.refused.entry(reason).or_default() += 1,
            }
        }
    }

    /// So that two readings of the same rows are equal.
    fn sorted(mut self) -> Reading {
        self.accepted.sort_unstable();
        self.not_yet.sort_unstable();
        self
    }
}
