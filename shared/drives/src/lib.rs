#![warn(missing_docs)]
#![doc = include_str!("../README.md")]

mod drive;
mod drives;
mod dropbox;
mod error;
mod google;
mod items;
mod kind;
mod link;
mod oauth;
mod pending;
mod rules;
mod save;
mod saves;
mod saving;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod wire;

pub use drive::DriveFailure;
pub use drives::{Begun, Callback, Disconnected, Drives, Returned};
pub use error::DrivesError;
pub use items::{DRIVE_SAVES, LINKED_DRIVES, PENDING_LINKS, TABLES};
pub use kind::{DriveKind, UnknownDrive};
pub use link::{LinkStatus, LinkedDrive, Preference};
pub use pending::{BrowserKey, StateToken};
pub use rules::{DriveRules, SECTIONS};
pub use save::{Save, SaveFailure, SaveId, SaveState};
pub use saves::{Order, Saves};
pub use saving::{SavesReport, Saving};
