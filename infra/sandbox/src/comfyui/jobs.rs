//! The queue and the history: both in memory, as on the real server.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Number, Value, json};

mod files;
mod job;

pub(super) use files::place;
pub(super) use job::Job;

use super::uploads::Uploads;
use super::workflow::Plan;
use crate::Fault;
use crate::media::{Media, Serving};
use crate::progress::Phase;
use crate::shelf::Shelf;

/// Which window a look goes through.
const HISTORY: usize = 0;
const QUEUE: usize = 1;
const LIST: usize = 2;

/// Everything queued, running and done, and what was uploaded.
#[derive(Default)]
pub(crate) struct Jobs {
    state: Mutex<State>,
    pub(super) uploads: Uploads,
}

/// Where a submit wants to stand in the queue.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    Last,
    First,
    /// A number of the client's; smaller ones come first.
    At(Number),
}

impl Place {
    /// Reads `number` and `front` of a submit.
    pub(super) fn asked(body: &Value) -> Place {
        match &body["number"] {
            Value::Number(number) => Place::At(number.clone()),
            _ if body["front"] == true => Place::First,
            _ => Place::Last,
        }
    }
}

#[derive(Default)]
struct State {
    jobs: Shelf<Job>,
    /// Ids that were not done at the last look, oldest first.
    unfinished: Vec<String>,
    files: Shelf<(Media, Serving)>,
    number: i64,
    file_number: u64,
}

impl Jobs {
    /// Queues a job and decides its files; answers its number.
    pub(super) fn add(&self, mut job: Job, plan: &Plan, fault: Option<&Fault>, wish: Place) -> Number {
        let mut state = self.lock();
        // A number of the client's leaves the server's count as it is.
        state.number += i64::from(!matches!(wish, Place::At(_)));
        job.number = match wish {
            Place::Last => Number::from(state.number),
            Place::First => Number::from(-state.number),
            Place::At(number) => number,
        };
        if !job.has_failed() && fault != Some(&Fault::Empty) {
            let State { files, file_number, .. } = &mut *state;
            job.outputs = files::lay_out(files, file_number, plan, Serving::after(fault));
        }
        let number = job.number.clone();
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

    /// `GET /queue`; every listed job has been looked at. Those who wait stand in the order of their numbers.
    pub(super) fn queue(&self, now_ms: u64) -> Value {
        let mut state = self.lock();
        let State { jobs, unfinished, .. } = &mut *state;
        let (mut running, mut pending) = (Vec::new(), Vec::new());
        unfinished.retain(|id| {
            let Some(job) = jobs.get_mut(id) else { return false };
            let phase = job.look(QUEUE, now_ms);
            match phase {
                Phase::Waiting => pending.push(job.queue_line()),
                Phase::Running => running.push(job.queue_line()),
                Phase::Done => {}
            }
            phase != Phase::Done
        });
        let number = |line: &Value| line[0].as_f64().unwrap_or_default();
        pending.sort_by(|one, other| number(one).total_cmp(&number(other)));
        json!({ "queue_running": running, "queue_pending": pending })
    }

    /// `GET /history/{id}`: empty until done, and for unknown ids.
    pub(super) fn history(&self, id: &str, now_ms: u64) -> Value {
        let mut state = self.lock();
        let Some(job) = state.jobs.get_mut(id).filter(|job| !job.is_lost) else { return json!({}) };
        if job.look(HISTORY, now_ms) != Phase::Done {
            return json!({});
        }
        let history = json!({ id: job.history() });
        state.unfinished.retain(|unfinished| unfinished != id);
        history
    }

    /// `GET /api/jobs/{id}`; a look at the job. `None` for an unknown id.
    pub(super) fn listed(&self, id: &str, now_ms: u64) -> Option<Value> {
        let mut state = self.lock();
        let job = state.jobs.get_mut(id).filter(|job| !job.is_lost)?;
        let is_done = job.look(LIST, now_ms) == Phase::Done;
        let listed = job.listed(true);
        if is_done {
            state.unfinished.retain(|unfinished| unfinished != id);
        }
        Some(listed)
    }

    /// `GET /api/jobs`: every job whose state has one of the words, with its duration; a look at each that is not done.
    pub(super) fn list(&self, words: &[&str], now_ms: u64) -> Vec<(u64, u64, Value)> {
        let mut state = self.lock();
        let State { jobs, unfinished, .. } = &mut *state;
        unfinished.retain(|id| jobs.get_mut(id).is_some_and(|job| job.look(LIST, now_ms) != Phase::Done));
        let known = jobs.ids().filter_map(|id| jobs.get(id)).filter(|job| !job.is_lost);
        known
            .filter(|job| words.contains(&job.word(job.progress.peek())))
            .map(|job| (job.created_ms(), job.duration_ms(), job.listed(false)))
            .collect()
    }

    /// `POST /api/jobs/{id}/cancel`: takes a waiting job out of the queue, stops a running one. Answers whether it did.
    pub(super) fn cancel(&self, id: &str, now_ms: u64) -> bool {
        let mut state = self.lock();
        let State { jobs, unfinished, .. } = &mut *state;
        let Some(job) = jobs.get_mut(id).filter(|job| !job.is_lost) else { return false };
        match job.progress.peek() {
            Phase::Waiting => {
                job.is_lost = true;
                unfinished.retain(|unfinished| unfinished != id);
                true
            }
            Phase::Running => {
                job.interrupt(now_ms);
                true
            }
            Phase::Done => false,
        }
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
    pub(super) fn interrupt(&self, id: Option<&str>, now_ms: u64) {
        let mut state = self.lock();
        let State { jobs, unfinished, .. } = &mut *state;
        for open in unfinished.iter().filter(|open| id.is_none_or(|id| id == *open)) {
            if let Some(job) = jobs.get_mut(open).filter(|job| job.progress.peek() == Phase::Running) {
                job.interrupt(now_ms);
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
