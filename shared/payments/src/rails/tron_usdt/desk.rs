use super::settings::ChainSettings;
use crate::arrival::{Arrival, Delivery, Destination, Received};
use crate::compared::{Compared, Listed, YOUNG as MAY_BE_UNDER_WAY};
use crate::fact::{FactKey, Unmatched, Via};
use crate::items::amount_name;
use crate::rails::kind::ProcessorList;
use crate::{Payments, PaymentsError, Rail, TopUpRules};
use async_trait::async_trait;
use platform::{InvalidSettings, Platform, with_causes};
use primitives::{Credits, Rate, Timestamp};
use rails::ApiError;
use rails::tron::{Batch, Reason, Source, Transfer, Trongrid, Tronscan, Walk, Watch};
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// USDT that came to our wallet becomes credit.
#[derive(Clone)]
pub struct ChainDesk {
    payments: Payments,
    watch: Watch,
    http: reqwest::Client,
    tronscan: Source,
    trongrid: Source,
}

/// What a poll did.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct PollReport {
    pub credited: u32,
    pub kept: u32,
    pub known: u32,
    /// Worth less than a unit of the ledger: nothing anybody could be credited with.
    pub dust: u32,
    pub failed: u32,
    /// Rows that can't be read: perhaps money. The comparison with the other index tells.
    pub unreadable: u32,
    /// Rows that one index tells twice while the other can't be asked: left out for now.
    pub unsure: u32,
    /// No source could tell all; the next poll goes on from where this one came to.
    pub is_cut_short: bool,
    /// Claims whose wait ended, granted.
    pub claims_granted: u32,
}

/// Indexers lag, and a block is final after about a minute: what lies this far back is read again.
const OVERLAP: Duration = Duration::from_secs(600);
/// What is this young is not counted as seen, however complete the list looked.
const YOUNG: Duration = Duration::from_secs(120);
/// Where the very first poll begins.
const FIRST_LOOK: Duration = Duration::from_secs(86_400);

impl ChainDesk {
    /// `None` when the profile offers no USDT, or no wallet is configured.
    pub fn new(platform: &Platform) -> Result<Option<ChainDesk>, InvalidSettings> {
        if !Rail::TronUsdt.is_offered_by(&platform.rules(TopUpRules::read)?) {
            return Ok(None);
        }
        let payments = Payments::new(platform)?;
        platform.env().section(|settings| {
            let chain = ChainSettings::read(settings)?;
            Some(ChainDesk {
                payments,
                watch: chain.watch,
                http: platform.http().clone(),
                tronscan: Source::Tronscan(Tronscan {
                    base_url: chain.tronscan_url,
                    api_key: chain.tronscan_key,
                }),
                trongrid: Source::Trongrid(Trongrid {
                    base_url: chain.trongrid_url,
                    api_key: chain.trongrid_key,
                }),
            })
        })
    }

    /// The end of the claims whose wait is over, and a poll. The former does not need the chain, so it comes first: an
    /// index that hangs may take all the time there is.
    pub async fn tick(&self, now: Timestamp) -> Result<PollReport, PaymentsError> {
        let granted = self.end_waits(now).await;
        let mut report = self.poll(now).await?;
        report.claims_granted = granted?;
        Ok(report)
    }

    /// Reads on from where the last poll came to, and books everything on the way. Can be killed anywhere: the mark
    /// moves only behind what is booked.
    pub async fn poll(&self, now: Timestamp) -> Result<PollReport, PaymentsError> {
        let marks = self.payments.store.marks(Rail::TronUsdt).await?;
        let from = match marks.get(crate::POLLED_TO) {
            Some(polled_to) => (*polled_to).min(now).before(OVERLAP),
            None => now.before(FIRST_LOOK),
        };
        let mut report = PollReport::default();
        let mut walk = Walk::new(self.watch, from, now);
        // Whatever failed holds the mark back, but nobody else's deposit.
        let mut reach = now.before(YOUNG);
        loop {
            let (batch, other) = match self.next(&mut walk).await {
                Ok(Some(told)) => told,
                Ok(None) => break,
                Err(error @ ApiError::Incomplete) => {
                    // The next poll meets the same: the mark stays until an index shows this moment whole.
                    tracing::error!(
                        metric = "rail_uncompared", value = 1, rail = %Rail::TronUsdt, error = %error,
                        "neither index of the chain shows a moment whole; the poll stops before it"
                    );
                    report.is_cut_short = true;
                    break;
                }
                Err(error) => {
                    tracing::error!(
                        error = %with_causes(&error),
                        "no indexer can be read; the next poll goes on from here"
                    );
                    report.is_cut_short = true;
                    break;
                }
            };
            report.note_refused(&batch);
            let confirmed = self.confirm_alike(batch.transfers, batch.alike, other, &mut report).await?;
            if let Some(failed_at) = self.book(&confirmed, Via::Poll, &mut report, now).await? {
                reach = reach.min(failed_at.before(Duration::from_millis(1)));
            }
            let covered = batch.covered_to.min(reach);
            self.payments.store.mark(Rail::TronUsdt, crate::POLLED_TO, covered).await?;
        }
        if !report.is_cut_short {
            self.payments.store.note_moment(Rail::TronUsdt, crate::HEARD, now).await;
        }
        tracing::info!(?report, "the chain was polled");
        Ok(report)
    }

