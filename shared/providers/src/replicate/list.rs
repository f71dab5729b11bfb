use super::Replicate;
use crate::job::Ticket;
use crate::pace::{Looks, Sight};
use crate::{lenient, wire};
use primitives::{JobId, Timestamp};
use reqwest::Url;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// How far Replicate's clock may lie from ours.
const CLOCKS_APART: Duration = Duration::from_secs(60);
/// A hundred predictions each; we make six hundred a minute at most.
const PAGES_MAX: usize = 20;
/// So many whole lists in a row without the prediction prove that there is none.
const NOWHERE_LOOKS: u32 = 2;

/// Whether Replicate's list has a prediction of a run.
#[derive(Debug)]
pub(super) enum Listed {
    There(Ticket),
    /// The list has every prediction since the submit, and none of them is the run's.
    Nowhere,
    /// An entry that does not show its input or its id may be the run's.
    Unclear,
    /// The list could not be read, or not all of it.
    Unread,
}

/// What one entry of the list is to us.
#[derive(Debug, PartialEq, Eq)]
enum Entry<'a> {
    Ours(&'a str),
    Others,
    Unclear,
}

impl Replicate {
    /// Looks again until the prediction is found, or until `limit`. Replicate may list a prediction late, so that it is
    /// nowhere is believed after [`NOWHERE_LOOKS`] looks in a row.
    pub(super) async fn sought(&self, job: JobId, asked_at: Timestamp, limit: Instant) -> Listed {
        let (mut looks, mut nowhere) = (Looks::new(self.settings.timing.poll, limit), 0);
        loop {
            match self.listed(job, asked_at, looks.until()).await {
                Listed::Nowhere => nowhere += 1,
                Listed::Unread => {
                    nowhere = 0;
                    looks.note(Sight::Nothing);
                }
                decided @ (Listed::There(_) | Listed::Unclear) => return decided,
            }
            if nowhere >= NOWHERE_LOOKS {
                return Listed::Nowhere;
            }
            if !looks.pause().await {
                return Listed::Unread;
            }
        }
    }

    /// Looks through what was created since `asked_at`, newest first.
    pub(super) async fn listed(&self, job: JobId, asked_at: Timestamp, until: Instant) -> Listed {
        let since = asked_at.before(CLOCKS_APART);
        let mut url = self.predictions.clone();
        url.query_pairs_mut().append_pair("created_after", &since.to_string());
        let mut is_clear = true;
        for _ in 0..PAGES_MAX {
            let Some(page) = self.page(url, until).await else { return Listed::Unread };
            let Some(entries) = page["results"].as_array() else { return Listed::Unread };
            for entry in entries {
                if created_at(entry).is_some_and(|created_at| created_at < since) {
                    return nowhere(is_clear);
                }
                match self.entry(entry, job) {
                    Entry::Ours(id) => return self.ticket(id).map_or(Listed::Unclear, Listed::There),
                    Entry::Others => {}
                    Entry::Unclear => is_clear = false,
                }
            }
            match lenient::text(&page["next"]) {
                None => return nowhere(is_clear),
                // Our key is sent there.
                Some(next) => match self.hosts.of_queue(next) {
                    Some(next) => url = next,
                    None => return Listed::Unread,
                },
            }
        }
        Listed::Unread
    }

    async fn page(&self, url: Url, until: Instant) -> Option<Value> {
        let response = wire::send(&self.platform, wire::get(url, &self.headers), until).await.ok()?;
        if response.status().as_u16() != 200 {
            return None;
        }
        wire::document(response, until).await
    }

    fn entry<'a>(&self, entry: &'a Value, job: JobId) -> Entry<'a> {
        match lenient::text(&entry["input"]["speaker"]) {
            Some(speaker) if is_marked(speaker, job) => {
                entry["id"].as_str().map_or(Entry::Unclear, Entry::Ours)
            }
            None if self.may_be_speech(entry) => Entry::Unclear,
            _ => Entry::Others,
        }
    }
    /// Whether the entry may be a prediction of one of our two models; an entry without a version may be one.
    fn may_be_speech(&self, entry: &Value) -> bool {
        let Some(version) = lenient::text(&entry["version"]) else { return true };
        let own = [Some(&self.settings.xtts_version), self.settings.vixtts_version.as_ref()];
        own.into_iter().flatten().any(|own| bare(own) == bare(version))
    }
}

/// As [`super::marked`] marks it.
fn is_marked(speaker: &str, job: JobId) -> bool {
    Url::parse(speaker).is_ok_and(|url| url.fragment() == Some(job.to_string().as_str()))
}

fn nowhere(is_clear: bool) -> Listed {
    if is_clear { Listed::Nowhere } else { Listed::Unclear }
}

/// A setting may name the model before its version.
fn bare(version: &str) -> &str {
    version.rsplit_once(':').map_or(version, |(_, bare)| bare)
}

fn created_at(entry: &Value) -> Option<Timestamp> {
    serde_json::from_value(entry["created_at"].clone()).ok()
}
