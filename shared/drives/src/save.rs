//! One output on its way to one drive. All that may become of it is decided here, without a clock or a store.

use crate::DriveKind;
use crate::drive::{DriveFailure, NewFile};
use media::StoredOutput;
use primitives::{AccountId, Fingerprint, RunId, Timestamp, random_bytes};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long a visitor is left alone; longer than any visit lasts.
const LEASE: Duration = Duration::from_secs(90);
/// The first wait after a failure; it doubles with each.
const BACKOFF: Duration = Duration::from_secs(60);
const BACKOFF_MAX: Duration = Duration::from_secs(3_600);

/// Which output of which run goes to which drive. There is one save of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SaveId {
    /// The run.
    pub run: RunId,
    /// Which of its outputs, from 0 on.
    pub output: u32,
    /// The drive.
    pub drive: DriveKind,
}

/// The text is no save's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no id of a save")]
pub struct InvalidSaveId;

/// A save, as its row has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Save {
    /// Whose output and drive it is.
    pub account: AccountId,
    /// What goes where.
    pub id: SaveId,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// What has come of it.
    pub state: SaveState,
    /// The tool, for the file's name.
    pub(crate) tool: String,
    pub(crate) output: StoredOutput,
    /// How far it is, sealed; `None` before anything was begun.
    pub(crate) work: Option<String>,
    /// Visits that brought it no further.
    pub(crate) tries: u32,
    pub(crate) version: u64,
    /// Who wrote the row: a repeat of a write whose reply was lost finds itself there.
    pub(crate) writer: Writer,
}

/// What has come of a save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveState {
    /// It will be tried, or tried again.
    Waiting {
        /// From then on the sweep looks after it.
        due: Timestamp,
        /// A visitor is at work on it until then.
        leased_until: Option<Timestamp>,
    },
    /// It lies in the drive.
    Saved {
        /// Where its owner sees it.
        link: String,
        /// Since when.
        at: Timestamp,
    },
    /// It is not tried again by itself; its owner can ask for it.
    Failed {
        /// Why.
        why: SaveFailure,
        /// Since when.
        at: Timestamp,
    },
}

/// Why a save ended without a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveFailure {
    /// The drive is not linked.
    NotLinked,
    /// The drive does not know our grant any more.
    Reconnect,
    /// There is no room in the drive.
    DriveFull,
    /// The drive does not take it.
    DriveRefused,
    /// The drive did not answer as it should, or the process that sent the file was lost, as often as it was tried.
    DriveUnavailable,
    /// The output's time was over first.
    OutputGone,
}

/// One visitor's name. It says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writer(pub(crate) String);

impl Writer {
    pub(crate) fn draw() -> Writer {
        Writer(u64::from_be_bytes(random_bytes()).to_string())
    }
}

/// How a visit ended that did not bring the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setback {
    /// It is not tried again by itself.
    Final(SaveFailure),
    /// It may work later.
    Passing(Option<Duration>),
}

impl From<&DriveFailure> for Setback {
    fn from(failure: &DriveFailure) -> Setback {
        match failure {
            // A token that was just fetched and is refused: the drive contradicts itself.
            DriveFailure::AccessRefused => Setback::Passing(None),
            DriveFailure::Passing(_, wait) => Setback::Passing(*wait),
            DriveFailure::GrantRevoked => Setback::Final(SaveFailure::Reconnect),
            DriveFailure::Full => Setback::Final(SaveFailure::DriveFull),
            DriveFailure::Refused(_) => Setback::Final(SaveFailure::DriveRefused),
        }
    }
}

impl SaveFailure {
    /// Every reason.
    pub const ALL: &[SaveFailure] = &[
        SaveFailure::NotLinked,
        SaveFailure::Reconnect,
        SaveFailure::DriveFull,
        SaveFailure::DriveRefused,
        SaveFailure::DriveUnavailable,
        SaveFailure::OutputGone,
    ];

    /// Its name in rows and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            SaveFailure::NotLinked => "not_linked",
            SaveFailure::Reconnect => "reconnect",
            SaveFailure::DriveFull => "drive_full",
            SaveFailure::DriveRefused => "drive_refused",
            SaveFailure::DriveUnavailable => "drive_unavailable",
            SaveFailure::OutputGone => "output_gone",
        }
    }

    pub(crate) fn named(name: &str) -> Option<SaveFailure> {
        SaveFailure::ALL.iter().copied().find(|why| why.as_str() == name)
    }
}

impl fmt::Display for SaveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.run, self.output, self.drive)
    }
}

impl FromStr for SaveId {
    type Err = InvalidSaveId;

    fn from_str(text: &str) -> Result<SaveId, InvalidSaveId> {
        let mut parts = text.splitn(3, '.');
        let id = (|| {
            let run = parts.next()?.parse().ok()?;
            let output = parts.next()?.parse().ok()?;
            Some(SaveId { run, output, drive: parts.next()?.parse().ok()? })
        })();
        // One spelling per id: `01` would be another key in the table.
        id.filter(|id| id.to_string() == text).ok_or(InvalidSaveId)
    }
}

