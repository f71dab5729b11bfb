//! Checks a workflow in API format, and reads from it what will be drawn.

use serde_json::{Map, Value, json};

use super::nodes::{self, Class, Saves, Takes};
use super::refusal::reason;
use crate::picture::Seen;
use crate::video::{TICKS_PER_SECOND, USUAL_FRAME_TICKS};

/// A workflow that would run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) batch: u32,
    /// Pictures in a row, for a video.
    pub(super) length: Option<u32>,
    /// All texts, joined; with the seed they decide the colours.
    pub(super) prompt: String,
    pub(super) seed: u64,
    pub(super) outputs: Vec<Output>,
}

/// A node that ends the workflow.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) node: String,
    pub(super) prefix: String,
    pub(super) folder: &'static str,
    pub(super) saves: Saves,
    /// How long a picture of a video is shown, in the ticks of `video`.
    pub(super) frame_ticks: u32,
    /// The rate as the workflow writes it.
    pub(super) frame_rate: Value,
}

/// Finds an uploaded picture by the name that a node gives.
pub(super) type Uploaded<'a> = &'a dyn Fn(&str) -> Option<Seen>;

/// Why it would not: `error` and `node_errors` of the answer.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) error: Value,
    pub(super) node_errors: Value,
}

type Nodes = Map<String, Value>;

/// Reads the workflow as the server does: classes first, then outputs, then every input.
pub(super) fn check(nodes: &Nodes, uploaded: Uploaded) -> Result<Plan, Invalid> {
    for (id, node) in nodes {
        class_of(node).ok_or_else(|| unknown_class(id, node))?;
    }
    let outputs: Vec<Output> = nodes.iter().filter_map(|(id, node)| output(nodes, id, node)).collect();
    if outputs.is_empty() {
        return Err(overall(reason("prompt_no_outputs", "Prompt has no outputs", "", json!({}))));
    }
    let node_errors: Map<String, Value> = nodes
        .iter()
        .filter_map(|(id, node)| node_error(nodes, node, &outputs, uploaded).map(|error| (id.clone(), error)))
        .collect();
    if !node_errors.is_empty() {
        let message = "Prompt outputs failed validation";
        let error = reason("prompt_outputs_failed_validation", message, "", json!({}));
        return Err(Invalid { error, node_errors: Value::Object(node_errors) });
    }
    Ok(plan(nodes, outputs, uploaded))
}

impl Plan {
    /// Videos take minutes.
    pub(super) fn is_slow(&self) -> bool {
        self.outputs.iter().any(|output| !matches!(output.saves, Saves::Pictures(_)))
    }
}

fn plan(nodes: &Nodes, outputs: Vec<Output>, uploaded: Uploaded) -> Plan {
    let prompt = String::new();
    let mut plan = Plan { width: 512, height: 512, batch: 1, length: None, prompt, seed: 0, outputs };
    // A latent decides the size; without one a scaled picture, and without that an uploaded one.
    let mut sizes: [Option<(u32, u32)>; 3] = [None; 3];
    for node in nodes.values() {
        let inputs = &node["inputs"];
        let whole = |name: &str| inputs[name].as_u64().and_then(|number| u32::try_from(number).ok());
        let size =
            || Some((whole("width")?, whole("height")?)).filter(|(width, height)| width.min(height) > &0);
        match node["class_type"].as_str() {
            Some(
                "EmptyLatentImage"
                | "EmptySD3LatentImage"
                | "EmptyHunyuanLatentVideo"
                | "WanImageToVideo"
                | "Wan22ImageToVideoLatent",
            ) => {
                sizes[0] = size().or(sizes[0]);
                plan.batch = whole("batch_size").unwrap_or(plan.batch);
                plan.length = whole("length").or(plan.length);
            }
            // The one picture that was encoded, several times.
            Some("RepeatLatentBatch") => plan.batch = whole("amount").unwrap_or(plan.batch),
            Some("ImageScale") => sizes[1] = size().or(sizes[1]),
            Some("LoadImage") => {
                let seen = inputs["image"].as_str().and_then(uploaded);
                sizes[2] = seen.and_then(|seen| seen.size).or(sizes[2]);
            }
            Some("CLIPTextEncode") => plan.prompt.push_str(inputs["text"].as_str().unwrap_or_default()),
            Some("KSampler") => plan.seed = inputs["seed"].as_u64().unwrap_or(plan.seed),
            Some("KSamplerAdvanced") => plan.seed = inputs["noise_seed"].as_u64().unwrap_or(plan.seed),
            _ => {}
        }
    }
    (plan.width, plan.height) = sizes.into_iter().flatten().next().unwrap_or((plan.width, plan.height));
    plan
}

fn class_of(node: &Value) -> Option<&'static Class> {
    nodes::named(node["class_type"].as_str()?)
}

fn output(nodes: &Nodes, id: &str, node: &Value) -> Option<Output> {
    let saves = class_of(node)?.saves?;
    let inputs = &node["inputs"];
    let folder = match saves {
        Saves::Pictures(folder) => folder,
        Saves::Gifs if inputs["save_output"] == false => "temp",
        _ => "output",
    };
    // The node itself has the rate, or the one that made the video which it saves.
    let made = inputs["video"][0].as_str().and_then(|made| nodes.get(made));
    let frame_rate = made.map_or(&inputs["frame_rate"], |made| &made["inputs"]["fps"]).clone();
    Some(Output {
        node: id.to_owned(),
        prefix: inputs["filename_prefix"].as_str().unwrap_or("ComfyUI_temp").to_owned(),
        folder,
        saves,
        frame_ticks: frame_ticks(&frame_rate).unwrap_or(USUAL_FRAME_TICKS),
        frame_rate,
    })
}

