use crate::error::TAKEN_BACK;
use crate::{ClaimError, ComparisonError, DecisionError, PaymentsError, TopUpError};
use platform::{StoreError, with_causes};
use problems::{Problem, ProblemCode, Wording};

impl PaymentsError {
    /// What the caller is told; what is ours to mend goes to the log.
    pub fn problem(&self) -> Problem {
        if self.is_ours() {
            tracing::error!(error = %with_causes(self), "something about a payment was not done");
        }
        match self {
            PaymentsError::TopUp(error) => error.problem(),
            PaymentsError::Claim(error) => error.problem(),
            PaymentsError::Decision(error) => error.problem(),
            PaymentsError::Comparison(error) => error.code().into(),
            PaymentsError::AccountClosed => ProblemCode::AccountClosed.into(),
            PaymentsError::NoAccount => ProblemCode::NotFound.into(),
            PaymentsError::Processor(_) => ProblemCode::ProcessorUnavailable.into(),
            PaymentsError::Store(StoreError::Conflict | StoreError::Unavailable { .. }) => {
                ProblemCode::StoreUnavailable.into()
            }
            PaymentsError::Store(StoreError::Corrupt { .. })
            | PaymentsError::Overflow(_)
            | PaymentsError::Seal(_)
            | PaymentsError::Posting(_) => ProblemCode::Internal.into(),
        }
    }

    fn is_ours(&self) -> bool {
        matches!(
            self,
            PaymentsError::Store(_)
                | PaymentsError::Overflow(_)
                | PaymentsError::Seal(_)
                | PaymentsError::Posting(_)
                | PaymentsError::Processor(_)
                | PaymentsError::TopUp(TopUpError::NoRate(_) | TopUpError::NoFreeAmount)
                | PaymentsError::Claim(ClaimError::ChainUnread { .. })
        )
    }
}

impl TopUpError {
    fn problem(&self) -> Problem {
        let problem = Problem::new(self.code());
        match self {
            TopUpError::TooManyMade { until, wait } => problem
                .detail(format!(
                    "You have made as many top-ups as a day allows; cancelled ones count too. Pay one that is open, or \
                     order again from {until} on."
                ))
                .retry_after(*wait),
            TopUpError::AmountNotOffered => problem.pointer(
                "/credits/amount",
                Wording::new("choose an amount that is offered", "hãy chọn một số tiền được cung cấp"),
            ),
            TopUpError::RailNotOffered => problem.pointer(
                "/method",
                Wording::new("choose another way to pay", "hãy chọn cách thanh toán khác"),
            ),
            _ => problem,
        }
    }

    fn code(&self) -> ProblemCode {
        match self {
            TopUpError::RailNotOffered | TopUpError::NoFreeAmount => ProblemCode::MethodUnavailable,
            TopUpError::AmountNotOffered => ProblemCode::AmountNotOffered,
            TopUpError::NoRate(_) => ProblemCode::RateUnavailable,
            TopUpError::TooManyOpen { .. } => ProblemCode::TooManyOpenTopUps,
            TopUpError::TooManyMade { .. } => ProblemCode::TooManyTopUps,
            TopUpError::KeyConflict => ProblemCode::IdempotencyConflict,
            TopUpError::NoTopUp => ProblemCode::NotFound,
            TopUpError::NotOpen => ProblemCode::TopUpNotOpen,
        }
    }
}

impl ClaimError {
    fn problem(&self) -> Problem {
        match self {
            ClaimError::TransferUnknown { retry_after } => {
                Problem::new(ProblemCode::TransferUnknown).retry_after(*retry_after)
            }
            ClaimError::ChainUnread { retry_after } => {
                Problem::new(ProblemCode::ProcessorUnavailable).retry_after(*retry_after).detail(
                    "The lists of transfers on TRON could not be read whole just now, so we do not know whether yours is \
                     in them. Nothing is lost; send the same claim again in a minute.",
                )
            }
            ClaimError::TooMany { retry_after } => {
                Problem::new(ProblemCode::RateLimited).retry_after(*retry_after).detail(
                    "You have claimed as many transfers today as one person may. Claim the next one tomorrow, or write to \
                     support with its transaction id.",
                )
            }
            ClaimError::Unclear => ProblemCode::ClaimUnclear.into(),
            ClaimError::NothingToClaim => ProblemCode::NothingToClaim.into(),
        }
    }
}

