#![doc = include_str!("../README.md")]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

mod anthropic;
mod apify;
mod bank;
mod cabinet;
mod calendar;
mod call;
mod chain;
mod civil;
mod clerk;
mod comfyui;
mod consent;
mod content;
mod control;
mod course;
mod credentials;
mod decimal;
mod deepseek;
mod delivery;
mod door;
mod dropbox;
mod fal;
mod faults;
mod frankfurter;
mod google;
mod grants;
mod groq;
mod ids;
mod journal;
mod language;
mod media;
mod memory;
mod multipart;
mod omnivoice;
mod outside;
mod payments;
mod picture;
mod progress;
mod ranges;
mod replicate;
mod reply;
mod script;
mod sentences;
mod sepay;
mod service;
mod shelf;
mod sound;
#[cfg(test)]
mod tests;
mod video;
mod vietcombank;
mod webhooks;

pub use bank::{Mangle, Proof, ScannedQr, TransferWish, UnreadableQr};
pub use cabinet::DriveFile;
pub use chain::UsdtWish;
pub use credentials::{
    ANTHROPIC_KEY, BANK_ACCOUNT, BANK_BIN, CLERK_SECRET_KEY, CLERK_WEBHOOK_SECRET, COMFY_TOKEN, DEEPSEEK_KEY,
    FAL_KEY, SEPAY_BANK_API_KEY, SEPAY_BANK_API_TOKEN, SEPAY_BANK_HMAC_SECRET, SEPAY_IPN_SECRET,
    SEPAY_MERCHANT_ID, SEPAY_SECRET_KEY,
};
pub use credentials::{APIFY_TOKEN, GROQ_KEY, OMNIVOICE_KEY, REPLICATE_API_TOKEN, REPLICATE_WEBHOOK_SECRET};
pub use credentials::{DROPBOX_CLIENT_ID, DROPBOX_CLIENT_SECRET, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET};
pub use credentials::{TRON_API_KEY, TRON_WALLET, USDT_CONTRACT};
pub use delivery::Delivery;
pub use faults::{Fault, FaultRule, Faults, KeySet, Then, WebhookFault};
pub use journal::JournalEntry;
pub use replicate::VIXTTS_VERSION;
pub use sepay::{CardRefusal, IpnKind};
pub use service::Service;

/// The clock follows the machine as long as nobody has set it.
const REAL_CLOCK: u64 = u64::MAX;

/// Where the sandbox lives and how patient it is.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Base of every URL the sandbox hands out, without a trailing slash.
    pub public_base: String,
    /// Base URL of the product that receives the webhooks; without it nothing is delivered.
    pub webhook_target: Option<String>,
    /// The web page's origin; sign-in tokens carry it as `azp`.
    pub origin: String,
    /// Answer at once: no pacing, no queueing.
    pub zero_latency: bool,
}

/// The outside world in one value; clones share everything.
#[derive(Clone)]
pub struct Sandbox {
    world: Arc<World>,
}

/// What all services share.
pub(crate) struct World {
    pub(crate) config: SandboxConfig,
    pub(crate) faults: Faults,
    pub(crate) journal: journal::Journal,
    pub(crate) pictures: picture::Pictures,
    pub(crate) people: clerk::People,
    pub(crate) fal: fal::Jobs,
    pub(crate) comfyui: comfyui::Jobs,
    pub(crate) sepay: sepay::Orders,
    pub(crate) bank: bank::Transfers,
    pub(crate) chain: chain::Chain,
    pub(crate) vietcombank: vietcombank::Board,
    pub(crate) frankfurter: frankfurter::Rates,
    pub(crate) replicate: replicate::Predictions,
    pub(crate) omnivoice: omnivoice::Profiles,
    pub(crate) apify: apify::Runs,
    pub(crate) google: google::Google,
    pub(crate) dropbox: dropbox::Dropbox,
    clock: AtomicU64,
}

impl Sandbox {
    /// A fresh world: no people configured, no faults, an empty journal.
    pub fn new(config: SandboxConfig) -> Sandbox {
        Sandbox { world: Arc::new(World::new(config)) }
    }

    /// The world as the file remembers it; what happens from now on is written there. The file is made when it is missing.
    pub fn remembering(config: SandboxConfig, file: &Path) -> io::Result<Sandbox> {
        let (memory, remembered) = memory::Memory::open(file)?;
        let fal = fal::Jobs::remembering(remembered.fal_jobs, memory.clone(), &config);
        let mut world = World::new(config);
        world.fal = fal;
        world.people = clerk::People::remembering(remembered.people, memory.clone());
        world.sepay = sepay::Orders::remembering(remembered.card_orders, memory.clone());
        world.bank = bank::Transfers::remembering(remembered.transfers, memory.clone());
        world.chain = chain::Chain::remembering(remembered.usdt, memory);
        Ok(Sandbox { world: Arc::new(world) })
    }

    /// Serves `/sandbox`, its control calls and `/sandbox/<service>/…`.
    pub fn router(&self) -> axum::Router {
        control::routes().with_state(self.world.clone())
    }

    /// Sets the time that tokens, webhooks and answers carry; `None` follows the machine's clock.
    pub fn set_now(&self, unix_seconds: Option<u64>) {
        self.world.clock.store(unix_seconds.unwrap_or(REAL_CLOCK), Ordering::Relaxed);
    }

    /// The faults the services are asked to show.
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// The requests the services received, oldest first; the latest 2 000 are kept.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.world.journal.entries()
    }

    /// A fresh sign-in token for an invented person (`ann`, `bob_2`: letters, digits, underscore).
    pub fn token(&self, person: &str) -> String {
        clerk::fresh_token(&self.world, person)
    }
}

impl World {
    fn new(config: SandboxConfig) -> World {
        World {
            config,
            faults: Faults::default(),
            journal: journal::Journal::default(),
            pictures: picture::Pictures::default(),
            people: clerk::People::default(),
            fal: fal::Jobs::default(),
            comfyui: comfyui::Jobs::default(),
            sepay: sepay::Orders::default(),
            bank: bank::Transfers::default(),
            chain: chain::Chain::default(),
            vietcombank: vietcombank::Board::default(),
            frankfurter: frankfurter::Rates::default(),
            replicate: replicate::Predictions::default(),
            omnivoice: omnivoice::Profiles::default(),
            apify: apify::Runs::default(),
            google: google::Google::default(),
            dropbox: dropbox::Dropbox::default(),
            clock: AtomicU64::new(REAL_CLOCK),
        }
    }

    /// Unix seconds.
    #[expect(clippy::disallowed_methods, reason = "the sandbox has its own clock, which tests set")]
    pub(crate) fn now(&self) -> u64 {
        match self.clock.load(Ordering::Relaxed) {
            REAL_CLOCK => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs()),
            set => set,
        }
    }

    /// Unix milliseconds, as exact as the clock's seconds.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now().saturating_mul(1_000)
    }

    /// The public address of `path` (which starts with a slash) under a service.
    pub(crate) fn url(&self, service: Service, path: &str) -> String {
        format!("{}/sandbox/{}{path}", self.config.public_base, service.name())
    }

    /// The gap between two pieces of a paced answer.
    pub(crate) fn pace_ms(&self) -> u64 {
        if self.config.zero_latency { 0 } else { 25 }
    }
}
