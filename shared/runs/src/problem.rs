//! Every way a run can be refused or fail, in words for the person who sent it.
//!
//! It lives here and not in the functions, because a stream's `failed` event carries the same document as an answer.

use crate::{FailedRun, FieldError, OrderError, RunsError};
use credits::Refusal;
use identity::IdentityError;
use platform::with_causes;
use primitives::{Credits, RunId};
use problems::{Credit, Problem, ProblemCode, Wording};
use providers::FailureClass;
use signup::SignupError;
use std::time::Duration;

/// When to ask again for something that takes its time.
const LATER: Duration = Duration::from_secs(5);

/// What an outcome says of a run whose output our storage did not take.
pub(crate) const OUTPUT_LOST: &str = "output_lost";
/// What an outcome says of a run that was told to end because its process does.
pub(crate) const STOPPED: &str = "stopped";
/// What an outcome says of a run whose owner wanted it to end.
pub(crate) const CANCELLED: &str = "cancelled";
/// What an outcome says of a run that nobody ended, so that the sweep or the next visitor did.
pub(crate) const EXPIRED: &str = "expired";

impl RunsError {
    /// What the person is told. Causes from the inside are logged here and stay here.
    pub fn problem(&self) -> Problem {
        match self {
            RunsError::Order(error) => error.problem(),
            RunsError::Failed(failure) => failure.problem(),
            RunsError::NotFound => Problem::new(ProblemCode::NotFound),
            RunsError::NotCancellable { run } => Problem::new(ProblemCode::NotCancellable).run(*run),
            RunsError::Signup(SignupError::Identity(IdentityError::Deleted)) => Problem::deleted_person(),
            RunsError::Malformed(_) | RunsError::Overflow(_) | RunsError::UnknownChain(_) => {
                self.internal(ProblemCode::Internal)
            }
            RunsError::Signup(_)
            | RunsError::Credits(_)
            | RunsError::Charge(_)
            | RunsError::Media(_)
            | RunsError::Store(_) => self.internal(ProblemCode::StoreUnavailable),
        }
    }

    fn internal(&self, code: ProblemCode) -> Problem {
        tracing::error!(error = %with_causes(self), "a request about runs failed inside");
        Problem::new(code)
    }
}

