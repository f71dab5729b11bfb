//! Brings runs to their end whose provider works apart from us. A visitor (the request that began the run, a listener,
//! a provider's webhook, the owner's cancel, the poll) does what [`Work::next`] says is due, and stores the next state
//! first. Of two visitors at the same moment one stores it and goes on; the store refuses the other one's write, and
//! that visitor goes on from what the first one stored.

mod ending;
mod late;
mod visitors;

pub(crate) use visitors::Cancelled;
pub use visitors::{JobNews, PollReport};

use crate::job::RunJob;
use crate::job_store::{JobStore, Writer};
use crate::live::Live;
use crate::telling::{Progress, Stage, Teller};
use crate::tools::{Material, Materials, Pace, Source, Sources};
use crate::view::BalanceView;
use crate::{Closing, PriceRow, RunsError, ToolInput};
use credits::{Ledger, Outcome};
use media::{FileFamily, Media, StoredOutput};
use platform::{InvalidSettings, Platform, Settings};
use primitives::{AccountId, JobId, Private, RunId, Timestamp};
use providers::{Chain, JobOrder, Next, Providers, Request, Sign, SourceFile, Visit, Visited, Work};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// While one visitor fetches and books pictures, other visitors leave the run alone for this long. If it has not ended
/// then, the next visitor fetches the pictures again and stores them under other names.
const FINISHING_LEASE: Duration = Duration::from_secs(60);
/// The same for work whose result may be a large file, has a text written about it (rows), or is known only to the
/// visitor that asked the provider (OmniVoice and Groq answer with the result itself).
const LONG_LEASE: Duration = Duration::from_secs(330);
/// A visitor with less time left than this does not begin to fetch the result of a long run: it leaves that to the
/// poll.
const LONG_FINISH: Duration = Duration::from_secs(120);
/// How long a provider may read the files that it is given.
const SOURCE_LINK: Duration = Duration::from_secs(3600);
/// The poll looks at a run this long after the request stored it, and this long after each poll that did not end it.
const LOOK_AFTER: Duration = Duration::from_secs(60);
/// How often a visitor looks whether the other visitor at work on the run has ended.
const PEEK: Duration = Duration::from_millis(500);

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

/// One visitor's round: who may be asked for what, until when, and who hears of it.
struct Round<'a> {
    chain: Chain,
    order: JobOrder,
    visit: Visit,
    tell: Option<&'a Teller>,
    haste: Haste,
    writer: Writer,
}

/// How soon the visitor must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Haste {
    /// The visitor does all that fits into its visit.
    None,
    /// A provider's webhook or the owner's cancel waits for the answer: the visitor leaves to the poll what takes long.
    AnswerWaits,
    /// The request that begins a long run is answered as soon as a provider has taken the work.
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
            Err(unserved) => unserved,
        };
        if !self.store.create(&job, &round.writer, visit.now().after(LOOK_AFTER)).await? {
            // Another request with the same run id has stored the job first.
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

    /// The job as it is stored; `None`: the account's run has none.
    pub(crate) async fn of_account(
        &self,
        account: &AccountId,
        run: RunId,
    ) -> Result<Option<RunJob>, RunsError> {
        Ok(self.store.get(JobId::of(account, run)).await?)
    }

    /// Does what can be done during the visit, and leaves the rest to the next visitor.
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
                Next::Ask | Next::Find { .. } if !visit.has_time() => {
                    self.store.look_again(&job, visit.now()).await?;
                    return Ok(JobEnd::GoesOn(Box::new(job)));
                }
                Next::Ask => match chain.choose(&seen, order).await {
                    // Left to the poll: a provider that answers later than this visit may last, and, when a webhook or
                    // the owner's cancel waits for the answer, every order that names files.
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
                    Err(unserved) => Visited::Next(unserved),
                },
                Next::Find { since } => Visited::Next(chain.find(&seen, order, since, visit).await),
                Next::Watch { .. } if visit.is_over() || round.haste == Haste::TakenIsEnough => {
                    return Ok(JobEnd::GoesOn(Box::new(job)));
                }
                Next::Watch { ticket, until } => {
                    let end = visit.until(until);
                    let mut note = |sign| job.sign = Some(told(sign, *tell));
                    let watched = chain.watch(&seen, ticket, order, visit, end, &mut note).await;
                    if matches!(watched, Visited::GoesOn) {
                        // The next look would come after the end.
                        tokio::time::sleep_until(end).await;
                    }
                    watched
                }
                Next::Withdraw { ticket } => chain.withdraw(&seen, ticket, order, visit).await,
            };
            if let Some(end) = self.heed(round, &mut job, &seen, visited).await? {
                return Ok(end);
            }
        }
    }

    /// Stores the state that follows from `from` and the provider's answer, and books what the provider made.
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
            // Storing may take longer than this visit has left, so the poll does it. The provider has made the work, so
            // the owner's cancel does not end the run any more.
            if job.work.must_end() {
                self.go_on(job, &from.going_on(), &round.writer).await?;
            }
            self.store.look_again(job, round.visit.now()).await?;
            return Ok(Some(JobEnd::GoesOn(Box::new(job.clone()))));
        }
        let finishing = from.finishing(round.visit.now(), lease_of(job)?);
        if !self.go_on(job, &finishing, &round.writer).await? {
            return Ok(None);
        }
        if let Some(tell) = round.tell {
            tell.reach(Progress::at(Stage::Storing));
        }
        match round.chain.fetch(&job.work, &finished, &round.order, round.visit).await {
            Ok(made) => Box::pin(self.deliver(round, job, finished, made)).await,
            // This visit has no time left, which is not the provider's fault: the next visitor after the lease fetches.
            Err(_) if round.visit.left().is_zero() => Ok(Some(JobEnd::GoesOn(Box::new(job.clone())))),
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

    /// What a provider would get for an input that is not ordered yet.
    pub(crate) async fn request(
        &self,
        input: &ToolInput,
        row: &PriceRow,
        materials: &Materials,
        now: Timestamp,
    ) -> Result<Request, RunsError> {
        let sources = self.sources(materials, now).await?;
        let request = input.request(RunId::mint(now), row.output_tokens_max(), &sources);
        request.ok_or(RunsError::Malformed("an order"))
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

    /// Stores the next state. False: another visitor had stored another state first, and `job` holds that one now.
    async fn go_on(&self, job: &mut RunJob, next: &Work, writer: &Writer) -> Result<bool, RunsError> {
        if self.store.replace(job, next, writer, None).await? {
            job.work = next.clone();
            job.version += 1;
            return Ok(true);
        }
        let seen = job.work.clone();
        *job = self.again(job.clone()).await?;
        // The other write was only the owner's cancel. What the provider told still holds: `next` is stored, with the
        // owner's wish to end the run in it.
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
        let standing = self.store.get(job.id()).await?;
        // The row's time is over, and the store has deleted it.
        Ok(standing.unwrap_or(RunJob { is_over: true, ..job }))
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

/// How long other visitors leave a run alone while one visitor fetches and books such files: longer than that can take.
fn lease_of(job: &RunJob) -> Result<Duration, RunsError> {
    let is_one = job.plan.input["count"].as_u64().is_none_or(|count| count <= 1);
    Ok(match job.kind()?.family() {
        FileFamily::Image if is_one => FINISHING_LEASE,
        FileFamily::Image
        | FileFamily::Text
        | FileFamily::Subtitles
        | FileFamily::Video
        | FileFamily::Audio
        | FileFamily::Table => LONG_LEASE,
    })
}
