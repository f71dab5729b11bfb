//! USDT on TRON: addresses, and the confirmed transfers to a wallet as two independent indexers tell them.

mod address;
mod reading;
mod row;
mod source;
#[cfg(test)]
mod tests;
mod transfer;
mod trongrid;
mod tronscan;
mod verdict;
mod walk;
mod wire;

pub use address::{Address, InvalidAddress, USDT_CONTRACT};
pub use source::Source;
pub use transfer::{InvalidTxId, Transfer, TxId, Watch};
pub use trongrid::Trongrid;
pub use tronscan::Tronscan;
pub use verdict::Reason;
pub use walk::{Batch, Walk};
