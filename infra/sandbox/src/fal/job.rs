//! One request in fal's queue.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::form::detail;
use super::input::{Model, Wanted};
use super::source::Sources;
use super::webhook::Hook;
use crate::civil::Civil;
use crate::media::Serving;
use crate::progress::{Phase, Progress};
use crate::{Fault, WebhookFault};

/// What was submitted. All that the job will answer follows from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Submitted {
    pub(super) id: String,
    /// The model's whole id.
    pub(super) model: String,
    pub(super) input: Value,
    pub(super) sources: Sources,
    pub(super) fault: Option<Fault>,
    /// The address of `fal_webhook`.
    pub(super) webhook: Option<String>,
    /// Unix seconds.
    pub(super) at: u64,
}

/// What has become of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    is_done: bool,
    is_cancelled: bool,
    /// Its webhook went out, or was about to.
    is_told: bool,
}

/// A job as the sandbox's file keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeptJob {
    #[serde(flatten)]
    pub(super) submitted: Submitted,
    #[serde(flatten)]
    pub(super) standing: Standing,
}

impl KeptJob {
    pub(crate) fn id(&self) -> &str {
        &self.submitted.id
    }
}

/// A job: what it will answer is decided when it is submitted.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) model: &'static Model,
    pub(super) progress: Progress,
    pub(super) ending: Ending,
    pub(super) hook: Option<Hook>,
    submitted: Submitted,
    is_cancelled: bool,
    is_told: bool,
    owes_504: bool,
}

/// What the model makes of the input.
#[derive(Debug)]
pub(super) enum Ending {
    Output {
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
}

impl Job {
    /// Bad input becomes a job too: it fails at the result call. An `instant` job is done at the first look.
    pub(super) fn new(model: &'static Model, submitted: Submitted, hook: Option<Hook>, instant: bool) -> Job {
        let late = match submitted.fault {
            Some(Fault::Late { polls }) => polls,
            _ => 0,
        };
        Job {
            model,
            progress: if model.is_slow() {
                Progress::long(late, instant)
            } else {
                Progress::new(late, instant)
            },
            ending: ending(model, &submitted),
            hook,
            owes_504: submitted.fault == Some(Fault::Result504),
            submitted,
            is_cancelled: false,
            is_told: false,
        }
    }

    /// The job as it was when the sandbox ended. One that was under way begins to wait anew.
    pub(super) fn standing_at(mut self, standing: Standing) -> Job {
        (self.is_cancelled, self.is_told) = (standing.is_cancelled, standing.is_told);
        if standing.is_done {
            self.progress.finish();
        }
        self
    }

    pub(super) fn id(&self) -> &str {
        &self.submitted.id
    }

    pub(super) fn standing(&self) -> Standing {
        let is_done = self.progress.peek() == Phase::Done;
        Standing { is_done, is_cancelled: self.is_cancelled, is_told: self.is_told }
    }

    pub(super) fn kept(&self) -> KeptJob {
        KeptJob { submitted: self.submitted.clone(), standing: self.standing() }
    }

    pub(super) fn is_of(&self, app: &str) -> bool {
        self.model.app == app && !self.is_lost()
    }

    fn is_lost(&self) -> bool {
        self.submitted.fault == Some(Fault::Lost)
    }

    /// True once for a job that was told to answer 504 first.
    pub(super) fn answer_504_once(&mut self) -> bool {
        std::mem::take(&mut self.owes_504)
    }

    /// Takes the job out of the queue; it counts as completed, with an error.
    pub(super) fn cancel(&mut self) {
        self.is_cancelled = true;
        self.progress.finish();
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled
    }

    /// True once, when the job has ended and its webhook has to go out.
    pub(super) fn owes_webhook(&mut self) -> bool {
        let Some(hook) = &self.hook else { return false };
        let is_silent = match hook.how {
            Some(WebhookFault::Lost) => true,
            Some(WebhookFault::AfterCancel) => false,
            _ => self.is_cancelled,
        };
        let is_done = self.progress.peek() == Phase::Done && !self.is_lost();
        is_done && !is_silent && !std::mem::replace(&mut self.is_told, true)
    }

    /// A line for each step of the work that was seen.
    pub(super) fn logs(&self, phase: Phase) -> Value {
        if phase == Phase::Waiting {
            return json!([]);
        }
        let Civil { hour, minute, second, .. } = Civil::utc(self.submitted.at);
        let timestamp =
            format!("{}T{hour:02}:{minute:02}:{second:02}Z", Civil::utc(self.submitted.at).iso_date());
        let line = |step: u32| json!({ "message": format!("step {step}"), "level": "INFO", "source": "USER", "timestamp": timestamp });
        Value::Array((1..=self.progress.steps()).map(line).collect())
    }
}

fn ending(model: &Model, submitted: &Submitted) -> Ending {
    let failed = |status, text: &str, kind: &str| Ending::Failed {
        status,
        detail: Value::from(vec![detail(&["prompt"], text, kind, &submitted.input["prompt"], None)]),
    };
    let fault = submitted.fault.as_ref();
    // A model of videos has no field to flag one in.
    let is_refused = fault == Some(&Fault::ContentFilter) || (fault == Some(&Fault::Nsfw) && model.is_slow());
    if is_refused {
        let text = "The content could not be processed because it was flagged by a content checker.";
        return failed(422, text, "content_policy_violation");
    }
    if matches!(fault, Some(Fault::ErrorFrame { .. })) {
        return failed(500, "An unexpected error occurred.", "internal_server_error");
    }
    match model.read(&submitted.input, &submitted.sources) {
        Err(detail) => Ending::Failed { status: 422, detail },
        Ok(wanted) => Ending::Output {
            wanted,
            is_flagged: fault == Some(&Fault::Nsfw),
            is_empty: fault == Some(&Fault::Empty),
            serving: Serving::after(fault),
        },
    }
}
