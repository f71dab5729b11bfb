use crate::conduct::Conduct;
use crate::idempotency::IdempotencyKeys;
use crate::items::TABLES;
use crate::job::SummaryPlan;
use crate::jobs::{Cancelled, Jobs};
use crate::live::Live;
use crate::shop::{Offer, Shares};
use crate::telling::Teller;
use crate::tools::{self, Materials, Pace};
use crate::view::{RunStatus, RunView};
use crate::{Closing, FieldError, History, OrderError, PriceRow, RunEvent, RunsError, Shop, ToolInput};
use credits::Ledger;
use media::Media;
use platform::{InvalidSettings, Platform, Settings, TableSpec};
use primitives::times::{self, Wait};
use primitives::{AccountId, CostCents, Credits, Fingerprint, Markup, RunId, Timestamp, UserId};
use problems::Wording;
use providers::{Chain, Providers};
use signup::Signup;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How far the time inside a client-made run id may lie behind or ahead of now.
const RUN_ID_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
const RUN_ID_AHEAD_MAX: Duration = Duration::from_secs(300);

/// The life of a run. Cloning is cheap.
#[derive(Clone)]
pub struct Runs(pub(crate) Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) platform: Platform,
    pub(crate) ledger: Ledger,
    pub(crate) signup: Signup,
    pub(crate) providers: Providers,
    pub(crate) media: Media,
    pub(crate) idempotency_keys: IdempotencyKeys,
    pub(crate) settings: RunsSettings,
    pub(crate) history: History,
    pub(crate) closing: Closing,
    pub(crate) jobs: Jobs,
    pub(crate) live: Live,
    shop: Shop,
}

/// Settings of this crate.
pub struct RunsSettings {
    /// `RUN_BUDGET_MS`: wall clock for all providers of one run together; a minute below the hold's lifetime at most.
    pub budget: Duration,
    /// `RUN_PROGRESS_MS`: how long a run tells nothing at most; whoever listens hears that it goes on.
    pub progress: Duration,
}

/// Who runs a tool, as the edge knows them.
#[derive(Debug, Clone)]
pub struct Who {
    pub user: UserId,
    /// Whose credit pays for it.
    pub account: AccountId,
    pub country: Option<String>,
    /// Already truncated.
    pub network: Option<String>,
}

/// A wish to run a tool, as it was sent.
#[derive(Debug, Clone)]
pub struct Order {
    pub input: ToolInput,
    pub quote: Option<String>,
    /// The price the person was shown; the run is refused when it is another one by now.
    pub price: Option<Credits>,
    /// Made by the client, so that a repeat is the same run.
    pub run: Option<RunId>,
    pub idempotency_key: Option<String>,
}

/// An order that may be reserved: checked, priced, with a provider chain.
pub(crate) struct Priced {
    pub(crate) account: AccountId,
    pub(crate) run: RunId,
    /// The client knows this id from before, so it may have an outcome already.
    pub(crate) may_be_known: bool,
    pub(crate) key: Option<String>,
    pub(crate) input: ToolInput,
    pub(crate) materials: Materials,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) row: PriceRow,
    pub(crate) price: Credits,
    /// The cost and ratio that `price` was made of.
    pub(crate) cost: CostCents,
    pub(crate) markup: Markup,
    /// The number of the quote that fixed it.
    pub(crate) quote: Option<RunId>,
    pub(crate) chain: Chain,
    /// The provider's cost that the price pays for; of what is summed up, without the summary's.
    pub(crate) cost_max: CostCents,
    /// Who writes the text about gathered rows.
    pub(crate) summary: Option<SummaryPlan>,
}

impl RunsSettings {
    pub(crate) fn read(settings: &mut Settings<'_>) -> RunsSettings {
        let mut limit = |name: &str, wait: &Wait| {
            let most = u64::try_from(wait.limit.as_millis()).unwrap_or(u64::MAX);
            Duration::from_millis(settings.parsed_or(name, most, "a number of milliseconds").max(1))
        };
        RunsSettings {
            budget: limit("RUN_BUDGET_MS", &times::RUN_BUDGET),
            progress: limit("RUN_PROGRESS_MS", &times::RUN_PROGRESS),
        }
    }
}

impl Who {
    pub(crate) fn sight(&self) -> identity::FirstSight<'_> {
        identity::FirstSight {
            user: &self.user,
            country: self.country.as_deref(),
            network: self.network.as_deref(),
        }
    }
}

impl Runs {
    pub const TABLES: &'static [TableSpec] = TABLES;

    pub fn new(platform: &Platform) -> Result<Runs, InvalidSettings> {
        let ledger = Ledger::new(platform)?;
        let settings = platform.env().section(|settings| {
            let read = RunsSettings::read(settings);
            if read.budget + Duration::from_secs(60) > ledger.hold_lifetime() {
                settings.complain("RUN_BUDGET_MS", "must end a minute before the profile's hold_seconds");
            }
            read
        })?;
        let providers = Providers::new(platform)?;
        Ok(Runs(Arc::new(Parts {
            ledger,
            signup: Signup::new(platform)?,
            jobs: Jobs::new(platform, &providers)?,
            live: Live::new(platform)?,
            providers,
            media: Media::new(platform)?,
            idempotency_keys: IdempotencyKeys::new(platform)?,
            history: History::new(platform)?,
            closing: Closing::new(platform)?,
            shop: Shop::new(platform)?,
            settings,
            platform: platform.clone(),
        })))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.platform.now()
    }

