use crate::RunsError;
use crate::claim::EarlierClaim;
use crate::receipt::Receipt;
use crate::runs::{Order, Priced, Runs, Who};
use crate::view::{BalanceView, OutputView, RunStatus, RunView};
use credits::{Account, Decided, Decision, Hold, Nonce, Outcome, Refusal, Reservation, Verdict};
use edge::Problem;
use media::{OutputKind, StoredOutput};
use primitives::{Credits, Fingerprint, Private, RunId, Timestamp};
use providers::{Artifact, Event, Failed, FailureClass, Job, MediaType, Served};
use std::time::Duration;
use tokio::sync::mpsc;

/// What a run tells while it goes on. The first event is either `Run` or `Failed`.
#[derive(Debug)]
pub enum RunEvent {
    /// The provider's first real content is there; from now on the provider does not change.
    Run {
        id: RunId,
        tool: String,
        model: String,
        price: Credits,
    },
    Progress {
        stage: &'static str,
    },
    Delta(Private<String>),
    Output(Box<OutputView>),
    /// The end: charged (or a gift), with balance and receipt.
    Done(Box<RunView>),
    /// The end: what happened, whether credit was taken, what to do.
    Failed(Box<Problem>),
}

/// Drives one run from its reservation to its end. Nobody else needs to be there.
pub(crate) struct Conduct {
    pub(crate) runs: Runs,
    pub(crate) who: Who,
    pub(crate) events: mpsc::UnboundedSender<RunEvent>,
}

/// How a start ended.
enum Started {
    Reserved {
        hold: Hold,
        overdue: Vec<Hold>,
    },
    /// The key stands for a run that is going on or over.
    Known(RunId),
}

/// What the provider's events left in our hands.
#[derive(Default)]
struct Gathered {
    text: String,
    artifact: Option<Artifact>,
    first_at: Option<Timestamp>,
}

impl Conduct {
    pub(crate) async fn work(self, order: Order) {
        if let Err(error) = self.try_work(order).await {
            self.send(RunEvent::Failed(Box::new(error.problem())));
        }
    }

    async fn try_work(&self, order: Order) -> Result<(), RunsError> {
        let mut priced = self.runs.price(&self.who, order).await?;
        match self.reserve(&mut priced).await? {
            Started::Known(run) => self.replay(&priced, run).await,
            Started::Reserved { hold, overdue } => {
                let result = self.serve(&priced, &hold).await;
                for abandoned in overdue {
                    if let Err(error) =
                        self.runs.0.closing.finish_abandoned(&priced.account, &abandoned).await
                    {
                        tracing::warn!(run.id = %abandoned.run, error = %error, "an expired hold stays for the sweep");
                    }
                }
                result
            }
        }
    }

    /// The listener may be gone; the run goes on all the same.
    fn send(&self, event: RunEvent) {
        let _ = self.events.send(event);
    }

    // ---- reserving -------------------------------------------------------------------------------------------

    /// Holds the price, in one round trip, or finds out which run the order repeats.
    async fn reserve(&self, priced: &mut Priced) -> Result<Started, RunsError> {
        if priced.may_be_known && !self.runs.is_in_time(priced.run) {
            return self.known_or(priced, RunsError::RunIdOutOfTime).await;
        }
        let (mut has_account, mut has_tidied) = (true, false);
        loop {
            let now = self.runs.now();
            match self.try_reserve(priced, now).await? {
                Attempted::Known(run) => return Ok(Started::Known(run)),
                Attempted::StandsFor(run) => {
                    (priced.run, priced.key, priced.may_be_known) = (run, None, true);
                }
                Attempted::Reserved(account, hold) => {
                    tracing::info!(run.id = %hold.run, account.id = %account.id, amount = hold.amount.get(), "reserved");
                    let grace = self.runs.0.platform.profile().ledger.hold_grace();
                    return Ok(Started::Reserved { hold, overdue: account.overdue(now, grace) });
                }
                Attempted::Refused(Refusal::NoAccount) if has_account => {
                    self.runs.0.signup.ensure(self.who.sight(), now).await?;
                    has_account = false;
                    if priced.key.is_some() {
                        // The key is claimed by now: a repeat may have used the id and be done already.
                        priced.may_be_known = true;
                    } else if !priced.may_be_known {
                        // A fresh id, so that the ledger lists the welcome below the run it paid for.
                        priced.run = RunId::mint(self.runs.now());
                    }
                }
                Attempted::Refused(Refusal::InsufficientCredit { .. } | Refusal::TooManyOpenRuns { .. })
                    if !has_tidied && self.tidy(priced, now).await? =>
                {
                    has_tidied = true;
                }
                Attempted::Refused(refusal) => {
                    return Err(RunsError::Refused { refusal, price: priced.price });
                }
            }
        }
    }

