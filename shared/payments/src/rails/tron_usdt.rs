//! USDT on TRON, to our own wallet. There is no message: the chain is read, and the exact amount leads to the order.

mod claim;
mod desk;
mod payee;
mod settings;

pub use claim::{ClaimOutcome, WaitingClaim};
pub use desk::{ChainDesk, PollReport};

use super::kind::{Payee, ProcessorList, RailKind};
use crate::TopUpRules;
use crate::rail::{Acceptance, Policy, Recognition, ToldBy};
use crate::ruling::CLOCKS_APART;
use platform::{InvalidSettings, Platform, Settings};
use primitives::Currency;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct TronUsdt;

/// Longer than a weekend without polls.
const WINDOW: Duration = Duration::from_secs(3 * 86_400);

static POLICY: Policy = Policy {
    currency: Currency::USDT,
    recognition: Recognition::Amount,
    // Not more: whoever sees a stray transfer could otherwise still make an order for its amount.
    acceptance: Acceptance::AsArrived { slack: CLOCKS_APART },
    told_by: ToldBy::Polls,
    window: WINDOW,
    lists_voided: false,
};

impl RailKind for TronUsdt {
    fn name(&self) -> &'static str {
        "tron_usdt"
    }

    fn policy(&self) -> &'static Policy {
        &POLICY
    }

    fn is_configured(&self, settings: &mut Settings<'_>) -> bool {
        settings.optional("TRON_WALLET").is_some()
    }

    fn payee(
        &self,
        platform: &Platform,
        _: &TopUpRules,
        settings: &mut Settings<'_>,
    ) -> Option<Arc<dyn Payee>> {
        let unit = platform.profile().unit;
        payee::ExactAmounts::read(unit, settings).map(|own| Arc::new(own) as Arc<dyn Payee>)
    }

    fn list(&self, platform: &Platform) -> Result<Option<Arc<dyn ProcessorList>>, InvalidSettings> {
        Ok(ChainDesk::new(platform)?.map(|desk| Arc::new(desk) as Arc<dyn ProcessorList>))
    }
}
