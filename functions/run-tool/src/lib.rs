//! `POST /v1/runs`: verify the caller, then let `runs` price, reserve, serve and settle; stream what it tells.

mod last_event_id;
mod schema;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edge::{
    AcceptKind, Caller, IdempotencyKey, JsonBody, Problem, ProblemCode, ProblemResponse, RUN_ID, RequestId,
    Routes, Runner, Wording, sse,
};
use last_event_id::LastEventId;
use platform::{InvalidSettings, Platform};
use primitives::{Credits, CreditsView, Language, Private, RunId, Unit};
use runs::{Heard, Order, OrderError, OutputType, Place, RunEvent, RunView, Runs, ToolInput, Who};
use schema::{
    DeltaEvent, DoneEvent, FailedEvent, GoesOnEvent, OutputEvent, ProgressEvent, RunBegunEvent,
    RunEventSchema, RunRequestSchema,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(run_tool, follow, cancel),
    components(schemas(
        RunRequestSchema,
        RunEventSchema,
        RunBegunEvent,
        ProgressEvent,
        DeltaEvent,
        OutputEvent,
        DoneEvent,
        GoesOnEvent,
        FailedEvent,
        RunView,
        edge::ProblemDocument
    ))
)]
pub struct Api;

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk = Desk { runs: Runs::new(platform)?, unit: platform.profile().unit };
    Routes::new()
        .route("/v1/runs", post(run_tool))
        .route("/v1/runs/{id}/events", get(follow))
        .route("/v1/runs/{id}/cancel", post(cancel))
        .finish(platform, desk)
}

/// How soon something new may be seen of a run that goes on.
const LOOK_AGAIN_SECONDS: &str = "2";

#[derive(Clone)]
struct Desk {
    runs: Runs,
    unit: Unit,
}

/// A wish to run a tool; its schema is `RunRequestSchema`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    tool: String,
    input: Private<Value>,
    quote_id: Option<String>,
    price: Option<CreditsView>,
    run_id: Option<String>,
}

