//! Groq's Whisper: a form with a recording, answered with what is said in it (`docs/facts/providers.md`, "Groq's Whisper").
//!
//! Groq sends the transcript once, in its answer to the call. When that answer is lost, the transcript is lost and paid
//! for.

mod answer;
mod cut;
mod form;
mod hearable;
mod heard;
mod languages;
mod refusal;

use crate::at_worst::sound_cost;
use crate::failure::{Again, Failure, FailureClass};
use crate::job::{Brought, Finished, Found, JobAdapter, JobOrder, Submitted, Tell, Ticket, Watched};
use crate::settings::{GroqSettings, Timing};
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{HearingRequest, Made, SourceFile};
use answer::Answer;
use async_trait::async_trait;
use bytes::Bytes;
use cut::Cutter;
use form::Form;
pub use hearable::Hearable;
use heard::Heard;
use platform::Platform;
use primitives::{CostCents, RunId, Timestamp};
use reqwest::Request;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use url::Url;

/// How often a part behind the first is asked for: what is heard so far is paid, so the rest is worth waiting for.
const PART_TRIES: u32 = 4;

pub(crate) struct Groq {
    platform: Platform,
    model: String,
    transcriptions: Url,
    headers: HeaderMap,
    hour_cost: CostCents,
    hearable: Hearable,
    timing: Timing,
}

/// One recording as it is asked for.
struct Task<'a> {
    run: RunId,
    sound: &'a SourceFile,
    /// How the file's name ends there.
    ending: &'static str,
    language: Option<&'a str>,
    seconds: u32,
    limit: Instant,
}

/// How one question went.
enum Refused {
    /// Groq could not fetch the file by its address.
    Unfetched,
    For(Failure),
}

impl Groq {
    /// `None` without a key.
    pub(crate) fn new(platform: &Platform, settings: GroqSettings) -> Option<Groq> {
        Some(Groq {
            platform: platform.clone(),
            model: settings.model,
            // The base ends with a slash; joining a constant relative path to it can't fail.
            transcriptions: settings.url.join("audio/transcriptions").ok()?,
            headers: HeaderMap::from_iter([(AUTHORIZATION, settings.key?)]),
            hour_cost: settings.hour_cost,
            hearable: Hearable::within(settings.file_bytes_max, settings.link_bytes_max),
            timing: settings.timing,
        })
    }

    async fn heard(&self, order: &JobOrder, limit: Instant) -> Result<Finished, Failure> {
        let task = self.task(order, limit)?;
        let mut heard = Heard::new(self.hour_cost);
        if self.hearable.goes_by_link(task.sound.bytes) {
            let form = self.form(&task).text("url", task.sound.link.expose().as_str());
            match self.ask(form.finished(), task.seconds, limit).await {
                Ok(answer) => heard.add(answer, task.seconds),
                // Groq can't fetch from every address that we can read from.
                Err(Refused::Unfetched) if self.hearable.fits(task.sound.bytes) => {
                    self.hear_whole(&task, &mut heard).await?;
                }
                Err(refused) => return Err(refused.failure()),
            }
        } else if self.hearable.fits(task.sound.bytes) {
            self.hear_whole(&task, &mut heard).await?;
        } else {
            self.hear_in_parts(&task, &mut heard).await?;
        }
        heard.finished()
    }

