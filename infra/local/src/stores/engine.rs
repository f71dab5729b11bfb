use dynoxide::{Database, DynoxideError};
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&Database) + Send>;

/// The one thread that works on the database.
///
/// SQLite is synchronous and serves one caller at a time. Called in a task, it would hold up a worker of the
/// runtime for each commit, for the queue in front of it, and for a checkpoint's fsync of many milliseconds.
/// A thread of its own costs a hand-over of some 10 µs and leaves the workers to everybody else (measured: see
/// `tests::handing_over`); `spawn_blocking` costs the same and lets its threads fight for the mutex.
pub(super) struct Engine {
    database: Database,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    pub(super) fn start(database: Database) -> io::Result<Engine> {
        let (jobs, queue) = mpsc::channel();
        let worked_on = database.clone();
        let thread =
            thread::Builder::new().name("dynamo".to_owned()).spawn(move || work(&worked_on, &queue))?;
        Ok(Engine { database, jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
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
