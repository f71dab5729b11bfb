use crate::{FileFamily, Flaw};
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
    /// What was to be stored broke off before its end. Nothing of it is kept.
    #[error("the content broke off while it was stored")]
    BrokeOff(#[source] Box<dyn Error + Send + Sync>),
    /// What was to be stored is no file of the kind that was expected. Nothing of it is kept.
    #[error("the content is no {}", .expected.as_str())]
    Unfit {
        /// What it should have been.
        expected: FileFamily,
        /// Why it is not.
        #[source]
        flaw: Flaw,
    },
    /// What was to be stored is longer than it may be. Nothing of it is kept.
    #[error("the content is longer than {bytes_max} bytes")]
    TooLong {
        /// What may be stored.
        bytes_max: u64,
    },
    /// There was nothing to store.
    #[error("the content is empty")]
    Empty,
    /// A part was asked for that the object does not have.
    #[error("the object has no such part")]
    NoSuchPart,
}

impl MediaError {
    pub(crate) fn unavailable(error: impl Error + Send + Sync + 'static) -> MediaError {
        MediaError::Unavailable(Box::new(error))
    }
}
