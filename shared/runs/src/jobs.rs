//! Brings runs to their end whose provider works apart from us. Whoever comes (the request that began the run, a provider's
//! webhook, the poll, the sweep) does what [`Work::next`] says is due, and stores the next state before anything else: of
//! two who come at the same moment one goes on, and the other obeys.

use crate::files::{NewFile, files_of};
use crate::job::{RunJob, SummaryPlan};
use crate::job_store::{JobStore, Writer};
use crate::live::Live;
use crate::pricing::SUMMARY_TRIES;
use crate::problem::{CANCELLED, OUTPUT_LOST};
use crate::receipt::Receipt;
use crate::storing::NotStored;
use crate::telling::{Progress, Stage, Teller};
use crate::tools::{Material, Materials, Pace, Source, Sources};
use crate::view::BalanceView;
use crate::writing::{Writing, Written};
use crate::{Closing, RunsError, Tried};
use credits::{Decision, Ledger, Outcome, RunOutcome};
use futures_util::{FutureExt, StreamExt};
use media::{FileFamily, Media, StoredOutput};
use platform::{InvalidSettings, Platform, Settings, with_causes};
use primitives::{AccountId, Private, RunId, Timestamp, times};
use providers::{
    Chain, Failed, FailureClass, Finished, GivenUp, Job, JobOrder, Made, Next, ProviderName, Providers,
    Request, Served, Sign, SourceFile, TextRequest, Visit, Visited, Work,
};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// How long whoever fetches and books pictures is left alone. Whoever comes after that fetches them again, under other names.
const FINISHING_LEASE: Duration = Duration::from_secs(60);
/// The same, of what may bring a large file, has a text written about it, or is in the hands of whoever asked alone.
const LONG_LEASE: Duration = Duration::from_secs(330);
/// What may take long is begun by nobody who has to leave sooner than that.
const LONG_FINISH: Duration = Duration::from_secs(120);
/// How long a provider may read the files that it is given.
const SOURCE_LINK: Duration = Duration::from_secs(3600);
/// How soon somebody looks after a run whose visitor may have been lost.
const LOOK_AFTER: Duration = Duration::from_secs(60);
/// How often a visitor looks whether another one is through.
const PEEK: Duration = Duration::from_millis(500);
/// Jobs of one shard that are looked after at the same time.
const AT_ONCE: usize = 8;
/// How long a poll looks at one job.
const POLL_LOOKS: Duration = Duration::from_secs(3);

/// Runs whose provider works apart from us.
#[derive(Clone)]
pub(crate) struct Jobs {
    platform: Platform,
    ledger: Ledger,
    providers: Providers,
    pub(crate) media: Media,
    closing: Closing,
    live: Live,
    store: JobStore,
    /// `API_URL`: where providers reach us; absent, they are only looked at.
    webhooks: Option<Url>,
}

/// How a visit ended.
#[derive(Debug)]
pub(crate) enum JobEnd {
    /// The run has its end.
    Over {
        outcome: Box<Outcome>,
        balance: Option<BalanceView>,
        /// What it brought, also as a gift.
        outputs: Vec<StoredOutput>,
    },
    /// The run goes on without the visitor.
    GoesOn(Box<RunJob>),
}

/// What became of a text about what was gathered.
enum Summed {
    Text {
        text: String,
        served: Served,
        is_cut: bool,
    },
    /// Nobody wrote it.
    Failed(Failed),
    /// The process ends.
    Stopped,
}

/// One visitor's round: who may be asked for what, until when, and who hears of it.
struct Round<'a> {
    chain: Chain,
    order: JobOrder,
    visit: Visit,
    tell: Option<&'a Teller>,
    haste: Haste,
    writer: Writer,
}

/// Whether somebody waits for the visitor's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Haste {
    None,
    /// A provider that has told of a job: what takes long is left to whoever comes next.
    AnswerWaits,
    /// Who ordered what takes minutes, and is answered as soon as a provider has it.
    TakenIsEnough,
}

