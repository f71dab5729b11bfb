//! What can be run. Each tool is one file here: what it takes, what that costs, what its providers are asked for. A new tool
//! is such a file and its line in [`tools!`] below.

mod analytics;
mod channels;
mod field;
mod image;
mod market;
mod material;
mod openapi;
pub(crate) mod research;
mod script;
mod transcript;
mod values;
mod video;
mod voice;

pub(crate) use field::Field;
pub(crate) use material::{Material, Materials, Source, Sources};
pub(crate) use values::Values;

use crate::pricing::Case;
use crate::{FieldError, PriceRow};
use media::FileFamily;
use primitives::{Fingerprint, Private, RunId, UploadId, times};
use problems::Wording;
use providers::{Hearable, Measure, Request};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

pub use image::ImageSize;
pub use openapi::ToolRequests;

/// What one tool says of itself.
pub(crate) trait Wish: Clone + Debug + Sized {
    /// How long it takes, and who waits for it.
    const PACE: Pace;
    /// What a file must be that its providers make.
    const FAMILY: FileFamily;

    /// What it takes beside `model`, in order of display.
    fn fields() -> Vec<Field>;

    /// What is wanted, of values that fit the fields. An error: they don't fit each other.
    fn of(values: &Values) -> Result<Self, FieldError>;

    /// As little of its work as there can be, of each kind that its providers may do.
    fn least_work() -> Vec<Measure>;

    /// Every price of a row, in order of display: the inputs that have it, how many units they are, and the dearest of them.
    fn cases(row: &PriceRow) -> Cases;

    /// Units of the row that this input is.
    fn units(&self, row: &PriceRow, materials: &Materials) -> u64;

    /// What the cost of its work depends on.
    fn measure(&self, output_tokens_max: u32, materials: &Materials) -> Measure;

    /// What the provider gets: only what the work needs. `None`: a file that it needs is not among the sources.
    fn request(&self, run: RunId, output_tokens_max: u32, sources: &Sources) -> Option<Request>;

    /// What speaks against this input to this variant.
    fn check(&self, _: &PriceRow, _: &Materials, _: &Limits) -> Vec<FieldError> {
        Vec::new()
    }

    /// The variant that this input needs, when none is named.
    fn own_option(&self) -> Option<&'static str> {
        None
    }

    /// Its inputs tell the variant themselves, so that a form has none by default.
    const PICKS_OPTION: bool = false;

    /// What a text provider is then asked about the rows that were gathered.
    fn question(&self, _: &[Map<String, Value>]) -> Option<Private<String>> {
        None
    }
}

/// What this deployment's providers can't take, whatever a price row says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) hearable: Hearable,
}

/// Prices of a row, before they are priced: the inputs, their units, and the dearest of them.
pub(crate) type Cases = Vec<(Case, u64, Measure)>;

/// How long a tool's work takes, and who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A text is written while its customer listens.
    Written,
    /// The provider works apart from us, for about as long as a person waits.
    Waited,
    /// It takes minutes: the caller gets 202, and the poll, the webhook, the sweep or a listener goes on with it.
    Long {
        /// From the hold on, for all providers together.
        budget: Duration,
        /// How long the credit is held.
        hold: Duration,
    },
}

impl Pace {
    const VIDEO: Pace = Pace::Long { budget: times::VIDEO_RUN.limit, hold: times::VIDEO_HOLD.limit };
    const RESEARCH: Pace = Pace::Long { budget: times::RESEARCH_RUN.limit, hold: times::RESEARCH_HOLD.limit };
}

