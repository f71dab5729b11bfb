//! A tool's input as a form: a JSON Schema whose titles, help and choices a page can show as they are. What it lets
//! through is what [`crate::ToolInput::parse`] reads.

use crate::tools::MODEL;
use crate::{PriceRow, Tool};
use primitives::Language;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// The form of one tool.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ToolForm {
    pub tool: String,
    /// JSON Schema of `input` in `POST /v1/runs`, with `title`, `description`, `default`, bounds and choices (`oneOf` with
    /// `const` and `title`) in the language of `Accept-Language`. `x-order` is the order of the fields.
    #[schema(value_type = Object)]
    pub input: Value,
}

/// A form for each tool that is sold, in the order of the price list. `rows` are in order of display.
pub(crate) fn forms(rows: &[PriceRow], language: Language) -> Vec<ToolForm> {
    let mut forms: Vec<ToolForm> = Vec::new();
    for row in rows.iter().filter(|row| row.is_enabled) {
        if forms.iter().all(|form| form.tool != row.tool) {
            let of_tool: Vec<&PriceRow> =
                rows.iter().filter(|other| other.is_enabled && other.tool == row.tool).collect();
            forms.push(ToolForm { tool: row.tool.clone(), input: form(&of_tool, language) });
        }
    }
    forms
}

/// The form of a tool that is sold in these variants, the first of which is its default.
fn form(rows: &[&PriceRow], language: Language) -> Value {
    let Some(tool) = rows.first().and_then(|row| row.tool.parse::<Tool>().ok()) else { return json!({}) };
    let words_max = rows.iter().map(|row| row.prompt_chars_max).max().unwrap_or_default();
    let fields = tool.fields();
    let mut properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), field.form(words_max, language))).collect();
    properties.insert(MODEL.to_owned(), model(tool, rows, language));
    // What is wanted first, then by which variant.
    let mut order: Vec<&str> = fields.iter().map(|field| field.name).collect();
    order.insert(1.min(order.len()), MODEL);
    let required: Vec<&str> =
        fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "x-order": order,
    })
}

fn model(tool: Tool, rows: &[&PriceRow], language: Language) -> Value {
    let choices: Vec<Value> =
        rows.iter().map(|row| json!({ "const": row.option, "title": row.title })).collect();
    let title = match language {
        Language::English => "Model",
        Language::Vietnamese => "Mô hình",
    };
    let mut model = json!({ "type": "string", "title": title, "oneOf": choices });
    if !tool.picks_option() {
        model["default"] = json!(rows.first().map(|row| &row.option));
    }
    model
}