    /// Reservation, look-up of an earlier outcome, claim of the key and the providers' health, all at once.
    async fn try_reserve(&self, priced: &Priced, now: Timestamp) -> Result<Attempted, RunsError> {
        let wish = Reservation {
            account: priced.account.clone(),
            run: priced.run,
            price: priced.price,
            tool: priced.row.name(),
            fingerprint: priced.fingerprint,
            nonce: Nonce::random(),
        };
        let parts = &self.runs.0;
        let (reserved, earlier, claimed, ()) = tokio::join!(
            parts.ledger.reserve(&wish, now),
            self.earlier_outcome(priced),
            self.claim(priced, now),
            parts.providers.refresh_health(),
        );
        let reserved = reserved?;
        let verdict = self.judge(priced, earlier, claimed);
        let must_go = !matches!(verdict, Ok(None));
        if let (Ok((_, hold)), true) = (&reserved, must_go) {
            parts.ledger.cancel(&priced.account, hold, now).await?;
        }
        if let Some(attempted) = verdict? {
            return Ok(attempted);
        }
        match reserved {
            Ok((account, hold)) => Ok(Attempted::Reserved(account, hold)),
            Err(Refusal::Running(hold)) => {
                let run = same_input(hold.run, hold.fingerprint, priced)?;
                Ok(Attempted::Known(run))
            }
            Err(refusal) => Ok(Attempted::Refused(refusal)),
        }
    }

    async fn earlier_outcome(&self, priced: &Priced) -> Result<Option<Outcome>, RunsError> {
        if !priced.may_be_known {
            return Ok(None);
        }
        Ok(self.runs.0.ledger.outcome(&priced.account, priced.run).await?)
    }

    async fn claim(&self, priced: &Priced, now: Timestamp) -> Result<Option<EarlierClaim>, RunsError> {
        let Some(key) = &priced.key else { return Ok(None) };
        self.runs.0.claims.claim(&priced.account, key, priced.run, priced.fingerprint, now).await
    }

    /// What speaks against a fresh run: the key stands for another one, or this one is over.
    fn judge(
        &self,
        priced: &Priced,
        earlier: Result<Option<Outcome>, RunsError>,
        claimed: Result<Option<EarlierClaim>, RunsError>,
    ) -> Result<Option<Attempted>, RunsError> {
        if let Some(claim) = claimed? {
            let run = same_input(claim.run, claim.fingerprint, priced)?;
            if run != priced.run {
                return Ok(Some(Attempted::StandsFor(run)));
            }
        }
        match earlier? {
            Some(outcome) => known(&outcome, priced).map(Some),
            None => Ok(None),
        }
    }

    async fn known_or(&self, priced: &Priced, otherwise: RunsError) -> Result<Started, RunsError> {
        match self.earlier_outcome(priced).await? {
            Some(outcome) => match known(&outcome, priced)? {
                Attempted::Known(run) => Ok(Started::Known(run)),
                _ => Err(otherwise),
            },
            None => Err(otherwise),
        }
    }

