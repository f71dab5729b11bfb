use crate::StoreError;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::TransactWriteItem;
use std::fmt::Debug;

/// How a transaction of several writes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// All of the items were written.
    Done,
    /// The condition of the nth item did not hold, counted from zero; nothing was written.
    ConditionFailed(usize),
}

/// Writes all of the items or none of them.
///
/// `token` names this attempt: the SDK's own repeats of a request carry the same one and are carried out once. Other
/// transactions in the way are [`StoreError::Conflict`]; nothing was written then.
pub async fn write_all(
    dynamo: &Client,
    items: Vec<TransactWriteItem>,
    token: impl ToString,
) -> Result<Written, StoreError> {
    let transaction = dynamo.transact_write_items().set_transact_items(Some(items));
    written(transaction.client_request_token(token.to_string()).send().await)
}

/// What a cancelled transaction says of an item that was not the reason, or of one that met other work: the same
/// transaction may go through later.
const PASSING: [&str; 4] =
    ["None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

fn written<T, R>(answer: Result<T, SdkError<TransactWriteItemsError, R>>) -> Result<Written, StoreError>
where
    R: Debug + Send + Sync + 'static,
{
    let error = match answer {
        Ok(_) => return Ok(Written::Done),
        Err(error) => error,
    };
    let reasons = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons()
        }
        // An earlier try of the same request is still being carried out.
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => return Err(StoreError::Conflict),
        _ => return Err(StoreError::of_sdk(error)),
    };
    let codes: Vec<&str> = reasons.iter().map(|reason| reason.code().unwrap_or("None")).collect();
    if let Some(nth) = codes.iter().position(|code| *code == "ConditionalCheckFailed") {
        return Ok(Written::ConditionFailed(nth));
    }
    match codes.iter().all(|code| PASSING.contains(code)) {
        true => Err(StoreError::Conflict),
        false => Err(StoreError::of_sdk(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::CancellationReason;
    use aws_sdk_dynamodb::types::error::{
        InternalServerError, TransactionCanceledException, TransactionInProgressException,
    };

    fn failed(error: TransactWriteItemsError) -> Result<Written, StoreError> {
        written(Result::<(), _>::Err(SdkError::service_error(error, ())))
    }

    fn cancelled(codes: &[&str]) -> Result<Written, StoreError> {
        let reasons = codes.iter().map(|code| match *code {
            "" => CancellationReason::builder().build(),
            code => CancellationReason::builder().code(code).build(),
        });
        let exception =
            TransactionCanceledException::builder().set_cancellation_reasons(Some(reasons.collect()));
        failed(TransactWriteItemsError::TransactionCanceledException(exception.build()))
    }

    #[test]
    fn the_first_item_whose_condition_failed_is_named() {
        for (codes, refused) in [
            (&["ConditionalCheckFailed", "None"][..], 0),
            (&["None", "", "ConditionalCheckFailed", "ConditionalCheckFailed"], 2),
            // Another transaction was in the way, too: this one will not go through as it is.
            (&["TransactionConflict", "ConditionalCheckFailed"], 1),
            (&["ValidationError", "ConditionalCheckFailed"], 1),
        ] {
            assert_eq!(cancelled(codes).unwrap(), Written::ConditionFailed(refused), "{codes:?}");
        }
    }

    #[test]
    fn a_transaction_that_others_were_in_the_way_of_is_a_conflict() {
        for codes in [
            &["TransactionConflict", "None"][..],
            &["", "ThrottlingError"],
            &["None", "ProvisionedThroughputExceeded", "TransactionConflict"],
        ] {
            assert!(matches!(cancelled(codes), Err(StoreError::Conflict)), "{codes:?}");
        }
        let in_progress = TransactionInProgressException::builder().build();
        let in_progress = failed(TransactWriteItemsError::TransactionInProgressException(in_progress));
        assert!(matches!(in_progress, Err(StoreError::Conflict)), "{in_progress:?}");
    }

    #[test]
    fn a_transaction_that_can_never_go_through_is_no_conflict() {
        for codes in [&["ValidationError", "None"][..], &["None", "ItemCollectionSizeLimitExceeded"]] {
            assert!(matches!(cancelled(codes), Err(StoreError::Unavailable { .. })), "{codes:?}");
        }
        let down =
            failed(TransactWriteItemsError::InternalServerError(InternalServerError::builder().build()));
        assert!(matches!(down, Err(StoreError::Unavailable { .. })), "{down:?}");
        assert_eq!(written(Result::<_, SdkError<_, ()>>::Ok(())).unwrap(), Written::Done);
    }
}