impl Round<'_> {
    /// Asks the next provider, and tells the listener when it has surely taken the work. Gives the state after it, too.
    async fn ask(&self, work: &Work) -> (Work, Visited) {
        let asked = self.chain.ask(work, &self.order, self.visit).await;
        if let (Some(_), Some(tell)) = (asked.work.ticket(), self.tell) {
            tell.reach(Progress::at(Stage::Queued));
        }
        let visited = match asked.finished {
            Some(finished) => Visited::Finished(finished),
            None => Visited::Next(asked.work.clone()),
        };
        (asked.work, visited)
    }
}

impl Jobs {
    pub(crate) fn new(platform: &Platform, providers: &Providers) -> Result<Jobs, InvalidSettings> {
        Ok(Jobs {
            ledger: Ledger::new(platform)?,
            media: Media::new(platform)?,
            closing: Closing::new(platform)?,
            live: Live::new(platform)?,
            store: JobStore::new(platform)?,
            webhooks: platform.env().section(webhooks_url)?,
            providers: providers.clone(),
            platform: platform.clone(),
        })
    }

    /// Stores a job whose credit has just been held, and does what can be done for it during the visit.
    pub(crate) async fn begin(
        &self,
        mut job: RunJob,
        visit: Visit,
        tell: &Teller,
    ) -> Result<JobEnd, RunsError> {
        let is_long = matches!(job.kind()?.pace(), Pace::Long { .. });
        let haste = if is_long { Haste::TakenIsEnough } else { Haste::None };
        let round = self.round(&job, visit, Some(tell), haste).await?;
        job.work = match round.chain.choose(&job.work, &round.order).await {
            Ok(choice) => choice.asking(&job.work, visit.now()),
            Err(nobody) => nobody,
        };
        if !self.store.create(&job, &round.writer, visit.now().after(LOOK_AFTER)).await? {
            // Somebody else has begun the same run.
            return Ok(JobEnd::GoesOn(Box::new(job)));
        }
        if matches!(job.work.next(visit.now()), Next::Wait { .. }) {
            let (from, visited) = round.ask(&job.work).await;
            if let Some(end) = self.heed(&round, &mut job, &from, visited).await? {
                return Ok(end);
            }
        }
        Box::pin(self.go_round(&round, job)).await
    }

    /// Does what can be done for a stored job during the visit.
    pub(crate) async fn visit(
        &self,
        job: RunJob,
        visit: Visit,
        tell: Option<&Teller>,
    ) -> Result<JobEnd, RunsError> {
        let round = self.round(&job, visit, tell, Haste::None).await?;
        Box::pin(self.go_round(&round, job)).await
    }

    /// The job as it is stored; `None`: the run has none, or it is another account's.
    pub(crate) async fn of_account(
        &self,
        account: &AccountId,
        run: RunId,
    ) -> Result<Option<RunJob>, RunsError> {
        Ok(self.store.get(run).await?.filter(|job| job.account == *account))
    }

