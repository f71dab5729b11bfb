use super::answer::Answer;
use crate::at_worst::sound_cost;
use crate::failure::{Again, Failure};
use crate::job::{Brought, Finished};
use crate::{Segment, Transcript, Usage};
use primitives::CostCents;
use tracing::warn;

/// How many times its measured length a sound may last before Groq's count is not believed.
const PLAUSIBLE_FACTOR: u32 = 2;

/// What was heard so far, part by part, and what that costs.
pub(super) struct Heard {
    hour_cost: CostCents,
    id: Option<String>,
    language: Option<String>,
    segments: Vec<Segment>,
    /// Milliseconds of all parts so far.
    lasted: u64,
    cost: CostCents,
    cost_is_estimated: bool,
    parts: u32,
}

impl Heard {
    pub(super) fn new(hour_cost: CostCents) -> Heard {
        Heard {
            hour_cost,
            id: None,
            language: None,
            segments: Vec::new(),
            lasted: 0,
            cost: CostCents::ZERO,
            cost_is_estimated: false,
            parts: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts == 0
    }

    /// The next part; `seconds` is what it should last.
    pub(super) fn add(&mut self, answer: Answer, seconds: u32) {
        let (cost, is_estimated) = cost_of(self.hour_cost, answer.lasts, seconds);
        self.cost = self.cost.saturating_add(cost);
        self.cost_is_estimated |= is_estimated;
        self.parts += 1;
        self.id = self.id.take().or(answer.id);
        self.language = self.language.take().or(answer.language);
        let begins = self.lasted;
        self.segments.extend(answer.segments.into_iter().map(|segment| Segment {
            start: begins.saturating_add(segment.start),
            end: begins.saturating_add(segment.end),
            ..segment
        }));
        let lasts = answer.lasts.unwrap_or(u64::from(seconds) * 1_000);
        self.lasted = begins.saturating_add(lasts);
    }

    /// The failure of a later part: what was heard before is paid, and asking for everything anew would pay it again.
    pub(super) fn broken(&self, failure: Failure) -> Failure {
        let again = if self.is_empty() { failure.again } else { Again::Never };
        let cost = self.cost.saturating_add(failure.cost);
        let cost_is_estimated = self.cost_is_estimated || failure.cost_is_estimated;
        Failure { again, ..failure }.costing(cost, cost_is_estimated)
    }

    /// `empty_answer`, at its cost, when nothing was said.
    pub(super) fn finished(self) -> Result<Finished, Failure> {
        let (cost, cost_is_estimated) = (self.cost, self.cost_is_estimated);
        let transcript = Transcript::of(self.language, self.segments)
            .map_err(|failure| failure.costing(cost, cost_is_estimated).with_request_id(self.id.clone()))?;
        Ok(Finished {
            brought: Brought::Transcript(transcript),
            id: self.id,
            usage: Usage::default(),
            cost,
            cost_is_estimated,
        })
    }
}

/// What a part costs, and whether that is an estimate: by the length that Groq tells, as far as it can be.
fn cost_of(hour_cost: CostCents, lasts: Option<u64>, seconds: u32) -> (CostCents, bool) {
    let Some(millis) = lasts else { return (sound_cost(hour_cost, seconds), true) };
    let told = u32::try_from(millis.div_ceil(1_000)).unwrap_or(u32::MAX);
    let most = seconds.saturating_mul(PLAUSIBLE_FACTOR).max(10);
    if told > most {
        warn!(
            metric = "provider_usage_implausible",
            provider.name = "groq",
            "Groq told a length that the sound can't have; its cost is bounded"
        );
        return (sound_cost(hour_cost, most), true);
    }
    (sound_cost(hour_cost, told), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_costs_what_its_told_length_costs_as_far_as_it_can_be() {
        let hour = "36".parse().unwrap();
        let cost = |text: &str| -> CostCents { text.parse().unwrap() };
        let table = [
            (Some(1), 5, "0.1", false),
            (Some(10_000), 10, "0.1", false),
            (Some(10_001), 10, "0.2", false),
            (Some(60_000), 60, "0.6", false),
            (Some(120_000), 60, "1.2", false),
            (Some(120_001), 60, "1.2", true),
            (Some(u64::MAX), 60, "1.2", true),
            (Some(0), 60, "0.1", false),
            (None, 61, "0.7", true),
        ];
        for (lasts, seconds, expected, is_estimated) in table {
            let told = cost_of(hour, lasts, seconds);
            assert_eq!(told, (cost(expected), is_estimated), "{lasts:?} {seconds}");
        }
    }
}
