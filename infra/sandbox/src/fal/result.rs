//! The answer of a finished job.

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::file;
use super::input::Wanted;
use super::job::{Ending, Job};
use crate::picture::{Picture, Serving};
use crate::{Service, World, reply};

const PIXELS_PER_UNIT: u64 = 1_000_000;

/// The model's output, or its error; either with the units it bills.
pub(super) fn of(world: &World, job: &Job) -> Response {
    match &job.ending {
        Ending::Cancelled => super::request_error(400, "Request was cancelled", Some("request_cancelled")),
        Ending::Failed { status, detail } => {
            let kind = detail[0]["type"].as_str().unwrap_or("internal_server_error");
            let response = reply::json(*status, &json!({ "detail": detail }));
            billed(reply::with_header(response, "x-fal-error-type", kind), 0)
        }
        Ending::Images { wanted, is_flagged, is_empty, serving } => {
            let count = if *is_empty { 0 } else { wanted.images };
            let images: Vec<Value> =
                (0..count).map(|place| image(world, wanted, place, *is_flagged, *serving)).collect();
            let body = json!({
                "images": images,
                "timings": { "inference": 1.2 },
                "seed": wanted.seed,
                "has_nsfw_concepts": vec![*is_flagged; images.len()],
                "prompt": wanted.prompt,
            });
            billed(reply::json(200, &body), units(wanted) * count)
        }
    }
}

fn image(world: &World, wanted: &Wanted, place: u64, black: bool, serving: Serving) -> Value {
    let seed = wanted.seed.wrapping_add(place);
    let mut picture = Picture::of(&wanted.prompt, seed, wanted.width, wanted.height);
    if black {
        picture.palette = None;
    }
    let url = if wanted.inline {
        format!("data:image/png;base64,{}", STANDARD.encode(world.pictures.bytes(picture)))
    } else {
        world.url(Service::Fal, &format!("/files/{}", file::name(picture, serving)))
    };
    json!({ "url": url, "width": wanted.width, "height": wanted.height, "content_type": "image/png" })
}

/// flux bills each image by the megapixel, rounded up.
fn units(wanted: &Wanted) -> u64 {
    (u64::from(wanted.width) * u64::from(wanted.height)).div_ceil(PIXELS_PER_UNIT)
}

fn billed(response: Response, units: u64) -> Response {
    reply::with_header(response, "x-fal-billable-units", &units.to_string())
}
