//! What the profile says about runs and about the tools that are sold.

use crate::Tool;
use platform::{Profile, Settings};
use primitives::{CostCents, Markup};
use providers::{Measure, WorstCosts};
use serde::Deserialize;
use std::collections::HashSet;
use std::time::Duration;

/// The sections of a profile that this crate owns.
pub const SECTIONS: &[&str] = &[RunRules::SECTION, ToolSeed::SECTION];

/// The section `runs`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRules {
    /// How long a quoted price is kept.
    pub quote_seconds: u64,
    /// How long an instance may use a price row it has read.
    pub pricing_cache_seconds: u64,
    /// Repeats of a running run that wait for its end, per account and two seconds (`WAITING_REPEATS_MAX`).
    pub waiting_repeats_max: u32,
    /// How long a row of `usage_log` is kept.
    pub usage_log_days: u32,
}

/// A row of the section `tools`: what `tool_pricing` starts with; afterwards the table is the truth.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolSeed {
    pub tool: Tool,
    /// Which variant of the tool, e.g. the model family; the first one listed is the default.
    pub option: String,
    pub title: String,
    pub provider_cost_cents: CostCents,
    pub markup_ratio: Markup,
    pub enabled: bool,
    /// The first provider and its fallbacks, as `provider/setting-of-the-model`.
    pub chain: Vec<String>,
    pub prompt_chars_max: u32,
    /// For text: each begun stretch of so many bytes of the prompt (UTF-8) costs `provider_cost_cents` once more.
    pub prompt_bytes_per_unit: Option<u32>,
    /// For text: the provider may write this many tokens.
    pub output_tokens_max: Option<u32>,
    /// For what is counted in characters, seconds or rows: each begun stretch of so many costs `provider_cost_cents` once
    /// more.
    pub amount_per_unit: Option<u32>,
    /// The most seconds that are taken, of what plays.
    pub amount_max: Option<u32>,
    /// For what gathers rows: who writes the text about them, as `chain`.
    #[serde(default)]
    pub summary_chain: Vec<String>,
}

impl RunRules {
    const SECTION: &str = "runs";

    pub fn read(profile: &Profile, settings: &mut Settings<'_>) -> Option<RunRules> {
        let mut rules: RunRules = profile.section(RunRules::SECTION, settings)?;
        settings.replace("WAITING_REPEATS_MAX", &mut rules.waiting_repeats_max, "a whole number");
        Some(rules)
    }

    pub(crate) fn quote_lifetime(&self) -> Duration {
        Duration::from_secs(self.quote_seconds)
    }

    pub(crate) fn usage_log_lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.usage_log_days) * 86_400)
    }
}

impl ToolSeed {
    const SECTION: &str = "tools";

    /// All rows, in order of display. A step that no provider serves is a mistake of the file: the row could never run.
    pub(crate) fn read_all(
        profile: &Profile,
        settings: &mut Settings<'_>,
        steps: &WorstCosts,
    ) -> Option<Vec<ToolSeed>> {
        let rows: Vec<ToolSeed> = profile.rows(ToolSeed::SECTION, settings)?;
        let mut names = HashSet::new();
        for row in &rows {
            let name = format!("{}/{}", row.tool.as_str(), row.option);
            let mut complain = |what: &str| {
                profile.complain(
                    settings,
                    &format!("can't be used, because of its section [[tools]]: {name} {what}"),
                );
            };
            if row.chain.is_empty() {
                complain("has an empty chain");
            }
            for step in &row.chain {
                if row.tool.least_work().iter().all(|work| steps.of_step(step, *work).is_none()) {
                    complain(&format!(
                        "names the step `{step}`, which does not exist or makes something else"
                    ));
                }
            }
            let text = Measure::Text { prompt_bytes: 1, output_tokens_max: 1 };
            for step in row.summary_chain.iter().filter(|step| steps.of_step(step, text).is_none()) {
                complain(&format!(
                    "names the step `{step}` for its text, which does not exist or writes none"
                ));
            }
            if !names.insert(name.clone()) {
                complain("is there twice");
            }
        }
        Some(rows)
    }
}
