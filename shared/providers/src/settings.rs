use crate::prices::TokenPrices;
use crate::replicate::LIFE_SECONDS_MIN;
use platform::Settings;
use primitives::times::{self, Wait};
use primitives::{CostCents, Secret};
use reqwest::header::HeaderValue;
use std::time::Duration;
use url::Url;

/// Everything about the providers that is not the same in every deployment. A provider without its key is not
/// configured, and the others work all the same.
pub(crate) struct ProviderSettings {
    pub(crate) deepseek: DeepseekSettings,
    pub(crate) anthropic: AnthropicSettings,
    pub(crate) fal: FalSettings,
    pub(crate) comfyui: Option<ComfyuiSettings>,
    pub(crate) replicate: ReplicateSettings,
    pub(crate) omnivoice: Option<OmnivoiceSettings>,
    pub(crate) groq: GroqSettings,
    pub(crate) apify: ApifySettings,
    /// `PROVIDER_BACKOFF_MS`: our pause before the same provider is asked again, about.
    pub(crate) backoff: Duration,
}

pub(crate) struct DeepseekSettings {
    /// `DEEPSEEK_API_KEY`
    pub(crate) key: Option<HeaderValue>,
    /// `DEEPSEEK_URL`
    pub(crate) url: Url,
    /// Where it tells what is left of our money there.
    pub(crate) balance: Url,
    /// `DEEPSEEK_CHAT_MODEL`, `DEEPSEEK_CHAT_{HIT,MISS,OUTPUT}_CENTS`
    pub(crate) chat: TextModel,
    /// `DEEPSEEK_REASONER_MODEL`, `DEEPSEEK_REASONER_{HIT,MISS,OUTPUT}_CENTS`
    pub(crate) reasoner: TextModel,
}

pub(crate) struct AnthropicSettings {
    /// `ANTHROPIC_API_KEY`
    pub(crate) key: Option<HeaderValue>,
    /// `ANTHROPIC_URL`
    pub(crate) url: Url,
    /// `ANTHROPIC_MODEL`, `ANTHROPIC_{INPUT,CACHED_INPUT,CACHE_WRITE,OUTPUT}_CENTS`
    pub(crate) premium: TextModel,
    /// `ANTHROPIC_THINKING`: the `thinking.type` to ask for; absent: what the model does by itself.
    pub(crate) thinking: Option<String>,
}

pub(crate) struct FalSettings {
    /// `FAL_KEY`, as `id:secret`
    pub(crate) key: Option<HeaderValue>,
    /// `FAL_KEY`, which makes the tokens of our webhooks' addresses, too.
    pub(crate) webhook_key: Option<Secret>,
    /// `FAL_QUEUE_URL`
    pub(crate) queue: Url,
    /// `FAL_FILE_HOSTS`: files are taken from these hosts and their subdomains only.
    pub(crate) file_hosts: Vec<String>,
    /// `FAL_FLUX_DEV_MODEL`, `FAL_FLUX_DEV_UNIT_PRICE_CENTS`
    pub(crate) flux_dev: FalModel,
    /// `FAL_FLUX_SCHNELL_MODEL`, `FAL_FLUX_SCHNELL_UNIT_PRICE_CENTS`
    pub(crate) flux_schnell: FalModel,
    /// `FAL_FLUX_DEV_FROM_PICTURE_MODEL`, `FAL_FLUX_DEV_FROM_PICTURE_UNIT_PRICE_CENTS`: makes pictures from a picture. Like
    /// its sisters below it is of the same application as the model that begins with words: a webhook names a job by its id
    /// alone.
    pub(crate) flux_dev_from_picture: FalModel,
    /// `FAL_KLING_MODEL`, `FAL_KLING_UNIT_PRICE_CENTS`: a second of a video.
    pub(crate) kling: FalModel,
    /// `FAL_KLING_FROM_PICTURE_MODEL`, `FAL_KLING_FROM_PICTURE_UNIT_PRICE_CENTS`
    pub(crate) kling_from_picture: FalModel,
    /// `FAL_WAN_MODEL`, `FAL_WAN_UNIT_PRICE_CENTS`: a second of a video.
    pub(crate) wan: FalModel,
    /// `FAL_WAN_FROM_PICTURE_MODEL`, `FAL_WAN_FROM_PICTURE_UNIT_PRICE_CENTS`
    pub(crate) wan_from_picture: FalModel,
    pub(crate) timing: Timing,
    pub(crate) video_timing: Timing,
}

