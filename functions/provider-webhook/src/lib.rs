//! `POST /v1/webhooks/providers/fal/{id}`: fal tells that it is through with a run's job.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use edge::{ProblemCode, ProblemResponse, Routes};
use platform::{InvalidSettings, Platform};
use primitives::RunId;
use providers::{FalWebhook, ProviderName};
use runs::{JobNews, RunPoll};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(paths(fal), components(schemas(Heard, edge::ProblemDocument)))]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    fal: FalWebhook,
    poll: RunPoll,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk =
        Desk { platform: platform.clone(), fal: FalWebhook::new(platform)?, poll: RunPoll::new(platform)? };
    Routes::new().route("/v1/webhooks/providers/fal/{id}", post(fal)).finish(platform, desk)
}

/// For fal. The message only says which job to look at; what fal then answers decides. What is not known here is answered
/// with success, because nothing would come of sending it again.
#[utoipa::path(
    post, path = "/v1/webhooks/providers/fal/{id}", operation_id = "receive_fal_result", tag = "webhooks",
    params(("id" = String, Path, description = "The run's id")),
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 200, description = "Looked at: nothing is to be sent again", body = Heard),
        (status = "default", description = "Not authentic, or to be sent again", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("fal_signature" = []))
)]
async fn fal(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Heard>, ProblemResponse> {
    let job = desk.fal.authenticate(&headers, &body, desk.platform.now()).await.map_err(|refused| {
        tracing::warn!(reason = %refused, provider.name = "fal", "a message that is not from fal was refused");
        ProblemCode::WebhookRefused
    })?;
    let run = id.parse::<RunId>().map_err(|_| ProblemCode::NotFound)?;
    let news = desk.poll.hear(run, ProviderName::Fal, &job).await.map_err(|error| error.problem())?;
    if news != JobNews::Ended {
        tracing::warn!(run.id = %run, ?news, provider.name = "fal", "fal told of a job that is not through here, or not this run's");
    }
    Ok(Json(Heard { heard: true }))
}

#[derive(Serialize, ToSchema)]
struct Heard {
    heard: bool,
}
