//! Anthropic's messages (`docs/facts/providers.md`, "Anthropic's messages", after the types of its SDK 2.12).

mod event;

use crate::adapter::{Adapter, Answer};
use crate::failure::{Failure, FailureClass};
use crate::outlet::Outlet;
use crate::settings::{AnthropicSettings, TextModel};
use crate::status::ErrorAnswer;
use crate::stream::{self, Deadlines};
use crate::text::{self, Bill};
use crate::wire::{self, Unanswered};
use crate::{Ending, Job, ProviderName, TextRequest};
use async_trait::async_trait;
use event::Seen;
use platform::Platform;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use tokio::time::Instant;
use url::Url;

/// Anthropic's premium model.
pub(crate) struct Anthropic {
    platform: Platform,
    url: Url,
    headers: HeaderMap,
    model: TextModel,
    thinking: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    messages: [Message<'a>; 1],
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking<'a>>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct Thinking<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

impl Anthropic {
    /// `None` without a key.
    pub(crate) fn new(platform: &Platform, settings: AnthropicSettings) -> Option<Anthropic> {
        let headers = HeaderMap::from_iter([
            (HeaderName::from_static("x-api-key"), settings.key?),
            (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01")),
            (ACCEPT, HeaderValue::from_static("text/event-stream")),
        ]);
        Some(Anthropic {
            platform: platform.clone(),
            url: settings.url,
            headers,
            model: settings.premium,
            thinking: settings.thinking,
        })
    }

    async fn open(&self, request: &TextRequest, limit: Instant) -> Result<Response, Failure> {
        let body = Body {
            model: &self.model.model,
            max_tokens: request.output_tokens_max,
            messages: [Message { role: "user", content: request.prompt.expose() }],
            stream: true,
            thinking: self.thinking.as_deref().map(|kind| Thinking { kind }),
        };
        let call = wire::post(self.url.clone(), &self.headers, &body);
        match wire::send(&self.platform, call, limit).await {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => Err(refused(response, request, limit).await),
            Err(Unanswered::NotSent) => Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => Err(text::unanswered(&self.model.prices, request)),
        }
    }

    fn answer(&self, request: &TextRequest, seen: Seen<'_>, outlet: &Outlet<'_>) -> Result<Answer, Failure> {
        let told = seen.told();
        let Bill { usage, cost, is_estimated } =
            told.bill(ProviderName::Anthropic, &self.model.prices, request, outlet);
        let ending = seen.ending.unwrap_or(Ending::Complete);
        if !outlet.content_was_sent() {
            return Err(text::empty(ending).costing(cost, is_estimated).with_request_id(seen.request_id));
        }
        Ok(Answer { usage, cost, cost_is_estimated: is_estimated, ending, request_id: seen.request_id })
    }
}

#[async_trait]
impl Adapter for Anthropic {
    fn model(&self) -> &str {
        &self.model.model
    }

    async fn attempt(&self, job: &Job, limit: Instant, outlet: &mut Outlet<'_>) -> Result<Answer, Failure> {
        let request = job.request.text().ok_or(FailureClass::BadInput)?;
        let deadlines = Deadlines::of(&self.model.timing, limit);
        let response = self.open(request, deadlines.first_token).await?;
        let request_id = wire::header_id(response.headers(), "request-id");
        let mut seen = Seen::of(request.prompt.expose(), request_id);
        match stream::forward(response, &mut seen, deadlines, outlet).await {
            Ok(()) => self.answer(request, seen, outlet),
            Err(broken) if broken.class == FailureClass::ContentRejected && outlet.content_was_sent() => {
                seen.ending = Some(Ending::ContentFilter);
                self.answer(request, seen, outlet)
            }
            Err(broken) => {
                let prices = &self.model.prices;
                let failure = seen.told().failure(broken, ProviderName::Anthropic, prices, request, outlet);
                Err(failure.with_request_id(seen.request_id))
            }
        }
    }
}

/// A 429 that names no time to wait is a spending limit, not haste (`docs/facts/providers.md`, "What a
/// failure means"). A time that can't be read is a time all the same.
async fn refused(response: Response, request: &TextRequest, limit: Instant) -> Failure {
    let answer = ErrorAnswer::read(response, limit).await;
    let names_no_time = !answer.headers.contains_key(RETRY_AFTER);
    let failure = match answer.status {
        StatusCode::TOO_MANY_REQUESTS if names_no_time => FailureClass::NoBalance.into(),
        _ => answer.failure(request.prompt.expose()),
    };
    failure.with_request_id(wire::header_id(&answer.headers, "request-id"))
}
