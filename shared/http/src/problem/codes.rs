use super::Credit;
use http::StatusCode;

/// Everything that can be refused or go wrong, as callers may tell it apart. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    Unauthenticated,
    InsufficientCredit,
    DebtOutstanding,
    AccountSuspended,
    StepUpRequired,
    ImpersonationRefused,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    RunConflict,
    QuoteExpired,
    PriceChanged,
    BodyTooLarge,
    UnsupportedMediaType,
    InvalidRequest,
    InvalidInput,
    InvalidRunId,
    QuoteMismatch,
    ToolDisabled,
    UnknownTool,
    ContentRejected,
    TooManyOpenRuns,
    RateLimited,
    ProviderFailed,
    OutcomeUnknown,
    ProviderTimeout,
    StoreUnavailable,
    IdentityUnavailable,
    Internal,
}

/// What a code says unless the place that raises it knows better.
pub struct Meaning {
    /// The stable name in the document's `code` and `type`.
    pub name: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
    /// What happened, and what to do.
    pub detail: &'static str,
    pub credit: Credit,
}

impl ProblemCode {
    pub const ALL: &[ProblemCode] = {
        use ProblemCode::*;
        &[
            Unauthenticated,
            InsufficientCredit,
            DebtOutstanding,
            AccountSuspended,
            StepUpRequired,
            ImpersonationRefused,
            NotFound,
            MethodNotAllowed,
            NotAcceptable,
            RunConflict,
            QuoteExpired,
            PriceChanged,
            BodyTooLarge,
            UnsupportedMediaType,
            InvalidRequest,
            InvalidInput,
            InvalidRunId,
            QuoteMismatch,
            ToolDisabled,
            UnknownTool,
            ContentRejected,
            TooManyOpenRuns,
            RateLimited,
            ProviderFailed,
            OutcomeUnknown,
            ProviderTimeout,
            StoreUnavailable,
            IdentityUnavailable,
            Internal,
        ]
    };