    /// Does what can be done during the visit, and leaves the rest to whoever comes next.
    async fn go_round(&self, round: &Round<'_>, mut job: RunJob) -> Result<JobEnd, RunsError> {
        let Round { chain, order, visit, tell, writer, .. } = round;
        let visit = *visit;
        loop {
            if job.is_over {
                return self.obey(job).await;
            }
            let mut seen = job.work.clone();
            let visited = match seen.next(visit.now()) {
                Next::GiveUp(why) => return self.give_back(&job, why, visit, *tell).await,
                Next::Wait { .. } if seen.is_doubtful() || visit.is_over() => {
                    return Ok(JobEnd::GoesOn(Box::new(job)));
                }
                Next::Wait { until } => {
                    tokio::time::sleep_until(visit.until(until).min(Instant::now() + PEEK)).await;
                    job = self.again(job).await?;
                    continue;
                }
                Next::Ask => match chain.choose(&seen, order).await {
                    // Nor is a file that was ordered with handed on by whoever only hears of a job.
                    Ok(choice)
                        if choice.outlasts(visit)
                            || round.haste == Haste::AnswerWaits && !job.plan.materials.0.is_empty() =>
                    {
                        self.store.look_again(&job, visit.now()).await?;
                        return Ok(JobEnd::GoesOn(Box::new(job)));
                    }
                    Ok(choice) => {
                        if !self.go_on(&mut job, &choice.asking(&seen, visit.now()), writer).await? {
                            continue;
                        }
                        let visited;
                        (seen, visited) = round.ask(&job.work).await;
                        visited
                    }
                    Err(nobody) => Visited::Next(nobody),
                },
                Next::Find { since } => Visited::Next(chain.find(&seen, order, since, visit).await),
                Next::Watch { .. } if visit.is_over() || round.haste == Haste::TakenIsEnough => {
                    return Ok(JobEnd::GoesOn(Box::new(job)));
                }
                Next::Watch { ticket, until } => {
                    let mut note = |sign| job.sign = Some(told(sign, *tell));
                    chain.watch(&seen, ticket, order, visit, visit.until(until), &mut note).await
                }
                Next::Withdraw { ticket } => chain.withdraw(&seen, ticket, order, visit).await,
            };
            if let Some(end) = self.heed(round, &mut job, &seen, visited).await? {
                return Ok(end);
            }
        }
    }

    /// Stores what a provider's word leads to from the state `from`, and books what it made.
    async fn heed(
        &self,
        round: &Round<'_>,
        job: &mut RunJob,
        from: &Work,
        visited: Visited,
    ) -> Result<Option<JobEnd>, RunsError> {
        let finished = match visited {
            Visited::GoesOn => return Ok(None),
            Visited::Next(next) => {
                self.go_on(job, &next, &round.writer).await?;
                return Ok(None);
            }
            Visited::Finished(finished) => finished,
        };
        let is_long = matches!(job.kind()?.pace(), Pace::Long { .. });
        let may_be_large = is_long || job.kind()?.family() == FileFamily::Audio;
        if may_be_large && round.haste == Haste::AnswerWaits || is_long && round.visit.left() < LONG_FINISH {
            // It may take longer than whoever has come can stay. It is made, so it does not end by its owner's wish any more.
            if job.work.must_end() {
                self.go_on(job, &from.going_on(), &round.writer).await?;
            }
            self.store.look_again(job, round.visit.now()).await?;
            return Ok(Some(JobEnd::GoesOn(Box::new(job.clone()))));
        }
        let finishing = from.finishing(round.visit.now(), lease_of(job.kind()?.family()));
        if !self.go_on(job, &finishing, &round.writer).await? {
            return Ok(None);
        }
        if let Some(tell) = round.tell {
            tell.reach(Progress::at(Stage::Storing));
        }
        match round.chain.fetch(&job.work, &finished, &round.order, round.visit).await {
            Ok(made) => Box::pin(self.deliver(round, job, finished, made)).await,
            Err(next) => {
                self.go_on(job, &next, &round.writer).await?;
                Ok(None)
            }
        }
    }