    /// Starts the run, or finds the one the key stands for. Events come on the channel until it closes.
    ///
    /// The work is a task of its own: dropping the receiver does not stop it.
    pub fn start(&self, who: Who, order: Order) -> mpsc::UnboundedReceiver<RunEvent> {
        let (events, receiver) = mpsc::unbounded_channel();
        let tell = Teller::new(events, self.0.settings.progress);
        let conduct = Conduct { runs: self.clone(), who, tell };
        self.0.platform.spawn(conduct.work(order));
        receiver
    }

    /// The owner wants the run to end. It ends, free of charge, unless its provider is at work on it: then it goes on and is
    /// charged when it has brought its result. A run that has its end keeps it.
    pub async fn cancel(&self, account: &AccountId, run: RunId) -> Result<RunView, RunsError> {
        match self.0.jobs.cancel(account, run).await? {
            Cancelled::Over | Cancelled::Noted => self.0.history.get(account, run).await,
            Cancelled::TooLate => Err(RunsError::NotCancellable { run }),
            Cancelled::NoJob => match self.0.history.get(account, run).await? {
                view if view.status == RunStatus::Running => Err(RunsError::NotCancellable { run }),
                view => Ok(view),
            },
        }
    }

    /// Checks an order and fixes its price. Nothing is written.
    pub(crate) async fn price(&self, who: &Who, order: &Order) -> Result<Priced, RunsError> {
        let now = self.now();
        let account = who.account.clone();
        if order.run.is_some() && order.idempotency_key.is_some() {
            return Err(OrderError::TwoKeys.into());
        }
        let Offer { row, materials } = self.0.shop.offer(&account, &order.input, now).await?;
        let listed = row.price_of(&order.input, &materials)?;
        if let Some(expected) = order.price.filter(|expected| order.quote.is_none() && listed != *expected) {
            return Err(OrderError::PriceChanged { expected, now: listed }.into());
        }
        let quote = match order.quote.as_deref() {
            Some(text) => Some(self.0.shop.checked_quote(text, &account, &row, &order.input, now)?),
            None => None,
        };
        let (price, cost, markup) = match &quote {
            Some(quote) => (quote.price, quote.cost, quote.markup),
            None => (listed, row.cost_of(&order.input, &materials)?, row.markup),
        };
        let chain = self.0.providers.chain(&row.chain);
        let chain = chain.map_err(|unknown| RunsError::UnknownChain(unknown.to_string()))?;
        let measure = order.input.measure(row.output_tokens_max(), &materials);
        let paid = row.ledger_unit.cost_paid_by(price);
        let Shares { work: cost_max, summary } = self.0.shop.shares(&row, measure, paid)?;
        let summary = SummaryPlan::of(&row, summary);
        if !chain.is_paid_by(measure, cost_max) {
            tracing::error!(
                metric = "tool_closed",
                tool = row.name(),
                price = price.get(),
                "{} could cost more than an order's price and is not sold",
                row.name()
            );
            return Err(OrderError::ToolDisabled.into());
        }
        if order.input.pace() != Pace::Written {
            let request = self.0.jobs.request(&order.input, &row, &materials, now).await?;
            if !chain.serves(&request) {
                let why = Wording::new(
                    "no provider makes this from these inputs together: change one, such as the language, the file's type or the model",
                    "không có nhà cung cấp nào làm được với các lựa chọn này cùng lúc: hãy đổi một lựa chọn, như ngôn ngữ, loại tệp hoặc mô hình",
                );
                return Err(OrderError::InvalidInput(vec![FieldError::new("/input", why)]).into());
            }
        }
        let (run, may_be_known) = match order.run {
            Some(run) => (run, true),
            None => (RunId::mint(now), false),
        };
        Ok(Priced {
            account,
            run,
            may_be_known,
            key: order.idempotency_key.clone(),
            fingerprint: order.input.fingerprint(),
            input: order.input.clone(),
            materials,
            row,
            price,
            cost,
            markup,
            quote: quote.map(|quote| quote.number),
            chain,
            cost_max,
            summary,
        })
    }

    /// A client-made id whose time is near now; an older one may only name a run that exists.
    pub(crate) fn is_in_time(&self, run: RunId) -> bool {
        let (now, made) = (self.now(), run.minted_at());
        made.after(RUN_ID_AGE_MAX) >= now && made <= now.after(RUN_ID_AHEAD_MAX)
    }

    /// How long the credit of a run of `name` (`script/chat`) is held.
    pub(crate) fn hold_lifetime(&self, name: &str) -> Duration {
        tools::hold_lifetime(name, self.0.ledger.hold_lifetime())
    }
}
