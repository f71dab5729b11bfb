//! One invented TRON chain, seen through two indexers: what TronScan and TronGrid tell is the same money.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};

mod address;
mod control;
mod fingerprint;
mod transfer;
pub(crate) mod trongrid;
pub(crate) mod tronscan;
mod wish;

#[cfg(test)]
pub(crate) use address::is_address;
pub use wish::UsdtWish;

use crate::memory::{Kept, Memory};
use crate::{Sandbox, ids};
use transfer::BLOCK_MS;
pub(crate) use transfer::Transfer;

/// A block is final about a minute after it was made (TRON developers, "Confirmation semantics").
const FINAL_AFTER_SECONDS: u64 = 60;
/// A token that calls itself USDT.
pub(crate) const FAKE_CONTRACT: &str = "TALVbCSWj1VxmUMFWuDewVq9rzCmRQysJr";
/// Who pays when nobody is named.
const CUSTOMER: &str = "TRPsK1YTGYZLQ4M3pEdkYL33dQcpEtJFoq";
/// Spam comes from this many addresses.
const SPAMMERS: u64 = 50;
/// A block of the sandbox holds this many of one order's transactions, so that also a hundred thousand
/// of them can be told apart by time.
const PER_BLOCK: u64 = 200;

/// The transfers, oldest block first.
#[derive(Default)]
pub(crate) struct Chain {
    transfers: Mutex<Vec<Transfer>>,
    made: AtomicU64,
    memory: Memory,
}

impl Sandbox {
    /// Puts a transfer on the chain and returns its transaction id; its addresses are taken as they are.
    pub fn usdt_transfer(&self, wish: UsdtWish) -> String {
        self.world.chain.send(&wish, 1, self.world.now()).swap_remove(0)
    }

    /// Sends `count` transfers of a millionth USDT to `TRON_WALLET`, from spammers, in blocks of 200 up to now.
    pub fn usdt_dust(&self, count: u32) {
        self.world.chain.dust(&UsdtWish::default(), count, self.world.now());
    }
}

impl Chain {
    pub(crate) fn remembering(mut rows: Vec<Transfer>, memory: Memory) -> Chain {
        rows.sort_by_key(Transfer::place);
        let made = rows.iter().map(|row| row.seq + 1).max().unwrap_or_default();
        Chain { transfers: Mutex::new(rows), made: AtomicU64::new(made), memory }
    }

    /// The same transfer `times` times: each in its own transaction, or all in the one wished for.
    pub(crate) fn send(&self, wish: &UsdtWish, times: u32, now: u64) -> Vec<String> {
        match &wish.tx {
            Some(tx) => {
                let block_ms = self.block_of(tx).unwrap_or_else(|| block_ms(wish, now));
                let one = wish.transfer(tx.as_str().into(), block_ms);
                self.add((0..times).map(|_| one.clone()).collect())
            }
            None => self.add(in_blocks(wish, times, now).collect()),
        }
    }

    /// `count` millionths from spammers, otherwise as wished.
    pub(crate) fn dust(&self, wish: &UsdtWish, count: u32, now: u64) -> Vec<String> {
        let spammers: Vec<Arc<str>> =
            (0..SPAMMERS).map(|nth| address::invented(&format!("spammer {nth}")).into()).collect();
        let wish = UsdtWish { amount_micros: 1, tx: None, ..wish.clone() };
        let from_spammers = in_blocks(&wish, count, now)
            .zip(spammers.iter().cycle())
            .map(|(transfer, from)| Transfer { from: from.clone(), ..transfer });
        self.add(from_spammers.collect())
    }

    /// Shows `read` the rows of the blocks from `first_ms` to `last_ms`, both included, oldest first.
    pub(crate) fn look<T>(&self, first_ms: u64, last_ms: u64, read: impl FnOnce(&[Transfer]) -> T) -> T {
        let transfers = self.lock();
        let start = transfers.partition_point(|transfer| transfer.block_ms < first_ms);
        let end = transfers.partition_point(|transfer| transfer.block_ms <= last_ms);
        read(transfers.get(start..end).unwrap_or_default())
    }

    /// Adds rows in their order and answers their transactions.
    fn add(&self, mut rows: Vec<Transfer>) -> Vec<String> {
        let mut transfers = self.lock();
        for row in &mut rows {
            row.seq = self.made.fetch_add(1, Ordering::Relaxed);
        }
        if !rows.is_empty() {
            self.memory.note(|| Kept::Usdt(rows.clone()));
        }
        let ids = rows.iter().map(|row| row.tx.to_string()).collect();
        let newest_ms = transfers.last().map_or(0, |last| last.block_ms);
        let is_in_order = rows.is_sorted_by_key(Transfer::place)
            && rows.first().is_none_or(|first| newest_ms <= first.block_ms);
        transfers.append(&mut rows);
        if !is_in_order {
            transfers.sort_by_key(Transfer::place);
        }
        ids
    }

    /// All of a transaction lies in one block.
    fn block_of(&self, tx: &str) -> Option<u64> {
        self.lock().iter().rev().find(|transfer| &*transfer.tx == tx).map(|transfer| transfer.block_ms)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Transfer>> {
        self.transfers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `count` transfers in their own transactions; the last block is the wish's, the others lie before it.
fn in_blocks(wish: &UsdtWish, count: u32, now: u64) -> impl Iterator<Item = Transfer> {
    let root = ids::uuid();
    let newest_ms = block_ms(wish, now);
    let pattern = wish.transfer(Arc::default(), newest_ms);
    let age_ms = move |nth: u32| u64::from(count - 1 - nth) / PER_BLOCK * BLOCK_MS;
    (0..count).map(move |nth| {
        let tx = hex::encode(digest(&SHA256, format!("{root} {nth}").as_bytes()));
        pattern.clone().in_transaction(tx.into()).earlier_by(age_ms(nth))
    })
}

fn block_ms(wish: &UsdtWish, now: u64) -> u64 {
    now.saturating_sub(wish.age_seconds).saturating_mul(1_000)
}
