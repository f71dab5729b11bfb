//! `POST /v1/webhooks/providers/{fal,apify}/{id}`: a provider tells that it is through with a run's job.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use edge::{ProblemCode, ProblemResponse, Routes};
use platform::{InvalidSettings, Platform};
use primitives::RunId;
use providers::{ApifyWebhook, FalWebhook, ProviderName};
use runs::{JobNews, RunPoll};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(paths(apify, fal), components(schemas(Heard, edge::ProblemDocument)))]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    apify: ApifyWebhook,
    fal: FalWebhook,
    poll: RunPoll,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk = Desk {
        platform: platform.clone(),
        apify: ApifyWebhook::new(platform)?,
        fal: FalWebhook::new(platform)?,
        poll: RunPoll::new(platform)?,
    };
    Routes::new()
        .route("/v1/webhooks/providers/apify/{id}", post(apify))
        .route("/v1/webhooks/providers/fal/{id}", post(fal))
        .finish(platform, desk)
}

/// For Apify. The message only says which run of an actor to look at; what Apify then answers decides. What is not known here
/// is answered with success, because nothing would come of sending it again.
#[utoipa::path(
    post, path = "/v1/webhooks/providers/apify/{id}", operation_id = "receive_apify_result", tag = "webhooks",
    params(("id" = String, Path, description = "The run's id")),
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 200, description = "Looked at: nothing is to be sent again", body = Heard),
        (status = "default", description = "Not authentic, or to be sent again", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("apify_token" = []))
)]
async fn apify(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Heard>, ProblemResponse> {
    // The token is the run's, so without a run there is none.
    let run = id.parse::<RunId>().map_err(|_| ProblemCode::WebhookRefused)?;
    let job = desk.apify.authenticate(run, &headers, &body).map_err(|refused| {
        tracing::warn!(reason = %refused, provider.name = "apify", "a message that is not from Apify was refused");
        ProblemCode::WebhookRefused
    })?;
    desk.hear(run, ProviderName::Apify, &job).await
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
    desk.hear(run, ProviderName::Fal, &job).await
}

impl Desk {
    async fn hear(
        &self,
        run: RunId,
        provider: ProviderName,
        job: &str,
    ) -> Result<Json<Heard>, ProblemResponse> {
        let news = self.poll.hear(run, provider, job).await.map_err(|error| error.problem())?;
        if news != JobNews::Ended {
            tracing::warn!(
                run.id = %run, ?news, provider.name = provider.as_str(),
                "{provider} told of a job that is not through here, or not this run's"
            );
        }
        Ok(Json(Heard { heard: true }))
    }
}

#[derive(Serialize, ToSchema)]
struct Heard {
    heard: bool,
}