    async fn round<'a>(
        &self,
        job: &RunJob,
        visit: Visit,
        tell: Option<&'a Teller>,
        haste: Haste,
    ) -> Result<Round<'a>, RunsError> {
        let sources = self.sources(&job.plan.materials, visit.now()).await?;
        let (chain, order) = (self.chain(job)?, job.order(self.webhooks.as_ref(), &sources)?);
        Ok(Round { chain, order, visit, tell, haste, writer: Writer::new() })
    }

    /// Links by which a provider can read the files that were ordered with, for a while.
    async fn sources(&self, materials: &Materials, now: Timestamp) -> Result<Sources, RunsError> {
        let mut sources = Vec::new();
        for Material { id, kind, facts } in &materials.0 {
            let upload = self.media.known_upload(*id, *kind, facts.clone());
            let link = upload.provider_link(SOURCE_LINK, now).await?;
            let link = Url::parse(link.expose()).map_err(|_| RunsError::Malformed("a link"))?;
            let file = SourceFile {
                link: Private::new(link),
                media_type: facts.file_type.media_type(),
                extension: facts.file_type.extension(),
                bytes: facts.bytes,
                pixels: facts.pixels,
            };
            sources.push(Source { id: *id, file, seconds: materials.seconds(*id) });
        }
        Ok(Sources(sources))
    }

    /// Stores the next state. False: somebody else has stored another one, which is now the job's.
    async fn go_on(&self, job: &mut RunJob, next: &Work, writer: &Writer) -> Result<bool, RunsError> {
        if self.store.replace(job, next, writer, None).await? {
            job.work = next.clone();
            job.version += 1;
            return Ok(true);
        }
        let seen = job.work.clone();
        *job = self.again(job.clone()).await?;
        // Meanwhile its owner has only said that they want it to end: what a provider has told is no less true.
        let only_ends =
            !job.is_over && seen.is_at_a_provider() && !seen.must_end() && job.work == seen.ending();
        if only_ends && self.store.replace(job, &next.ending(), writer, None).await? {
            job.work = next.ending();
            job.version += 1;
            return Ok(true);
        }
        if only_ends {
            *job = self.again(job.clone()).await?;
        }
        Ok(false)
    }

    /// The job as it is by now.
    async fn again(&self, job: RunJob) -> Result<RunJob, RunsError> {
        let standing = self.store.get(job.run()).await?;
        // Its time is over and the store has forgotten it.
        Ok(standing.unwrap_or(RunJob { is_over: true, ..job }))
    }

    /// The outcome that somebody else has decided.
    async fn obey(&self, job: RunJob) -> Result<JobEnd, RunsError> {
        let outcome = self.ledger.outcome(&job.account, job.run()).await?.ok_or(RunsError::NotFound)?;
        let outputs = outputs_of(&outcome);
        Ok(JobEnd::Over { outcome: Box::new(outcome), balance: None, outputs })
    }

    /// The outputs are stored first: nothing is charged that can't be fetched. `None`: what the provider made broke off, and
    /// the next state is stored.
    async fn deliver(
        &self,
        round: &Round<'_>,
        job: &mut RunJob,
        finished: Finished,
        made: Vec<Made>,
    ) -> Result<Option<JobEnd>, RunsError> {
        let now = round.visit.now();
        let served = round.chain.served(&job.work, &round.order, &finished, now);
        let served = served.ok_or(RunsError::Malformed("a run's job"))?;
        let mut receipt = self.receipt(job, &served, now, round.tell);
        let question = question_about(job, &made)?;
        let mut files = files_of(made, job.kind()?.family());
        if let Some((plan, question)) = question {
            receipt.tried.extend(lost_tries(job, &plan, now));
            match Box::pin(self.sum_up(job, &plan, question, round.visit, round.tell)).await? {
                Summed::Text { text, served, is_cut } => {
                    receipt.tried.extend(Tried::all(&served.attempts, receipt.reserved_at()));
                    receipt.summed = Some(Receipt::served_of(&served, is_cut));
                    files.insert(0, NewFile::here(text, FileFamily::Text));
                }
                Summed::Failed(failed) => {
                    receipt.tried.extend(Tried::all(&failed.attempts, receipt.reserved_at()));
                    let (lost, text) = (receipt.whole_cost(), receipt.to_text());
                    let decision = Decision::release(&job.hold, failed.class.as_str(), lost, text);
                    return self.end(job, &decision, Vec::new()).await.map(Some);
                }
                Summed::Stopped => return Ok(Some(JobEnd::GoesOn(Box::new(job.clone())))),
            }
        }
        if round.haste == Haste::AnswerWaits && files.iter().any(NewFile::is_large) {
            // Stored in parts by whoever may: the poll, when the lease is over.
            return Ok(Some(JobEnd::GoesOn(Box::new(job.clone()))));
        }
        let outputs = match Box::pin(self.store_all(job, files, round.visit)).await {
            Ok(outputs) => outputs,
            // Whoever has more time takes it from its beginning.
            Err(NotStored::BrokenOff) if round.visit.left().is_zero() => {
                return Ok(Some(JobEnd::GoesOn(Box::new(job.clone()))));
            }
            Err(NotStored::BrokenOff | NotStored::Unfit) => {
                let next =
                    round.chain.broken_off(&job.work, &finished, &round.order, round.visit.now()).await;
                self.go_on(job, &next, &round.writer).await?;
                return Ok(None);
            }
            Err(NotStored::Ours(error)) => {
                tracing::error!(
                    run.id = %job.run(), error = %with_causes(&error),
                    "an output could not be stored; the credit goes back"
                );
                let (lost, text) = (receipt.whole_cost(), receipt.to_text());
                let decision = Decision::release_for_our_fault(&job.hold, OUTPUT_LOST, lost, text);
                return self.end(job, &decision, Vec::new()).await.map(Some);
            }
        };
        let paid = self.platform.profile().unit.cost_paid_by(job.hold.amount);
        crate::conduct::warn_of_loss(job.run(), &receipt, paid);
        let text = receipt.with_outputs(&outputs).to_text();
        let decision = Decision::charge(&job.hold, job.hold.amount, text)?;
        self.end(job, &decision, outputs).await.map(Some)
    }

    /// Has a text written about what was gathered. It may be begun twice: a process that is lost in it is followed by one more.
    async fn sum_up(
        &self,
        job: &RunJob,
        plan: &SummaryPlan,
        question: Private<String>,
        visit: Visit,
        tell: Option<&Teller>,
    ) -> Result<Summed, RunsError> {
        if job.work.finishings() > SUMMARY_TRIES {
            let attempts = Vec::new();
            return Ok(Summed::Failed(Failed {
                class: FailureClass::BrokenStream,
                content_was_sent: true,
                attempts,
            }));
        }
        let chain = self.providers.chain(&plan.chain);
        let chain = chain.map_err(|unknown| RunsError::UnknownChain(unknown.to_string()))?;
        let output_tokens_max = job.plan.output_tokens_max;
        let order = Job {
            run: job.run(),
            account: job.account.clone(),
            request: Request::Text(TextRequest { prompt: question, output_tokens_max }),
            budget: times::SUMMARY.limit.min(visit.left().saturating_sub(times::RUN_AFTER.limit)),
            cost_max: plan.cost_max,
        };
        let writing = Writing {
            platform: &self.platform,
            live: &self.live,
            chain: &chain,
            job: &order,
            tell,
            output_tokens_max,
        };
        let Written { result, gathered } = writing.write().await;
        Ok(match result {
            None => Summed::Stopped,
            Some(Err(failed)) => Summed::Failed(failed),
            Some(Ok(served)) if gathered.text.is_empty() => Summed::Failed(Failed {
                class: FailureClass::BrokenStream,
                content_was_sent: false,
                attempts: served.attempts,
            }),
            Some(Ok(served)) => Summed::Text { text: gathered.text, served, is_cut: gathered.is_cut },
        })
    }

    async fn give_back(
        &self,
        job: &RunJob,
        why: GivenUp,
        visit: Visit,
        tell: Option<&Teller>,
    ) -> Result<JobEnd, RunsError> {
        let mut receipt = job.receipt(visit.now());
        receipt.left = tell.is_some_and(Teller::is_unheard);
        let lost = receipt.whole_cost();
        let reason = match why {
            GivenUp::Failed(class) => class.as_str(),
            GivenUp::Cancelled => CANCELLED,
        };
        tracing::info!(
            run.id = %job.run(), account.id = %job.account, reason, client_left = receipt.left,
            "run failed; the credit is back"
        );
        let decision = Decision::release(&job.hold, reason, lost, receipt.to_text());
        self.end(job, &decision, Vec::new()).await
    }

    /// Decides, or finds what was decided; the loser of two obeys, and its outputs are a gift if the other gave the credit
    /// back.
    async fn end(
        &self,
        job: &RunJob,
        decision: &Decision,
        outputs: Vec<StoredOutput>,
    ) -> Result<JobEnd, RunsError> {
        let (outcome, balance) = self.closing.settle(&job.account, &job.hold, decision).await?;
        let outputs = match outcome.run().and_then(RunOutcome::failure) {
            None => outputs_of(&outcome),
            Some(_) => {
                if !outputs.is_empty() {
                    self.closing.deliver_late(&outcome, &outputs).await;
                }
                outputs
            }
        };
        if let Err(error) = self.store.end(job.run()).await {
            tracing::warn!(run.id = %job.run(), error = %with_causes(&error), "a run's job is left for the poll to end");
        }
        Ok(JobEnd::Over { outcome: Box::new(outcome), balance, outputs })
    }

    fn receipt(&self, job: &RunJob, served: &Served, now: Timestamp, tell: Option<&Teller>) -> Receipt {
        let mut receipt = job.receipt(now);
        receipt.tried = Tried::all(&served.attempts, receipt.reserved_at());
        receipt.first_at = Some(now.millis());
        receipt.served = Some(Receipt::served_of(served, false));
        receipt.left = tell.is_some_and(Teller::is_unheard);
        receipt
    }

    fn chain(&self, job: &RunJob) -> Result<Chain, RunsError> {
        let chain = self.providers.chain(&job.plan.chain);
        chain.map_err(|unknown| RunsError::UnknownChain(unknown.to_string()))
    }
}

