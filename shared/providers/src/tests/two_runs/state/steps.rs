//! Everything that can happen to a state next, one step at a time.

use super::*;

impl State {
    /// Everything that can happen next.
    pub(in crate::tests::two_runs) fn followers(&self, works: &Works, rules: &Rules) -> Vec<Step> {
        let mut all = Vec::new();
        for run in (0..2).filter(|run| self.has_turn(*run)) {
            for who in 0..2 {
                // Two processes with empty hands are the same process.
                if who == 1 && self.hands == [Hands::Empty; 2] {
                    break;
                }
                match self.hands[who].run() {
                    None => {
                        all.extend(self.orders(who, run, rules));
                        all.extend(self.visits(works, who, run));
                        all.extend(self.sweeps(who, run, rules));
                    }
                    Some(of) if of == run => {
                        all.extend(self.goes_on(works, who));
                        // Killed for good: what was in its hands is lost.
                        all.push(self.by(who, Event::Killed, run, Hands::Empty, |_| ()));
                    }
                    Some(_) => {}
                }
            }
            all.extend(self.outside(works, run));
        }
        if self.now < rules.last_step && !self.is_in_haste() {
            all.push(self.tick());
        }
        all
    }

    /// What is done for one run touches nothing of the other one but the available credit, and what a process has in
    /// its hands touches that credit once (a repeat's second hold goes back whole). So as long as no time passes, a
    /// process that has begun something for a run is followed to its end (or its death) before the other run is: the
    /// other order leads to the same states.
    fn has_turn(&self, run: u8) -> bool {
        let is_other = |hands: &Hands| hands.run().is_some_and(|of| of != run);
        !self.hands.iter().zip(self.waits).any(|(hands, waits)| is_other(hands) && !waits)
    }

    /// Whether a process does what takes seconds. Fetching may take longer than its lease.
    fn is_in_haste(&self) -> bool {
        !self.hands.iter().all(|hands| matches!(hands, Hands::Empty | Hands::Books { .. }))
    }

    fn tick(&self) -> Step {
        let waits = self.hands.map(|hands| hands != Hands::Empty);
        Step { event: Event::TimePasses, run: None, state: State { now: self.now + 1, waits, ..*self } }
    }

    /// A request, or its repeat, reserves. Its look for an outcome beside the reservation found none: it may have been
    /// too early. The reservation's answer shows that the run has ended, and the second look finds the outcome.
    fn orders(&self, who: usize, run: u8, rules: &Rules) -> Option<Step> {
        let standing = *self.run(run);
        if standing.holds_taken == 0 && self.now > rules.last_start || standing.holds_taken >= HOLDS_MAX {
            return None;
        }
        let mut state = *self;
        let Some(hold) = state.reserve(run) else {
            let event = if standing.hold.is_some() { Event::IsKnown } else { Event::IsRefused };
            return Some(self.by(who, event, run, Hands::Empty, |_| ()));
        };
        state.take(who, Hands::Holds { run, hold, is_known: standing.has_ended });
        Some(Step { event: Event::Reserves, run: Some(run), state })
    }

    /// The sweep (or a request that tidies up) meets a hold past its end and grace.
    fn sweeps(&self, who: usize, run: u8, rules: &Rules) -> Option<Step> {
        let hold = self.run(run).hold.filter(|hold| hold.until + rules.grace <= self.now)?;
        let hands = Hands::Decides { run, nonce: hold.nonce, verdict: Verdict::Expire };
        Some(self.by(who, Event::SweepComes, run, hands, |_| ()))
    }

    /// What happens without a process of ours that goes on with it.
    fn outside(&self, works: &Works, run: u8) -> Vec<Step> {
        let mut all = Vec::new();
        let standing = self.run(run);
        if standing.provider == Provider::Works {
            all.push(self.with(Event::ProviderFinishes, run, |state| {
                state.run_mut(run).provider = Provider::Finished;
            }));
        }
        let Some(job) = standing.job else { return all };
        if standing.provider != Provider::Nothing
            && works.naming(job.work) == Naming::LacksName
            && !job.is_over
        {
            let known = works.changed(job.work, Change::Known, self.now);
            all.push(self.with(Event::WebhookNames, run, |state| {
                state.store(works, run, job.work, known, true);
            }));
        }
        if self.may_be_given(works, run) {
            all.push(self.with(Event::Gift, run, |state| {
                state.run_mut(run).is_stored = true;
                state.run_mut(run).has_gift = true;
            }));
        }
        let ending = works.changed(job.work, Change::Ending, self.now);
        if !job.is_over && ending != job.work {
            all.push(self.with(Event::OwnerCancels, run, |state| {
                state.store(works, run, job.work, ending, true);
            }));
        }
        all
    }