impl DecisionError {
    fn problem(&self) -> Problem {
        let problem = Problem::new(self.code());
        match self {
            DecisionError::NoFact | DecisionError::NoReversal => problem,
            DecisionError::WrongState { state } => problem.detail(why_not_in(state)),
            DecisionError::DoneOtherwise => problem.detail(
                "The same case or payment was settled before with other figures, or was undone since. Look at it \
                 again; another case needs another name.",
            ),
            DecisionError::TooMuch { left } => {
                let why = Wording::new(
                    format!("at most {left} can be taken back, at least 1"),
                    format!("có thể thu hồi nhiều nhất {left}, ít nhất 1"),
                );
                problem.pointer("/credits/amount", why)
            }
            DecisionError::UnfitAssignment { worth } => {
                let why = match worth {
                    Some(worth) if worth.is_zero() => Wording::new(
                        "it is worth less than one unit: dismiss it",
                        "giá trị nhỏ hơn một đơn vị: hãy bỏ qua khoản này",
                    ),
                    Some(worth) => Wording::new(
                        format!(
                            "the payment is worth {worth}; name at most a tenth more, and an order of the same currency \
                             with room for it"
                        ),
                        format!(
                            "khoản thanh toán trị giá {worth}; hãy ghi nhiều nhất là hơn một phần mười, và một lần nạp \
                             cùng loại tiền còn chỗ cho nó"
                        ),
                    ),
                    None => Wording::new(
                        "what it is worth is not known: name the credits yourself",
                        "chưa biết giá trị của nó: hãy tự ghi số credit",
                    ),
                };
                problem.pointer("/credits", why)
            }
        }
    }

    fn code(&self) -> ProblemCode {
        match self {
            DecisionError::NoFact | DecisionError::NoReversal => ProblemCode::NotFound,
            DecisionError::WrongState { state: "credited" | "dismissed" | "voided" | TAKEN_BACK }
            | DecisionError::DoneOtherwise => ProblemCode::PaymentSettled,
            DecisionError::WrongState { .. } => ProblemCode::WrongPaymentState,
            DecisionError::TooMuch { .. } | DecisionError::UnfitAssignment { .. } => {
                ProblemCode::InvalidInput
            }
        }
    }
}

impl ComparisonError {
    fn code(&self) -> ProblemCode {
        match self {
            ComparisonError::NoList => ProblemCode::MethodUnavailable,
            ComparisonError::TooLongAgo => ProblemCode::InvalidInput,
        }
    }
}

/// Why a payment's state stands in the way, and what can be done instead.
fn why_not_in(state: &str) -> &'static str {
    match state {
        "credited" => "The payment became credit. Take the credit back if that was wrong.",
        "unmatched" => {
            "The payment still waits for a decision, so no credit of it stands. Assign or dismiss it first."
        }
        "dismissed" => "The payment was dismissed, so no credit of it stands. Assign it if that was wrong.",
        "ignored" => {
            "The payment is money that left our account or came into another one: it is never credited."
        }
        "voided" => {
            "The processor took the payment back before it was credited, so there is nothing to decide."
        }
        "unconfirmed" => {
            "Only a message says that it was paid. The processor's own record decides, and is asked for again."
        }
        "unreadable" => {
            "The message can't be read and does not name its payment. The processor's list brings the same payment under \
             its own name; decide about that one."
        }
        TAKEN_BACK => "The credit was taken back together with the money, so it can't be assigned anew.",
        _ => "The payment's state does not allow this. Look at it again.",
    }
}
