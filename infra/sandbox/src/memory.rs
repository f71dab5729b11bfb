//! What the sandbox remembers when it ends: people, bank transfers, card orders, the chain and fal's jobs, in a file of
//! its own.
//!
//! The product keeps what the outside world told it, so an outside world that forgets would look like lost money. The
//! file holds a line for each thing as it was after each change, written before anyone is told of it; the last line
//! about a thing counts. ComfyUI's jobs are not in it, as that server forgets its own too.

use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{bank, chain, clerk, fal, sepay};

/// Nobody asks for older ones.
const FAL_JOBS_KEPT: usize = 500;

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    Person(clerk::Person),
    Transfer(bank::Transfer),
    CardOrder(sepay::Order),
    Usdt(Vec<chain::Transfer>),
    FalJob(fal::KeptJob),
}

/// Everything of a file, in its order.
#[derive(Default)]
pub(crate) struct Remembered {
    pub(crate) people: Vec<clerk::Person>,
    pub(crate) transfers: Vec<bank::Transfer>,
    pub(crate) card_orders: Vec<sepay::Order>,
    pub(crate) usdt: Vec<chain::Transfer>,
    pub(crate) fal_jobs: Vec<fal::KeptJob>,
}

/// Where changes are written down; without a file, nowhere. Cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct Memory(Option<Arc<Log>>);

struct Log {
    file: Mutex<File>,
    /// A file that can't be written is told of once.
    is_failing: AtomicBool,
}

impl Memory {
    /// Reads the file, writes what counts of it anew, and goes on behind that.
    pub(crate) fn open(path: &Path) -> io::Result<(Memory, Remembered)> {
        let remembered = Remembered::read(path)?;
        let draft = path.with_extension("draft");
        let mut file = BufWriter::new(File::create(&draft)?);
        for line in remembered.lines() {
            file.write_all(&line)?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&draft, path)?;
        let file = File::options().append(true).open(path)?;
        let log = Log { file: Mutex::new(file), is_failing: AtomicBool::default() };
        Ok((Memory(Some(Arc::new(log))), remembered))
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Writes a thing down as it is now. `kept` is asked only if there is a file.
    pub(crate) fn note(&self, kept: impl FnOnce() -> Kept) {
        let Some(log) = &self.0 else { return };
        let written = line(&kept())
            .and_then(|line| log.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line));
        match written {
            Ok(()) => log.is_failing.store(false, Ordering::Relaxed),
            Err(error) if !log.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::error!(
                    "the sandbox can't write down what happens ({error}); it will have forgotten it at the next start"
                );
            }
            Err(_) => {}
        }
    }
}

impl Remembered {
    fn read(path: &Path) -> io::Result<Remembered> {
        let mut remembered = Remembered::default();
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(remembered),
            Err(error) => return Err(error),
        };
        let mut unreadable = 0;
        for line in BufReader::new(file).split(b'\n') {
            match serde_json::from_slice(&line?) {
                Ok(Kept::Person(person)) => remembered.people.push(person),
                Ok(Kept::Transfer(transfer)) => remembered.transfers.push(transfer),
                Ok(Kept::CardOrder(order)) => remembered.card_orders.push(order),
                Ok(Kept::Usdt(transfers)) => remembered.usdt.extend(transfers),
                Ok(Kept::FalJob(job)) => remembered.fal_jobs.push(job),
                // A full disk or a kill leaves half a line.
                Err(_) => unreadable += 1,
            }
        }
        if unreadable > 0 {
            tracing::warn!("the sandbox could not read {unreadable} lines of its memory");
        }
        remembered.keep_the_latest();
        Ok(remembered)
    }

    /// Of each thing its last line, in the order of the first ones.
    fn keep_the_latest(&mut self) {
        latest(&mut self.people, |person| person.name.clone());
        latest(&mut self.transfers, |transfer| transfer.id);
        latest(&mut self.card_orders, |order| order.invoice.clone());
        latest(&mut self.fal_jobs, |job| job.id().to_owned());
        let forgotten = self.fal_jobs.len().saturating_sub(FAL_JOBS_KEPT);
        self.fal_jobs.drain(..forgotten);
    }

    fn lines(&self) -> impl Iterator<Item = Vec<u8>> {
        let people = self.people.iter().cloned().map(Kept::Person);
        let transfers = self.transfers.iter().cloned().map(Kept::Transfer);
        let orders = self.card_orders.iter().cloned().map(Kept::CardOrder);
        let usdt = self.usdt.chunks(1_000).map(|rows| Kept::Usdt(rows.to_vec()));
        let fal_jobs = self.fal_jobs.iter().cloned().map(Kept::FalJob);
        people.chain(transfers).chain(orders).chain(usdt).chain(fal_jobs).filter_map(|kept| line(&kept).ok())
    }
}

/// One write for a line, so that a kill tears none.
fn line(kept: &Kept) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(kept)?;
    line.push(b'\n');
    Ok(line)
}

fn latest<T, K: std::hash::Hash + Eq>(things: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let mut places = std::collections::HashMap::new();
    let mut kept: Vec<T> = Vec::new();
    for thing in things.drain(..) {
        match places.get(&key(&thing)) {
            Some(&place) => kept[place] = thing,
            None => {
                places.insert(key(&thing), kept.len());
                kept.push(thing);
            }
        }
    }
    *things = kept;
}
