use primitives::CostCents;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Every way a provider can fail; only the class decides retry, fallback and refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The provider says that the customer's input is at fault: no other provider would do better.
    BadInput,
    /// The provider's content rules refuse prompt or output. Final: no second vendor is asked.
    ContentRejected,
    /// The provider refuses the request as we composed it: a setting of ours, until it is shown to be otherwise.
    RequestRefused,
    /// Our key is wrong, may not do this, or is not configured.
    Auth,
    /// Our account with the provider is empty or at its spending limit.
    NoBalance,
    /// The model no longer exists there.
    ModelGone,
    /// Too many calls, or the provider is overloaded.
    RateLimited,
    /// No answer, or a server error, before any output.
    Unavailable,
    /// A whole answer without anything to read in it.
    EmptyAnswer,
    /// The output limit was used up, by thinking, before the first word. Final: the request was the reason.
    LengthLimit,
    /// Output began, and its end never came.
    BrokenStream,
    /// The work may have been accepted and paid, and can't be looked up: never submit it again.
    UnknownOutcome,
    /// Its owner wanted it to end, and the provider had not begun it. The provider has not failed.
    Cancelled,
}

impl FailureClass {
    pub const ALL: [FailureClass; 13] = [
        FailureClass::BadInput,
        FailureClass::ContentRejected,
        FailureClass::RequestRefused,
        FailureClass::Auth,
        FailureClass::NoBalance,
        FailureClass::ModelGone,
        FailureClass::RateLimited,
        FailureClass::Unavailable,
        FailureClass::EmptyAnswer,
        FailureClass::LengthLimit,
        FailureClass::BrokenStream,
        FailureClass::UnknownOutcome,
        FailureClass::Cancelled,
    ];

    /// The class that is spelled so, as [`FailureClass::as_str`] writes it.
    pub fn of(text: &str) -> Option<FailureClass> {
        FailureClass::ALL.into_iter().find(|class| class.as_str() == text)
    }

    /// The stable spelling for tables, logs and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureClass::BadInput => "bad_input",
            FailureClass::ContentRejected => "content_rejected",
            FailureClass::RequestRefused => "request_refused",
            FailureClass::Auth => "auth",
            FailureClass::NoBalance => "no_balance",
            FailureClass::ModelGone => "model_gone",
            FailureClass::RateLimited => "rate_limited",
            FailureClass::Unavailable => "unavailable",
            FailureClass::EmptyAnswer => "empty_answer",
            FailureClass::LengthLimit => "length_limit",
            FailureClass::BrokenStream => "broken_stream",
            FailureClass::UnknownOutcome => "unknown_outcome",
            FailureClass::Cancelled => "cancelled",
        }
    }

    /// Another provider may be asked, if nothing was sent yet.
    pub(crate) fn allows_fallback(self) -> bool {
        !matches!(self, Self::BadInput | Self::ContentRejected | Self::LengthLimit | Self::UnknownOutcome)
    }

    /// A person has to mend our account or settings.
    pub(crate) fn needs_a_person(self) -> bool {
        matches!(self, Self::RequestRefused | Self::Auth | Self::NoBalance | Self::ModelGone)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How one attempt failed, as its adapter knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: FailureClass,
    pub(crate) again: Again,
    /// What the failed attempt costs us all the same.
    pub(crate) cost: CostCents,
    pub(crate) cost_is_estimated: bool,
    pub(crate) request_id: Option<String>,
    /// There was no connection: no request can have brought it about.
    pub(crate) is_outage: bool,
}

/// Whether the same provider may be asked again: only when it surely did no work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Never,
    /// After our own short pause.
    Soon,
    /// After the pause the provider asked for.
    After(Duration),
}

/// A provider that wants us to wait longer is left for its fallback.
const PAUSE_MAX: Duration = Duration::from_secs(5);

impl Failure {
    /// How long to wait before the same provider is asked again; `backoff` is our own pause. `None`: it must not be asked
    /// again, or would have us wait too long.
    pub(crate) fn pause_before_again(&self, backoff: Duration) -> Option<Duration> {
        match self.again {
            Again::Soon => Some(backoff),
            Again::After(asked) if asked <= PAUSE_MAX => Some(asked.max(backoff)),
            Again::After(_) | Again::Never => None,
        }
    }

    pub(crate) fn new(class: FailureClass) -> Failure {
        Failure {
            class,
            again: Again::Never,
            cost: CostCents::ZERO,
            cost_is_estimated: false,
            request_id: None,
            is_outage: false,
        }
    }

    /// The request never left us.
    pub(crate) fn not_sent() -> Failure {
        Failure { again: Again::Soon, is_outage: true, ..Failure::new(FailureClass::Unavailable) }
    }

    /// The work was paid for, as far as the provider told or we can estimate.
    pub(crate) fn costing(self, cost: CostCents, cost_is_estimated: bool) -> Failure {
        Failure { cost, cost_is_estimated, ..self }
    }

    pub(crate) fn with_request_id(self, request_id: Option<String>) -> Failure {
        Failure { request_id, ..self }
    }
}

impl From<FailureClass> for Failure {
    fn from(class: FailureClass) -> Failure {
        Failure::new(class)
    }
}
