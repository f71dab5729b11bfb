#![warn(missing_docs)]
#![doc = include_str!("../README.md")]

mod error;
mod media;
mod output;

pub use error::MediaError;
pub use media::{Link, Media, MediaRules, SECTIONS};
pub use output::{OutputKind, StoredOutput, output_key};
