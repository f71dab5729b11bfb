use super::settings::{BankSettings, read_bank_keys};
use crate::arrival::{Arrival, Delivery, Destination, Received, TransferMarks};
use crate::error::own_key_is_malformed;
use crate::fact::{FactKey, Ignored, InvalidFactKey, Unmatched, Via};
use crate::items::reference_name;
use crate::settings::read_sepay_offset;
use crate::{Likeness, Payments, PaymentsError, Rail, TopUpRules};
use http::HeaderMap;
use platform::{InvalidSettings, Platform};
use primitives::{Currency, Money, Timestamp};
use rails::NotAuthentic;
use rails::sepay_bank::{Direction, Glimpse, Transfer, WebhookKeys, authenticate};
use rails::viet_qr::{CodePrefix, find_codes, near_codes};
use std::collections::HashSet;

/// What SePay tells about our bank account becomes credit.
#[derive(Clone)]
pub struct BankDesk {
    payments: Payments,
    keys: WebhookKeys,
    bank: BankSettings,
    /// Every number under which money is ours.
    accounts: Vec<String>,
    prefix: CodePrefix,
    offset_minutes: i16,
}

/// So many codes that a payer may have meant are looked up.
const NEAR_MAX: usize = 300;
/// One name can stand for so many codes at most; a text with more is nobody's.
const CODES_MAX: usize = 50;

impl BankDesk {
    /// `None` when the profile offers no transfers, or no bank account is configured.
    pub fn new(platform: &Platform) -> Result<Option<BankDesk>, InvalidSettings> {
        let rules = platform.rules(TopUpRules::read)?;
        if !Rail::VietQr.is_offered_by(&rules) {
            return Ok(None);
        }
        let payments = Payments::new(platform)?;
        platform.env().section(|settings| {
            let keys = read_bank_keys(settings);
            let (prefix, offset_minutes) = (rules.reference_prefix, read_sepay_offset(settings));
            let mut accounts = settings.list("BANK_ACCOUNT_ALIASES");
            let bank = BankSettings::read(settings)?;
            accounts.push(bank.account.clone());
            Some(BankDesk { payments, keys, bank, accounts, prefix, offset_minutes })
        })
    }

    /// For the function that SePay's webhooks reach: where transfers are taken it can't start without
    /// `SEPAY_BANK_HMAC_SECRETS` or `SEPAY_BANK_API_KEYS`.
    pub fn for_messages(platform: &Platform) -> Result<Option<BankDesk>, InvalidSettings> {
        let desk = BankDesk::new(platform)?;
        if desk.as_ref().is_some_and(|desk| desk.keys.hmac.is_empty() && desk.keys.api_keys.is_empty()) {
            platform.env().section(|settings| {
                let what = "is missing beside BANK_ACCOUNT, and so is SEPAY_BANK_API_KEYS: no webhook would be believed";
                settings.complain("SEPAY_BANK_HMAC_SECRETS", what);
            })?;
        }
        Ok(desk)
    }

    pub fn authenticate(&self, headers: &HeaderMap, raw: &[u8], now: Timestamp) -> Result<(), NotAuthentic> {
        authenticate(&self.keys, headers, raw, now)
    }

    /// Takes an authentic webhook body. What can't be understood is kept as it came.
    pub async fn take(&self, raw: &[u8], now: Timestamp) -> Result<Received, PaymentsError> {
        let arrival = match Transfer::parse(raw, self.offset_minutes) {
            Ok(transfer) => self.arrival(&transfer, raw, Via::Webhook, now),
            Err(unreadable) => {
                tracing::error!(error = %unreadable, "an authentic bank message can't be read; it is kept");
                self.unreadable(raw, now)
            }
        };
        let arrival = arrival.map_err(|_| own_key_is_malformed())?;
        let received = self.payments.receive(&arrival, now).await?;
        self.payments.store.note_moment(Rail::VietQr, crate::HEARD, now).await;
        Ok(received)
    }

    /// The same judgement for webhook and list, so that either can stand in for the other.
    pub(super) fn arrival(
        &self,
        transfer: &Transfer,
        raw: &[u8],
        via: Via,
        now: Timestamp,
    ) -> Result<Arrival, InvalidFactKey> {
        let key = FactKey::new(Rail::VietQr, &transfer.id.to_string(), "0")?;
        let delivery = Delivery { key: transfer.id.to_string(), body: raw.to_vec() };
        let destination = self.destination(transfer);
        let marks = TransferMarks {
            likeness: likeness(transfer, &destination, via),
            near: self.near_names(transfer.texts(), destination.names()),
        };
        Ok(Arrival {
            key,
            amount: Money::from(transfer.amount),
            // A bank's clock may run ahead; nothing was paid later than now.
            paid_at: transfer.at.unwrap_or(now).min(now),
            destination,
            trace: transfer.reference_code.clone().unwrap_or_else(|| transfer.id.to_string()),
            shown_as: None,
            via,
            delivery,
            marks: Some(marks),
        })
    }

