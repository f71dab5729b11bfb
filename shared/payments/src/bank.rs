use crate::arrival::{Arrival, Claim, Delivery, Received};
use crate::card::own_key_is_malformed;
use crate::fact::{FactKey, Ignored, InvalidFactKey, Unmatched, Via};
use crate::items::reference_name;
use crate::settings::{BankSettings, code_prefix, read_bank_keys, read_sepay_offset};
use crate::{Amount, Payments, PaymentsError, Rail};
use http::HeaderMap;
use platform::{InvalidSettings, Platform};
use primitives::Timestamp;
use rails::sepay_bank::{Direction, Transfer, WebhookKeys, authenticate};
use rails::viet_qr::CodePrefix;
use rails::{Refused, Vnd};
use ring::digest::{SHA256, digest};

/// What SePay tells about our bank account becomes credit.
#[derive(Clone)]
pub struct BankDesk {
    payments: Payments,
    keys: WebhookKeys,
    bank: BankSettings,
    prefix: CodePrefix,
    offset_minutes: i16,
}

/// One name can stand for so many codes at most; a text with more is nobody's.
const CODES_MAX: usize = 50;

impl BankDesk {
    /// `None` when no bank account is configured.
    pub fn new(platform: &Platform) -> Result<Option<BankDesk>, InvalidSettings> {
        let payments = Payments::new(platform)?;
        let prefix = &platform.profile().top_ups.reference_prefix;
        platform.env().section(|settings| {
            let keys = read_bank_keys(settings);
            let (prefix, offset_minutes) = (code_prefix(settings, prefix), read_sepay_offset(settings));
            let bank = BankSettings::read(settings)?;
            Some(BankDesk { payments, keys, bank, prefix, offset_minutes })
        })
    }

    pub fn authenticate(&self, headers: &HeaderMap, raw: &[u8], now: Timestamp) -> Result<(), Refused> {
        authenticate(&self.keys, headers, raw, now)
    }

    /// Takes an authentic webhook body. What can't be understood is kept as it came.
    pub async fn take(&self, raw: &[u8], now: Timestamp) -> Result<Received, PaymentsError> {
        let arrival = match Transfer::parse(raw, self.offset_minutes) {
            Ok(transfer) => self.arrival(&transfer, raw, Via::Webhook, now),
            Err(unreadable) => {
                tracing::error!(error = %unreadable, "an authentic bank message can't be read; it is kept");
                unreadable_arrival(Rail::VietQr, raw, now)
            }
        };
        let arrival = arrival.map_err(|_| own_key_is_malformed())?;
        let received = self.payments.receive(&arrival, now).await?;
        self.payments.store.mark(Rail::VietQr, crate::HEARD, now).await?;
        Ok(received)
    }

    /// The same judgement for webhook and list, so that either can stand in for the other.
    pub(crate) fn arrival(
        &self,
        transfer: &Transfer,
        raw: &[u8],
        via: Via,
        now: Timestamp,
    ) -> Result<Arrival, InvalidFactKey> {
        let key = FactKey::new(Rail::VietQr, &transfer.id.to_string(), "0")?;
        let delivery = Delivery { key: transfer.id.to_string(), body: raw.to_vec() };
        Ok(Arrival {
            key,
            amount: Amount::Vnd(transfer.amount),
            // A bank's clock may run ahead; nothing was paid later than now.
            paid_at: transfer.at.unwrap_or(now).min(now),
            claim: self.claim(transfer),
            trace: transfer.reference_code.clone().unwrap_or_else(|| transfer.id.to_string()),
            shown_as: None,
            via,
            delivery,
        })
    }

    fn claim(&self, transfer: &Transfer) -> Claim {
        if transfer.direction == Direction::Out {
            return Claim::Ignore(Ignored::Outgoing);
        }
        // Without an account number nobody can say that it is not ours.
        if transfer.account_number.as_ref().is_some_and(|account| *account != self.bank.account) {
            return Claim::Ignore(Ignored::OtherAccount);
        }
        let codes = transfer.codes(self.prefix);
        if codes.len() > CODES_MAX {
            return Claim::Nothing(Unmatched::SeveralOrders);
        }
        let names =
            codes.iter().map(|code| reference_name(Rail::VietQr, &code.to_string())).collect::<Vec<_>>();
        if names.is_empty() { Claim::Nothing(Unmatched::NoOrder) } else { Claim::References(names) }
    }

    pub(crate) fn account(&self) -> &str {
        &self.bank.account
    }

    pub(crate) fn offset_minutes(&self) -> i16 {
        self.offset_minutes
    }
}

/// Named by its bytes: the same body sent again is the same message.
pub(crate) fn unreadable_arrival(rail: Rail, raw: &[u8], now: Timestamp) -> Result<Arrival, InvalidFactKey> {
    let hash = digest(&SHA256, raw);
    let name = format!("unreadable-{}", hex::encode(&hash.as_ref()[..16]));
    Ok(Arrival {
        key: FactKey::new(rail, &name, "0")?,
        amount: Amount::Vnd(Vnd::ZERO),
        paid_at: now,
        claim: Claim::Nothing(Unmatched::Unreadable),
        trace: name.clone(),
        shown_as: None,
        via: Via::Webhook,
        delivery: Delivery { key: name, body: raw.to_vec() },
    })
}
