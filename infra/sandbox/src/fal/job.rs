//! One request in fal's queue.

use serde_json::{Value, json};

use super::input::{Model, Wanted, detail};
use crate::Fault;
use crate::picture::Serving;
use crate::progress::{Phase, Progress};

/// A job: what it will answer is decided when it is submitted.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) progress: Progress,
    pub(super) ending: Ending,
    app: &'static str,
    is_lost: bool,
    owes_504: bool,
}

/// What the result call answers.
#[derive(Debug)]
pub(super) enum Ending {
    Images {
        wanted: Wanted,
        is_flagged: bool,
        is_empty: bool,
        serving: Serving,
    },
    /// The model's own error, with the list under `detail`.
    Failed {
        status: u16,
        detail: Value,
    },
    Cancelled,
}

impl Job {
    /// Bad input becomes a job too: it fails at the result call.
    pub(super) fn new(model: &'static Model, input: &Value, fault: Option<&Fault>, instant: bool) -> Job {
        let late = match fault {
            Some(Fault::Late { polls }) => *polls,
            _ => 0,
        };
        Job {
            progress: Progress::new(late, instant),
            ending: ending(model, input, fault),
            app: model.app,
            is_lost: fault == Some(&Fault::Lost),
            owes_504: fault == Some(&Fault::Result504),
        }
    }

    pub(super) fn is_of(&self, app: &str) -> bool {
        self.app == app && !self.is_lost
    }

    /// True once for a job that was told to answer 504 first.
    pub(super) fn answer_504_once(&mut self) -> bool {
        std::mem::take(&mut self.owes_504)
    }

    /// Takes the job out of the queue; it counts as completed, with an error.
    pub(super) fn cancel(&mut self) {
        self.ending = Ending::Cancelled;
        self.progress = Progress::new(0, true);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self.ending, Ending::Cancelled)
    }

    pub(super) fn logs(&self, phase: Phase) -> Value {
        if phase == Phase::Waiting {
            return json!([]);
        }
        json!([{ "message": "step 1", "level": "INFO", "source": "USER", "timestamp": "2026-11-21T08:00:00Z" }])
    }
}

fn ending(model: &Model, input: &Value, fault: Option<&Fault>) -> Ending {
    let failed = |status, text: &str, kind: &str| Ending::Failed {
        status,
        detail: Value::from(vec![detail(&["prompt"], text, kind, &input["prompt"], None)]),
    };
    match fault {
        Some(Fault::ContentFilter) => {
            let text = "The content could not be processed because it was flagged by a content checker.";
            return failed(422, text, "content_policy_violation");
        }
        Some(Fault::ErrorFrame { .. }) => {
            return failed(500, "An unexpected error occurred.", "internal_server_error");
        }
        _ => {}
    }
    match model.read(input) {
        Err(detail) => Ending::Failed { status: 422, detail },
        Ok(wanted) => Ending::Images {
            wanted,
            is_flagged: fault == Some(&Fault::Nsfw),
            is_empty: fault == Some(&Fault::Empty),
            serving: Serving::after(fault),
        },
    }
}
