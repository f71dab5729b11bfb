use crate::{FieldError, ToolInput};
use platform::ToolSeed;
use primitives::{CostCents, Credits, Markup, Overflow, price_half_up};

/// One row of `tool_pricing`: what a variant of a tool costs us, and what we make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    pub tool: String,
    pub option: String,
    pub title: String,
    pub provider_cost: CostCents,
    pub markup: Markup,
    pub is_enabled: bool,
    pub chain: Vec<String>,
    pub prompt_chars_max: u32,
    pub output_tokens_max: Option<u32>,
    /// Order of display; the lowest of a tool is its default.
    pub position: u32,
}

impl PriceRow {
    pub(crate) fn of_seed(seed: &ToolSeed, position: usize) -> PriceRow {
        PriceRow {
            tool: seed.tool.clone(),
            option: seed.option.clone(),
            title: seed.title.clone(),
            provider_cost: seed.provider_cost_cents,
            markup: seed.markup_ratio,
            is_enabled: seed.enabled,
            chain: seed.chain.clone(),
            prompt_chars_max: seed.prompt_chars_max,
            output_tokens_max: seed.output_tokens_max,
            position: u32::try_from(position).unwrap_or(u32::MAX),
        }
    }

    /// The price of one run, whichever provider serves it.
    pub fn price(&self) -> Result<Credits, Overflow> {
        price_half_up(self.provider_cost, self.markup)
    }

    /// `script/chat`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.tool, self.option)
    }

    /// Whether this variant takes the input.
    pub fn check(&self, input: &ToolInput) -> Result<(), Vec<FieldError>> {
        if input.chars() <= self.prompt_chars_max as usize {
            return Ok(());
        }
        let detail = format!("shorten it to {} characters", self.prompt_chars_max);
        Err(vec![FieldError::new("/input/prompt", detail)])
    }
}
