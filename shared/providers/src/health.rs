use crate::FailureClass;
use primitives::{AccountId, Fingerprint, Timestamp};
use std::time::Duration;

/// Failures are counted within this time from the first of them.
const WINDOW: Duration = Duration::from_secs(60);
/// So many failures in a window close a provider, …
const FAILURES_MAX: u32 = 5;
/// … if they befell so many different accounts. One person's requests can fail for a reason that lies in them; three
/// people who have nothing to do with each other hardly choose such requests in the same minute.
pub(crate) const ACCOUNTS_MIN: usize = 3;
/// How long it stays closed; a probe also has this long before the next one may try.
const OPEN: Duration = Duration::from_secs(30);
/// How long when a person has to mend something.
const OPEN_FOR_A_PERSON: Duration = Duration::from_secs(60);

/// What the instances know together about one provider. The words are a circuit breaker's: open = not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct HealthRow {
    pub(crate) failures: u32,
    /// Those of `failures` in which the provider could not even be reached: no request can bring that about, so
    /// they count without regard to accounts. A deployment with one customer is protected by them.
    pub(crate) outages: u32,
    /// When the first of `failures` happened.
    pub(crate) window: Option<Timestamp>,
    pub(crate) open_until: Option<Timestamp>,
    pub(crate) accounts: Accounts,
}

/// Which different accounts had failures: hashes that mean something within one window only, no more of them than
/// the rule needs. The accounts themselves are neither stored nor logged here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Accounts([Option<Fingerprint>; ACCOUNTS_MIN]);

/// One run's failure at a provider.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Incident<'a> {
    pub(crate) class: FailureClass,
    pub(crate) account: &'a AccountId,
    /// No connection: see [`HealthRow::outages`].
    pub(crate) is_outage: bool,
}

/// Whether a provider may be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Closed,
    Open,
    /// Half open: one probe at a time.
    Probe,
}

impl HealthRow {
    pub(crate) fn admission(&self, now: Timestamp) -> Admission {
        match self.open_until {
            None => Admission::Closed,
            Some(until) if now < until => Admission::Open,
            Some(_) => Admission::Probe,
        }
    }

    /// The row with the probe taken: open for all others until the probe must be over.
    pub(crate) fn with_probe_taken(&self, now: Timestamp) -> HealthRow {
        HealthRow { open_until: Some(now.after(OPEN)), ..*self }
    }

    /// The row after a failure; `None` when it changes nothing.
    pub(crate) fn after_failure(&self, incident: &Incident<'_>, now: Timestamp) -> Option<HealthRow> {
        let counted = self.counted(incident, now);
        let open = match incident.class {
            // The provider did its work: as good as a success, and never a reason to close it.
            FailureClass::BadInput | FailureClass::ContentRejected | FailureClass::LengthLimit => {
                return self.after_success();
            }
            FailureClass::UnknownOutcome | FailureClass::EmptyAnswer | FailureClass::Cancelled => {
                return None;
            }
            FailureClass::Auth | FailureClass::NoBalance | FailureClass::ModelGone => OPEN_FOR_A_PERSON,
            FailureClass::RequestRefused
            | FailureClass::Unavailable
            | FailureClass::RateLimited
            | FailureClass::BrokenStream => {
                if self.open_until.is_none() && !counted.is_down() {
                    return Some(counted);
                }
                OPEN
            }
        };
        // All runs that still fail would write the row again and again; half of the time is as good.
        let is_open_enough = self.open_until.is_some_and(|until| now.after(open / 2) <= until);
        (!is_open_enough).then(|| HealthRow { open_until: Some(now.after(open)), ..counted })
    }

    /// The row after a success; `None` when it changes nothing, as on every healthy day.
    pub(crate) fn after_success(&self) -> Option<HealthRow> {
        self.open_until.is_some().then(HealthRow::default)
    }

