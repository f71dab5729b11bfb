//! The queue and the history: both in memory, as on the real server.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

mod files;
mod job;

pub(super) use job::Job;

use super::workflow::Plan;
use crate::Fault;
use crate::media::{Media, Serving};
use crate::progress::Phase;
use crate::shelf::Shelf;

/// Which window a look goes through.
const HISTORY: usize = 0;
const QUEUE: usize = 1;

/// Everything queued, running and done.
#[derive(Default)]
pub(crate) struct Jobs {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: Shelf<Job>,
    /// Ids that were not done at the last look, oldest first.
    unfinished: Vec<String>,
    files: Shelf<(Media, Serving)>,
    number: u64,
    file_number: u64,
}

impl Jobs {
    /// Queues a job and decides its files; answers its number.
    pub(super) fn add(&self, mut job: Job, plan: &Plan, fault: Option<&Fault>) -> u64 {
        let mut state = self.lock();
        state.number += 1;
        job.number = state.number;
        if !job.has_failed() && fault != Some(&Fault::Empty) {
            let State { files, file_number, .. } = &mut *state;
            job.outputs = files::lay_out(files, file_number, plan, Serving::after(fault));
        }
        let number = job.number;
        state.unfinished.retain(|unfinished| *unfinished != job.id);
        if !job.is_lost {
            state.unfinished.push(job.id.clone());
        }
        state.jobs.put(job.id.clone(), job);
        number
    }

    pub(super) fn unfinished(&self) -> usize {
        self.lock().unfinished.len()
    }

    /// `GET /queue`; every listed job has been looked at.
    pub(super) fn queue(&self) -> Value {
        let mut state = self.lock();
        let State { jobs, unfinished, .. } = &mut *state;
        let (mut running, mut pending) = (Vec::new(), Vec::new());
        unfinished.retain(|id| {
            let Some(job) = jobs.get_mut(id) else { return false };
            let phase = job.progress.look(QUEUE);
            match phase {
                Phase::Waiting => pending.push(job.queue_line()),
                Phase::Running => running.push(job.queue_line()),
                Phase::Done => {}
            }
            phase != Phase::Done
        });
        json!({ "queue_running": running, "queue_pending": pending })
    }

    /// `GET /history/{id}`: empty until done, and for unknown ids.
    pub(super) fn history(&self, id: &str) -> Value {
        let mut state = self.lock();
        let Some(job) = state.jobs.get_mut(id) else { return json!({}) };
        if !job.is_in_history(HISTORY) {
            return json!({});
        }
        let history = json!({ id: job.history() });
        state.unfinished.retain(|unfinished| unfinished != id);
        history
    }

    /// `GET /history`: all that is done; not a look at the others.
    pub(super) fn histories(&self) -> Value {
        let state = self.lock();
        let done = state.jobs.ids().filter_map(|id| {
            let job = state.jobs.get(id).filter(|job| job.is_visibly_done())?;
            Some((id.clone(), job.history()))
        });
        Value::Object(done.collect())
    }

    /// `POST /queue`: `{"delete": [id]}` or `{"clear": true}`; running jobs stay.
    pub(super) fn drop_waiting(&self, order: &Value) {
        let mut state = self.lock();
        let State { jobs, unfinished, .. } = &mut *state;
        unfinished.retain(|id| {
            let Some(job) = jobs.get_mut(id) else { return false };
            let dropped = job.progress.peek() == Phase::Waiting && names(order, id);
            job.is_lost |= dropped;
            !dropped
        });
    }

    /// `POST /history`: `{"delete": [id]}` or `{"clear": true}`.
    pub(super) fn forget(&self, order: &Value) {
        let mut state = self.lock();
        let named: Vec<String> = state.jobs.ids().filter(|id| names(order, id)).cloned().collect();
        for id in named {
            if let Some(job) = state.jobs.get_mut(&id).filter(|job| job.is_visibly_done()) {
                job.is_lost = true;
            }
        }
    }

    /// `POST /interrupt`: stops the running job of that id, or whatever runs.
    pub(super) fn interrupt(&self, id: Option<&str>) {
        let mut state = self.lock();
        let State { jobs, unfinished, .. } = &mut *state;
        for open in unfinished.iter().filter(|open| id.is_none_or(|id| id == *open)) {
            if let Some(job) = jobs.get_mut(open).filter(|job| job.progress.peek() == Phase::Running) {
                job.interrupt();
            }
        }
    }

    pub(super) fn file(&self, kind: &str, subfolder: &str, name: &str) -> Option<(Media, Serving)> {
        self.lock().files.get(&files::place(kind, subfolder, name)).copied()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn names(order: &Value, id: &str) -> bool {
    let listed = order["delete"].as_array().is_some_and(|ids| ids.iter().any(|listed| listed == id));
    listed || order["clear"] == true
}
