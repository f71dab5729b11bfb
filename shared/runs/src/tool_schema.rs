//! What [`crate::ToolInput::parse`] reads, as OpenAPI describes it. Nothing is read by these types.

use crate::ImageSize;
use primitives::typed_pattern;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// The input of `script`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only described")]
pub struct ScriptInput {
    #[schema(schema_with = prompt_schema)]
    prompt: String,
    /// One of those that `GET /v1/pricing` lists; absent, the tool's first.
    #[schema(max_length = 40)]
    model: Option<String>,
}

/// The input of `image`.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only described")]
pub struct ImageInput {
    #[schema(schema_with = prompt_schema)]
    prompt: String,
    /// One of those that `GET /v1/pricing` lists; absent, the tool's first.
    #[schema(max_length = 40)]
    model: Option<String>,
    #[schema(schema_with = size_schema, required = false)]
    size: Option<String>,
    /// The same seed makes the same picture again.
    #[schema(minimum = 0, maximum = 4294967295_u64)]
    seed: Option<u32>,
}

fn size_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(ImageSize::ALL.map(ImageSize::as_str)))
        .default(Some(ImageSize::DEFAULT.as_str().into()))
        .build()
}

fn prompt_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .pattern(Some(typed_pattern()))
        .description(Some(
            "What you want, without NUL; something of it must show. `GET /v1/pricing` tells how long it may be.",
        ))
        .build()
}
