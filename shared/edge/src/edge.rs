use crate::{EdgeSettings, Limiter};
use credits::Standings;
use identity::Verifier;
use platform::{InvalidSettings, Platform};
use primitives::UserId;
use std::collections::HashSet;
use std::sync::Arc;

/// What every request passes on its way in; built once per function. Cloning is cheap.
#[derive(Clone)]
pub struct Edge {
    shared: Arc<Shared>,
    body_bytes_max: usize,
    administrators: Arc<HashSet<UserId>>,
}

struct Shared {
    platform: Platform,
    settings: EdgeSettings,
    verifier: Verifier,
    limiter: Limiter,
    standings: Standings,
}

impl Edge {
    pub fn new(platform: &Platform) -> Result<Edge, InvalidSettings> {
        let settings = platform.env().section(EdgeSettings::read)?;
        let body_bytes_max = settings.body_bytes_max;
        let shared = Shared {
            platform: platform.clone(),
            settings,
            verifier: Verifier::new(platform)?,
            limiter: Limiter::new(platform)?,
            standings: Standings::new(platform),
        };
        Ok(Edge { shared: Arc::new(shared), body_bytes_max, administrators: Arc::default() })
    }

    /// The same edge for a router whose requests may be larger, or must be smaller.
    pub fn with_body_bytes_max(&self, body_bytes_max: usize) -> Edge {
        Edge { body_bytes_max, ..self.clone() }
    }

    /// The same edge for a router with routes for administrators; without it no person is one.
    pub fn with_administrators(&self, administrators: HashSet<UserId>) -> Edge {
        Edge { administrators: Arc::new(administrators), ..self.clone() }
    }

    pub fn settings(&self) -> &EdgeSettings {
        &self.shared.settings
    }

    pub fn verifier(&self) -> &Verifier {
        &self.shared.verifier
    }

    pub fn limiter(&self) -> &Limiter {
        &self.shared.limiter
    }

    pub(crate) fn standings(&self) -> &Standings {
        &self.shared.standings
    }

    pub(crate) fn is_administrator(&self, user: &UserId) -> bool {
        self.administrators.contains(user)
    }

    pub(crate) fn platform(&self) -> &Platform {
        &self.shared.platform
    }

    pub(crate) fn body_bytes_max(&self) -> usize {
        self.body_bytes_max
    }
}
