use std::time::Duration;

/// Why a delivery is not believed; for the log, the sender only hears a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthentic {
    #[error("no secret is configured")]
    NoSecret,
    #[error("the header `{0}` is missing, doubled or malformed")]
    Header(&'static str),
    #[error("the timestamp is too far from our clock")]
    Timestamp,
    #[error("the signature or key does not match")]
    Mismatch,
}

/// An authentic message that can't be understood; the text names the field, never its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the field `{0}` is missing or malformed")]
pub struct Unreadable(pub &'static str);

/// A question to a processor that brought no usable answer. Nothing was changed by it.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 429, or whatever the service uses to say so.
    #[error("the service asks us to slow down")]
    TooFast { retry_after: Option<Duration> },
    #[error("the service answered with status {status}")]
    Status { status: u16 },
    #[error("the service can't be reached")]
    Unreachable(#[source] reqwest::Error),
    /// Something may be missing from what the service shows, and asking in smaller parts does not help.
    #[error("the service does not show the whole list")]
    Incomplete,
    #[error("the answer can't be read")]
    Unreadable(#[source] Unreadable),
}
