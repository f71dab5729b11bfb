//! Brings saves to their end. A visitor is the request that asked for a save, or the sweep. It claims the save for a
//! while, does one step after the other, and notes each before the next. When a visitor was killed, the sweep goes on
//! from the last step that was noted. It makes no file twice, because the first step fixes the file's place.

use crate::drive::{
    AccessToken, Drive, DriveFailure, Opened, PART_BYTES, Part, Place, SavedFile, Sent, Session,
};
use crate::drives::Grant;
use crate::link::{LinkStatus, Preference};
use crate::save::{Save, SaveFailure, SaveId, SaveState, Setback, Writer};
use crate::saves::{Order, Saves};
use crate::store::Written;
use crate::{DriveKind, DriveRules, Drives, DrivesError};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use media::{Media, MediaError};
use platform::{InvalidSettings, Platform, Sealer, StoreError, with_causes};
use primitives::{AccountId, Private, Timestamp, times};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Saves of one shard that one sweep looks after; the next one takes the others.
const SHARD_MAX: usize = 100;
/// Saves that are worked on at the same time. Each has one part of a file in memory.
const AT_ONCE: usize = 4;

/// Saves outputs in linked drives.
#[derive(Clone)]
pub struct Saving {
    platform: Platform,
    drives: Drives,
    saves: Saves,
    media: Media,
    sealer: Sealer,
    tries_max: u32,
}

/// What one sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SavesReport {
    /// Saves that were due.
    pub due: u32,
    /// Of those, in their drives now.
    pub saved: u32,
    /// Of those, failed: the sweep does not try them again.
    pub given_up: u32,
    /// Of those, not visited because of an error; the next sweep tries again.
    pub failed: u32,
}

/// How far a save is. A reader of it could write into the upload, so it is stored sealed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    #[default]
    Nothing,
    /// It is known where the file will lie. `sent_before`: an upload was begun and is lost, so the file may lie there.
    Placed { place: Place, sent_before: bool },
    /// The drive has the file up to `offset`.
    Sending { place: Place, session: Session, offset: u64 },
}

/// What a step came to.
enum Step {
    Further(Work),
    Done(SavedFile),
}

/// Why a step was not done.
enum StepFailure {
    Drive(DriveFailure),
    Media(MediaError),
}

impl From<DriveFailure> for StepFailure {
    fn from(failure: DriveFailure) -> StepFailure {
        StepFailure::Drive(failure)
    }
}

/// What ends a visit early.
enum VisitEnd {
    /// Another visitor has written the save since; this is what it wrote.
    Overtaken(Box<Save>),
    Failed(StoreError),
}

impl From<StoreError> for VisitEnd {
    fn from(error: StoreError) -> VisitEnd {
        VisitEnd::Failed(error)
    }
}

impl Saving {
    /// An error when a section of the profile or a setting is wrong. Calls no store and no drive.
    pub fn new(platform: &Platform) -> Result<Saving, InvalidSettings> {
        Ok(Saving {
            drives: Drives::new(platform)?,
            saves: Saves::new(platform)?,
            media: Media::new(platform)?,
            sealer: platform.env().section(Sealer::read)?,
            tries_max: platform.rules(DriveRules::read)?.save_tries_max,
            platform: platform.clone(),
        })
    }

    fn now(&self) -> Timestamp {
        self.platform.now()
    }

    /// The rows alone.
    pub fn saves(&self) -> &Saves {
        &self.saves
    }

    /// The drives alone.
    pub fn drives(&self) -> &Drives {
        &self.drives
    }

    /// A person asks for an output to be saved, in the drive they name or in the one that is theirs. A save that failed is
    /// tried once more, with all its tries; one that is done is shown. Nothing is sent yet.
    pub async fn ask(
        &self,
        order: Order<'_>,
        number: usize,
        drive: Option<DriveKind>,
    ) -> Result<Save, DrivesError> {
        let drive = self.ready_drive(order.account, drive).await?;
        let output = order.outputs.get(number).ok_or(DrivesError::NothingToSave)?;
        if output.is_expired(self.now()) {
            return Err(DrivesError::OutputGone);
        }
        let save = self.saves.schedule(order, number, drive).await?.ok_or(DrivesError::NothingToSave)?;
        let Some(again) = save.again(self.now()) else { return Ok(save) };
        Ok(match self.saves.store().replace(&save, &again).await? {
            Written::Done => again,
            Written::Standing(standing) => *standing,
        })
    }

