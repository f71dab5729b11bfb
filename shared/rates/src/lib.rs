#![doc = include_str!("../README.md")]

mod error;
mod feed;
mod frankfurter;
mod guard;
mod items;
mod quote;
mod rates;
mod reference;
mod refresh;
mod settings;
mod vietcombank;

#[cfg(test)]
mod tests;

pub use error::RatesError;
pub use guard::{Bounds, Implausible, agree, judge};
pub use items::{EXCHANGE_RATES, TABLES};
pub use quote::{Quote, Side, Source};
pub use rates::Rates;
pub use reference::Reference;
pub use refresh::{FeedReport, Report};
