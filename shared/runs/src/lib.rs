#![doc = include_str!("../README.md")]

mod catalog;
mod closed_sets;
mod closing;
mod conduct;
mod error;
mod field_error;
mod files;
mod following;
mod form;
mod history;
mod idempotency;
mod items;
mod job;
mod job_store;
mod jobs;
mod live;
mod place;
mod poll;
mod pricing;
mod problem;
mod quote;
mod receipt;
mod repeats;
mod reserving;
mod rules;
mod runs;
mod shop;
mod storing;
mod telling;
#[cfg(test)]
mod tests;
mod tools;
mod tried;
mod usage;
mod view;
mod writing;
mod youtube;

pub(crate) use catalog::Catalog;
pub use closed_sets::{AttemptOutcome, DriveName, RunFailure, SaveFailureCode, SaveStatus};
pub use closing::{Closing, SweepReport};
pub use error::{FailedRun, OrderError, RunsError};
pub use field_error::FieldError;
pub use form::ToolForm;
pub use history::{Brought, History};
pub use items::{IDEMPOTENCY, RUN_JOBS, TABLES, TOOL_PRICING, USAGE_LOG};
pub use jobs::{JobNews, PollReport};
pub use place::{Heard, NotAPlace, Place};
pub use poll::RunPoll;
pub use pricing::{Case, PriceCase, PriceRow, Unsellable};
pub use quote::{Quote, QuoteSeal};
pub use receipt::Receipt;
pub use rules::{RunRules, SECTIONS, ToolSeed};
pub use runs::{Order, Runs, RunsSettings, Who};
pub use shop::{Shop, ShopSettings};
pub use telling::{Progress, RunEvent, Stage};
pub use tools::{ImageSize, Tool, ToolInput, ToolRequests, UnknownTool};
pub use tried::{MalformedAttempt, Tried};
pub use usage::UsageRow;
pub use view::{
    AttemptView, BalanceView, Milestone, OutputEnding, OutputType, OutputView, ParameterType, PriceCaseView,
    PriceView, QuoteView, ReceiptView, RunBegun, RunPage, RunStatus, RunSummary, RunView, SavedView,
    TimelineStep, ToolParameter,
};