    fn is_down(&self) -> bool {
        self.outages >= FAILURES_MAX || (self.failures >= FAILURES_MAX && self.accounts.are_enough())
    }

    /// One failure more, in this window or as the first of a new one.
    fn counted(&self, incident: &Incident<'_>, now: Timestamp) -> HealthRow {
        let (row, window) = match self.window {
            Some(start) if now.since(start) < WINDOW => (*self, start),
            _ => (HealthRow { open_until: self.open_until, ..HealthRow::default() }, now),
        };
        HealthRow {
            failures: row.failures.saturating_add(1),
            outages: row.outages.saturating_add(u32::from(incident.is_outage)),
            window: Some(window),
            accounts: row.accounts.with(incident.account, window),
            ..row
        }
    }
}

impl Accounts {
    /// The window is hashed with the account: hashes of different windows can't be compared.
    fn with(mut self, account: &AccountId, window: Timestamp) -> Accounts {
        let parts: [&[u8]; 3] =
            [b"provider_health", &window.millis().to_be_bytes(), account.as_str().as_bytes()];
        let hash = Fingerprint::of(&parts);
        if !self.0.contains(&Some(hash))
            && let Some(place) = self.0.iter_mut().find(|place| place.is_none())
        {
            *place = Some(hash);
        }
        self
    }

    fn are_enough(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }

    /// For the table: the hashes, separated by blanks.
    pub(crate) fn to_text(self) -> String {
        let hashes: Vec<_> = self.0.iter().flatten().map(Fingerprint::encode).collect();
        hashes.join(" ")
    }

