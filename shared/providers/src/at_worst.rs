//! What the work of a step costs at worst, so that a price can be judged before a provider is asked.
//!
//! Facts and their sources: `docs/facts/prices.md`.

use crate::prices::{BilledTokens, TokenPrices};
use crate::settings::ProviderSettings;
use crate::{Request, TextRequest, steps};
use platform::{InvalidSettings, Platform};
use primitives::CostCents;

/// Tokens that a vendor's chat template puts around one prompt, generously.
const TEMPLATE_TOKENS: u64 = 64;

/// A fallback whose share of the price pays fewer tokens than this is left out: its text would be a torn beginning.
const OUTPUT_TOKENS_MIN: u32 = 256;

const PIXELS_PER_UNIT: u64 = 1_000_000;

/// What the cost of a request depends on; never its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    Text { prompt_bytes: u64, output_tokens_max: u32 },
    Image { width: u32, height: u32, count: u32 },
    Video { seconds: u32 },
    Speech { chars: u64 },
    Captions,
    Hearing { seconds: u32 },
    Rows { rows: u32 },
}

/// What a step is paid for, and how much of it costs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StepPrice {
    Tokens(TokenPrices),
    Megapixels(CostCents),
    /// Each picture.
    Image(CostCents),
    /// Each begun second; a video lasts a moment longer than asked.
    VideoSeconds(CostCents),
    /// Each video, however long.
    Video(CostCents),
    /// Each begun thousand characters.
    Characters(CostCents),
    /// Each video's captions.
    Captions(CostCents),
    /// An hour of sound. Begun tens of seconds count whole.
    SoundHours(CostCents),
    /// A start and each row.
    Rows {
        start: CostCents,
        row: CostCents,
    },
}

