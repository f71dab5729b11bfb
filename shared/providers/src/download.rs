use crate::failure::{Failure, FailureClass};
use crate::job::RemoteFile;
use crate::pace::{Looks, Sight};
use crate::wire::{self, Unread};
use crate::{Artifact, Made};
use platform::Platform;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// Larger than any image we ask for, and small enough for the function's memory.
const FILE_MAX: usize = 25 * 1024 * 1024;

/// Fetches finished pictures, one after the other.
pub(crate) async fn pictures(
    platform: &Platform,
    files: &[RemoteFile],
    headers: &HeaderMap,
    pause: Duration,
    limit: Instant,
) -> Result<Vec<Made>, Failure> {
    let mut made = Vec::with_capacity(files.len());
    for file in files {
        made.push(Made::Picture(image(platform, &file.0, headers, pause, limit).await?));
    }
    Ok(made)
}

/// Fetches a finished file. A fresh one can be unknown, incomplete or slow for a moment, so all but a definite refusal
/// is asked again until `limit`, first `pause` apart.
pub(crate) async fn image(
    platform: &Platform,
    url: &Url,
    headers: &HeaderMap,
    pause: Duration,
    limit: Instant,
) -> Result<Artifact, Failure> {
    let mut looks = Looks::new(pause, limit);
    loop {
        match once(platform, url, headers, &looks, limit).await {
            Ok(artifact) => return Ok(artifact),
            Err(NoFile::ForGood) => return Err(FailureClass::Unavailable.into()),
            Err(NoFile::ForNow) => looks.note(Sight::Nothing),
        }
        if !looks.pause().await {
            return Err(FailureClass::Unavailable.into());
        }
    }
}

enum NoFile {
    ForNow,
    ForGood,
}

async fn once(
    platform: &Platform,
    url: &Url,
    headers: &HeaderMap,
    looks: &Looks,
    limit: Instant,
) -> Result<Artifact, NoFile> {
    let request = wire::get(url.clone(), headers);
    let response = wire::send(platform, request, looks.until()).await.map_err(|_| NoFile::ForNow)?;
    match response.status() {
        status if status.is_success() => {}
        // Redirects are not followed: the address was checked, the next one would not be.
        status if status.is_redirection() || status == StatusCode::GONE => return Err(NoFile::ForGood),
        _ => return Err(NoFile::ForNow),
    }
    // A file that keeps coming may take its time; one that stands still is asked for again.
    let bytes = wire::body_within(response, FILE_MAX, looks.patience_of_one(), limit).await;
    let bytes = bytes.map_err(|unread| match unread {
        Unread::Cut => NoFile::ForNow,
        Unread::TooLarge => NoFile::ForGood,
    })?;
    Artifact::of(bytes).ok_or(NoFile::ForNow)
}
