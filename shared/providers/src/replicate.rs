//! Predictions at Replicate (`docs/facts/providers.md`, "Replicate", after its OpenAPI document): XTTS-v2, and its Vietnamese
//! fork.

mod answers;
mod list;
mod prediction;
mod refusal;
mod webhook;

use crate::at_worst::StepPrice;
use crate::failure::{Failure, FailureClass};
use crate::fal::hosts::Hosts;
use crate::job::{
    Brought, Finished, Found, JobAdapter, JobOrder, Place, RemoteFile, Submitted, Tell, Ticket, Watched,
};
use crate::pace::{Looks, Sight};
use crate::settings::{ReplicateSettings, Timing};
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{Made, MadeFile, ProviderName, Request, SpeechRequest, Voice, voices};
use async_trait::async_trait;
use list::Listed;
use platform::Platform;
use primitives::{CostCents, JobId, Timestamp};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Serialize;
use tokio::time::Instant;
pub use webhook::{NotReplicates, ReplicateWebhook};

/// What both models are called in our books.
const MODEL: &str = "xtts-v2";
/// The recordings the models read, by how our files' names end.
const RECORDINGS: [&str; 4] = ["wav", "mp3", "m4a", "ogg"];
/// The shortest life Replicate lets us give a prediction.
pub(crate) const LIFE_SECONDS_MIN: u64 = 5;
/// The share of a submit's time that is kept for looking for a prediction whose answer was lost.
const LOOKUP_SHARE: u32 = 4;

/// Speech of XTTS, and of its Vietnamese fork.
pub(crate) struct Replicate {
    platform: Platform,
    headers: HeaderMap,
    hosts: Hosts,
    predictions: Url,
    settings: ReplicateSettings,
}

/// A request for a prediction. A field that Replicate does not know would be refused.
#[derive(Serialize)]
struct Creation<'a> {
    version: &'a str,
    input: Input<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_events_filter: Option<[&'static str; 1]>,
}

#[derive(Serialize)]
struct Input<'a> {
    text: &'a str,
    speaker: String,
    language: &'a str,
    /// XTTS's own; the fork is not known to take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cleanup_voice: Option<bool>,
}

impl Replicate {
    /// `None` without a key.
    pub(crate) fn new(platform: &Platform, mut settings: ReplicateSettings) -> Option<Replicate> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, settings.key.take()?)]);
        let hosts = Hosts::new(settings.url.clone(), settings.file_hosts.clone());
        let predictions = settings.url.join("predictions").ok()?;
        Some(Replicate { platform: platform.clone(), headers, hosts, predictions, settings })
    }

    /// `None`: no model here speaks this language, the models can't read the recording's format, or a voice of ours is
    /// asked for and `REPLICATE_SPEAKER_URL` is not set.
    fn creation<'a>(&'a self, order: &JobOrder, speech: &'a SpeechRequest) -> Option<Creation<'a>> {
        let webhook = order.webhook(ProviderName::Replicate).map(String::from);
        let version = self.version(&speech.language)?;
        let is_xtts = version == self.settings.xtts_version;
        Some(Creation {
            version,
            input: Input {
                text: speech.text.expose(),
                speaker: marked(self.speaker(&speech.voice)?, order.job()),
                language: &speech.language,
                cleanup_voice: is_xtts.then_some(false),
            },
            webhook_events_filter: webhook.is_some().then_some(["completed"]),
            webhook,
        })
    }

    /// XTTS itself speaks no Vietnamese.
    fn version(&self, language: &str) -> Option<&str> {
        match voices::language(language)? {
            spoken if spoken.spoken_by_xtts => Some(&self.settings.xtts_version),
            spoken if spoken.code == "vi" => self.settings.vixtts_version.as_deref(),
            _ => None,
        }
    }

    fn speaker<'a>(&'a self, voice: &'a Voice) -> Option<&'a Url> {
        match voice {
            Voice::Named(_) => self.settings.speaker.as_ref(),
            Voice::Recorded(recording) => {
                RECORDINGS.contains(&recording.extension).then(|| recording.link.expose())
            }
        }
    }

    /// How many seconds Replicate lets the prediction live: its machine can't cost more than the price pays, and the
    /// life is no longer than our patience, but five seconds at least. Replicate counts from the creation, so the life
    /// bounds the machine's time however long the prediction waits for its start.
    fn life_seconds(&self, order: &JobOrder) -> u64 {
        let second = self.settings.second_cost.micro_cents();
        let paid = self.estimate(order).micro_cents().checked_div(second).unwrap_or(u64::MAX);
        paid.min(self.settings.timing.first_content.as_secs()).max(LIFE_SECONDS_MIN)
    }

    /// The failure of a submit of which it is not known whether Replicate made a prediction.
    fn in_doubt(&self, order: &JobOrder) -> Failure {
        Failure::new(FailureClass::UnknownOutcome).costing(self.estimate(order), true)
    }

    fn ticket(&self, id: &str) -> Option<Ticket> {
        let prediction = prediction_id(id)?;
        Some(Ticket { id: Some(prediction.clone()), place: Place::Replicate { prediction } })
    }

    /// Asks once. A submit that may have been taken is never repeated: it is looked for in the list until `limit`.
    async fn submitted(
        &self,
        order: &JobOrder,
        speech: &SpeechRequest,
        limit: Instant,
    ) -> Result<Ticket, Failure> {
        let creation = self.creation(order, speech).ok_or(FailureClass::Unavailable)?;
        let mut call = wire::post(self.predictions.clone(), &self.headers, &creation);
        let life = HeaderValue::from_str(&format!("{}s", self.life_seconds(order)));
        call.headers_mut().insert("cancel-after", life.expect("digits and a letter"));
        let (asked_at, now) = (self.platform.now(), Instant::now());
        let until = now + limit.saturating_duration_since(now) * (LOOKUP_SHARE - 1) / LOOKUP_SHARE;
        match wire::send(&self.platform, call, until).await {
            Err(Unanswered::NotSent) => Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => self.looked_for(order, asked_at, limit).await,
            Ok(response) if response.status().is_success() => {
                let document = wire::document(response, until).await.unwrap_or_default();
                match document["id"].as_str().and_then(|id| self.ticket(id)) {
                    Some(ticket) => Ok(ticket),
                    None => self.looked_for(order, asked_at, limit).await,
                }
            }
            Ok(response) => {
                let answer = ErrorAnswer::read(response, until).await;
                let failure = refusal::failure(&answer, speech.text.expose());
                match answer.status.as_u16() {
                    // A gateway answered, without an answer of Replicate's own.
                    502 | 504 | 520..=529 => self.looked_for(order, asked_at, limit).await,
                    500.. => self.taken_all_the_same(order, asked_at, failure, limit).await,
                    _ => Err(failure),
                }
            }
        }
    }

    /// Looks until the prediction is in Replicate's list, or `limit`. A prediction that is not listed yet may still be
    /// listed later, so the outcome is unknown then.
    async fn looked_for(
        &self,
        order: &JobOrder,
        asked_at: Timestamp,
        limit: Instant,
    ) -> Result<Ticket, Failure> {
        let mut looks = Looks::new(self.settings.timing.poll, limit);
        loop {
            match self.listed(order.job(), asked_at, looks.until()).await {
                Listed::There(ticket) => return Ok(ticket),
                Listed::Nowhere | Listed::Unclear => looks.note(Sight::Seen),
                Listed::Unread => looks.note(Sight::Nothing),
            }
            if !looks.pause().await {
                return Err(self.in_doubt(order));
            }
        }
    }

    /// Replicate may have made a prediction although it answered with a server error. If its list surely does not have the
    /// prediction, the submit was refused.
    async fn taken_all_the_same(
        &self,
        order: &JobOrder,
        asked_at: Timestamp,
        refused: Failure,
        limit: Instant,
    ) -> Result<Ticket, Failure> {
        match self.sought(order.job(), asked_at, limit).await {
            Listed::There(ticket) => Ok(ticket),
            Listed::Nowhere => Err(refused),
            Listed::Unclear | Listed::Unread => Err(self.in_doubt(order)),
        }
    }
}

