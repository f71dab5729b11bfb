//! `GET /v1/runs` and `GET /v1/runs/{id}`: what became of runs, with their outputs and receipts.

use axum::extract::{Path, State};
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use edge::{Caller, Page, Problem, ProblemCode, ProblemResponse, RUN_ID, Routes};
use platform::{InvalidSettings, Platform};
use primitives::RunId;
use runs::{History, OutputView, RunPage, RunStatus, RunSummary, RunView};
use utoipa::OpenApi;

/// How soon something new may be seen of a run that goes on.
const LOOK_AGAIN_SECONDS: &str = "2";

#[derive(OpenApi)]
#[openapi(
    paths(list, show),
    components(schemas(RunPage, RunSummary, RunView, OutputView, edge::ProblemDocument))
)]
pub struct Api;

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    Routes::new()
        .route("/v1/runs", get(list))
        .route("/v1/runs/{id}", get(show))
        .finish(platform, History::new(platform)?)
}

/// Your runs, newest first, with price and output. A page holds `limit` runs unless it is the last.
#[utoipa::path(
    get, path = "/v1/runs", operation_id = "list_runs", tag = "runs",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "default 20"),
           ("cursor" = Option<String>, Query, pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$", description = "`next_cursor` of the page before")),
    responses(
        (status = 200, description = "A page of runs", body = RunPage),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn list(
    State(history): State<History>,
    caller: Caller,
    page: Page,
) -> Result<Json<RunPage>, ProblemResponse> {
    let before = page.cursor::<RunId>()?;
    let runs = history.list(caller.account(), page.limit, before).await;
    Ok(Json(runs.map_err(|error| error.problem())?))
}

/// One of your runs: status, output, timeline, receipt. While it runs, `Retry-After` says when to look again.
#[utoipa::path(
    get, path = "/v1/runs/{id}", operation_id = "show_run", tag = "runs", params(("id" = String, Path, description = "The run's id")),
    responses(
        (status = 200, description = "The run", body = RunView,
            headers(("Retry-After" = u64, description = "seconds; only while the run goes on"))),
        (status = "default", description = "Refused, failed or not yours", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn show(
    State(history): State<History>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ProblemResponse> {
    let run = id.parse::<RunId>().map_err(|_| Problem::new(ProblemCode::NotFound))?;
    let run = history.get(caller.account(), run).await.map_err(|error| error.problem())?;
    let again = (run.status == RunStatus::Running).then_some([(RETRY_AFTER, LOOK_AGAIN_SECONDS)]);
    Ok(([(RUN_ID, run.id.to_string())], again, Json(run)).into_response())
}
