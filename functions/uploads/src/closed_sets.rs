//! The words of answers that form a closed set, as OpenAPI lists them: those that `media` says.

use edge::closed_set;
use media::{UploadRefusal, UploadWish};

closed_set! {
    /// What can be uploaded.
    pub(crate) enum UploadKind: UploadWish::kinds().map(|kind| kind.as_str())
}

closed_set! {
    /// Where an upload is.
    pub(crate) enum UploadStatus: crate::views::STATUSES.iter().copied()
}

closed_set! {
    /// Why an upload can't be used.
    pub(crate) enum UploadRefusalCode: UploadRefusal::ALL.iter().map(|refusal| refusal.as_str())
}
