//! A run that goes on, told to its owner by a process that need not be the one that works on it. Whoever follows a run does
//! what is due for it, as every visitor does.

use crate::conduct::Conduct;
use crate::jobs::JobEnd;
use crate::live::{HEARD_FOR, Owned};
use crate::runs::{Runs, Who};
use crate::telling::{RunEvent, Teller};
use crate::view::{RunBegun, RunView};
use crate::{OrderError, RunsError, tools};
use credits::{Hold, Outcome};
use primitives::{AccountId, RunId, times};
use providers::Visit;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long one visit to a job looks; between two of them a text that another process writes is told.
const LOOKS: Duration = Duration::from_secs(2);
/// How often a text that another process writes is asked for.
const TEXT_EVERY: Duration = Duration::from_secs(1);

/// How long a follower stays, and when it last told the writer of a text that it listens.
struct Listening {
    until: Instant,
    asked_at: Option<Instant>,
}

impl Listening {
    /// Whether the writer must be told again, before it forgets.
    fn must_ask(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.asked_at.is_none_or(|asked| now >= asked + HEARD_FOR / 3);
        if is_due {
            self.asked_at = Some(now);
        }
        is_due
    }
}

impl Runs {
    /// Tells a run's story from its beginning, and goes on telling until its end, or for as long as one answer lasts: then
    /// `goes_on` is the last event.
    pub fn follow(&self, who: Who, run: RunId) -> mpsc::UnboundedReceiver<RunEvent> {
        let (events, receiver) = mpsc::unbounded_channel();
        let tell = Teller::new(events, self.0.settings.progress);
        let conduct = Conduct { runs: self.clone(), who, tell };
        self.0.platform.spawn(conduct.follow(run));
        receiver
    }
}

impl Conduct {
    async fn follow(self, run: RunId) {
        if let Err(error) = self.tell.during(self.try_follow(run)).await {
            self.tell.fail(&error);
        }
    }

    async fn try_follow(&self, run: RunId) -> Result<(), RunsError> {
        let (parts, account) = (&self.runs.0, &self.who.account);
        let began = Instant::now();
        let mut listening = Listening { until: began + times::RUN_BUDGET.limit, asked_at: None };
        let mut has_begun = false;
        loop {
            if let Some(outcome) = parts.ledger.outcome(account, run).await? {
                return self.tell_over(&outcome, has_begun).await;
            }
            let holder = parts.ledger.account(account).await?;
            let Some(hold) = holder.as_ref().and_then(|holder| holder.hold(run)) else {
                // Ended between the two reads, or it never was.
                let outcome = parts.ledger.outcome(account, run).await?.ok_or(RunsError::NotFound)?;
                return self.tell_over(&outcome, has_begun).await;
            };
            if !std::mem::replace(&mut has_begun, true) {
                if !parts.idempotency_keys.may_follow(account, self.runs.now()).await {
                    return Err(OrderError::StillRunning { run }.into());
                }
                self.tell.begin(RunBegun::of_hold(hold, parts.closing.released_at(hold), self.unit()));
            }
            if self.runs.now() > parts.closing.released_at(hold) {
                parts.closing.finish_abandoned(account, hold).await?;
                continue;
            }
            // Nobody listens any more, or one answer lasts no longer.
            if self.tell.is_unheard() || Instant::now() >= listening.until {
                return self.leave(hold).await;
            }
            let end = began + times::FOLLOWING.limit;
            self.look(account, hold, end, &mut listening)
                .await
                .map_err(|source| self.unsettled(hold, source))?;
        }
    }

    /// Does what is due for the run, and tells what others do.
    async fn look(
        &self,
        account: &AccountId,
        hold: &Hold,
        end: Instant,
        listening: &mut Listening,
    ) -> Result<(), RunsError> {
        let parts = &self.runs.0;
        let job = parts.jobs.of_account(account, hold.run).await?.filter(|job| !job.is_over);
        let is_job = job.is_some();
        if let Some(job) = job {
            let left = times::LARGE_FILE.limit.min(end.saturating_duration_since(Instant::now()));
            let visit = Visit::new(self.runs.now(), LOOKS, left);
            match parts.jobs.visit(job, visit, Some(&self.tell)).await? {
                JobEnd::Over { .. } => return Ok(()),
                JobEnd::GoesOn(_) => {}
            }
        }
        // A text, or one about what was gathered: nothing else is told piece by piece.
        if !is_job || tools::is_summed_up(&hold.tool) {
            let of = Owned { account, run: hold.run };
            if listening.must_ask() {
                parts.live.listen(of, self.runs.now()).await?;
            }
            self.tell.tell_more_of(parts.live.so_far(of).await?.expose());
        }
        tokio::time::sleep_until(listening.until.min(Instant::now() + TEXT_EVERY)).await;
        Ok(())
    }

    /// The end of a run, for somebody who may have heard its beginning.
    async fn tell_over(&self, outcome: &Outcome, has_begun: bool) -> Result<(), RunsError> {
        let mut view: RunView = self.runs.0.history.finished_view(outcome).await?;
        if !has_begun {
            view.replayed = true;
            self.tell.begin(RunBegun::of_repeat(&view));
        }
        self.tell_end(outcome, view)
    }
}
