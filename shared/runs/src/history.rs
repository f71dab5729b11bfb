use crate::usage::UsageLog;
use crate::view::{OutputView, RunPage, RunStatus, RunSummary, RunView};
use crate::{Receipt, RunsError};
use credits::{Hold, Ledger, Outcome};
use media::{Link, Media, MediaError, OutputKind, StoredOutput};
use platform::Platform;
use primitives::{AccountId, RunId, Timestamp};
use std::time::Duration;

/// An account's runs as their owner sees them. Reads only.
#[derive(Clone)]
pub struct History {
    platform: Platform,
    ledger: Ledger,
    media: Media,
    usage: UsageLog,
    hold_lifetime: Duration,
}

impl History {
    pub fn new(platform: &Platform) -> History {
        History {
            ledger: Ledger::new(platform),
            media: Media::new(platform),
            usage: UsageLog::new(platform),
            hold_lifetime: platform.profile().ledger.hold_lifetime(),
            platform: platform.clone(),
        }
    }

    fn now(&self) -> Timestamp {
        self.platform.now()
    }

    /// One run of this account, with its output.
    pub async fn get(&self, account: &AccountId, run: RunId) -> Result<RunView, RunsError> {
        let (outcome, holder) = tokio::join!(self.ledger.outcome(account, run), self.ledger.account(account));
        let holder = holder?;
        if let Some(outcome) = outcome? {
            return self.finished_view(&outcome).await;
        }
        if let Some(hold) = holder.as_ref().and_then(|holder| holder.hold(run)) {
            return Ok(RunView::of_hold(hold, self.hold_lifetime));
        }
        // Between the two reads the run may have ended: its hold is gone because its outcome is there.
        match self.ledger.outcome(account, run).await? {
            Some(outcome) => self.finished_view(&outcome).await,
            None => Err(RunsError::NotFound),
        }
    }

    /// A finished run with its output's text and a fresh link.
    pub(crate) async fn finished_view(&self, outcome: &Outcome) -> Result<RunView, RunsError> {
        let mut view = RunView::of_outcome(outcome)?;
        let Some(output) = self.output_of(outcome, &mut view).await? else { return Ok(view) };
        let mut shown = self.output_view(&output).await?;
        if output.kind == OutputKind::Text && !shown.expired {
            match self.media.text(&output, self.now()).await {
                Ok(text) => shown.text = Some(text.into_inner()),
                Err(MediaError::Gone) => (shown.expired, shown.url) = (true, None),
                // The receipt is worth showing without its text; the link may work all the same.
                Err(error) => tracing::warn!(run.id = %view.id, error = %error, "an output can't be read"),
            }
        }
        view.output = Some(shown);
        Ok(view)
    }

    /// The output in the receipt, or the gift that came after the release.
    async fn output_of(
        &self,
        outcome: &Outcome,
        view: &mut RunView,
    ) -> Result<Option<StoredOutput>, RunsError> {
        let receipt = outcome.run().and_then(|run| Receipt::parse(&run.receipt));
        if view.status == RunStatus::Succeeded {
            return Ok(receipt.and_then(|receipt| receipt.output));
        }
        let row = self.usage.row(&outcome.account, view.id).await?;
        let gift = row.and_then(|row| row.gift);
        view.gift = gift.is_some();
        Ok(gift)
    }

    /// The output with a fresh link, without reading it.
    pub(crate) async fn output_view(&self, output: &StoredOutput) -> Result<OutputView, RunsError> {
        let link: Option<Link> = match self.media.link(output, self.now()).await {
            Ok(link) => Some(link),
            Err(MediaError::Gone) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(OutputView::of(output, link))
    }

    /// The account's runs, newest first; those still running lead the first page.
    pub async fn list(
        &self,
        account: &AccountId,
        limit: u32,
        before: Option<RunId>,
    ) -> Result<RunPage, RunsError> {
        let usage = self.usage.page(account, limit, before, self.now());
        let (page, holder) = tokio::join!(usage, self.ledger.account(account));
        let (page, holder) = (page?, holder?);
        let holds = match before {
            Some(_) => Vec::new(),
            None => holder.map(|holder| holder.holds).unwrap_or_default(),
        };
        let is_listed = |hold: &&Hold| page.rows.iter().all(|row| row.run != hold.run);
        let mut holds: Vec<Hold> = holds.iter().filter(is_listed).cloned().collect();
        holds.sort_by_key(|hold| std::cmp::Reverse(hold.run));
        let running = holds.iter().map(|hold| RunView::of_hold(hold, self.hold_lifetime)).map(summary_of);
        let finished = page.rows.iter().map(|row| RunSummary {
            id: row.run,
            tool: row.tool.clone(),
            model: row.option.clone(),
            status: if row.failure.is_none() { RunStatus::Succeeded } else { RunStatus::Failed },
            charged: row.credits,
            input_chars: row.input_chars,
            at: row.at,
            failure: row.failure.clone(),
        });
        Ok(RunPage {
            runs: running.chain(finished).collect(),
            next_cursor: page.next.map(|run| run.to_string()),
        })
    }
}

fn summary_of(view: RunView) -> RunSummary {
    RunSummary {
        id: view.id,
        tool: view.tool,
        model: view.model,
        status: view.status,
        charged: view.charged,
        input_chars: view.input_chars,
        at: view.created_at,
        failure: view.failure,
    }
}