#[async_trait]
impl JobAdapter for Replicate {
    fn model(&self) -> &str {
        MODEL
    }

    fn timing(&self) -> &Timing {
        &self.settings.timing
    }

    fn serves(&self, request: &Request) -> bool {
        request.speech().is_some_and(|speech| {
            self.version(&speech.language).is_some() && self.speaker(&speech.voice).is_some()
        })
    }

    /// The most that the prediction can cost: Replicate ends it before it costs more.
    fn estimate(&self, order: &JobOrder) -> CostCents {
        StepPrice::Characters(self.settings.speech_cost).at_worst(order.request.measure()).unwrap_or_default()
    }

    async fn submit(&self, order: &JobOrder, limit: Instant) -> Result<Submitted, Failure> {
        let speech = order.request.speech().ok_or(FailureClass::Unavailable)?;
        self.submitted(order, speech, limit).await.map(Submitted::Taken)
    }

    /// Looks in Replicate's list of our predictions: it shows their input, and the speaker's address in it names our
    /// job.
    async fn find(&self, order: &JobOrder, asked_at: Timestamp, limit: Instant) -> Found {
        match self.sought(order.job(), asked_at, limit).await {
            Listed::There(ticket) => Found::There(ticket),
            Listed::Nowhere => Found::Nowhere,
            Listed::Unclear | Listed::Unread => Found::Unknowable,
        }
    }

    fn named(&self, id: &str) -> Option<Ticket> {
        self.ticket(id)
    }

    async fn watch(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
        tell: Tell<'_>,
    ) -> Result<Watched, Failure> {
        self.followed(prediction(ticket)?, order, limit, tell).await
    }

    async fn withdraw(
        &self,
        ticket: &Ticket,
        order: &JobOrder,
        limit: Instant,
    ) -> Result<Option<Finished>, Failure> {
        self.taken_back(prediction(ticket)?, order, limit).await
    }

    /// Fetches nothing yet. The file may be large, so the caller reads it piece by piece while it stores it.
    async fn fetch(&self, finished: &Finished, _: &JobOrder, _: Instant) -> Result<Vec<Made>, Failure> {
        let Brought::Files(files) = &finished.brought else { return Err(FailureClass::Unavailable.into()) };
        // The files are public. Our key is sent to the API only.
        let made =
            |file: &RemoteFile| Made::File(MadeFile::there(&self.platform, file.0.clone(), HeaderMap::new()));
        Ok(files.iter().map(made).collect())
    }
}

fn prediction(ticket: &Ticket) -> Result<&str, Failure> {
    match &ticket.place {
        Place::Replicate { prediction } => Ok(prediction),
        _ => Err(FailureClass::UnknownOutcome.into()),
    }
}

/// Replicate's ids are letters and digits; any other text could lead to another address.
fn prediction_id(text: &str) -> Option<String> {
    wire::plain_id(text)
        .filter(|plain| plain == text && plain.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The speaker's address with the job's id as its fragment. A fragment is never sent to the server that has the file
/// (RFC 3986 § 3.5), and Replicate shows it in its list of predictions.
fn marked(speaker: &Url, job: JobId) -> String {
    let mut marked = speaker.clone();
    marked.set_fragment(Some(&job.to_string()));
    marked.into()
}
