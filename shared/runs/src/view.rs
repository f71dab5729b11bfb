//! The shapes people see: what `GET /v1/runs/{id}`, the JSON answer of a run and the `done` event share.

use crate::closed_sets::{AttemptOutcome, DriveName, PictureSize, RunFailure, SaveFailureCode, SaveStatus};
use crate::pricing::{Case, PriceCase};
use crate::receipt::{Receipt, ServedBy};
use crate::{ImageSize, PriceRow, Progress, RunsError, Tool, Tried};
use credits::{Balance, Hold, Outcome};
use drives::{Save, SaveState};
use media::{FileFamily, OutputLinks, StoredOutput};
use primitives::{Credits, CreditsView, RunId, Timestamp, Unit};
use providers::Ending;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Running,
    Succeeded,
    Failed,
}

/// One run, as its owner sees it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunView {
    #[schema(value_type = String, example = "01KABCDEFGHJKMNPQRSTVWXYZ0")]
    pub id: RunId,
    pub tool: String,
    pub model: String,
    pub status: RunStatus,
    /// Held for the run.
    pub price: CreditsView,
    /// Taken; 0 unless it succeeded.
    pub charged: CreditsView,
    /// Characters of the prompt; the prompt itself is not kept.
    pub input_chars: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RunFailure>)]
    pub failure: Option<String>,
    /// What it brought, in order; of most tools one file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputView>,
    /// Where it is, while it goes on, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    pub timeline: Vec<TimelineStep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptView>,
    /// The account afterwards; only in the answer of the run itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<BalanceView>,
    /// True when the answer is that of an earlier request with the same key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// True when the output came after the credit had been given back: it is free.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gift: bool,
    /// True when the client that had started the run was gone at its end.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub client_left: bool,
}

/// The first event of a stream: what was asked for, what it costs, and how long the price is held.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunBegun {
    #[schema(value_type = String, example = "01KABCDEFGHJKMNPQRSTVWXYZ0")]
    pub id: RunId,
    pub tool: String,
    pub model: String,
    /// Held for the run.
    pub price: CreditsView,
    /// `running`; for a repeat of an earlier request, what its run has come to.
    pub status: RunStatus,
    /// A run that has not ended by then is ended within two minutes, and its credit comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub held_until: Option<Timestamp>,
    /// True when the run is that of an earlier request with the same key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct BalanceView {
    /// What new runs can spend.
    pub available: CreditsView,
    /// Held by runs that are going on.
    pub reserved: CreditsView,
    /// Owed after a payment was taken back; new credit covers it first.
    pub debt: CreditsView,
}

/// What a person does with an output: `table` is CSV or JSON, `subtitles` SRT or WebVTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    Text,
    Image,
    Video,
    Audio,
    Table,
    Subtitles,
}

impl OutputType {
    fn of(family: FileFamily) -> OutputType {
        match family {
            FileFamily::Text => OutputType::Text,
            FileFamily::Image => OutputType::Image,
            FileFamily::Video => OutputType::Video,
            FileFamily::Audio => OutputType::Audio,
            FileFamily::Table => OutputType::Table,
            FileFamily::Subtitles => OutputType::Subtitles,
        }
    }
}

#[derive(Clone, Serialize, ToSchema)]
pub struct OutputView {
    pub kind: OutputType,
    pub media_type: String,
    pub bytes: u64,
    /// Of the stored file, URL-safe base64.
    pub sha256: String,
    /// After this the file is deleted.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The file is past its time; text and link are gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
    /// Shows the file: for an `<img>`, or a tab of its own. Valid for an hour; ask again for a fresh one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_url: Option<String>,
    /// Saves the file under a name that tells tool and run. Valid for an hour; ask again for a fresh one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download_url: Option<String>,
    /// Shows a small picture of the file, where there is one; as long as `view_url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<String>,
    /// Width in pixels, of a picture or a video.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// How long it plays in milliseconds, of a video or a sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The text itself, when the output is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// In the owner's drives; only in the answer about the run alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub saves: Vec<SavedView>,
}

