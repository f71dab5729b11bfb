//! The codes as OpenAPI lists them, and other texts of which only some words are possible.

use crate::ProblemCode;
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The schema of a text that is one of `words`.
pub fn one_of(description: &str, words: impl IntoIterator<Item = &'static str>) -> RefOr<Schema> {
    let object = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
        .description(Some(description))
        .build();
    RefOr::T(Schema::Object(object))
}

/// A type that only the OpenAPI document reads: a text that is one of the words, which stand with the code that says them.
///
/// ```
/// citipen_problems::closed_set! {
///     /// Whether there is wind.
///     pub enum Wind: ["calm", "strong"]
/// }
/// ```
#[macro_export]
macro_rules! closed_set {
    ($(#[doc = $line:literal])+ $vis:vis enum $name:ident: $words:expr) => {
        $(#[doc = $line])+
        $vis enum $name {}

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let lines: &[&str] = &[$($line),+];
                let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
                $crate::one_of(&lines.join("\n"), $words)
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }
    };
}

impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        let words = ProblemCode::ALL.iter().map(|code| code.as_str());
        one_of("Stable; what programs should look at. The list is closed.", words)
    }
}

impl ToSchema for ProblemCode {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ProblemCode")
    }
}
