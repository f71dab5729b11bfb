//! Money in: every way a payment can come, through the real HTTP shape, with the books checked at the end.

mod bank;
mod claims;
pub(crate) mod desk;
mod happy;
mod orders;
mod usdt;
