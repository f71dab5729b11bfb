use crate::ImageRequest;
use primitives::RunId;
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

/// The node whose image is taken.
pub(super) const OUTPUT_NODE: &str = "9";

impl Submission {
    pub(super) fn new(image: &ImageRequest, run: RunId, checkpoint: &str) -> Submission {
        Submission {
            prompt: workflow(image, run, checkpoint),
            client_id: "citipen",
            prompt_id: prompt_id(run),
        }
    }
}

/// The template is ours: nodes can read files and run code, so nobody else's workflow is ever sent.
///
/// The file's prefix holds the run, because a workflow equal to an earlier one answers without a new image.
fn workflow(image: &ImageRequest, run: RunId, checkpoint: &str) -> Value {
    json!({
        "3": {"class_type": "KSampler", "inputs": {
            "seed": image.seed, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": checkpoint}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {
            "width": image.width, "height": image.height, "batch_size": 1}},
        PROMPT_NODE: {"class_type": "CLIPTextEncode", "inputs": {"text": image.prompt.expose(), "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry, low quality", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        OUTPUT_NODE: {"class_type": "SaveImage", "inputs": {
            "filename_prefix": format!("cit_{run}"), "images": ["8", 0]}},
    })
}

/// The run's id as a UUID in lower case, the only spelling ComfyUI takes: a lost answer is found again by it.
///
/// A ULID and a UUID of version 7 begin alike with 48 bits of time; only the version's and variant's bits are set.
pub(super) fn prompt_id(run: RunId) -> String {
    const VERSION_7: u128 = 0x7 << 76;
    const VERSION_MASK: u128 = 0xf << 76;
    const VARIANT: u128 = 0b10 << 62;
    const VARIANT_MASK: u128 = 0b11 << 62;
    let bits = (ulid_bits(&run.to_string()) & !VERSION_MASK & !VARIANT_MASK) | VERSION_7 | VARIANT;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Five bits a character, in Crockford's alphabet.
fn ulid_bits(text: &str) -> u128 {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    text.bytes().fold(0, |bits, letter| {
        let value = ALPHABET.iter().position(|known| *known == letter).unwrap_or(0);
        (bits << 5) | value as u128
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_prompt_id_and_it_is_a_uuid() {
        let table = [
            ("00000000000000000000000000", "00000000-0000-7000-8000-000000000000"),
            ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "ffffffff-ffff-7fff-bfff-ffffffffffff"),
            ("01KAQ3V7W00000000000000001", "019aae3d-9f80-7000-8000-000000000001"),
        ];
        for (run, uuid) in table {
            assert_eq!(prompt_id(run.parse().unwrap()), uuid, "{run}");
        }
    }
}
