use crate::{Attributes, StoreError};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::error::ConditionalCheckFailedException;
use std::error::Error;
use std::fmt::Debug;

/// How a single write with a condition ended.
#[derive(Debug, PartialEq)]
pub enum ConditionalWrite<T> {
    /// The condition held, and it was written.
    Done(T),
    /// The condition did not hold and nothing was written.
    ConditionFailed {
        /// The item that stands there. DynamoDB tells it only to a write that asks for
        /// `ReturnValuesOnConditionCheckFailure::AllOld`; `None` then means that there is no item.
        standing: Option<Attributes>,
    },
}

/// Reads the answer of a put, an update or a delete that had a condition. A failed condition is no error.
pub fn conditional_write<T, E, R>(
    answer: Result<T, SdkError<E, R>>,
) -> Result<ConditionalWrite<T>, StoreError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: Debug + Send + Sync + 'static,
{
    let error = match answer {
        Ok(done) => return Ok(ConditionalWrite::Done(done)),
        Err(error) => error,
    };
    match error.as_service_error().and_then(failed_condition) {
        Some(failed) => {
            let standing = failed.item().filter(|item| !item.is_empty()).cloned();
            Ok(ConditionalWrite::ConditionFailed { standing })
        }
        None => Err(StoreError::of_sdk(error)),
    }
}

/// As [`conditional_write`], for a caller to whom it does not matter what stands there. `None`: the condition did not hold.
pub fn unless_condition_failed<T, E, R>(answer: Result<T, SdkError<E, R>>) -> Result<Option<T>, StoreError>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    R: Debug + Send + Sync + 'static,
{
    Ok(match conditional_write(answer)? {
        ConditionalWrite::Done(done) => Some(done),
        ConditionalWrite::ConditionFailed { .. } => None,
    })
}

/// Each operation has an error type of its own; the exception behind it is the same one.
fn failed_condition<E: Error>(error: &E) -> Option<&ConditionalCheckFailedException> {
    error.source()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ItemBuilder;
    use aws_sdk_dynamodb::error::ErrorMetadata;
    use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
    use aws_sdk_dynamodb::operation::put_item::PutItemError;
    use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
    use aws_sdk_dynamodb::types::error::TransactionConflictException;

    type Answer<E> = Result<&'static str, SdkError<E, ()>>;

    fn failed(item: Option<Attributes>) -> ConditionalCheckFailedException {
        ConditionalCheckFailedException::builder().set_item(item).build()
    }

    fn refused<E>(error: E) -> Answer<E> {
        Err(SdkError::service_error(error, ()))
    }

    #[test]
    fn a_failed_condition_of_any_write_is_no_error() {
        let put = refused(PutItemError::ConditionalCheckFailedException(failed(None)));
        let update = refused(UpdateItemError::ConditionalCheckFailedException(failed(None)));
        let delete = refused(DeleteItemError::ConditionalCheckFailedException(failed(None)));

        assert_eq!(unless_condition_failed(put).unwrap(), None);
        assert_eq!(unless_condition_failed(update).unwrap(), None);
        assert_eq!(unless_condition_failed(delete).unwrap(), None);
        assert_eq!(unless_condition_failed(Answer::<PutItemError>::Ok("done")).unwrap(), Some("done"));
    }

    #[test]
    fn a_refused_write_shows_the_item_that_stands_there() {
        let standing = ItemBuilder::default().text("id", "a").build();
        for (told, shown) in [
            (Some(standing.clone()), Some(standing)),
            // DynamoDB tells an absent item as none, the embedded store as an empty one.
            (None, None),
            (Some(Attributes::new()), None),
        ] {
            let answer = refused(UpdateItemError::ConditionalCheckFailedException(failed(told)));
            assert_eq!(
                conditional_write(answer).unwrap(),
                ConditionalWrite::ConditionFailed { standing: shown }
            );
        }
    }

    #[test]
    fn every_other_failure_stays_an_error_of_the_store() {
        let code = ErrorMetadata::builder().code("TransactionConflictException").build();
        let conflict = TransactionConflictException::builder().meta(code).build();
        let conflict = refused(PutItemError::TransactionConflictException(conflict));
        let late: Answer<PutItemError> = Err(SdkError::timeout_error("late"));

        let conflict = unless_condition_failed(conflict);
        assert!(matches!(conflict, Err(StoreError::Conflict)), "{conflict:?}");
        let late = unless_condition_failed(late);
        assert!(matches!(late, Err(StoreError::Unavailable { .. })), "{late:?}");
    }
}
