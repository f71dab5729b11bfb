use crate::comfyui::workflow::PROMPT_NODE;
use crate::failure::FailureClass;
use crate::job::Sign;
use crate::lenient;
use serde_json::Value;

/// A prompt's entry in `GET /history/{id}`, once it is over.
pub(super) struct Ended<'a> {
    outputs: &'a Value,
    has_failed: bool,
}

/// A file that a node left on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SavedFile {
    pub(super) filename: String,
    pub(super) subfolder: String,
    pub(super) kind: String,
}

impl Ended<'_> {
    /// `None` when the entry does not say that the prompt is over: neither a final status nor an output. Old servers
    /// send no status.
    pub(super) fn of(entry: &Value) -> Option<Ended<'_>> {
        let status = &entry["status"];
        let word = lenient::text(&status["status_str"]).unwrap_or_default().to_ascii_lowercase();
        let is_over = matches!(word.as_str(), "success" | "error")
            || lenient::has_set_flag(&status["completed"])
            || entry["outputs"].as_object().is_some_and(|outputs| !outputs.is_empty());
        is_over.then(|| Ended { outputs: &entry["outputs"], has_failed: word == "error" })
    }

    /// The saved images of `node`; previews and other nodes' files are none.
    pub(super) fn images(&self, node: &str) -> Vec<SavedFile> {
        self.saved(node, &["images"]).collect()
    }

    /// The saved videos of `node`. Each class of nodes has a word of its own for them, `images` among them: what a file is,
    /// its name tells.
    pub(super) fn videos(&self, node: &str) -> Vec<SavedFile> {
        self.saved(node, &["images", "gifs", "video", "videos"]).filter(SavedFile::is_video).collect()
    }

    fn saved(&self, node: &str, words: &'static [&'static str]) -> impl Iterator<Item = SavedFile> {
        let outputs = if self.has_failed { &Value::Null } else { &self.outputs[node] };
        let listed = words.iter().filter_map(|word| outputs[*word].as_array()).flatten();
        listed.filter_map(file_of).filter(|file| file.kind == "output")
    }
}

impl SavedFile {
    fn is_video(&self) -> bool {
        let ending = self.filename.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        ending.is_some_and(|ending| matches!(ending.as_str(), "mp4" | "webm" | "mov"))
    }
}

