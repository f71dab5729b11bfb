//! omnivoice-server on a machine of ours (`docs/facts/providers.md`, "omnivoice-server", after its routers).
//!
//! It answers with the sound itself and keeps no copy: only the process that asked gets the sound.

mod form;
mod refusal;
mod wav;

use crate::at_worst::StepPrice;
use crate::failure::{Failure, FailureClass};
use crate::job::{Brought, Finished, Found, JobAdapter, JobOrder, Submitted, Tell, Ticket, Watched};
use crate::settings::{OmnivoiceSettings, Timing};
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{Made, MadeFile, Request, SourceFile, SpeechRequest, Usage, Voice, voices};
use async_trait::async_trait;
use bytes::Bytes;
use form::Form;
use platform::Platform;
use primitives::{CostCents, Private, Timestamp};
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Response, Url};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;
use wav::Sound;

/// The longest text the server takes.
const CHARS_MAX: usize = 10_000;
/// The server's limit for a whole upload is 25 MiB: this leaves room for the rest of the form.
const RECORDING_BYTES_MAX: u64 = 25_000_000;
/// What its sound library reads, by how our files' names end.
const RECORDINGS: [&str; 4] = ["wav", "mp3", "flac", "ogg"];
/// Twenty minutes of what the server makes; ten thousand characters last half of that.
const SOUND_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long the server may be told to work on one request.
const WORK_SECONDS_MAX: u64 = 600;

/// Our own speech server.
pub(crate) struct Omnivoice {
    platform: Platform,
    headers: HeaderMap,
    speech: Url,
    clone: Url,
    settings: OmnivoiceSettings,
}

#[derive(Serialize)]
struct Spoken<'a> {
    model: &'a str,
    input: &'a str,
    voice: String,
    seed: u32,
    language: &'a str,
    response_format: &'static str,
    request_timeout_s: u64,
}

impl Omnivoice {
    /// `None` when its address can't be a base of others.
    pub(crate) fn new(platform: &Platform, settings: OmnivoiceSettings) -> Option<Omnivoice> {
        let headers = settings.key.iter().map(|key| (AUTHORIZATION, key.clone())).collect();
        let speech = settings.url.join("v1/audio/speech").ok()?;
        let clone = settings.url.join("v1/audio/speech/clone").ok()?;
        Some(Omnivoice { platform: platform.clone(), headers, speech, clone, settings })
    }

    /// The request to the server. A recording is read from our own store first. A voice or language that our lists do
    /// not have fails with `unavailable`.
    async fn request(&self, speech: &SpeechRequest, limit: Instant) -> Result<reqwest::Request, Failure> {
        let language = voices::language(&speech.language).ok_or(FailureClass::Unavailable)?.omnivoice;
        let request_timeout_s = work_seconds(limit.saturating_duration_since(Instant::now()));
        match &speech.voice {
            Voice::Named(name) => {
                let voice = voices::named(name).ok_or(FailureClass::Unavailable)?;
                let body = Spoken {
                    model: &self.settings.model,
                    input: speech.text.expose(),
                    voice: format!("design:{}", voice.omnivoice),
                    seed: voice.seed,
                    language,
                    response_format: "wav",
                    request_timeout_s,
                };
                Ok(wire::post(self.speech.clone(), &self.headers, &body))
            }
            Voice::Recorded(recording) => {
                let sound = recording.read(&self.platform, RECORDING_BYTES_MAX, limit).await?;
                let form = Form::new(sound.len())
                    .text("text", speech.text.expose())
                    .text("language", language)
                    .text("response_format", "wav")
                    .text("request_timeout_s", &request_timeout_s.to_string())
                    .file(
                        "ref_audio",
                        &format!("recording.{}", recording.extension),
                        recording.media_type,
                        &sound,
                    );
                Ok(form.post(self.clone.clone(), &self.headers))
            }
        }
    }

