//! A tool's input as a form: a JSON Schema whose titles, help and choices a page can show as they are. What it lets
//! through is what [`crate::ToolInput::parse`] reads.

use crate::{ImageSize, PriceRow};
use primitives::{Language, typed_pattern};
use serde::Serialize;
use serde_json::{Value, json};
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

/// English and Vietnamese of one text.
struct Words(&'static str, &'static str);

impl Words {
    fn in_language(&self, language: Language) -> &'static str {
        match language {
            Language::English => self.0,
            Language::Vietnamese => self.1,
        }
    }
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
    let is_image = rows.first().is_some_and(|row| row.tool == "image");
    let mut order = vec!["prompt", "model"];
    let mut fields = json!({ "prompt": prompt(rows, language), "model": model(rows, language) });
    if is_image {
        order.extend(["size", "seed"]);
        fields["size"] = size(language);
        fields["seed"] = seed(language);
    }
    json!({
        "type": "object",
        "properties": fields,
        "required": ["prompt"],
        "additionalProperties": false,
        "x-order": order,
    })
}

fn prompt(rows: &[&PriceRow], language: Language) -> Value {
    let title = Words("What you want", "Bạn muốn gì");
    let help = Words(
        "Say it in your own words. A longer text may cost more; the price is shown before you run it.",
        "Hãy viết bằng lời của bạn. Nội dung dài hơn có thể đắt hơn; giá được hiện trước khi chạy.",
    );
    json!({
        "type": "string",
        "title": title.in_language(language),
        "description": help.in_language(language),
        "minLength": 1,
        "maxLength": rows.iter().map(|row| row.prompt_chars_max).max().unwrap_or_default(),
        "pattern": typed_pattern(),
    })
}

fn model(rows: &[&PriceRow], language: Language) -> Value {
    let choices: Vec<Value> =
        rows.iter().map(|row| json!({ "const": row.option, "title": row.title })).collect();
    json!({
        "type": "string",
        "title": Words("Model", "Mô hình").in_language(language),
        "oneOf": choices,
        "default": rows.first().map(|row| &row.option),
    })
}

fn size(language: Language) -> Value {
    let choice = |size: ImageSize| {
        let name = match size {
            ImageSize::SquareHd => Words("Square, large", "Vuông, lớn"),
            ImageSize::Square => Words("Square", "Vuông"),
            ImageSize::Portrait43 => Words("Portrait 3:4", "Dọc 3:4"),
            ImageSize::Portrait169 => Words("Portrait 9:16", "Dọc 9:16"),
            ImageSize::Landscape43 => Words("Landscape 4:3", "Ngang 4:3"),
            ImageSize::Landscape169 => Words("Landscape 16:9", "Ngang 16:9"),
        };
        let (width, height) = size.pixels();
        let title = format!("{} ({width} × {height})", name.in_language(language));
        json!({ "const": size.as_str(), "title": title })
    };
    json!({
        "type": "string",
        "title": Words("Size", "Kích thước").in_language(language),
        "oneOf": ImageSize::ALL.map(choice),
        "default": ImageSize::DEFAULT.as_str(),
    })
}

fn seed(language: Language) -> Value {
    let help = Words(
        "The same number and text make the same picture again. Leave it empty for a new one each time.",
        "Cùng một số và nội dung sẽ tạo lại cùng một ảnh. Để trống để mỗi lần có ảnh mới.",
    );
    json!({
        "type": "integer",
        "title": Words("Seed", "Số ngẫu nhiên").in_language(language),
        "description": help.in_language(language),
        "minimum": 0,
        "maximum": u32::MAX,
    })
}
