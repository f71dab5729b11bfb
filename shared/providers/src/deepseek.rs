//! DeepSeek's chat completions (`docs/facts/providers.md`, "DeepSeek", after api-docs.deepseek.com).

mod chunk;

use crate::adapter::{Adapter, Answer};
use crate::failure::{Failure, FailureClass};
use crate::outlet::Outlet;
use crate::settings::{DeepseekSettings, TextModel};
use crate::status::ErrorAnswer;
use crate::stream::{self, Deadlines};
use crate::text::{self, Bill};
use crate::wire::{self, Unanswered};
use crate::{Ending, Job, ProviderName, TextRequest};
use async_trait::async_trait;
use chunk::Seen;
use platform::Platform;
use reqwest::Response;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
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
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => Err(refused(response, request, limit).await),
            Err(Unanswered::NotSent) => Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => Err(text::unanswered(&self.model.prices, request)),
        }
    }

    fn answer(&self, request: &TextRequest, seen: Seen<'_>, outlet: &Outlet<'_>) -> Result<Answer, Failure> {
        let Bill { usage, cost, is_estimated } =
            seen.told.bill(ProviderName::Deepseek, &self.model.prices, request, outlet);
        let ending = seen.ending.unwrap_or(Ending::Complete);
        if !outlet.content_was_sent() {
            return Err(text::empty(ending).costing(cost, is_estimated).with_request_id(seen.id));
        }
        Ok(Answer { usage, cost, cost_is_estimated: is_estimated, ending, request_id: seen.id })
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
        let header = wire::header_id(response.headers(), "x-request-id");
        let mut seen = Seen::of(request.prompt.expose());
        let outcome = stream::forward(response, &mut seen, deadlines, outlet).await;
        seen.id = seen.id.take().or(header);
        match outcome {
            Ok(()) => self.answer(request, seen, outlet),
            Err(broken) if broken.class == FailureClass::ContentRejected && outlet.content_was_sent() => {
                seen.ending = Some(Ending::ContentFilter);
                self.answer(request, seen, outlet)
            }
            Err(broken) => {
                let prices = &self.model.prices;
                let failure = seen.told.failure(broken, ProviderName::Deepseek, prices, request, outlet);
                Err(failure.with_request_id(seen.id))
            }
        }
    }
}

async fn refused(response: Response, request: &TextRequest, limit: Instant) -> Failure {
    let answer = ErrorAnswer::read(response, limit).await;
    let id = wire::header_id(&answer.headers, "x-request-id");
    answer.failure(request.prompt.expose()).with_request_id(id)
}