    /// Releases what the account holds past its time. True: credit or room may be there now.
    async fn tidy(&self, priced: &Priced, now: Timestamp) -> Result<bool, RunsError> {
        let Some(account) = self.runs.0.ledger.account(&priced.account).await? else { return Ok(false) };
        let overdue = account.overdue(now, self.runs.0.platform.profile().ledger.hold_grace());
        for hold in &overdue {
            self.runs.0.closing.finish_abandoned(&priced.account, hold).await?;
        }
        Ok(!overdue.is_empty())
    }

    // ---- serving ---------------------------------------------------------------------------------------------

    /// Provider, store, settle. From here on every end is an outcome in the ledger, or left to the sweep.
    async fn serve(&self, priced: &Priced, hold: &Hold) -> Result<(), RunsError> {
        let job = Job {
            run: hold.run,
            request: priced.input.request(hold.run, priced.row.output_tokens_max.unwrap_or(2_000)),
            budget: self.runs.0.settings.budget,
        };
        let (sender, receiver) = mpsc::channel(64);
        let work = async {
            let result = priced.chain.run(&job, &sender).await;
            drop(sender);
            result
        };
        let (result, gathered) = tokio::join!(work, self.gather(priced, hold, receiver));
        match result {
            Ok(served) => self.deliver(priced, hold, &served, gathered).await,
            Err(failed) => self.fail(priced, hold, &failed, gathered.first_at).await,
        }
    }

    /// Passes text on as it comes and keeps all of it.
    async fn gather(&self, priced: &Priced, hold: &Hold, mut events: mpsc::Receiver<Event>) -> Gathered {
        let mut gathered = Gathered::default();
        while let Some(event) = events.recv().await {
            match event {
                // Nothing is shown before the first content: until then another provider may take over.
                Event::Thinking => {}
                Event::Delta(text) => {
                    self.announce(priced, hold, &mut gathered);
                    gathered.text.push_str(&text);
                    self.send(RunEvent::Delta(Private::new(text)));
                }
                Event::Artifact(artifact) => {
                    self.announce(priced, hold, &mut gathered);
                    gathered.artifact = Some(artifact);
                    self.send(RunEvent::Progress { stage: "storing" });
                }
            }
        }
        gathered
    }

    fn announce(&self, priced: &Priced, hold: &Hold, gathered: &mut Gathered) {
        if gathered.first_at.is_none() {
            gathered.first_at = Some(self.runs.now());
            self.send(RunEvent::Run {
                id: hold.run,
                tool: priced.row.tool.clone(),
                model: priced.row.option.clone(),
                price: hold.amount,
            });
        }
    }

    /// The output is stored first: nothing is charged that can't be fetched.
    async fn deliver(
        &self,
        priced: &Priced,
        hold: &Hold,
        served: &Served,
        gathered: Gathered,
    ) -> Result<(), RunsError> {
        let first_at = gathered.first_at;
        let mut receipt = self.receipt(priced, hold, first_at);
        receipt.tried = Receipt::tried_of(&served.attempts);
        receipt.served = Some(Receipt::served_of(served));
        let Some((kind, content)) = gathered.content() else {
            return self.give_back(priced, hold, receipt, FailureClass::BrokenStream).await;
        };
        let stored = self.runs.0.media.store(&priced.account, hold.run, kind, content, self.runs.now()).await;
        let output = match stored {
            Ok(output) => output,
            Err(error) => {
                tracing::error!(run.id = %hold.run, error = %error, "an output could not be stored; the credit goes back");
                let decision = Decision::release(hold, "output_lost", receipt.to_text());
                self.settle(priced, hold, &decision).await?;
                return Err(RunsError::OutputLost { run: hold.run });
            }
        };
        receipt.output = Some(output.clone());
        receipt.finished_at = self.runs.now().millis();
        let decision = Decision::charge(hold, hold.amount, receipt.to_text())?;
        let (outcome, balance) = self.settle(priced, hold, &decision).await?;
        self.finish(&outcome, balance, &output).await
    }