impl SaveId {
    /// Saves are spread over so many keys of the index.
    pub(crate) fn shard(&self, account: &AccountId, shards: u8) -> u8 {
        Fingerprint::of(&[account.as_str().as_bytes(), self.to_string().as_bytes()]).first_byte() % shards
    }
}

impl Save {
    /// A save that was asked for just now, and is due at once.
    pub(crate) fn new(
        account: &AccountId,
        id: SaveId,
        tool: &str,
        output: &StoredOutput,
        now: Timestamp,
    ) -> Save {
        Save {
            account: account.clone(),
            id,
            created_at: now,
            state: SaveState::Waiting { due: now, leased_until: None },
            tool: tool.to_owned(),
            output: output.clone(),
            work: None,
            tries: 0,
            version: 0,
            writer: Writer::draw(),
        }
    }

    /// What is sent. The name is of tool and run, so it says nothing of the content, and no two outputs share it.
    pub(crate) fn file(&self) -> NewFile {
        let tool: String =
            self.tool.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
        let n = match self.id.output {
            0 => String::new(),
            n => format!("-{}", n.saturating_add(1)),
        };
        let (run, extension) = (self.id.run, self.output.kind.extension());
        NewFile {
            name: format!("{tool}-{run}{n}.{extension}"),
            media_type: self.output.kind.media_type(),
            bytes: self.output.bytes,
        }
    }

    fn next(&self, state: SaveState, writer: &Writer) -> Save {
        Save { state, version: self.version + 1, writer: writer.clone(), ..self.clone() }
    }

    /// What a visitor makes of a save that is due and that no other visitor works on: its own, which counts as a try until the
    /// visit brings something; or failed, when `tries_max` visits were lost without a word. `None`: leave it alone.
    pub(crate) fn claimed(&self, tries_max: u32, writer: &Writer, now: Timestamp) -> Option<Save> {
        let SaveState::Waiting { due, leased_until } = self.state else { return None };
        let is_free = leased_until.is_none_or(|until| until <= now);
        if !is_free || due > now {
            return None;
        }
        if self.tries >= tries_max {
            return Some(
                self.next(SaveState::Failed { why: SaveFailure::DriveUnavailable, at: now }, writer),
            );
        }
        let until = now.after(LEASE);
        let leased = SaveState::Waiting { due: until, leased_until: Some(until) };
        Some(Save { tries: self.tries + 1, ..self.next(leased, writer) })
    }

    /// Brought further within a visit.
    pub(crate) fn advanced(&self, work: Option<String>, writer: &Writer) -> Save {
        Save { work, ..self.next(self.state.clone(), writer) }
    }

    /// The visit's time is over, and the next one goes on at once. One that brought it further does not count.
    pub(crate) fn paused(&self, has_advanced: bool, writer: &Writer, now: Timestamp) -> Save {
        let waiting = SaveState::Waiting { due: now, leased_until: None };
        let tries = if has_advanced { self.tries.saturating_sub(1) } else { self.tries };
        Save { tries, ..self.next(waiting, writer) }
    }

    /// After a setback: tried again later, as often as it may be, while the output is there.
    pub(crate) fn set_back(&self, by: Setback, tries_max: u32, writer: &Writer, now: Timestamp) -> Save {
        let failed = |why| self.next(SaveState::Failed { why, at: now }, writer);
        match by {
            Setback::Final(why) => failed(why),
            Setback::Passing(_) if self.tries >= tries_max => failed(SaveFailure::DriveUnavailable),
            Setback::Passing(wait) => {
                let due = now.after(wait.unwrap_or_default().max(backoff(self.tries)));
                if due >= self.output.expires_at {
                    return failed(SaveFailure::DriveUnavailable);
                }
                self.next(SaveState::Waiting { due, leased_until: None }, writer)
            }
        }
    }

    /// The file lies in the drive.
    pub(crate) fn done(&self, link: String, writer: &Writer, now: Timestamp) -> Save {
        Save { work: None, ..self.next(SaveState::Saved { link, at: now }, writer) }
    }

    /// Its owner asks for it once more: due at once, with all its tries. `None`: it is done, or a visitor is at work on it.
    pub(crate) fn again(&self, now: Timestamp) -> Option<Save> {
        let is_at_work = match self.state {
            SaveState::Saved { .. } => return None,
            SaveState::Failed { .. } => false,
            SaveState::Waiting { leased_until, .. } => leased_until.is_some_and(|until| now < until),
        };
        let waiting = SaveState::Waiting { due: now, leased_until: None };
        (!is_at_work).then(|| Save { tries: 0, ..self.next(waiting, &Writer::draw()) })
    }
}

/// A minute after the first try, an hour at most.
fn backoff(tries: u32) -> Duration {
    BACKOFF.saturating_mul(1 << tries.saturating_sub(1).min(6)).min(BACKOFF_MAX)
}