/// The address below which the routes of providers' webhooks lie.
fn webhooks_url(settings: &mut Settings<'_>) -> Option<Url> {
    let base = settings.optional("API_URL")?;
    let url = Url::parse(&format!("{}/v1/webhooks/providers/", base.trim_end_matches('/')));
    url.map_err(|_| settings.complain("API_URL", "gives no usable address")).ok()
}

/// Tells the listener where the job is.
fn told(sign: Sign, tell: Option<&Teller>) -> Sign {
    if let Some(tell) = tell {
        tell.reach(Progress::of(sign));
    }
    sign
}

/// How long whoever fetches and books such files is left alone: longer than that can take.
fn lease_of(family: FileFamily) -> Duration {
    match family {
        FileFamily::Image => FINISHING_LEASE,
        FileFamily::Text
        | FileFamily::Subtitles
        | FileFamily::Video
        | FileFamily::Audio
        | FileFamily::Table => LONG_LEASE,
    }
}

/// What was begun of a text by processes that were lost in it: nobody has heard what it cost, so it counts with all that it may.
fn lost_tries(job: &RunJob, plan: &SummaryPlan, now: Timestamp) -> Vec<Tried> {
    let by = plan.chain.first().and_then(|step| step.split('/').next()).unwrap_or_default();
    let lost = (1..job.work.finishings())
        .map(|_| Tried::lost(by, plan.cost_max, job.plan.receipt.reserved_at(), now));
    lost.collect()
}

