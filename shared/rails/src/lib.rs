#![doc = include_str!("../README.md")]

mod error;
mod money;
pub mod sepay_bank;
pub mod sepay_card;
pub mod tron;
pub mod viet_qr;

pub use error::{ApiError, NotAuthentic, Unreadable};
pub use money::{InvalidAmount, UsdtMicros, Vnd};
