use crate::PaymentsError;
use crate::error::TAKEN_BACK;
use platform::StoreError;
use problems::{Problem, ProblemCode};

impl PaymentsError {
    /// What the caller is told; what is ours to mend goes to the log.
    pub fn problem(&self) -> Problem {
        if self.is_ours() {
            tracing::error!(error = %chain(self), "something about a payment was not done");
        }
        let problem = Problem::new(self.code());
        match self {
            PaymentsError::TooMuch { left } => {
                problem.pointer("/credits", format!("at most {left} can be taken back, at least 1"))
            }
            PaymentsError::UnfitAssignment { worth } => {
                let detail = match worth {
                    Some(worth) if worth.is_zero() => "it is worth less than one unit: dismiss it".to_owned(),
                    Some(worth) => format!(
                        "the payment is worth {worth}; name at most a tenth more, and an order of the same currency \
                         with room for it"
                    ),
                    None => "what it is worth is not known: name the credits yourself".to_owned(),
                };
                problem.pointer("/credits", detail)
            }
            PaymentsError::DoneOtherwise => problem.detail(
                "The same case or payment was settled before with other figures, or was undone since. Look at it \
                 again; another case needs another name.",
            ),
            PaymentsError::WrongState { state } => problem.detail(wrong_state(state)),
            PaymentsError::TooManyMade { until, wait } => problem
                .detail(format!(
                    "You have made as many top-ups as a day allows; cancelled ones count too. Pay one that is open, or \
                     order again from {until} on."
                ))
                .retry_after(*wait),
            PaymentsError::TransferUnknown { retry_after } => problem.retry_after(*retry_after),
            PaymentsError::ChainUnread { retry_after } => problem.retry_after(*retry_after).detail(
                "The lists of transfers on TRON could not be read whole just now, so we do not know whether yours is \
                 in them. Nothing is lost; send the same claim again in a minute.",
            ),
            PaymentsError::TooManyClaims { retry_after } => problem.retry_after(*retry_after).detail(
                "You have claimed as many transfers today as one person may. Claim the next one tomorrow, or write to \
                 support with its transaction id.",
            ),
            _ => problem,
        }
    }

    fn code(&self) -> ProblemCode {
        match self {
            PaymentsError::RailNotOffered | PaymentsError::NoList => ProblemCode::MethodUnavailable,
            PaymentsError::AmountNotOffered => ProblemCode::AmountNotOffered,
            PaymentsError::NoRate(_) => ProblemCode::RateUnavailable,
            PaymentsError::TooManyOpen { .. } => ProblemCode::TooManyOpenTopUps,
            PaymentsError::TooManyMade { .. } => ProblemCode::TooManyTopUps,
            PaymentsError::NoFreeAmount => ProblemCode::MethodUnavailable,
            PaymentsError::KeyConflict => ProblemCode::IdempotencyConflict,
            PaymentsError::NoTopUp
            | PaymentsError::NoFact
            | PaymentsError::NoReversal
            | PaymentsError::NoAccount => ProblemCode::NotFound,
            PaymentsError::NotOpen => ProblemCode::TopUpNotOpen,
            PaymentsError::WrongState { state: "credited" | "dismissed" | "voided" | TAKEN_BACK }
            | PaymentsError::DoneOtherwise => ProblemCode::PaymentSettled,
            PaymentsError::WrongState { .. } => ProblemCode::WrongPaymentState,
            PaymentsError::TooMuch { .. }
            | PaymentsError::UnfitAssignment { .. }
            | PaymentsError::TooLongAgo => ProblemCode::InvalidInput,
            PaymentsError::AccountClosed => ProblemCode::AccountClosed,
            PaymentsError::TransferUnknown { .. } => ProblemCode::TransferUnknown,
            PaymentsError::ClaimUnclear => ProblemCode::ClaimUnclear,
            PaymentsError::NothingToClaim => ProblemCode::NothingToClaim,
            PaymentsError::Processor(_) | PaymentsError::ChainUnread { .. } => {
                ProblemCode::ProcessorUnavailable
            }
            PaymentsError::TooManyClaims { .. } => ProblemCode::RateLimited,
            PaymentsError::Store(StoreError::Conflict | StoreError::Unavailable { .. }) => {
                ProblemCode::StoreUnavailable
            }
            PaymentsError::Store(StoreError::Corrupt { .. })
            | PaymentsError::Overflow(_)
            | PaymentsError::Seal(_)
            | PaymentsError::Credits(_) => ProblemCode::Internal,
        }
    }

    fn is_ours(&self) -> bool {
        matches!(
            self,
            PaymentsError::Store(_)
                | PaymentsError::Overflow(_)
                | PaymentsError::Seal(_)
                | PaymentsError::Credits(_)
                | PaymentsError::NoRate(_)
                | PaymentsError::NoFreeAmount
                | PaymentsError::Processor(_)
                | PaymentsError::ChainUnread { .. }
        )
    }
}

/// Why a payment's state stands in the way, and what can be done instead.
fn wrong_state(state: &str) -> String {
    let told = match state {
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
    };
    told.to_owned()
}

/// An error with its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}
