//! What must hold in every state, and of every step.

use super::*;

impl State {
    /// What must hold in every state.
    pub(in crate::tests::two_runs) fn check(&self, rules: &Rules) -> Result<(), &'static str> {
        let [one, other] = &self.runs;
        let balance = self.available + one.reserved() + other.reserved();
        let charged = one.charged() + other.charged();
        if balance + charged != rules.granted {
            return Err("the books do not balance");
        }
        for run in &self.runs {
            if run.given > 1 {
                return Err("a provider was given the work twice");
            }
            if run.charged() > 0 && !(run.is_stored && run.given == 1) {
                return Err("charged for what is not stored");
            }
            if run.has_gift && !(run.is_stored && run.outcome.is_some_and(|outcome| !outcome.is_charged)) {
                return Err("a gift of what is charged, or not stored");
            }
        }
        Ok(())
    }

    /// What a step may not do.
    pub(in crate::tests::two_runs) fn check_step(&self, step: &Step) -> Result<(), &'static str> {
        for run in 0..2 {
            let (before, after) = (self.run(run), step.state.run(run));
            if step.run != Some(run) && before != after {
                return Err("what happened to one run changed the other one");
            }
            if before.outcome.is_some() && before.outcome != after.outcome {
                return Err("an outcome was rewritten");
            }
        }
        Ok(())
    }
}
