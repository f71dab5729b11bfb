use crate::FieldError;
use credits::{CreditsError, ExceedsReservation, Refusal};
use media::{MediaError, UploadError};
use platform::StoreError;
use primitives::{Credits, Overflow, RunId, Timestamp};
use providers::FailureClass;
use signup::SignupError;
use std::time::Duration;

/// Why a run did not come to its end, or why a question about runs can't be answered.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(transparent)]
    Failed(#[from] FailedRun),
    #[error("there is no such run")]
    NotFound,
    /// Its provider is at work on it, or it is written while its owner listens.
    #[error("the run can't be cancelled any more")]
    NotCancellable { run: RunId },
    #[error("{0} could not be written")]
    Malformed(&'static str),
    #[error("the tool's provider chain is not known: {0}")]
    UnknownChain(String),
    #[error(transparent)]
    Overflow(#[from] Overflow),
    #[error(transparent)]
    Signup(#[from] SignupError),
    #[error(transparent)]
    Credits(#[from] CreditsError),
    #[error(transparent)]
    Charge(#[from] ExceedsReservation),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an order became no run of its own. Nothing is held for it.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    #[error("there is no such tool")]
    UnknownTool,
    #[error("this variant of the tool is not sold at the moment")]
    ToolDisabled,
    #[error("the input does not fit the tool")]
    InvalidInput(Vec<FieldError>),
    /// A file that the input names can't be used (yet).
    #[error(transparent)]
    Upload(UploadError),
    #[error("the run id's time is too far from now")]
    RunIdOutOfTime,
    #[error("a run id and an idempotency key were sent together")]
    TwoKeys,
    #[error("the key stands for a run with another input")]
    KeyConflict { run: RunId },
    /// The key stands for a run that goes on for longer than a request may wait.
    #[error("the run is still going on")]
    StillRunning { run: RunId },
    /// As many streams of the account follow runs as may.
    #[error("too many streams follow runs")]
    TooManyFollowers { run: RunId },
    #[error("the price is another one than was shown")]
    PriceChanged { expected: Credits, now: Credits },
    #[error("the quote has expired")]
    QuoteExpired,
    #[error("the quote is for something else, or not from us")]
    QuoteMismatch,
    #[error("the ledger refused the reservation")]
    NotReserved { refusal: Refusal, price: Credits },
    /// The credit does not suffice, and whether the welcome credit comes on top is not known yet.
    #[error("the welcome credit is not decided yet")]
    WelcomeUndecided { price: Credits, available: Credits, retry_after: Duration },
}

/// Why a run whose price was held brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum FailedRun {
    /// The provider chain failed and the credit is back.
    #[error("no provider served the run ({class})")]
    NotServed { run: RunId, class: FailureClass },
    /// The work may have been accepted somewhere; the credit stays held until then.
    #[error("the outcome of the run is unknown")]
    OutcomeUnknown { run: RunId, held_until: Timestamp },
    /// The output could not be stored and the credit is back.
    #[error("the run's output could not be stored")]
    OutputLost { run: RunId },
    /// The run did not outlive its process; the credit is back, at once or when its hold ran out.
    #[error("the run was broken off")]
    BrokenOff { run: RunId },
    /// Its owner cancelled it, and the credit is back.
    #[error("the run was cancelled")]
    Cancelled { run: RunId },
    /// The run of an earlier request with the same key ended so; the key will never stand for another run.
    #[error("the run of an earlier request ended so: {0}")]
    Replayed(#[source] Box<FailedRun>),
    /// The store failed after the reservation; the sweep brings the run to its end.
    #[error("the run could not be settled yet")]
    Unsettled {
        run: RunId,
        held_until: Timestamp,
        #[source]
        source: Box<RunsError>,
    },
}
