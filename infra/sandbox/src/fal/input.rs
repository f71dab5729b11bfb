//! The models known here, and what they accept.

use serde_json::{Map, Value, json};

use crate::ids;
use crate::picture::SIDE_MAX;

/// One model of one application.
#[derive(Debug)]
pub(super) struct Model {
    /// `owner/app`: the part that status and result addresses keep.
    pub(super) app: &'static str,
    path: &'static str,
    steps_max: i64,
}

const MODELS: [Model; 2] = [
    Model { app: "fal-ai/flux", path: "dev", steps_max: 50 },
    Model { app: "fal-ai/flux", path: "schnell", steps_max: 12 },
];

/// What a text-to-image job will make.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) prompt: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) images: u64,
    pub(super) seed: u64,
    pub(super) inline: bool,
}

impl Model {
    pub(super) fn named(owner: &str, app: &str, path: &str) -> Option<&'static Model> {
        MODELS.iter().find(|model| {
            model.path == path && model.app.split_once('/').is_some_and(|name| name == (owner, app))
        })
    }

    pub(super) fn is_app(app: &str) -> bool {
        MODELS.iter().any(|model| model.app == app)
    }

    /// Reads the input; the error is the list under `detail`.
    pub(super) fn read(&self, input: &Value) -> Result<Wanted, Value> {
        let Some(fields) = input.as_object() else {
            let text = "Input should be a valid dictionary or object to extract fields from";
            return Err(Value::from(vec![detail(&[], text, "model_attributes_type", input, None)]));
        };
        let mut form = Form { fields, complaints: Vec::new() };
        let prompt = form.text("prompt").unwrap_or_default();
        let (width, height) = form.size();
        let images = form.integer("num_images", 1, 4).unwrap_or(1);
        form.integer("num_inference_steps", 1, self.steps_max);
        let seed =
            form.integer("seed", 0, i64::MAX).map_or_else(|| ids::hash(&prompt) >> 32, i64::cast_unsigned);
        form.number("guidance_scale");
        form.choice("output_format", &["jpeg", "png"]);
        form.choice("acceleration", &["none", "regular", "high"]);
        let inline = form.flag("sync_mode");
        form.flag("enable_safety_checker");
        if form.complaints.is_empty() {
            return Ok(Wanted { prompt, width, height, images: images.cast_unsigned(), seed, inline });
        }
        Err(Value::from(form.complaints))
    }
}

/// Reads fields and collects what is wrong with them, in pydantic's words.
struct Form<'a> {
    fields: &'a Map<String, Value>,
    complaints: Vec<Value>,
}

impl<'a> Form<'a> {
    fn text(&mut self, name: &str) -> Option<String> {
        match self.fields.get(name) {
            None => {
                let whole = Value::from(self.fields.clone());
                self.complaints.push(detail(&[name], "Field required", "missing", &whole, None));
                None
            }
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                self.complain(&[name], "Input should be a valid string", "string_type", other);
                None
            }
        }
    }

    fn integer(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.present(name)?;
        let Some(number) = value.as_i64() else {
            self.complain(&[name], "Input should be a valid integer", "int_type", value);
            return None;
        };
        self.within(&[name], number, min, max)
    }

    fn number(&mut self, name: &str) {
        if let Some(value) = self.present(name).filter(|value| !value.is_number()) {
            self.complain(&[name], "Input should be a valid number", "float_type", value);
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.present(name) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.complain(&[name], "Input should be a valid boolean", "bool_type", other);
                false
            }
        }
    }

    fn choice(&mut self, name: &str, choices: &[&str]) {
        let Some(value) = self.present(name) else { return };
        if !value.as_str().is_some_and(|value| choices.contains(&value)) {
            let expected =
                choices.iter().map(|choice| format!("'{choice}'")).collect::<Vec<_>>().join(" or ");
            let text = format!("Input should be {expected}");
            let context = json!({ "expected": expected });
            self.complaints.push(detail(&[name], &text, "literal_error", value, Some(context)));
        }
    }

    fn size(&mut self) -> (u32, u32) {
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

    fn complain(&mut self, place: &[&str], text: &str, kind: &str, input: &Value) {
        self.complaints.push(detail(place, text, kind, input, None));
    }

    /// The field, unless absent or null.
    fn present(&self, name: &str) -> Option<&'a Value> {
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
