#![doc = include_str!("../README.md")]

pub mod args;
mod local;
mod router;
mod schedules;
mod settings;
pub mod stores;

pub use local::{Local, StartError};
pub use router::{functions, openapi, tables, with_source_ip};
pub use settings::local_env;

/// Name of the embedded media bucket; also the first part of its links' paths.
pub const MEDIA_BUCKET: &str = "citipen-media";
