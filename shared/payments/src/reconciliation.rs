use crate::bank::BankDesk;
use crate::card::{CardDesk, CardNews};
use crate::chain::{ChainDesk, Compared};
use crate::fact::{FactKey, FactState, Via};
use crate::items::day_name;
use crate::settings::BankListSettings;
use crate::{Payments, PaymentsError, Rail, Received};
use platform::{InvalidSettings, Platform, StoreError};
use primitives::Timestamp;
use rails::sepay_bank::{Api, Direction};
use rails::sepay_card::OrderStatus;
use serde::Serialize;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Compares each rail with the processor's own list, and books what no webhook told.
#[derive(Clone)]
pub struct Reconciliation {
    payments: Payments,
    http: reqwest::Client,
    bank: Option<(BankDesk, Api)>,
    card: Option<CardDesk>,
    chain: Option<ChainDesk>,
    silence: Duration,
}

/// What the comparison of one rail found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RailReport {
    pub rail: &'static str,
    /// Payments in the processor's list.
    pub listed: u32,
    /// Of these, booked only now: their webhook or poll was missed.
    pub repaired: u32,
    /// What does not agree after the repair; must be empty.
    pub differences: Vec<Difference>,
    /// Nothing authentic was heard from this rail for longer than `RAIL_SILENCE_HOURS`.
    pub is_silent: bool,
    /// The processor could not be asked; nothing was compared.
    pub failure: Option<String>,
}

/// One disagreement between our books and the processor's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `viet_qr.92704.0`, or empty for rows without a readable id
    pub payment: String,
    pub what: &'static str,
}

/// How far back the lists are compared: longer than a weekend without webhooks.
const WINDOW: Duration = Duration::from_secs(3 * 86_400);
/// What is younger may still be on its way.
const YOUNG: Duration = Duration::from_secs(300);
const PAGES_MAX: u32 = 200;

impl Reconciliation {
    pub fn new(platform: &Platform) -> Result<Reconciliation, InvalidSettings> {
        let bank = BankDesk::new(platform)?;
        let (list, hours) = platform.env().section(|settings| {
            let hours: u64 = settings.parsed_or("RAIL_SILENCE_HOURS", 26, "whole hours");
            (BankListSettings::read(settings), hours)
        })?;
        let bank = bank.zip(list).map(|(desk, list)| {
            let api = Api {
                base_url: list.api_url,
                token: list.token,
                account_number: desk.account().to_owned(),
                offset_minutes: desk.offset_minutes(),
            };
            (desk, api)
        });
        Ok(Reconciliation {
            payments: Payments::new(platform)?,
            http: platform.http().clone(),
            bank,
            card: CardDesk::new(platform)?,
            chain: ChainDesk::new(platform)?,
            silence: Duration::from_secs(hours.saturating_mul(3600)),
        })
    }

    /// One report per configured rail. A rail that fails keeps no other from being compared.
    pub async fn run(&self, now: Timestamp) -> Result<Vec<RailReport>, PaymentsError> {
        let mut reports = Vec::new();
        for rail in Rail::ALL {
            let Some(compared) = self.compare(rail, now).await else { continue };
            let report = self.judged(rail, compared, now).await?;
            report.log();
            reports.push(report);
        }
        let waiting = self.payments.store.count_open().await?;
        tracing::info!(metric = "payments_waiting", value = waiting, "payments wait for an administrator");
        Ok(reports)
    }

    /// `None`: the rail is not configured.
    async fn compare(&self, rail: Rail, now: Timestamp) -> Option<Result<Compared, PaymentsError>> {
        match rail {
            Rail::SepayCard => Some(compare_cards(self.card.as_ref()?, now).await),
            Rail::VietQr => {
                let (desk, api) = self.bank.as_ref()?;
                Some(self.compare_bank(desk, api, now).await)
            }
            Rail::TronUsdt => {
                let desk = self.chain.as_ref()?;
                Some(desk.compare(now.before(WINDOW), now.before(YOUNG), now).await)
            }
        }
    }

    async fn compare_bank(
        &self,
        desk: &BankDesk,
        api: &Api,
        now: Timestamp,
    ) -> Result<Compared, PaymentsError> {
        let listed = api.transactions(&self.http, None, now.before(WINDOW)).await?;
        let unreadable = u32::try_from(listed.unreadable).unwrap_or(u32::MAX);
        let missing = u32::from(!listed.is_complete);
        let mut compared = Compared { unreadable: unreadable.saturating_add(missing), ..Compared::default() };
        for transfer in &listed.transfers {
            let body = json!({
                "id": transfer.id,
                "accountNumber": transfer.account_number,
                "transferAmount": transfer.amount.get(),
                "transferType": if transfer.direction == Direction::In { "in" } else { "out" },
                "code": transfer.code,
                "content": transfer.content.as_ref().map(|content| content.expose()),
                "referenceCode": transfer.reference_code,
                "transactionDate": transfer.at,
            });
            let arrival = desk.arrival(transfer, body.to_string().as_bytes(), Via::Reconciliation, now);
            let arrival = arrival.map_err(|_| crate::card::own_key_is_malformed())?;
            match self.payments.receive(&arrival, now).await {
                Ok(Received::Before) => {}
                Ok(_) => compared.repaired += 1,
                Err(error) => {
                    tracing::error!(payment = %arrival.key, error = %error, "a listed transfer could not be booked");
                }
            }
            compared.listed.push((arrival.key, transfer.amount.get()));
        }
        Ok(compared)
    }