    async fn ready_drive(
        &self,
        account: &AccountId,
        named: Option<DriveKind>,
    ) -> Result<DriveKind, DrivesError> {
        let (links, preference) = self.drives.list(account).await?;
        let only = match links.as_slice() {
            [] if named.is_none() => return Err(DrivesError::NotLinked),
            [link] => Some(link.kind),
            _ => None,
        };
        let kind = named.or(Preference::drive(preference)).or(only).ok_or(DrivesError::NoDriveChosen)?;
        self.drives.drive(kind)?;
        let link = links.iter().find(|link| link.kind == kind).ok_or(DrivesError::NotLinked)?;
        match link.status {
            LinkStatus::Linked => Ok(kind),
            LinkStatus::Reconnect { .. } => Err(DrivesError::Reconnect),
        }
    }

    /// Goes on with a save that was just asked for, for as long as its owner may wait; the sweep does the rest.
    pub async fn begin(&self, save: Save) {
        let (account, id) = (save.account.clone(), save.id);
        let until = Instant::now() + times::SAVE_NOW.limit;
        if let Err(error) = self.visit(save, until).await {
            tell_unvisited(&account, id, &error);
        }
    }

    /// Goes on with every save that is due. One that fails does not stop the others.
    pub async fn run_due(&self) -> Result<SavesReport, DrivesError> {
        self.run_due_within(times::SAVE_SWEEP.limit).await
    }

    /// As [`Saving::run_due`]; after so long nothing more is begun.
    pub async fn run_due_within(&self, limit: Duration) -> Result<SavesReport, DrivesError> {
        let until = Instant::now() + limit;
        let due = self.saves.due(SHARD_MAX).await?;
        let visits = due.into_iter().map(|(account, id)| self.look_after(account, id, until).boxed());
        let ends: Vec<SavesReport> =
            futures_util::stream::iter(visits).buffer_unordered(AT_ONCE).collect().await;
        let report = ends.into_iter().fold(SavesReport::default(), SavesReport::and);
        if report.due > 0 {
            let SavesReport { due, saved, given_up, failed } = report;
            tracing::info!(due, saved, given_up, failed, "sweep of saves ended");
        }
        Ok(report)
    }

    async fn look_after(&self, account: AccountId, id: SaveId, until: Instant) -> SavesReport {
        let one = SavesReport { due: 1, ..SavesReport::default() };
        match self.try_look_after(&account, id, until).await {
            Ok(Some(SaveState::Saved { .. })) => SavesReport { saved: 1, ..one },
            Ok(Some(SaveState::Failed { .. })) => SavesReport { given_up: 1, ..one },
            Ok(Some(SaveState::Waiting { .. }) | None) => one,
            Err(error) => {
                tell_unvisited(&account, id, &error);
                SavesReport { failed: 1, ..one }
            }
        }
    }

    async fn try_look_after(
        &self,
        account: &AccountId,
        id: SaveId,
        until: Instant,
    ) -> Result<Option<SaveState>, DrivesError> {
        let Some(save) = self.saves.store().save(account, id).await? else { return Ok(None) };
        Ok(Some(self.visit(save, until).await?.state))
    }

    /// One visit: the save as it is afterwards.
    async fn visit(&self, save: Save, until: Instant) -> Result<Save, DrivesError> {
        let writer = Writer::draw();
        let claimed = save.claimed(self.tries_max, &writer, self.now()).filter(|_| Instant::now() < until);
        let Some(claimed) = claimed else { return Ok(save) };
        if let Written::Standing(standing) = self.saves.store().replace(&save, &claimed).await? {
            return Ok(*standing);
        }
        if warn_if_given_up(&claimed) {
            return Ok(claimed);
        }
        let mut visit = Visit { saving: self, writer, save: claimed, has_advanced: false, until };
        match visit.work().await {
            Ok(()) => Ok(visit.save),
            Err(VisitEnd::Overtaken(standing)) => Ok(*standing),
            Err(VisitEnd::Failed(error)) => Err(error.into()),
        }
    }

    fn place_of(save: &Save) -> String {
        format!("{}/{}/{}", crate::DRIVE_SAVES.name, save.account, save.id)
    }

