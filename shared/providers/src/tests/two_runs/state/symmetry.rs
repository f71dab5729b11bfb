//! States that differ in nothing that matters are one state: processes and runs change places, what is over is forgotten.

use super::*;

impl State {
    /// The same state with its runs and processes in one order, and without what nothing reads any more.
    pub(in crate::tests::two_runs) fn canonical(mut self, works: &Works) -> State {
        for run in 0..2 {
            self.forget(works, run);
        }
        let mut swapped = self;
        swapped.runs.swap(0, 1);
        for run in swapped.hands.iter_mut().filter_map(Hands::run_mut) {
            *run = 1 - *run;
        }
        self.order_processes();
        swapped.order_processes();
        self.min(swapped)
    }

    fn order_processes(&mut self) {
        let [one, other] = [0, 1].map(|who| (self.hands[who], self.waits[who]));
        if other < one {
            self.hands.swap(0, 1);
            self.waits.swap(0, 1);
        }
    }

    /// The state after all processes were killed.
    pub(in crate::tests::two_runs) fn with_empty_hands(self) -> State {
        State { hands: [Hands::Empty; 2], waits: [false; 2], ..self }
    }

    /// What a process that has this in its hands may still change.
    fn what_is_left(&self, hands: Hands, run: Run) -> Hands {
        let is_over = run.job.is_none_or(|job| job.is_over);
        match (hands, run.outcome) {
            // The table refuses its write.
            (Hands::Knows { .. }, _) if is_over => Hands::Empty,
            // The output is there, and so is all that could come of it.
            (Hands::Books { .. }, Some(outcome))
                if is_over && run.hold.is_none() && (outcome.is_charged || run.has_gift) =>
            {
                Hands::Empty
            }
            // The ledger refuses its outcome, and it obeys the one that stands.
            (Hands::Decides { run: of, nonce, verdict }, Some(outcome)) => {
                let gives = verdict == Verdict::Charge && !outcome.is_charged;
                let ends = verdict != Verdict::Expire;
                self.what_is_left(Hands::Applies { run: of, nonce, gives, ends }, run)
            }
            (Hands::Applies { run: of, nonce, gives, ends }, _) => {
                let (gives, ends) = (gives && !run.has_gift, ends && !is_over);
                let has_hold = run.hold.is_some_and(|hold| hold.nonce == nonce);
                if gives || ends || has_hold {
                    Hands::Applies { run: of, nonce, gives, ends }
                } else {
                    Hands::Empty
                }
            }
            _ => hands,
        }
    }

    /// Takes out what nothing reads any more.
    fn forget(&mut self, works: &Works, run: u8) {
        for who in 0..2 {
            if self.hands[who].run() == Some(run) {
                self.hands[who] = self.what_is_left(self.hands[who], *self.run(run));
                self.waits[who] &= self.hands[who] != Hands::Empty;
            }
        }
        let standing = *self.run(run);
        let Some(job) = standing.job.filter(|job| job.is_over) else { return };
        let begun = works.begin(0, HELD);
        for hands in &mut self.hands {
            match hands {
                Hands::Books { run: of, seen, is_fresh, .. } if *of == run => {
                    (*seen, *is_fresh) = (begun, false)
                }
                Hands::Asks { run: of, .. } if *of == run => return,
                _ => {}
            }
        }
        let may_give = standing.outcome.is_some_and(|outcome| !outcome.is_charged)
            && !standing.has_gift
            && matches!(standing.provider, Provider::Works | Provider::Finished)
            && works.naming(job.work) != Naming::NoJob;
        let work = if may_give { works.changed(begun, Change::Asking, 0) } else { begun };
        let has_hands = self.hands.iter().any(|hands| hands.run() == Some(run));
        let left = self.run_mut(run);
        left.job = Some(Job { work, nonce: 0, is_over: true });
        if !may_give {
            left.provider = Provider::Gone;
        }
        if standing.hold.is_none() && !has_hands {
            left.holds_taken = 1;
            left.outcome = standing.outcome.map(|outcome| Outcome { nonce: 0, ..outcome });
        }
    }
}