    /// The sound of an answer with success. What is no whole sound has cost its time on the machine all the same.
    async fn finished(
        &self,
        response: Response,
        cost: CostCents,
        limit: Instant,
    ) -> Result<Finished, Failure> {
        let spent = |class: FailureClass| Failure::new(class).costing(cost, false);
        let has_no_speech = is_set(response.headers(), "x-no-speech-detected");
        let sound = wire::body(response, SOUND_BYTES_MAX, limit).await;
        let sound = sound.map_err(|_| spent(FailureClass::BrokenStream))?;
        match wav::of(&sound) {
            Some(Sound::Audible) if !has_no_speech => Ok(Finished {
                brought: Brought::Sound(Private::new(Bytes::from(sound))),
                id: None,
                usage: Usage::default(),
                cost,
                cost_is_estimated: false,
            }),
            Some(_) => Err(spent(FailureClass::EmptyAnswer)),
            None => Err(spent(FailureClass::BrokenStream)),
        }
    }

    /// The failure of a call whose answer was lost: the server has worked, and the sound is gone with the connection.
    fn lost(&self, order: &JobOrder) -> Failure {
        Failure::new(FailureClass::BrokenStream).costing(self.estimate(order), true)
    }
}

#[async_trait]
impl JobAdapter for Omnivoice {
    fn model(&self) -> &str {
        &self.settings.model
    }

    fn timing(&self) -> &Timing {
        &self.settings.timing
    }

    /// The server answers when the sound is made.
    fn works_while_asked(&self) -> bool {
        true
    }

    fn serves(&self, request: &Request) -> bool {
        let Some(speech) = request.speech() else { return false };
        voices::language(&speech.language).is_some()
            && speech.text.expose().chars().count() <= CHARS_MAX
            && match &speech.voice {
                Voice::Named(name) => voices::named(name).is_some(),
                Voice::Recorded(recording) => can_be_heard(recording),
            }
    }

    /// Machine time, by the begun thousand characters.
    fn estimate(&self, order: &JobOrder) -> CostCents {
        StepPrice::Characters(self.settings.cost).at_worst(order.request.measure()).unwrap_or_default()
    }

    async fn submit(&self, order: &JobOrder, limit: Instant) -> Result<Submitted, Failure> {
        let speech = order.request.speech().ok_or(FailureClass::Unavailable)?;
        let request = self.request(speech, limit).await?;
        match wire::send(&self.platform, request, limit).await {
            Err(Unanswered::NotSent) => Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => Err(self.lost(order)),
            Ok(response) if response.status().is_success() => {
                self.finished(response, self.estimate(order), limit).await.map(Submitted::Done)
            }
            Ok(response) => {
                let answer = ErrorAnswer::read(response, limit).await;
                Err(refusal::failure(&answer, speech.text.expose(), self.estimate(order)))
            }
        }
    }

    /// The server keeps nothing that it has made.
    async fn find(&self, _: &JobOrder, _: Timestamp, _: Instant) -> Found {
        Found::Lost
    }

    /// The server sends no webhooks.
    fn named(&self, _: &str) -> Option<Ticket> {
        None
    }

    /// Only the process that asked had the sound. A look comes after that process was lost, so the sound is lost.
    async fn watch(&self, _: &Ticket, order: &JobOrder, _: Instant, _: Tell<'_>) -> Result<Watched, Failure> {
        Err(self.lost(order))
    }

    /// The server has no job to take back: the sound is made, and it is lost with the process that asked.
    async fn withdraw(&self, _: &Ticket, order: &JobOrder, _: Instant) -> Result<Option<Finished>, Failure> {
        Err(self.lost(order))
    }

    async fn fetch(&self, finished: &Finished, _: &JobOrder, _: Instant) -> Result<Vec<Made>, Failure> {
        match &finished.brought {
            Brought::Sound(sound) => Ok(vec![Made::File(MadeFile::here(sound.expose().clone()))]),
            _ => Err(FailureClass::Unavailable.into()),
        }
    }
}

fn can_be_heard(recording: &SourceFile) -> bool {
    recording.bytes <= RECORDING_BYTES_MAX && RECORDINGS.contains(&recording.extension)
}

/// How many seconds the server may work: no longer than our call waits for it.
fn work_seconds(patience: Duration) -> u64 {
    patience.as_secs().clamp(1, WORK_SECONDS_MAX)
}

fn is_set(headers: &HeaderMap, name: &str) -> bool {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
}
