//! One workflow on its way.

use serde_json::{Value, json};

use crate::Fault;
use crate::comfyui::workflow::Plan;
use crate::progress::{Phase, Progress};

/// A job, its outputs already decided.
#[derive(Debug)]
pub(in crate::comfyui) struct Job {
    pub(super) id: String,
    pub(super) number: u64,
    pub(super) progress: Progress,
    pub(super) outputs: Value,
    /// In neither the queue nor the history.
    pub(super) is_lost: bool,
    nodes: Value,
    output_nodes: Vec<String>,
    ending: Ending,
}

#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Success,
    Error,
    Interrupted,
}

impl Job {
    pub(in crate::comfyui) fn new(
        id: &str,
        nodes: Value,
        plan: &Plan,
        fault: Option<&Fault>,
        instant: bool,
    ) -> Job {
        let late = match fault {
            Some(Fault::Late { polls }) => *polls,
            _ => 0,
        };
        let fails = matches!(fault, Some(Fault::ErrorFrame { .. }));
        Job {
            id: id.to_owned(),
            number: 0,
            progress: Progress::new(late, instant),
            outputs: json!({}),
            is_lost: fault == Some(&Fault::Lost),
            nodes,
            output_nodes: plan.outputs.iter().map(|output| output.node.clone()).collect(),
            ending: if fails { Ending::Error } else { Ending::Success },
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.ending != Ending::Success
    }

    pub(super) fn interrupt(&mut self) {
        self.ending = Ending::Interrupted;
        self.outputs = json!({});
        self.progress = Progress::new(0, true);
    }

    /// A look through the history's window.
    pub(super) fn is_in_history(&mut self, window: usize) -> bool {
        !self.is_lost && self.progress.look(window) == Phase::Done
    }

    pub(super) fn is_visibly_done(&self) -> bool {
        !self.is_lost && self.progress.peek() == Phase::Done
    }

    /// `[number, id, prompt, extra, outputs]`, as queue and history show it.
    pub(super) fn queue_line(&self) -> Value {
        json!([self.number, self.id, self.nodes, {}, self.output_nodes])
    }

    pub(super) fn history(&self) -> Value {
        let status = if self.has_failed() { "error" } else { "success" };
        json!({
            "prompt": self.queue_line(),
            "outputs": self.outputs,
            "status": {
                "status_str": status,
                "completed": !self.has_failed(),
                "messages": self.messages(),
            },
            "meta": {},
        })
    }

    fn messages(&self) -> Value {
        let id = &self.id;
        let last = match self.ending {
            Ending::Success => json!(["execution_success", { "prompt_id": id }]),
            Ending::Interrupted => json!(["execution_interrupted", { "prompt_id": id, "executed": [] }]),
            Ending::Error => json!(["execution_error", {
                "prompt_id": id, "node_id": "3", "node_type": "KSampler", "executed": [],
                "exception_message": "Allocation on device",
                "exception_type": "torch.OutOfMemoryError", "traceback": [],
            }]),
        };
        json!([
            ["execution_start", { "prompt_id": id }],
            ["execution_cached", { "nodes": [], "prompt_id": id }],
            last,
        ])
    }
}
