//! What both drives' protocols have in common: HTTP, and what its statuses mean.

use crate::drive::DriveFailure;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use primitives::times::Wait;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// More than any answer has that we read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// We ask again no later than that, whatever the drive says.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// A whole answer, not yet believed.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// A request whose body is a form, as OAuth endpoints take it.
pub(crate) fn form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish())
}

/// Sends a request and reads its whole answer.
pub(crate) async fn send(request: RequestBuilder, wait: &'static Wait) -> Result<Answer, DriveFailure> {
    let response = request.timeout(wait.limit).send().await.map_err(|_| silent())?;
    Answer::read(response).await
}

fn silent() -> DriveFailure {
    DriveFailure::Passing("no answer", None)
}

impl Answer {
    async fn read(mut response: Response) -> Result<Answer, DriveFailure> {
        let (status, headers) = (response.status(), response.headers().clone());
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|_| silent())? {
            body.extend_from_slice(&piece);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(DriveFailure::Passing("an endless answer", None));
            }
        }
        Ok(Answer { status, headers, retry_after: retry_after.map(|wait| wait.min(RETRY_AFTER_MAX)), body })
    }

    /// The body, if it is what it should be. A page in its place means that the drive is not well.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, DriveFailure> {
        serde_json::from_slice(&self.body)
            .map_err(|_| DriveFailure::Passing("an unreadable answer", self.retry_after))
    }

    /// What a refusal means by its status alone.
    pub(crate) fn failure(&self) -> DriveFailure {
        match self.status.as_u16() {
            401 => DriveFailure::AccessRefused,
            408 | 425 => DriveFailure::Passing("a timeout", self.retry_after),
            429 => DriveFailure::Passing("too many requests", self.retry_after),
            status if status >= 500 => DriveFailure::Passing("an error of its own", self.retry_after),
            status if status >= 400 => DriveFailure::Refused(status),
            _ => DriveFailure::Passing("an unexpected status", self.retry_after),
        }
    }
}
