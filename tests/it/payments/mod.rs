//! Money in: every way a payment can come, through the real HTTP shape, with the books checked at the end.

mod administrator;
mod bank;
mod bank_messages;
mod card;
mod card_messages;
mod claims;
mod claims_cut_short;
mod claims_unread;
mod crashes;
pub(crate) mod desk;
mod gateway;
mod happy;
mod inbox;
mod indexes;
mod odd_messages;
mod order_keys;
mod order_links;
mod orders;
mod reconciliation;
mod repeated_transfers;
mod reversals;
mod units;
mod unpaid_cards;
mod usdt;