    /// TronScan's next batch, or TronGrid's when TronScan fails: both tell the same transfers by the same keys. With it
    /// the index that was not asked.
    async fn next(&self, walk: &mut Walk) -> Result<Option<(Batch, &Source)>, ApiError> {
        match walk.next(&self.tronscan, &self.http).await {
            Ok(batch) => Ok(batch.map(|batch| (batch, &self.trongrid))),
            Err(error) => {
                tracing::warn!(error = %with_causes(&error), "TronScan can't be read; TronGrid is asked");
                let batch = walk.next(&self.trongrid, &self.http).await?;
                Ok(batch.map(|batch| (batch, &self.tronscan)))
            }
        }
    }

    /// The transfers of a batch, with those rows that are told twice and stand twice in the other index too.
    ///
    /// A row that one index lists twice is one transfer; two equal transfers of one transaction are listed twice by
    /// both. When the other can't be asked the second row is left out: the next comparison meets it again.
    async fn confirm_alike(
        &self,
        mut transfers: Vec<Transfer>,
        alike: Vec<Transfer>,
        other: &Source,
        report: &mut PollReport,
    ) -> Result<Vec<Transfer>, PaymentsError> {
        let keys: Vec<FactKey> = alike.iter().filter_map(fact_key).collect();
        let known = self.payments.store.facts(&keys).await?;
        let mut of_moments: BTreeMap<Timestamp, Vec<Transfer>> = BTreeMap::new();
        for transfer in alike.into_iter().filter(|transfer| !self.is_dust(transfer)) {
            match fact_key(&transfer).is_some_and(|key| known.contains_key(&key)) {
                true => transfers.push(transfer),
                false => of_moments.entry(transfer.at).or_default().push(transfer),
            }
        }
        for (moment, alike) in of_moments {
            let theirs = match Walk::new(self.watch, moment, moment).next(other, &self.http).await {
                Ok(batch) => batch.map(|batch| [batch.transfers, batch.alike].concat()).unwrap_or_default(),
                Err(error) => {
                    tracing::warn!(
                        error = %with_causes(&error),
                        "whether rows are told twice is not known; they are left out"
                    );
                    report.unsure =
                        report.unsure.saturating_add(u32::try_from(alike.len()).unwrap_or(u32::MAX));
                    continue;
                }
            };
            let names: HashSet<String> = theirs.iter().map(Transfer::key).collect();
            transfers.extend(alike.into_iter().filter(|transfer| names.contains(&transfer.key())));
        }
        Ok(transfers)
    }

