use crate::failure::FailureClass;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;

#[derive(Deserialize)]
pub(super) struct Queued {
    pub(super) prompt_id: String,
    #[serde(default)]
    pub(super) node_errors: Value,
}

/// The refusal of a workflow.
#[derive(Deserialize, Default)]
pub(super) struct Problem {
    #[serde(default)]
    error: Value,
    #[serde(default)]
    node_errors: Value,
}

/// `GET /queue`; the prompts inside are skipped unread.
#[derive(Deserialize)]
pub(super) struct Queue {
    #[serde(default)]
    queue_running: Vec<QueueEntry>,
    #[serde(default)]
    queue_pending: Vec<QueueEntry>,
}

/// `[number, prompt_id, …]`
struct QueueEntry {
    prompt_id: Option<String>,
}

/// `GET /history/{id}`: empty until the prompt is finished.
pub(super) type History = HashMap<String, Finished>;

#[derive(Deserialize)]
pub(super) struct Finished {
    #[serde(default)]
    pub(super) outputs: HashMap<String, NodeOutput>,
    status: Option<FinalStatus>,
}

#[derive(Deserialize)]
struct FinalStatus {
    #[serde(default)]
    status_str: String,
}

#[derive(Deserialize)]
pub(super) struct NodeOutput {
    #[serde(default)]
    pub(super) images: Vec<ImageFile>,
}

#[derive(Deserialize, Clone, PartialEq, Eq)]
pub(super) struct ImageFile {
    pub(super) filename: String,
    #[serde(default)]
    pub(super) subfolder: String,
    #[serde(rename = "type", default)]
    pub(super) kind: String,
}

impl Queue {
    pub(super) fn holds(&self, id: &str) -> bool {
        let mut entries = self.queue_running.iter().chain(&self.queue_pending);
        entries.any(|entry| entry.prompt_id.as_deref() == Some(id))
    }
}

impl Finished {
    /// The saved image of `node`; previews and other nodes' files are not it.
    pub(super) fn image(&self, node: &str) -> Option<&ImageFile> {
        if self.status.as_ref().is_some_and(|status| status.status_str == "error") {
            return None;
        }
        self.outputs.get(node)?.images.iter().find(|image| image.kind == "output")
    }
}

impl Problem {
    pub(super) fn class(&self) -> FailureClass {
        class_of_node_errors(&self.node_errors).unwrap_or_else(|| match self.error["type"].as_str() {
            Some("missing_node_type") => FailureClass::ModelGone,
            _ => FailureClass::BadInput,
        })
    }
}

/// `None` when no node complains; old servers send an empty list instead of an object.
///
/// `value_not_in_list` is how a missing model file shows.
pub(super) fn class_of_node_errors(node_errors: &Value) -> Option<FailureClass> {
    let nodes = node_errors.as_object().filter(|nodes| !nodes.is_empty())?;
    let errors = nodes.values().filter_map(|node| node["errors"].as_array()).flatten();
    let is_model_gone =
        errors.filter_map(|error| error["type"].as_str()).any(|kind| kind == "value_not_in_list");
    Some(if is_model_gone { FailureClass::ModelGone } else { FailureClass::BadInput })
}

impl<'de> Deserialize<'de> for QueueEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<QueueEntry, D::Error> {
        struct Entry;
        impl<'de> Visitor<'de> for Entry {
            type Value = QueueEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a queue entry")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<QueueEntry, A::Error> {
                parts.next_element::<IgnoredAny>()?;
                let prompt_id = parts.next_element()?;
                while parts.next_element::<IgnoredAny>()?.is_some() {}
                Ok(QueueEntry { prompt_id })
            }
        }
        deserializer.deserialize_seq(Entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_searched_for_ids_only() {
        let queue =
            r#"{"queue_running":[[3,"a",{"6":{"inputs":{"text":"b"}}},{},["9"]]],"queue_pending":[[4,"c"]]}"#;
        let queue: Queue = serde_json::from_str(queue).unwrap();
        assert!(queue.holds("a") && queue.holds("c"));
        assert!(!queue.holds("b") && !queue.holds("9"));
    }

    #[test]
    fn a_refused_workflow_has_a_class() {
        let table = [
            (r#"{"error":{"type":"missing_node_type"},"node_errors":{}}"#, "model_gone"),
            (
                r#"{"error":{"type":"prompt_outputs_failed_validation"},
                "node_errors":{"4":{"errors":[{"type":"value_not_in_list"}]}}}"#,
                "model_gone",
            ),
            (
                r#"{"error":{"type":"x"},"node_errors":{"5":{"errors":[{"type":"value_bigger_than_max"}]}}}"#,
                "bad_input",
            ),
            (r#"{"error":"no prompt","node_errors":[]}"#, "bad_input"),
        ];
        for (body, class) in table {
            assert_eq!(serde_json::from_str::<Problem>(body).unwrap().class().as_str(), class, "{body}");
        }
    }

    #[test]
    fn only_a_saved_image_of_the_output_node_counts() {
        let image = |status: &str, node: &str, kind: &str| {
            let text = format!(
                r#"{{"outputs":{{"{node}":{{"images":[{{"filename":"a.png","subfolder":"","type":"{kind}"}}]}}}},
                    "status":{{"status_str":"{status}","completed":true,"messages":[["execution_start",{{}}]]}}}}"#
            );
            serde_json::from_str::<Finished>(&text).unwrap().image("9").cloned()
        };
        assert!(image("success", "9", "output").is_some());
        assert!(image("success", "9", "temp").is_none());
        assert!(image("success", "8", "output").is_none());
        assert!(image("error", "9", "output").is_none());
    }
}
