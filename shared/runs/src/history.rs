use crate::job_store::Signs;
use crate::telling::Progress;
use crate::usage::{UsageLog, UsageRow};
use crate::view::{OutputView, RunPage, RunStatus, RunSummary, RunView, SavedView};
use crate::{Receipt, RunsError, tools};
use credits::{Hold, Ledger, Outcome};
use drives::Saves;
use media::{FileType, Media, MediaError, OutputLinks, StoredOutput};
use platform::{InvalidSettings, Platform, with_causes};
use primitives::{AccountId, EntryId, RunId, Timestamp, Unit};
use std::collections::HashMap;

/// Entries of the ledger read at once for a page of runs: as many as a page holds, and a few top-ups between them.
const OUTCOMES_AT_ONCE: u32 = 120;

/// An account's runs as their owner sees them. Reads only.
#[derive(Clone)]
pub struct History {
    platform: Platform,
    ledger: Ledger,
    media: Media,
    usage: UsageLog,
    signs: Signs,
    saves: Saves,
}

/// What a run has brought, for its copies in the owner's drives.
#[derive(Debug, Clone)]
pub struct Brought {
    pub tool: String,
    pub outputs: Vec<StoredOutput>,
}

impl History {
    pub fn new(platform: &Platform) -> Result<History, InvalidSettings> {
        Ok(History {
            ledger: Ledger::new(platform)?,
            media: Media::new(platform)?,
            usage: UsageLog::new(platform)?,
            signs: Signs::new(platform),
            saves: Saves::new(platform)?,
            platform: platform.clone(),
        })
    }

    fn now(&self) -> Timestamp {
        self.platform.now()
    }

    fn unit(&self) -> Unit {
        self.platform.profile().unit
    }

    /// One run of this account, with its output.
    pub async fn get(&self, account: &AccountId, run: RunId) -> Result<RunView, RunsError> {
        let (outcome, holder) = tokio::join!(self.ledger.outcome(account, run), self.ledger.account(account));
        let holder = holder?;
        if let Some(outcome) = outcome? {
            return self.finished_view_with_saves(&outcome).await;
        }
        if let Some(hold) = holder.as_ref().and_then(|holder| holder.hold(run)) {
            let mut view = self.running_view(hold);
            view.progress = self.signs.of(account, run).await?.map(Progress::of);
            return Ok(view);
        }
        // Between the two reads the run may have ended: its hold is gone because its outcome is there.
        match self.ledger.outcome(account, run).await? {
            Some(outcome) => self.finished_view_with_saves(&outcome).await,
            None => Err(RunsError::NotFound),
        }
    }

    fn running_view(&self, hold: &Hold) -> RunView {
        let lifetime = tools::hold_lifetime(&hold.tool, self.ledger.hold_lifetime());
        RunView::of_hold(hold, lifetime, self.unit())
    }

    /// What a run of this account has brought, as a gift too.
    pub async fn brought(&self, account: &AccountId, run: RunId) -> Result<Brought, RunsError> {
        let outcome = self.ledger.outcome(account, run).await?.ok_or(RunsError::NotFound)?;
        let mut view = RunView::of_outcome(&outcome, self.unit())?;
        let outputs = self.outputs_of(&outcome, &mut view).await?;
        Ok(Brought { tool: view.tool, outputs })
    }

    /// A finished run, and where its outputs were saved.
    async fn finished_view_with_saves(&self, outcome: &Outcome) -> Result<RunView, RunsError> {
        let saves = self.saves.of_run(&outcome.account, RunId::from(outcome.id));
        let (view, saves) = tokio::join!(self.finished_view(outcome), saves);
        let mut view = view?;
        let saves = saves.unwrap_or_else(|error| {
            // The run is worth showing without them.
            tracing::warn!(run.id = %view.id, error = %with_causes(&error), "a run's saves can't be read");
            Vec::new()
        });
        for (output, number) in view.outputs.iter_mut().zip(0_u32..) {
            let of_output = saves.iter().filter(|save| save.id.output == number);
            output.saves = of_output.map(SavedView::of).collect();
        }
        Ok(view)
    }

    /// A finished run with its output's text and a fresh link.
    pub(crate) async fn finished_view(&self, outcome: &Outcome) -> Result<RunView, RunsError> {
        let mut view = RunView::of_outcome(outcome, self.unit())?;
        for (output, n) in self.outputs_of(outcome, &mut view).await?.iter().zip(1..) {
            let mut shown = self.output_view(output, n, &view).await?;
            if output.kind == FileType::Text && !shown.expired {
                match self.media.text(output, self.now()).await {
                    Ok(text) => shown.text = Some(text.into_inner()),
                    Err(MediaError::Gone) => {
                        (shown.expired, shown.view_url, shown.download_url) = (true, None, None);
                    }
                    // The receipt is worth showing without its text; the link may work all the same.
                    Err(error) => {
                        tracing::warn!(run.id = %view.id, error = %with_causes(&error), "an output can't be read")
                    }
                }
            }
            view.outputs.push(shown);
        }
        Ok(view)
    }

