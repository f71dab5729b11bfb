use std::error::Error;

/// Why an output was not stored, read or linked.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Past its 30 days, or removed.
    #[error("the output is no longer stored")]
    Gone,
    /// The store refused, or did not answer in time.
    #[error("the media store did not do what it was asked")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// It is not UTF-8.
    #[error("the stored output is not the text it should be")]
    NotText,
}

impl MediaError {
    pub(crate) fn unavailable(error: impl Error + Send + Sync + 'static) -> MediaError {
        MediaError::Unavailable(Box::new(error))
    }
}
