//! The vendors that live here.

use serde::{Deserialize, Serialize};

/// One vendor; its paths start with `/sandbox/<name>/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Sign-in, users, webhooks.
    Clerk,
    /// Hosted image models behind a queue.
    Fal,
    /// A self-hosted ComfyUI behind a bearer proxy.
    Comfyui,
    /// Chat completions, OpenAI style.
    Deepseek,
    /// The Messages API.
    Anthropic,
    /// SePay's payment gateway: cards.
    Sepay,
    /// The bank, and SePay's view of it.
    Bank,
    /// An indexer of the TRON chain.
    Tronscan,
    /// Another indexer of the same chain.
    Trongrid,
    /// A bank's board of exchange rates.
    Vietcombank,
    /// Central banks' reference rates.
    Frankfurter,
    /// Hosted models of others; here those that speak.
    Replicate,
    /// A self-hosted OmniVoice behind omnivoice-server.
    Omnivoice,
    /// Whisper, OpenAI style.
    Groq,
    /// Scrapers of others.
    Apify,
    /// People's Google accounts and what an app may do in their Drive.
    Google,
    /// People's Dropbox accounts and what an app may do in its folder there.
    Dropbox,
}

impl Service {
    /// Every service, in the order they are listed.
    pub const ALL: [Service; 17] = [
        Service::Clerk,
        Service::Fal,
        Service::Comfyui,
        Service::Deepseek,
        Service::Anthropic,
        Service::Sepay,
        Service::Bank,
        Service::Tronscan,
        Service::Trongrid,
        Service::Vietcombank,
        Service::Frankfurter,
        Service::Replicate,
        Service::Omnivoice,
        Service::Groq,
        Service::Apify,
        Service::Google,
        Service::Dropbox,
    ];

    /// The name used in paths and in fault orders.
    pub fn name(self) -> &'static str {
        match self {
            Service::Clerk => "clerk",
            Service::Fal => "fal",
            Service::Comfyui => "comfyui",
            Service::Deepseek => "deepseek",
            Service::Anthropic => "anthropic",
            Service::Sepay => "sepay",
            Service::Bank => "bank",
            Service::Tronscan => "tronscan",
            Service::Trongrid => "trongrid",
            Service::Vietcombank => "vietcombank",
            Service::Frankfurter => "frankfurter",
            Service::Replicate => "replicate",
            Service::Omnivoice => "omnivoice",
            Service::Groq => "groq",
            Service::Apify => "apify",
            Service::Google => "google",
            Service::Dropbox => "dropbox",
        }
    }

    /// The service of that name, if there is one.
    pub fn named(name: &str) -> Option<Service> {
        Service::ALL.into_iter().find(|service| service.name() == name)
    }
}
