use super::error::Damage;
use dynoxide::{Database, DynoxideError};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&Database) + Send>;

/// The one thread that works on the database.
///
/// SQLite is synchronous and serves one caller at a time. Called in a task, it holds up a worker of the
/// runtime for each commit, for the queue in front of it, and for a checkpoint's fsync of many milliseconds.
/// Measured with 32 writers on two workers (dev profile, CPU per write, and by how much a timer of another
/// task was late, 99th percentile): inline 0.12-0.22 ms and 7-11 ms late, `block_in_place` 0.12-0.18 ms and
/// 6-11 ms, `spawn_blocking` 0.22-0.34 ms and 2-20 ms, this thread 0.14-0.25 ms and 2-3 ms.
pub(super) struct Engine {
    database: Database,
    /// Where the file lies, if there is one.
    folder: Option<PathBuf>,
    /// Why the file could not be worked on last time.
    damage: Mutex<Option<Damage>>,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    pub(super) fn start(database: Database, folder: Option<PathBuf>) -> io::Result<Engine> {
        let (jobs, queue) = mpsc::channel();
        let worked_on = database.clone();
        let thread =
            thread::Builder::new().name("dynamo".to_owned()).spawn(move || work(&worked_on, &queue))?;
        Ok(Engine { database, folder, damage: Mutex::default(), jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// Says once that the file can't be worked on, and once that it can again: each request would say it anew.
    pub(super) fn note<T>(&self, outcome: &dynoxide::Result<T>) {
        let found = match outcome {
            Err(error) if error.status_code() == 500 => Some(Damage::of(error, self.folder.as_deref())),
            // A request that was refused by the rules wrote nothing, and says nothing about the file.
            Err(_) => return,
            Ok(_) => None,
        };
        let before =
            std::mem::replace(&mut *self.damage.lock().unwrap_or_else(PoisonError::into_inner), found);
        match (before, found) {
            (None, Some(damage)) => {
                tracing::error!("the local database {damage}; requests fail until that is mended");
            }
            (Some(_), None) => tracing::warn!("the local database works again"),
            _ => {}
        }
    }

    pub(super) fn damage(&self) -> Option<Damage> {
        *self.damage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the work even if the caller stops waiting, as a store across a network would.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> dynoxide::Result<T> + Send + 'static,
    ) -> dynoxide::Result<T> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |database: &Database| {
            let _ = answer.send(work(database));
        });
        let queued = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !queued {
            return Err(stopped());
        }
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Engine {
    /// Waits for the thread, so that the file is closed before its folder is given up.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(database: &Database, queue: &Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        job(database);
    }
}

fn stopped() -> DynoxideError {
    DynoxideError::InternalServerError("the local store has stopped".to_owned())
}
