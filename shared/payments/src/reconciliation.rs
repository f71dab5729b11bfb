mod bank;
mod cards;

use self::cards::CARD_WINDOW;
use crate::bank::BankDesk;
use crate::card::{CardDesk, ODD};
use crate::chain::{ChainDesk, Compared};
use crate::fact::{Fact, FactKey, FactState};
use crate::items::day_name;
use crate::settings::BankListSettings;
use crate::{ComparisonError, Payments, PaymentsError, Rail};
use platform::{InvalidSettings, Platform, StoreError};
use primitives::{Timestamp, times};
use rails::sepay_bank::Api;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Compares each rail with the processor's own list, and books what no webhook told.
#[derive(Clone)]
pub struct Reconciliation {
    payments: Payments,
    http: reqwest::Client,
    bank: Option<BankDesk>,
    list: Option<Api>,
    card: Option<CardDesk>,
    chain: Option<ChainDesk>,
    silence: Duration,
}

/// What the comparison of one rail found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RailReport {
    pub rail: &'static str,
    /// Incoming payments in the processor's list.
    pub listed: u32,
    /// Of these, booked only now: their webhook or poll was missed.
    pub repaired: u32,
    /// What does not agree after the repair; must be empty.
    pub differences: Vec<Difference>,
    /// Payments are listed that no webhook told of, or nothing was heard for longer than `RAIL_SILENCE_HOURS`.
    pub is_silent: bool,
    /// Why nothing, or not all, was compared.
    pub failure: Option<String>,
}

/// One disagreement between our books and the processor's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `viet_qr.92704.0`, or empty for rows without a readable id
    pub payment: String,
    pub what: &'static str,
}

const DAY: Duration = Duration::from_secs(86_400);
/// How far back the lists are compared: longer than a weekend without webhooks.
const WINDOW: Duration = Duration::from_secs(3 * 86_400);
/// However long nothing was compared, lists are not read from further back.
const WINDOW_MAX: Duration = Duration::from_secs(45 * 86_400);
/// What is younger may still be on its way.
const YOUNG: Duration = Duration::from_secs(300);
/// A webhook that is so much later than its payment will not come.
const WEBHOOK_LATE: Duration = Duration::from_secs(3600);
const TOO_SLOW: &str = "the processor answers too slowly";

impl Reconciliation {
    pub fn new(platform: &Platform) -> Result<Reconciliation, InvalidSettings> {
        let bank = BankDesk::new(platform)?;
        let (list, hours) = platform.env().section(|settings| {
            let hours: u64 = settings.parsed_or("RAIL_SILENCE_HOURS", 26, "whole hours");
            (BankListSettings::read(settings), hours)
        })?;
        let list = bank.as_ref().zip(list).map(|(desk, list)| Api {
            base_url: list.api_url,
            token: list.token,
            account_number: desk.account().to_owned(),
            offset_minutes: desk.offset_minutes(),
        });
        Ok(Reconciliation {
            payments: Payments::new(platform)?,
            http: platform.http().clone(),
            bank,
            list,
            card: CardDesk::new(platform)?,
            chain: ChainDesk::new(platform)?,
            silence: Duration::from_secs(hours.saturating_mul(3600)),
        })
    }

    /// One report per configured rail. All are compared at once, so that neither a slow nor a failing one keeps the
    /// others waiting.
    ///
    /// `since` has more days compared than usual, say those of webhooks that were refused by mistake. Days that are
    /// compared anyway are never left out for it.
    pub async fn run(
        &self,
        now: Timestamp,
        since: Option<Timestamp>,
    ) -> Result<Vec<RailReport>, PaymentsError> {
        if since.is_some_and(|since| since < now.before(WINDOW_MAX)) {
            return Err(ComparisonError::TooLongAgo.into());
        }
        let since = since.unwrap_or(now);
        // Boxed, or the three types in one are deeper than the compiler looks.
        let (card, bank, chain) = tokio::join!(
            Box::pin(self.rail(Rail::SepayCard, now, since)),
            Box::pin(self.rail(Rail::VietQr, now, since)),
            Box::pin(self.rail(Rail::TronUsdt, now, since))
        );
        let reports: Vec<RailReport> = [card, bank, chain].into_iter().flatten().collect();
        let waiting = self.payments.store.count_open().await?;
        tracing::info!(metric = "payments_waiting", value = waiting, "payments wait for an administrator");
        Ok(reports)
    }

