//! Money in: every way a payment can come, through the real HTTP shape, with the books checked at the end.

mod administrator;
mod card;
mod crashes;
pub(crate) mod desk;
mod gateway;
mod happy;
mod inbox;
mod reconciliation;
mod reversals;
mod units;
