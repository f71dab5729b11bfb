#![doc = include_str!("../README.md")]

mod adapter;
mod anthropic;
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
mod health;
mod items;
mod lenient;
mod outcome;
mod outlet;
mod pace;
mod prices;
mod providers;
mod request;
mod settings;
mod sse;
mod status;
mod stream;
mod text;
mod wire;
mod words;

#[cfg(test)]
mod tests;

pub use artifact::{Artifact, MediaType};
pub use at_worst::{Measure, WorstCosts};
pub use balances::{Balance, Balances};
pub use chain::Chain;
pub use error::UnknownStep;
pub use event::Event;
pub use failure::FailureClass;
pub use items::{PROVIDER_HEALTH, TABLES};
pub use outcome::{Attempt, Ending, Failed, ProviderName, Served, Usage};
pub use providers::Providers;
pub use request::{ImageRequest, Job, Request, TextRequest};
