//! International cards on SePay's payment gateway. An IPN only says which order to ask SePay for.

mod desk;
mod list;
mod payee;
mod settings;

pub use desk::{CardDesk, CardNews};

use super::kind::{Payee, ProcessorList, RailKind};
use crate::TopUpRules;
use crate::rail::{Acceptance, Policy, Recognition, ToldBy};
use platform::{InvalidSettings, Platform, Settings};
use primitives::Currency;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct SepayCard;

/// A form that was signed long ago must not buy at that day's rate.
const GRACE: Duration = Duration::from_secs(7 * 86_400);
/// Longer than a payment made before it can still be voided.
const WINDOW: Duration = Duration::from_secs(7 * 86_400);

static POLICY: Policy = Policy {
    currency: Currency::VND,
    recognition: Recognition::Number,
    acceptance: Acceptance::AsOrdered { grace: GRACE },
    told_by: ToldBy::Messages,
    window: WINDOW,
    // Nobody knows whether a voided order stays captured in SePay's list.
    lists_voided: true,
};

impl RailKind for SepayCard {
    fn name(&self) -> &'static str {
        "sepay_card"
    }

    fn policy(&self) -> &'static Policy {
        &POLICY
    }

    fn is_configured(&self, settings: &mut Settings<'_>) -> bool {
        settings.optional("SEPAY_MERCHANT_ID").is_some()
    }

    fn payee(
        &self,
        platform: &Platform,
        rules: &TopUpRules,
        settings: &mut Settings<'_>,
    ) -> Option<Arc<dyn Payee>> {
        payee::Checkout::read(platform.profile(), rules, settings).map(|own| Arc::new(own) as Arc<dyn Payee>)
    }

    fn list(&self, platform: &Platform) -> Result<Option<Arc<dyn ProcessorList>>, InvalidSettings> {
        Ok(CardDesk::new(platform)?.map(|desk| Arc::new(desk) as Arc<dyn ProcessorList>))
    }
}
