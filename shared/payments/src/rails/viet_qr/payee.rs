use super::settings::BankSettings;
use crate::items::reference_name;
use crate::order::TopUp;
use crate::pay_by::{Drawn, PayBy, Priced};
use crate::rails::kind::Payee;
use crate::{Rail, TopUpRules};
use platform::Settings;
use primitives::{Overflow, TopUpId};
use rails::viet_qr::{CodePrefix, Payload, ReferenceCode};

/// Says what a transfer must say: account, amount, and the order's code.
pub(super) struct TransferSlip {
    prefix: CodePrefix,
    bank: BankSettings,
}

impl TransferSlip {
    pub(super) fn read(rules: &TopUpRules, settings: &mut Settings<'_>) -> Option<TransferSlip> {
        let bank = BankSettings::read(settings)?;
        if bank.holder.is_empty() {
            settings.complain("BANK_ACCOUNT_NAME", "is missing beside BANK_ACCOUNT: payers compare it");
        }
        Some(TransferSlip { prefix: rules.reference_prefix, bank })
    }
}

impl Payee for TransferSlip {
    fn draw(&self, _: TopUpId, priced: &Priced, _: bool) -> Result<Drawn, Overflow> {
        let reference = ReferenceCode::mint(self.prefix).to_string();
        let name = reference_name(Rail::VietQr, &reference);
        Ok(Drawn { credits: priced.credits, price: priced.price, reference, name })
    }

    fn pay_by(&self, order: &TopUp) -> Option<PayBy> {
        let bank = &self.bank;
        let amount = order.price.try_into().ok()?;
        let payload = Payload::new(&bank.beneficiary, amount, &order.reference).ok()?;
        Some(PayBy::Transfer {
            bank: bank.bank.clone(),
            bin: bank.beneficiary.bin().to_owned(),
            account: bank.account.clone(),
            holder: bank.holder.clone(),
            payload,
        })
    }
}
