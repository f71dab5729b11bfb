//! The request as OpenAPI describes it: each tool with its own input. Nothing is read by these types.

use runs::{ImageInput, ScriptInput};
use utoipa::ToSchema;

/// A wish to run a tool, each with its own input.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(as = RunRequest)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum RunRequestSchema {
    Script(ScriptRun),
    Image(ImageRun),
}

macro_rules! run {
    ($(#[$doc:meta])* $name:ident, $tool:literal, $input:ty) => {
        $(#[$doc])*
        #[derive(ToSchema)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only described")]
        pub(crate) struct $name {
            #[schema(pattern = $tool)]
            tool: String,
            input: $input,
            /// From `POST /v1/quotes`: the price it named holds.
            quote_id: Option<String>,
            /// The price you were shown, in ledger units: the run is refused with 409 if it is another one by now.
            #[schema(minimum = 0, maximum = 9007199254740991_u64)]
            price: Option<u64>,
            /// A ULID made by the client within the last day: sending it again gives the same run.
            #[schema(example = "01KABCDEFGHJKMNPQRSTVWXYZ0", pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]
            run_id: Option<String>,
        }
    };
}

run! {
    /// A text.
    ScriptRun, "^script$", ScriptInput
}
run! {
    /// A picture.
    ImageRun, "^image$", ImageInput
}