    /// With everything about it that can be read.
    fn unreadable(&self, raw: &[u8], now: Timestamp) -> Result<Arrival, InvalidFactKey> {
        let seen = Transfer::glimpse(raw, self.offset_minutes);
        let id = seen.id.map(|id| id.to_string());
        let texts = seen.texts.iter().map(|text| text.expose().as_str());
        let near = self.near_names(texts, &[]);
        let likeness = self.glimpsed_likeness(&seen);
        let arrival = Arrival::unreadable(Rail::VietQr, id.as_deref(), raw, now)?;
        Ok(Arrival {
            amount: seen.amount.map_or(Money::zero(Currency::VND), Money::from),
            paid_at: seen.at.unwrap_or(now).min(now),
            trace: seen.reference_code.unwrap_or(arrival.trace),
            marks: Some(TransferMarks { likeness, near }),
            ..arrival
        })
    }

    /// By which a transfer whose message can't be read is recognised when it is told again; `None` when too little of it
    /// is known.
    fn glimpsed_likeness(&self, seen: &Glimpse) -> Option<Likeness> {
        let (reference, at) = (seen.reference_code.as_deref()?, seen.at?);
        seen.amount?;
        let codes = seen.texts.iter().flat_map(|text| find_codes(self.prefix, text.expose()));
        let mut names: Vec<String> =
            codes.map(|code| reference_name(Rail::VietQr, &code.to_string())).collect();
        names.sort_unstable();
        names.dedup();
        Some(Likeness::new(Some(reference), &names, [], Some(at), false))
    }

    /// The names of orders whose codes are one mistake away, without those that the text names.
    fn near_names<'a>(&self, texts: impl Iterator<Item = &'a str>, named: &[String]) -> Vec<String> {
        let codes = texts.flat_map(|text| near_codes(self.prefix, text));
        let names = codes.map(|code| reference_name(Rail::VietQr, &code.to_string()));
        let mut seen: HashSet<String> = named.iter().cloned().collect();
        names.filter(|name| seen.insert(name.clone())).take(NEAR_MAX).collect()
    }

    fn destination(&self, transfer: &Transfer) -> Destination {
        if transfer.direction == Direction::Out {
            return Destination::Ignore(Ignored::Outgoing);
        }
        let codes = transfer.codes(self.prefix);
        if !self.is_ours(transfer) {
            // With a code of ours in it, it is money that somebody expects credit for.
            return match codes.is_empty() {
                true => Destination::Ignore(Ignored::OtherAccount),
                false => Destination::Nothing(Unmatched::OtherAccount),
            };
        }
        if codes.len() > CODES_MAX {
            return Destination::Nothing(Unmatched::SeveralOrders);
        }
        let names =
            codes.iter().map(|code| reference_name(Rail::VietQr, &code.to_string())).collect::<Vec<_>>();
        if names.is_empty() {
            Destination::Nothing(Unmatched::NoOrder)
        } else {
            Destination::References(names)
        }
    }

    /// A virtual account is told beside the account it belongs to. Without any number nobody can say it is not ours.
    fn is_ours(&self, transfer: &Transfer) -> bool {
        let mut told = [&transfer.account_number, &transfer.sub_account].into_iter().flatten().peekable();
        told.peek().is_none() || told.any(|told| self.accounts.iter().any(|ours| is_same_account(told, ours)))
    }

    /// Every number under which money is ours.
    pub(super) fn accounts(&self) -> &[String] {
        &self.accounts
    }

    pub(super) fn account(&self) -> &str {
        &self.bank.account
    }

    pub(super) fn offset_minutes(&self) -> i16 {
        self.offset_minutes
    }

    pub(super) fn payments(&self) -> &Payments {
        &self.payments
    }
}

/// A sender that writes an account as a number loses the zeros in front.
fn is_same_account(told: &str, ours: &str) -> bool {
    told.eq_ignore_ascii_case(ours) || (!told.is_empty() && told == ours.trim_start_matches('0'))
}

/// Only of money that came in: whatever else is told is never credited.
fn likeness(transfer: &Transfer, destination: &Destination, via: Via) -> Option<Likeness> {
    if matches!(destination, Destination::Ignore(_)) {
        return None;
    }
    let accounts = [&transfer.account_number, &transfer.sub_account].into_iter().flatten();
    let accounts = accounts.map(|account| account.trim_start_matches('0').to_ascii_uppercase());
    let is_listed = via == Via::Reconciliation;
    let reference = transfer.reference_code.as_deref();
    Some(Likeness::new(reference, destination.names(), accounts, transfer.at, is_listed))
}
