use std::error::Error;

/// An error and what lies behind it, for the field `error` of a log line: `the ledger's store failed: the store did not do
/// what it was asked (no answer): dispatch failure: …`
///
/// An error says what failed at its own level and no more, so without its causes a line does not tell what happened.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text += &format!(": {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreError;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("the ledger's store failed")]
        Store(#[from] StoreError),
        #[error(transparent)]
        Same(StoreError),
    }

    fn no_answer() -> StoreError {
        let source = Box::new(io::Error::other("connection reset"));
        StoreError::Unavailable { code: "no answer".to_owned(), source }
    }

    #[test]
    fn a_line_tells_every_cause_once_from_the_outside_in() {
        let inner = "the store did not do what it was asked (no answer): connection reset";
        for (error, line) in [
            (Outer::Store(no_answer()), format!("the ledger's store failed: {inner}")),
            (Outer::Same(no_answer()), inner.to_owned()),
            (
                Outer::Store(StoreError::Conflict),
                "the ledger's store failed: the store kept answering with a conflict".to_owned(),
            ),
        ] {
            assert_eq!(with_causes(&error), line);
        }
    }
}
