//! The node classes this server knows: what they take and what they give.

/// What an input must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Takes {
    /// A link to an output of this type.
    Link(&'static str),
    Text,
    Number,
    Flag,
    Whole {
        min: i64,
        max: i64,
    },
    OneOf(&'static [&'static str]),
    /// The name of a picture that was uploaded.
    Upload,
}

/// What a node that ends a workflow leaves, and under which word of its `outputs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saves {
    /// `images`, in this folder.
    Pictures(&'static str),
    /// `images` and `animated: [true]`.
    AnimatedImages,
    /// `gifs`, whatever their format.
    Gifs,
    /// `video`.
    VideoList,
}

/// A node class.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) inputs: &'static [(&'static str, Takes)],
    /// Inputs that may be absent.
    pub(super) optional: &'static [(&'static str, Takes)],
    pub(super) outputs: &'static [&'static str],
    /// For classes that end a workflow.
    pub(super) saves: Option<Saves>,
}

const SIDE: Takes = Takes::Whole { min: 16, max: 16_384 };
const BATCH: Takes = Takes::Whole { min: 1, max: 4_096 };
const LENGTH: Takes = Takes::Whole { min: 1, max: 16_384 };
const SEED: Takes = Takes::Whole { min: 0, max: i64::MAX };
const STEPS: Takes = Takes::Whole { min: 0, max: 10_000 };
const LATENT_SIZE: &[(&str, Takes)] = &[("width", SIDE), ("height", SIDE), ("batch_size", BATCH)];
const SCALED: Takes = Takes::Whole { min: 0, max: 16_384 };

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
            ("seed", SEED),
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
    class("VAEEncode", &[("pixels", Takes::Link("IMAGE")), ("vae", Takes::Link("VAE"))], &["LATENT"]),
    class(
        "RepeatLatentBatch",
        &[("samples", Takes::Link("LATENT")), ("amount", Takes::Whole { min: 1, max: 64 })],
        &["LATENT"],
    ),
    class("LoadImage", &[("image", Takes::Upload)], &["IMAGE", "MASK"]),
    class(
        "ImageScale",
        &[
            ("image", Takes::Link("IMAGE")),
            ("upscale_method", Takes::Text),
            ("width", SCALED),
            ("height", SCALED),
            ("crop", Takes::Text),
        ],
        &["IMAGE"],
    ),
    Class {
        saves: Some(Saves::Pictures("output")),
        ..class("SaveImage", &[("images", Takes::Link("IMAGE")), ("filename_prefix", Takes::Text)], &[])
    },
    Class {
        saves: Some(Saves::Pictures("temp")),
        ..class("PreviewImage", &[("images", Takes::Link("IMAGE"))], &[])
    },
    // Videos: comfy_extras/nodes_wan.py, nodes_hunyuan.py, nodes_video.py of ComfyUI, and two node packs.
    class("CLIPVisionLoader", &[("clip_name", Takes::Text)], &["CLIP_VISION"]),
    class(
        "CLIPVisionEncode",
        &[
            ("clip_vision", Takes::Link("CLIP_VISION")),
            ("image", Takes::Link("IMAGE")),
            ("crop", Takes::Text),
        ],
        &["CLIP_VISION_OUTPUT"],
    ),
    class(
        "LoraLoaderModelOnly",
        &[("model", Takes::Link("MODEL")), ("lora_name", Takes::Text), ("strength_model", Takes::Number)],
        &["MODEL"],
    ),
    class("ModelSamplingSD3", &[("model", Takes::Link("MODEL")), ("shift", Takes::Number)], &["MODEL"]),
    class(
        "KSamplerAdvanced",
        &[
            ("model", Takes::Link("MODEL")),
            ("add_noise", Takes::OneOf(&["enable", "disable"])),
            ("noise_seed", SEED),
            ("steps", Takes::Whole { min: 1, max: 10_000 }),
            ("cfg", Takes::Number),
            ("sampler_name", Takes::Text),
            ("scheduler", Takes::Text),
            ("positive", Takes::Link("CONDITIONING")),
            ("negative", Takes::Link("CONDITIONING")),
            ("latent_image", Takes::Link("LATENT")),
            ("start_at_step", STEPS),
            ("end_at_step", STEPS),
            ("return_with_leftover_noise", Takes::OneOf(&["disable", "enable"])),
        ],
        &["LATENT"],
    ),
    class(
        "EmptyHunyuanLatentVideo",
        &[("width", SIDE), ("height", SIDE), ("length", LENGTH), ("batch_size", BATCH)],
        &["LATENT"],
    ),
    Class {
        optional: &[
            ("clip_vision_output", Takes::Link("CLIP_VISION_OUTPUT")),
            ("start_image", Takes::Link("IMAGE")),
        ],
        ..class(
            "WanImageToVideo",
            &[
                ("positive", Takes::Link("CONDITIONING")),
                ("negative", Takes::Link("CONDITIONING")),
                ("vae", Takes::Link("VAE")),
                ("width", SIDE),
                ("height", SIDE),
                ("length", LENGTH),
                ("batch_size", BATCH),
            ],
            &["CONDITIONING", "CONDITIONING", "LATENT"],
        )
    },
    Class {
        optional: &[("start_image", Takes::Link("IMAGE"))],
        ..class(
            "Wan22ImageToVideoLatent",
            &[
                ("vae", Takes::Link("VAE")),
                ("width", Takes::Whole { min: 32, max: 16_384 }),
                ("height", Takes::Whole { min: 32, max: 16_384 }),
                ("length", LENGTH),
                ("batch_size", BATCH),
            ],
            &["LATENT"],
        )
    },
    Class {
        optional: &[("audio", Takes::Link("AUDIO"))],
        ..class("CreateVideo", &[("images", Takes::Link("IMAGE")), ("fps", Takes::Number)], &["VIDEO"])
    },
    Class {
        saves: Some(Saves::AnimatedImages),
        // Required by older servers.
        optional: &[("codec", Takes::OneOf(&["auto", "h264"]))],
        ..class(
            "SaveVideo",
            &[
                ("video", Takes::Link("VIDEO")),
                ("filename_prefix", Takes::Text),
                ("format", Takes::OneOf(&["auto", "mp4"])),
            ],
            &["VIDEO"],
        )
    },
    Class {
        saves: Some(Saves::Gifs),
        optional: &[("audio", Takes::Link("AUDIO")), ("vae", Takes::Link("VAE"))],
        ..class(
            "VHS_VideoCombine",
            &[
                ("images", Takes::Link("IMAGE")),
                ("frame_rate", Takes::Number),
                ("loop_count", Takes::Whole { min: 0, max: 100 }),
                ("filename_prefix", Takes::Text),
                ("format", Takes::OneOf(&["video/h264-mp4"])),
                ("pingpong", Takes::Flag),
                ("save_output", Takes::Flag),
            ],
            &["VHS_FILENAMES"],
        )
    },
    Class {
        saves: Some(Saves::VideoList),
        optional: &[("audio", Takes::Link("AUDIO"))],
        ..class(
            "MTB_VideoCombine",
            &[
                ("images", Takes::Link("IMAGE")),
                ("frame_rate", Takes::Whole { min: 1, max: 120 }),
                ("codec", Takes::OneOf(&["h264"])),
                ("crf", Takes::Whole { min: 0, max: 50 }),
                ("preset", Takes::Text),
                ("pix_fmt", Takes::OneOf(&["yuv420p"])),
                ("chunk_size", Takes::Whole { min: 1, max: 64 }),
                ("save_images_in_memory", Takes::Flag),
                ("tile_size", Takes::Whole { min: 0, max: 8_192 }),
                ("tile_overlap", Takes::Whole { min: 0, max: 64 }),
                ("filename_prefix", Takes::Text),
            ],
            &["VHS_FILENAMES"],
        )
    },
];

const fn class(
    name: &'static str,
    inputs: &'static [(&'static str, Takes)],
    outputs: &'static [&'static str],
) -> Class {
    Class { name, inputs, optional: &[], outputs, saves: None }
}

pub(super) fn named(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name == name)
}
