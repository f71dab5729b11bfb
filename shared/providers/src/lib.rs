#![doc = include_str!("../README.md")]

mod adapter;
mod anthropic;
mod apify;
mod artifact;
mod at_worst;
mod balances;
mod breaker;
mod chain;
mod comfyui;
mod course;
mod deepseek;
mod download;
mod error;
mod event;
mod failure;
mod fal;
mod groq;
mod health;
mod items;
mod job;
mod jobs;
mod lenient;
mod made;
mod omnivoice;
mod outcome;
mod outlet;
mod pace;
mod prices;
mod providers;
mod replicate;
mod request;
mod settings;
mod source;
mod sse;
mod status;
mod steps;
mod stream;
mod text;
mod voices;
mod wire;
mod words;
mod work;

#[cfg(test)]
mod tests;

pub use apify::{ApifyWebhook, Unbelieved};
pub use artifact::{Artifact, MediaType};
pub use at_worst::{Measure, WorstCosts};
pub use balances::{Balance, Balances};
pub use chain::Chain;
pub use error::UnknownStep;
pub use event::Event;
pub use failure::FailureClass;
pub use fal::{FalWebhook, Forged};
pub use groq::Hearable;
pub use items::{PROVIDER_HEALTH, TABLES};
pub use job::{Finished, Found, JobOrder, Sign, Ticket};
pub use jobs::{Asked, Choice, Visit, Visited};
pub use made::{BrokenOff, Made, MadeFile, Segment, Transcript};
pub use outcome::{Attempt, Ending, Failed, ProviderName, Served, Usage};
pub use providers::Providers;
pub use replicate::{NotReplicates, ReplicateWebhook};
pub use request::{
    CaptionsRequest, HearingRequest, ImageRequest, Job, Painted, Request, RowsRequest, SpeechRequest,
    Subject, TextRequest, VideoRequest, VideoShape, Voice,
};
pub use source::SourceFile;
pub use voices::{LANGUAGES, LanguageSpec, VOICES, VoiceSpec};
pub use work::{GivenUp, Next, Work};
