//! Anthropic's messages (`providers.md` §4.2, after the types of its SDK 2.12).

mod event;

use crate::adapter::{Adapter, Answer};
use crate::failure::{Failure, FailureClass};
use crate::outlet::Outlet;
use crate::prices::{BilledTokens, TokenPrices};
use crate::settings::{AnthropicSettings, TextModel};
use crate::stream::{self, Deadlines, Dialect, Piece};
use crate::text::{self, IsText};
use crate::wire::{self, Unanswered};
use crate::{Ending, Job, TextRequest, Usage, status};
use async_trait::async_trait;
use event::{Content, ContentKind, Kind, StopReason, WireEvent, WireUsage};
use platform::Platform;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
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
            Ok(response) if response.status() == StatusCode::OK => Ok(response),
            Ok(response) => Err(refused(response, limit).await),
            Err(Unanswered::NotSent) => Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => Err(FailureClass::Unavailable.into()),
        }
    }

    fn answer(&self, request: &TextRequest, seen: Seen, outlet: &Outlet<'_>) -> Result<Answer, Failure> {
        let (usage, cost) = seen.bill(&self.model.prices, request, outlet);
        let ending = seen.ending.unwrap_or(Ending::Complete);
        if !outlet.content_was_sent() {
            return Err(text::empty(ending).costing(cost).with_request_id(seen.request_id));
        }
        let cost_is_estimated = !seen.has_whole_usage();
        Ok(Answer { usage, cost, cost_is_estimated, ending, request_id: seen.request_id })
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
        if !stream::is_event_stream(&response) {
            return Err(FailureClass::BrokenStream.into());
        }

        let request_id = wire::header_id(response.headers(), "request-id");
        let mut seen = Seen { request_id, ..Seen::default() };
        match stream::forward(response, &mut seen, deadlines, outlet).await {
            Ok(()) => self.answer(request, seen, outlet),
            Err(class) if seen.usage.is_none() => Err(Failure::new(class).with_request_id(seen.request_id)),
            Err(class) => {
                let (_, cost) = seen.bill(&self.model.prices, request, outlet);
                Err(Failure::new(class).costing(cost).with_request_id(seen.request_id))
            }
        }
    }
}

/// What the stream has told so far.
#[derive(Default)]
struct Seen {
    request_id: Option<String>,
    usage: Option<WireUsage>,
    /// `message_start` only holds a placeholder for the output; this is the bill's.
    output_tokens: Option<u64>,
    ending: Option<Ending>,
}

impl Dialect for Seen {
    fn read(&mut self, data: &[u8]) -> Result<Piece, FailureClass> {
        let event: WireEvent = serde_json::from_slice(data).map_err(|_| FailureClass::BrokenStream)?;
        match event.kind {
            Kind::MessageStart => self.start(event),
            Kind::ContentBlockStart => return Ok(event.content_block.map_or(Piece::Nothing, piece_of)),
            Kind::ContentBlockDelta => return Ok(event.delta.map_or(Piece::Nothing, piece_of)),
            Kind::MessageDelta => self.close(&event)?,
            Kind::MessageStop => return Ok(Piece::End),
            Kind::Error => return Err(FailureClass::BrokenStream),
            Kind::Other => {}
        }
        Ok(Piece::Nothing)
    }

    fn is_finished(&self) -> bool {
        self.ending.is_some()
    }
}

impl Seen {
    fn start(&mut self, event: WireEvent) {
        let Some(message) = event.message else { return };
        self.usage = message.usage;
        let id = message.id.as_deref().and_then(wire::plain_id);
        self.request_id = self.request_id.take().or(id);
    }

    fn close(&mut self, event: &WireEvent) -> Result<(), FailureClass> {
        if let Some(usage) = event.usage {
            self.usage = Some(self.usage.unwrap_or_default().then(usage));
            self.output_tokens = usage.output_tokens.or(self.output_tokens);
        }
        match event.delta.as_ref().and_then(|delta| delta.stop_reason) {
            None => {}
            Some(StopReason::Refusal) => return Err(FailureClass::ContentRejected),
            Some(StopReason::MaxTokens | StopReason::ModelContextWindowExceeded) => {
                self.ending = Some(Ending::LengthLimit);
            }
            Some(StopReason::Other) => self.ending = Some(Ending::Complete),
        }
        Ok(())
    }

    fn has_whole_usage(&self) -> bool {
        self.output_tokens.is_some() && self.usage.is_some_and(|usage| usage.input_tokens.is_some())
    }

    /// The total input is the sum of three counts with a price each.
    fn bill(
        &self,
        prices: &TokenPrices,
        request: &TextRequest,
        outlet: &Outlet<'_>,
    ) -> (Usage, primitives::CostCents) {
        let estimated = text::estimated(request, outlet);
        let usage = self.usage.unwrap_or_default();
        let billed = BilledTokens {
            input: usage.input_tokens.unwrap_or(estimated.input_tokens),
            cached_input: usage.cache_read_input_tokens.unwrap_or(0),
            cache_write: usage.cache_creation_input_tokens.unwrap_or(0),
            output: self.output_tokens.unwrap_or(estimated.output_tokens),
        };
        let input_tokens =
            billed.input.saturating_add(billed.cached_input).saturating_add(billed.cache_write);
        let usage = Usage {
            input_tokens,
            cached_input_tokens: billed.cached_input,
            output_tokens: billed.output,
            ..Usage::default()
        };
        (usage, prices.cost(&billed))
    }
}

fn piece_of(content: Content) -> Piece {
    match (content.kind, content.text, content.thinking) {
        (ContentKind::Text | ContentKind::TextDelta, Some(text), _) if !text.is_empty() => Piece::Text(text),
        // A thinking block may begin long before its first words, or never show any.
        (ContentKind::Thinking, ..) => Piece::Thinking,
        (ContentKind::ThinkingDelta, _, Some(IsText(true))) => Piece::Thinking,
        _ => Piece::Nothing,
    }
}

/// A 429 that says no time to wait is a spending limit, not haste (`providers.md` §0.2).
async fn refused(response: Response, limit: Instant) -> Failure {
    let (status, headers) = (response.status(), response.headers().clone());
    let request_id = wire::header_id(&headers, "request-id");
    let codes = status::codes(response, limit).await;
    let is_spent = codes.detail_code.as_deref() == Some("enforced_spend_limit_reached")
        || (status == StatusCode::TOO_MANY_REQUESTS && status::retry_after(&headers).is_none());
    let failure =
        if is_spent { FailureClass::NoBalance.into() } else { status::failure_of(status, &headers) };
    failure.with_request_id(request_id)
}