    fn task<'a>(&self, order: &'a JobOrder, limit: Instant) -> Result<Task<'a>, Failure> {
        let HearingRequest { sound, seconds, language } =
            order.request.hearing().ok_or(FailureClass::BadInput)?;
        let language = language.as_deref();
        if !self.hearable.takes(sound.extension, sound.bytes) || !language.is_none_or(Hearable::knows) {
            return Err(FailureClass::BadInput.into());
        }
        let ending = hearable::ending(sound.extension).ok_or(FailureClass::BadInput)?;
        Ok(Task { run: order.run, sound, ending, language, seconds: *seconds, limit })
    }

    async fn hear_whole(&self, task: &Task<'_>, heard: &mut Heard) -> Result<(), Failure> {
        let max = self.hearable.file_bytes_max();
        let bytes = task.sound.read(&self.platform, max, task.limit).await?;
        let answer = self.ask_for(task, vec![bytes.into()], task.seconds).await?;
        heard.add(answer, task.seconds);
        Ok(())
    }

    /// Cuts the file where its format allows it, without decoding, and holds one part in memory at a time.
    async fn hear_in_parts(&self, task: &Task<'_>, heard: &mut Heard) -> Result<(), Failure> {
        let (max, bytes) = (self.hearable.file_bytes_max(), task.sound.bytes);
        let mut cutter: Option<Cutter> = None;
        let (mut at, mut end) = (0, bytes);
        while at < end {
            let head = cutter.as_ref().map_or(0, Cutter::head_bytes);
            let until = at + window(end - at, max.saturating_sub(head));
            let window = task.sound.read_part(&self.platform, at..until, max, task.limit).await;
            let mut window = window.map_err(|failure| heard.broken(failure))?;
            let skipped = match cutter {
                Some(_) => 0,
                None => {
                    let begun = Cutter::begin(task.ending, &window, bytes).ok_or(FailureClass::BadInput)?;
                    (cutter, end) = (Some(begun.cutter), begun.sound.end);
                    usize::try_from(begun.sound.start).map_err(|_| FailureClass::BadInput)?
                }
            };
            let cutter = cutter.as_mut().ok_or(FailureClass::BadInput)?;
            let part = cutter.cut(&mut window[skipped..], until >= end);
            let part = part.ok_or_else(|| heard.broken(FailureClass::BadInput.into()))?;
            let sound = Bytes::from(window).slice(skipped + part.sound.start..skipped + part.sound.end);
            let seconds = share(task.seconds, sound.len() as u64, bytes);
            let answer = self.ask_patiently(task, vec![part.head.into(), sound], seconds, heard).await?;
            heard.add(answer, seconds);
            if part.is_last {
                break;
            }
            at += (skipped + part.taken) as u64;
        }
        Ok(())
    }

    /// Asks again for what was refused before any work, as long as there is time.
    async fn ask_patiently(
        &self,
        task: &Task<'_>,
        sound: Vec<Bytes>,
        seconds: u32,
        heard: &Heard,
    ) -> Result<Answer, Failure> {
        let mut tries = 1;
        loop {
            let failure = match self.ask_for(task, sound.clone(), seconds).await {
                Ok(answer) => return Ok(answer),
                // Nothing is paid yet: the chain asks Groq again, or the next provider.
                Err(failure) if heard.is_empty() => return Err(failure),
                Err(failure) => failure,
            };
            let pause = match failure.again {
                Again::Soon => self.timing.poll,
                Again::After(pause) => pause.max(self.timing.poll),
                Again::Never => Duration::MAX,
            };
            let is_in_time = Instant::now().checked_add(pause).is_some_and(|then| then < task.limit);
            if tries == PART_TRIES || !is_in_time {
                return Err(heard.broken(failure));
            }
            tries += 1;
            sleep(pause).await;
        }
    }

    async fn ask_for(&self, task: &Task<'_>, sound: Vec<Bytes>, seconds: u32) -> Result<Answer, Failure> {
        let form = self.form(task).file(task.ending, task.sound.media_type, sound);
        self.ask(form, seconds, task.limit).await.map_err(Refused::failure)
    }

    fn form(&self, task: &Task<'_>) -> Form {
        let form = Form::new(task.run)
            .text("model", &self.model)
            .text("response_format", "verbose_json")
            .text("timestamp_granularities[]", "segment")
            .text("temperature", "0");
        match task.language {
            Some(code) => form.text("language", code),
            None => form,
        }
    }

    /// One question. `seconds` is what the sound in it should last: an answer that is lost is paid by that.
    async fn ask(&self, form: form::Whole, seconds: u32, limit: Instant) -> Result<Answer, Refused> {
        let lost = || {
            let cost = sound_cost(self.hour_cost, seconds);
            Refused::For(Failure::new(FailureClass::BrokenStream).costing(cost, true))
        };
        let mut request = Request::new(reqwest::Method::POST, self.transcriptions.clone());
        request.headers_mut().clone_from(&self.headers);
        form.put_into(&mut request);
        let response = match wire::send(&self.platform, request, limit).await {
            Ok(response) => response,
            Err(Unanswered::NotSent) => return Err(Refused::For(Failure::not_sent())),
            Err(Unanswered::MaybeSent) => return Err(lost()),
        };
        if !response.status().is_success() {
            return Err(refusal::of(&ErrorAnswer::read(response, limit).await));
        }
        let id = wire::header_id(response.headers(), "x-request-id");
        let document = wire::document(response, limit).await.ok_or_else(lost)?;
        let answer = Answer::of(&document).ok_or_else(lost)?;
        Ok(Answer { id: answer.id.or(id), ..answer })
    }

    /// The failure of a run whose process was lost after it had asked: only that process could receive Groq's answer.
    fn gone(&self, order: &JobOrder) -> Failure {
        Failure::new(FailureClass::BrokenStream).costing(self.estimate(order), true)
    }
}

