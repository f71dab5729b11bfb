use crate::{FieldError, ImageSize, ToolInput, ToolSeed};
use primitives::{CostCents, Credits, Markup, Overflow, Unit};
use problems::Wording;
use providers::{Measure, WorstCosts};

/// UTF-8 needs four bytes for a character at most.
const BYTES_PER_CHAR_MAX: u64 = 4;
/// What a text provider may write when the row does not say.
const OUTPUT_TOKENS_DEFAULT: u32 = 2_000;

/// More prices of one variant than a person reads.
const CASES_MAX: u64 = 64;

/// One row of `tool_pricing`: what a unit of a tool's variant costs us, and what we make of it.
///
/// The price of a run follows from its input: price = ROUND(cost of a unit × units of the input × markup).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceRow {
    pub tool: String,
    pub option: String,
    pub title: String,
    /// Of one unit.
    pub provider_cost: CostCents,
    pub markup: Markup,
    /// What its prices are counted in: the profile's, not the row's own.
    pub ledger_unit: Unit,
    pub is_enabled: bool,
    pub chain: Vec<String>,
    pub prompt_chars_max: u32,
    /// For text: each begun stretch of so many bytes of the prompt is a unit. `None`: one unit, however long.
    pub prompt_bytes_per_unit: Option<u32>,
    pub output_tokens_max: Option<u32>,
    /// Order of display; the lowest of a tool is its default.
    pub position: u32,
}

/// One price of a row, and the inputs that have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceCase {
    pub of: Case,
    pub units: u64,
    pub price: Credits,
    /// Of the dearest of these inputs.
    measure: Measure,
}

/// What tells one price of a row from its others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Size(ImageSize),
    /// Prompts up to so many bytes (UTF-8), longer than those of the case before.
    PromptBytesMax(u64),
}

/// Why a row must not sell: what it sells could cost more than its price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsellable {
    #[error("step {0} of its chain does not exist or makes something else")]
    UnknownStep(String),
    #[error("its chain is empty")]
    NoStep,
    #[error("{step} can cost {cost} cents where the price is {price}")]
    BelowCost { step: String, cost: CostCents, price: Credits },
    #[error("it has {0} prices")]
    TooManyPrices(u64),
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

impl PriceRow {
    pub(crate) fn of_seed(seed: &ToolSeed, ledger_unit: Unit, position: usize) -> PriceRow {
        PriceRow {
            tool: seed.tool.as_str().to_owned(),
            option: seed.option.clone(),
            title: seed.title.clone(),
            provider_cost: seed.provider_cost_cents,
            markup: seed.markup_ratio,
            ledger_unit,
            is_enabled: seed.enabled,
            chain: seed.chain.clone(),
            prompt_chars_max: seed.prompt_chars_max,
            prompt_bytes_per_unit: seed.prompt_bytes_per_unit,
            output_tokens_max: seed.output_tokens_max,
            position: u32::try_from(position).unwrap_or(u32::MAX),
        }
    }

    /// What this input costs us by the row, for which its price is made.
    pub fn cost_of(&self, input: &ToolInput) -> Result<CostCents, Overflow> {
        self.cost(self.units_of(input))
    }

    /// The price of this input, whichever provider serves it.
    pub fn price_of(&self, input: &ToolInput) -> Result<Credits, Overflow> {
        self.price(self.units_of(input))
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
        let max = self.prompt_chars_max;
        let why =
            Wording::new(format!("shorten it to {max} characters"), format!("hãy rút ngắn còn {max} ký tự"));
        Err(vec![FieldError::new("/input/prompt", why)])
    }

    /// What a text provider may write at most.
    pub(crate) fn output_tokens_max(&self) -> u32 {
        self.output_tokens_max.unwrap_or(OUTPUT_TOKENS_DEFAULT)
    }

    /// Every price of this row, in order of display: by size for images, by the prompt's length for texts.
    pub fn cases(&self) -> Result<Vec<PriceCase>, Unsellable> {
        if self.tool == "image" {
            return Ok(ImageSize::ALL
                .into_iter()
                .map(|size| self.size_case(size))
                .collect::<Result<_, _>>()?);
        }
        let longest = u64::from(self.prompt_chars_max) * BYTES_PER_CHAR_MAX;
        let stretch = self.prompt_bytes_per_unit.map_or(longest, u64::from).max(1);
        let count = longest.div_ceil(stretch).max(1);
        if count > CASES_MAX {
            return Err(Unsellable::TooManyPrices(count));
        }
        let case = |units: u64| self.length_case(units, (units * stretch).min(longest));
        Ok((1..=count).map(case).collect::<Result<_, _>>()?)
    }

    /// Whether every input that the limits allow is sold for at least what it can cost: the first step of the chain
    /// with all that is promised, the others with as much as the price pays (`Job::cost_max`).
    pub fn check_cost(&self, worst: &WorstCosts) -> Result<(), Unsellable> {
        let first = self.chain.first().ok_or(Unsellable::NoStep)?;
        for case in self.cases()? {
            let unknown = self.chain.iter().find(|step| worst.of_step(step, case.measure).is_none());
            if let Some(step) = unknown {
                return Err(Unsellable::UnknownStep(step.clone()));
            }
            let cost = worst.of_step(first, case.measure).unwrap_or(CostCents::MAX);
            if cost > self.ledger_unit.cost_paid_by(case.price) {
                return Err(Unsellable::BelowCost { step: first.clone(), cost, price: case.price });
            }
        }
        Ok(())
    }

    fn units_of(&self, input: &ToolInput) -> u64 {
        match input {
            ToolInput::Image { size, .. } => size.units(),
            ToolInput::Script { .. } => {
                let stretch = self.prompt_bytes_per_unit.map_or(u64::MAX, u64::from).max(1);
                input.prompt_bytes().div_ceil(stretch).max(1)
            }
        }
    }

    fn cost(&self, units: u64) -> Result<CostCents, Overflow> {
        self.provider_cost.scaled_half_up(units, 1)
    }

    fn price(&self, units: u64) -> Result<Credits, Overflow> {
        self.ledger_unit.run_price_half_up(self.cost(units)?, self.markup)
    }

    fn size_case(&self, size: ImageSize) -> Result<PriceCase, Overflow> {
        let (units, (width, height)) = (size.units(), size.pixels());
        let measure = Measure::Image { width, height, count: 1 };
        Ok(PriceCase { of: Case::Size(size), units, price: self.price(units)?, measure })
    }

    fn length_case(&self, units: u64, prompt_bytes: u64) -> Result<PriceCase, Overflow> {
        let measure = Measure::Text { prompt_bytes, output_tokens_max: self.output_tokens_max() };
        Ok(PriceCase { of: Case::PromptBytesMax(prompt_bytes), units, price: self.price(units)?, measure })
    }
}