const KLING: &str = "fal-ai/kling-video/v3/pro/text-to-video";
const KLING_FROM_PICTURE: &str = "fal-ai/kling-video/v3/pro/image-to-video";
const WAN: &str = "fal-ai/wan-25-preview/text-to-video";
const WAN_FROM_PICTURE: &str = "fal-ai/wan-25-preview/image-to-video";

pub(crate) struct FalModel {
    pub(crate) model: String,
    pub(crate) submit: Url,
    pub(crate) unit_price: CostCents,
}

pub(crate) struct ComfyuiSettings {
    /// `COMFYUI_URL`; absent: not configured.
    pub(crate) url: Url,
    /// `COMFYUI_TOKEN`, for the proxy in front of it.
    pub(crate) token: Option<HeaderValue>,
    /// `COMFYUI_CHECKPOINT`
    pub(crate) checkpoint: String,
    /// `COMFYUI_COST_CENTS`: what one image costs us in machine time.
    pub(crate) cost: CostCents,
    /// `COMFYUI_VIDEO_MODEL`: the file of the diffusion model that makes videos.
    pub(crate) video_model: String,
    /// `COMFYUI_VIDEO_COST_CENTS`: what one video costs us in machine time.
    pub(crate) video_cost: CostCents,
    pub(crate) timing: Timing,
    pub(crate) video_timing: Timing,
}

pub(crate) struct ReplicateSettings {
    /// `REPLICATE_API_TOKEN`
    pub(crate) key: Option<HeaderValue>,
    /// `REPLICATE_URL`, with its version
    pub(crate) url: Url,
    /// `REPLICATE_FILE_HOSTS`: files are taken from these hosts and their subdomains only.
    pub(crate) file_hosts: Vec<String>,
    /// `REPLICATE_XTTS_VERSION`: 64 hex digits.
    pub(crate) xtts_version: String,
    /// `REPLICATE_VIXTTS_VERSION`: the model that speaks Vietnamese; absent: it is not spoken here.
    pub(crate) vixtts_version: Option<String>,
    /// `REPLICATE_SPEAKER_URL`: the recording whose voice speaks when the request brings none.
    pub(crate) speaker: Option<Url>,
    /// `REPLICATE_SPEECH_COST_CENTS`: what a thousand characters cost at most; a job that would cost more is ended.
    pub(crate) speech_cost: CostCents,
    /// `REPLICATE_SECOND_CENTS`: what a second of the machine costs.
    pub(crate) second_cost: CostCents,
    pub(crate) timing: Timing,
}

pub(crate) struct OmnivoiceSettings {
    /// `OMNIVOICE_URL`; absent: not configured.
    pub(crate) url: Url,
    /// `OMNIVOICE_API_KEY`
    pub(crate) key: Option<HeaderValue>,
    /// `OMNIVOICE_MODEL`
    pub(crate) model: String,
    /// `OMNIVOICE_COST_CENTS`: what a thousand characters cost us in machine time.
    pub(crate) cost: CostCents,
    pub(crate) timing: Timing,
}

pub(crate) struct GroqSettings {
    /// `GROQ_API_KEY`
    pub(crate) key: Option<HeaderValue>,
    /// `GROQ_URL`
    pub(crate) url: Url,
    /// `GROQ_WHISPER_MODEL`
    pub(crate) model: String,
    /// `GROQ_HOUR_CENTS`: what an hour of sound costs.
    pub(crate) hour_cost: CostCents,
    /// `GROQ_FILE_BYTES_MAX`: what is longer is sent in parts.
    pub(crate) file_bytes_max: u64,
    /// `GROQ_LINK_BYTES_MAX`: what is no longer is handed over as a link of ours that soon ends, for Groq to fetch; 0: nothing is.
    pub(crate) link_bytes_max: u64,
    pub(crate) timing: Timing,
}

