//! The words of answers that form a closed set, as OpenAPI lists them. They are kept as text, because entries of the
//! ledger outlive every version; what may be written is what stands here.

use crate::problem::{EXPIRED, OUTPUT_LOST, STOPPED};
use crate::tried::SERVED;
use providers::FailureClass;
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Why a run failed.
pub struct RunFailure;

/// How one call to a provider ended.
pub struct AttemptOutcome;

impl PartialSchema for RunFailure {
    fn schema() -> RefOr<Schema> {
        let ours = [OUTPUT_LOST, STOPPED, EXPIRED];
        let description = "Why a run failed: a class of the provider's failure; `output_lost` (our storage did not \
             take the output), `stopped` (its process ended), or `expired` (nobody saw its end).";
        one_of(description, classes().chain(ours))
    }
}

impl ToSchema for RunFailure {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("RunFailure")
    }
}

impl PartialSchema for AttemptOutcome {
    fn schema() -> RefOr<Schema> {
        one_of(
            "How one call to a provider ended: `served`, or the class of its failure.",
            [SERVED].into_iter().chain(classes()),
        )
    }
}

impl ToSchema for AttemptOutcome {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("AttemptOutcome")
    }
}

fn classes() -> impl Iterator<Item = &'static str> {
    FailureClass::ALL.into_iter().map(FailureClass::as_str)
}

fn one_of(description: &str, names: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    let object = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names))
        .description(Some(description))
        .build();
    RefOr::T(Schema::Object(object))
}
