//! Checks a workflow in API format, and reads from it what will be drawn.

use serde_json::{Map, Value, json};

use super::nodes::{self, Class, Takes};
use super::refusal::reason;

/// A workflow that would run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) batch: u32,
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
}

/// Why it would not: `error` and `node_errors` of the answer.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) error: Value,
    pub(super) node_errors: Value,
}

type Nodes = Map<String, Value>;

/// Reads the workflow as the server does: classes first, then outputs, then every input.
pub(super) fn check(nodes: &Nodes) -> Result<Plan, Invalid> {
    for (id, node) in nodes {
        class_of(node).ok_or_else(|| unknown_class(id, node))?;
    }
    let outputs: Vec<Output> = nodes.iter().filter_map(|(id, node)| output(id, node)).collect();
    if outputs.is_empty() {
        return Err(overall(reason("prompt_no_outputs", "Prompt has no outputs", "", json!({}))));
    }
    let node_errors: Map<String, Value> = nodes
        .iter()
        .filter_map(|(id, node)| node_error(nodes, node, &outputs).map(|error| (id.clone(), error)))
        .collect();
    if !node_errors.is_empty() {
        let message = "Prompt outputs failed validation";
        let error = reason("prompt_outputs_failed_validation", message, "", json!({}));
        return Err(Invalid { error, node_errors: Value::Object(node_errors) });
    }
    Ok(plan(nodes, outputs))
}

fn plan(nodes: &Nodes, outputs: Vec<Output>) -> Plan {
    let mut plan = Plan { width: 512, height: 512, batch: 1, prompt: String::new(), seed: 0, outputs };
    for node in nodes.values() {
        let inputs = &node["inputs"];
        let whole = |name: &str| inputs[name].as_u64().and_then(|number| u32::try_from(number).ok());
        match node["class_type"].as_str() {
            Some("EmptyLatentImage" | "EmptySD3LatentImage") => {
                plan.width = whole("width").unwrap_or(plan.width);
                plan.height = whole("height").unwrap_or(plan.height);
                plan.batch = whole("batch_size").unwrap_or(plan.batch);
            }
            Some("CLIPTextEncode") => plan.prompt.push_str(inputs["text"].as_str().unwrap_or_default()),
            Some("KSampler") => plan.seed = inputs["seed"].as_u64().unwrap_or(plan.seed),
            _ => {}
        }
    }
    plan
}

fn class_of(node: &Value) -> Option<&'static Class> {
    nodes::named(node["class_type"].as_str()?)
}

fn output(id: &str, node: &Value) -> Option<Output> {
    let folder = class_of(node)?.saves_to?;
    let prefix = node["inputs"]["filename_prefix"].as_str().unwrap_or("ComfyUI_temp").to_owned();
    Some(Output { node: id.to_owned(), prefix, folder })
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

fn node_error(nodes: &Nodes, node: &Value, outputs: &[Output]) -> Option<Value> {
    let class = class_of(node)?;
    let inputs = class.inputs.iter().map(|(name, takes)| (*name, *takes));
    let errors: Vec<Value> =
        inputs.filter_map(|(name, takes)| input_error(nodes, name, takes, &node["inputs"][name])).collect();
    if errors.is_empty() {
        return None;
    }
    let dependent: Vec<&str> = outputs.iter().map(|output| output.node.as_str()).collect();
    Some(json!({ "errors": errors, "dependent_outputs": dependent, "class_type": class.name }))
}

fn input_error(nodes: &Nodes, name: &str, takes: Takes, value: &Value) -> Option<Value> {
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
        Takes::Text | Takes::Number => None,
    }
}

/// The type at the other end of `[node id, slot]`.
fn given_by(nodes: &Nodes, link: &[Value]) -> Option<&'static str> {
    let [node, slot] = link else { return None };
    let class = class_of(nodes.get(node.as_str()?)?)?;
    let slot = usize::try_from(slot.as_u64()?).ok()?;
    class.outputs.get(slot).copied()
}
