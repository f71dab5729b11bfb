use crate::prices::TokenPrices;
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
    /// `FAL_QUEUE_URL`
    pub(crate) queue: Url,
    /// `FAL_FILE_HOSTS`: files are taken from these hosts and their subdomains only.
    pub(crate) file_hosts: Vec<String>,
    /// `FAL_FLUX_DEV_MODEL`, `FAL_FLUX_DEV_UNIT_PRICE_CENTS`
    pub(crate) flux_dev: FalModel,
    /// `FAL_FLUX_SCHNELL_MODEL`, `FAL_FLUX_SCHNELL_UNIT_PRICE_CENTS`
    pub(crate) flux_schnell: FalModel,
    pub(crate) timing: Timing,
}

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
    /// `PROVIDER_FIRST_CONTENT_MS_{CHAT,REASONER,IMAGE}`: to the first token, or to the finished image.
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
        let mut file_hosts = settings.list("FAL_FILE_HOSTS");
        if file_hosts.is_empty() {
            file_hosts.push("fal.media".to_owned());
        }
        FalSettings {
            key: header(settings, "FAL_KEY", "Key "),
            queue: endpoint(settings, "FAL_QUEUE_URL", &base),
            file_hosts: file_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            flux_dev: fal_model(settings, &base, "FLUX_DEV", "fal-ai/flux/dev", 2_500_000),
            flux_schnell: fal_model(settings, &base, "FLUX_SCHNELL", "fal-ai/flux/schnell", 300_000),
            timing: Timing::read(settings, "IMAGE", &times::IMAGE),
        }
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
            timing: Timing::read(settings, "IMAGE", &times::IMAGE),
        })
    }
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
