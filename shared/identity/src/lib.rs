#![doc = include_str!("../README.md")]

mod apply;
mod clerk_api;
mod clerk_user;
mod display_name;
mod error;
mod events;
mod items;
mod pseudonyms;
mod question;
mod settings;
pub mod svix;
#[cfg(test)]
mod tests;
mod user;
mod users;
mod verifier;
mod welcome;

pub use apply::Applied;
pub use clerk_user::{ClerkUser, VerifiedEmail};
pub use display_name::{DisplayName, InvalidName};
pub use error::IdentityError;
pub use events::{InvalidEvent, UserEvent};
pub use items::{TABLES, USERS};
pub use pseudonyms::Pseudonyms;
pub use settings::{ClerkSettings, SignInSettings, WebhookSettings};
pub use user::{
    Language, Preferences, PreferencesChange, StorageProvider, Theme, UnknownSpelling, User, UserState,
    Welcome, WelcomeRefused,
};
pub use users::{FirstSight, ProfileChange, Users};
pub use verifier::{Reason, SignIn, Unverified, Verifier};
pub use welcome::{SECTIONS, WelcomeRules};
