use crate::adapter::{Adapter, Kind, Step, Worker};
use crate::anthropic::Anthropic;
use crate::at_worst::WorstCosts;
use crate::breaker::Breaker;
use crate::chain::{Chain, Shared};
use crate::comfyui::Comfyui;
use crate::deepseek::Deepseek;
use crate::fal::Fal;
use crate::job::JobAdapter;
use crate::settings::ProviderSettings;
use crate::{ProviderName, UnknownStep};
use platform::{InvalidSettings, Platform};
use std::sync::Arc;

/// All providers of this deployment. Cloning is cheap.
#[derive(Clone)]
pub struct Providers {
    steps: Arc<[Arc<Step>]>,
    shared: Arc<Shared>,
}

impl Providers {
    /// Reads the settings; a provider without a key is left out, a wrong setting stops the start.
    pub fn new(platform: &Platform) -> Result<Providers, InvalidSettings> {
        let settings = platform.env().section(ProviderSettings::read)?;
        let backoff = settings.backoff;
        let shared = Shared { platform: platform.clone(), breaker: Breaker::new(platform), backoff };
        Ok(Providers { steps: steps(platform, settings).into(), shared: Arc::new(shared) })
    }

    /// A chain of steps such as `deepseek/chat`, tried in this order. All of them make the same kind of thing.
    pub fn chain(&self, steps: &[String]) -> Result<Chain, UnknownStep> {
        let mut found: Vec<Arc<Step>> = Vec::with_capacity(steps.len());
        for name in steps {
            let step = self.steps.iter().find(|step| step.name == name.as_str());
            let step = step.ok_or_else(|| UnknownStep::Unknown(name.clone()))?;
            if found.first().is_some_and(|first| first.kind != step.kind) {
                return Err(UnknownStep::OtherKind(name.clone()));
            }
            found.push(Arc::clone(step));
        }
        if found.is_empty() {
            return Err(UnknownStep::Empty);
        }
        Ok(Chain { steps: found, shared: Arc::clone(&self.shared) })
    }

    /// Brings what is known of the providers' health up to date: one read at most every five seconds.
    ///
    /// Meant to run beside the reserve, so that it costs a run no wait. A table that fails changes nothing.
    pub async fn refresh_health(&self) {
        self.shared.breaker.refresh().await;
    }
}

fn steps(platform: &Platform, settings: ProviderSettings) -> Vec<Arc<Step>> {
    let worst = WorstCosts::of(&settings);
    let (chat, reasoner) =
        pair(Deepseek::models(platform, settings.deepseek).map(|models| models.map(stream)));
    let (flux_dev, flux_schnell) = pair(Fal::models(platform, settings.fal).map(|models| models.map(job)));
    let premium = Anthropic::new(platform, settings.anthropic).map(stream);
    let image = settings.comfyui.map(|settings| job(Comfyui::new(platform, settings)));

    let step = |name, provider, kind, price, worker| Arc::new(Step { name, provider, kind, price, worker });
    vec![
        step("deepseek/chat", ProviderName::Deepseek, Kind::Text, worst.chat, chat),
        step("deepseek/reasoner", ProviderName::Deepseek, Kind::Text, worst.reasoner, reasoner),
        step("anthropic/premium", ProviderName::Anthropic, Kind::Text, worst.premium, premium),
        step("fal/flux-dev", ProviderName::Fal, Kind::Image, worst.flux_dev, flux_dev),
        step("fal/flux-schnell", ProviderName::Fal, Kind::Image, worst.flux_schnell, flux_schnell),
        step("comfyui/image", ProviderName::Comfyui, Kind::Image, worst.comfyui, image),
    ]
}

fn stream(adapter: impl Adapter + 'static) -> Worker {
    Worker::Stream(Arc::new(adapter))
}

fn job(adapter: impl JobAdapter + 'static) -> Worker {
    Worker::Job(Arc::new(adapter))
}

fn pair(models: Option<[Worker; 2]>) -> (Option<Worker>, Option<Worker>) {
    match models {
        Some([first, second]) => (Some(first), Some(second)),
        None => (None, None),
    }
}
