//! The words of answers that form a closed set, as OpenAPI lists them.

use edge::closed_set;

pub(crate) use runs::{DriveName, SaveFailureCode, SaveStatus};

closed_set! {
    /// Whether a drive is linked.
    pub(crate) enum DriveStatus: crate::views::STATUSES.iter().copied()
}

closed_set! {
    /// What became of our access at the drive.
    pub(crate) enum AccessEnd: crate::views::ENDS.iter().copied()
}

closed_set! {
    /// When outputs are saved.
    pub(crate) enum SavingMode: crate::views::MODES.iter().copied()
}
