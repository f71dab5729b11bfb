use crate::UnknownStep;
use crate::adapter::Step;
use crate::breaker::Breaker;
use crate::chain::{Chain, Shared};
use crate::settings::ProviderSettings;
use crate::steps::steps;
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