/// An output in one of its owner's drives, or on its way there.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SavedView {
    #[schema(value_type = DriveName)]
    pub drive: &'static str,
    /// `waiting` to be tried, or tried again; `saved`; or `failed`, and tried again only when you ask for it
    #[schema(value_type = SaveStatus)]
    pub status: &'static str,
    /// Where you see it; once it is saved
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Why it failed
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SaveFailureCode>)]
    pub failure: Option<&'static str>,
}

impl std::fmt::Debug for OutputView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OutputView({:?}, {} bytes)", self.kind, self.bytes)
    }
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TimelineStep {
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    pub what: Milestone,
    /// Of `reserved` what was held, of `charged` what was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits: Option<CreditsView>,
    /// Of `attempt_failed` and `given_back` why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RunFailure>)]
    pub detail: Option<String>,
}

/// What happened in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Milestone {
    Reserved,
    AttemptFailed,
    FirstContent,
    Charged,
    GivenBack,
}

/// How the price came about, who served, and which ledger entry proves it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReceiptView {
    /// The ledger's entry of the charge; absent where nothing was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub entry_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub quote_number: Option<RunId>,
    /// The cost the price was made of, in cents; it is the same whichever provider served.
    pub quoted_cost_cents: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub markup_ratio: Option<String>,
    pub price: CreditsView,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_model: Option<String>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// The provider stopped at its length limit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut_at_limit: bool,
    /// Who wrote the text about what was gathered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_provider: Option<String>,
    /// Its owner has said that whoever is heard in the recording agrees that their voice is used.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub consent: bool,
    /// How the output ended. Absent when nothing was served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<OutputEnding>,
    /// Every attempt at a provider, in order; the one that served is the last.
    pub attempts: Vec<AttemptView>,
    /// What the attempts cost us that did not serve, in cents; you don't pay for it. For a run whose end was not seen, its
    /// price: it can't be more.
    pub failed_cost_cents: String,
}

/// `content_filter`: the provider's content rules ended a text of which a part had been shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputEnding {
    Complete,
    LengthLimit,
    ContentFilter,
}

/// One call to one provider within the run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AttemptView {
    pub provider: String,
    #[schema(value_type = AttemptOutcome)]
    pub outcome: String,
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    pub duration_ms: u64,
    /// What it cost us, in cents.
    pub cost_cents: String,
}

/// A run in a list: what it is called, came to and brought, so that a gallery needs no further call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunSummary {
    #[schema(value_type = String)]
    pub id: RunId,
    pub tool: String,
    pub model: String,
    pub status: RunStatus,
    /// Held for the run.
    pub price: CreditsView,
    /// Taken; 0 unless it succeeded.
    pub charged: CreditsView,
    pub input_chars: Option<u64>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<RunFailure>)]
    pub failure: Option<String>,
    /// With fresh links; the text of a text is read by its link, or with the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputView>,
    /// True when the output came after the credit had been given back: it is free.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gift: bool,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunPage {
    pub runs: Vec<RunSummary>,
    /// Send it as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

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

impl BalanceView {
    pub fn of(balance: Balance, unit: Unit) -> BalanceView {
        let shown = |amount| CreditsView::new(amount, unit);
        BalanceView {
            available: shown(balance.available),
            reserved: shown(balance.reserved),
            debt: shown(balance.debt),
        }
    }
}

impl OutputView {
    pub(crate) fn of(output: &StoredOutput, links: Option<OutputLinks>) -> OutputView {
        let expired = links.is_none();
        let thumbnail_url = links.as_ref().and_then(|links| links.thumbnail_url.clone());
        let (view_url, download_url) = links.map(|links| (links.view_url, links.download_url)).unzip();
        let (width, height) = output.pixels.unzip();
        OutputView {
            kind: OutputType::of(output.kind.family()),
            media_type: output.kind.media_type().to_owned(),
            bytes: output.bytes,
            sha256: output.sha256.clone(),
            expires_at: output.expires_at,
            expired,
            view_url,
            download_url,
            thumbnail_url,
            width,
            height,
            duration_ms: output.millis,
            text: None,
            saves: Vec::new(),
        }
    }
}