impl OrderError {
    /// What the person is told who sent the order.
    pub fn problem(&self) -> Problem {
        match self {
            OrderError::UnknownTool => Problem::new(ProblemCode::UnknownTool)
                .pointer(
                    "/tool",
                    Wording::new(
                        "name a tool that GET /v1/pricing lists",
                        "hãy chọn một công cụ có trong GET /v1/pricing",
                    ),
                )
                .detail("There is no such tool. GET /v1/pricing lists them. No credit was taken."),
            OrderError::ToolDisabled => Problem::new(ProblemCode::ToolDisabled),
            OrderError::InvalidInput(fields) => invalid_input(fields),
            OrderError::Upload(error) => error.problem(),
            OrderError::RunIdOutOfTime => Problem::new(ProblemCode::InvalidRunId)
                .pointer(
                    "/run_id",
                    Wording::new(
                        "its time is more than a day old, or lies ahead",
                        "thời điểm trong mã đã quá một ngày, hoặc ở tương lai",
                    ),
                )
                .detail(
                    "The time inside the run id is more than a day old or lies ahead. Make a new ULID. \
                     No credit was taken.",
                ),
            OrderError::TwoKeys => Problem::new(ProblemCode::InvalidInput)
                .pointer(
                    "/run_id",
                    Wording::new("leave it out, or the Idempotency-Key", "hãy bỏ nó, hoặc bỏ Idempotency-Key"),
                )
                .detail("Send either a run_id or an Idempotency-Key, not both. No credit was taken."),
            OrderError::KeyConflict { run } => Problem::new(ProblemCode::RunConflict).run(*run),
            OrderError::StillRunning { run } => {
                Problem::new(ProblemCode::RunConflict)
                    .run(*run)
                    .credit(Credit::Held)
                    .retry_after(LATER)
                    .detail(format!(
                        "The run of an earlier request with this key is not over yet. Look at GET /v1/runs/{run}."
                    ))
                    .in_vietnamese("Lần chạy này vẫn đang tiếp tục. Hãy đợi một chút rồi xem lại.")
            }
            OrderError::TooManyFollowers { run } => Problem::new(ProblemCode::RunConflict)
                .run(*run)
                .credit(Credit::Held)
                .retry_after(LATER)
                .detail(format!(
                    "As many of your streams follow runs as may. Close one, or look at GET /v1/runs/{run} now and then."
                ))
                .in_vietnamese("Bạn đang theo dõi quá nhiều lần chạy cùng lúc. Hãy đóng bớt một luồng."),
            OrderError::PriceChanged { expected, now } => Problem::new(ProblemCode::PriceChanged)
                .pointer(
                    "/price",
                    Wording::new(format!("it is {now} by now"), format!("giá hiện tại là {now}")),
                )
                .price(*now)
                .detail(format!(
                    "The price is {now} by now, not {expected}. Look at it, then send the request with the new price. \
                     No credit was taken."
                ))
                .in_vietnamese(format!(
                    "Giá hiện tại là {now}, không phải {expected}. Hãy xem lại rồi chạy với giá mới. Bạn chưa bị trừ tiền."
                )),
            OrderError::QuoteExpired => Problem::new(ProblemCode::QuoteExpired)
                .pointer("/quote_id", Wording::new("it has expired", "báo giá đã hết hạn")),
            OrderError::QuoteMismatch => Problem::new(ProblemCode::QuoteMismatch).pointer(
                "/quote_id",
                Wording::new(
                    "it is not of this input, model or person",
                    "báo giá không dành cho nội dung, mô hình hoặc người này",
                ),
            ),
            OrderError::NotReserved { refusal, price } => not_reserved(refusal, *price),
            OrderError::WelcomeUndecided { price, available, retry_after } => {
                Problem::new(ProblemCode::InsufficientCredit)
                    .retry_after(*retry_after)
                    .price(*price)
                    .available(*available)
                    .detail(format!(
                        "The run costs {price} and {available} is available. Whether a welcome credit comes on top is \
                         not decided yet: the sign-in service has not told us your e-mail address. Send the same \
                         request again shortly, or top up. No credit was taken."
                    ))
                    .in_vietnamese(format!(
                        "Lần chạy này giá {price}, số dư khả dụng là {available}. Chưa rõ bạn có được tặng số dư chào \
                         mừng hay không. Hãy thử lại sau ít phút hoặc nạp tiền. Bạn chưa bị trừ tiền."
                    ))
            }
        }
    }
}

impl FailedRun {
    /// What the person is told whose run it is.
    pub fn problem(&self) -> Problem {
        match self {
            FailedRun::NotServed { run, class } => not_served(*run, *class),
            FailedRun::OutputLost { run } => Problem::new(ProblemCode::OutputNotStored).run(*run),
            FailedRun::BrokenOff { run } => Problem::new(ProblemCode::RunBrokenOff).run(*run),
            FailedRun::Cancelled { run } => Problem::new(ProblemCode::RunCancelled).run(*run),
            FailedRun::Replayed(earlier) => earlier.problem().replayed(),
            FailedRun::OutcomeUnknown { run, held_until } => {
                Problem::new(ProblemCode::OutcomeUnknown).run(*run).credit(Credit::Held).detail(format!(
                    "The provider may have taken the work, but its answer was lost, and asking again could pay it twice. \
                     Your credit is held and comes back by itself within two minutes after {held_until}. Start a \
                     new run if you do not want to wait."
                ))
            }
            FailedRun::Unsettled { run, held_until, .. } => {
                Problem::new(ProblemCode::StoreUnavailable).run(*run).credit(Credit::Held).detail(format!(
                    "The run ended, but could not be booked yet. It is settled or given back within two minutes after \
                     {held_until}, without you doing anything. Look at GET /v1/runs/{run}."
                ))
            }
        }
    }

