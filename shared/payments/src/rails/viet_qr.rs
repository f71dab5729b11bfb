//! Bank transfers in Vietnam, by a QR or typed by hand. SePay tells what came into our account.

mod desk;
mod list;
mod payee;
mod settings;

pub use desk::BankDesk;

use super::kind::{Payee, ProcessorList, RailKind};
use crate::TopUpRules;
use crate::rail::{Acceptance, Policy, Recognition, ToldBy};
use platform::{InvalidSettings, Platform, Settings};
use primitives::Currency;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct VietQr;

/// Some banks tell the day only, and a transfer's code can't be known before its order.
const BANK_DAY: Duration = Duration::from_secs(86_400);
/// Longer than a weekend without webhooks.
const WINDOW: Duration = Duration::from_secs(3 * 86_400);

static POLICY: Policy = Policy {
    currency: Currency::VND,
    recognition: Recognition::Code,
    acceptance: Acceptance::AsArrived { slack: BANK_DAY },
    told_by: ToldBy::Messages,
    window: WINDOW,
    lists_voided: false,
};

impl RailKind for VietQr {
    fn name(&self) -> &'static str {
        "viet_qr"
    }

    fn policy(&self) -> &'static Policy {
        &POLICY
    }

    fn is_configured(&self, settings: &mut Settings<'_>) -> bool {
        settings.optional("BANK_ACCOUNT").is_some()
    }

    fn payee(&self, _: &Platform, rules: &TopUpRules, settings: &mut Settings<'_>) -> Option<Arc<dyn Payee>> {
        payee::TransferSlip::read(rules, settings).map(|own| Arc::new(own) as Arc<dyn Payee>)
    }

    fn list(&self, platform: &Platform) -> Result<Option<Arc<dyn ProcessorList>>, InvalidSettings> {
        Ok(list::BankList::new(platform)?.map(|list| Arc::new(list) as Arc<dyn ProcessorList>))
    }
}