/// Run a tool.
///
/// The price is held before anything is sent to a provider, and charged when the output is stored. What is refused
/// before the hold is a plain error and costs nothing.
///
/// With `Accept: text/event-stream` the answer begins when the price is held, as a stream of events, each a RunEvent:
/// `run`, then `progress` at least every ten seconds, `delta`, `output`, and as the last one `done`, `failed`, or `goes_on`:
/// the run goes on without the request, see `GET /v1/runs/{id}`.
/// Until the first `delta` or `output` another provider may take over unseen. Lines that begin with a colon are comments
/// that keep the connection open.
///
/// A client whose stream broke sends the same request again, with the same `run_id` or `Idempotency-Key` and the last
/// `id` that it saw as `Last-Event-ID`: the stream goes on behind that event, and 204 says that nothing is missing.
/// Without `Last-Event-ID` the story is told again from its beginning (`replayed` in `run`), so forget what came before.
///
/// Otherwise the answer is one JSON document at the end, and a failure has its own status. `X-Run-Id` names the run in
/// every answer. Leaving does not stop a run: see `GET /v1/runs/{id}`.
#[utoipa::path(
    post, path = "/v1/runs", tag = "runs", request_body = RunRequestSchema,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^(\"[!#-\\[\\]-~]{1,255}\"|[!#-\\[\\]-~]{1,255})$", description = "1 to 255 visible ASCII characters; the same key and input give the same run for 48 hours"),
           ("Last-Event-ID" = Option<String>, Header, description = "the `id` of the last event that came, to go on behind it")),
    responses(
        (status = 200, description = "The finished run, or its events", content(
            (RunView = "application/json"), (RunEventSchema = "text/event-stream")),
            headers(("X-Run-Id" = String, description = "The run's id"))),
        (status = 202, description = "The run goes on without the request: look at it where `Location` says", body = RunView,
            headers(("X-Run-Id" = String, description = "The run's id"),
                    ("Location" = String, description = "The run's path"),
                    ("Retry-After" = u64, description = "seconds"))),
        (status = 204, description = "The client has heard the whole story of the run already",
            headers(("X-Run-Id" = String, description = "The run's id"))),
        (status = "default", description = "Refused or failed; the document says whether credit was taken",
            body = edge::ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn run_tool(
    State(desk): State<Desk>,
    (Extension(request), Extension(language)): (Extension<RequestId>, Extension<Language>),
    runner: Runner,
    LastEventId(heard): LastEventId,
    key: Result<IdempotencyKey, ProblemResponse>,
    accept: Result<AcceptKind, ProblemResponse>,
    wish: Result<JsonBody<RunRequest>, ProblemResponse>,
) -> Result<Response, ProblemResponse> {
    let (order, accept) = match understood(key, accept, wish, desk.unit) {
        Ok(understood) => understood,
        Err(problem) => return Err(runner.refusal(problem).await.into()),
    };
    let events = desk.runs.start(who(runner.caller()), order);
    match accept {
        AcceptKind::EventStream => {
            Ok(stream(events, Listener { request, language, unit: desk.unit, heard }).await?)
        }
        AcceptKind::Json => Ok(collect(events).await?),
    }
}

/// Follow one of your runs.
///
/// Its story as a stream of events, as `POST /v1/runs` tells it: from its beginning, or behind the event whose `id` is sent as
/// `Last-Event-ID`. It makes no difference which request began the run, and whether that is still there. After a few minutes
/// `goes_on` ends the stream of a run that goes on: ask again.
#[utoipa::path(
    get, path = "/v1/runs/{id}/events", operation_id = "follow_run", tag = "runs",
    params(("id" = String, Path, description = "The run's id"),
           ("Last-Event-ID" = Option<String>, Header, description = "the `id` of the last event that came, to go on behind it")),
    responses(
        (status = 200, description = "The run's events", body = RunEventSchema, content_type = "text/event-stream"),
        (status = 204, description = "The client has heard the whole story of the run already",
            headers(("X-Run-Id" = String, description = "The run's id"))),
        (status = "default", description = "Refused, failed or not yours", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn follow(
    State(desk): State<Desk>,
    (Extension(request), Extension(language)): (Extension<RequestId>, Extension<Language>),
    caller: Caller,
    LastEventId(heard): LastEventId,
    Path(id): Path<String>,
) -> Result<Response, ProblemResponse> {
    let run = id.parse::<RunId>().map_err(|_| Problem::new(ProblemCode::NotFound))?;
    let events = desk.runs.follow(who(&caller), run);
    let heard = heard.filter(|heard| heard.run == run);
    Ok(stream(events, Listener { request, language, unit: desk.unit, heard }).await?)
}

/// Cancel one of your runs.
///
/// It ends, and nothing is charged, as long as no provider is at work on it. Then it can't be stopped any more (409
/// `not_cancellable`): it goes on, and is charged when it has brought its result; so does a text, which is written while
/// you listen. A run that has its end keeps it, and is the answer.
#[utoipa::path(
    post, path = "/v1/runs/{id}/cancel", operation_id = "cancel_run", tag = "runs", params(("id" = String, Path, description = "The run's id")),
    responses(
        (status = 200, description = "The run: at its end, or about to end as soon as whoever asks a provider for it is through",
            body = RunView),
        (status = "default", description = "Refused, failed or not yours", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn cancel(
    State(desk): State<Desk>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ProblemResponse> {
    let run = id.parse::<RunId>().map_err(|_| Problem::new(ProblemCode::NotFound))?;
    let view = desk.runs.cancel(caller.account(), run).await.map_err(|error| error.problem())?;
    Ok(about(view.id, axum::Json(view).into_response()))
}

fn who(caller: &Caller) -> Who {
    let own = |text: &str| text.to_owned();
    Who {
        user: caller.user().clone(),
        account: caller.account().clone(),
        country: caller.country().map(own),
        network: caller.network().map(own),
    }
}

fn understood(
    key: Result<IdempotencyKey, ProblemResponse>,
    accept: Result<AcceptKind, ProblemResponse>,
    wish: Result<JsonBody<RunRequest>, ProblemResponse>,
    ledger: Unit,
) -> Result<(Order, AcceptKind), Problem> {
    let (IdempotencyKey(key), accept, JsonBody(wish)) = (key?, accept?, wish?);
    Ok((wish.into_order(key, ledger)?, accept))
}

impl RunRequest {
    fn into_order(self, idempotency_key: Option<String>, ledger: Unit) -> Result<Order, Problem> {
        let input = ToolInput::parse(&self.tool, self.input.expose());
        let input = input.map_err(|fields| OrderError::InvalidInput(fields).problem())?;
        let input = input.ok_or_else(|| OrderError::UnknownTool.problem())?;
        let run = self.run_id.as_deref().map(str::parse::<RunId>).transpose().map_err(|invalid| {
            let why = Wording::new(invalid.to_string(), "phải là một ULID: 26 ký tự Base32 của Crockford");
            Problem::new(ProblemCode::InvalidRunId).pointer("/run_id", why)
        })?;
        let price = self.price.map(|price| price.amount_in(ledger));
        Ok(Order { input, quote: self.quote_id, price, run, idempotency_key })
    }
}

/// Begins when the price is held: what is refused before that is a plain problem.
async fn stream(
    mut events: UnboundedReceiver<RunEvent>,
    mut listener: Listener,
) -> Result<Response, Problem> {
    let begun = match events.recv().await {
        Some(RunEvent::Run(begun)) => begun,
        Some(RunEvent::Failed(problem)) => return Err(*problem),
        Some(_) | None => return Err(Problem::new(ProblemCode::Internal)),
    };
    let run = begun.id;
    listener.heard = listener.heard.filter(|heard| heard.run == run);
    if listener.heard.is_some_and(|heard| heard.heard == Heard::End) {
        return Ok(about(run, StatusCode::NO_CONTENT.into_response()));
    }
    let story = Story { told: Place::begin(run), listener };
    let first = Some(RunEvent::Run(begun));
    let chunks = futures_util::stream::unfold(
        (first, events, story),
        |(mut first, mut events, mut story)| async move {
            loop {
                let event = match first.take() {
                    Some(event) => event,
                    None => events.recv().await?,
                };
                let chunk = story.frames(event, &mut events);
                if !chunk.is_empty() {
                    return Some((chunk, (None, events, story)));
                }
            }
        },
    );
    Ok(about(run, sse::response(chunks)))
}

/// 202: the run goes on without the request, and is looked at where `Location` says.
fn goes_on(view: &RunView) -> Response {
    let headers = [(LOCATION, format!("/v1/runs/{}", view.id)), (RETRY_AFTER, LOOK_AGAIN_SECONDS.to_owned())];
    about(view.id, (StatusCode::ACCEPTED, headers, axum::Json(view)).into_response())
}

fn about(run: RunId, mut response: Response) -> Response {
    if let Ok(run) = run.to_string().parse() {
        response.headers_mut().insert(RUN_ID, run);
    }
    response
}

/// Who hears a run's events.
struct Listener {
    request: RequestId,
    language: Language,
    unit: Unit,
    /// What the client heard before its connection broke.
    heard: Option<Place>,
}

/// A run's events on their way to one client.
struct Story {
    told: Place,
    listener: Listener,
}

impl Story {
    /// Events that are ready at the same moment are sent as one chunk, because a chunk and a write for each of them would
    /// cost more than the events.
    fn frames(&mut self, event: RunEvent, events: &mut UnboundedReceiver<RunEvent>) -> Bytes {
        let mut chunk = Vec::new();
        self.frame(event, &mut chunk);
        while let Ok(event) = events.try_recv() {
            self.frame(event, &mut chunk);
        }
        Bytes::from(chunk)
    }

    fn frame(&mut self, event: RunEvent, chunk: &mut Vec<u8>) {
        let before = self.told;
        self.told = before.after(&event);
        let unheard = match self.listener.heard {
            Some(heard) => heard.unheard(before, event),
            None => Some(event),
        };
        if let Some(event) = unheard {
            chunk.extend_from_slice(&self.written(event));
        }
    }

    fn written(&self, event: RunEvent) -> Bytes {
        let id = &self.told;
        match event {
            RunEvent::Run(begun) => sse::numbered_event("run", id, &begun),
            RunEvent::Progress(progress) => sse::event("progress", &progress),
            RunEvent::Delta(text) => sse::numbered_event("delta", id, &json!({ "text": text.expose() })),
            RunEvent::Output(output) => sse::numbered_event("output", id, &output),
            RunEvent::GoesOn(view) => sse::event("goes_on", &view),
            RunEvent::Done(view) => sse::numbered_event("done", id, &view),
            RunEvent::Failed(problem) => {
                let problem = self.listener.request.name(*problem);
                let unit = self.listener.unit;
                let mut document = problem.told(self.listener.language, unit).document();
                if document["credit"] == "not_taken" {
                    document["charged"] = json!(CreditsView::new(Credits::ZERO, unit));
                }
                sse::numbered_event("failed", id, &document)
            }
        }
    }
}

/// One JSON document at the end, with the whole text in it.
async fn collect(mut events: UnboundedReceiver<RunEvent>) -> Result<Response, Problem> {
    let mut text = String::new();
    while let Some(event) = events.recv().await {
        match event {
            RunEvent::Run(_) | RunEvent::Progress(_) | RunEvent::Output(_) => {}
            RunEvent::Delta(piece) => text.push_str(piece.expose()),
            RunEvent::Failed(problem) => return Err(*problem),
            RunEvent::GoesOn(view) => return Ok(goes_on(&view)),
            RunEvent::Done(mut view) => {
                let written = view.outputs.iter_mut().find(|output| output.kind == OutputType::Text);
                if let Some(output) = written.filter(|_| !text.is_empty()) {
                    output.text = Some(text);
                }
                return Ok(about(view.id, axum::Json(*view).into_response()));
            }
        }
    }
    Err(Problem::new(ProblemCode::Internal))
}
