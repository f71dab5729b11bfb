use primitives::{Fingerprint, Private, RunId, is_blank};
use problems::Wording;
use providers::{ImageRequest, Measure, Request, TextRequest};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::str::FromStr;

/// Names every tool once, so that none is missing in [`Tool::ALL`].
macro_rules! tools {
    ($($tool:ident: $name:literal, $about:literal;)*) => {
        /// What can be run.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Tool {
            $(#[doc = $about] $tool,)*
        }

        impl Tool {
            pub const ALL: &[Tool] = &[$(Tool::$tool,)*];

            /// The stable word for profile, table and API.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Tool::$tool => $name,)*
                }
            }
        }
    };
}
tools! {
    Script: "script", "A text.";
    Image: "image", "A picture.";
}

/// The text names no tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tools are {}", names())]
pub struct UnknownTool;

fn names() -> String {
    Tool::ALL.iter().map(|tool| tool.as_str()).collect::<Vec<_>>().join(", ")
}

/// What a person wants from a tool, checked. Prompts never show in logs or errors.
#[derive(Debug, Clone)]
pub enum ToolInput {
    Script { prompt: Private<String>, option: Option<String> },
    Image { prompt: Private<String>, option: Option<String>, size: ImageSize, seed: Option<u32> },
}

/// The shapes fal and ComfyUI both make; names as in fal's `image_size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageSize {
    SquareHd,
    Square,
    Portrait43,
    Portrait169,
    Landscape43,
    Landscape169,
}

/// One thing wrong with an input: where (a JSON pointer) and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    pub pointer: String,
    pub why: Wording,
}

impl FieldError {
    pub fn new(pointer: &str, why: Wording) -> FieldError {
        FieldError { pointer: pointer.to_owned(), why }
    }
}

impl ImageSize {
    /// fal's own, when a request names none.
    pub const DEFAULT: ImageSize = ImageSize::Landscape43;

    pub const ALL: [ImageSize; 6] = [
        ImageSize::SquareHd,
        ImageSize::Square,
        ImageSize::Portrait43,
        ImageSize::Portrait169,
        ImageSize::Landscape43,
        ImageSize::Landscape169,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ImageSize::SquareHd => "square_hd",
            ImageSize::Square => "square",
            ImageSize::Portrait43 => "portrait_4_3",
            ImageSize::Portrait169 => "portrait_16_9",
            ImageSize::Landscape43 => "landscape_4_3",
            ImageSize::Landscape169 => "landscape_16_9",
        }
    }

    /// Width and height in pixels.
    pub fn pixels(self) -> (u32, u32) {
        match self {
            ImageSize::SquareHd => (1024, 1024),
            ImageSize::Square => (512, 512),
            ImageSize::Portrait43 => (768, 1024),
            ImageSize::Portrait169 => (576, 1024),
            ImageSize::Landscape43 => (1024, 768),
            ImageSize::Landscape169 => (1024, 576),
        }
    }

    /// What fal bills for it: megapixels, begun ones counting whole (`docs/facts/prices.md`).
    pub fn units(self) -> u64 {
        let (width, height) = self.pixels();
        (u64::from(width) * u64::from(height)).div_ceil(1_000_000)
    }
}

impl Tool {
    /// The kind of work it is, and as little of it as there can be.
    pub(crate) fn least_work(self) -> Measure {
        match self {
            Tool::Script => Measure::Text { prompt_bytes: 1, output_tokens_max: 1 },
            Tool::Image => Measure::Image { width: 1, height: 1, count: 1 },
        }
    }
}

impl FromStr for Tool {
    type Err = UnknownTool;

    fn from_str(text: &str) -> Result<Tool, UnknownTool> {
        Tool::ALL.iter().copied().find(|tool| tool.as_str() == text).ok_or(UnknownTool)
    }
}

impl<'de> Deserialize<'de> for Tool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tool, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|unknown| de::Error::custom(format!("there is no tool `{name}`: {unknown}")))
    }
}