    pub fn as_str(self) -> &'static str {
        self.meaning().name
    }

    pub fn status(self) -> StatusCode {
        self.meaning().status
    }

    /// The one place where a code gets its status and its words.
    pub fn meaning(self) -> Meaning {
        use Credit::{Held, NotTaken, Unchanged};
        let (name, status, title, credit, detail) = match self {
            ProblemCode::Unauthenticated => (
                "unauthenticated",
                StatusCode::UNAUTHORIZED,
                "Sign in first",
                NotTaken,
                "The request carries no valid sign-in token. Get a fresh one and send it as `Authorization: Bearer`.",
            ),
            ProblemCode::InsufficientCredit => (
                "insufficient_credit",
                StatusCode::PAYMENT_REQUIRED,
                "Not enough credit",
                NotTaken,
                "The balance does not cover the price. Top up, or wait until open runs are finished.",
            ),
            ProblemCode::DebtOutstanding => (
                "debt_outstanding",
                StatusCode::PAYMENT_REQUIRED,
                "A reversed payment is outstanding",
                NotTaken,
                "A payment was reversed after its credit had been spent. Top up to cover it; then runs are possible again.",
            ),
            ProblemCode::AccountSuspended => (
                "account_suspended",
                StatusCode::FORBIDDEN,
                "The account is suspended",
                NotTaken,
                "Nothing can be started from this account. Write to support; the balance stays as it is.",
            ),
            ProblemCode::StepUpRequired => (
                "step_up_required",
                StatusCode::FORBIDDEN,
                "Confirm that it is you",
                NotTaken,
                "This needs a sign-in that is at most ten minutes old. Confirm your sign-in and try again.",
            ),
            ProblemCode::ImpersonationRefused => (
                "impersonation_refused",
                StatusCode::FORBIDDEN,
                "Only the person themselves may do this",
                NotTaken,
                "Whoever acts in a person's name may look, but not spend credit or change the account.",
            ),
            ProblemCode::NotFound => (
                "not_found",
                StatusCode::NOT_FOUND,
                "Nothing here",
                Unchanged,
                "There is nothing at this address that you may see. Check the address and the id.",
            ),
            ProblemCode::MethodNotAllowed => (
                "method_not_allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "Another method is needed",
                Unchanged,
                "This address does not answer that method; the `Allow` header lists those it answers.",
            ),
            ProblemCode::NotAcceptable => (
                "not_acceptable",
                StatusCode::NOT_ACCEPTABLE,
                "No such form of answer",
                NotTaken,
                "Answers come as `application/json` or `text/event-stream`. Ask for one of them in `Accept`.",
            ),
            ProblemCode::RunConflict => (
                "run_conflict",
                StatusCode::CONFLICT,
                "The run id is taken",
                Unchanged,
                "This run id or idempotency key already stands for other input. Use a new one for a new run.",
            ),
            ProblemCode::QuoteExpired => (
                "quote_expired",
                StatusCode::CONFLICT,
                "The quote has expired",
                NotTaken,
                "The quoted price is no longer kept. Ask for a new quote and start the run with it.",
            ),
            ProblemCode::PriceChanged => (
                "price_changed",
                StatusCode::CONFLICT,
                "The price has changed",
                NotTaken,
                "The price is another one than you were shown. No credit was taken.",
            ),
            ProblemCode::BodyTooLarge => (
                "body_too_large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request is too large",
                NotTaken,
                "The body is longer than this address takes. Shorten it, or upload files instead of embedding them.",
            ),
            ProblemCode::UnsupportedMediaType => (
                "unsupported_media_type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Another content type is needed",
                NotTaken,
                "The body must be JSON, sent with `Content-Type: application/json`.",
            ),
            ProblemCode::InvalidRequest => (
                "invalid_request",
                StatusCode::BAD_REQUEST,
                "The request can't be read",
                NotTaken,
                "The request is malformed. Correct it; sent again as it is, it will be refused again.",
            ),
            ProblemCode::InvalidInput => (
                "invalid_input",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The input is not valid",
                NotTaken,
                "The request was understood, but a value in it can't be used; `errors` names it.",
            ),
            ProblemCode::InvalidRunId => (
                "invalid_run_id",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The run id is not valid",
                NotTaken,
                "A run id is a ULID (26 characters) made within the last day. Make a new one, or leave it out.",
            ),
            ProblemCode::QuoteMismatch => (
                "quote_mismatch",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The quote is for something else",
                NotTaken,
                "The quote is not ours, or was made for another input, tool, model or person. Ask for a quote of this run.",
            ),
            ProblemCode::ToolDisabled => (
                "tool_disabled",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The tool is switched off",
                NotTaken,
                "This tool is not offered at the moment. Choose another option or try later.",
            ),
            ProblemCode::UnknownTool => (
                "unknown_tool",
                StatusCode::UNPROCESSABLE_ENTITY,
                "No such tool",
                NotTaken,
                "There is no tool or option of that name; the pricing page lists all.",
            ),
            ProblemCode::ContentRejected => (
                "content_rejected",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The provider refused the content",
                NotTaken,
                "The AI provider does not process this input under its rules. Change the input and try again.",
            ),
            ProblemCode::TooManyOpenRuns => (
                "too_many_open_runs",
                StatusCode::TOO_MANY_REQUESTS,
                "Too many open runs",
                NotTaken,
                "As many runs as the account may have are under way. Wait until one is finished.",
            ),
            ProblemCode::RateLimited => (
                "rate_limited",
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                NotTaken,
                "Too many requests came within a minute. Wait as long as `Retry-After` says.",
            ),
            ProblemCode::ProviderFailed => (
                "provider_failed",
                StatusCode::BAD_GATEWAY,
                "The provider failed",
                NotTaken,
                "No AI provider of this tool could do the run. Try again with a new run id.",
            ),
            ProblemCode::OutcomeUnknown => (
                "outcome_unknown",
                StatusCode::BAD_GATEWAY,
                "The outcome is not known yet",
                Held,
                "The provider may still be working. Look at the run by its id: it will be delivered and charged, \
                 or its credit comes back by itself.",
            ),
            ProblemCode::ProviderTimeout => (
                "provider_timeout",
                StatusCode::GATEWAY_TIMEOUT,
                "The provider took too long",
                NotTaken,
                "The AI provider did not finish in time. Try again with a new run id.",
            ),
            ProblemCode::StoreUnavailable => (
                "store_unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "Try again shortly",
                Unchanged,
                "Our store did not answer. Send the same request again, a run with the same run id: nothing is \
                 charged twice.",
            ),
            ProblemCode::IdentityUnavailable => (
                "identity_unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "Sign-in can't be checked right now",
                NotTaken,
                "The sign-in service did not answer, so nobody can be recognised. Try again shortly.",
            ),
            ProblemCode::Internal => (
                "internal",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something broke on our side",
                Unchanged,
                "If this was a run, look at it by its id before you try again; with the same run id nothing is \
                 charged twice. Support finds the request by `request_id`.",
            ),
        };
        Meaning { name, status, title, detail, credit }
    }
}
