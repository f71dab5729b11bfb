#![warn(missing_docs)]
#![doc = include_str!("../README.md")]

mod error;
mod file_name;
mod file_type;
mod links;
mod media;
mod output;
pub mod sniff;
mod thumbnail;
mod uploads;
mod writer;

pub use error::MediaError;
pub use file_type::{FileFamily, FileType};
pub use links::OutputLinks;
pub use media::{Media, MediaRules, READ_MAX, SECTIONS};
pub use output::{StoredOutput, Thumbnail, output_key, output_name};
pub use sniff::{Facts, Flaw};
pub use uploads::{
    Announced, OpenedUpload, TABLES, Upload, UploadError, UploadFacts, UploadFault, UploadForm,
    UploadRefusal, UploadState, UploadWish, Uploads,
};
pub use writer::{NewOutput, PART_BYTES};

/// What runs call the type of an output.
pub type OutputKind = FileType;
