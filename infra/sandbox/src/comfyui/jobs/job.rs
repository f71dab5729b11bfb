//! One workflow on its way.

use serde_json::{Number, Value, json};

use crate::Fault;
use crate::comfyui::workflow::Plan;
use crate::progress::{Phase, Progress};

/// A job, its outputs already decided.
#[derive(Debug)]
pub(in crate::comfyui) struct Job {
    pub(super) id: String,
    pub(super) number: Number,
    pub(super) progress: Progress,
    pub(super) outputs: Value,
    /// In neither the queue nor the history.
    pub(super) is_lost: bool,
    nodes: Value,
    extra: Value,
    output_nodes: Vec<String>,
    ending: Ending,
    /// When it was submitted, was first seen running, and was first seen done; Unix milliseconds.
    times: [Option<u64>; 3],
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
            number: Number::from(0),
            progress: if plan.is_slow() {
                Progress::long(late, instant)
            } else {
                Progress::new(late, instant)
            },
            outputs: json!({}),
            is_lost: fault == Some(&Fault::Lost),
            nodes,
            extra: json!({}),
            output_nodes: plan.outputs.iter().map(|output| output.node.clone()).collect(),
            ending: if fails { Ending::Error } else { Ending::Success },
            times: [None; 3],
        }
    }

    /// Keeps what the submit said beside the workflow, and its time in Unix milliseconds.
    pub(in crate::comfyui) fn submitted(&mut self, body: &Value, now_ms: u64) {
        let mut extra = body["extra_data"].as_object().cloned().unwrap_or_default();
        if let Some(client) = body["client_id"].as_str() {
            extra.insert("client_id".to_owned(), Value::from(client));
        }
        extra.insert("create_time".to_owned(), Value::from(now_ms));
        self.extra = Value::Object(extra);
        self.times[0] = Some(now_ms);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.ending != Ending::Success
    }

    pub(super) fn interrupt(&mut self, now_ms: u64) {
        self.ending = Ending::Interrupted;
        self.outputs = json!({});
        self.progress.finish();
        self.note(Phase::Done, now_ms);
    }

    /// A look through one of the windows.
    pub(super) fn look(&mut self, window: usize, now_ms: u64) -> Phase {
        let phase = self.progress.look(window);
        self.note(phase, now_ms);
        phase
    }

    fn note(&mut self, phase: Phase, now_ms: u64) {
        if phase != Phase::Waiting {
            self.times[1].get_or_insert(now_ms);
        }
        if phase == Phase::Done {
            self.times[2].get_or_insert(now_ms);
        }
    }

    pub(super) fn is_visibly_done(&self) -> bool {
        !self.is_lost && self.progress.peek() == Phase::Done
    }

    /// `[number, id, prompt, extra, outputs]`, as queue and history show it.
    pub(super) fn queue_line(&self) -> Value {
        json!([self.number, self.id, self.nodes, self.extra, self.output_nodes])
    }

    pub(super) fn history(&self) -> Value {
        json!({
            "prompt": self.queue_line(),
            "outputs": self.outputs,
            "status": self.status(),
            "meta": {},
        })
    }

    /// As `/api/jobs` shows it (`comfy_execution/jobs.py`); `whole` adds the workflow and the outputs.
    pub(super) fn listed(&self, whole: bool) -> Value {
        let phase = self.progress.peek();
        let mut job = json!({
            "id": self.id,
            "status": self.word(phase),
            "priority": self.number,
            "create_time": self.times[0],
            "outputs_count": 0,
            "previewable_outputs_count": 0,
        });
        if phase == Phase::Done {
            self.list_ending(&mut job);
            if whole {
                job["outputs"] = self.outputs.clone();
                job["execution_status"] = self.status();
            }
        }
        if whole {
            job["workflow"] = json!({ "prompt": self.nodes, "extra_data": self.extra });
        }
        job
    }

    fn list_ending(&self, job: &mut Value) {
        let [start, end] = self.start_and_end();
        job["execution_start_time"] = Value::from(start);
        job["execution_end_time"] = Value::from(end);
        if self.ending == Ending::Error {
            job["execution_error"] = self.last_message()[1].clone();
        }
        let files: Vec<Value> = self.files().collect();
        // Every file made here is a picture or a video, so that each can be shown.
        job["outputs_count"] = Value::from(files.len());
        job["previewable_outputs_count"] = Value::from(files.len());
        let saved = files.iter().find(|file| file["type"] == "output");
        if let Some(first) = saved.or(files.first()) {
            job["preview_output"] = first.clone();
        }
    }

    /// Every file, with its node and the word it stands under.
    fn files(&self) -> impl Iterator<Item = Value> {
        let nodes = self.outputs.as_object().into_iter().flatten();
        let lists = nodes.flat_map(|(node, output)| {
            output.as_object().into_iter().flatten().map(move |(word, files)| (node, word, files))
        });
        lists.filter(|(_, word, _)| *word != "animated").flat_map(|(node, word, files)| {
            files.as_array().into_iter().flatten().map(move |file| {
                let mut file = file.clone();
                file["nodeId"] = Value::from(node.as_str());
                file["mediaType"] = Value::from(word.as_str());
                file
            })
        })
    }

    /// The state's name in `/api/jobs`. An interrupted job is `cancelled` there, and an `error` in the history.
    pub(super) fn word(&self, phase: Phase) -> &'static str {
        match (phase, &self.ending) {
            (Phase::Waiting, _) => "pending",
            (Phase::Running, _) => "in_progress",
            (Phase::Done, Ending::Success) => "completed",
            (Phase::Done, Ending::Error) => "failed",
            (Phase::Done, Ending::Interrupted) => "cancelled",
        }
    }

    /// Milliseconds of work, by which `/api/jobs` can sort.
    pub(super) fn duration_ms(&self) -> u64 {
        let [start, end] = self.start_and_end();
        if self.progress.peek() == Phase::Done { end.saturating_sub(start) } else { 0 }
    }

    pub(super) fn created_ms(&self) -> u64 {
        self.times[0].unwrap_or_default()
    }

    /// Of a job that was never looked at, the time of its submit.
    fn start_and_end(&self) -> [u64; 2] {
        let [created, start, end] = self.times;
        [start, end].map(|at| at.or(created).unwrap_or_default())
    }

    fn status(&self) -> Value {
        let status = if self.has_failed() { "error" } else { "success" };
        json!({ "status_str": status, "completed": !self.has_failed(), "messages": self.messages() })
    }

    fn messages(&self) -> Value {
        let id = &self.id;
        let [start, _] = self.start_and_end();
        json!([
            ["execution_start", { "prompt_id": id, "timestamp": start }],
            ["execution_cached", { "nodes": [], "prompt_id": id, "timestamp": start }],
            self.last_message(),
        ])
    }

    fn last_message(&self) -> Value {
        let (id, [_, end]) = (&self.id, self.start_and_end());
        match self.ending {
            Ending::Success => json!(["execution_success", { "prompt_id": id, "timestamp": end }]),
            Ending::Interrupted => {
                json!(["execution_interrupted", { "prompt_id": id, "executed": [], "timestamp": end }])
            }
            Ending::Error => json!(["execution_error", {
                "prompt_id": id, "node_id": "3", "node_type": "KSampler", "executed": [],
                "exception_message": "Allocation on device",
                "exception_type": "torch.OutOfMemoryError", "traceback": [], "timestamp": end,
            }]),
        }
    }
}