pub(crate) struct ApifySettings {
    /// `APIFY_TOKEN`
    pub(crate) key: Option<HeaderValue>,
    /// `APIFY_URL`
    pub(crate) url: Url,
    pub(crate) captions: Captions,
    /// `APIFY_VIDEOS_{ACTOR,START_CENTS,ROW_CENTS}`
    pub(crate) videos: Gatherer,
    /// `APIFY_CHANNELS_{ACTOR,START_CENTS,ROW_CENTS}`
    pub(crate) channels: Gatherer,
    /// `APIFY_MARKET_{ACTOR,START_CENTS,ROW_CENTS}`
    pub(crate) market: Gatherer,
    /// `APIFY_WEBHOOK_SECRET`: Apify signs nothing, so its messages carry this; absent: it is only looked at.
    pub(crate) webhook_secret: Option<Secret>,
}

/// An actor that reads captions.
pub(crate) struct Captions {
    /// `APIFY_CAPTIONS_ACTOR`, as `user~actor`
    pub(crate) actor: String,
    /// `APIFY_CAPTIONS_COST_CENTS`: what the captions of a video may cost at most; Apify keeps to it.
    pub(crate) cost: CostCents,
    pub(crate) timing: Timing,
}

/// An actor that gathers rows.
pub(crate) struct Gatherer {
    /// As `user~actor`
    pub(crate) actor: String,
    pub(crate) start: CostCents,
    pub(crate) row: CostCents,
    pub(crate) timing: Timing,
}

pub(crate) struct TextModel {
    pub(crate) model: String,
    pub(crate) prices: TokenPrices,
    pub(crate) timing: Timing,
}

/// How long one attempt may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// `PROVIDER_FIRST_CONTENT_MS_{CHAT,REASONER,IMAGE,VIDEO,SPEECH,CAPTIONS,HEARING,ROWS}`: to the first token, or to the
    /// finished work.
    pub(crate) first_content: Duration,
    /// `PROVIDER_STREAM_GAP_MS`: from token to token; keep-alives are none.
    pub(crate) gap: Duration,
    /// `PROVIDER_TOTAL_MS`
    pub(crate) total: Duration,
    /// `PROVIDER_POLL_MS`: the first pause between two looks at a queued job; it grows to five times that.
    pub(crate) poll: Duration,
}

impl ProviderSettings {
    pub(crate) fn read(settings: &mut Settings<'_>) -> ProviderSettings {
        ProviderSettings {
            deepseek: DeepseekSettings::read(settings),
            anthropic: AnthropicSettings::read(settings),
            fal: FalSettings::read(settings),
            comfyui: ComfyuiSettings::read(settings),
            replicate: ReplicateSettings::read(settings),
            omnivoice: OmnivoiceSettings::read(settings),
            groq: GroqSettings::read(settings),
            apify: ApifySettings::read(settings),
            backoff: millis(settings, "PROVIDER_BACKOFF_MS", 500),
        }
    }
}

impl DeepseekSettings {
    pub(crate) fn read(settings: &mut Settings<'_>) -> DeepseekSettings {
        let url = settings.url_or("DEEPSEEK_URL", "https://api.deepseek.com");
        let chat = TextModel {
            model: settings.text_or("DEEPSEEK_CHAT_MODEL", "deepseek-v4-flash"),
            prices: deepseek_prices(settings, "CHAT", [280_000, 14_000_000, 28_000_000]),
            timing: Timing::read(settings, "CHAT", &times::FIRST_CHAT_TOKEN),
        };
        let reasoner = TextModel {
            model: settings.text_or("DEEPSEEK_REASONER_MODEL", "deepseek-v4-pro"),
            prices: deepseek_prices(settings, "REASONER", [362_500, 43_500_000, 87_000_000]),
            timing: Timing::read(settings, "REASONER", &times::FIRST_REASONER_TOKEN),
        };
        DeepseekSettings {
            key: header(settings, "DEEPSEEK_API_KEY", "Bearer "),
            url: endpoint(settings, "DEEPSEEK_URL", &format!("{url}/chat/completions")),
            balance: endpoint(settings, "DEEPSEEK_URL", &format!("{url}/user/balance")),
            chat,
            reasoner,
        }
    }
}

