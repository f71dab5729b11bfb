use media::MediaError;
use platform::{StoreError, VaultError, with_causes};
use problems::{Problem, ProblemCode, Wording};

/// Why something about a drive was not done.
#[derive(Debug, thiserror::Error)]
pub enum DrivesError {
    /// The service does not offer it, or it has no settings here.
    #[error("the drive is not offered")]
    NotOffered,
    /// There is no grant.
    #[error("the drive is not linked")]
    NotLinked,
    /// There is a grant already; it has to be given up first.
    #[error("the drive is linked already")]
    AlreadyLinked,
    /// The drive does not know our grant any more.
    #[error("the drive has to be connected again")]
    Reconnect,
    /// The person has chosen no drive and named none.
    #[error("no drive was named and none is chosen")]
    NoDriveChosen,
    /// The account has no such run, output or save.
    #[error("there is nothing to save")]
    NothingToSave,
    /// The output's time is over.
    #[error("the output is no longer stored")]
    OutputGone,
    /// The return has a state that we never drew, that was used, or whose time is over.
    #[error("the state is not one that waits for a return")]
    StateUnknown,
    /// The return came to another browser than the one in which the link was begun.
    #[error("the return came to another browser")]
    OtherBrowser,
    /// The person said no.
    #[error("the person declined")]
    Declined,
    /// The drive granted less than a save needs.
    #[error("the grant does not suffice")]
    GrantTooSmall,
    /// The drive did not do its part of the linking.
    #[error("the drive did not answer as it should")]
    DriveFailed(#[source] crate::DriveFailure),
    /// The token could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The bucket.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DrivesError {
    /// What the caller is told; what is ours to mend goes to the log.
    pub fn problem(&self) -> Problem {
        match self {
            DrivesError::NotOffered => ProblemCode::DriveUnavailable.into(),
            DrivesError::NotLinked => ProblemCode::DriveNotLinked.into(),
            DrivesError::NoDriveChosen => {
                let why = Wording::new(
                    "name a drive: several are connected and none is preferred",
                    "hãy nêu tên ổ đĩa: bạn đã kết nối nhiều ổ và chưa chọn ổ mặc định",
                );
                Problem::new(ProblemCode::InvalidInput).pointer("/drive", why)
            }
            DrivesError::AlreadyLinked => ProblemCode::DriveLinked.into(),
            DrivesError::Reconnect => ProblemCode::DriveReconnect.into(),
            DrivesError::NothingToSave => Problem::new(ProblemCode::NotFound).detail(
                "You have no such output. A run that still goes on has none yet, and a failed one has none.",
            ),
            DrivesError::OutputGone => ProblemCode::OutputGone.into(),
            DrivesError::StateUnknown
            | DrivesError::OtherBrowser
            | DrivesError::Declined
            | DrivesError::GrantTooSmall => ProblemCode::InvalidRequest.into(),
            DrivesError::DriveFailed(_) => {
                tracing::warn!(error = %with_causes(self), "a drive did not do its part");
                ProblemCode::DriveFailed.into()
            }
            DrivesError::Vault(_) => {
                tracing::error!(
                    metric = "drive_tokens_closed", error = %with_causes(self), "a drive's token could not be sealed or opened"
                );
                ProblemCode::StoreUnavailable.into()
            }
            DrivesError::Media(_)
            | DrivesError::Store(StoreError::Conflict | StoreError::Unavailable { .. }) => {
                tracing::error!(error = %with_causes(self), "something about a drive was not done");
                ProblemCode::StoreUnavailable.into()
            }
            DrivesError::Store(StoreError::Corrupt { .. }) => {
                tracing::error!(error = %with_causes(self), "a row about a drive can't be read");
                ProblemCode::Internal.into()
            }
        }
    }
}
