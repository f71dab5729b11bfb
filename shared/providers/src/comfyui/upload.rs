//! A picture that a workflow begins with, sent to the server beforehand (`docs/facts/providers.md`, "ComfyUI").

use super::Comfyui;
use crate::failure::{Again, Failure, FailureClass};
use crate::status::ErrorAnswer;
use crate::wire::{self, Unanswered};
use crate::{SourceFile, lenient};
use primitives::JobId;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Response};
use tokio::time::Instant;

/// The largest picture that is sent.
const PICTURE_MAX: u64 = 20 * 1024 * 1024;

/// A folder that the server empties when it starts: it has no call to delete a file with.
const FOLDER: &str = "temp";

impl Comfyui {
    /// Sends the picture and gives the name by which a workflow loads it. It is no paid work, so it may be sent again.
    pub(super) async fn upload(
        &self,
        picture: &SourceFile,
        job: JobId,
        limit: Instant,
    ) -> Result<String, Failure> {
        let content = picture.read(&self.platform, PICTURE_MAX, limit).await?;
        let request = self.form(picture, &content, job)?;
        drop(content);
        let response = match wire::send(&self.platform, request, limit).await {
            Ok(response) => response,
            Err(Unanswered::NotSent) => return Err(Failure::not_sent()),
            Err(Unanswered::MaybeSent) => return Err(to_be_sent_again()),
        };
        if !response.status().is_success() {
            return Err(refused(response, limit).await);
        }
        let taken = wire::document(response, limit).await.unwrap_or_default();
        // The name is another one when ours is taken by other content.
        let name = lenient::text(&taken["name"]).ok_or_else(to_be_sent_again)?;
        let folder = lenient::text(&taken["type"]).unwrap_or(FOLDER);
        Ok(match lenient::text(&taken["subfolder"]) {
            Some(subfolder) => format!("{subfolder}/{name} [{folder}]"),
            None => format!("{name} [{folder}]"),
        })
    }

    /// `multipart/form-data` (RFC 7578). The run was not known when the picture was made, so that no picture holds its
    /// boundary.
    fn form(&self, picture: &SourceFile, content: &[u8], job: JobId) -> Result<Request, Failure> {
        let boundary = format!("citipen-{job}");
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\n{FOLDER}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"cit_{job}.{}\"\r\n\
             Content-Type: {}\r\n\r\n",
            picture.extension, picture.media_type
        );
        let body = [head.as_bytes(), content, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
        let content_type = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"));
        let mut request = Request::new(Method::POST, self.upload.clone());
        request.headers_mut().clone_from(&self.headers);
        request.headers_mut().insert(CONTENT_TYPE, content_type.map_err(|_| FailureClass::RequestRefused)?);
        *request.body_mut() = Some(body.into());
        Ok(request)
    }
}

/// The server has at most a picture of ours, and no work.
fn to_be_sent_again() -> Failure {
    Failure { again: Again::Soon, ..Failure::new(FailureClass::Unavailable) }
}

/// The picture was checked and is small enough, so what refuses it is a setting of ours: a proxy's limit for bodies, a path
/// that it does not pass on.
async fn refused(response: Response, limit: Instant) -> Failure {
    if super::is_closed_door(response.status()) {
        return FailureClass::Auth.into();
    }
    let answer = ErrorAnswer::read(response, limit).await;
    match answer.status.as_u16() {
        429 | 500..=599 => answer.failure(""),
        _ => FailureClass::RequestRefused.into(),
    }
}
