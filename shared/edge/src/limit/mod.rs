//! Rate limits per person and per network, nearly free: an instance counts in memory and tells the table now and then.

mod window;

use crate::Problem;
use identity::Pseudonyms;
use platform::{InvalidSettings, Platform, Profile, Settings, StoreError, TableSpec, key, number};
use primitives::{Timestamp, UserId, random_bytes};
use problems::RequestLimit;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use window::{Verdict, Window};

/// Requests per subject and minute.
pub const REQUEST_LIMITS: TableSpec =
    TableSpec { name: "request_limits", partition_key: "id", sort_key: None, indexes: &[], ttl: Some("ttl") };

/// The tables this crate owns.
pub const TABLES: &[TableSpec] = &[REQUEST_LIMITS];

/// The sections of a profile that this crate owns.
pub const SECTIONS: &[&str] = &[RequestRules::SECTION];

/// Subjects one instance keeps in mind; beyond that, new ones go uncounted until the next minute.
const SUBJECTS_MAX: usize = 10_000;
const MINUTE: u64 = 60;
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// The profile's section `requests`; each number can be replaced by the setting named beside it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestRules {
    /// Requests per person and minute (`USER_REQUESTS_PER_MINUTE_MAX`).
    pub user_per_minute_max: u32,
    /// Requests per network (IPv4 /24, IPv6 /48) and minute (`NETWORK_REQUESTS_PER_MINUTE_MAX`).
    pub network_per_minute_max: u32,
}

/// Who is counted, and against which limit of the profile.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    User(&'a UserId),
    /// As [`crate::SourceIp::network`] writes it.
    Network(&'a str),
}

/// Counts requests. It errs on the open side: several instances may together let through what none of them
/// has reported yet, and a silent store limits each instance only by itself.
#[derive(Clone)]
pub(crate) struct Limiter(Arc<Inner>);

struct Inner {
    platform: Platform,
    rules: RequestRules,
    pseudonyms: Pseudonyms,
    table: String,
    windows: Mutex<HashMap<String, Window>>,
}

impl RequestRules {
    const SECTION: &str = "requests";

    pub fn read(profile: &Profile, settings: &mut Settings<'_>) -> Option<RequestRules> {
        let mut rules: RequestRules = profile.section(RequestRules::SECTION, settings)?;
        settings.replace("USER_REQUESTS_PER_MINUTE_MAX", &mut rules.user_per_minute_max, "a whole number");
        settings.replace(
            "NETWORK_REQUESTS_PER_MINUTE_MAX",
            &mut rules.network_per_minute_max,
            "a whole number",
        );
        Some(rules)
    }
}

impl Limiter {
    pub(crate) fn new(platform: &Platform) -> Result<Limiter, InvalidSettings> {
        let pseudonyms = platform.env().section(Pseudonyms::read)?;
        Ok(Limiter(Arc::new(Inner {
            platform: platform.clone(),
            rules: platform.rules(RequestRules::read)?,
            pseudonyms,
            table: platform.table(&REQUEST_LIMITS),
            windows: Mutex::default(),
        })))
    }

    /// Never waits for the store.
    pub(crate) fn check(&self, subject: Subject<'_>) -> Result<(), Problem> {
        let now = self.0.platform.now();
        let minute = now.seconds() / MINUTE;
        let limit = self.0.limit(subject);
        let name = self.0.name(subject, now);
        match self.0.count(&name, minute, limit) {
            Verdict::Pass => Ok(()),
            Verdict::PassAndReport(requests) => {
                self.0.platform.spawn(Arc::clone(&self.0).report(name, minute, requests));
                Ok(())
            }
            Verdict::Refuse => Err(refusal(limit, now)),
        }
    }
}

impl Inner {
    fn limit(&self, subject: Subject<'_>) -> u32 {
        match subject {
            Subject::User(_) => self.rules.user_per_minute_max,
            Subject::Network(_) => self.rules.network_per_minute_max,
        }
    }

    /// A hash; a network's changes with the day, so that no one can be followed for longer.
    fn name(&self, subject: Subject<'_>, now: Timestamp) -> String {
        let (kind, hash) = match subject {
            Subject::User(user) => ("user", self.pseudonyms.of("limit", &[user.as_str()])),
            Subject::Network(network) => ("net", self.pseudonyms.of("limit", &[network, &now.date()])),
        };
        format!("{kind}#{hash}")
    }

    fn count(&self, name: &str, minute: u64, limit: u32) -> Verdict {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get_mut(name) {
            return window.count(minute, limit, roll());
        }
        if windows.len() >= SUBJECTS_MAX {
            windows.retain(|_, window| window.minute() == minute);
        }
        if windows.len() >= SUBJECTS_MAX {
            return Verdict::Pass;
        }
        let fresh = || Window::new(minute, limit, roll());
        windows.entry(name.to_owned()).or_insert_with(fresh).count(minute, limit, roll())
    }

    /// Runs beside the request.
    async fn report(self: Arc<Inner>, name: String, minute: u64, requests: u32) {
        let outcome = self.add(&name, minute, requests).await;
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(window) = windows.get_mut(&name) else { return };
        match outcome {
            Ok(total) => window.reported(minute, total),
            Err(error) => {
                if window.report_failed(minute) {
                    tracing::warn!(
                        "the request limits could not be shared, each instance counts alone: {error}"
                    );
                }
            }
        }
    }

    async fn add(&self, name: &str, minute: u64, requests: u32) -> Result<u32, StoreError> {
        let end = Timestamp::from_seconds((minute + 1) * MINUTE);
        let update = self.platform.dynamo().update_item().table_name(&self.table);
        let answer = update
            .set_key(Some(key([("id", &format!("{name}#{minute}"))])))
            .update_expression("SET #ttl = :ttl ADD #n :n")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#n", "n")
            .expression_attribute_values(":ttl", number(end.after(REMEMBERED).seconds()))
            .expression_attribute_values(":n", number(requests))
            .return_values(aws_sdk_dynamodb::types::ReturnValue::UpdatedNew)
            .send()
            .await
            .map_err(StoreError::of_sdk)?;
        let row = answer.attributes.unwrap_or_default();
        platform::Item::new(REQUEST_LIMITS.name, &row).number("n")
    }
}

fn roll() -> u32 {
    u32::from_be_bytes(random_bytes())
}

fn refusal(per_minute_max: u32, now: Timestamp) -> Problem {
    let reset_in = Duration::from_secs(MINUTE - now.seconds() % MINUTE);
    Problem::rate_limited(RequestLimit { per_minute_max, reset_in })
}