    /// What can't be opened is begun anew: the place of the file is found again, or another one is fixed.
    fn work_of(&self, save: &Save) -> Work {
        let Some(sealed) = &save.work else { return Work::Nothing };
        let opened = self.sealer.open(&Saving::place_of(save), sealed);
        let work = opened.map(|content| serde_json::from_slice(&content).ok());
        match work {
            Ok(Some(work)) => work,
            Ok(None) | Err(_) => {
                tracing::error!(run.id = %save.id.run, "how far a save is can't be read; it begins anew");
                Work::Nothing
            }
        }
    }

    fn sealed(&self, save: &Save, work: &Work) -> Result<String, StoreError> {
        let unwritten = || StoreError::corrupt(crate::DRIVE_SAVES.name, "attribute `work` can't be written");
        let content = serde_json::to_vec(work).map_err(|_| unwritten())?;
        self.sealer.seal(&Saving::place_of(save), &content).map_err(|_| unwritten())
    }
}

/// Logs a save that has failed for good, and says whether it has.
fn warn_if_given_up(save: &Save) -> bool {
    let SaveState::Failed { why, .. } = &save.state else { return false };
    let (run, drive, reason) = (save.id.run, save.id.drive, why.as_str());
    tracing::warn!(metric = "saves_given_up", run.id = %run, %drive, reason, "an output was not saved in a drive");
    true
}

/// One visitor with one save.
struct Visit<'a> {
    saving: &'a Saving,
    writer: Writer,
    save: Save,
    has_advanced: bool,
    until: Instant,
}

