use primitives::{Currency, Private, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A person as we keep them.
#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    pub state: UserState,
    pub email: Option<Private<String>>,
    /// Clerk has told us that there is no verified address; otherwise a missing one is not known yet.
    pub(crate) has_no_email: bool,
    /// Set while the address is not known and Clerk is asked for it.
    pub(crate) question: Option<Question>,
    pub name: Option<Private<String>>,
    pub avatar_url: Option<Private<String>>,
    /// ISO 3166 alpha-2, from the edge at the first request.
    pub country: Option<String>,
    pub preferences: Preferences,
    pub welcome: Welcome,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserState {
    Active,
    /// A tombstone: everything personal is gone, the id stays so that nothing late brings it back.
    Deleted,
}

/// What a user's row says about the question to Clerk who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    /// Not asked again before.
    pub(crate) next_at: Timestamp,
    /// A request is asking right now, or was killed while it did.
    pub(crate) is_under_way: bool,
}

/// Whether a person may have the welcome credit; decided by the first request that knows their verified address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Welcome {
    /// The person has not called yet, or their address is not known yet.
    Undecided,
    Eligible,
    Refused(WelcomeRefused),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WelcomeRefused {
    /// Somebody with the same (normalised) e-mail has had it.
    EmailSeenBefore,
    /// Clerk knows no verified e-mail, so nothing tells two accounts of one person apart. A webhook that brings one makes
    /// the welcome undecided again.
    NoVerifiedEmail,
    /// Too many welcomes for one network and day.
    NetworkLimit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Preferences {
    pub theme: Theme,
    pub language: Language,
    pub display_currency: Currency,
    pub storage_provider: StorageProvider,
}

/// What a person wants changed; what is absent stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferencesChange {
    pub theme: Option<Theme>,
    pub language: Option<Language>,
    pub display_currency: Option<Currency>,
    pub storage_provider: Option<StorageProvider>,
}

impl Preferences {
    /// What a person from there most likely wants, until they say otherwise.
    pub(crate) fn of_country(country: Option<&str>) -> Preferences {
        Preferences {
            theme: Theme::System,
            language: if country == Some("VN") { Language::Vi } else { Language::En },
            display_currency: country.map_or(Currency::USD, Currency::of_country),
            storage_provider: StorageProvider::None,
        }
    }
}

impl User {
    /// When it is worth asking again about a welcome that is not decided.
    pub fn welcome_due_at(&self) -> Option<Timestamp> {
        self.question.map(|question| question.next_at)
    }
}

/// An enum whose variants have one spelling in the API and in the table.
macro_rules! spelled {
    ($(#[$doc:meta])* $type:ident { $($variant:ident = $text:literal),+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $type { $(#[serde(rename = $text)] $variant),+ }

        impl $type {
            pub const ALL: &[$type] = &[$($type::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $text),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownSpelling;

            fn from_str(text: &str) -> Result<$type, UnknownSpelling> {
                match text { $($text => Ok($type::$variant),)+ _ => Err(UnknownSpelling) }
            }
        }
    };
}

/// The text is none of the listed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known values")]
pub struct UnknownSpelling;

spelled!(Theme { System = "system", Light = "light", Dark = "dark" });
spelled!(Language { En = "en", Vi = "vi" });
spelled!(
    /// Where outputs are also kept, beside our own store.
    StorageProvider { None = "none", GoogleDrive = "google_drive", Dropbox = "dropbox" }
);

impl Welcome {
    pub(crate) fn as_str(self) -> Option<&'static str> {
        match self {
            Welcome::Undecided => None,
            Welcome::Eligible => Some("eligible"),
            Welcome::Refused(WelcomeRefused::EmailSeenBefore) => Some("refused:email"),
            Welcome::Refused(WelcomeRefused::NoVerifiedEmail) => Some("refused:no_email"),
            Welcome::Refused(WelcomeRefused::NetworkLimit) => Some("refused:network"),
        }
    }
}

impl FromStr for Welcome {
    type Err = UnknownSpelling;

    fn from_str(text: &str) -> Result<Welcome, UnknownSpelling> {
        match text {
            "eligible" => Ok(Welcome::Eligible),
            "refused:email" => Ok(Welcome::Refused(WelcomeRefused::EmailSeenBefore)),
            "refused:no_email" => Ok(Welcome::Refused(WelcomeRefused::NoVerifiedEmail)),
            "refused:network" => Ok(Welcome::Refused(WelcomeRefused::NetworkLimit)),
            _ => Err(UnknownSpelling),
        }
    }
}
