use crate::compared::{Compared, YOUNG};
use crate::fact::{FactKey, FactState};
use crate::rail::ToldBy;
use crate::rails::kind::ProcessorList;
use crate::{ComparisonError, Payments, PaymentsError, Rail, TopUpRules};
use futures_util::future::join_all;
use platform::{InvalidSettings, Platform, StoreError, with_causes};
use primitives::{Money, Timestamp, times};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Compares each rail with the processor's own list, and books what no message or poll told.
#[derive(Clone)]
pub struct Reconciliation {
    payments: Payments,
    /// Of every rail that can be paid by here.
    lists: Vec<(Rail, Arc<dyn ProcessorList>)>,
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
/// However long nothing was compared, lists are not read from further back.
const WINDOW_MAX: Duration = Duration::from_secs(45 * 86_400);
/// A webhook that is so much later than its payment will not come.
const WEBHOOK_LATE: Duration = Duration::from_secs(3600);
const TOO_SLOW: &str = "the processor answers too slowly";

impl Reconciliation {
    pub fn new(platform: &Platform) -> Result<Reconciliation, InvalidSettings> {
        Reconciliation::with_rules(platform, &platform.rules(TopUpRules::read)?)
    }

    pub(crate) fn with_rules(
        platform: &Platform,
        rules: &TopUpRules,
    ) -> Result<Reconciliation, InvalidSettings> {
        let (hours, rails) = platform.env().section(|settings| {
            let hours: u64 = settings.parsed_or("RAIL_SILENCE_HOURS", 26, "whole hours");
            let offered = Rail::ALL.iter().copied().filter(|rail| rail.is_offered_by(rules));
            let rails: Vec<Rail> = offered.filter(|rail| rail.kind().is_configured(settings)).collect();
            (hours, rails)
        })?;
        let mut lists = Vec::new();
        for rail in rails {
            match rail.kind().list(platform)? {
                Some(list) => lists.push((rail, list)),
                None => platform.env().section(|settings| {
                    settings.complain(
                        "PROFILE",
                        &format!("offers `{rail}`, which has no list to be compared with"),
                    );
                })?,
            }
        }
        Ok(Reconciliation {
            payments: Payments::new(platform)?,
            lists,
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
        // Boxed, or the types in one are deeper than the compiler looks.
        let rails =
            self.lists.iter().map(|(rail, list)| Box::pin(self.report(*rail, list.as_ref(), now, since)));
        let reports = join_all(rails).await;
        let waiting = self.payments.store.count_open().await?;
        tracing::info!(metric = "payments_waiting", value = waiting, "payments wait for an administrator");
        Ok(reports)
    }

    async fn report(
        &self,
        rail: Rail,
        list: &dyn ProcessorList,
        now: Timestamp,
        since: Timestamp,
    ) -> RailReport {
        let mut report = RailReport::of(rail);
        let compared = tokio::time::timeout(
            times::RAIL_COMPARISON.limit,
            self.compare(&mut report, rail, list, now, since),
        );
        let compared = compared.await.map_err(|_| TOO_SLOW.to_owned());
        if let Err(failure) = compared.and_then(|compared| compared.map_err(|error| error.to_string())) {
            tracing::error!(%rail, failure, "a rail could not be compared");
            report.failure = Some(failure);
            report.is_silent |= self.is_long_unheard(rail, now).await;
        }
        report.log();
        report
    }

    async fn compare(
        &self,
        report: &mut RailReport,
        rail: Rail,
        list: &dyn ProcessorList,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<(), PaymentsError> {
        let from = self.compared_from(rail, now).await?.min(since);
        let compared = list.compare(from, now).await?;
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

    /// From where the last whole comparison ended, and never less than the rail's window.
    async fn compared_from(&self, rail: Rail, now: Timestamp) -> Result<Timestamp, StoreError> {
        let window = rail.policy().window;
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
        let amounts: HashMap<&FactKey, Money> = all().map(|listed| (&listed.key, listed.amount)).collect();
        for (key, amount) in &amounts {
            match ours.get(key) {
                None => found(key.to_string(), "listed, but not in our books"),
                Some(fact) if fact.state == FactState::Voided && rail.policy().lists_voided => {}
                Some(fact) if matches!(fact.state, FactState::Ignored(_) | FactState::Voided) => {
                    found(key.to_string(), "listed, but never to be credited by our books");
                }
                // A message that could not be read has no amount in our books.
                Some(fact) if fact.amount != *amount && !fact.amount.is_zero() => {
                    found(key.to_string(), "another amount is in our books");
                }
                Some(_) => {}
            }
        }
        for key in compared.also_listed.iter().map(|listed| &listed.key).filter(|key| !listed.contains(key)) {
            if ours.get(key).is_some_and(|fact| !fact.stands()) {
                found(key.to_string(), "listed in one of two lists only");
            }
        }
        if !compared.is_cut_short {
            // A list goes by days, perhaps by another clock's: its first day may be cut.
            for fact in self.payments.facts_within(rail, from.after(DAY), now.before(YOUNG)).await? {
                if fact.stands() && !listed.contains(&fact.key) {
                    found(fact.key.to_string(), "credited, but not listed");
                }
            }
        }
        Ok(differences)
    }

    /// A webhook is dead when payments are listed that it should have told of long ago; a poll, when it has not come
    /// to its end for too long.
    async fn is_silent(
        &self,
        rail: Rail,
        compared: &Compared,
        now: Timestamp,
    ) -> Result<bool, PaymentsError> {
        if rail.policy().told_by == ToldBy::Polls {
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
                let last = match rail.policy().told_by {
                    ToldBy::Messages => last,
                    ToldBy::Polls => marks.get(crate::HEARD),
                };
                last.is_none_or(|last| now.since(*last) > self.silence)
            }
            Err(error) => {
                tracing::error!(%rail, error = %with_causes(&error), "the store does not tell when the rail was last heard; it counts as silent");
                true
            }
        }
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