/// What a text provider is asked about rows, if it is asked.
fn question_about(job: &RunJob, made: &[Made]) -> Result<Option<(SummaryPlan, Private<String>)>, RunsError> {
    let Some(plan) = &job.plan.summary else { return Ok(None) };
    let rows = made.iter().find_map(|made| if let Made::Rows(rows) = made { Some(rows) } else { None });
    let Some(rows) = rows else { return Ok(None) };
    let question = job.plan.input()?.question(rows);
    Ok(question.map(|question| (plan.clone(), question)))
}

/// What a run brought that was charged.
fn outputs_of(outcome: &Outcome) -> Vec<StoredOutput> {
    let receipt = outcome.run().and_then(|run| Receipt::parse(&run.receipt));
    receipt.map(|receipt| receipt.outputs()).unwrap_or_default()
}

impl Jobs {
    /// Looks after the jobs of one shard whose time has come, and says how many were brought to their end.
    /// Everything is over at `until`; what is not reached by then is the next poll's.
    pub(crate) async fn poll_shard(
        &self,
        shard: u8,
        max: usize,
        until: Instant,
    ) -> Result<PollReport, RunsError> {
        let due = self.store.due(shard, self.platform.now(), max).await?;
        let looks = due.into_iter().map(|run| self.look_after(run, until).boxed());
        let parts: Vec<PollReport> =
            futures_util::stream::iter(looks).buffer_unordered(AT_ONCE).collect().await;
        Ok(parts.into_iter().fold(PollReport::default(), PollReport::and))
    }

