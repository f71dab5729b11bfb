//! What can be bought, with its parameters and every price.

use crate::closed_sets::PictureSize;
use crate::pricing::{Case, PriceCase};
use crate::{ImageSize, PriceRow, RunsError, Tool};
use primitives::{CreditsView, Timestamp, Unit};
use serde::Serialize;
use utoipa::ToSchema;

/// One thing that can be bought.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PriceView {
    pub tool: String,
    pub model: String,
    pub title: String,
    /// The price of a run with a short prompt and without parameters.
    pub price: CreditsView,
    /// Every price of a run, by what it depends on. The price of your input is charged, whichever provider serves it.
    pub prices: Vec<PriceCaseView>,
    /// False: not sold at the moment.
    pub enabled: bool,
    /// Taken when the request names no model.
    pub is_default: bool,
    pub parameters: Vec<ToolParameter>,
}

/// One price of a variant, and the inputs that have it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PriceCaseView {
    pub price: CreditsView,
    /// The parameter `size` that has this price.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PictureSize>)]
    pub size: Option<String>,
    /// The parameter `count` that has this price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Prompts up to so many bytes (UTF-8), longer than those of the line before, have this price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_bytes_max: Option<u64>,
    /// Texts up to so many characters, longer than those of the line before, have this price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chars_max: Option<u64>,
    /// Recordings up to so many seconds, longer than those of the line before, have this price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_max: Option<u64>,
    /// The parameter `seconds` that has this price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// The parameter `rows` that has this price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ToolParameter {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ParameterType,
    pub required: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_chars: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// What a parameter takes; of a `choice` one of its `choices`, of an `upload` the id of one, of a `list` several texts, of a
/// `statement` `true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterType {
    String,
    Integer,
    Choice,
    Upload,
    List,
    Statement,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QuoteView {
    /// Send it with the run; it holds the price for exactly this input.
    pub quote_id: String,
    pub tool: String,
    pub model: String,
    pub price: CreditsView,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl PriceView {
    pub(crate) fn of(row: &PriceRow, is_default: bool) -> Result<PriceView, RunsError> {
        let cases = row.cases().map_err(|_| RunsError::Malformed("a price"))?;
        let is_usual = |case: &&PriceCase| case.of == Case::Size(ImageSize::DEFAULT, 1);
        let usual = cases.iter().find(is_usual).or(cases.first()).ok_or(RunsError::Malformed("a price"))?;
        Ok(PriceView {
            tool: row.tool.clone(),
            model: row.option.clone(),
            title: row.title.clone(),
            price: CreditsView::new(usual.price, row.ledger_unit),
            prices: cases.iter().map(|case| PriceCaseView::of(case, row.ledger_unit)).collect(),
            enabled: row.is_enabled,
            is_default,
            parameters: parameters(row),
        })
    }
}

impl PriceCaseView {
    fn of(case: &PriceCase, unit: Unit) -> PriceCaseView {
        let mut view = PriceCaseView {
            price: CreditsView::new(case.price, unit),
            size: None,
            count: None,
            prompt_bytes_max: None,
            chars_max: None,
            seconds_max: None,
            seconds: None,
            rows: None,
        };
        match case.of {
            Case::Any => {}
            Case::Size(size, count) => {
                (view.size, view.count) = (Some(size.as_str().to_owned()), Some(count))
            }
            Case::PromptBytesMax(bytes) => view.prompt_bytes_max = Some(bytes),
            Case::CharsMax(chars) => view.chars_max = Some(chars),
            Case::SecondsMax(seconds) => view.seconds_max = Some(seconds),
            Case::Seconds(seconds) => view.seconds = Some(seconds),
            Case::Rows(rows) => view.rows = Some(rows),
        }
        view
    }
}

fn parameters(row: &PriceRow) -> Vec<ToolParameter> {
    let Ok(tool) = row.tool.parse::<Tool>() else { return Vec::new() };
    tool.fields().iter().map(|field| field.parameter(row.prompt_chars_max)).collect()
}
