use platform::Platform;
use primitives::times;
use reqwest::header::USER_AGENT;

/// Both feeds are a few kilobytes.
const BYTES_MAX: usize = 1024 * 1024;

/// Why a feed gave nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error("there was no whole answer")]
    NoAnswer(#[source] reqwest::Error),
    #[error("the answer has status {0}")]
    Status(u16),
    #[error("the answer is larger than any feed")]
    TooLarge,
    /// Vietcombank's front answers a page with status 200 to whom it blocks.
    #[error("the answer is something else than the feed, such as a page that blocks us")]
    NotTheFeed,
    #[error("the feed can't be read: {0}")]
    Unreadable(&'static str),
    #[error("the dollar is not quoted on this side")]
    NotQuoted,
}

/// The feed's text. Follows no redirect.
pub(crate) async fn fetch(
    platform: &Platform,
    url: &str,
    user_agent: Option<&str>,
) -> Result<String, FeedError> {
    let mut request = platform.http().get(url).timeout(times::VENDOR_CALL.limit);
    if let Some(user_agent) = user_agent {
        request = request.header(USER_AGENT, user_agent);
    }
    let mut response = request.send().await.map_err(FeedError::NoAnswer)?;
    if response.status() != 200 {
        return Err(FeedError::Status(response.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FeedError::NoAnswer)? {
        if bytes.len() + chunk.len() > BYTES_MAX {
            return Err(FeedError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| FeedError::Unreadable("it is not UTF-8"))
}