    async fn look_after(&self, run: RunId, until: Instant) -> PollReport {
        match self.try_look_after(run, until).await {
            Ok(is_over) => PollReport { jobs: 1, ended: u32::from(is_over), failed: 0 },
            Err(error) => {
                tracing::error!(run.id = %run, error = %with_causes(&error), "a run's job could not be looked after");
                PollReport { jobs: 1, ended: 0, failed: 1 }
            }
        }
    }

    async fn try_look_after(&self, run: RunId, until: Instant) -> Result<bool, RunsError> {
        let Some(job) = self.store.get(run).await? else { return Ok(false) };
        if job.is_over {
            self.store.end(run).await?;
            return Ok(true);
        }
        // Whoever decided it may have been lost before anything else was done.
        if let Some(outcome) = self.ledger.outcome(&job.account, run).await? {
            self.closing.conclude(&job.hold, &outcome).await?;
            self.store.end(run).await?;
            return Ok(true);
        }
        match self.visit(job, self.poll_visit(until), None).await? {
            JobEnd::Over { .. } => Ok(true),
            JobEnd::GoesOn(job) => {
                self.store.look_again(&job, self.platform.now().after(LOOK_AFTER)).await?;
                Ok(false)
            }
        }
    }

    /// A provider has told that it is through with a run's job, by its own name for it. It is believed only as far as the
    /// job is then looked at. What comes after the run's end is a gift.
    pub(crate) async fn hear(
        &self,
        run: RunId,
        provider: ProviderName,
        id: &str,
    ) -> Result<JobNews, RunsError> {
        let Some(mut job) = self.store.get(run).await? else { return Ok(JobNews::Unknown) };
        let visit = Visit::new(self.platform.now(), POLL_LOOKS, times::JOB_VISIT.limit);
        if let Some(known) = self.chain(&job)?.told(&job.work, provider, id, visit.now()) {
            if job.is_over {
                job.work = known;
            } else {
                self.go_on(&mut job, &known, &Writer::new()).await?;
            }
        }
        // Of an attempt that was given up before, or of nobody's: it changes nothing.
        if job.work.ticket().is_none_or(|ticket| ticket.id.as_deref() != Some(id)) {
            return Ok(JobNews::Unknown);
        }
        if job.is_over {
            return self.take_late(&job, visit).await;
        }
        let round = self.round(&job, visit, None, Haste::AnswerWaits).await?;
        match Box::pin(self.go_round(&round, job)).await? {
            JobEnd::Over { .. } => Ok(JobNews::Ended),
            JobEnd::GoesOn(_) => Ok(JobNews::GoesOn),
        }
    }