impl AnthropicSettings {
    fn read(settings: &mut Settings<'_>) -> AnthropicSettings {
        let url = settings.url_or("ANTHROPIC_URL", "https://api.anthropic.com");
        let prices = TokenPrices {
            input: cents(settings, "ANTHROPIC_INPUT_CENTS", 200_000_000),
            cached_input: cents(settings, "ANTHROPIC_CACHED_INPUT_CENTS", 20_000_000),
            cache_write: cents(settings, "ANTHROPIC_CACHE_WRITE_CENTS", 250_000_000),
            output: cents(settings, "ANTHROPIC_OUTPUT_CENTS", 1_000_000_000),
        };
        let premium = TextModel {
            model: settings.text_or("ANTHROPIC_MODEL", "claude-sonnet-5-5"),
            prices,
            timing: Timing::read(settings, "CHAT", &times::FIRST_CHAT_TOKEN),
        };
        AnthropicSettings {
            key: header(settings, "ANTHROPIC_API_KEY", ""),
            url: endpoint(settings, "ANTHROPIC_URL", &format!("{url}/v1/messages")),
            premium,
            thinking: settings.optional("ANTHROPIC_THINKING"),
        }
    }
}

impl FalSettings {
    fn read(settings: &mut Settings<'_>) -> FalSettings {
        let base = settings.url_or("FAL_QUEUE_URL", "https://queue.fal.run");
        let mut model = |name, model, price| fal_model(settings, &base, name, model, price);
        let flux_dev = model("FLUX_DEV", "fal-ai/flux/dev", 2_500_000);
        let flux_schnell = model("FLUX_SCHNELL", "fal-ai/flux/schnell", 300_000);
        let flux_dev_from_picture =
            model("FLUX_DEV_FROM_PICTURE", "fal-ai/flux/dev/image-to-image", 3_000_000);
        let kling = model("KLING", KLING, 28_000_000);
        let kling_from_picture = model("KLING_FROM_PICTURE", KLING_FROM_PICTURE, 28_000_000);
        let wan = model("WAN", WAN, 10_000_000);
        let wan_from_picture = model("WAN_FROM_PICTURE", WAN_FROM_PICTURE, 10_000_000);
        for (name, words, picture) in [
            ("FAL_FLUX_DEV_FROM_PICTURE_MODEL", &flux_dev, &flux_dev_from_picture),
            ("FAL_KLING_FROM_PICTURE_MODEL", &kling, &kling_from_picture),
            ("FAL_WAN_FROM_PICTURE_MODEL", &wan, &wan_from_picture),
        ] {
            if words.application() != picture.application() {
                settings.complain(name, "is not of the application of the model that begins with words");
            }
        }
        FalSettings {
            key: header(settings, "FAL_KEY", "Key "),
            webhook_key: settings.optional_secret("FAL_KEY"),
            queue: endpoint(settings, "FAL_QUEUE_URL", &base),
            file_hosts: hosts(settings, "FAL_FILE_HOSTS", "fal.media"),
            flux_dev,
            flux_schnell,
            flux_dev_from_picture,
            kling,
            kling_from_picture,
            wan,
            wan_from_picture,
            timing: Timing::read(settings, "IMAGE", &times::IMAGE),
            video_timing: Timing::read(settings, "VIDEO", &times::VIDEO),
        }
    }
}

impl FalModel {
    /// `owner/app`: what fal's addresses of a job keep of the model's id.
    pub(crate) fn application(&self) -> &str {
        let end = self.model.match_indices('/').nth(1).map_or(self.model.len(), |(at, _)| at);
        &self.model[..end]
    }
}

impl ComfyuiSettings {
    fn read(settings: &mut Settings<'_>) -> Option<ComfyuiSettings> {
        settings.optional("COMFYUI_URL")?;
        let base = settings.url("COMFYUI_URL");
        Some(ComfyuiSettings {
            url: endpoint(settings, "COMFYUI_URL", &format!("{base}/")),
            token: header(settings, "COMFYUI_TOKEN", "Bearer "),
            checkpoint: settings.text_or("COMFYUI_CHECKPOINT", "z8.safetensors"),
            cost: cents(settings, "COMFYUI_COST_CENTS", 200_000),
            video_model: settings.text_or("COMFYUI_VIDEO_MODEL", "wan2.2_ti2v_5B_fp16.safetensors"),
            video_cost: cents(settings, "COMFYUI_VIDEO_COST_CENTS", 10_000_000),
            timing: Timing::read(settings, "IMAGE", &times::IMAGE),
            video_timing: Timing::read(settings, "VIDEO", &times::VIDEO),
        })
    }
}

