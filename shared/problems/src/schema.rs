//! The codes as OpenAPI lists them.

use crate::ProblemCode;
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        let names = ProblemCode::ALL.iter().map(|code| code.as_str());
        let object = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(names))
            .description(Some("Stable; what programs should look at. The list is closed."))
            .build();
        RefOr::T(Schema::Object(object))
    }
}

impl ToSchema for ProblemCode {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ProblemCode")
    }
}