    /// What a repeat of a released run is answered with.
    pub(crate) fn of_release(run: RunId, reason: &str) -> FailedRun {
        match reason {
            OUTPUT_LOST => return FailedRun::OutputLost { run },
            CANCELLED => return FailedRun::Cancelled { run },
            EXPIRED | STOPPED => return FailedRun::BrokenOff { run },
            _ => {}
        }
        let class = FailureClass::of(reason);
        FailedRun::NotServed { run, class: class.unwrap_or(FailureClass::Unavailable) }
    }
}

fn invalid_input(fields: &[FieldError]) -> Problem {
    let problem = Problem::new(ProblemCode::InvalidInput);
    fields.iter().fold(problem, |problem, field| problem.pointer(&field.pointer, field.why.clone()))
}

fn not_reserved(refusal: &Refusal, price: Credits) -> Problem {
    match refusal {
        Refusal::InsufficientCredit { available } => Problem::new(ProblemCode::InsufficientCredit)
            .price(price)
            .available(*available)
            .detail(format!(
                "The run costs {price} and {available} is available. Top up, then send the same request again. \
                 No credit was taken."
            ))
            .in_vietnamese(format!(
                "Lần chạy này giá {price}, số dư khả dụng là {available}. Hãy nạp tiền rồi chạy lại. \
                 Bạn chưa bị trừ tiền."
            )),
        Refusal::NoAccount => Problem::new(ProblemCode::StoreUnavailable),
        Refusal::Closed => Problem::deleted_person(),
        Refusal::Suspended => Problem::new(ProblemCode::AccountSuspended),
        Refusal::DebtOutstanding { debt } => Problem::new(ProblemCode::DebtOutstanding).detail(format!(
            "A payment was taken back after its credit was spent. Top up at least {debt} to run tools again. \
             No credit was taken."
        )),
        Refusal::LossesUsedUp { until, retry_after } => {
            Problem::new(ProblemCode::GivenBackTooMuch).retry_after(*retry_after).detail(format!(
                "Runs of this account that were given back have cost us as much as we bear in a day. Runs are possible \
                 again from {until} on; the more was paid in, the more is borne. No credit was taken."
            ))
        }
        Refusal::TooManyOpenRuns { open } => Problem::new(ProblemCode::TooManyOpenRuns)
            .retry_after(LATER)
            .detail(format!("{open} runs are open at once. Wait for one to end. No credit was taken.")),
        Refusal::TooManyRunsThisMinute { retry_after } => {
            Problem::new(ProblemCode::RateLimited).retry_after(*retry_after)
        }
        Refusal::Running(hold) => Problem::new(ProblemCode::RunConflict).run(hold.run),
    }
}

/// Neutral words: what concerns our account, model or settings is our matter, and our alarm.
fn not_served(run: RunId, class: FailureClass) -> Problem {
    let (code, detail) = match class {
        FailureClass::Cancelled => return Problem::new(ProblemCode::RunCancelled).run(run),
        FailureClass::BadInput => (
            ProblemCode::InvalidInput,
            "The provider can't work with this input. Change it and try again. You were not charged.",
        ),
        FailureClass::ContentRejected => (
            ProblemCode::ContentRejected,
            "The provider's content rules refuse this input or its result. Change the input. You were not charged.",
        ),
        FailureClass::BrokenStream => (
            ProblemCode::ProviderFailed,
            "The provider did not finish. Whatever you saw is free; you were not charged. Try again.",
        ),
        FailureClass::EmptyAnswer => (
            ProblemCode::ProviderFailed,
            "The answer was empty. You were not charged. Try again, or say it in other words.",
        ),
        FailureClass::LengthLimit => (
            ProblemCode::ProviderFailed,
            "The model used all of its length limit for thinking and wrote nothing. You were not charged. Ask for \
             less at once, or pick another model.",
        ),
        FailureClass::RequestRefused
        | FailureClass::Auth
        | FailureClass::NoBalance
        | FailureClass::ModelGone
        | FailureClass::RateLimited
        | FailureClass::Unavailable
        | FailureClass::UnknownOutcome => (
            ProblemCode::ProviderFailed,
            "The service behind this tool couldn't do the work. You were not charged. Try again, or pick another model.",
        ),
    };
    Problem::new(code).run(run).detail(detail)
}
