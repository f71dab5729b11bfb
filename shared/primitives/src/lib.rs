#![doc = include_str!("../README.md")]

mod blank;
mod clock;
mod credits;
mod ids;
mod language;
mod money;
mod price;
mod privacy;
mod text;
pub mod times;

pub use blank::is_blank;
pub use clock::{Clock, Timestamp};
pub use credits::{Credits, CreditsDelta, Overflow};
pub use ids::{AccountId, EntryId, InvalidId, RunId, TopUpId, UserId, random_bytes};
pub use language::Language;
pub use money::{Currency, InvalidCurrency, Money};
pub use price::{CostCents, InvalidDecimal, Markup, price_half_up};
pub use privacy::{Fingerprint, Private, Secret};
pub use text::{BLANK_CLASS, typed, typed_pattern};
