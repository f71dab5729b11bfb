//! The node classes this server knows: what they take and what they give.

/// What an input must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// A link to an output of this type.
    Link(&'static str),
    Text,
    Number,
    Whole {
        min: i64,
        max: i64,
    },
}

/// A node class.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) inputs: &'static [(&'static str, Takes)],
    pub(super) outputs: &'static [&'static str],
    /// The folder its files go to, for classes that end a workflow.
    pub(super) saves_to: Option<&'static str>,
}

const SIDE: Takes = Takes::Whole { min: 16, max: 16_384 };
const BATCH: Takes = Takes::Whole { min: 1, max: 4_096 };
const LATENT_SIZE: &[(&str, Takes)] = &[("width", SIDE), ("height", SIDE), ("batch_size", BATCH)];

const CLASSES: &[Class] = &[
    class("CheckpointLoaderSimple", &[("ckpt_name", Takes::Text)], &["MODEL", "CLIP", "VAE"]),
    class("UNETLoader", &[("unet_name", Takes::Text), ("weight_dtype", Takes::Text)], &["MODEL"]),
    class("CLIPLoader", &[("clip_name", Takes::Text), ("type", Takes::Text)], &["CLIP"]),
    class(
        "DualCLIPLoader",
        &[("clip_name1", Takes::Text), ("clip_name2", Takes::Text), ("type", Takes::Text)],
        &["CLIP"],
    ),
    class("VAELoader", &[("vae_name", Takes::Text)], &["VAE"]),
    class(
        "LoraLoader",
        &[
            ("model", Takes::Link("MODEL")),
            ("clip", Takes::Link("CLIP")),
            ("lora_name", Takes::Text),
            ("strength_model", Takes::Number),
            ("strength_clip", Takes::Number),
        ],
        &["MODEL", "CLIP"],
    ),
    class("CLIPTextEncode", &[("text", Takes::Text), ("clip", Takes::Link("CLIP"))], &["CONDITIONING"]),
    class("ConditioningZeroOut", &[("conditioning", Takes::Link("CONDITIONING"))], &["CONDITIONING"]),
    class(
        "FluxGuidance",
        &[("conditioning", Takes::Link("CONDITIONING")), ("guidance", Takes::Number)],
        &["CONDITIONING"],
    ),
    class("ModelSamplingAuraFlow", &[("model", Takes::Link("MODEL")), ("shift", Takes::Number)], &["MODEL"]),
    class("EmptyLatentImage", LATENT_SIZE, &["LATENT"]),
    class("EmptySD3LatentImage", LATENT_SIZE, &["LATENT"]),
    class(
        "KSampler",
        &[
            ("model", Takes::Link("MODEL")),
            ("seed", Takes::Whole { min: 0, max: i64::MAX }),
            ("steps", Takes::Whole { min: 1, max: 10_000 }),
            ("cfg", Takes::Number),
            ("sampler_name", Takes::Text),
            ("scheduler", Takes::Text),
            ("positive", Takes::Link("CONDITIONING")),
            ("negative", Takes::Link("CONDITIONING")),
            ("latent_image", Takes::Link("LATENT")),
            ("denoise", Takes::Number),
        ],
        &["LATENT"],
    ),
    class("VAEDecode", &[("samples", Takes::Link("LATENT")), ("vae", Takes::Link("VAE"))], &["IMAGE"]),
    Class {
        saves_to: Some("output"),
        ..class("SaveImage", &[("images", Takes::Link("IMAGE")), ("filename_prefix", Takes::Text)], &[])
    },
    Class { saves_to: Some("temp"), ..class("PreviewImage", &[("images", Takes::Link("IMAGE"))], &[]) },
];

const fn class(
    name: &'static str,
    inputs: &'static [(&'static str, Takes)],
    outputs: &'static [&'static str],
) -> Class {
    Class { name, inputs, outputs, saves_to: None }
}

pub(super) fn named(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name == name)
}
