//! The answer of a finished job.

use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::file;
use super::input::{Film, Pictures, Wanted};
use super::job::{Ending, Job};
use crate::media::{Media, Serving};
use crate::picture::Picture;
use crate::{Service, World, reply};

const PIXELS_PER_UNIT: u64 = 1_000_000;

/// What a model answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    error_type: Option<String>,
    /// What it bills, in the model's unit.
    units: String,
}

/// The result call's answer: the model's output or its error, either with the units it bills.
pub(super) fn of(world: &World, job: &Job) -> Response {
    if job.is_cancelled() {
        return super::request_error(400, "Request was cancelled", Some("request_cancelled"));
    }
    let Answer { status, body, error_type, units } = made(world, job);
    let response = reply::with_header(reply::json(status, &body), "x-fal-billable-units", &units);
    match error_type {
        Some(kind) => reply::with_header(response, "x-fal-error-type", &kind),
        None => response,
    }
}

/// What the model makes, whether or not the job was cancelled. The same for every call.
pub(super) fn made(world: &World, job: &Job) -> Answer {
    let done = |body: Value, units: String| Answer { status: 200, body, error_type: None, units };
    match &job.ending {
        Ending::Failed { status, detail } => Answer {
            status: *status,
            body: json!({ "detail": detail }),
            error_type: Some(detail[0]["type"].as_str().unwrap_or("internal_server_error").to_owned()),
            units: "0".to_owned(),
        },
        Ending::Output { wanted: Wanted::Pictures(wanted), is_flagged, is_empty, serving } => {
            let count = if *is_empty { 0 } else { wanted.images };
            let images: Vec<Value> =
                (0..count).map(|place| image(world, job, wanted, place, *is_flagged, *serving)).collect();
            let body = json!({
                "images": images,
                "timings": { "inference": 1.2 },
                "seed": wanted.seed,
                "has_nsfw_concepts": vec![*is_flagged; images.len()],
                "prompt": wanted.prompt,
            });
            done(body, (megapixels(wanted) * count).to_string())
        }
        Ending::Output { wanted: Wanted::Film(film), is_empty, serving, .. } => {
            let video = if *is_empty { Value::Null } else { video(world, job, film, *serving) };
            let mut body = json!({ "video": video });
            if film.is_described {
                body["seed"] = Value::from(film.seed);
                body["actual_prompt"] = Value::from(film.prompt.as_str());
            }
            done(body, if *is_empty { "0".to_owned() } else { film.video.seconds() })
        }
    }
}

fn image(world: &World, job: &Job, wanted: &Pictures, place: u64, black: bool, serving: Serving) -> Value {
    let seed = wanted.seed.wrapping_add(place);
    let mut picture = Picture::of(&wanted.prompt, seed, wanted.width, wanted.height);
    if black {
        picture.palette = None;
    }
    let url = if wanted.inline {
        format!("data:image/png;base64,{}", STANDARD.encode(world.pictures.bytes(picture)))
    } else {
        address(world, job, Media::Picture(picture), serving, place)
    };
    json!({ "url": url, "width": wanted.width, "height": wanted.height, "content_type": "image/png" })
}

/// A video has no poster here, as at fal.
fn video(world: &World, job: &Job, film: &Film, serving: Serving) -> Value {
    let media = Media::Video(film.video);
    let mut file = json!({
        "url": address(world, job, media, serving, 0),
        "content_type": media.content_type(),
        "file_name": "output.mp4",
        "file_size": media.content(world, serving).len(),
    });
    if film.is_described {
        file["width"] = Value::from(film.video.width);
        file["height"] = Value::from(film.video.height);
        file["num_frames"] = Value::from(film.video.frames);
        file["fps"] = json!(24.0);
        file["duration"] = film.video.seconds().parse().map_or(Value::Null, Value::Number);
    }
    file
}

/// Follows from the job's id: result, webhook and later calls name the same file.
fn address(world: &World, job: &Job, media: Media, serving: Serving, place: u64) -> String {
    let unique = format!("{}{place}", job.id().replace('-', ""));
    world.url(Service::Fal, &format!("/files/{}", file::name(media, serving, &unique)))
}

/// flux bills each image by the megapixel, rounded up.
fn megapixels(wanted: &Pictures) -> u64 {
    (u64::from(wanted.width) * u64::from(wanted.height)).div_ceil(PIXELS_PER_UNIT)
}
