#![doc = include_str!("../README.md")]

pub mod args;
mod document;
mod local;
pub mod open_files;
mod router;
mod schedules;
mod server;
mod settings;
mod stopping;
pub mod stores;

pub use document::openapi;
pub use local::{Local, StartError};
pub use router::{functions, functions_in_roles, media_rules, sections, tables, with_source_ip};
pub use settings::local_env;
pub use stopping::{Stopped, Stopper, Stops};

/// Name of the embedded media bucket; also the first part of its links' paths.
pub const MEDIA_BUCKET: &str = "citipen-media";