    /// What a provider finished after the credit had been given back is a gift.
    async fn take_late(&self, job: &RunJob, visit: Visit) -> Result<JobNews, RunsError> {
        let outcome = self.ledger.outcome(&job.account, job.run()).await?.ok_or(RunsError::NotFound)?;
        let was_given_back = outcome.run().and_then(RunOutcome::failure).is_some();
        if !was_given_back || self.closing.has_gift(&outcome).await? {
            return Ok(JobNews::Ended);
        }
        let Round { chain, order, .. } = self.round(job, visit, None, Haste::AnswerWaits).await?;
        let Some(ticket) = job.work.ticket() else { return Ok(JobNews::Unknown) };
        let looked = chain
            .watch(
                &job.work,
                ticket,
                &order,
                visit,
                visit.until(job.hold.expires_at.max(visit.now().after(POLL_LOOKS))),
                &mut |_| {},
            )
            .await;
        let Visited::Finished(finished) = looked else { return Ok(JobNews::Ended) };
        let Ok(made) = chain.fetch(&job.work, &finished, &order, visit).await else {
            return Ok(JobNews::Ended);
        };
        // What is free has no text written about it.
        match self.store_all(job, files_of(made, job.kind()?.family()), visit).await {
            Ok(outputs) => self.closing.deliver_late(&outcome, &outputs).await,
            Err(NotStored::BrokenOff | NotStored::Unfit) => {}
            Err(NotStored::Ours(error)) => return Err(error.into()),
        }
        Ok(JobNews::Ended)
    }

    /// The owner wants the run to end. It ends, free of charge, unless its provider is at work on it.
    pub(crate) async fn cancel(&self, account: &AccountId, run: RunId) -> Result<Cancelled, RunsError> {
        let job = self.store.get(run).await?.filter(|job| job.account == *account);
        let Some(mut job) = job else { return Ok(Cancelled::NoJob) };
        // What is made, or is being made while a provider is asked, can't be stopped.
        if !job.is_over && (job.work.is_finishing() || self.chain(&job)?.works_while_asked(&job.work)) {
            return Ok(Cancelled::TooLate);
        }
        let writer = Writer::new();
        while !job.is_over && !job.work.must_end() {
            let ending = job.work.ending();
            self.go_on(&mut job, &ending, &writer).await?;
        }
        let visit = Visit::new(self.platform.now(), POLL_LOOKS, times::JOB_VISIT.limit);
        let round = self.round(&job, visit, None, Haste::AnswerWaits).await?;
        match Box::pin(self.go_round(&round, job)).await? {
            JobEnd::Over { .. } => Ok(Cancelled::Over),
            JobEnd::GoesOn(job) if job.work.must_end() => Ok(Cancelled::Noted),
            JobEnd::GoesOn(_) => Ok(Cancelled::TooLate),
        }
    }

    /// It may bring a large file, or ask a provider that works while it is asked.
    fn poll_visit(&self, until: Instant) -> Visit {
        let left = until.saturating_duration_since(Instant::now());
        Visit::new(self.platform.now(), POLL_LOOKS, times::LARGE_FILE.limit.min(left))
    }
}

/// What came of a provider's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobNews {
    /// The run has its end, by this visit or an earlier one.
    Ended,
    /// The provider is not through.
    GoesOn,
    /// It is no job of this run's, or there is no such run.
    Unknown,
}

/// What came of the owner's wish to end a run.
#[derive(Debug)]
pub(crate) enum Cancelled {
    /// The run has its end.
    Over,
    /// It ends as soon as whoever is asking a provider for it is through.
    Noted,
    /// The provider is at work on it: it goes on.
    TooLate,
    /// It is written while its owner listens, or there is no such run.
    NoJob,
}

/// What a poll did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PollReport {
    /// Runs that somebody had to look after.
    pub jobs: u32,
    /// Of those, brought to their end.
    pub ended: u32,
    /// Of those, not looked after this time; the next poll tries again.
    pub failed: u32,
}

impl PollReport {
    pub(crate) fn and(self, other: PollReport) -> PollReport {
        PollReport {
            jobs: self.jobs.saturating_add(other.jobs),
            ended: self.ended.saturating_add(other.ended),
            failed: self.failed.saturating_add(other.failed),
        }
    }
}
