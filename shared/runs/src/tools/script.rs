//! A text, written while its customer listens.

use super::field::{Kind, Words};
use super::{Cases, Field, Materials, Pace, Sources, Values, Wish};
use crate::pricing::{BYTES_PER_CHAR_MAX, Case};
use crate::{FieldError, PriceRow};
use media::FileFamily;
use primitives::{Private, RunId};
use providers::{Measure, Request, TextRequest};

#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    prompt: Private<String>,
}

impl Wish for Wanted {
    const PACE: Pace = Pace::Written;
    const FAMILY: FileFamily = FileFamily::Text;

    fn fields() -> Vec<Field> {
        vec![prompt()]
    }

    fn of(values: &Values) -> Result<Wanted, FieldError> {
        Ok(Wanted { prompt: values.text("prompt").cloned().unwrap_or_else(|| Private::new(String::new())) })
    }

    fn least_work() -> Vec<Measure> {
        vec![Measure::Text { prompt_bytes: 1, output_tokens_max: 1 }]
    }

    /// By the prompt's length.
    fn cases(row: &PriceRow) -> Cases {
        let longest = u64::from(row.prompt_chars_max) * BYTES_PER_CHAR_MAX;
        let stretch = stretch(row).min(longest.max(1));
        let case = |units: u64| {
            let prompt_bytes = (units * stretch).min(longest);
            let measure = Measure::Text { prompt_bytes, output_tokens_max: row.output_tokens_max() };
            (Case::PromptBytesMax(prompt_bytes), units, measure)
        };
        (1..=longest.div_ceil(stretch).max(1)).take(crate::pricing::CASES_MAX + 1).map(case).collect()
    }

    fn units(&self, row: &PriceRow, _: &Materials) -> u64 {
        self.bytes().div_ceil(stretch(row)).max(1)
    }

    fn measure(&self, output_tokens_max: u32, _: &Materials) -> Measure {
        Measure::Text { prompt_bytes: self.bytes(), output_tokens_max }
    }

    fn request(&self, _: RunId, output_tokens_max: u32, _: &Sources) -> Option<Request> {
        Some(Request::Text(TextRequest { prompt: self.prompt.clone(), output_tokens_max }))
    }
}

impl Wanted {
    /// In UTF-8: no tokenizer makes more tokens of it.
    fn bytes(&self) -> u64 {
        self.prompt.expose().len() as u64
    }
}

fn stretch(row: &PriceRow) -> u64 {
    row.prompt_bytes_per_unit.map_or(u64::MAX, u64::from).max(1)
}

/// What a person wants to be made.
pub(super) fn prompt() -> Field {
    Field::new("prompt", Words("What you want", "Bạn muốn gì"), Kind::Words).required().with_help(
        "Say it in your own words. A longer text may cost more; the price is shown before you run it.",
        "Hãy viết bằng lời của bạn. Nội dung dài hơn có thể đắt hơn; giá được hiện trước khi chạy.",
    )
}
