//! What fal's models are given (`docs/facts/providers.md`, "fal's videos and sources").

use super::wanted::Wanted;
use crate::{ImageRequest, VideoRequest};
use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// flux makes so many pictures at once.
const FLUX_IMAGES: RangeInclusive<u32> = 1..=4;
/// Kling's `duration`, in seconds.
const KLING_SECONDS: RangeInclusive<u32> = 3..=15;
/// Kling's longest prompt, in characters.
const KLING_PROMPT_MAX: usize = 2_500;
/// The least side of a picture that Kling begins with, in pixels.
const KLING_SIDE_MIN: u32 = 300;
/// Wan's `duration`, in seconds.
const WAN_SECONDS: [u32; 2] = [5, 10];
/// Wan's longest prompt, in characters.
const WAN_PROMPT_MAX: usize = 1_500;
/// What the price of a second of Wan's is for; its own default is dearer.
const WAN_RESOLUTION: &str = "720p";

/// Models whose inputs are written alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Flux,
    Kling,
    Wan,
}

impl Family {
    /// Whether such a model takes the request at all: fal would tell only after its queue, and as an error of ours.
    pub(super) fn serves(self, wanted: Wanted<'_>) -> bool {
        let is_at_most = |characters_max: usize| wanted.prompt().chars().count() <= characters_max;
        let side =
            wanted.picture().and_then(|picture| picture.pixels).map(|(width, height)| width.min(height));
        match (self, wanted) {
            (Family::Flux, Wanted::Images(image)) => FLUX_IMAGES.contains(&image.count),
            (Family::Kling, Wanted::Video(video)) => {
                KLING_SECONDS.contains(&video.seconds)
                    && is_at_most(KLING_PROMPT_MAX)
                    && side.is_none_or(|side| side >= KLING_SIDE_MIN)
            }
            (Family::Wan, Wanted::Video(video)) => {
                WAN_SECONDS.contains(&video.seconds) && is_at_most(WAN_PROMPT_MAX)
            }
            _ => false,
        }
    }

    /// The body of the submit. `None`: such a model makes something else.
    pub(super) fn input(self, wanted: Wanted<'_>) -> Option<Value> {
        match (self, wanted) {
            (Family::Flux, Wanted::Images(image)) => Some(flux(image)),
            (Family::Kling, Wanted::Video(video)) => Some(kling(video)),
            (Family::Wan, Wanted::Video(video)) => Some(wan(video)),
            _ => None,
        }
    }
}

/// From a picture there is a strength and no size.
fn flux(image: &ImageRequest) -> Value {
    let mut input = json!({
        "prompt": image.prompt.expose(),
        "num_images": image.count,
        "seed": image.seed,
        "output_format": "png",
        "enable_safety_checker": true,
    });
    match &image.source {
        Some(source) => {
            input["image_url"] = source.picture.link.expose().as_str().into();
            input["strength"] = source.strength().into();
        }
        None => input["image_size"] = json!({ "width": image.width, "height": image.height }),
    }
    input
}

/// The duration is a text. A first picture has a name of Kling's own and decides the shape. Sound would cost half as much
/// again.
fn kling(video: &VideoRequest) -> Value {
    let mut input = json!({
        "prompt": video.prompt.expose(),
        "duration": video.seconds.to_string(),
        "generate_audio": false,
    });
    match &video.first_picture {
        Some(picture) => input["start_image_url"] = picture.link.expose().as_str().into(),
        None => input["aspect_ratio"] = video.shape.as_str().into(),
    }
    input
}

/// A first picture decides the shape.
fn wan(video: &VideoRequest) -> Value {
    let mut input = json!({
        "prompt": video.prompt.expose(),
        "duration": video.seconds.to_string(),
        "resolution": WAN_RESOLUTION,
        "seed": video.seed,
        "enable_safety_checker": true,
    });
    match &video.first_picture {
        Some(picture) => input["image_url"] = picture.link.expose().as_str().into(),
        None => input["aspect_ratio"] = video.shape.as_str().into(),
    }
    input
}
