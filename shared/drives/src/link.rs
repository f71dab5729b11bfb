use crate::DriveKind;
use primitives::{AccountId, Timestamp};

/// An account's grant to us for one drive. Its token is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedDrive {
    /// Whose it is.
    pub account: AccountId,
    /// Which drive.
    pub kind: DriveKind,
    /// When the person agreed.
    pub linked_at: Timestamp,
    /// Whether it still holds.
    pub status: LinkStatus,
    /// The drive's own name for its owner: two links of one owner share their grant at the drive.
    pub(crate) holder: String,
    /// The refresh token, as the vault sealed it.
    pub(crate) sealed: Sealed,
    /// Each link is another one, so that a decision about an old one changes no new one.
    pub(crate) version: String,
}

/// A sealed token. It is no secret, and still no business of the log's.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sealed(pub(crate) String);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[sealed]")
    }
}

/// Whether a grant holds, as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStatus {
    /// It holds.
    Linked,
    /// The drive does not know our token any more, or the token can't be opened: the person has to connect it again.
    Reconnect {
        /// When we noticed.
        since: Timestamp,
    },
}

/// Where an account's outputs go, and whether they go by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preference {
    /// The person has chosen no drive.
    #[default]
    Unset,
    /// The drive that a save goes to unless it names another one.
    ByHand(DriveKind),
    /// Every output of every run is saved there when the run ends.
    Always(DriveKind),
}

impl Preference {
    /// The chosen drive.
    pub fn drive(self) -> Option<DriveKind> {
        match self {
            Preference::Unset => None,
            Preference::ByHand(kind) | Preference::Always(kind) => Some(kind),
        }
    }

    /// Where an output goes by itself.
    pub fn always(self) -> Option<DriveKind> {
        match self {
            Preference::Always(kind) => Some(kind),
            Preference::Unset | Preference::ByHand(_) => None,
        }
    }
}
