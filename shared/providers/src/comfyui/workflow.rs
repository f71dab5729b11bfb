//! The workflows, in ComfyUI's API format. All of them are written here: a node can read files and run code on the
//! server, so a customer's workflow is never sent.
//!
//! The prefix of the output's name holds the job's id, because ComfyUI makes no new file for a workflow that equals an
//! earlier one.

use super::prompt_id::prompt_id;
use crate::{ImageRequest, SourceFile, VideoRequest, VideoShape};
use primitives::JobId;
use serde::Serialize;
use serde_json::{Value, json};

/// The body of `POST /prompt`.
#[derive(Serialize)]
pub(super) struct Submission {
    prompt: Value,
    client_id: &'static str,
    prompt_id: String,
}

/// The node that holds the customer's words.
pub(super) const PROMPT_NODE: &str = "6";

/// The node whose files are taken.
pub(super) const OUTPUT_NODE: &str = "9";

/// The node that loads the uploaded picture.
const PICTURE_NODE: &str = "10";

/// What Wan 2.2 reads its prompt with, and its own encoder of pictures: the files' names at Comfy-Org.
const WAN_TEXT_ENCODER: &str = "umt5_xxl_fp8_e4m3fn_scaled.safetensors";
const WAN_VAE: &str = "wan2.2_vae.safetensors";
/// Pictures a second of Wan 2.2 5B.
const WAN_RATE: u32 = 24;

const UNWANTED: &str = "blurry, low quality";

impl Submission {
    /// `picture` is the uploaded picture's name there.
    pub(super) fn of_images(
        image: &ImageRequest,
        picture: Option<&str>,
        job: JobId,
        checkpoint: &str,
    ) -> Submission {
        Submission::new(images(image, picture, job, checkpoint), job)
    }

    /// `picture` is the uploaded picture's name there.
    pub(super) fn of_video(
        video: &VideoRequest,
        picture: Option<&str>,
        job: JobId,
        model: &str,
    ) -> Submission {
        Submission::new(film(video, picture, job, model), job)
    }

    fn new(prompt: Value, job: JobId) -> Submission {
        Submission { prompt, client_id: "citipen", prompt_id: prompt_id(job) }
    }
}

fn images(image: &ImageRequest, picture: Option<&str>, job: JobId, checkpoint: &str) -> Value {
    let mut nodes = json!({
        "3": {"class_type": "KSampler", "inputs": {
            "seed": image.seed, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
            "model": ["4", 0], "positive": [PROMPT_NODE, 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": checkpoint}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {
            "width": image.width, "height": image.height, "batch_size": image.count}},
        PROMPT_NODE: {"class_type": "CLIPTextEncode", "inputs": {"text": image.prompt.expose(), "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": UNWANTED, "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        OUTPUT_NODE: {"class_type": "SaveImage", "inputs": {"filename_prefix": prefix(job), "images": ["8", 0]}},
    });
    if let Some((source, picture)) = image.source.as_ref().zip(picture) {
        // A picture of any size is cut to the size that is wanted: a larger one could exceed the machine's memory.
        nodes[PICTURE_NODE] = loaded(picture);
        nodes["11"] = json!({"class_type": "ImageScale", "inputs": {
            "image": [PICTURE_NODE, 0], "upscale_method": "lanczos", "width": image.width, "height": image.height,
            "crop": "center"}});
        nodes["12"] = json!({"class_type": "VAEEncode", "inputs": {"pixels": ["11", 0], "vae": ["4", 2]}});
        nodes["5"] = json!({"class_type": "RepeatLatentBatch", "inputs": {
            "samples": ["12", 0], "amount": image.count}});
        nodes["3"]["inputs"]["denoise"] = source.strength().into();
    }
    nodes
}

/// Wan 2.2 5B makes videos of words, and of a picture and words (docs.comfy.org, "Wan2.2 Video Generation").
fn film(video: &VideoRequest, picture: Option<&str>, job: JobId, model: &str) -> Value {
    let (width, height) = size(video);
    let mut nodes = json!({
        "3": {"class_type": "KSampler", "inputs": {
            "seed": video.seed, "steps": 20, "cfg": 5, "sampler_name": "uni_pc", "scheduler": "simple", "denoise": 1,
            "model": ["48", 0], "positive": [PROMPT_NODE, 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "37": {"class_type": "UNETLoader", "inputs": {"unet_name": model, "weight_dtype": "default"}},
        "38": {"class_type": "CLIPLoader", "inputs": {"clip_name": WAN_TEXT_ENCODER, "type": "wan"}},
        "39": {"class_type": "VAELoader", "inputs": {"vae_name": WAN_VAE}},
        "48": {"class_type": "ModelSamplingSD3", "inputs": {"model": ["37", 0], "shift": 8}},
        "5": {"class_type": "Wan22ImageToVideoLatent", "inputs": {
            "vae": ["39", 0], "width": width, "height": height, "length": length(video.seconds), "batch_size": 1}},
        PROMPT_NODE: {"class_type": "CLIPTextEncode", "inputs": {"text": video.prompt.expose(), "clip": ["38", 0]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": UNWANTED, "clip": ["38", 0]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["39", 0]}},
        "13": {"class_type": "CreateVideo", "inputs": {"images": ["8", 0], "fps": WAN_RATE}},
        // Servers of 2026 want the codec inside of the format, older ones beside it; what a server does not know it ignores.
        OUTPUT_NODE: {"class_type": "SaveVideo", "inputs": {
            "video": ["13", 0], "filename_prefix": prefix(job), "format": "mp4", "format.codec": "auto",
            "codec": "auto"}},
    });
    if let Some(picture) = picture {
        nodes[PICTURE_NODE] = loaded(picture);
        nodes["5"]["inputs"]["start_image"] = json!([PICTURE_NODE, 0]);
    }
    nodes
}

fn loaded(picture: &str) -> Value {
    json!({"class_type": "LoadImage", "inputs": {"image": picture}})
}

fn prefix(job: JobId) -> String {
    format!("cit_{job}")
}

/// The picture a video begins with decides its shape, as at fal. Sides are multiples of 32.
fn size(video: &VideoRequest) -> (u32, u32) {
    let shape = video.first_picture.as_ref().and_then(shape_of).unwrap_or(video.shape);
    match shape {
        VideoShape::Landscape => (1_280, 704),
        VideoShape::Portrait => (704, 1_280),
        VideoShape::Square => (960, 960),
    }
}

/// Square up to four to three.
fn shape_of(picture: &SourceFile) -> Option<VideoShape> {
    let (width, height) = picture.pixels.map(|(width, height)| (u64::from(width), u64::from(height)))?;
    Some(if width * 3 > height * 4 {
        VideoShape::Landscape
    } else if height * 3 > width * 4 {
        VideoShape::Portrait
    } else {
        VideoShape::Square
    })
}

/// The model counts pictures in fours, and one more.
fn length(seconds: u32) -> u32 {
    seconds.saturating_mul(WAN_RATE).saturating_add(1)
}