    /// Books each transfer that is not known yet, and returns the time of the earliest that failed.
    async fn book(
        &self,
        transfers: &[Transfer],
        via: Via,
        report: &mut PollReport,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, PaymentsError> {
        let (dust, worth_it): (Vec<_>, Vec<_>) =
            transfers.iter().partition(|transfer| self.is_dust(transfer));
        report.dust += u32::try_from(dust.len()).unwrap_or(u32::MAX);
        let keys: Vec<FactKey> = worth_it.iter().filter_map(|transfer| fact_key(transfer)).collect();
        let known = self.payments.store.facts(&keys).await?;
        report.known += u32::try_from(known.len()).unwrap_or(u32::MAX);
        let mut failed_at = None;
        for transfer in worth_it {
            let Some(key) = fact_key(transfer).filter(|key| !known.contains_key(key)) else { continue };
            match self.payments.receive(&self.arrival(transfer, key.clone(), via), now).await {
                Ok(Received::Credited { .. }) => report.credited += 1,
                Ok(Received::Before) => report.known += 1,
                Ok(Received::Kept(_) | Received::Ignored(_)) => report.kept += 1,
                Err(error) => {
                    tracing::error!(payment = %key, error = %with_causes(&error), "a transfer could not be booked");
                    report.failed += 1;
                    failed_at = failed_at.or(Some(transfer.at));
                }
            }
        }
        Ok(failed_at)
    }

    fn arrival(&self, transfer: &Transfer, key: FactKey, via: Via) -> Arrival {
        let wallet = self.watch.wallet.to_string();
        let told = json!({
            "transaction_id": transfer.tx.to_string(),
            "from": transfer.from.to_string(),
            "to": wallet,
            "contract": self.watch.contract.to_string(),
            "amount_micros": transfer.amount.get(),
            "nth": transfer.nth,
            "block_time": transfer.at.to_string(),
        });
        Arrival {
            key,
            amount: transfer.amount.into(),
            paid_at: transfer.at,
            // A second equal transfer in one transaction hardly exists, so a person looks at it.
            destination: match transfer.nth {
                0 => Destination::References(vec![amount_name(
                    Rail::TronUsdt,
                    &wallet,
                    transfer.amount.into(),
                )]),
                _ => Destination::Nothing(Unmatched::Odd),
            },
            trace: transfer.tx.to_string(),
            shown_as: None,
            via,
            delivery: Delivery { key: "chain".to_owned(), body: told.to_string().into_bytes() },
            marks: None,
        }
    }

    /// What either index lists of a stretch of time that we have not booked, booked now.
    ///
    /// TronGrid's list is the one our books are compared with, because polls read TronScan's; TronScan's is read beside
    /// it, because either may list a transfer late or never.
    pub(super) async fn compare_stretch(
        &self,
        from: Timestamp,
        to: Timestamp,
        now: Timestamp,
    ) -> Result<Compared, PaymentsError> {
        let mut compared = Compared::default();
        let walk = Walk::new(self.watch, from, to);
        compared.listed = self.listed(walk, [&self.trongrid, &self.tronscan], &mut compared, now).await?;
        let walk = Walk::new(self.watch, from, to);
        match self.listed(walk, [&self.tronscan, &self.trongrid], &mut compared, now).await {
            Ok(listed) => compared.also_listed = listed,
            Err(PaymentsError::Processor(error)) => {
                tracing::warn!(error = %with_causes(&error), "TronScan could not be compared with TronGrid");
                compared.failure = Some(format!("TronScan could not be compared with TronGrid: {error}"));
            }
            Err(error) => return Err(error),
        }
        Ok(compared)
    }

    /// Books what the first of the two indexes lists, and returns it. The other one is asked about rows told twice.
    async fn listed(
        &self,
        mut walk: Walk,
        [source, other]: [&Source; 2],
        compared: &mut Compared,
        now: Timestamp,
    ) -> Result<Vec<Listed>, PaymentsError> {
        let mut listed = Vec::new();
        while let Some(batch) = walk.next(source, &self.http).await? {
            let mut report = PollReport::default();
            report.note_refused(&batch);
            let transfers = self.confirm_alike(batch.transfers, batch.alike, other, &mut report).await?;
            let worth_it = transfers.iter().filter(|transfer| !self.is_dust(transfer));
            listed.extend(worth_it.filter_map(|transfer| {
                Some(Listed {
                    key: fact_key(transfer)?,
                    amount: transfer.amount.into(),
                    at: Some(transfer.at),
                })
            }));
            self.book(&transfers, Via::Reconciliation, &mut report, now).await?;
            compared.repaired += report.credited + report.kept;
            compared.unreadable = compared.unreadable.saturating_add(report.unreadable);
            compared.unbooked = compared.unbooked.saturating_add(report.unbooked());
        }
        Ok(listed)
    }

    /// What brings no credit whatever is done about it.
    fn is_dust(&self, transfer: &Transfer) -> bool {
        let credits = self.payments.unit.credits_down(transfer.amount.into(), Rate::ONE);
        credits.is_ok_and(Credits::is_zero)
    }

    pub(super) fn payments(&self) -> &Payments {
        &self.payments
    }

    pub(super) fn wallet(&self) -> String {
        self.watch.wallet.to_string()
    }
}

#[async_trait]
impl ProcessorList for ChainDesk {
    async fn compare(&self, from: Timestamp, now: Timestamp) -> Result<Compared, PaymentsError> {
        self.compare_stretch(from, now.before(MAY_BE_UNDER_WAY), now).await
    }
}

impl PollReport {
    /// Transfers that were read and are not in our books all the same.
    fn unbooked(&self) -> u32 {
        self.failed.saturating_add(self.unsure)
    }

    /// Whether everything that happened on the chain until now is in our books.
    pub(super) fn knows_all(&self) -> bool {
        !self.is_cut_short && self.unreadable == 0 && self.unbooked() == 0
    }

    /// Foreign tokens and the like are everyday; what can't be read is not.
    fn note_refused(&mut self, batch: &Batch) {
        let malformed = batch.refused.iter().filter(|(reason, _)| matches!(reason, Reason::Malformed(_)));
        let count = malformed.map(|(_, count)| *count).fold(0, u32::saturating_add);
        if count > 0 {
            tracing::error!(refused = ?batch.refused, "rows of the chain's index can't be read");
        }
        self.unreadable = self.unreadable.saturating_add(count);
    }
}

/// `tron_usdt.<tx>.<micros>-<nth>`: the same whichever indexer tells it.
fn fact_key(transfer: &Transfer) -> Option<FactKey> {
    let part = format!("{}-{}", transfer.amount.get(), transfer.nth);
    FactKey::new(Rail::TronUsdt, &transfer.tx.to_string(), &part).ok()
}