/// Names every tool once, so that none is missing anywhere.
macro_rules! tools {
    ($($tool:ident: $module:ident, $name:literal, $about:literal;)*) => {
        /// What can be run.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Tool {
            $(#[doc = $about] $tool,)*
        }

        /// What is wanted from one tool.
        #[derive(Debug, Clone)]
        enum AnyWish {
            $($tool($module::Wanted),)*
        }

        impl Tool {
            pub const ALL: &[Tool] = &[$(Tool::$tool,)*];

            /// The stable word for profile, table and API.
            pub fn as_str(self) -> &'static str {
                match self { $(Tool::$tool => $name,)* }
            }

            /// What it makes, in a few words.
            pub fn about(self) -> &'static str {
                match self { $(Tool::$tool => $about,)* }
            }

            pub(crate) fn fields(self) -> Vec<Field> {
                match self { $(Tool::$tool => $module::Wanted::fields(),)* }
            }

            pub(crate) fn pace(self) -> Pace {
                match self { $(Tool::$tool => $module::Wanted::PACE,)* }
            }

            pub(crate) fn family(self) -> FileFamily {
                match self { $(Tool::$tool => $module::Wanted::FAMILY,)* }
            }

            /// As little of its work as there can be, of each kind that its providers may do.
            pub(crate) fn least_work(self) -> Vec<Measure> {
                match self { $(Tool::$tool => $module::Wanted::least_work(),)* }
            }

            pub(crate) fn picks_option(self) -> bool {
                match self { $(Tool::$tool => $module::Wanted::PICKS_OPTION,)* }
            }

            pub(crate) fn cases(self, row: &PriceRow) -> Cases {
                match self { $(Tool::$tool => $module::Wanted::cases(row),)* }
            }

            fn wish(self, values: &Values) -> Result<AnyWish, FieldError> {
                Ok(match self { $(Tool::$tool => AnyWish::$tool($module::Wanted::of(values)?),)* })
            }
        }

        /// Hands the call on to the tool that is wanted.
        macro_rules! wish {
            ($input:expr, $wish:ident => $call:expr) => {
                match &$input.wish { $(AnyWish::$tool($wish) => $call,)* }
            };
        }
    };
}
tools! {
    Script: script, "script", "A text.";
    Image: image, "image", "Pictures.";
    Video: video, "video", "A video.";
    Voice: voice, "voice", "A spoken text.";
    Transcript: transcript, "transcript", "What is said in a video or a recording.";
    Analytics: analytics, "analytics", "How videos fare, and why.";
    Channels: channels, "channel_research", "What channels publish, and how it is taken.";
    Market: market, "market_research", "What is offered and asked for.";
}

/// The text names no tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tools are {}", names())]
pub struct UnknownTool;

fn names() -> String {
    Tool::ALL.iter().map(|tool| tool.as_str()).collect::<Vec<_>>().join(", ")
}

/// What a person wants from a tool, checked. Their words never show in logs or errors.
#[derive(Debug, Clone)]
pub struct ToolInput {
    tool: Tool,
    /// The variant that was asked for; `None` means the one that the input needs, or the tool's first.
    option: Option<String>,
    values: Values,
    wish: AnyWish,
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

impl Tool {
    /// How long the credit of a run is held. `usual`: as the profile says.
    pub(crate) fn hold_lifetime(self, usual: Duration) -> Duration {
        match self.pace() {
            Pace::Written | Pace::Waited => usual,
            Pace::Long { hold, .. } => hold,
        }
    }
}

/// How long the credit of a run of `name` (`script/chat`) is held.
pub(crate) fn hold_lifetime(name: &str, usual: Duration) -> Duration {
    let tool = name.split('/').next().unwrap_or_default().parse::<Tool>();
    tool.map_or(usual, |tool| tool.hold_lifetime(usual))
}

/// Whether the caller of a run of `name` (`script/chat`) gets 202 and looks again later.
pub(crate) fn is_long(name: &str) -> bool {
    let tool = name.split('/').next().unwrap_or_default().parse::<Tool>();
    tool.is_ok_and(|tool| matches!(tool.pace(), Pace::Long { .. }))
}

/// Whether a text is written about what a run of `name` gathers.
pub(crate) fn is_summed_up(name: &str) -> bool {
    let tool = name.split('/').next().unwrap_or_default().parse::<Tool>();
    tool.is_ok_and(|tool| tool.family() == FileFamily::Table)
}

/// The field that names a variant; every tool has it.
pub(crate) const MODEL: &str = "model";
/// The longest name of a variant.
pub(crate) const MODEL_CHARS_MAX: usize = 40;

fn option(sent: &Map<String, Value>, complaints: &mut Vec<FieldError>) -> Option<String> {
    match sent.get(MODEL) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.chars().count() <= MODEL_CHARS_MAX => Some(text.clone()),
        Some(_) => {
            let why = Wording::new(
                "name one of the models that GET /v1/pricing lists",
                "hãy chọn một mô hình có trong GET /v1/pricing",
            );
            complaints.push(FieldError::new("/input/model", why));
            None
        }
    }
}

