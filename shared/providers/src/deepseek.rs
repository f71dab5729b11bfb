//! DeepSeek's chat completions (`providers.md` §4.1, after api-docs.deepseek.com).

mod chunk;

use crate::adapter::{Adapter, Answer};
use crate::failure::{Failure, FailureClass};
use crate::outlet::Outlet;
use crate::prices::BilledTokens;
use crate::settings::{DeepseekSettings, TextModel};
use crate::status;
use crate::stream::{self, Deadlines, Dialect, Piece};
use crate::text::{self, IsText};
use crate::wire::{self, Unanswered};
use crate::{Ending, Job, TextRequest, Usage};
use async_trait::async_trait;
use chunk::{Chunk, Delta, FinishReason, WireUsage};
use platform::Platform;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use tokio::time::Instant;
use url::Url;

/// One model of DeepSeek's, with its thinking switched on or off.
pub(crate) struct Deepseek {
    platform: Platform,
    url: Url,
    headers: HeaderMap,
    model: TextModel,
    thinking: Thinking,
}

/// V4 models think by default, so it is always said.
#[derive(Serialize, Clone, Copy)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Thinking {
    Enabled,
    Disabled,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: [Message<'a>; 1],
    max_tokens: u32,
    stream: bool,
    stream_options: StreamOptions,
    thinking: Thinking,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl Deepseek {
    /// The chat and the reasoner model; `None` without a key.
    pub(crate) fn models(platform: &Platform, settings: DeepseekSettings) -> Option<[Deepseek; 2]> {
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, settings.key?),
            (ACCEPT, HeaderValue::from_static("text/event-stream")),
        ]);
        let model = |model, thinking| Deepseek {
            platform: platform.clone(),
            url: settings.url.clone(),
            headers: headers.clone(),
            model,
            thinking,
        };
        Some([model(settings.chat, Thinking::Disabled), model(settings.reasoner, Thinking::Enabled)])
    }

    async fn open(&self, request: &TextRequest, limit: Instant) -> Result<Response, Failure> {
        let body = Body {
            model: &self.model.model,
            messages: [Message { role: "user", content: request.prompt.expose() }],
            max_tokens: request.output_tokens_max,
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            thinking: self.thinking,
        };
        let call = wire::post(self.url.clone(), &self.headers, &body);
        match wire::send(&self.platform, call, limit).await {
            Ok(response) if response.status() == StatusCode::OK => Ok(response),
            Ok(response) => Err(refused(response, limit).await),
            Err(Unanswered::NotSent) => Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => Err(FailureClass::Unavailable.into()),
        }
    }

    fn answer(&self, request: &TextRequest, seen: Seen, outlet: &Outlet<'_>) -> Result<Answer, Failure> {
        let (usage, cost_is_estimated) = match seen.usage {
            Some(usage) => (usage_of(&usage), false),
            None => (text::estimated(request, outlet), true),
        };
        let cost = self.model.prices.cost(&billed(&usage));
        let ending = seen.ending.unwrap_or(Ending::Complete);
        if !outlet.content_was_sent() {
            return Err(text::empty(ending).costing(cost).with_request_id(seen.id));
        }
        Ok(Answer { usage, cost, cost_is_estimated, ending, request_id: seen.id })
    }
}

#[async_trait]
impl Adapter for Deepseek {
    fn model(&self) -> &str {
        &self.model.model
    }

    async fn attempt(&self, job: &Job, limit: Instant, outlet: &mut Outlet<'_>) -> Result<Answer, Failure> {
        let request = job.request.text().ok_or(FailureClass::BadInput)?;
        let deadlines = Deadlines::of(&self.model.timing, limit);
        let response = self.open(request, deadlines.first_token).await?;
        if !stream::is_event_stream(&response) {
            return Err(FailureClass::BrokenStream.into());
        }

        let mut seen = Seen::default();
        match stream::forward(response, &mut seen, deadlines, outlet).await {
            Ok(()) => self.answer(request, seen, outlet),
            Err(class) => {
                let cost = seen.usage.map(|usage| self.model.prices.cost(&billed(&usage_of(&usage))));
                Err(Failure::new(class).costing(cost.unwrap_or_default()).with_request_id(seen.id))
            }
        }
    }
}

/// What the stream has told so far.
#[derive(Default)]
struct Seen {
    id: Option<String>,
    /// The last one that was not null.
    usage: Option<WireUsage>,
    ending: Option<Ending>,
}

impl Dialect for Seen {
    fn read(&mut self, data: &[u8]) -> Result<Piece, FailureClass> {
        if data == b"[DONE]" {
            return Ok(Piece::End);
        }
        let chunk: Chunk = serde_json::from_slice(data).map_err(|_| FailureClass::BrokenStream)?;
        if chunk.error.is_some() {
            return Err(FailureClass::BrokenStream);
        }
        if self.id.is_none() {
            self.id = chunk.id.as_deref().and_then(wire::plain_id);
        }
        self.usage = chunk.usage.or(self.usage);
        let Some(choice) = chunk.choices.into_iter().next() else { return Ok(Piece::Nothing) };
        if let Some(reason) = choice.finish_reason {
            self.ending = Some(ending_of(reason)?);
        }
        Ok(piece_of(choice.delta))
    }

    fn is_finished(&self) -> bool {
        self.ending.is_some()
    }
}

fn piece_of(delta: Delta) -> Piece {
    match delta {
        Delta { content: Some(text), .. } if !text.is_empty() => Piece::Text(text),
        Delta { reasoning_content: Some(IsText(true)), .. } => Piece::Thinking,
        _ => Piece::Nothing,
    }
}

fn ending_of(reason: FinishReason) -> Result<Ending, FailureClass> {
    match reason {
        FinishReason::Stop | FinishReason::Other => Ok(Ending::Complete),
        FinishReason::Length => Ok(Ending::LengthLimit),
        FinishReason::ContentFilter => Err(FailureClass::ContentRejected),
        FinishReason::InsufficientSystemResource => Err(FailureClass::BrokenStream),
    }
}

/// Some gateways say 400 for a model that is gone.
async fn refused(response: Response, limit: Instant) -> Failure {
    let (status, headers) = (response.status(), response.headers().clone());
    let failure = status::failure_of(status, &headers);
    let codes = status::codes(response, limit).await;
    if codes.code.as_deref() == Some("model_not_found") {
        return FailureClass::ModelGone.into();
    }
    failure.with_request_id(wire::header_id(&headers, "x-request-id"))
}

fn usage_of(wire: &WireUsage) -> Usage {
    Usage {
        input_tokens: wire.prompt_tokens,
        cached_input_tokens: wire.prompt_cache_hit_tokens.min(wire.prompt_tokens),
        output_tokens: wire.completion_tokens,
        reasoning_tokens: wire.completion_tokens_details.map_or(0, |details| details.reasoning_tokens),
        billable_units: None,
    }
}

/// Reasoning is among the output; what is not a cache hit is a miss.
fn billed(usage: &Usage) -> BilledTokens {
    BilledTokens {
        input: usage.input_tokens - usage.cached_input_tokens,
        cached_input: usage.cached_input_tokens,
        cache_write: 0,
        output: usage.output_tokens,
    }
}