    /// Tells the end. An outcome of somebody else's making (a sweep that came first) makes the output a gift.
    async fn finish(
        &self,
        outcome: &Outcome,
        balance: Option<BalanceView>,
        output: &StoredOutput,
    ) -> Result<(), RunsError> {
        let mut view = RunView::of_outcome(outcome)?;
        if view.status == RunStatus::Failed {
            view.gift = true;
            if let Err(error) = self.runs.0.closing.note_gift(&outcome.account, view.id, output).await {
                tracing::warn!(run.id = %view.id, error = %error, "a late output is delivered but can't be fetched again");
            }
        }
        let shown = self.runs.0.history.output_view(output).await?;
        self.send(RunEvent::Output(Box::new(shown.clone())));
        view.output = Some(shown);
        view.balance = balance;
        tracing::info!(run.id = %view.id, charged = view.charged.get(), tool = %view.tool, "run finished");
        self.send(RunEvent::Done(Box::new(view)));
        Ok(())
    }

    async fn fail(
        &self,
        priced: &Priced,
        hold: &Hold,
        failed: &Failed,
        first_at: Option<Timestamp>,
    ) -> Result<(), RunsError> {
        if failed.class == FailureClass::UnknownOutcome {
            tracing::error!(run.id = %hold.run, "a provider may have taken the work and can't be asked; the credit stays held");
            return Err(RunsError::OutcomeUnknown { run: hold.run, held_until: self.released_at(hold) });
        }
        let mut receipt = self.receipt(priced, hold, first_at);
        receipt.tried = Receipt::tried_of(&failed.attempts);
        self.give_back(priced, hold, receipt, failed.class).await
    }

    async fn give_back(
        &self,
        priced: &Priced,
        hold: &Hold,
        receipt: Receipt,
        class: FailureClass,
    ) -> Result<(), RunsError> {
        let decision = Decision::release(hold, class.as_str(), receipt.to_text());
        self.settle(priced, hold, &decision).await?;
        tracing::info!(run.id = %hold.run, reason = class.as_str(), "run failed; the credit is back");
        Err(RunsError::NotServed { run: hold.run, class })
    }

    // ---- settling --------------------------------------------------------------------------------------------

    /// Decide, log, apply. If the store fails on the way, the hold stays and the sweep does the rest.
    async fn settle(
        &self,
        priced: &Priced,
        hold: &Hold,
        decision: &Decision,
    ) -> Result<(Outcome, Option<BalanceView>), RunsError> {
        let unsettled = |source: RunsError| {
            tracing::error!(run.id = %hold.run, error = %source, "a run could not be settled; the sweep will");
            RunsError::Unsettled {
                run: hold.run,
                held_until: self.released_at(hold),
                source: Box::new(source),
            }
        };
        let decided = self.runs.0.ledger.decide(&priced.account, decision, self.runs.now()).await;
        let outcome = match decided.map_err(|error| unsettled(error.into()))? {
            Decided::Now(outcome) | Decided::Before(outcome) => outcome,
        };
        // The decision stands. What fails from here on does not change what the customer is told.
        match self.runs.0.closing.conclude(hold, &outcome).await {
            Ok(balance) => Ok((outcome, balance)),
            Err(error) => {
                tracing::warn!(run.id = %hold.run, error = %error, "a decided run is left for the sweep to conclude");
                Ok((outcome, None))
            }
        }
    }

    fn released_at(&self, hold: &Hold) -> Timestamp {
        hold.expires_at.after(self.runs.0.platform.profile().ledger.hold_grace())
    }