    /// Hashes that can't be read are left out: one account too few keeps a provider in use a little longer.
    pub(crate) fn of_text(text: &str) -> Accounts {
        let mut accounts = Accounts::default();
        let hashes = text.split(' ').filter_map(Fingerprint::decode);
        for (place, hash) in accounts.0.iter_mut().zip(hashes) {
            *place = Some(hash);
        }
        accounts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureClass::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    fn account(name: &str) -> AccountId {
        name.parse().unwrap()
    }

    /// A row whose failures befell three accounts, in the window that began at second 0.
    fn row(failures: u32, window: Option<u64>, open_until: Option<u64>) -> HealthRow {
        let window = window.map(at);
        let accounts = window.map_or(Accounts::default(), |window| {
            ["ann", "ben", "eve"]
                .iter()
                .fold(Accounts::default(), |accounts, name| accounts.with(&account(name), window))
        });
        HealthRow { failures, outages: 0, window, open_until: open_until.map(at), accounts }
    }

    fn after(before: HealthRow, class: FailureClass, second: u64) -> Option<HealthRow> {
        let account = account("ann");
        before.after_failure(&Incident { class, account: &account, is_outage: false }, at(second))
    }

    #[test]
    fn failures_open_a_provider_as_the_rules_say() {
        let healthy = HealthRow::default();
        // What is compared: failures, window, and until when it is open.
        let facts = |row: HealthRow| (row.failures, row.window, row.open_until);
        let table = [
            // row before, failure, at second, row after
            (healthy, Unavailable, 0, Some(row(1, Some(0), None))),
            (row(1, Some(0), None), RateLimited, 59, Some(row(2, Some(0), None))),
            (row(4, Some(0), None), BrokenStream, 59, Some(row(5, Some(0), Some(89)))),
            (row(4, Some(0), None), RequestRefused, 59, Some(row(5, Some(0), Some(89)))),
            (row(4, Some(0), None), Unavailable, 60, Some(row(1, Some(60), None))),
            (healthy, Auth, 0, Some(row(1, Some(0), Some(60)))),
            (healthy, NoBalance, 0, Some(row(1, Some(0), Some(60)))),
            (healthy, ModelGone, 0, Some(row(1, Some(0), Some(60)))),
            (healthy, BadInput, 0, None),
            (healthy, ContentRejected, 0, None),
            (healthy, UnknownOutcome, 0, None),
            (row(4, Some(0), None), BadInput, 1, None),
            (row(4, Some(0), None), EmptyAnswer, 1, None),
            (row(4, Some(0), None), LengthLimit, 1, None),
            (row(5, Some(0), Some(60)), BadInput, 31, Some(healthy)),
            (row(5, Some(0), Some(60)), LengthLimit, 31, Some(healthy)),
            (row(5, Some(0), Some(30)), EmptyAnswer, 31, None),
            // Open already: the row is left alone until half of the time is over.
            (row(5, Some(0), Some(30)), Unavailable, 10, None),
            (row(5, Some(0), Some(30)), Unavailable, 20, Some(row(6, Some(0), Some(50)))),
            (row(5, Some(0), Some(30)), Auth, 10, Some(row(6, Some(0), Some(70)))),
            // A probe that fails opens it again at once, however few failures there were.
            (row(1, Some(0), Some(60)), Unavailable, 61, Some(row(1, Some(61), Some(91)))),
        ];
        for (before, class, second, expected) in table {
            let row = after(before, class, second);
            assert_eq!(row.map(facts), expected.map(facts), "{before:?} {class} at {second}");
        }
    }

    #[test]
    fn failures_of_fewer_than_three_accounts_never_close_a_provider() {
        let names = ["ann", "ben", "ann", "ben", "ann", "ben", "ann", "eve"];
        let mut row = HealthRow::default();
        for (second, name) in names.into_iter().enumerate() {
            assert_eq!(row.open_until, None, "before the failure of {name} at {second}");
            let account = account(name);
            let incident = Incident { class: BrokenStream, account: &account, is_outage: false };
            row = row.after_failure(&incident, at(second as u64)).unwrap();
        }
        assert!(row.open_until.is_some(), "the third account's failure counts");
        assert!(!row.accounts.to_text().contains("ann"), "accounts are hashed");
    }

    #[test]
    fn five_times_no_connection_closes_a_provider_whoever_asked() {
        let account = account("ann");
        let incident = Incident { class: Unavailable, account: &account, is_outage: true };
        let mut row = HealthRow::default();
        for second in 0..5 {
            assert_eq!(row.open_until, None);
            row = row.after_failure(&incident, at(second)).unwrap();
        }
        assert!(row.open_until.is_some());
    }

    #[test]
    fn a_new_window_begins_without_the_old_ones_accounts() {
        let row = after(row(4, Some(0), None), Unavailable, 60).unwrap();
        assert!(!row.accounts.are_enough());
        assert_ne!(row.accounts, Accounts::default().with(&account("ann"), at(0)), "hashed with its window");
    }

    #[test]
    fn accounts_survive_being_stored() {
        for accounts in [Accounts::default(), row(1, Some(0), None).accounts] {
            assert_eq!(Accounts::of_text(&accounts.to_text()), accounts);
        }
        assert_eq!(Accounts::of_text("nonsense  x"), Accounts::default());
    }

    #[test]
    fn a_success_closes_and_otherwise_costs_nothing() {
        assert_eq!(HealthRow::default().after_success(), None);
        assert_eq!(row(4, Some(0), None).after_success(), None);
        assert_eq!(row(5, Some(0), Some(30)).after_success(), Some(HealthRow::default()));
    }

    #[test]
    fn one_probe_is_let_through_at_a_time() {
        let open = row(5, Some(0), Some(30));
        assert_eq!(open.admission(at(29)), Admission::Open);
        assert_eq!(open.admission(at(30)), Admission::Probe);

        let probed = open.with_probe_taken(at(31));
        assert_eq!(probed.admission(at(32)), Admission::Open, "the second visitor does not probe");
        assert_eq!(probed.admission(at(61)), Admission::Probe, "a probe that never came back is repeated");
        assert_eq!(probed.after_success().unwrap().admission(at(32)), Admission::Closed);
    }
}