    /// A webhook tells of what was finished, and the run has ended and was given back.
    fn may_be_given(&self, works: &Works, run: u8) -> bool {
        let standing = self.run(run);
        let is_late = standing.job.is_some_and(|job| job.is_over && works.naming(job.work) != Naming::NoJob);
        let is_released = standing.outcome.is_some_and(|outcome| !outcome.is_charged);
        is_late && is_released && standing.provider == Provider::Finished && !standing.has_gift
    }

    /// What a process that comes to a run's job does first. A read and the conditional write that follows from it are
    /// one step, unless a provider or the ledger hears of it in between: a write that is refused changes nothing.
    fn visits(&self, works: &Works, who: usize, run: u8) -> Vec<Step> {
        let standing = self.run(run);
        let Some(job) = standing.job.filter(|job| !job.is_over) else { return Vec::new() };
        let mut all = Vec::new();
        if standing.outcome.is_some() {
            let hands = Hands::Applies { run, nonce: job.nonce, gives: false, ends: true };
            all.push(self.by(who, Event::PollObeys, run, hands, |_| ()));
        }
        let stores = |event, change| {
            let next = works.changed(job.work, change, self.now);
            self.with(event, run, |state| {
                state.store(works, run, job.work, next, true);
            })
        };
        let knows = |event, change, provider| {
            let next = works.changed(job.work, change, self.now);
            let hands = Hands::Knows { run, seen: job.work, next, is_fresh: true };
            self.by(who, event, run, hands, |state| state.run_mut(run).provider = provider)
        };
        let books = || {
            let next = works.changed(job.work, Change::Finishing, self.now);
            self.with(Event::Finishing, run, |state| {
                state.store(works, run, job.work, next, true);
                state.take(who, Hands::Books { run, seen: next, nonce: job.nonce, is_fresh: true });
            })
        };
        match (works.due(job.work, self.now), standing.provider) {
            (Due::Wait, _) => {}
            (Due::GiveUp { .. }, _) if standing.outcome.is_some() => {}
            (Due::GiveUp { is_cancelled }, _) => {
                let verdict = if is_cancelled { Verdict::Cancel } else { Verdict::Release };
                let hands = Hands::Decides { run, nonce: job.nonce, verdict };
                all.push(self.by(who, Event::GivesUp, run, hands, |_| ()));
            }
            (Due::Ask { has_step: false }, _) => all.push(stores(Event::Asks, Change::Unserved)),
            (Due::Ask { has_step: true }, _) => {
                let seen = works.changed(job.work, Change::Asking, self.now);
                all.push(self.with(Event::Asks, run, |state| {
                    state.store(works, run, job.work, seen, true);
                    state.take(who, Hands::Asks { run, seen, has_arrived: false, is_fresh: true });
                }));
            }
            (Due::Find, provider) => {
                all.push(match provider {
                    Provider::Nothing => stores(Event::FindsNothing, Change::NotSent),
                    _ => stores(Event::Finds, Change::Known),
                });
                // Not every provider can be asked.
                all.push(stores(Event::AnswerLost, Change::Unknown));
            }
            (Due::Watch, Provider::Works | Provider::Nothing) => {}
            (Due::Watch | Due::Withdraw { .. }, Provider::Finished) => all.push(books()),
            (Due::Watch | Due::Withdraw { .. }, Provider::Gone) => {
                all.push(stores(Event::Watches, Change::NotHad));
            }
            (Due::Withdraw { may_go_on }, provider) => {
                all.push(knows(Event::Withdraws, Change::NotHad, Provider::Gone));
                all.push(stores(Event::AnswerLost, Change::Unknown));
                if may_go_on && provider == Provider::Works {
                    all.push(stores(Event::GoesOn, Change::GoingOn));
                }
            }
        }
        all
    }

    /// What a process does next with what it has in its hands; the first one is how it goes when all goes well.
    fn goes_on(&self, works: &Works, who: usize) -> Vec<Step> {
        match self.hands[who] {
            Hands::Empty => Vec::new(),
            Hands::Holds { run, hold, is_known } => vec![self.begins(works, who, run, hold, is_known)],
            Hands::Asks { run, seen, has_arrived, is_fresh } => {
                self.asks(works, who, run, (seen, has_arrived, is_fresh))
            }
            Hands::Knows { run, seen, next, is_fresh } => {
                vec![self.by(who, Event::StoresAnswer, run, Hands::Empty, |state| {
                    state.store(works, run, seen, next, is_fresh);
                })]
            }
            Hands::Books { run, seen, nonce, is_fresh } => {
                let decides = |verdict| Hands::Decides { run, nonce, verdict };
                let next = works.changed(seen, Change::NotHad, self.now);
                vec![
                    self.by(who, Event::StoresOutput, run, decides(Verdict::Charge), |state| {
                        state.run_mut(run).is_stored = true;
                    }),
                    // Our own bucket fails.
                    self.by(who, Event::OutputLost, run, decides(Verdict::Release), |_| ()),
                    // The file can't be had.
                    self.by(who, Event::NotHad, run, Hands::Empty, |state| {
                        state.store(works, run, seen, next, is_fresh);
                    }),
                ]
            }
            Hands::Decides { run, nonce, verdict } => vec![self.decides(who, run, nonce, verdict)],
            Hands::Applies { run, nonce, gives, ends } => self.applies(who, run, nonce, (gives, ends)),
        }
    }