/// What one picture of `rate` pictures a second lasts. Three digits behind the point count.
fn frame_ticks(rate: &Value) -> Option<u32> {
    let text = rate.as_number()?.to_string();
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    let thousandths: u64 = format!("{whole}{part}").parse().ok()?;
    u32::try_from((u64::from(TICKS_PER_SECOND) * 1_000).checked_div(thousandths)?).ok()
}

fn unknown_class(id: &str, node: &Value) -> Invalid {
    let name = node["class_type"].as_str().unwrap_or_default();
    let extra = json!({ "node_id": id, "class_type": node["class_type"], "node_title": name });
    let message = format!("Node '{name}' not found. The custom node may not be installed.");
    overall(reason("missing_node_type", &message, &format!("Node ID '#{id}'"), extra))
}

fn overall(error: Value) -> Invalid {
    Invalid { error, node_errors: json!({}) }
}

fn node_error(nodes: &Nodes, node: &Value, outputs: &[Output], uploaded: Uploaded) -> Option<Value> {
    let class = class_of(node)?;
    let given = class.optional.iter().filter(|(name, _)| !node["inputs"][*name].is_null());
    let errors: Vec<Value> = (class.inputs.iter().chain(given))
        .filter_map(|(name, takes)| input_error(nodes, name, *takes, &node["inputs"][*name], uploaded))
        .collect();
    if errors.is_empty() {
        return None;
    }
    let dependent: Vec<&str> = outputs.iter().map(|output| output.node.as_str()).collect();
    Some(json!({ "errors": errors, "dependent_outputs": dependent, "class_type": class.name }))
}

fn input_error(nodes: &Nodes, name: &str, takes: Takes, value: &Value, uploaded: Uploaded) -> Option<Value> {
    let complain = |kind: &str, message: &str, details: String| {
        Some(reason(kind, message, &details, json!({ "input_name": name, "received_value": value })))
    };
    if value.is_null() {
        return complain("required_input_missing", "Required input is missing", name.to_owned());
    }
    if let Some(link) = value.as_array() {
        return match given_by(nodes, link) {
            None => complain(
                "bad_linked_input",
                "Bad linked input, must be a length-2 list of [node_id, slot_index]",
                format!("{name}, {value}"),
            ),
            Some(given) => match takes {
                Takes::Link(wanted) if wanted != given => complain(
                    "return_type_mismatch",
                    "Return type mismatch between linked nodes",
                    format!("{name}, received_type({given}) mismatch input_type({wanted})"),
                ),
                _ => None,
            },
        };
    }
    match takes {
        Takes::Link(_) => complain(
            "bad_linked_input",
            "Bad linked input, must be a length-2 list of [node_id, slot_index]",
            format!("{name}, {value}"),
        ),
        Takes::Text if !value.is_string() => complain(
            "invalid_input_type",
            "Failed to convert an input value to a STRING value",
            name.to_owned(),
        ),
        Takes::Number if !value.is_number() => complain(
            "invalid_input_type",
            "Failed to convert an input value to a FLOAT value",
            name.to_owned(),
        ),
        Takes::Flag if !value.is_boolean() => complain(
            "invalid_input_type",
            "Failed to convert an input value to a BOOLEAN value",
            name.to_owned(),
        ),
        Takes::OneOf(values) if !values.iter().any(|listed| value == listed) => {
            let list: Vec<String> = values.iter().map(|listed| format!("'{listed}'")).collect();
            let told = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let details = format!("{name}: '{told}' not in [{}]", list.join(", "));
            complain("value_not_in_list", "Value not in list", details)
        }
        Takes::Upload if value.as_str().and_then(uploaded).is_none() => {
            let told = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let details = format!("{name} - Invalid image file: {told}");
            complain("custom_validation_failed", "Custom validation failed for node", details)
        }
        Takes::Whole { min, max } => match value.as_i64() {
            // Seeds use all 64 bits.
            None if value.is_u64() && max == i64::MAX => None,
            None => complain(
                "invalid_input_type",
                "Failed to convert an input value to a INT value",
                format!("{name}, {value}"),
            ),
            Some(number) if number < min => complain(
                "value_smaller_than_min",
                &format!("Value {number} smaller than min of {min}"),
                name.to_owned(),
            ),
            Some(number) if number > max => complain(
                "value_bigger_than_max",
                &format!("Value {number} bigger than max of {max}"),
                name.to_owned(),
            ),
            Some(_) => None,
        },
        Takes::Text | Takes::Number | Takes::Flag | Takes::OneOf(_) | Takes::Upload => None,
    }
}

/// The type at the other end of `[node id, slot]`.
fn given_by(nodes: &Nodes, link: &[Value]) -> Option<&'static str> {
    let [node, slot] = link else { return None };
    let class = class_of(nodes.get(node.as_str()?)?)?;
    let slot = usize::try_from(slot.as_u64()?).ok()?;
    class.outputs.get(slot).copied()
}
