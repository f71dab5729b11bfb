use crate::SourceFile;
use primitives::{AccountId, CostCents, Private, RunId};
use serde_json::Number;
use std::time::Duration;

/// A text to be written.
#[derive(Debug, Clone)]
pub struct TextRequest {
    pub prompt: Private<String>,
    /// Reasoning counts among them.
    pub output_tokens_max: u32,
}

/// Images to be made.
#[derive(Debug, Clone)]
pub struct ImageRequest {
    pub prompt: Private<String>,
    pub width: u32,
    pub height: u32,
    /// Of the first one; each further one has the next number.
    pub seed: u32,
    /// How many; 1 or more.
    pub count: u32,
    /// A picture that they are made from.
    pub source: Option<Painted>,
}

/// A picture that others are made from.
#[derive(Debug, Clone)]
pub struct Painted {
    pub picture: SourceFile,
    /// How far from it, in hundredths: 1 hardly changes it, 100 forgets it.
    pub change: u8,
}

impl Painted {
    /// `change` as providers write it: a decimal from 0.01 to 1, e.g. `0.85`.
    pub(crate) fn strength(&self) -> Number {
        let change = self.change.clamp(1, 100);
        let text = format!("{}.{:02}", change / 100, change % 100);
        text.parse().unwrap_or_else(|_| Number::from(1))
    }
}

/// A video to be made.
#[derive(Debug, Clone)]
pub struct VideoRequest {
    pub prompt: Private<String>,
    pub shape: VideoShape,
    pub seconds: u32,
    pub seed: u32,
    /// The picture that it begins with.
    pub first_picture: Option<SourceFile>,
}

/// Width to height of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoShape {
    Landscape,
    Portrait,
    Square,
}

/// A text to be spoken.
#[derive(Debug, Clone)]
pub struct SpeechRequest {
    pub text: Private<String>,
    /// ISO 639-1, e.g. `vi`.
    pub language: String,
    pub voice: Voice,
}

/// Whose voice speaks.
#[derive(Debug, Clone)]
pub enum Voice {
    /// One of ours, by its name.
    Named(String),
    /// Like in this recording, whose speaker agreed to it.
    Recorded(SourceFile),
}

/// What is said in a video, as its captions have it.
#[derive(Debug, Clone)]
pub struct CaptionsRequest {
    /// YouTube's id, eleven characters.
    pub video: String,
    /// ISO 639-1; absent: the video's own.
    pub language: Option<String>,
}

/// What is said in a recording.
#[derive(Debug, Clone)]
pub struct HearingRequest {
    pub sound: SourceFile,
    /// How long it plays, begun ones counting whole.
    pub seconds: u32,
    /// ISO 639-1; absent: the provider finds out.
    pub language: Option<String>,
}

/// Public facts to be gathered, as rows of a table.
#[derive(Debug, Clone)]
pub struct RowsRequest {
    pub subject: Subject,
    /// No more rows than this are paid.
    pub rows_max: u32,
}

/// What the rows are about. Which program gathers them is a setting.
#[derive(Debug, Clone)]
pub enum Subject {
    /// YouTube videos, or the latest ones of a channel, by their addresses: how they fare.
    Videos(Vec<String>),
    /// YouTube channels by their addresses: what they are and publish.
    Channels(Vec<String>),
    /// A market, as a search engine sees it from a country (ISO 3166-1, small letters) in a language (ISO 639-1).
    Market { queries: Vec<Private<String>>, country: String, language: String },
}

/// What a provider is asked for.
#[derive(Debug, Clone)]
pub enum Request {
    Text(TextRequest),
    Image(ImageRequest),
    Video(VideoRequest),
    Speech(SpeechRequest),
    Captions(CaptionsRequest),
    Hearing(HearingRequest),
    Rows(RowsRequest),
}

/// One run's work, whichever provider does it.
#[derive(Debug, Clone)]
pub struct Job {
    pub run: RunId,
    /// Who it is done for. The breaker counts different accounts; no provider and no log hears of it.
    pub account: AccountId,
    pub request: Request,
    /// Wall clock for the whole chain, waits and fallbacks included.
    pub budget: Duration,
    /// All attempts together may cost this much: a step that could cost more is asked for less, or not at all.
    pub cost_max: CostCents,
}

macro_rules! only {
    ($($name:ident: $variant:ident($of:ty);)*) => {
        impl Request {
            $(pub(crate) fn $name(&self) -> Option<&$of> {
                match self {
                    Request::$variant(request) => Some(request),
                    _ => None,
                }
            })*
        }
    };
}
only! {
    text: Text(TextRequest);
    image: Image(ImageRequest);
    video: Video(VideoRequest);
    speech: Speech(SpeechRequest);
    captions: Captions(CaptionsRequest);
    hearing: Hearing(HearingRequest);
    rows: Rows(RowsRequest);
}

impl Request {
    /// The person's words: an error that repeats them is not read as the provider's own.
    pub(crate) fn words(&self) -> &str {
        match self {
            Request::Text(text) => text.prompt.expose(),
            Request::Image(image) => image.prompt.expose(),
            Request::Video(video) => video.prompt.expose(),
            Request::Speech(speech) => speech.text.expose(),
            Request::Captions(_) | Request::Hearing(_) | Request::Rows(_) => "",
        }
    }
}

impl VideoShape {
    pub const ALL: [VideoShape; 3] = [VideoShape::Landscape, VideoShape::Portrait, VideoShape::Square];

    /// As providers write it, e.g. `16:9`.
    pub fn as_str(self) -> &'static str {
        match self {
            VideoShape::Landscape => "16:9",
            VideoShape::Portrait => "9:16",
            VideoShape::Square => "1:1",
        }
    }
}
