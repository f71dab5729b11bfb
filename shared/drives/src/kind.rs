use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Whose drive it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriveKind {
    /// Google Drive; we see only the files that we made there (`drive.file`).
    GoogleDrive,
    /// Dropbox; we see only the folder of our app.
    Dropbox,
}

/// The text names no drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such drive")]
pub struct UnknownDrive;

impl DriveKind {
    /// Every kind of drive, in the order they are listed.
    pub const ALL: &[DriveKind] = &[DriveKind::GoogleDrive, DriveKind::Dropbox];

    /// Its name in tables, addresses and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            DriveKind::GoogleDrive => "google_drive",
            DriveKind::Dropbox => "dropbox",
        }
    }
}

impl fmt::Display for DriveKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DriveKind {
    type Err = UnknownDrive;

    fn from_str(text: &str) -> Result<DriveKind, UnknownDrive> {
        DriveKind::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(UnknownDrive)
    }
}
