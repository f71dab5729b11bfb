use super::run::ActorRun;
use super::{Apify, input, ticket};
use crate::job::{JobOrder, Ticket};
use crate::pace::{Looks, Sight};
use crate::{lenient, wire};
use primitives::Timestamp;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

const LISTED: usize = 100;
const PAGES_MAX: usize = 5;
const INPUT_BYTES_MAX: usize = 1024 * 1024;
/// How far Apify's clock may be from ours.
const CLOCKS_APART: Duration = Duration::from_secs(120);

/// What became of looking for a run whose start was not answered.
pub(super) enum Sought {
    There(Ticket),
    /// All runs since then were looked at, and none is ours.
    Nowhere,
    /// Not everything could be read.
    Unknown,
}

impl Apify {
    /// Looks again until it is found, or `limit`; that it is nowhere is believed after `looks_min` looks in a row.
    pub(super) async fn sought_until(
        &self,
        order: &JobOrder,
        asked_at: Timestamp,
        limit: Instant,
        looks_min: u32,
    ) -> Sought {
        let (mut looks, mut nowhere) = (Looks::new(self.timing.poll, limit), 0);
        loop {
            let sought = self.sought(order, asked_at, looks.until()).await;
            match sought {
                Sought::There(_) => return sought,
                Sought::Nowhere => nowhere += 1,
                Sought::Unknown => {
                    nowhere = 0;
                    looks.note(Sight::Nothing);
                }
            }
            if nowhere >= looks_min || !looks.pause().await {
                return if nowhere >= looks_min { Sought::Nowhere } else { Sought::Unknown };
            }
        }
    }

    /// One look through the actor's runs, the latest first, for the one whose input names ours.
    pub(super) async fn sought(&self, order: &JobOrder, asked_at: Timestamp, limit: Instant) -> Sought {
        let since = asked_at.before(CLOCKS_APART);
        let mut is_complete = true;
        for page in 0..PAGES_MAX {
            let Some(runs) = self.listed(page * LISTED, limit).await else { return Sought::Unknown };
            for run in &runs {
                let Some(run) = ActorRun::listed(run) else {
                    is_complete = false;
                    continue;
                };
                if run.started_at.is_some_and(|started_at| started_at < since) {
                    return if is_complete { Sought::Nowhere } else { Sought::Unknown };
                }
                match self.is_ours(&run, order, limit).await {
                    Some(true) => return Sought::There(ticket(run.id)),
                    Some(false) => {}
                    None => is_complete = false,
                }
            }
            if runs.len() < LISTED {
                return if is_complete { Sought::Nowhere } else { Sought::Unknown };
            }
        }
        Sought::Unknown
    }

    async fn listed(&self, offset: usize, limit: Instant) -> Option<Vec<Value>> {
        let mut url = self.at(&format!("actors/{}/runs", self.actor)).ok()?;
        url.query_pairs_mut()
            .append_pair("desc", "1")
            .append_pair("limit", &LISTED.to_string())
            .append_pair("offset", &offset.to_string());
        let response = wire::send(&self.platform, wire::get(url, &self.headers), limit).await.ok()?;
        let response = Some(response).filter(|response| response.status().is_success())?;
        match wire::document(response, limit).await?.pointer_mut("/data/items")?.take() {
            Value::Array(runs) => Some(runs),
            _ => None,
        }
    }

    /// `None`: its input can't be read.
    async fn is_ours(&self, run: &ActorRun, order: &JobOrder, limit: Instant) -> Option<bool> {
        let url: Url = self.at(&format!("key-value-stores/{}/records/INPUT", run.store.as_deref()?)).ok()?;
        let response = wire::send(&self.platform, wire::get(url, &self.headers), limit).await.ok()?;
        let response = Some(response).filter(|response| response.status().is_success())?;
        let input = wire::body(response, INPUT_BYTES_MAX, limit).await.ok()?;
        let input = lenient::document(&input)?;
        Some(input[input::MARK].as_str() == Some(order.job().to_string().as_str()))
    }
}
