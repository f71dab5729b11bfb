use super::settings::ChainSettings;
use crate::Rail;
use crate::items::amount_name;
use crate::order::TopUp;
use crate::pay_by::{Drawn, PayBy, Priced};
use crate::rails::kind::Payee;
use platform::Settings;
use primitives::{Money, Overflow, Rate, TopUpId, Unit, random_bytes};
use rails::tron::Watch;

/// Gives each order an amount of its own.
pub(super) struct ExactAmounts {
    unit: Unit,
    watch: Watch,
}

/// Short amounts end in thousandths of a USDT, long ones in ten-thousandths: some wallets show few decimals.
const SHORT_STEP_MICROS: u64 = 1_000;
const LONG_STEP_MICROS: u64 = 100;
/// The suffix stays below one USDT.
const SUFFIX_BELOW_MICROS: u64 = 1_000_000;

impl ExactAmounts {
    pub(super) fn read(unit: Unit, settings: &mut Settings<'_>) -> Option<ExactAmounts> {
        Some(ExactAmounts { unit, watch: ChainSettings::read(settings)?.watch })
    }
}

impl Payee for ExactAmounts {
    fn draw(&self, _: TopUpId, priced: &Priced, is_short: bool) -> Result<Drawn, Overflow> {
        let minor = priced.price.minor().checked_add(suffix(is_short)).ok_or(Overflow)?;
        let exact = Money::new(minor, priced.price.currency())?;
        Ok(Drawn {
            // Whatever is sent is credited, the suffix too.
            credits: self.unit.credits_down(exact, Rate::ONE)?,
            price: exact,
            reference: exact.to_string(),
            name: amount_name(Rail::TronUsdt, &self.watch.wallet.to_string(), exact),
        })
    }

    fn pay_by(&self, _: &TopUp) -> Option<PayBy> {
        let (wallet, contract) = (self.watch.wallet.to_string(), self.watch.contract.to_string());
        Some(PayBy::Usdt { wallet, contract })
    }
}

/// The suffix is never zero: a round amount would match the first order of that tier.
fn suffix(is_short: bool) -> u64 {
    let step = if is_short { SHORT_STEP_MICROS } else { LONG_STEP_MICROS };
    let steps = SUFFIX_BELOW_MICROS / step - 1;
    (u64::from_be_bytes(random_bytes()) % steps + 1) * step
}
