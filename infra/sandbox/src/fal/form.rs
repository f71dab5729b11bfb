//! Reads the fields of an input and collects what is wrong with them, in pydantic's words.

use serde_json::{Map, Value, json};

use super::source::{Source, Sources};
use crate::picture::SIDE_MAX;

/// An input being read.
pub(super) struct Form<'a> {
    fields: &'a Map<String, Value>,
    sources: &'a Sources,
    complaints: Vec<Value>,
}

impl<'a> Form<'a> {
    /// The error is the list under `detail`.
    pub(super) fn of(input: &'a Value, sources: &'a Sources) -> Result<Form<'a>, Value> {
        let Some(fields) = input.as_object() else {
            let text = "Input should be a valid dictionary or object to extract fields from";
            return Err(Value::from(vec![detail(&[], text, "model_attributes_type", input, None)]));
        };
        Ok(Form { fields, sources, complaints: Vec::new() })
    }

    /// What was read, unless something is wrong; then the list under `detail`.
    pub(super) fn finish<T>(self, read: T) -> Result<T, Value> {
        if self.complaints.is_empty() { Ok(read) } else { Err(Value::from(self.complaints)) }
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.fields.get(name) {
            None => {
                self.missing(name);
                None
            }
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                self.complain(&[name], "Input should be a valid string", "string_type", other);
                None
            }
        }
    }

    /// A text that has to be there, of a limited length.
    pub(super) fn short_text(&mut self, name: &str, characters_max: usize) -> Option<String> {
        let text = self.text(name)?;
        self.limited(name, text, characters_max)
    }

    /// A text that may be absent, of a limited length.
    pub(super) fn optional_text(&mut self, name: &str, characters_max: usize) -> Option<String> {
        self.present(name)?;
        self.short_text(name, characters_max)
    }

    fn limited(&mut self, name: &str, text: String, characters_max: usize) -> Option<String> {
        if text.chars().count() <= characters_max {
            return Some(text);
        }
        let complaint = format!("String should have at most {characters_max} characters");
        let context = json!({ "max_length": characters_max });
        self.complaints.push(detail(
            &[name],
            &complaint,
            "string_too_long",
            &Value::from(text),
            Some(context),
        ));
        None
    }

    pub(super) fn integer(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.present(name)?;
        let Some(number) = value.as_i64() else {
            self.complain(&[name], "Input should be a valid integer", "int_type", value);
            return None;
        };
        self.within(&[name], number, min, max)
    }

    pub(super) fn number(&mut self, name: &str) -> Option<f64> {
        let value = self.present(name)?;
        if !value.is_number() {
            self.complain(&[name], "Input should be a valid number", "float_type", value);
        }
        value.as_f64()
    }

    pub(super) fn number_within(&mut self, name: &str, min: f64, max: f64) {
        let Some(number) = self.number(name) else { return };
        let (text, kind, context) = if number < min {
            (
                format!("Input should be greater than or equal to {min}"),
                "greater_than_equal",
                json!({ "ge": min }),
            )
        } else if number > max {
            (format!("Input should be less than or equal to {max}"), "less_than_equal", json!({ "le": max }))
        } else {
            return;
        };
        self.complaints.push(detail(&[name], &text, kind, &Value::from(number), Some(context)));
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.present(name) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.complain(&[name], "Input should be a valid boolean", "bool_type", other);
                false
            }
        }
    }

    /// One of a few texts; `None` when it is absent or another.
    pub(super) fn choice(&mut self, name: &str, choices: &[&'static str]) -> Option<&'static str> {
        let value = self.present(name)?;
        let chosen = choices.iter().copied().find(|choice| value == choice);
        if chosen.is_none() {
            let expected = listed(choices);
            let context = json!({ "expected": expected });
            let text = format!("Input should be {expected}");
            self.complaints.push(detail(&[name], &text, "literal_error", value, Some(context)));
        }
        chosen
    }

    /// A picture by its address, which has been looked at already.
    pub(super) fn picture(&mut self, name: &str) -> Option<Source> {
        let value = self.present(name)?;
        if !value.is_string() {
            self.complain(&[name], "Input should be a valid string", "string_type", value);
            return None;
        }
        match self.sources.iter().find(|(of, _)| of == name).map(|(_, source)| source)? {
            Ok(source) => Some(*source),
            Err(why) => {
                self.complaints.push(detail(&[name], why.text(), why.kind(), value, why.context()));
                None
            }
        }
    }

    /// A picture that has to be there.
    pub(super) fn needed_picture(&mut self, name: &str) -> Option<Source> {
        if self.present(name).is_none() {
            self.missing(name);
        }
        self.picture(name)
    }

    /// A picture was read and has too few pixels for the model.
    pub(super) fn too_small(&mut self, name: &str, side_min: u32) {
        let text = format!("Image is too small. Both sides must have at least {side_min} pixels.");
        let context = json!({ "min_width": side_min, "min_height": side_min });
        let value = self.fields.get(name).unwrap_or(&Value::Null);
        self.complaints.push(detail(&[name], &text, "image_too_small", value, Some(context)));
    }

    pub(super) fn size(&mut self) -> (u32, u32) {
        match self.present("image_size") {
            None => (1024, 768),
            Some(Value::String(name)) => named_size(name).unwrap_or_else(|| {
                let text = "Input should be 'square_hd', 'square', 'portrait_4_3', 'portrait_16_9', \
                            'landscape_4_3' or 'landscape_16_9'";
                self.complain(&["image_size"], text, "enum", &Value::from(name.as_str()));
                (1, 1)
            }),
            Some(Value::Object(size)) => (self.side(size, "width"), self.side(size, "height")),
            Some(other) => {
                let text = "Input should be a valid dictionary or object to extract fields from";
                self.complain(&["image_size"], text, "model_attributes_type", other);
                (1, 1)
            }
        }
    }

    fn side(&mut self, size: &Map<String, Value>, name: &str) -> u32 {
        let place = ["image_size", name];
        let Some(value) = size.get(name) else { return 512 };
        let Some(side) = value.as_i64() else {
            self.complain(&place, "Input should be a valid integer", "int_type", value);
            return 1;
        };
        let side = self.within(&place, side, 1, i64::from(SIDE_MAX));
        side.and_then(|side| u32::try_from(side).ok()).unwrap_or(1)
    }

    fn within(&mut self, place: &[&str], number: i64, min: i64, max: i64) -> Option<i64> {
        let (text, kind, context) = if number < min {
            let text = format!("Input should be greater than or equal to {min}");
            (text, "greater_than_equal", json!({ "ge": min }))
        } else if number > max {
            let text = format!("Input should be less than or equal to {max}");
            (text, "less_than_equal", json!({ "le": max }))
        } else {
            return Some(number);
        };
        self.complaints.push(detail(place, &text, kind, &Value::from(number), Some(context)));
        None
    }

    fn missing(&mut self, name: &str) {
        let whole = Value::from(self.fields.clone());
        self.complaints.push(detail(&[name], "Field required", "missing", &whole, None));
    }

    pub(super) fn complain(&mut self, place: &[&str], text: &str, kind: &str, input: &Value) {
        self.complaints.push(detail(place, text, kind, input, None));
    }

    /// The input as it came, which complaints about the whole of it echo.
    pub(super) fn whole(&self) -> Value {
        Value::from(self.fields.clone())
    }

    /// The field, unless absent or null.
    pub(super) fn present(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }
}

/// One entry of a model error's `detail`, with the offending input echoed.
pub(super) fn detail(place: &[&str], text: &str, kind: &str, input: &Value, context: Option<Value>) -> Value {
    let loc: Vec<&str> = std::iter::once("body").chain(place.iter().copied()).collect();
    let url = format!("https://docs.fal.ai/errors#{kind}");
    let mut detail = json!({ "loc": loc, "msg": text, "type": kind, "url": url, "input": input });
    if let Some(context) = context {
        detail["ctx"] = context;
    }
    detail
}

/// `'a', 'b' or 'c'`
fn listed(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("'{choice}'")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

fn named_size(name: &str) -> Option<(u32, u32)> {
    match name {
        "square_hd" => Some((1024, 1024)),
        "square" => Some((512, 512)),
        "portrait_4_3" => Some((768, 1024)),
        "portrait_16_9" => Some((576, 1024)),
        "landscape_4_3" => Some((1024, 768)),
        "landscape_16_9" => Some((1024, 576)),
        _ => None,
    }
}