impl SavedView {
    pub fn of(save: &Save) -> SavedView {
        let (status, url, failure) = match &save.state {
            SaveState::Waiting { .. } => ("waiting", None, None),
            SaveState::Saved { link, .. } => ("saved", Some(link.clone()), None),
            SaveState::Failed { why, .. } => ("failed", None, Some(why.as_str())),
        };
        SavedView { drive: save.id.drive.as_str(), status, url, failure }
    }
}

impl TimelineStep {
    fn at(at: Timestamp, what: Milestone) -> TimelineStep {
        TimelineStep { at: Some(at), what, credits: None, detail: None }
    }

    fn of(self, credits: CreditsView) -> TimelineStep {
        TimelineStep { credits: Some(credits), ..self }
    }

    fn because(self, why: Option<&str>) -> TimelineStep {
        TimelineStep { detail: why.map(str::to_owned), ..self }
    }
}

fn split(name: &str) -> (String, String) {
    let (tool, model) = name.split_once('/').unwrap_or((name, ""));
    (tool.to_owned(), model.to_owned())
}

impl RunBegun {
    pub(crate) fn of_hold(hold: &Hold, held_until: Timestamp, unit: Unit) -> RunBegun {
        let (tool, model) = split(&hold.tool);
        RunBegun {
            id: hold.run,
            tool,
            model,
            price: CreditsView::new(hold.amount, unit),
            status: RunStatus::Running,
            held_until: Some(held_until),
            replayed: false,
        }
    }

    pub(crate) fn of_repeat(view: &RunView) -> RunBegun {
        RunBegun {
            id: view.id,
            tool: view.tool.clone(),
            model: view.model.clone(),
            price: view.price,
            status: view.status,
            held_until: None,
            replayed: true,
        }
    }
}

impl RunView {
    /// A run that has a hold and no outcome yet.
    pub(crate) fn of_hold(hold: &Hold, lifetime: Duration, unit: Unit) -> RunView {
        let (tool, model) = split(&hold.tool);
        let reserved_at = hold.expires_at.before(lifetime);
        let price = CreditsView::new(hold.amount, unit);
        RunView {
            id: hold.run,
            tool,
            model,
            status: RunStatus::Running,
            price,
            charged: CreditsView::new(Credits::ZERO, unit),
            input_chars: None,
            created_at: reserved_at,
            finished_at: None,
            failure: None,
            outputs: Vec::new(),
            progress: None,
            timeline: vec![TimelineStep::at(reserved_at, Milestone::Reserved).of(price)],
            receipt: None,
            balance: None,
            replayed: false,
            gift: false,
            client_left: false,
        }
    }

    /// A finished run; the output is added by the one who can make links.
    pub(crate) fn of_outcome(outcome: &Outcome, unit: Unit) -> Result<RunView, RunsError> {
        let run = outcome.run().ok_or(RunsError::NotFound)?;
        let receipt = Receipt::parse(&run.receipt).ok_or(RunsError::Malformed("a receipt"))?;
        let failure = run.failure().map(str::to_owned);
        let status = if failure.is_none() { RunStatus::Succeeded } else { RunStatus::Failed };
        Ok(RunView {
            id: RunId::from(outcome.id),
            tool: receipt.tool.clone(),
            model: receipt.option.clone(),
            status,
            price: CreditsView::new(receipt.price, unit),
            charged: CreditsView::new(outcome.amount.magnitude(), unit),
            input_chars: receipt.chars,
            created_at: receipt.reserved_at(),
            finished_at: Some(outcome.at),
            progress: None,
            timeline: timeline(&receipt, outcome, failure.as_deref(), unit),
            failure,
            outputs: Vec::new(),
            receipt: Some(ReceiptView::of(&receipt, outcome, unit)),
            balance: None,
            replayed: false,
            gift: false,
            client_left: receipt.left,
        })
    }
}

