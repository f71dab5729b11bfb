//! The words of answers that form a closed set, as OpenAPI lists them. They are kept as text, because entries of the
//! ledger outlive every version; what may be written is what stands here.

use crate::ImageSize;
use crate::problem::{EXPIRED, OUTPUT_LOST, STOPPED};
use crate::tried::SERVED;
use drives::{DriveKind, SaveFailure};
use problems::closed_set;
use providers::FailureClass;

closed_set! {
    /// Why a run failed: a class of the provider's failure; `output_lost` (our storage did not take the output), `stopped`
    /// (its process ended), `cancelled` (by its owner), or `expired` (nobody saw its end).
    pub enum RunFailure: classes().chain([OUTPUT_LOST, STOPPED, EXPIRED])
}

closed_set! {
    /// How one call to a provider ended: `served`, or the class of its failure.
    pub enum AttemptOutcome: [SERVED].into_iter().chain(classes())
}

closed_set! {
    /// The shape of a picture.
    pub enum PictureSize: ImageSize::ALL.map(ImageSize::as_str)
}

closed_set! {
    /// A drive that people can link.
    pub enum DriveName: DriveKind::ALL.iter().map(|kind| kind.as_str())
}

closed_set! {
    /// What has come of a save.
    pub enum SaveStatus: ["waiting", "saved", "failed"]
}

closed_set! {
    /// Why a save failed: the drive is `not_linked`; has to be connected again (`reconnect`); is full (`drive_full`); does not
    /// take the file (`drive_refused`); did not answer, as often as it was tried (`drive_unavailable`); or the output's time
    /// was over first (`output_gone`).
    pub enum SaveFailureCode: SaveFailure::ALL.iter().map(|why| why.as_str())
}

fn classes() -> impl Iterator<Item = &'static str> {
    FailureClass::ALL.into_iter().map(FailureClass::as_str)
}
