/// One subject's requests within one minute, as one instance sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    minute: u64,
    /// What all instances have reported, at our last look.
    shared: u32,
    /// On its way to the table.
    in_flight: u32,
    /// Counted here and not reported yet.
    unreported: u32,
    /// A random head start of the first report. It makes the shared count right on average although each of many
    /// instances may see one request only, as on Lambda, and would never fill a batch by itself.
    head_start: u32,
    has_warned: bool,
}

/// What a request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// Pass, and add this many to the shared count meanwhile.
    PassAndReport(u32),
    Refuse,
}

impl Window {
    /// `roll` is a random number.
    pub(crate) fn new(minute: u64, limit: u32, roll: u32) -> Window {
        let head_start = roll % batch(limit);
        Window { minute, shared: 0, in_flight: 0, unreported: 0, head_start, has_warned: false }
    }

    pub(crate) fn minute(&self) -> u64 {
        self.minute
    }

    /// Refused requests are not counted: they cost next to nothing, and the window ends anyway.
    pub(crate) fn count(&mut self, minute: u64, limit: u32, roll: u32) -> Verdict {
        if minute != self.minute {
            *self = Window::new(minute, limit, roll);
        }
        if self.known() >= limit {
            return Verdict::Refuse;
        }
        self.unreported += 1;
        if self.in_flight > 0 || self.unreported + self.head_start < batch(limit) {
            return Verdict::Pass;
        }
        self.in_flight = std::mem::take(&mut self.unreported) + std::mem::take(&mut self.head_start);
        Verdict::PassAndReport(self.in_flight)
    }

    /// The table's total, which includes our report; late news of another minute is dropped.
    pub(crate) fn reported(&mut self, minute: u64, total: u32) {
        if minute == self.minute {
            self.in_flight = 0;
            self.shared = total.max(self.shared);
        }
    }

    /// The report was lost: our own count stays known here. True when nobody was warned yet.
    pub(crate) fn report_failed(&mut self, minute: u64) -> bool {
        if minute != self.minute {
            return false;
        }
        self.shared = self.shared.saturating_add(std::mem::take(&mut self.in_flight));
        !std::mem::replace(&mut self.has_warned, true)
    }

    fn known(&self) -> u32 {
        self.shared.saturating_add(self.in_flight).saturating_add(self.unreported)
    }
}

/// How many requests one report stands for: one write for a sixteenth of the limit.
fn batch(limit: u32) -> u32 {
    (limit / 16).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Pass, PassAndReport, Refuse};

    enum Step {
        Count(u64, Verdict),
        Report(u64, u32),
        Fail(u64),
    }
    use Step::{Count, Fail, Report};

    fn check(name: &str, limit: u32, steps: &[Step]) {
        let mut window = Window::new(1, limit, 0);
        for (position, step) in steps.iter().enumerate() {
            match *step {
                Count(minute, expected) => {
                    assert_eq!(window.count(minute, limit, 0), expected, "{name}, step {position}");
                }
                Report(minute, total) => window.reported(minute, total),
                Fail(minute) => drop(window.report_failed(minute)),
            }
        }
    }

    #[test]
    fn requests_are_counted_reported_and_refused() {
        check(
            "limit one",
            1,
            &[Count(1, PassAndReport(1)), Count(1, Refuse), Report(1, 1), Count(1, Refuse)],
        );
        check("nothing allowed", 0, &[Count(1, Refuse)]);
        let reports = [
            Count(1, Pass),
            Count(1, PassAndReport(2)),
            Count(1, Pass),
            Count(1, Pass),
            Count(1, Pass),
            Report(1, 2),
            Count(1, PassAndReport(4)),
        ];
        check("one report at a time, the rest waits for the next", 32, &reports);
        let others = [Count(1, PassAndReport(1)), Report(1, 9), Count(1, PassAndReport(1)), Count(1, Refuse)];
        check("others count too", 10, &others);
        check("others used it up", 10, &[Count(1, PassAndReport(1)), Report(1, 30), Count(1, Refuse)]);
        let next = [
            Count(1, PassAndReport(1)),
            Count(1, Refuse),
            Count(2, PassAndReport(1)),
            Report(1, 9),
            Count(2, Refuse),
        ];
        check("a minute starts anew", 1, &next);
        let late = [Count(1, PassAndReport(1)), Count(2, PassAndReport(1)), Report(1, 99), Count(2, Pass)];
        check("late news of another minute", 3, &late);
    }

    #[test]
    fn a_lost_report_keeps_the_local_count() {
        check(
            "still limited here",
            2,
            &[Count(1, PassAndReport(1)), Fail(1), Count(1, PassAndReport(1)), Fail(1), Count(1, Refuse)],
        );
    }

    #[test]
    fn many_instances_with_one_request_each_report_as_many_as_there_were() {
        let (limit, instances) = (160, 1000_u32);
        let reported: u32 = (0..instances)
            .map(|roll| match Window::new(1, limit, roll).count(1, limit, roll) {
                PassAndReport(requests) => requests,
                Pass | Refuse => 0,
            })
            .sum();
        assert_eq!(reported, instances);
    }

    #[test]
    fn a_window_warns_once() {
        let mut window = Window::new(1, 5, 0);
        assert!(window.report_failed(1));
        assert!(!window.report_failed(1));
        assert!(!window.report_failed(2));
        window.count(2, 5, 0);
        assert!(window.report_failed(2));
    }
}