impl ReplicateSettings {
    fn read(settings: &mut Settings<'_>) -> ReplicateSettings {
        let base = settings.url_or("REPLICATE_URL", "https://api.replicate.com/v1");
        let speaker = settings.optional("REPLICATE_SPEAKER_URL");
        let speech_cost = cents(settings, "REPLICATE_SPEECH_COST_CENTS", 6_000_000);
        let second_cost = cents(settings, "REPLICATE_SECOND_CENTS", 97_500);
        // Replicate ends no job sooner, so it could not be kept to the price.
        let shortest = second_cost.scaled_half_up(LIFE_SECONDS_MIN, 1);
        if !shortest.is_ok_and(|shortest| shortest <= speech_cost) {
            settings.complain("REPLICATE_SPEECH_COST_CENTS", "does not pay five of REPLICATE_SECOND_CENTS");
        }
        ReplicateSettings {
            key: header(settings, "REPLICATE_API_TOKEN", "Bearer "),
            url: endpoint(settings, "REPLICATE_URL", &format!("{base}/")),
            file_hosts: hosts(settings, "REPLICATE_FILE_HOSTS", "replicate.delivery"),
            xtts_version: settings.text_or(
                "REPLICATE_XTTS_VERSION",
                "684bc3855b37866c0c65add2ff39c78f3dea3f4ff103a436465326e0f438d55e",
            ),
            vixtts_version: settings.optional("REPLICATE_VIXTTS_VERSION"),
            speaker: speaker.map(|speaker| endpoint(settings, "REPLICATE_SPEAKER_URL", &speaker)),
            speech_cost,
            second_cost,
            timing: Timing::read(settings, "SPEECH", &times::SPEECH),
        }
    }
}

impl OmnivoiceSettings {
    fn read(settings: &mut Settings<'_>) -> Option<OmnivoiceSettings> {
        settings.optional("OMNIVOICE_URL")?;
        let base = settings.url("OMNIVOICE_URL");
        Some(OmnivoiceSettings {
            url: endpoint(settings, "OMNIVOICE_URL", &format!("{base}/")),
            key: header(settings, "OMNIVOICE_API_KEY", "Bearer "),
            model: settings.text_or("OMNIVOICE_MODEL", "omnivoice"),
            cost: cents(settings, "OMNIVOICE_COST_CENTS", 1_000_000),
            timing: Timing::read(settings, "SPEECH", &times::SPEECH),
        })
    }
}

impl GroqSettings {
    fn read(settings: &mut Settings<'_>) -> GroqSettings {
        let base = settings.url_or("GROQ_URL", "https://api.groq.com/openai/v1");
        GroqSettings {
            key: header(settings, "GROQ_API_KEY", "Bearer "),
            url: endpoint(settings, "GROQ_URL", &format!("{base}/")),
            model: settings.text_or("GROQ_WHISPER_MODEL", "whisper-large-v3"),
            hour_cost: cents(settings, "GROQ_HOUR_CENTS", 11_100_000),
            file_bytes_max: settings.parsed_or("GROQ_FILE_BYTES_MAX", 25_000_000, "a number of bytes"),
            link_bytes_max: settings.parsed_or("GROQ_LINK_BYTES_MAX", 0, "a number of bytes"),
            timing: Timing::read(settings, "HEARING", &times::HEARING),
        }
    }
}

impl ApifySettings {
    fn read(settings: &mut Settings<'_>) -> ApifySettings {
        let base = settings.url_or("APIFY_URL", "https://api.apify.com/v2");
        let captions = Captions {
            actor: settings.text_or("APIFY_CAPTIONS_ACTOR", "pintostudio~youtube-transcript-scraper"),
            cost: cents(settings, "APIFY_CAPTIONS_COST_CENTS", 2_000_000),
            timing: Timing::read(settings, "CAPTIONS", &times::CAPTIONS),
        };
        ApifySettings {
            key: header(settings, "APIFY_TOKEN", "Bearer "),
            url: endpoint(settings, "APIFY_URL", &format!("{base}/")),
            captions,
            videos: gatherer(settings, "VIDEOS", "streamers~youtube-scraper", [5_000, 500_000]),
            channels: gatherer(settings, "CHANNELS", "streamers~youtube-channel-scraper", [5_000, 500_000]),
            market: gatherer(settings, "MARKET", "apify~google-search-scraper", [500_000, 350_000]),
            webhook_secret: settings.optional_secret("APIFY_WEBHOOK_SECRET"),
        }
    }
}

