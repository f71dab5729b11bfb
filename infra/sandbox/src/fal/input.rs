//! The models known here, and what they accept.

use serde_json::Value;

use super::form::Form;
use super::source::{Source, Sources};
use crate::ids;
use crate::picture::SIDE_MAX;
use crate::video::Video;

/// Kling's limit for a prompt, in characters.
const KLING_PROMPT_MAX: usize = 2_500;
/// Wan's limits.
const WAN_PROMPT_MAX: usize = 1_500;
const WAN_NEGATIVE_MAX: usize = 500;
/// Kling's least side of a start picture, in pixels.
const KLING_SIDE_MIN: u32 = 300;
const KLING_SECONDS: [&str; 13] = ["3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"];
const ASPECTS: [&str; 3] = ["16:9", "9:16", "1:1"];
const RESOLUTIONS: [&str; 3] = ["480p", "720p", "1080p"];

/// One model of one application.
#[derive(Debug)]
pub(super) struct Model {
    /// `owner/app`: the part that status and result addresses keep.
    pub(super) app: &'static str,
    path: &'static str,
    makes: Makes,
    /// Fields with addresses of pictures.
    pub(super) pictures: &'static [&'static str],
}

/// What a model makes, and of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Makes {
    Pictures { steps_max: i64 },
    PicturesOfAPicture,
    KlingVideo,
    KlingVideoOfAPicture,
    WanVideo,
    WanVideoOfAPicture,
}

const MODELS: [Model; 7] = [
    model("fal-ai/flux", "dev", Makes::Pictures { steps_max: 50 }, &[]),
    model("fal-ai/flux", "schnell", Makes::Pictures { steps_max: 12 }, &[]),
    model("fal-ai/flux", "dev/image-to-image", Makes::PicturesOfAPicture, &["image_url"]),
    model("fal-ai/kling-video", "v3/pro/text-to-video", Makes::KlingVideo, &[]),
    model(
        "fal-ai/kling-video",
        "v3/pro/image-to-video",
        Makes::KlingVideoOfAPicture,
        &["start_image_url", "end_image_url"],
    ),
    model("fal-ai/wan-25-preview", "text-to-video", Makes::WanVideo, &[]),
    model("fal-ai/wan-25-preview", "image-to-video", Makes::WanVideoOfAPicture, &["image_url"]),
];

const fn model(
    app: &'static str,
    path: &'static str,
    makes: Makes,
    pictures: &'static [&'static str],
) -> Model {
    Model { app, path, makes, pictures }
}

/// What a job will make.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Pictures(Pictures),
    Film(Film),
}

/// Pictures.
#[derive(Clone, Debug)]
pub(super) struct Pictures {
    pub(super) prompt: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) images: u64,
    pub(super) seed: u64,
    pub(super) inline: bool,
}

/// A video.
#[derive(Clone, Debug)]
pub(super) struct Film {
    pub(super) prompt: String,
    pub(super) seed: u64,
    pub(super) video: Video,
    /// Whether the answer describes the video and repeats seed and prompt, as Wan's does and Kling's does not.
    pub(super) is_described: bool,
}

impl Model {
    pub(super) fn named(owner: &str, app: &str, path: &str) -> Option<&'static Model> {
        MODELS.iter().find(|model| {
            model.path == path && model.app.split_once('/').is_some_and(|name| name == (owner, app))
        })
    }

    /// The model of an id as [`Model::id`] writes it.
    pub(super) fn of_id(id: &str) -> Option<&'static Model> {
        MODELS.iter().find(|model| model.id() == id)
    }

    pub(super) fn is_app(app: &str) -> bool {
        MODELS.iter().any(|model| model.app == app)
    }

    /// The whole id, e.g. `fal-ai/flux/dev`.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.app, self.path)
    }

    /// Videos take minutes.
    pub(super) fn is_slow(&self) -> bool {
        !matches!(self.makes, Makes::Pictures { .. } | Makes::PicturesOfAPicture)
    }

    /// Reads the input; the error is the list under `detail`.
    pub(super) fn read(&self, input: &Value, sources: &Sources) -> Result<Wanted, Value> {
        let form = Form::of(input, sources)?;
        match self.makes {
            Makes::Pictures { steps_max } => pictures(form, steps_max),
            Makes::PicturesOfAPicture => pictures_of_a_picture(form),
            Makes::KlingVideo => kling(form, false),
            Makes::KlingVideoOfAPicture => kling(form, true),
            Makes::WanVideo => wan(form, false),
            Makes::WanVideoOfAPicture => wan(form, true),
        }
    }
}

fn pictures(mut form: Form, steps_max: i64) -> Result<Wanted, Value> {
    let prompt = form.text("prompt").unwrap_or_default();
    let size = form.size();
    let images = form.integer("num_images", 1, 4).unwrap_or(1);
    form.integer("num_inference_steps", 1, steps_max);
    flux(form, prompt, size, images)
}

/// The result has the size of the picture, as far as it is known.
fn pictures_of_a_picture(mut form: Form) -> Result<Wanted, Value> {
    let prompt = form.text("prompt").unwrap_or_default();
    let source = form.needed_picture("image_url");
    form.number_within("strength", 0.01, 1.0);
    let images = form.integer("num_images", 1, 4).unwrap_or(1);
    form.integer("num_inference_steps", 10, 50);
    let (width, height) = source.and_then(|source| source.size).unwrap_or((1024, 768));
    flux(form, prompt, (width.min(SIDE_MAX), height.min(SIDE_MAX)), images)
}