/// The most that each step of a chain can cost, by this deployment's settings. Asks nobody.
#[derive(Debug, Clone)]
pub struct WorstCosts(Vec<(&'static str, StepPrice)>);

impl WorstCosts {
    pub fn new(platform: &Platform) -> Result<WorstCosts, InvalidSettings> {
        let specs = platform.env().section(|settings| steps::specs(&ProviderSettings::read(settings)))?;
        Ok(WorstCosts(specs.into_iter().map(|spec| (spec.name, spec.price)).collect()))
    }

    /// What one attempt of `step` costs at worst. `None`: there is no such step, or it makes something else.
    pub fn of_step(&self, step: &str, measure: Measure) -> Option<CostCents> {
        self.price(step)?.at_worst(measure)
    }

    /// What one attempt of `step` costs at worst when it is asked for no more than `cost_max` pays. `None`: there is no
    /// such step, it makes something else, or it is left out.
    pub fn of_step_within(&self, step: &str, measure: Measure, cost_max: CostCents) -> Option<CostCents> {
        let price = self.price(step)?;
        price.at_worst(price.within(measure, cost_max)?)
    }

    fn price(&self, step: &str) -> Option<StepPrice> {
        self.0.iter().find(|(name, _)| *name == step).map(|(_, price)| *price)
    }
}

impl StepPrice {
    /// `None` when the step does not make this kind of thing.
    pub(crate) fn at_worst(self, measure: Measure) -> Option<CostCents> {
        let times = |unit: CostCents, count: u64| unit.scaled_half_up(count, 1).unwrap_or(CostCents::MAX);
        Some(match (self, measure) {
            (StepPrice::Tokens(prices), Measure::Text { prompt_bytes, output_tokens_max }) => {
                let output = u64::from(output_tokens_max);
                prices.at_worst(input_tokens_max(prompt_bytes), output)
            }
            (StepPrice::Megapixels(unit), Measure::Image { width, height, count }) => {
                times(unit, megapixels(width, height).saturating_mul(u64::from(count)))
            }
            (StepPrice::Image(cost), Measure::Image { count, .. }) => times(cost, u64::from(count)),
            (StepPrice::VideoSeconds(unit), Measure::Video { seconds }) => {
                times(unit, u64::from(seconds) + 1)
            }
            (StepPrice::Video(cost), Measure::Video { .. }) => cost,
            (StepPrice::Characters(unit), Measure::Speech { chars }) => times(unit, chars.div_ceil(1_000)),
            (StepPrice::Captions(cost), Measure::Captions) => cost,
            (StepPrice::SoundHours(hour), Measure::Hearing { seconds }) => sound_cost(hour, seconds),
            (StepPrice::Rows { start, row }, Measure::Rows { rows }) => {
                start.saturating_add(times(row, u64::from(rows)))
            }
            _ => return None,
        })
    }

    /// The request as this step may serve it for `cost_max`: a text as long as is paid for. `None`: too little is.
    pub(crate) fn within(self, measure: Measure, cost_max: CostCents) -> Option<Measure> {
        if self.at_worst(measure)? <= cost_max {
            return Some(measure);
        }
        let (StepPrice::Tokens(prices), Measure::Text { prompt_bytes, output_tokens_max }) = (self, measure)
        else {
            return None;
        };
        let input = prices.at_worst(input_tokens_max(prompt_bytes), 0);
        let tokens = prices.output_tokens_for(cost_max.checked_sub(input).ok()?);
        let output_tokens_max = output_tokens_max.min(u32::try_from(tokens).unwrap_or(u32::MAX));
        (output_tokens_max >= OUTPUT_TOKENS_MIN).then_some(Measure::Text { prompt_bytes, output_tokens_max })
    }
}

impl Request {
    pub fn measure(&self) -> Measure {
        match self {
            Request::Text(TextRequest { prompt, output_tokens_max }) => Measure::Text {
                prompt_bytes: prompt.expose().len() as u64,
                output_tokens_max: *output_tokens_max,
            },
            Request::Image(image) => {
                Measure::Image { width: image.width, height: image.height, count: image.count }
            }
            Request::Video(video) => Measure::Video { seconds: video.seconds },
            Request::Speech(speech) => Measure::Speech { chars: speech.text.expose().chars().count() as u64 },
            Request::Captions(_) => Measure::Captions,
            Request::Hearing(hearing) => Measure::Hearing { seconds: hearing.seconds },
            Request::Rows(rows) => Measure::Rows { rows: rows.rows_max },
        }
    }

    /// This request, asking for `measure`: a text may become shorter.
    pub(crate) fn measuring(&self, measure: Measure) -> Request {
        match (self, measure) {
            (Request::Text(text), Measure::Text { output_tokens_max, .. }) => {
                Request::Text(TextRequest { output_tokens_max, ..text.clone() })
            }
            (request, _) => request.clone(),
        }
    }
}

/// What `seconds` of sound cost at a price for an hour: at least ten seconds, begun tens counting whole, rounded up to a
/// millionth of a cent.
pub(crate) fn sound_cost(hour: CostCents, seconds: u32) -> CostCents {
    let billed = u64::from(seconds.max(1).div_ceil(10)) * 10;
    let exact = (u128::from(hour.micro_cents()) * u128::from(billed)).div_ceil(3_600);
    CostCents::from_micro_cents(u64::try_from(exact).unwrap_or(u64::MAX))
}

/// A token of a byte-level vocabulary stands for one byte at least.
fn input_tokens_max(prompt_bytes: u64) -> u64 {
    prompt_bytes.saturating_add(TEMPLATE_TOKENS)
}

/// fal's units: megapixels, begun ones counting whole.
pub(crate) fn megapixels(width: u32, height: u32) -> u64 {
    (u64::from(width) * u64::from(height)).div_ceil(PIXELS_PER_UNIT)
}

impl TokenPrices {
    /// Every token of the input at the dearest of its prices.
    fn at_worst(&self, input: u64, output: u64) -> CostCents {
        let dearest = self.input.max(self.cached_input).max(self.cache_write);
        let prices = TokenPrices { input: dearest, ..*self };
        prices.cost(&BilledTokens { input, output, ..BilledTokens::default() })
    }

    /// As many tokens as `cost` surely pays.
    fn output_tokens_for(&self, cost: CostCents) -> u64 {
        let price = u128::from(self.output.micro_cents()).max(1);
        let tokens = u128::from(cost.micro_cents()) * 1_000_000 / price;
        // The cost of input and output is rounded once, half up: a token less keeps it below.
        u64::try_from(tokens).unwrap_or(u64::MAX).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cents(text: &str) -> CostCents {
        text.parse().unwrap()
    }

    fn claude() -> TokenPrices {
        TokenPrices {
            input: cents("200"),
            cached_input: cents("20"),
            cache_write: cents("250"),
            output: cents("1000"),
        }
    }

    #[test]
    fn an_image_is_paid_by_the_begun_megapixel() {
        let dev = StepPrice::Megapixels(cents("2.5"));
        for (width, height, cost) in [
            (512, 512, "2.5"),
            (1024, 768, "2.5"),
            (1000, 1000, "2.5"),
            (1024, 1024, "5"),
            (2000, 1001, "7.5"),
        ] {
            let worst = dev.at_worst(Measure::Image { width, height, count: 1 });
            assert_eq!(worst, Some(cents(cost)), "{width} x {height}");
        }
    }

    #[test]
    fn what_is_counted_is_paid_as_often() {
        let cost = |text: &str| Some(cents(text));
        let image = |count| Measure::Image { width: 1024, height: 1024, count };
        assert_eq!(StepPrice::Megapixels(cents("2.5")).at_worst(image(3)), cost("15"));
        assert_eq!(StepPrice::Image(cents("0.2")).at_worst(image(4)), cost("0.8"));
        assert_eq!(StepPrice::VideoSeconds(cents("10")).at_worst(Measure::Video { seconds: 5 }), cost("60"));
        let speech = |chars| StepPrice::Characters(cents("3")).at_worst(Measure::Speech { chars });
        assert_eq!((speech(1), speech(1_000), speech(1_001)), (cost("3"), cost("3"), cost("6")));
        let hour = |seconds| StepPrice::SoundHours(cents("11.1")).at_worst(Measure::Hearing { seconds });
        assert_eq!((hour(1), hour(10), hour(11)), (hour(10), cost("0.030834"), cost("0.061667")));
        assert_eq!(hour(3_600), cost("11.1"));
        let rows = StepPrice::Rows { start: cents("0.5"), row: cents("0.1") };
        assert_eq!(rows.at_worst(Measure::Rows { rows: 25 }), cost("3"));
    }

    #[test]
    fn a_text_is_paid_by_its_bytes_at_the_dearest_price_of_an_input_token() {
        let measure = Measure::Text { prompt_bytes: 10_000 - TEMPLATE_TOKENS, output_tokens_max: 4_000 };
        assert_eq!(StepPrice::Tokens(claude()).at_worst(measure), Some(cents("6.5")));
    }

    #[test]
    fn a_step_makes_one_kind_of_thing() {
        let image = Measure::Image { width: 1, height: 1, count: 1 };
        let text = Measure::Text { prompt_bytes: 1, output_tokens_max: 1 };
        assert_eq!(StepPrice::Tokens(claude()).at_worst(image), None);
        assert_eq!(StepPrice::Megapixels(cents("1")).at_worst(text), None);
        assert_eq!(StepPrice::Image(cents("1")).within(text, CostCents::MAX), None);
    }

    proptest! {
        #[test]
        fn what_a_step_is_asked_for_is_always_paid_for(
            prompt_bytes in 0..200_000_u64, output_tokens_max in 1..100_000_u32, cost in 0..100_000_000_u64,
        ) {
            let (price, cost_max) = (StepPrice::Tokens(claude()), CostCents::from_micro_cents(cost));
            let asked = price.within(Measure::Text { prompt_bytes, output_tokens_max }, cost_max);
            if let Some(asked) = asked {
                prop_assert!(price.at_worst(asked).unwrap() <= cost_max);
                let Measure::Text { output_tokens_max: asked, .. } = asked else { unreachable!() };
                prop_assert!(asked <= output_tokens_max);
            }
        }
    }
}