    fn begins(&self, works: &Works, who: usize, run: u8, hold: Hold, is_known: bool) -> Step {
        if is_known {
            return self.by(who, Event::TakesBackHold, run, Hands::Empty, |state| {
                state.take_hold(run, hold.nonce, None);
            });
        }
        if self.run(run).job.is_some() {
            return self.by(who, Event::FindsJobBegun, run, Hands::Empty, |_| ());
        }
        let seen = works.changed(works.begin(self.now, hold.until), Change::Asking, self.now);
        let hands = Hands::Asks { run, seen, has_arrived: false, is_fresh: true };
        self.by(who, Event::Begins, run, hands, |state| {
            state.run_mut(run).job = Some(Job { work: seen, nonce: hold.nonce, is_over: false });
        })
    }

    fn asks(&self, works: &Works, who: usize, run: u8, asked: (WorkId, bool, bool)) -> Vec<Step> {
        let (seen, has_arrived, is_fresh) = asked;
        let knows = |event, change| {
            let next = works.changed(seen, change, self.now);
            self.by(who, event, run, Hands::Knows { run, seen, next, is_fresh }, |_| ())
        };
        if has_arrived {
            return vec![knows(Event::IsTaken, Change::Taken), knows(Event::AnswerLost, Change::Unknown)];
        }
        let arrived = Hands::Asks { run, seen, has_arrived: true, is_fresh };
        vec![
            self.by(who, Event::Arrives, run, arrived, |state| {
                state.run_mut(run).given += 1;
                state.run_mut(run).provider = Provider::Works;
            }),
            knows(Event::DoesNotArrive, Change::NotSent),
            knows(Event::IsRejected, Change::Rejected),
        ]
    }

    fn decides(&self, who: usize, run: u8, nonce: u8, verdict: Verdict) -> Step {
        let mut state = *self;
        let is_charged = verdict == Verdict::Charge;
        state.decide(run, Outcome { is_charged, nonce });
        let was_released = state.run(run).outcome.is_some_and(|outcome| !outcome.is_charged);
        let (gives, ends) = (is_charged && was_released, verdict != Verdict::Expire);
        state.take(who, Hands::Applies { run, nonce, gives, ends });
        Step { event: Event::Decides(verdict), run: Some(run), state }
    }

    /// Takes the hold away, notes the gift, ends the job; it may be killed after each of these writes, which can be
    /// repeated.
    fn applies(&self, who: usize, run: u8, nonce: u8, (gives, ends): (bool, bool)) -> Vec<Step> {
        let applied = self.by(who, Event::Applies, run, Hands::Empty, |state| {
            let outcome = state.run(run).outcome;
            state.take_hold(run, nonce, outcome);
        });
        let mut all = vec![applied];
        if gives {
            let given = all[0].state.with(Event::Gift, run, |state| state.run_mut(run).has_gift = true);
            all.insert(0, given);
        }
        if ends {
            let Step { event, state, .. } = &all[0];
            let ended = state.with(*event, run, |state| {
                if let Some(job) = &mut state.run_mut(run).job {
                    job.is_over = true;
                }
            });
            all.insert(0, ended);
        }
        all
    }

    /// What one healthy process does next, while the time passes and no provider finishes anything. `None`: both runs
    /// have found their end.
    pub(in crate::tests::two_runs) fn healed(&self, works: &Works, rules: &Rules) -> Option<State> {
        if self.runs.iter().all(Run::is_over) && self.hands[0] == Hands::Empty {
            return None;
        }
        let mut next = self.goes_on(works, 0);
        if self.hands[0] == Hands::Empty {
            next.extend((0..2).filter_map(|run| self.sweeps(0, run, rules)));
            next.extend((0..2).flat_map(|run| self.visits(works, 0, run)));
            next.push(self.tick());
        }
        next.into_iter().next().map(|step| step.state)
    }
}
