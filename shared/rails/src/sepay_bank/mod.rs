//! SePay watches the shop's own bank account: it tells of each transfer by webhook, and lists them on demand.

mod api;
mod authenticity;
mod fields;
mod transfer;

#[cfg(test)]
mod tests;

pub use api::{Api, Listed};
pub use authenticity::{WebhookKeys, authenticate, sign};
pub use transfer::{Direction, Glimpse, Transfer};