    /// What our books and the list say after the repair.
    async fn judged(
        &self,
        rail: Rail,
        compared: Result<Compared, PaymentsError>,
        now: Timestamp,
    ) -> Result<RailReport, PaymentsError> {
        let mut report = RailReport {
            rail: rail.as_str(),
            listed: 0,
            repaired: 0,
            differences: Vec::new(),
            is_silent: false,
            failure: None,
        };
        match compared {
            Err(PaymentsError::Store(error)) => return Err(error.into()),
            Err(error) => {
                tracing::error!(%rail, error = %error, "the processor's list could not be read");
                report.failure = Some(error.to_string());
            }
            Ok(compared) => {
                self.payments.store.mark(rail, crate::HEARD, now).await?;
                report.listed = u32::try_from(compared.listed.len()).unwrap_or(u32::MAX);
                report.repaired = compared.repaired;
                report.differences = self.differences(rail, &compared, now).await?;
            }
        }
        let heard = self.payments.store.marks(rail).await?.get(crate::HEARD).copied();
        report.is_silent = heard.is_none_or(|heard| now.since(heard) > self.silence);
        Ok(report)
    }

    async fn differences(
        &self,
        rail: Rail,
        compared: &Compared,
        now: Timestamp,
    ) -> Result<Vec<Difference>, PaymentsError> {
        let mut differences = Vec::new();
        let mut found = |payment: String, what| differences.push(Difference { payment, what });
        if compared.unreadable > 0 {
            found(String::new(), "the list has rows that can't be read");
        }
        let keys: Vec<FactKey> = compared.listed.iter().map(|(key, _)| key.clone()).collect();
        let ours = self.payments.store.facts(&keys).await?;
        let listed: HashMap<&FactKey, u64> =
            compared.listed.iter().map(|(key, units)| (key, *units)).collect();
        for (key, units) in &listed {
            match ours.get(key) {
                None => found(key.to_string(), "listed, but not in our books"),
                Some(fact) if fact.amount.units() != *units => {
                    found(key.to_string(), "another amount is in our books");
                }
                Some(_) => {}
            }
        }
        for key in self.credited_within(rail, now).await? {
            if !listed.contains_key(&key) {
                found(key.to_string(), "credited, but not listed");
            }
        }
        Ok(differences)
    }

    /// What became credit and was paid well inside the compared window.
    async fn credited_within(&self, rail: Rail, now: Timestamp) -> Result<Vec<FactKey>, StoreError> {
        // A list goes by days, perhaps by another clock's: its first day may be cut.
        let (from, to) = (now.before(WINDOW).after(Duration::from_secs(86_400)), now.before(YOUNG));
        let mut keys = Vec::new();
        let mut day = from;
        let mut days = HashSet::new();
        while day.before(Duration::from_secs(86_400)) <= to {
            if days.insert(day.date()) {
                keys.extend(self.payments.store.facts_of_day(&day_name(rail, day), from, to).await?);
            }
            day = day.after(Duration::from_secs(86_400));
        }
        let facts = self.payments.store.facts(&keys).await?;
        // What was taken back is not expected in the list any more.
        let stands = |fact: &crate::Fact| match &fact.state {
            FactState::Credited(credited) => credited.reversed < credited.credits,
            _ => false,
        };
        Ok(facts.into_values().filter(stands).map(|fact| fact.key).collect())
    }
}

/// Asks for every order of the list that may be paid and is not settled in our books.
async fn compare_cards(desk: &CardDesk, now: Timestamp) -> Result<Compared, PaymentsError> {
    let mut compared = Compared::default();
    for page in 1..=PAGES_MAX {
        let listed = desk.api().orders(now.before(WINDOW), now, page).await?;
        compared.unreadable =
            compared.unreadable.saturating_add(u32::try_from(listed.unreadable).unwrap_or(u32::MAX));
        for order in &listed.orders {
            if order.status == OrderStatus::Waiting {
                continue;
            }
            let key = FactKey::new(Rail::SepayCard, order.invoice.as_str(), "0");
            let Ok(key) = key else { continue };
            let before = desk.payments().store.fact(&key).await?;
            let is_settled = match before.as_ref().map(|fact| &fact.state) {
                Some(FactState::Credited(credited)) => {
                    // Nobody knows whether a voided order stays captured, so one that changed is asked for again.
                    let heard_at = before.as_ref().map(|fact| fact.heard_at);
                    let is_as_heard = order.updated_at <= heard_at && order.status == OrderStatus::Captured;
                    is_as_heard || credited.reversed == credited.credits
                }
                Some(_) => true,
                None => false,
            };
            if !is_settled {
                match desk.ask(&order.invoice, Via::Reconciliation, now).await {
                    Ok(CardNews::Received(Received::Before) | CardNews::Nothing | CardNews::Later) => {}
                    Ok(CardNews::Received(_) | CardNews::Voided) => compared.repaired += 1,
                    Err(error) => {
                        tracing::error!(payment = %key, error = %error, "a listed order could not be settled");
                    }
                }
            }
            if let (OrderStatus::Captured, Some(amount)) = (order.status, order.amount) {
                compared.listed.push((key, amount.get()));
            }
        }
        if !listed.has_more {
            return Ok(compared);
        }
    }
    compared.unreadable = compared.unreadable.saturating_add(1);
    Ok(compared)
}

impl RailReport {
    fn log(&self) {
        let rail = self.rail;
        let differences = self.differences.len();
        tracing::info!(metric = "payment_differences", value = differences, rail, "a rail was compared");
        tracing::info!(
            metric = "payments_repaired",
            value = self.repaired,
            rail,
            "missed payments were booked"
        );
        let silent = u8::from(self.is_silent);
        tracing::info!(metric = "rail_silent", value = silent, rail, "a rail's silence was measured");
        for difference in &self.differences {
            tracing::error!(
                rail,
                payment = difference.payment,
                what = difference.what,
                "our books and the processor's list disagree"
            );
        }
    }
}
