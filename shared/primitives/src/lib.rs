#![warn(missing_docs)]
#![doc = include_str!("../README.md")]

mod amounts;
mod blank;
mod clock;
mod credits;
mod currency;
mod ids;
mod language;
mod money;
mod price;
mod privacy;
mod rate;
mod text;
pub mod times;
mod trace;
mod unit;

pub use amounts::{Amounts, CreditsDeltaView, CreditsView, MoneyView};
pub use blank::is_blank;
pub use clock::{Clock, Timestamp};
pub use credits::{Credits, CreditsDelta, Overflow};
pub use currency::{Currency, InvalidCurrency};
pub use ids::{AccountId, EntryId, InvalidId, JobId, RunId, TopUpId, UploadId, UserId, random_bytes};
pub use language::Language;
pub use money::Money;
pub use price::{CostCents, InvalidDecimal, Markup};
pub use privacy::{Fingerprint, Private, Secret};
pub use rate::{InvalidRate, Rate};
pub use text::{BLANK_CLASS, typed, typed_pattern};
pub use trace::TraceId;
pub use unit::{Unit, UnknownUnit};