fn gatherer(settings: &mut Settings<'_>, name: &str, actor: &str, defaults: [u64; 2]) -> Gatherer {
    let [start, row] = defaults;
    Gatherer {
        actor: settings.text_or(&format!("APIFY_{name}_ACTOR"), actor),
        start: cents(settings, &format!("APIFY_{name}_START_CENTS"), start),
        row: cents(settings, &format!("APIFY_{name}_ROW_CENTS"), row),
        timing: Timing::read(settings, "ROWS", &times::ROWS),
    }
}

/// Small letters; `default` where none are given.
fn hosts(settings: &mut Settings<'_>, name: &str, default: &str) -> Vec<String> {
    let mut hosts = settings.list(name);
    if hosts.is_empty() {
        hosts.push(default.to_owned());
    }
    hosts.iter().map(|host| host.to_ascii_lowercase()).collect()
}

impl Timing {
    fn read(settings: &mut Settings<'_>, kind: &str, first_content: &Wait) -> Timing {
        Timing {
            first_content: limit(settings, &format!("PROVIDER_FIRST_CONTENT_MS_{kind}"), first_content),
            gap: limit(settings, "PROVIDER_STREAM_GAP_MS", &times::STREAM_GAP),
            total: limit(settings, "PROVIDER_TOTAL_MS", &times::PROVIDER_ATTEMPT),
            poll: millis(settings, "PROVIDER_POLL_MS", 1_000),
        }
    }
}

fn deepseek_prices(settings: &mut Settings<'_>, tier: &str, defaults: [u64; 3]) -> TokenPrices {
    let [hit, miss, output] = defaults;
    TokenPrices {
        input: cents(settings, &format!("DEEPSEEK_{tier}_MISS_CENTS"), miss),
        cached_input: cents(settings, &format!("DEEPSEEK_{tier}_HIT_CENTS"), hit),
        cache_write: CostCents::ZERO,
        output: cents(settings, &format!("DEEPSEEK_{tier}_OUTPUT_CENTS"), output),
    }
}

fn fal_model(settings: &mut Settings<'_>, base: &str, name: &str, model: &str, price: u64) -> FalModel {
    let variable = format!("FAL_{name}_MODEL");
    let model = settings.text_or(&variable, model);
    FalModel {
        submit: endpoint(settings, &variable, &format!("{base}/{model}")),
        unit_price: cents(settings, &format!("FAL_{name}_UNIT_PRICE_CENTS"), price),
        model,
    }
}

fn cents(settings: &mut Settings<'_>, name: &str, default_micro_cents: u64) -> CostCents {
    let default = CostCents::from_micro_cents(default_micro_cents);
    settings.parsed_or(name, default, "an amount of cents such as 0.28")
}

/// A limit that the table of waits knows; it is the default.
fn limit(settings: &mut Settings<'_>, name: &str, wait: &Wait) -> Duration {
    millis(settings, name, u64::try_from(wait.limit.as_millis()).unwrap_or(u64::MAX))
}

/// At least 1: a pause or deadline of nothing would spin or refuse everything.
fn millis(settings: &mut Settings<'_>, name: &str, default: u64) -> Duration {
    let millis: u64 = settings.parsed_or(name, default, "a number of milliseconds");
    Duration::from_millis(millis.max(1))
}

fn endpoint(settings: &mut Settings<'_>, name: &str, address: &str) -> Url {
    Url::parse(address).unwrap_or_else(|_| {
        settings.complain(name, "gives no usable address");
        Url::parse("http://unset.invalid").expect("a constant address")
    })
}

/// The value of the header that carries the key; it never appears in a debug text.
fn header(settings: &mut Settings<'_>, name: &str, scheme: &str) -> Option<HeaderValue> {
    let key: Secret = settings.optional_secret(name)?;
    match HeaderValue::from_str(&format!("{scheme}{}", key.expose())) {
        Ok(mut value) => {
            value.set_sensitive(true);
            Some(value)
        }
        Err(_) => {
            settings.complain(name, "holds characters that a header can't carry");
            None
        }
    }
}
