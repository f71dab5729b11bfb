use crate::FailureClass;
use primitives::Timestamp;
use std::time::Duration;

/// Failures are counted within this time from the first of them.
const WINDOW: Duration = Duration::from_secs(60);
/// So many failures in a window close a provider.
const FAILURES_MAX: u32 = 5;
/// How long it stays closed; a probe also has this long before the next one may try.
const OPEN: Duration = Duration::from_secs(30);
/// How long when a person has to mend something.
const OPEN_FOR_A_PERSON: Duration = Duration::from_secs(60);

/// What the instances know together about one provider. The words are a circuit breaker's: open = not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct HealthRow {
    pub(crate) failures: u32,
    /// When the first of `failures` happened.
    pub(crate) window: Option<Timestamp>,
    pub(crate) open_until: Option<Timestamp>,
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

    /// The row with the probe taken: open for everybody else until the probe must be over.
    pub(crate) fn claimed(&self, now: Timestamp) -> HealthRow {
        HealthRow { open_until: Some(now.after(OPEN)), ..*self }
    }

    /// The row after a failure; `None` when it changes nothing.
    pub(crate) fn after_failure(&self, class: FailureClass, now: Timestamp) -> Option<HealthRow> {
        let counted = self.counted(now);
        let open = match class {
            // The provider did its work: as good as a success, and never a reason to close it.
            FailureClass::BadInput | FailureClass::ContentRejected => return self.after_success(),
            FailureClass::UnknownOutcome | FailureClass::EmptyAnswer | FailureClass::LengthLimit => {
                return None;
            }
            FailureClass::Auth | FailureClass::NoBalance | FailureClass::ModelGone => OPEN_FOR_A_PERSON,
            FailureClass::RequestRefused
            | FailureClass::Unavailable
            | FailureClass::RateLimited
            | FailureClass::BrokenStream => {
                if self.open_until.is_none() && counted.failures < FAILURES_MAX {
                    return Some(counted);
                }
                OPEN
            }
        };
        // Everybody who still fails would write the row again and again; half of the time is as good.
        let is_open_enough = self.open_until.is_some_and(|until| now.after(open / 2) <= until);
        (!is_open_enough).then(|| HealthRow { open_until: Some(now.after(open)), ..counted })
    }

    /// The row after a success; `None` when it changes nothing, as on every healthy day.
    pub(crate) fn after_success(&self) -> Option<HealthRow> {
        self.open_until.is_some().then(HealthRow::default)
    }

    /// One failure more, in this window or the first of a new one.
    fn counted(&self, now: Timestamp) -> HealthRow {
        match self.window {
            Some(start) if now.since(start) < WINDOW => {
                HealthRow { failures: self.failures.saturating_add(1), ..*self }
            }
            _ => HealthRow { failures: 1, window: Some(now), ..*self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureClass::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    fn row(failures: u32, window: Option<u64>, open_until: Option<u64>) -> HealthRow {
        HealthRow { failures, window: window.map(at), open_until: open_until.map(at) }
    }

    #[test]
    fn failures_open_a_provider_as_the_rules_say() {
        let healthy = HealthRow::default();
        let table = [
            // row before, failure, at second, row after
            (healthy, Unavailable, 0, Some(row(1, Some(0), None))),
            (row(1, Some(0), None), RateLimited, 59, Some(row(2, Some(0), None))),
            (row(4, Some(0), None), BrokenStream, 59, Some(row(5, Some(0), Some(89)))),
            (row(4, Some(0), None), Unavailable, 60, Some(row(1, Some(60), None))),
            (healthy, Auth, 0, Some(row(1, Some(0), Some(60)))),
            (healthy, NoBalance, 0, Some(row(1, Some(0), Some(60)))),
            (healthy, ModelGone, 0, Some(row(1, Some(0), Some(60)))),
            (healthy, BadInput, 0, None),
            (healthy, ContentRejected, 0, None),
            (healthy, UnknownOutcome, 0, None),
            (row(4, Some(0), None), BadInput, 1, None),
            (row(5, Some(0), Some(60)), BadInput, 31, Some(healthy)),
            // Open already: the row is left alone until half of the time is over.
            (row(5, Some(0), Some(30)), Unavailable, 10, None),
            (row(5, Some(0), Some(30)), Unavailable, 20, Some(row(6, Some(0), Some(50)))),
            (row(5, Some(0), Some(30)), Auth, 10, Some(row(6, Some(0), Some(70)))),
            // A probe that fails opens it again at once, however few failures there were.
            (row(1, Some(0), Some(60)), Unavailable, 61, Some(row(1, Some(61), Some(91)))),
        ];
        for (before, class, second, after) in table {
            assert_eq!(before.after_failure(class, at(second)), after, "{before:?} {class} at {second}");
        }
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

        let probed = open.claimed(at(31));
        assert_eq!(probed.admission(at(32)), Admission::Open, "the second visitor does not probe");
        assert_eq!(probed.admission(at(61)), Admission::Probe, "a probe that never came back is repeated");
        assert_eq!(probed.after_success().unwrap().admission(at(32)), Admission::Closed);
    }
}
