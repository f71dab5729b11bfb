use crate::Artifact;
use crate::failure::{Failure, FailureClass};
use crate::status;
use crate::wire::{self, Unread};
use platform::Platform;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use url::Url;

/// Larger than any image we ask for, and small enough for the function's memory.
const FILE_MAX: usize = 25 * 1024 * 1024;
const TRIES: u32 = 3;

/// Fetches a finished file. Asking again costs nothing, so a lost answer is repeated, `pause` apart.
pub(crate) async fn image(
    platform: &Platform,
    url: &Url,
    headers: &HeaderMap,
    pause: Duration,
    limit: Instant,
) -> Result<Artifact, Failure> {
    let mut tries = 1;
    loop {
        match once(platform, url, headers, limit).await {
            Err(Refused::ForNow) if tries < TRIES && Instant::now() + pause < limit => {
                tries += 1;
                sleep(pause).await;
            }
            Err(Refused::ForNow) => return Err(FailureClass::Unavailable.into()),
            Err(Refused::ForGood(class)) => return Err(class.into()),
            Ok(artifact) => return Ok(artifact),
        }
    }
}

enum Refused {
    ForNow,
    ForGood(FailureClass),
}

async fn once(
    platform: &Platform,
    url: &Url,
    headers: &HeaderMap,
    limit: Instant,
) -> Result<Artifact, Refused> {
    let request = wire::get(url.clone(), headers);
    let response = wire::send(platform, request, limit).await.map_err(|_| Refused::ForNow)?;
    match response.status() {
        StatusCode::OK => {}
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            return Err(Refused::ForNow);
        }
        status if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN => {
            return Err(Refused::ForGood(status::class_of(status)));
        }
        // Redirects are not followed: the address was checked, the next one would not be.
        _ => return Err(Refused::ForGood(FailureClass::Unavailable)),
    }
    let bytes = wire::body(response, FILE_MAX, limit).await.map_err(|unread| match unread {
        Unread::Cut => Refused::ForNow,
        Unread::TooLarge => Refused::ForGood(FailureClass::Unavailable),
    })?;
    Artifact::of(bytes).ok_or(Refused::ForGood(FailureClass::Unavailable))
}
