//! What every adapter for texts needs.

use crate::failure::{Failure, FailureClass};
use crate::outlet::Outlet;
use crate::prices::estimated_tokens;
use crate::{Ending, TextRequest, Usage};
use serde::de::{Deserialize, Deserializer, Visitor};
use std::fmt;

/// An answer without content is none, and the customer does not pay for it.
pub(crate) fn empty(ending: Ending) -> Failure {
    match ending {
        Ending::LengthLimit => FailureClass::LengthLimit.into(),
        Ending::Complete => FailureClass::EmptyAnswer.into(),
    }
}

/// Counted from what went in and out, when the provider told no usage.
pub(crate) fn estimated(request: &TextRequest, outlet: &Outlet<'_>) -> Usage {
    Usage {
        input_tokens: estimated_tokens(request.prompt.expose().len()),
        output_tokens: estimated_tokens(outlet.text_bytes()),
        ..Usage::default()
    }
}

/// Whether a text has anything in it. The text itself is not kept: nobody may see it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct IsText(pub(crate) bool);

impl<'de> Deserialize<'de> for IsText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<IsText, D::Error> {
        struct Look;
        impl Visitor<'_> for Look {
            type Value = IsText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<IsText, E> {
                Ok(IsText(!text.is_empty()))
            }
        }
        deserializer.deserialize_str(Look)
    }
}