fn timeline(receipt: &Receipt, outcome: &Outcome, failure: Option<&str>, unit: Unit) -> Vec<TimelineStep> {
    let (reserved_at, shown) = (receipt.reserved_at(), |amount| CreditsView::new(amount, unit));
    let mut steps = vec![TimelineStep::at(reserved_at, Milestone::Reserved).of(shown(receipt.price))];
    let failed = receipt.tried.iter().filter(|tried| tried.failure.is_some());
    steps.extend(failed.map(|tried| {
        let at = tried.started_at(reserved_at);
        TimelineStep::at(at, Milestone::AttemptFailed).because(tried.failure.as_deref())
    }));
    if let Some(first_at) = receipt.first_at {
        steps.push(TimelineStep::at(Timestamp::from_millis(first_at), Milestone::FirstContent));
    }
    steps.push(match failure {
        None => TimelineStep::at(outcome.at, Milestone::Charged).of(shown(outcome.amount.magnitude())),
        Some(_) => TimelineStep::at(outcome.at, Milestone::GivenBack).because(failure),
    });
    steps
}

impl ReceiptView {
    fn of(receipt: &Receipt, outcome: &Outcome, unit: Unit) -> ReceiptView {
        let served = receipt.served.as_ref();
        ReceiptView {
            entry_id: (!outcome.amount.magnitude().is_zero()).then(|| RunId::from(outcome.id)),
            quote_number: receipt.quote,
            quoted_cost_cents: receipt.cost.to_string(),
            markup_ratio: receipt.markup.map(|markup| markup.to_string()),
            price: CreditsView::new(receipt.price, unit),
            provider: served.map(|served| served.by.clone()),
            provider_model: served.map(|served| served.model.clone()),
            input_tokens: tokens(receipt, |served| served.tokens_in),
            output_tokens: tokens(receipt, |served| served.tokens_out),
            cut_at_limit: served.is_some_and(|served| served.cut),
            summary_provider: receipt.summed.as_ref().map(|summed| summed.by.clone()),
            consent: receipt.consent,
            ending: served.map(|served| OutputEnding::of(served.ending())),
            attempts: receipt
                .tried
                .iter()
                .map(|tried| AttemptView::of(tried, receipt.reserved_at()))
                .collect(),
            failed_cost_cents: receipt.failed_cost(outcome).to_string(),
        }
    }
}

fn tokens(receipt: &Receipt, of: fn(&ServedBy) -> u64) -> u64 {
    receipt.served.iter().chain(&receipt.summed).map(of).fold(0, u64::saturating_add)
}

impl OutputEnding {
    fn of(ending: Ending) -> OutputEnding {
        match ending {
            Ending::Complete => OutputEnding::Complete,
            Ending::LengthLimit => OutputEnding::LengthLimit,
            Ending::ContentFilter => OutputEnding::ContentFilter,
        }
    }
}

impl RunSummary {
    /// The same run as a line of a list: without text, timeline and receipt.
    pub(crate) fn of(view: RunView) -> RunSummary {
        RunSummary {
            id: view.id,
            tool: view.tool,
            model: view.model,
            status: view.status,
            price: view.price,
            charged: view.charged,
            input_chars: view.input_chars,
            created_at: view.created_at,
            finished_at: view.finished_at,
            failure: view.failure,
            outputs: view.outputs,
            gift: view.gift,
        }
    }
}

impl AttemptView {
    fn of(tried: &Tried, reserved_at: Timestamp) -> AttemptView {
        AttemptView {
            provider: tried.by.clone(),
            outcome: tried.outcome().to_owned(),
            started_at: tried.started_at(reserved_at),
            duration_ms: tried.ms,
            cost_cents: tried.cost.to_string(),
        }
    }
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