    /// `None`: the rail is not configured.
    async fn rail(&self, rail: Rail, now: Timestamp, since: Timestamp) -> Option<RailReport> {
        let is_configured = match rail {
            Rail::SepayCard => self.card.is_some(),
            Rail::VietQr => self.bank.is_some(),
            Rail::TronUsdt => self.chain.is_some(),
        };
        if !is_configured {
            return None;
        }
        let mut report = RailReport::of(rail);
        let filled =
            tokio::time::timeout(times::RAIL_COMPARISON.limit, self.fill(&mut report, rail, now, since))
                .await;
        if let Err(failure) =
            filled.map_or_else(|_| Err(TOO_SLOW.to_owned()), |filled| filled.map_err(|e| e.to_string()))
        {
            tracing::error!(%rail, failure, "a rail could not be compared");
            report.failure = Some(failure);
            report.is_silent |= self.is_long_unheard(rail, now).await;
        }
        report.log();
        Some(report)
    }

    async fn fill(
        &self,
        report: &mut RailReport,
        rail: Rail,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<(), PaymentsError> {
        let from = self.from(rail, now).await?.min(since);

        let compared = match (rail, &self.card, &self.bank, &self.chain) {
            (Rail::SepayCard, Some(desk), _, _) => self.compare_cards(desk, from, now).await?,
            (Rail::VietQr, _, Some(desk), _) => self.compare_bank(desk, from, now).await?,
            (Rail::TronUsdt, _, _, Some(desk)) => desk.compare(from, now.before(YOUNG), now).await?,
            _ => return Ok(()),
        };
        report.listed = u32::try_from(compared.listed.len()).unwrap_or(u32::MAX);
        report.repaired = compared.repaired;
        report.differences = self.differences(rail, &compared, from, now).await?;
        report.is_silent = self.is_silent(rail, &compared, now).await?;
        if let Some(failure) = compared.failure.clone() {
            tracing::error!(%rail, failure, "a rail was compared in part");
            report.is_silent |= self.is_long_unheard(rail, now).await;
            report.failure = Some(failure);
            return Ok(());
        }
        // A row that can't be read is reported as long as it is listed; the window does not wait for it.
        if compared.is_whole() {
            self.payments.store.mark(rail, crate::COMPARED, now).await?;
        }
        Ok(())
    }

    /// From where the last whole comparison ended, and never less than the window.
    async fn from(&self, rail: Rail, now: Timestamp) -> Result<Timestamp, StoreError> {
        let window = if rail == Rail::SepayCard { CARD_WINDOW } else { WINDOW };
        let marks = self.payments.store.marks(rail).await?;
        let last = match marks.get(crate::COMPARED) {
            Some(last) => *last,
            None => {
                // However long the first whole comparison takes to come, nothing since now is left out of it.
                self.payments.store.mark(rail, crate::COMPARED, now).await?;
                now
            }
        };
        Ok(last.before(DAY).min(now.before(window)).max(now.before(WINDOW_MAX)))
    }

    async fn differences(
        &self,
        rail: Rail,
        compared: &Compared,
        from: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Difference>, PaymentsError> {
        let mut differences = Vec::new();
        let mut found = |payment: String, what| differences.push(Difference { payment, what });
        if compared.unreadable > 0 {
            found(String::new(), "the list has rows that can't be read");
        }
        if compared.is_cut_short && compared.failure.is_none() {
            found(String::new(), "the list could not be read whole");
        }
        let all = || compared.listed.iter().chain(&compared.also_listed);
        let keys: Vec<FactKey> = all().map(|listed| listed.key.clone()).collect();
        let ours = self.payments.store.facts(&keys).await?;
        let listed: HashSet<&FactKey> = compared.listed.iter().map(|listed| &listed.key).collect();
        let units: HashMap<&FactKey, u64> = all().map(|listed| (&listed.key, listed.units)).collect();
        for (key, units) in &units {
            match ours.get(key) {
                None => found(key.to_string(), "listed, but not in our books"),
                // Nobody knows whether a voided order stays captured in SePay's list.
                Some(fact) if fact.state == FactState::Voided && rail == Rail::SepayCard => {}
                Some(fact) if matches!(fact.state, FactState::Ignored(_) | FactState::Voided) => {
                    found(key.to_string(), "listed, but never to be credited by our books");
                }
                // A message that could not be read has no amount in our books.
                Some(fact) if fact.amount.units() != *units && fact.amount.units() != 0 => {
                    found(key.to_string(), "another amount is in our books");
                }
                Some(_) => {}
            }
        }
        for key in compared.also_listed.iter().map(|listed| &listed.key).filter(|key| !listed.contains(key)) {
            if ours.get(key).is_some_and(|fact| !stands(fact)) {
                found(key.to_string(), "listed by one index of the chain only");
            }
        }
        if !compared.is_cut_short {
            // A list goes by days, perhaps by another clock's: its first day may be cut.
            for fact in self.facts_within(rail, from.after(DAY), now.before(YOUNG)).await? {
                if stands(&fact) && !listed.contains(&fact.key) {
                    found(fact.key.to_string(), "credited, but not listed");
                }
            }
        }
        Ok(differences)
    }

    /// Our facts of a rail that were paid between the two.
    async fn facts_within(
        &self,
        rail: Rail,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Fact>, StoreError> {
        let (mut keys, mut days, mut day) = (Vec::new(), HashSet::new(), from);
        while day.before(DAY) <= to {
            if days.insert(day.date()) {
                keys.extend(self.payments.store.facts_of_day(&day_name(rail, day), from, to).await?);
            }
            day = day.after(DAY);
        }
        Ok(self.payments.store.facts(&keys).await?.into_values().collect())
    }

    /// A webhook is dead when payments are listed that it should have told of long ago; a poll, when it has not come
    /// to its end for too long.
    async fn is_silent(
        &self,
        rail: Rail,
        compared: &Compared,
        now: Timestamp,
    ) -> Result<bool, PaymentsError> {
        if rail == Rail::TronUsdt {
            return Ok(self.is_long_unheard(rail, now).await);
        }
        let heard = self.payments.store.marks(rail).await?.get(crate::HEARD).copied();
        let newest = compared.listed.iter().filter_map(|listed| listed.at).max();
        Ok(newest.is_some_and(|newest| {
            let is_due = now.since(newest) >= WEBHOOK_LATE;
            is_due && heard.is_none_or(|heard| newest.since(heard) >= WEBHOOK_LATE)
        }))
    }

    async fn is_long_unheard(&self, rail: Rail, now: Timestamp) -> bool {
        match self.payments.store.marks(rail).await {
            Ok(marks) => {
                let last =
                    [crate::HEARD, crate::COMPARED].into_iter().filter_map(|name| marks.get(name)).max();
                let last = if rail == Rail::TronUsdt { marks.get(crate::HEARD) } else { last };
                last.is_none_or(|last| now.since(*last) > self.silence)
            }
            Err(error) => {
                tracing::error!(%rail, error = %error, "nobody knows when the rail was heard");
                true
            }
        }
    }
}

/// What was taken back is not expected in a list any more, nor is what has another name there.
fn stands(fact: &Fact) -> bool {
    match &fact.state {
        FactState::Credited(credited) => {
            credited.reversed < credited.credits && !fact.key.part().starts_with(ODD)
        }
        _ => false,
    }
}

impl RailReport {
    fn of(rail: Rail) -> RailReport {
        RailReport {
            rail: rail.as_str(),
            listed: 0,
            repaired: 0,
            differences: Vec::new(),
            is_silent: false,
            failure: None,
        }
    }

    fn log(&self) {
        let (rail, differences) = (self.rail, self.differences.len());
        // What was not read whole has not been found to agree.
        if self.failure.is_none() || differences > 0 {
            tracing::info!(metric = "payment_differences", value = differences, rail, "a rail was compared");
        }
        tracing::info!(
            metric = "payments_repaired",
            value = self.repaired,
            rail,
            "missed payments were booked"
        );
        let silent = u8::from(self.is_silent);
        tracing::info!(metric = "rail_silent", value = silent, rail, "a rail's silence was measured");
        let failed = u8::from(self.failure.is_some());
        tracing::info!(metric = "rail_uncompared", value = failed, rail, "a rail's list was asked for");
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