impl ToolInput {
    /// Reads the input of a tool. `Ok(None)`: there is no such tool. All complaints come at once and echo nothing.
    pub fn parse(tool: &str, input: &Value) -> Result<Option<ToolInput>, Vec<FieldError>> {
        let Ok(tool) = tool.parse::<Tool>() else { return Ok(None) };
        let known = match tool {
            Tool::Script => ["prompt", "model"].as_slice(),
            Tool::Image => ["prompt", "model", "size", "seed"].as_slice(),
        };
        let Value::Object(fields) = input else {
            let why = Wording::new("send an object with a `prompt`", "hãy gửi một đối tượng có `prompt`");
            return Err(vec![FieldError::new("/input", why)]);
        };
        let mut reader = Reader { fields, complaints: Vec::new() };
        reader.refuse_unknown(known);
        let prompt = reader.prompt();
        let option = reader.option();
        let parsed = match tool {
            Tool::Script => prompt.map(|prompt| ToolInput::Script { prompt, option }),
            Tool::Image => {
                let (size, seed) = (reader.size(), reader.seed());
                prompt.map(|prompt| ToolInput::Image { prompt, option, size, seed })
            }
        };
        match parsed {
            Some(parsed) if reader.complaints.is_empty() => Ok(Some(parsed)),
            _ => Err(reader.complaints),
        }
    }

    pub fn tool(&self) -> &'static str {
        let tool = match self {
            ToolInput::Script { .. } => Tool::Script,
            ToolInput::Image { .. } => Tool::Image,
        };
        tool.as_str()
    }

    /// The variant that was asked for; `None` means the tool's first.
    pub fn option(&self) -> Option<&str> {
        match self {
            ToolInput::Script { option, .. } | ToolInput::Image { option, .. } => option.as_deref(),
        }
    }

    /// Its provider works apart from us, so that any process can finish the run; a text is written while we listen.
    pub(crate) fn is_made_apart(&self) -> bool {
        match self {
            ToolInput::Script { .. } => false,
            ToolInput::Image { .. } => true,
        }
    }

    /// As [`ToolInput::parse`] reads it. It holds the person's words: it is stored sealed and nowhere else.
    pub(crate) fn to_value(&self) -> Value {
        let prompt = self.prompt().expose();
        match self {
            ToolInput::Script { option, .. } => serde_json::json!({ "prompt": prompt, "model": option }),
            ToolInput::Image { option, size, seed, .. } => {
                serde_json::json!({ "prompt": prompt, "model": option, "size": size.as_str(), "seed": seed })
            }
        }
    }

    /// Characters of the prompt: all that is kept of it.
    pub fn chars(&self) -> usize {
        self.prompt().expose().chars().count()
    }

    /// What its cost depends on.
    pub(crate) fn measure(&self, output_tokens_max: u32) -> Measure {
        match self {
            ToolInput::Script { .. } => {
                Measure::Text { prompt_bytes: self.prompt_bytes(), output_tokens_max }
            }
            ToolInput::Image { size, .. } => {
                let (width, height) = size.pixels();
                Measure::Image { width, height, count: 1 }
            }
        }
    }

    /// Bytes of the prompt in UTF-8: no tokenizer makes more tokens of it.
    pub fn prompt_bytes(&self) -> u64 {
        self.prompt().expose().len() as u64
    }

    fn prompt(&self) -> &Private<String> {
        match self {
            ToolInput::Script { prompt, .. } | ToolInput::Image { prompt, .. } => prompt,
        }
    }

    /// Same words give the same fingerprint, whatever the tool's default variant is by then.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint_as(self.option().unwrap_or_default())
    }

    /// The fingerprint of this input to a certain variant: what a quote binds.
    pub fn fingerprint_as(&self, option: &str) -> Fingerprint {
        let prompt = self.prompt().expose().as_bytes();
        let (size, seed) = match self {
            ToolInput::Script { .. } => ("", String::new()),
            ToolInput::Image { size, seed, .. } => {
                (size.as_str(), seed.map(|seed| seed.to_string()).unwrap_or_default())
            }
        };
        let (tool, option) = (self.tool().as_bytes(), option.as_bytes());
        Fingerprint::of(&[tool, option, prompt, size.as_bytes(), seed.as_bytes()])
    }

    /// What the provider gets: only what the work needs.
    pub(crate) fn request(&self, run: RunId, output_tokens_max: u32) -> Request {
        match self {
            ToolInput::Script { prompt, .. } => {
                Request::Text(TextRequest { prompt: prompt.clone(), output_tokens_max })
            }
            ToolInput::Image { prompt, size, seed, .. } => {
                let (width, height) = size.pixels();
                let seed = seed.unwrap_or_else(|| seed_of(run));
                Request::Image(ImageRequest { prompt: prompt.clone(), width, height, seed, count: 1, source: None })
            }
        }
    }
}

