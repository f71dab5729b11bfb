use crate::tools::{Limits, Materials, research};
use crate::{FieldError, ImageSize, Tool, ToolInput, ToolSeed};
use primitives::{CostCents, Credits, Markup, Overflow, Unit};
use problems::Wording;
use providers::{Measure, WorstCosts};

/// UTF-8 needs four bytes for a character at most.
pub(crate) const BYTES_PER_CHAR_MAX: u64 = 4;
/// What a text provider may write when the row does not say.
const OUTPUT_TOKENS_DEFAULT: u32 = 2_000;

/// More prices of one variant than a person reads.
pub(crate) const CASES_MAX: usize = 64;

/// How often a text about gathered rows may be begun: once more after a process was lost in it.
pub(crate) const SUMMARY_TRIES: u32 = 2;

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
    /// For what is counted in characters, seconds or rows: a unit is a begun stretch of so many. `None`: one unit, however
    /// many.
    pub amount_per_unit: Option<u32>,
    /// The most seconds that are taken, of what plays.
    pub amount_max: Option<u32>,
    /// For what gathers rows: who writes the text about them, as `chain`.
    pub summary_chain: Vec<String>,
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
    /// Every input.
    Any,
    /// So many pictures of this size.
    Size(ImageSize, u32),
    /// Prompts up to so many bytes (UTF-8), longer than those of the case before.
    PromptBytesMax(u64),
    /// Texts up to so many characters, longer than those of the case before.
    CharsMax(u64),
    /// Recordings up to so many seconds, longer than those of the case before.
    SecondsMax(u64),
    /// Videos of so many seconds.
    Seconds(u64),
    /// So many rows.
    Rows(u64),
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
    #[error("it has more than {CASES_MAX} prices")]
    TooManyPrices,
    #[error("there is no such tool")]
    UnknownTool,
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
            amount_per_unit: seed.amount_per_unit,
            amount_max: seed.amount_max,
            summary_chain: seed.summary_chain.clone(),
            position: u32::try_from(position).unwrap_or(u32::MAX),
        }
    }

    /// What this input costs us by the row, for which its price is made.
    pub(crate) fn cost_of(&self, input: &ToolInput, materials: &Materials) -> Result<CostCents, Overflow> {
        self.cost(input.units(self, materials))
    }

    /// The price of this input, whichever provider serves it.
    pub(crate) fn price_of(&self, input: &ToolInput, materials: &Materials) -> Result<Credits, Overflow> {
        self.price(input.units(self, materials))
    }

    /// How many units so many characters, seconds or rows are.
    pub(crate) fn units_of(&self, amount: u64) -> u64 {
        amount.div_ceil(self.amount_per_unit.map_or(u64::MAX, u64::from).max(1)).max(1)
    }

    /// The ends of the stretches up to `max`, a few more than may be listed at most.
    pub(crate) fn stretches(&self, max: u64) -> impl Iterator<Item = u64> + use<> {
        let each = self.amount_per_unit.map_or(max, u64::from).clamp(1, max.max(1));
        (1..=max.div_ceil(each).max(1)).take(CASES_MAX + 1).map(move |units| (units * each).min(max))
    }

    /// `script/chat`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.tool, self.option)
    }

    /// Whether this variant takes the input.
    pub(crate) fn check(
        &self,
        input: &ToolInput,
        materials: &Materials,
        limits: &Limits,
    ) -> Result<(), Vec<FieldError>> {
        let mut complaints = input.check(self, materials, limits);
        let max = self.prompt_chars_max;
        if let Some((field, _)) = input.words().filter(|_| input.chars() > max as usize) {
            let why = Wording::new(
                format!("shorten it to {max} characters"),
                format!("hãy rút ngắn còn {max} ký tự"),
            );
            complaints.push(FieldError::new(&format!("/input/{field}"), why));
        }
        if complaints.is_empty() { Ok(()) } else { Err(complaints) }
    }

    /// What a text provider may write at most.
    pub(crate) fn output_tokens_max(&self) -> u32 {
        self.output_tokens_max.unwrap_or(OUTPUT_TOKENS_DEFAULT)
    }

    /// Every price of this row, in order of display.
    pub fn cases(&self) -> Result<Vec<PriceCase>, Unsellable> {
        let tool: Tool = self.tool.parse().map_err(|_| Unsellable::UnknownTool)?;
        let cases = tool.cases(self);
        if cases.len() > CASES_MAX {
            return Err(Unsellable::TooManyPrices);
        }
        let priced = |(of, units, measure)| Ok(PriceCase { of, units, price: self.price(units)?, measure });
        Ok(cases.into_iter().map(priced).collect::<Result<_, Overflow>>()?)
    }

    /// Whether every input that the limits allow is sold for at least what it can cost: the first step of the chain
    /// with all that is promised, the others with as much as the price pays (`Job::cost_max`).
    pub fn check_cost(&self, worst: &WorstCosts) -> Result<(), Unsellable> {
        let first = self.chain.first().ok_or(Unsellable::NoStep)?;
        let summary = self.summary_cost(worst)?;
        for case in self.cases()? {
            let unknown = self.chain.iter().find(|step| worst.of_step(step, case.measure).is_none());
            if let Some(step) = unknown {
                return Err(Unsellable::UnknownStep(step.clone()));
            }
            let cost = worst.of_step(first, case.measure).unwrap_or(CostCents::MAX);
            let cost = (0..SUMMARY_TRIES).fold(cost, |sum, _| sum.saturating_add(summary));
            if cost > self.ledger_unit.cost_paid_by(case.price) {
                return Err(Unsellable::BelowCost { step: first.clone(), cost, price: case.price });
            }
        }
        Ok(())
    }

    /// What a text about gathered rows costs at worst, by the first of those who write it; nothing, if none is written.
    pub(crate) fn summary_cost(&self, worst: &WorstCosts) -> Result<CostCents, Unsellable> {
        let Some(first) = self.summary_chain.first() else { return Ok(CostCents::ZERO) };
        let measure = Measure::Text {
            prompt_bytes: research::PROMPT_BYTES_MAX,
            output_tokens_max: self.output_tokens_max(),
        };
        let unknown = self.summary_chain.iter().find(|step| worst.of_step(step, measure).is_none());
        match unknown {
            Some(step) => Err(Unsellable::UnknownStep(step.clone())),
            None => Ok(worst.of_step(first, measure).unwrap_or(CostCents::MAX)),
        }
    }

    fn cost(&self, units: u64) -> Result<CostCents, Overflow> {
        self.provider_cost.scaled_half_up(units, 1)
    }

    fn price(&self, units: u64) -> Result<Credits, Overflow> {
        self.ledger_unit.run_price_half_up(self.cost(units)?, self.markup)
    }
}