impl ToolInput {
    /// Reads the input of a tool. `Ok(None)`: there is no such tool. All complaints come at once and echo nothing.
    pub fn parse(tool: &str, input: &Value) -> Result<Option<ToolInput>, Vec<FieldError>> {
        let Ok(tool) = tool.parse::<Tool>() else { return Ok(None) };
        let Value::Object(sent) = input else {
            let why = Wording::new("send an object", "hãy gửi một đối tượng");
            return Err(vec![FieldError::new("/input", why)]);
        };
        let mut complaints = Vec::new();
        let values = values::read(&tool.fields(), sent, &[MODEL], &mut complaints);
        let option = option(sent, &mut complaints);
        if !complaints.is_empty() {
            return Err(complaints);
        }
        let wish = tool.wish(&values).map_err(|complaint| vec![complaint])?;
        Ok(Some(ToolInput { tool, option, values, wish }))
    }

    pub fn tool(&self) -> Tool {
        self.tool
    }

    /// The variant that was asked for, or that the input needs; `None` means the tool's first.
    pub fn option(&self) -> Option<&str> {
        self.option.as_deref().or_else(|| wish!(self, wish => wish.own_option()))
    }

    pub(crate) fn pace(&self) -> Pace {
        self.tool.pace()
    }

    /// As [`ToolInput::parse`] reads it. It holds the person's words: it is stored sealed and nowhere else.
    pub(crate) fn to_value(&self) -> Value {
        let mut value = self.values.to_value();
        if let Some(option) = &self.option {
            value.insert(MODEL.to_owned(), json!(option));
        }
        Value::Object(value)
    }

    /// What the person wrote, if anything, and in which field.
    pub(crate) fn words(&self) -> Option<(&'static str, &str)> {
        self.values.words()
    }

    /// Characters that the person wrote: all that is kept of them.
    pub fn chars(&self) -> usize {
        self.words().map_or(0, |(_, words)| words.chars().count())
    }

    /// Every upload that is named: in which field, and what it must be.
    pub(crate) fn uploads(&self) -> Vec<(&'static str, UploadId, FileFamily)> {
        self.values.uploads()
    }

    /// Whether the caller stated that the person heard in the recording agrees.
    pub(crate) fn consents(&self) -> bool {
        self.values.is_stated("consent") && self.values.upload("recording").is_some()
    }

    pub(crate) fn measure(&self, output_tokens_max: u32, materials: &Materials) -> Measure {
        wish!(self, wish => wish.measure(output_tokens_max, materials))
    }

    pub(crate) fn units(&self, row: &PriceRow, materials: &Materials) -> u64 {
        wish!(self, wish => wish.units(row, materials))
    }

    pub(crate) fn check(&self, row: &PriceRow, materials: &Materials, limits: &Limits) -> Vec<FieldError> {
        wish!(self, wish => wish.check(row, materials, limits))
    }

    /// `None`: a file that it needs is not among the sources.
    pub(crate) fn request(&self, run: RunId, output_tokens_max: u32, sources: &Sources) -> Option<Request> {
        wish!(self, wish => wish.request(run, output_tokens_max, sources))
    }

    /// What a text provider is asked about the rows that were gathered; `None`: nothing.
    pub(crate) fn question(&self, rows: &[Map<String, Value>]) -> Option<Private<String>> {
        wish!(self, wish => wish.question(rows))
    }