impl Refused {
    fn failure(self) -> Failure {
        match self {
            // We gave Groq an address that it can't read: the fault is ours.
            Refused::Unfetched => FailureClass::RequestRefused.into(),
            Refused::For(failure) => failure,
        }
    }
}

#[async_trait]
impl JobAdapter for Groq {
    fn model(&self) -> &str {
        &self.model
    }

    fn timing(&self) -> &Timing {
        &self.timing
    }

    /// The text comes with the answer.
    fn works_while_asked(&self) -> bool {
        true
    }

    fn estimate(&self, order: &JobOrder) -> CostCents {
        order.request.hearing().map_or(CostCents::ZERO, |hearing| sound_cost(self.hour_cost, hearing.seconds))
    }

    async fn submit(&self, order: &JobOrder, limit: Instant) -> Result<Submitted, Failure> {
        self.heard(order, limit).await.map(Submitted::Done)
    }

    async fn find(&self, _: &JobOrder, _: Timestamp, _: Instant) -> Found {
        Found::Lost
    }

    /// Groq sends no webhooks.
    fn named(&self, _: &str) -> Option<Ticket> {
        None
    }

    async fn watch(&self, _: &Ticket, order: &JobOrder, _: Instant, _: Tell<'_>) -> Result<Watched, Failure> {
        Err(self.gone(order))
    }

    async fn withdraw(&self, _: &Ticket, order: &JobOrder, _: Instant) -> Result<Option<Finished>, Failure> {
        Err(self.gone(order))
    }

    async fn fetch(&self, finished: &Finished, _: &JobOrder, _: Instant) -> Result<Vec<Made>, Failure> {
        match &finished.brought {
            Brought::Transcript(transcript) => Ok(vec![Made::Transcript(transcript.clone())]),
            _ => Err(FailureClass::Unavailable.into()),
        }
    }
}

/// How much of what is left is read at once, at most `room`: all parts are about equal, because what is shorter than a
/// hundredth of a second is refused.
fn window(left: u64, room: u64) -> u64 {
    left.div_ceil(left.div_ceil(room.max(1)).max(1))
}

/// How much of `seconds` a part should last, begun ones counting whole.
fn share(seconds: u32, part_bytes: u64, bytes: u64) -> u32 {
    let exact = (u128::from(seconds) * u128::from(part_bytes)).div_ceil(u128::from(bytes.max(1)));
    u32::try_from(exact).unwrap_or(u32::MAX).max(1)
}