    fn receipt(&self, priced: &Priced, hold: &Hold, first_at: Option<Timestamp>) -> Receipt {
        let quote = priced.quote.as_ref();
        Receipt {
            tool: priced.row.tool.clone(),
            option: priced.row.option.clone(),
            price: hold.amount,
            quote: quote.map(|quote| quote.number),
            cost: quote.map_or(priced.row.provider_cost, |quote| quote.cost),
            markup: Some(quote.map_or(priced.row.markup, |quote| quote.markup)),
            chars: priced.input.chars() as u64,
            fp: hold.fingerprint.encode(),
            reserved_at: hold.expires_at.before(self.runs.hold_lifetime()).millis(),
            first_at: first_at.map(Timestamp::millis),
            finished_at: self.runs.now().millis(),
            served: None,
            output: None,
            tried: Vec::new(),
        }
    }

    // ---- repeating -------------------------------------------------------------------------------------------

    /// Tells the run's story again; waits for its end if it is still going on.
    async fn replay(&self, priced: &Priced, run: RunId) -> Result<(), RunsError> {
        let outcome = self.await_outcome(priced, run).await?;
        let mut view = self.runs.0.history.finished_view(&outcome).await?;
        view.replayed = true;
        if view.output.is_none()
            && let Some(Verdict::Released(reason)) = outcome.run().map(|run| run.verdict.clone())
        {
            return Err(RunsError::of_release(run, &reason));
        }
        self.send(RunEvent::Run {
            id: run,
            tool: view.tool.clone(),
            model: view.model.clone(),
            price: view.price,
        });
        if let Some(output) = &mut view.output {
            if let Some(text) = output.text.take() {
                self.send(RunEvent::Delta(Private::new(text)));
            }
            self.send(RunEvent::Output(Box::new(output.clone())));
        }
        self.send(RunEvent::Done(Box::new(view)));
        Ok(())
    }

    async fn await_outcome(&self, priced: &Priced, run: RunId) -> Result<Outcome, RunsError> {
        let ledger = &self.runs.0.ledger;
        let mut pause = Duration::from_millis(100);
        let give_up_at = self.runs.now().after(self.runs.0.settings.budget);
        loop {
            if let Some(outcome) = ledger.outcome(&priced.account, run).await? {
                return Ok(outcome);
            }
            let account = ledger.account(&priced.account).await?;
            let Some(hold) = account.as_ref().and_then(|account| account.hold(run)) else {
                // Ended between the two reads, or cancelled before it began.
                return ledger.outcome(&priced.account, run).await?.ok_or(RunsError::NotFound);
            };
            if self.runs.now() > self.released_at(hold) {
                self.runs.0.closing.finish_abandoned(&priced.account, hold).await?;
                continue;
            }
            if self.runs.now() >= give_up_at {
                return Err(RunsError::StillRunning { run });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

enum Attempted {
    Reserved(Account, Hold),
    Known(RunId),
    /// The idempotency key was claimed for this run earlier.
    StandsFor(RunId),
    Refused(Refusal),
}

fn same_input(run: RunId, fingerprint: Fingerprint, priced: &Priced) -> Result<RunId, RunsError> {
    if fingerprint == priced.fingerprint { Ok(run) } else { Err(RunsError::KeyConflict { run }) }
}

fn known(outcome: &Outcome, priced: &Priced) -> Result<Attempted, RunsError> {
    let receipt = outcome.run().and_then(|run| Receipt::parse(&run.receipt));
    let fingerprint = receipt.and_then(|receipt| Fingerprint::decode(&receipt.fp));
    let fingerprint = fingerprint.ok_or(RunsError::Malformed("a receipt"))?;
    same_input(RunId::from(outcome.id), fingerprint, priced).map(Attempted::Known)
}

impl Gathered {
    fn content(self) -> Option<(OutputKind, Private<Vec<u8>>)> {
        if let Some(artifact) = self.artifact {
            let kind = match artifact.media_type {
                MediaType::Png => OutputKind::Png,
                MediaType::Jpeg => OutputKind::Jpeg,
                MediaType::Webp => OutputKind::Webp,
            };
            return Some((kind, Private::new(artifact.bytes)));
        }
        (!self.text.is_empty()).then(|| (OutputKind::Text, Private::new(self.text.into_bytes())))
    }
}
