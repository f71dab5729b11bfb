use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use std::error::Error;

/// What DynamoDB says when it means "later", and what we say when it says nothing.
const PASSING: [&str; 8] = [
    NO_ANSWER,
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionInProgressException",
    "UnavailableException",
];
const NO_ANSWER: &str = "no answer";

type Source = Box<dyn Error + Send + Sync>;

/// What went wrong between us and a store. The caller's own rules (failed conditions) are no store errors.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Others kept writing the same items; every retry lost. Nothing was written by us.
    #[error("the store kept answering with a conflict")]
    Conflict,
    /// The store refuses or does not answer; whether a write was done is unknown.
    #[error("the store did not do what it was asked ({code})")]
    Unavailable {
        /// The store's own word for it, or ours when there was no answer.
        code: String,
        #[source]
        /// What lies behind it.
        source: Source,
    },
    /// A stored item does not have the shape we write.
    #[error("an item of {table} can't be read: {what}")]
    Corrupt {
        /// Its name without the deployment's prefix.
        table: &'static str,
        /// Names the attribute, never its content.
        what: String,
    },
}

impl StoreError {
    /// A stored item that can't be read; `what` names the attribute and never its content.
    pub fn corrupt(table: &'static str, what: impl Into<String>) -> StoreError {
        StoreError::Corrupt { table, what: what.into() }
    }

    /// A request of ours that lacks a required part: a mistake in our code, nothing was sent.
    pub fn not_built(error: BuildError) -> StoreError {
        StoreError::Unavailable { code: "request not built".to_owned(), source: Box::new(error) }
    }

    /// Whether the same call may go through when it is sent again: a conflict, a throttle, or no answer at all.
    pub fn is_passing(&self) -> bool {
        match self {
            StoreError::Conflict => true,
            StoreError::Unavailable { code, .. } => PASSING.contains(&code.as_str()),
            StoreError::Corrupt { .. } => false,
        }
    }

    /// Keeps the code and the cause; the cause of an SDK error holds no item content.
    pub fn of_sdk<E, R>(error: SdkError<E, R>) -> StoreError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static,
    {
        let code = match error.as_service_error().and_then(ProvideErrorMetadata::code) {
            Some("TransactionConflictException") => return StoreError::Conflict,
            Some(code) => code.to_owned(),
            None => NO_ANSWER.to_owned(),
        };
        StoreError::Unavailable { code, source: Box::new(error) }
    }
}