/// Without a wish, every run gets a picture of its own, and a repeat of the run the same one.
fn seed_of(run: RunId) -> u32 {
    run.to_string().bytes().fold(17, |seed: u32, byte| seed.wrapping_mul(31).wrapping_add(u32::from(byte)))
}

struct Reader<'a> {
    fields: &'a Map<String, Value>,
    complaints: Vec<FieldError>,
}

impl Reader<'_> {
    fn complain(
        &mut self,
        pointer: &str,
        english: impl Into<Cow<'static, str>>,
        vietnamese: impl Into<Cow<'static, str>>,
    ) {
        self.complaints.push(FieldError::new(pointer, Wording::new(english, vietnamese)));
    }

    fn refuse_unknown(&mut self, known: &[&str]) {
        if self.fields.keys().any(|name| !known.contains(&name.as_str())) {
            let names = known.join(", ");
            self.complain(
                "/input",
                format!("only these fields are known: {names}"),
                format!("chỉ nhận các trường: {names}"),
            );
        }
    }

    fn prompt(&mut self) -> Option<Private<String>> {
        match self.fields.get("prompt") {
            Some(Value::String(text)) if text.contains('\0') => {
                self.complain("/input/prompt", "remove the NUL character", "hãy bỏ ký tự NUL");
                None
            }
            Some(Value::String(text)) if !is_blank(text) => Some(Private::new(text.clone())),
            _ => {
                self.complain("/input/prompt", "write what you want, as text", "hãy viết điều bạn muốn");
                None
            }
        }
    }

    fn option(&mut self) -> Option<String> {
        match self.fields.get("model") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.chars().count() <= 40 => Some(text.clone()),
            Some(_) => {
                let vietnamese = "hãy chọn một mô hình có trong GET /v1/pricing";
                self.complain(
                    "/input/model",
                    "name one of the models that GET /v1/pricing lists",
                    vietnamese,
                );
                None
            }
        }
    }

    fn size(&mut self) -> ImageSize {
        let wish = match self.fields.get("size") {
            None | Some(Value::Null) => return ImageSize::DEFAULT,
            Some(wish) => wish.as_str(),
        };
        let size = ImageSize::ALL.into_iter().find(|size| Some(size.as_str()) == wish);
        size.unwrap_or_else(|| {
            let names = ImageSize::ALL.map(ImageSize::as_str).join(", ");
            let vietnamese = format!("hãy chọn một trong: {names}");
            self.complain("/input/size", format!("choose one of {names}"), vietnamese);
            ImageSize::DEFAULT
        })
    }

    fn seed(&mut self) -> Option<u32> {
        let wish = self.fields.get("seed").filter(|wish| !wish.is_null())?;
        let seed = wish.as_u64().and_then(|seed| u32::try_from(seed).ok());
        if seed.is_none() {
            self.complain(
                "/input/seed",
                "send a whole number from 0 to 4294967295, or leave it out",
                "hãy gửi số nguyên từ 0 đến 4294967295, hoặc bỏ trống",
            );
        }
        seed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_input_of_every_tool_becomes_that_tool_s() {
        for tool in Tool::ALL {
            let parsed = ToolInput::parse(tool.as_str(), &json!({ "prompt": "a kite" })).unwrap().unwrap();
            assert_eq!(parsed.tool(), tool.as_str());
        }
    }

    #[test]
    fn a_name_that_is_no_tool_s_is_no_tool() {
        for name in ["", "Script", "scripts", "video", "image "] {
            assert!(matches!(ToolInput::parse(name, &json!({ "prompt": "a kite" })), Ok(None)), "{name}");
            assert_eq!(name.parse::<Tool>(), Err(UnknownTool));
        }
        assert_eq!(UnknownTool.to_string(), "the tools are script, image");
    }
}
