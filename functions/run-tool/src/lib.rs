//! `POST /v1/runs`: verify the caller, then let `runs` price, reserve, serve and settle; stream what it tells.

mod schema;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use edge::{
    AcceptKind, IdempotencyKey, JsonBody, Problem, ProblemCode, ProblemResponse, RUN_ID, RequestId, Routes,
    Runner, sse,
};
use platform::{InvalidSettings, Platform};
use primitives::{Credits, Private, RunId};
use runs::{
    ImageInput, Order, OrderError, OutputView, RunBegun, RunEvent, RunView, Runs, ScriptInput, ToolInput, Who,
};
use schema::{ImageRun, RunRequestSchema, ScriptRun};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(run_tool),
    components(schemas(
        RunRequestSchema,
        ScriptRun,
        ImageRun,
        ScriptInput,
        ImageInput,
        RunBegun,
        RunView,
        OutputView,
        edge::ProblemDocument
    ))
)]
pub struct Api;

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    Routes::new().route("/v1/runs", post(run_tool)).finish(platform, Runs::new(platform)?)
}

/// A wish to run a tool; [`RunRequestSchema`] describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    tool: String,
    input: Private<Value>,
    quote_id: Option<String>,
    price: Option<u64>,
    run_id: Option<String>,
}

/// Run a tool.
///
/// The price is held before anything is sent to a provider, and charged when the output is stored. What is refused
/// before the hold is a plain error and costs nothing.
///
/// With `Accept: text/event-stream` the answer begins when the price is held, as a stream of events: `run` (a RunBegun:
/// id, price, until when it is held), `progress` (`{"stage": …}` with `waiting`, `thinking`, `queued`, `working`,
/// `writing` or `storing`) at least every ten seconds, `delta` (`{"text": …}`), `output` (an OutputView), and as the last
/// one either `done` (a RunView) or `failed`: a ProblemDocument, with `charged: 0` where nothing was taken. Until the
/// first `delta` or `output` another provider may take over unseen. Lines that begin with a colon are comments that keep
/// the connection open.
///
/// Otherwise the answer is one JSON document at the end, and a failure has its own status. `X-Run-Id` names the run in
/// every answer. Leaving does not stop a run: see `GET /v1/runs/{id}`.
#[utoipa::path(
    post, path = "/v1/runs", tag = "runs", request_body = RunRequestSchema,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^(\"[!#-\\[\\]-~]{1,255}\"|[!#-\\[\\]-~]{1,255})$", description = "1 to 255 visible ASCII characters; the same key and input give the same run for 48 hours")),
    responses(
        (status = 200, description = "The finished run, or its events", content(
            (RunView = "application/json"), (String = "text/event-stream")),
            headers(("X-Run-Id" = String, description = "The run's id"))),
        (status = "default", description = "Refused or failed; the document says whether credit was taken",
            body = edge::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn run_tool(
    State(runs): State<Runs>,
    Extension(request): Extension<RequestId>,
    runner: Runner,
    key: Result<IdempotencyKey, ProblemResponse>,
    accept: Result<AcceptKind, ProblemResponse>,
    wish: Result<JsonBody<RunRequest>, ProblemResponse>,
) -> Result<Response, ProblemResponse> {
    let (order, accept) = match understood(key, accept, wish) {
        Ok(understood) => understood,
        Err(problem) => return Err(runner.refusal(problem).await.into()),
    };
    let (caller, own) = (runner.caller(), |text: &str| text.to_owned());
    let who = Who {
        user: caller.user().clone(),
        account: caller.account().clone(),
        country: caller.country().map(own),
        network: caller.network().map(own),
    };
    let events = runs.start(who, order);
    match accept {
        AcceptKind::EventStream => Ok(stream(events, request).await?),
        AcceptKind::Json => Ok(collect(events).await?),
    }
}

fn understood(
    key: Result<IdempotencyKey, ProblemResponse>,
    accept: Result<AcceptKind, ProblemResponse>,
    wish: Result<JsonBody<RunRequest>, ProblemResponse>,
) -> Result<(Order, AcceptKind), Problem> {
    let (IdempotencyKey(key), accept, JsonBody(wish)) = (key?, accept?, wish?);
    Ok((wish.into_order(key)?, accept))
}

impl RunRequest {
    fn into_order(self, idempotency_key: Option<String>) -> Result<Order, Problem> {
        let input = ToolInput::parse(&self.tool, self.input.expose());
        let input = input.map_err(|fields| OrderError::InvalidInput(fields).problem())?;
        let input = input.ok_or_else(|| OrderError::UnknownTool.problem())?;
        let run = self.run_id.as_deref().map(str::parse::<RunId>).transpose().map_err(|invalid| {
            Problem::new(ProblemCode::InvalidRunId).pointer("/run_id", invalid.to_string())
        })?;
        let price = self.price.map(Credits::new).transpose().map_err(|_| {
            Problem::new(ProblemCode::InvalidInput)
                .pointer("/price", "send the price as GET /v1/pricing tells it")
        })?;
        Ok(Order { input, quote: self.quote_id, price, run, idempotency_key })
    }
}

/// Begins when the price is held: what is refused before that is a plain problem.
async fn stream(mut events: UnboundedReceiver<RunEvent>, request: RequestId) -> Result<Response, Problem> {
    let begun = match events.recv().await {
        Some(RunEvent::Run(begun)) => begun,
        Some(RunEvent::Failed(problem)) => return Err(*problem),
        Some(_) | None => return Err(Problem::new(ProblemCode::Internal)),
    };
    let run = begun.id;
    let first = Some(RunEvent::Run(begun));
    let chunks =
        futures_util::stream::unfold((first, events, request), |(first, mut events, request)| async move {
            let event = match first {
                Some(event) => event,
                None => events.recv().await?,
            };
            let chunk = frames(event, &mut events, &request);
            Some((chunk, (None, events, request)))
        });
    Ok(about(run, sse::response(chunks)))
}

fn about(run: RunId, mut response: Response) -> Response {
    if let Ok(run) = run.to_string().parse() {
        response.headers_mut().insert(RUN_ID, run);
    }
    response
}

/// What is ready at the same moment leaves in one piece: a chunk and a write for each event would cost more than
/// the events.
fn frames(event: RunEvent, events: &mut UnboundedReceiver<RunEvent>, request: &RequestId) -> Bytes {
    let mut chunk = Vec::from(frame(event, request));
    while let Ok(event) = events.try_recv() {
        chunk.extend_from_slice(&frame(event, request));
    }
    Bytes::from(chunk)
}

fn frame(event: RunEvent, request: &RequestId) -> Bytes {
    match event {
        RunEvent::Run(begun) => sse::event("run", &begun),
        RunEvent::Progress { stage } => sse::event("progress", &json!({ "stage": stage })),
        RunEvent::Delta(text) => sse::event("delta", &json!({ "text": text.expose() })),
        RunEvent::Output(output) => sse::event("output", &output),
        RunEvent::Done(view) => sse::event("done", &view),
        RunEvent::Failed(problem) => {
            let mut document = request.name(*problem).document();
            if document["credit"] == "not_taken" {
                document["charged"] = json!(0);
            }
            sse::event("failed", &document)
        }
    }
}

/// One JSON document at the end, with the whole text in it.
async fn collect(mut events: UnboundedReceiver<RunEvent>) -> Result<Response, Problem> {
    let mut text = String::new();
    while let Some(event) = events.recv().await {
        match event {
            RunEvent::Run(_) | RunEvent::Progress { .. } | RunEvent::Output(_) => {}
            RunEvent::Delta(piece) => text.push_str(piece.expose()),
            RunEvent::Failed(problem) => return Err(*problem),
            RunEvent::Done(mut view) => {
                if let Some(output) = view.output.as_mut().filter(|output| output.kind == "text") {
                    output.text = Some(text);
                }
                return Ok(about(view.id, axum::Json(*view).into_response()));
            }
        }
    }
    Err(Problem::new(ProblemCode::Internal))
}
