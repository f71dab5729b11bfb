//! A run that goes on, told to a listener (a client of `GET /v1/runs/{id}/events`) by a process that need not be the
//! one that began it. The listener's process also does what is due for the run, as every visitor of [`crate::jobs`]
//! does.

use crate::conduct::Conduct;
use crate::idempotency::Place;
use crate::jobs::JobEnd;
use crate::live::{HEARD_FOR, Owned};
use crate::runs::{Runs, Who};
use crate::telling::{RunEvent, Teller};
use crate::view::{RunBegun, RunView};
use crate::{OrderError, RunsError, tools};
use credits::{Hold, Outcome};
use platform::{StoreError, with_causes};
use primitives::{AccountId, RunId, times};
use providers::Visit;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// How long one visit to a job looks. Between two visits the listener gets the text that another process writes.
const LOOKS: Duration = Duration::from_secs(2);
/// How often the listener's process reads the text that another process writes.
const TEXT_EVERY: Duration = Duration::from_secs(1);

/// How long the listener may stay, and when its process last told the writer of the text that it is there.
struct Listening {
    until: Instant,
    asked_at: Option<Instant>,
}

impl Listening {
    /// Whether the writer must be told again that the listener is there, before [`HEARD_FOR`] is over.
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
        let mut place = None;
        if let Err(error) = self.tell.during(self.try_follow(run, &mut place)).await {
            self.tell.fail(&error);
        }
        if let Some(place) = place {
            self.runs.0.idempotency_keys.give_back(place).await;
        }
    }

    async fn try_follow(&self, run: RunId, place: &mut Option<Place>) -> Result<(), RunsError> {
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
                // The run ended between the two reads, or there is no such run.
                let outcome = parts.ledger.outcome(account, run).await?.ok_or(RunsError::NotFound)?;
                return self.tell_over(&outcome, has_begun).await;
            };
            if !std::mem::replace(&mut has_begun, true) {
                *place = parts.idempotency_keys.place_to_follow(account, self.runs.now()).await;
                if place.is_none() {
                    return Err(OrderError::TooManyFollowers { run }.into());
                }
                self.tell.begin(RunBegun::of_hold(hold, parts.closing.released_at(hold), self.unit()));
            }
            if self.runs.now() > parts.closing.released_at(hold) {
                parts.closing.finish_abandoned(account, hold).await?;
                continue;
            }
            // The listener has left, or the time of one answer is over.
            if self.tell.is_unheard() || Instant::now() >= listening.until {
                return self.leave(hold).await;
            }
            let end = began + times::FOLLOWING.limit;
            self.look(account, hold, end, &mut listening)
                .await
                .map_err(|source| self.unsettled(hold, source))?;
        }
    }

    /// Does what is due for the run, and sends the listener the text that another process writes.
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
        // Only two kinds of text come piece by piece: that of a run without a job, and the one about gathered rows.
        if !is_job || tools::is_summed_up(&hold.tool) {
            let of = Owned { account, run: hold.run };
            if listening.must_ask()
                && let Err(error) = parts.live.listen(of, self.runs.now()).await
            {
                self.warn_of_silence(hold, &error);
            }
            match parts.live.so_far(of).await {
                Ok(text) => self.tell.tell_more_of(text.expose()),
                Err(error) => self.warn_of_silence(hold, &error),
            }
        }
        tokio::time::sleep_until(listening.until.min(Instant::now() + TEXT_EVERY)).await;
        Ok(())
    }

    /// The listener gets no text for now; it still gets the run's end, with all of the text.
    fn warn_of_silence(&self, hold: &Hold, error: &StoreError) {
        tracing::warn!(run.id = %hold.run, error = %with_causes(error), "a listener gets no text for now");
    }

    /// Tells the listener the end of a run, and its beginning unless `has_begun` says that the listener has it.
    async fn tell_over(&self, outcome: &Outcome, has_begun: bool) -> Result<(), RunsError> {
        let mut view: RunView = self.runs.0.history.finished_view(outcome).await?;
        if !has_begun {
            view.replayed = true;
            self.tell.begin(RunBegun::of_repeat(&view));
        }
        self.tell_end(outcome, view)
    }
}
