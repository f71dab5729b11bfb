use crate::PaymentsError;
use edge::{Problem, ProblemCode};
use platform::StoreError;

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
            PaymentsError::WrongState { state } => {
                problem.detail(format!("The payment is {state}, so this can't be done. Look at it again."))
            }
            PaymentsError::TransferUnknown { retry_after } => problem.retry_after(*retry_after),
            _ => problem,
        }
    }

    fn code(&self) -> ProblemCode {
        match self {
            PaymentsError::RailNotOffered | PaymentsError::NoList => ProblemCode::MethodUnavailable,
            PaymentsError::AmountNotOffered => ProblemCode::AmountNotOffered,
            PaymentsError::NoRate(_) => ProblemCode::RateUnavailable,
            PaymentsError::TooManyOpen { .. } => ProblemCode::TooManyOpenTopUps,
            PaymentsError::NoFreeAmount => ProblemCode::MethodUnavailable,
            PaymentsError::KeyConflict => ProblemCode::IdempotencyConflict,
            PaymentsError::NoTopUp
            | PaymentsError::NoFact
            | PaymentsError::NoReversal
            | PaymentsError::NoAccount => ProblemCode::NotFound,
            PaymentsError::NotOpen => ProblemCode::TopUpNotOpen,
            PaymentsError::WrongState { .. } | PaymentsError::DoneOtherwise => ProblemCode::PaymentSettled,
            PaymentsError::TooMuch { .. }
            | PaymentsError::UnfitAssignment { .. }
            | PaymentsError::TooLongAgo => ProblemCode::InvalidInput,
            PaymentsError::AccountClosed => ProblemCode::AccountClosed,
            PaymentsError::TransferUnknown { .. } => ProblemCode::TransferUnknown,
            PaymentsError::ClaimUnclear => ProblemCode::ClaimUnclear,
            PaymentsError::NothingToClaim => ProblemCode::NothingToClaim,
            PaymentsError::Processor(_) => ProblemCode::ProcessorUnavailable,
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
        )
    }
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