    /// Same words give the same fingerprint, whatever the tool's default variant is by then.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint_as(self.option().unwrap_or_default())
    }

    /// The fingerprint of this input to a certain variant: what a quote binds.
    pub fn fingerprint_as(&self, option: &str) -> Fingerprint {
        let (tool, option) = (self.tool.as_str().as_bytes(), option.as_bytes());
        // What has its default is left out, so that a field that is new one day changes no input that does not use it. Its
        // names are in their order.
        let mut values = self.values.without_defaults(&self.tool.fields());
        if let Some(parts) = first_fields(self.tool, &self.values, &values) {
            let [prompt, size, seed] = &parts;
            return Fingerprint::of(&[tool, option, prompt.as_bytes(), size.as_bytes(), seed.as_bytes()]);
        }
        values.sort_keys();
        Fingerprint::of(&[tool, option, Value::Object(values).to_string().as_bytes()])
    }
}

/// Prompt, size and seed of a script or a picture that uses no other field: these had their fingerprint before there were
/// others, and keep it. `used`: what does not have its default.
fn first_fields(tool: Tool, values: &Values, used: &Map<String, Value>) -> Option<[String; 3]> {
    let is_first = |name: &String| matches!(name.as_str(), "prompt" | "size" | "seed");
    if !matches!(tool, Tool::Script | Tool::Image) || !used.keys().all(is_first) {
        return None;
    }
    let seed = values.whole("seed").map(|seed| seed.to_string()).unwrap_or_default();
    Some([values.text("prompt")?.expose().clone(), values.word("size").unwrap_or_default().to_owned(), seed])
}

/// Without a wish, every run gets a picture of its own, and a repeat of the run the same one.
fn seed_of(run: RunId) -> u32 {
    run.to_string().bytes().fold(17, |seed: u32, byte| seed.wrapping_mul(31).wrapping_add(u32::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An input that each tool takes.
    pub(crate) fn fitting(tool: Tool) -> Value {
        match tool {
            Tool::Script | Tool::Image | Tool::Video => json!({ "prompt": "a kite" }),
            Tool::Voice => json!({ "text": "a kite", "language": "vi" }),
            Tool::Transcript => json!({ "url": "https://youtu.be/dQw4w9WgXcQ" }),
            Tool::Analytics => json!({ "urls": ["https://www.youtube.com/@kites"] }),
            Tool::Channels => json!({ "channels": ["@kites"] }),
            Tool::Market => json!({ "queries": ["kites"] }),
        }
    }

    #[test]
    fn the_input_of_every_tool_becomes_that_tool_s_and_is_read_again_as_the_same() {
        for tool in Tool::ALL {
            let parsed = ToolInput::parse(tool.as_str(), &fitting(*tool)).unwrap().unwrap();
            assert_eq!(parsed.tool(), *tool);
            let again = ToolInput::parse(tool.as_str(), &parsed.to_value()).unwrap().unwrap();
            assert_eq!(again.fingerprint(), parsed.fingerprint(), "{tool:?}");
        }
    }

    #[test]
    fn a_name_that_is_no_tool_s_is_no_tool() {
        for name in ["", "Script", "scripts", "image "] {
            assert!(matches!(ToolInput::parse(name, &json!({ "prompt": "a kite" })), Ok(None)), "{name}");
            assert_eq!(name.parse::<Tool>(), Err(UnknownTool));
        }
        assert!(UnknownTool.to_string().starts_with("the tools are script, image"));
    }

    #[test]
    fn every_tool_refuses_what_it_does_not_know_and_says_what_it_knows() {
        for tool in Tool::ALL {
            let mut input = fitting(*tool);
            input["canary"] = json!(1);
            let complaints = ToolInput::parse(tool.as_str(), &input).unwrap_err();
            assert_eq!(complaints[0].pointer, "/input", "{tool:?}");
            assert!(!complaints[0].why.english.contains("canary"));
        }
    }
}
