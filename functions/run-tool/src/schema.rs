//! Request and events as OpenAPI describes them. Nothing is read or written by these types.

use edge::ProblemDocument;
use primitives::CreditsView;
use runs::{OutputView, Progress, RunBegun, RunView, ToolRequests};
use serde_json::{Map, json};
use std::borrow::Cow;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A wish to run a tool.
pub(crate) struct RunRequestSchema;

impl RunRequestSchema {
    fn all() -> ToolRequests {
        let beside = json!({
            "quote_id": {
                "type": ["string", "null"],
                "description": "From `POST /v1/quotes`: the price it named holds.",
            },
            "price": {
                "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/CreditsView" }],
                "description": "The price you were shown: the run is refused with 409 if it is another one by now.",
            },
            "run_id": {
                "type": ["string", "null"],
                "description": "A ULID made by the client within the last day: sending it again gives the same run.",
                "example": "01KABCDEFGHJKMNPQRSTVWXYZ0",
                "pattern": "^[0-7][0-9A-HJKMNP-TV-Z]{25}$",
            },
        });
        ToolRequests::of("Run", beside.as_object().unwrap_or(&Map::new()))
    }
}

impl PartialSchema for RunRequestSchema {
    fn schema() -> RefOr<Schema> {
        RunRequestSchema::all().any
    }
}

impl ToSchema for RunRequestSchema {
    fn name() -> Cow<'static, str> {
        "RunRequest".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend(RunRequestSchema::all().components);
    }
}

/// One event of the stream, as a reader of server-sent events hands it out: `event` is its name, `id` goes into
/// `Last-Event-ID`, and `data` is its line of JSON, parsed.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(
    as = RunEvent,
    discriminator(property_name = "event", mapping(
        ("run" = "#/components/schemas/RunBegunEvent"),
        ("progress" = "#/components/schemas/ProgressEvent"),
        ("delta" = "#/components/schemas/DeltaEvent"),
        ("output" = "#/components/schemas/OutputEvent"),
        ("done" = "#/components/schemas/DoneEvent"),
        ("goes_on" = "#/components/schemas/GoesOnEvent"),
        ("failed" = "#/components/schemas/FailedEvent"),
    ))
)]
#[expect(dead_code, reason = "only described")]
pub(crate) enum RunEventSchema {
    Run(RunBegunEvent),
    Progress(ProgressEvent),
    Delta(DeltaEvent),
    Output(OutputEvent),
    Done(DoneEvent),
    GoesOn(GoesOnEvent),
    Failed(FailedEvent),
}

macro_rules! event {
    ($(#[$doc:meta])* $name:ident, $kind:ident :: $variant:ident, $data:ty) => {
        #[derive(ToSchema)]
        #[schema(rename_all = "snake_case")]
        #[expect(dead_code, reason = "only described")]
        enum $kind {
            $variant,
        }

        $(#[$doc])*
        #[derive(ToSchema)]
        #[expect(dead_code, reason = "only described")]
        pub(crate) struct $name {
            #[schema(inline)]
            event: $kind,
            /// Absent for `progress` and `goes_on`: go on from the last event that has one.
            id: Option<String>,
            data: $data,
        }
    };
}

event! {
    /// First, once: the price is held.
    RunBegunEvent, RunBegunName::Run, RunBegun
}
event! {
    /// At every change that a person may wait for, and at least every ten seconds.
    ProgressEvent, ProgressName::Progress, Progress
}
event! {
    /// The next piece of a text. From the first one on, no other provider takes over.
    DeltaEvent, DeltaName::Delta, Delta
}
event! {
    /// An output is stored and booked. Once for each.
    OutputEvent, OutputName::Output, OutputView
}
event! {
    /// Last: the run succeeded.
    DoneEvent, DoneName::Done, RunView
}
event! {
    /// Last: the run goes on without the request. `GET /v1/runs/{id}` shows what becomes of it.
    GoesOnEvent, GoesOnName::GoesOn, RunView
}
event! {
    /// Last: the run did not succeed.
    FailedEvent, FailedName::Failed, FailedRun
}

/// A piece of the text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct Delta {
    text: String,
}

/// The problem document, as it would be the answer.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct FailedRun {
    #[serde(flatten)]
    problem: ProblemDocument,
    /// 0, beside `credit: not_taken`
    charged: Option<CreditsView>,
}