    /// The outputs in the receipt, or the gift that came after the release.
    async fn outputs_of(
        &self,
        outcome: &Outcome,
        view: &mut RunView,
    ) -> Result<Vec<StoredOutput>, RunsError> {
        let receipt = outcome.run().and_then(|run| Receipt::parse(&run.receipt));
        if view.status == RunStatus::Succeeded {
            return Ok(receipt.map(|receipt| receipt.outputs()).unwrap_or_default());
        }
        let row = self.usage.row(&outcome.account, view.id).await?;
        let gift = row.map(|row| row.gift).unwrap_or_default();
        view.gift = !gift.is_empty();
        Ok(gift)
    }

    /// The run's `n`th output with fresh links, without reading it.
    pub(crate) async fn output_view(
        &self,
        output: &StoredOutput,
        n: u32,
        run: &RunView,
    ) -> Result<OutputView, RunsError> {
        let name = match n {
            1 => format!("{}-{}", run.tool, run.id),
            n => format!("{}-{}-{n}", run.tool, run.id),
        };
        let links: Option<OutputLinks> = match self.media.links_named(output, &name, self.now()).await {
            Ok(links) => Some(links),
            Err(MediaError::Gone) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(OutputView::of(output, links))
    }

    /// The account's runs, newest first, those still running among them. A page holds `limit` runs unless it is the last.
    pub async fn list(
        &self,
        account: &AccountId,
        limit: u32,
        before: Option<RunId>,
    ) -> Result<RunPage, RunsError> {
        let usage = self.usage.page(account, limit, before, self.now());
        let (page, holder) = tokio::join!(usage, self.ledger.account(account));
        let (page, holder) = (page?, holder?);
        let is_of_page = |hold: &Hold| {
            before.is_none_or(|before| hold.run < before) && page.items.iter().all(|row| row.run != hold.run)
        };
        let holds = holder.map(|holder| holder.holds).unwrap_or_default();
        let running = holds.iter().filter(|hold| is_of_page(hold));
        let shown = |hold| RunSummary::of(self.running_view(hold));
        let mut runs: Vec<RunSummary> = running.map(shown).collect();
        runs.extend(self.finished(account, &page.items, before).await?);
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        let has_more = page.next.is_some() || runs.len() > limit as usize;
        runs.truncate(limit as usize);
        let last = runs.last().map(|run| run.id.to_string());
        Ok(RunPage { runs, next_cursor: last.filter(|_| has_more) })
    }

    /// The runs of these rows. The usage log tells which there are; what they came to stands in the ledger.
    async fn finished(
        &self,
        account: &AccountId,
        rows: &[UsageRow],
        before: Option<RunId>,
    ) -> Result<Vec<RunSummary>, RunsError> {
        let Some(oldest) = rows.last().map(|row| row.run) else { return Ok(Vec::new()) };
        let outcomes = self.outcomes(account, oldest, before).await?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in rows {
            let outcome = outcomes.get(&row.run);
            let outcome = outcome.map(|outcome| (outcome, RunView::of_outcome(outcome, self.unit())));
            let Some((outcome, Ok(view))) = outcome else {
                // The row is written after the outcome, so this is damage; the other runs are shown all the same.
                tracing::error!(run.id = %row.run, "a run of the usage log has no outcome that can be read");
                continue;
            };
            runs.push(self.summary(view, outcome, row).await?);
        }
        Ok(runs)
    }

    async fn summary(
        &self,
        mut view: RunView,
        outcome: &Outcome,
        row: &UsageRow,
    ) -> Result<RunSummary, RunsError> {
        view.gift = !row.gift.is_empty();
        let receipt = outcome.run().and_then(|run| Receipt::parse(&run.receipt));
        let outputs = receipt.map(|receipt| receipt.outputs()).unwrap_or_default();
        for (output, n) in outputs.iter().chain(&row.gift).zip(1..) {
            view.outputs.push(self.output_view(output, n, &view).await?);
        }
        Ok(RunSummary::of(view))
    }

    /// The outcomes of runs from `oldest` on, before the cursor.
    async fn outcomes(
        &self,
        account: &AccountId,
        oldest: RunId,
        before: Option<RunId>,
    ) -> Result<HashMap<RunId, Outcome>, RunsError> {
        let mut outcomes = HashMap::new();
        let mut before = before.map(EntryId::from);
        loop {
            let page = self.ledger.entries(account, OUTCOMES_AT_ONCE, before).await?;
            let is_far_enough = page.items.last().is_none_or(|last| last.id <= EntryId::from(oldest));
            let runs = page.items.into_iter().filter(|entry| entry.run().is_some());
            outcomes.extend(runs.map(|outcome| (RunId::from(outcome.id), outcome)));
            before = page.next;
            if is_far_enough || before.is_none() {
                return Ok(outcomes);
            }
        }
    }
}