/// What both of flux's models read.
fn flux(mut form: Form, prompt: String, (width, height): (u32, u32), images: i64) -> Result<Wanted, Value> {
    let seed = seed(&mut form, &prompt);
    form.number("guidance_scale");
    form.choice("output_format", &["jpeg", "png"]);
    form.choice("acceleration", &["none", "regular", "high"]);
    let inline = form.flag("sync_mode");
    form.flag("enable_safety_checker");
    let images = images.cast_unsigned();
    form.finish(Wanted::Pictures(Pictures { prompt, width, height, images, seed, inline }))
}

fn kling(mut form: Form, is_of_a_picture: bool) -> Result<Wanted, Value> {
    let prompt = kling_prompt(&mut form);
    let size = if is_of_a_picture {
        let source = form.needed_picture("start_image_url");
        form.picture("end_image_url");
        large_enough(&mut form, source);
        like(source, (1_920, 1_080))
    } else {
        framed((1_920, 1_080), 1_440, form.choice("aspect_ratio", &ASPECTS))
    };
    let seconds = seconds(form.choice("duration", &KLING_SECONDS));
    form.optional_text("negative_prompt", KLING_PROMPT_MAX);
    form.number_within("cfg_scale", 0.0, 1.0);
    form.flag("generate_audio");
    form.choice("shot_type", &["customize", "intelligent"]);
    form.finish(film(prompt, None, size, seconds, false))
}

/// Either one prompt or a list of prompts, one for each shot.
fn kling_prompt(form: &mut Form) -> String {
    let shots = form.present("multi_prompt").and_then(Value::as_array).filter(|shots| !shots.is_empty());
    match (form.present("prompt"), shots) {
        (Some(_), None) => form.short_text("prompt", KLING_PROMPT_MAX).unwrap_or_default(),
        (None, Some(shots)) => {
            let texts: Vec<&str> = shots.iter().filter_map(|shot| shot["prompt"].as_str()).collect();
            texts.join(" ")
        }
        _ => {
            let text = "Value error, Either prompt or multi_prompt must be provided, but not both";
            let whole = form.whole();
            form.complain(&[], text, "value_error", &whole);
            String::new()
        }
    }
}

fn large_enough(form: &mut Form, source: Option<Source>) {
    let Some((width, height)) = source.and_then(|source| source.size) else { return };
    if width.min(height) < KLING_SIDE_MIN {
        form.too_small("start_image_url", KLING_SIDE_MIN);
    }
}

fn wan(mut form: Form, is_of_a_picture: bool) -> Result<Wanted, Value> {
    let prompt = form.short_text("prompt", WAN_PROMPT_MAX).unwrap_or_default();
    let source = if is_of_a_picture { form.needed_picture("image_url") } else { None };
    let aspect = if is_of_a_picture { None } else { form.choice("aspect_ratio", &ASPECTS) };
    let (wide, square) = match form.choice("resolution", &RESOLUTIONS) {
        Some("480p") => ((832, 480), 624),
        Some("720p") => ((1_280, 720), 960),
        _ => ((1_920, 1_080), 1_440),
    };
    let size = if is_of_a_picture { like(source, wide) } else { framed(wide, square, aspect) };
    let seconds = seconds(form.choice("duration", &["5", "10"]));
    form.optional_text("negative_prompt", WAN_NEGATIVE_MAX);
    form.flag("enable_prompt_expansion");
    form.flag("enable_safety_checker");
    let seed = seed(&mut form, &prompt);
    form.finish(film(prompt, Some(seed), size, seconds, true))
}

fn film(
    prompt: String,
    seed: Option<u64>,
    (width, height): (u32, u32),
    seconds: u32,
    is_described: bool,
) -> Wanted {
    let seed = seed.unwrap_or_else(|| seed_of(&prompt));
    let video = Video::of(&prompt, seed, width, height).lasting(seconds);
    Wanted::Film(Film { prompt, seed, video, is_described })
}

/// The seed of the input, or one that follows from the prompt.
fn seed(form: &mut Form, prompt: &str) -> u64 {
    form.integer("seed", 0, i64::MAX).map_or_else(|| seed_of(prompt), i64::cast_unsigned)
}

fn seed_of(prompt: &str) -> u64 {
    ids::hash(prompt) >> 32
}

/// Five seconds, unless told otherwise.
fn seconds(duration: Option<&str>) -> u32 {
    duration.and_then(|seconds| seconds.parse().ok()).unwrap_or(5)
}

fn framed((long, short): (u32, u32), square: u32, aspect: Option<&str>) -> (u32, u32) {
    match aspect {
        Some("9:16") => (short, long),
        Some("1:1") => (square, square),
        _ => (long, short),
    }
}

/// The picture's proportions with about as many pixels as `usual`; a picture of unknown size counts as `usual`.
fn like(source: Option<Source>, usual: (u32, u32)) -> (u32, u32) {
    let Some((width, height)) = source.and_then(|source| source.size) else { return usual };
    let pixels = u64::from(usual.0) * u64::from(usual.1);
    let tall = (pixels * u64::from(height) / u64::from(width).max(1)).isqrt().max(1);
    let side = |side: u64| u32::try_from(side).unwrap_or(u32::MAX);
    (side(pixels / tall), side(tall))
}