impl Visit<'_> {
    /// Step by step until the file is there, something stands in the way, or the visit's time is over.
    async fn work(&mut self) -> Result<(), VisitEnd> {
        let saving = self.saving;
        let (kind, account) = (self.save.id.drive, self.save.account.clone());
        let drive = match saving.drives.drive(kind) {
            Ok(drive) => drive,
            // Its settings were taken away; they may come back.
            Err(_) => return self.set_back(Setback::Passing(None)).await,
        };
        let grant = match saving.drives.grant(&account, kind).await {
            Ok(grant) => grant,
            Err(error) => return self.set_back(without_grant(&error)).await,
        };
        let mut access = match drive.access(&grant.refresh).await {
            Ok(access) => access,
            Err(failure) => return self.refused_access(&grant, &failure).await,
        };
        let (mut work, mut is_fresh) = (saving.work_of(&self.save), true);
        loop {
            if Instant::now() >= self.until {
                return self.pause().await;
            }
            let step = timeout(times::SAVE_END.limit, self.step(drive, &access, &work)).await;
            match step {
                Ok(Ok(Step::Done(file))) => return self.done(file).await,
                Ok(Ok(Step::Further(next))) => {
                    self.keep(&next).await?;
                    work = next;
                }
                // It has ended while the file was sent.
                Ok(Err(StepFailure::Drive(DriveFailure::AccessRefused))) if !is_fresh => {
                    access = match drive.access(&grant.refresh).await {
                        Ok(access) => access,
                        Err(failure) => return self.refused_access(&grant, &failure).await,
                    };
                    is_fresh = true;
                    continue;
                }
                Ok(Err(StepFailure::Drive(failure))) => {
                    self.tell(&failure);
                    return self.set_back(Setback::from(&failure)).await;
                }
                Ok(Err(StepFailure::Media(MediaError::Gone))) => {
                    return self.set_back(Setback::Final(SaveFailure::OutputGone)).await;
                }
                Ok(Err(StepFailure::Media(error))) => {
                    tracing::warn!(run.id = %self.save.id.run, error = %with_causes(&error), "an output can't be read for a save");
                    return self.set_back(Setback::Passing(None)).await;
                }
                Err(_) => return self.set_back(Setback::Passing(None)).await,
            }
            is_fresh = false;
        }
    }

    async fn step(&self, drive: &dyn Drive, access: &AccessToken, work: &Work) -> Result<Step, StepFailure> {
        let file = self.save.file();
        match work {
            Work::Nothing => {
                let place = drive.place(access, &file).await?;
                Ok(Step::Further(Work::Placed { place, sent_before: false }))
            }
            Work::Placed { place, sent_before } => {
                if *sent_before && let Some(saved) = drive.find(access, place, &file).await? {
                    return Ok(Step::Done(saved));
                }
                Ok(match drive.open(access, place, &file).await? {
                    Opened::Exists(saved) => Step::Done(saved),
                    Opened::Session(session) => {
                        Step::Further(Work::Sending { place: place.clone(), session, offset: 0 })
                    }
                })
            }
            Work::Sending { place, session, offset } => {
                let part = Part { offset: *offset, content: self.part(*offset).await? };
                Ok(match drive.send(access, place, session, &file, part).await? {
                    Sent::Done(saved) => Step::Done(saved),
                    Sent::Lost => Step::Further(Work::Placed { place: place.clone(), sent_before: true }),
                    Sent::Through(reached) if reached == *offset || reached > file.bytes => {
                        return Err(DriveFailure::Passing("no progress", None).into());
                    }
                    Sent::Through(offset) => Step::Further(Work::Sending {
                        place: place.clone(),
                        session: session.clone(),
                        offset,
                    }),
                })
            }
        }
    }

    /// What is sent next, straight from the bucket: no more of the file than this is ever held.
    async fn part(&self, offset: u64) -> Result<Private<Bytes>, StepFailure> {
        let output = &self.save.output;
        let end = offset.saturating_add(PART_BYTES).min(output.bytes);
        if offset >= end {
            return Ok(Private::new(Bytes::new()));
        }
        let read = self.saving.media.read_range(output, offset..end, self.saving.now()).await;
        read.map_err(StepFailure::Media)
    }

    async fn refused_access(&mut self, grant: &Grant, failure: &DriveFailure) -> Result<(), VisitEnd> {
        self.tell(failure);
        match failure {
            DriveFailure::GrantRevoked => {
                let noted = self.saving.drives.note_revoked(grant).await;
                if let Err(DrivesError::Store(error)) = noted {
                    return Err(error.into());
                }
                self.set_back(Setback::Final(SaveFailure::Reconnect)).await
            }
            DriveFailure::Refused(_) => {
                // Of our own name or secret at the drive: a person has to look, and the save has time.
                tracing::error!(drive = %self.save.id.drive, error = %failure, "a drive refuses us ourselves");
                self.set_back(Setback::Passing(None)).await
            }
            failure => self.set_back(Setback::from(failure)).await,
        }
    }

    async fn keep(&mut self, work: &Work) -> Result<(), VisitEnd> {
        let sealed = self.saving.sealed(&self.save, work)?;
        self.has_advanced = true;
        self.write(self.save.advanced(Some(sealed), &self.writer)).await
    }

    async fn pause(&mut self) -> Result<(), VisitEnd> {
        self.write(self.save.paused(self.has_advanced, &self.writer, self.saving.now())).await
    }

    async fn done(&mut self, file: SavedFile) -> Result<(), VisitEnd> {
        let (run, drive) = (self.save.id.run, self.save.id.drive);
        self.write(self.save.done(file.link, &self.writer, self.saving.now())).await?;
        tracing::info!(run.id = %run, %drive, "an output was saved in a drive");
        Ok(())
    }

    async fn set_back(&mut self, by: Setback) -> Result<(), VisitEnd> {
        let now = self.saving.now();
        self.write(self.save.set_back(by, self.saving.tries_max, &self.writer, now)).await?;
        warn_if_given_up(&self.save);
        Ok(())
    }

    /// Writes what has become of the save. If another visitor wrote the row first, this visit ends.
    async fn write(&mut self, next: Save) -> Result<(), VisitEnd> {
        match self.saving.saves.store().replace(&self.save, &next).await? {
            Written::Done => {
                self.save = next;
                Ok(())
            }
            Written::Standing(standing) => Err(VisitEnd::Overtaken(standing)),
        }
    }

    fn tell(&self, failure: &DriveFailure) {
        let id = self.save.id;
        tracing::info!(run.id = %id.run, drive = %id.drive, error = %failure, "a step of a save was not done");
    }
}

fn without_grant(error: &DrivesError) -> Setback {
    match error {
        DrivesError::NotLinked => Setback::Final(SaveFailure::NotLinked),
        DrivesError::Reconnect => Setback::Final(SaveFailure::Reconnect),
        _ => Setback::Passing(None),
    }
}

fn tell_unvisited(account: &AccountId, id: SaveId, error: &DrivesError) {
    tracing::error!(
        account.id = %account, run.id = %id.run, drive = %id.drive, error = %with_causes(error),
        "a save could not be looked after; the next sweep will"
    );
}

impl SavesReport {
    fn and(self, other: SavesReport) -> SavesReport {
        SavesReport {
            due: self.due.saturating_add(other.due),
            saved: self.saved.saturating_add(other.saved),
            given_up: self.given_up.saturating_add(other.given_up),
            failed: self.failed.saturating_add(other.failed),
        }
    }
}
