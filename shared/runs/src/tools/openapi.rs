//! The tools as OpenAPI describes them: one shape for each, told apart by `tool`.

use super::{MODEL, MODEL_CHARS_MAX, Tool};
use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};

/// Every component that a request about some tool needs.
pub struct ToolRequests {
    /// Any of them.
    pub any: RefOr<Schema>,
    /// By name: for each tool its input and its request.
    pub components: Vec<(String, RefOr<Schema>)>,
}

impl ToolRequests {
    /// Requests named after their tool and `what` (`ScriptRun`), which have the members `beside` the tool and its input.
    ///
    /// # Panics
    /// When `beside` holds no schemas of OpenAPI 3.1.
    pub fn of(what: &str, beside: &Map<String, Value>) -> ToolRequests {
        let mut components = Vec::new();
        let (mut any, mut mapping) = (Vec::new(), Map::new());
        for tool in Tool::ALL {
            let (input, request) = (format!("{}Input", camel(*tool)), format!("{}{what}", camel(*tool)));
            let mut members = Map::from_iter([
                ("tool".to_owned(), json!({ "type": "string", "enum": [tool.as_str()] })),
                ("input".to_owned(), json!({ "$ref": reference(&input) })),
            ]);
            members.extend(beside.clone());
            let object = json!({
                "type": "object",
                "description": tool.about(),
                "required": ["tool", "input"],
                "properties": members,
                "additionalProperties": false,
            });
            any.push(json!({ "$ref": reference(&request) }));
            mapping.insert(tool.as_str().to_owned(), json!(reference(&request)));
            components.push((input, schema(input_of(*tool))));
            components.push((request, schema(object)));
        }
        let discriminator = json!({ "propertyName": "tool", "mapping": mapping });
        let description = "`tool` says which input belongs to it.";
        let any = schema(json!({ "oneOf": any, "discriminator": discriminator, "description": description }));
        ToolRequests { any, components }
    }
}

/// The input of a tool.
fn input_of(tool: Tool) -> Value {
    let fields = tool.fields();
    let mut properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), field.described())).collect();
    let model = json!({
        "type": ["string", "null"],
        "maxLength": MODEL_CHARS_MAX,
        "description": "One of those that `GET /v1/pricing` lists; absent, the tool's first.",
    });
    properties.insert(MODEL.to_owned(), model);
    let required: Vec<&str> =
        fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    let mut input = json!({
        "type": "object",
        "description": format!("The input of `{}`.", tool.as_str()),
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        input["required"] = json!(required);
    }
    input
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

fn schema(json: Value) -> RefOr<Schema> {
    serde_json::from_value(json).expect("a schema of OpenAPI 3.1")
}

/// `channel_research` → `ChannelResearch`
fn camel(tool: Tool) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    tool.as_str().split('_').map(capital).collect()
}