/// The kind is `output` where none is given, as for the address the file is fetched from.
fn file_of(file: &Value) -> Option<SavedFile> {
    let text = |name: &str, absent: &str| match &file[name] {
        Value::Null => Some(absent.to_owned()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    let filename = text("filename", "").filter(|name| !name.is_empty())?;
    Some(SavedFile { filename, subfolder: text("subfolder", "")?, kind: text("type", "output")? })
}

/// Where `GET /queue` lists the prompt, in entries of `[number, prompt_id, …]`; `None` when that is no queue. The lowest
/// number is next.
pub(super) fn place_in(queue: &Value, id: &str) -> Option<Option<Sign>> {
    let (running, pending) = (queue["queue_running"].as_array()?, queue["queue_pending"].as_array()?);
    let is_ours = |entry: &&Value| entry[1].as_str() == Some(id);
    if running.iter().any(|entry| is_ours(&entry)) {
        return Some(Some(Sign::Working { percent: None }));
    }
    Some(pending.iter().find(is_ours).map(|ours| {
        let is_before = |other: &&Value| {
            other[0].as_i64().zip(ours[0].as_i64()).is_some_and(|(other, ours)| other < ours)
        };
        Sign::Queued { ahead: u32::try_from(running.len() + pending.iter().filter(is_before).count()).ok() }
    }))
}

/// What a refused workflow means. The workflow is ours, so a refusal that does not name the prompt's text is too.
pub(super) fn class_of_refusal(problem: &Value) -> FailureClass {
    class_of_node_errors(&problem["node_errors"]).unwrap_or_else(|| match problem["error"]["type"].as_str() {
        Some("missing_node_type") => FailureClass::ModelGone,
        _ => FailureClass::RequestRefused,
    })
}

/// `None` when no node complains; old servers send an empty list instead of an object.
///
/// `value_not_in_list` is how a missing model file shows.
pub(super) fn class_of_node_errors(node_errors: &Value) -> Option<FailureClass> {
    let nodes = node_errors.as_object().filter(|nodes| !nodes.is_empty())?;
    let errors = nodes.values().filter_map(|node| node["errors"].as_array()).flatten();
    let is_model_gone =
        errors.filter_map(|error| error["type"].as_str()).any(|kind| kind == "value_not_in_list");
    let is_about_the_prompt = nodes.len() == 1 && nodes.contains_key(PROMPT_NODE);
    Some(match (is_model_gone, is_about_the_prompt) {
        (true, _) => FailureClass::ModelGone,
        (false, true) => FailureClass::BadInput,
        (false, false) => FailureClass::RequestRefused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_queue_is_searched_for_ids_only() {
        let queue = read(
            r#"{"queue_running":[[3,"a",{"6":{"inputs":{"text":"b"}}},{},["9"]],null,7,[]],"queue_pending":[[4,"c"]]}"#,
        );
        let working = Some(Sign::Working { percent: None });
        for (id, place) in
            [("a", working), ("c", Some(Sign::Queued { ahead: Some(4) })), ("b", None), ("9", None)]
        {
            assert_eq!(place_in(&queue, id), Some(place), "{id}");
        }
        for text in ["{}", "[]", "null", r#"{"queue_running":null,"queue_pending":[]}"#] {
            assert_eq!(place_in(&read(text), "a"), None, "{text}");
        }
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
                "request_refused",
            ),
            (r#"{"error":{"type":"x"},"node_errors":{"6":{"errors":[{"type":"y"}]}}}"#, "bad_input"),
            (r#"{"error":"no prompt","node_errors":[]}"#, "request_refused"),
            (r#"{"error":null,"node_errors":null}"#, "request_refused"),
            ("null", "request_refused"),
        ];
        for (body, class) in table {
            assert_eq!(class_of_refusal(&read(body)).as_str(), class, "{body}");
        }
    }

    #[test]
    fn only_a_saved_image_of_the_output_node_counts() {
        let image = |status: &str, node: &str, kind: &str| {
            let text = format!(
                r#"{{"outputs":{{"{node}":{{"images":[{{"filename":"a.png","subfolder":"","type":"{kind}"}}]}}}},
                    "status":{{"status_str":"{status}","completed":true,"messages":[["execution_start",{{}}]]}}}}"#
            );
            Ended::of(&read(&text)).unwrap().images("9").len()
        };
        assert_eq!(image("success", "9", "output"), 1);
        assert_eq!(image("success", "9", "temp"), 0);
        assert_eq!(image("success", "8", "output"), 0);
        assert_eq!(image("error", "9", "output"), 0);
    }

    #[test]
    fn a_video_is_found_under_each_classs_word_and_known_by_its_name() {
        let table = [
            (r#"{"images":[{"filename":"a.mp4"}],"animated":[true]}"#, 1),
            (r#"{"gifs":[{"filename":"a.mp4","format":"video/h264-mp4","workflow":"a.png"}]}"#, 1),
            (r#"{"video":[{"filename":"a.WEBM"}],"images":[{"filename":"a.png"}]}"#, 1),
            (r#"{"gifs":[{"filename":"a.mp4","type":"temp"}]}"#, 0),
            (r#"{"images":[{"filename":"a.png"},{"filename":"mp4"},{"filename":"a.gif"}]}"#, 0),
            (r#"{"gifs":null,"video":7}"#, 0),
        ];
        for (outputs, videos) in table {
            let entry = read(&format!(r#"{{"outputs":{{"9":{outputs}}},"status":{{"completed":true}}}}"#));
            assert_eq!(Ended::of(&entry).unwrap().videos("9").len(), videos, "{outputs}");
        }
    }

    #[test]
    fn what_stands_beside_the_image_does_not_matter() {
        for entry in [
            r#"{"outputs":{"9":{"images":[{"filename":"a.png"}]}}}"#,
            r#"{"outputs":{"9":{"images":[null,{"filename":null},{"filename":"a.png","subfolder":null,"type":null}]}}}"#,
            r#"{"outputs":{"9":{"images":[{"filename":"a.png","type":"output","n":1e3}]},"8":null},"status":null}"#,
            r#"{"outputs":{"9":{"images":[{"filename":"a.png"}],"gifs":7}},"status":{"status_str":null,"messages":null}}"#,
        ] {
            let entry = read(entry);
            let files = Ended::of(&entry).unwrap().images("9");
            let [file] = files.as_slice() else { panic!("one image: {entry}") };
            assert_eq!(
                (file.filename.as_str(), file.subfolder.as_str(), file.kind.as_str()),
                ("a.png", "", "output")
            );
        }
    }

    #[test]
    fn an_entry_without_an_end_is_not_over() {
        for entry in [
            r#"{}"#,
            r#"{"outputs":{}}"#,
            r#"{"outputs":{},"status":{"status_str":"","completed":false}}"#,
            "7",
        ] {
            assert!(Ended::of(&read(entry)).is_none(), "{entry}");
        }
        for entry in
            [r#"{"status":{"status_str":"error"}}"#, r#"{"outputs":null,"status":{"completed":true}}"#]
        {
            assert!(Ended::of(&read(entry)).unwrap().images("9").is_empty(), "{entry}");
        }
    }
}
