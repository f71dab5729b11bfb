//! Pictures that an input names by their address.
//!
//! A `data:` address is read, an `http` one of this machine is fetched, any `https` one is believed: the sandbox trusts no
//! certificate. Nothing is asked of other machines.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::input::Model;
use crate::World;
use crate::outside::{self, Fetched};
use crate::picture::Seen;

/// 30 MB, Kling's limit.
const BYTES_MAX: usize = 30_000_000;
/// Characters of a `data:` address that complaints repeat.
const INLINE_KEPT: usize = 100;

/// A picture that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    /// Width and height, where they are known.
    pub(super) size: Option<(u32, u32)>,
}

/// Why a picture can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Unusable {
    NotFetched,
    TooLarge,
    NotAnImage,
}

/// What was found at each field that names a picture.
pub(super) type Sources = Vec<(String, Result<Source, Unusable>)>;

/// Looks at all pictures of an input.
pub(super) async fn gather(world: &World, model: &Model, input: &Value) -> Sources {
    let mut sources = Sources::new();
    for name in model.pictures {
        if let Some(address) = input[*name].as_str() {
            sources.push(((*name).to_owned(), look(world, address).await));
        }
    }
    sources
}

/// The input with its `data:` addresses cut short, once they were read: they are long, and a job is written down.
pub(super) fn without_files(model: &Model, mut input: Value) -> Value {
    for name in model.pictures {
        if let Some(address) = input[*name].as_str().filter(|address| address.starts_with("data:")) {
            let head: String = address.chars().take(INLINE_KEPT).collect();
            input[*name] = Value::from(head);
        }
    }
    input
}

async fn look(world: &World, address: &str) -> Result<Source, Unusable> {
    if let Some(inline) = address.strip_prefix("data:") {
        let (_, content) = inline.split_once(";base64,").ok_or(Unusable::NotAnImage)?;
        let file = STANDARD.decode(content).map_err(|_| Unusable::NotAnImage)?;
        return read(&file);
    }
    let near = Url::parse(address).is_ok_and(|url| url.scheme() == "http" && outside::is_near(&url));
    if near {
        return match outside::fetch(address, BYTES_MAX).await {
            Fetched::File(file) => read(&file),
            Fetched::TooLarge => Err(Unusable::TooLarge),
            nothing => {
                tracing::warn!("the sandbox could not fetch a picture: {nothing:?}");
                Err(Unusable::NotFetched)
            }
        };
    }
    let is_ours = address.starts_with(&format!("{}/", world.config.public_base));
    if is_ours || address.starts_with("https://") {
        return Ok(Source { size: None });
    }
    Err(Unusable::NotFetched)
}

fn read(file: &[u8]) -> Result<Source, Unusable> {
    if file.len() > BYTES_MAX {
        return Err(Unusable::TooLarge);
    }
    Seen::read(file).map(|seen| Source { size: seen.size }).ok_or(Unusable::NotAnImage)
}

impl Unusable {
    /// fal's name of the error.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Unusable::NotFetched => "file_download_error",
            Unusable::TooLarge => "file_too_large",
            Unusable::NotAnImage => "image_load_error",
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Unusable::NotFetched => {
                "Failed to download the file. Please check if the URL is accessible and try again."
            }
            Unusable::TooLarge => "File size exceeds the maximum allowed size.",
            Unusable::NotAnImage => {
                "Failed to load the image. Please ensure the image file is not corrupted and is in a supported format."
            }
        }
    }

    pub(super) fn context(self) -> Option<Value> {
        (self == Unusable::TooLarge).then(|| json!({ "max_size": BYTES_MAX }))
    }
}
