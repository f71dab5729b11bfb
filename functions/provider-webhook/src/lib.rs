//! `POST /v1/webhooks/providers/{apify,fal,replicate}/{id}`: a provider tells that it is through with a run's job.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use edge::{ProblemCode, ProblemResponse, Routes};
use platform::{InvalidSettings, Platform};
use primitives::JobId;
use providers::{ApifyWebhook, FalWebhook, ProviderName, ReplicateWebhook};
use runs::{JobNews, RunPoll};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(paths(apify, fal, replicate), components(schemas(Heard, edge::ProblemDocument)))]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    apify: ApifyWebhook,
    fal: FalWebhook,
    replicate: ReplicateWebhook,
    poll: RunPoll,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk = Desk {
        platform: platform.clone(),
        apify: ApifyWebhook::new(platform)?,
        fal: FalWebhook::new(platform)?,
        replicate: ReplicateWebhook::new(platform)?,
        poll: RunPoll::new(platform)?,
    };
    Routes::new()
        .route("/v1/webhooks/providers/apify/{id}", post(apify))
        .route("/v1/webhooks/providers/fal/{id}", post(fal))
        .route("/v1/webhooks/providers/replicate/{id}", post(replicate))
        .finish(platform, desk)
}

/// For Apify. The message only says which run of an actor to look at; what Apify then answers decides. What is not known here
/// is answered with success, because nothing would come of sending it again.
#[utoipa::path(
    post, path = "/v1/webhooks/providers/apify/{id}", operation_id = "receive_apify_result", tag = "webhooks",
    params(("id" = String, Path, description = "What we call the job")),
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
    // The token is the job's, so without a job there is none.
    let ours = id.parse::<JobId>().map_err(|_| ProblemCode::WebhookRefused)?;
    let job = desk.apify.authenticate(ours, &headers, &body).map_err(|refused| {
        tracing::warn!(reason = %refused, provider.name = "apify", "a message that is not from Apify was refused");
        ProblemCode::WebhookRefused
    })?;
    desk.hear(ours, ProviderName::Apify, &job).await
}

/// For fal. The message only says which job to look at; what fal then answers decides. What is not known here is answered
/// with success, because nothing would come of sending it again.
#[utoipa::path(
    post, path = "/v1/webhooks/providers/fal/{id}", operation_id = "receive_fal_result", tag = "webhooks",
    params(("id" = String, Path, description = "What we call the job, and a token that only fal was given")),
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
    let told = desk.fal.authenticate(&id, &headers, &body, desk.platform.now()).await;
    let (ours, job) = told.map_err(|refused| {
        tracing::warn!(reason = %refused, provider.name = "fal", "a message that is not from fal was refused");
        ProblemCode::WebhookRefused
    })?;
    desk.hear(ours, ProviderName::Fal, &job).await
}

/// For Replicate. The message only says which prediction to look at; what Replicate then answers decides. What is not known
/// here is answered with success, because nothing would come of sending it again.
#[utoipa::path(
    post, path = "/v1/webhooks/providers/replicate/{id}", operation_id = "receive_replicate_result", tag = "webhooks",
    params(("id" = String, Path, description = "What we call the job")),
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 200, description = "Looked at: nothing is to be sent again", body = Heard),
        (status = "default", description = "Not authentic, or to be sent again", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("replicate_signature" = []))
)]
async fn replicate(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Heard>, ProblemResponse> {
    let job = desk.replicate.authenticate(&headers, &body, desk.platform.now()).map_err(|refused| {
        tracing::warn!(reason = %refused, provider.name = "replicate", "a message that is not from Replicate was refused");
        ProblemCode::WebhookRefused
    })?;
    desk.hear(ours(&id)?, ProviderName::Replicate, &job).await
}

impl Desk {
    /// Looks at our job, if it is the one that `provider` calls `job`.
    async fn hear(
        &self,
        ours: JobId,
        provider: ProviderName,
        job: &str,
    ) -> Result<Json<Heard>, ProblemResponse> {
        let news = self.poll.hear(ours, provider, job).await.map_err(|error| error.problem())?;
        match news {
            JobNews::Ended => {}
            // The provider is not through, or the webhook leaves what takes long to the poll.
            JobNews::GoesOn => {
                tracing::info!(job.id = %ours, provider.name = provider.as_str(), "{provider} told of a job that goes on");
            }
            JobNews::Unknown => tracing::warn!(
                job.id = %ours, provider.name = provider.as_str(), "{provider} told of a job that we don't know"
            ),
        }
        Ok(Json(Heard { heard: true }))
    }
}

fn ours(id: &str) -> Result<JobId, ProblemCode> {
    id.parse().map_err(|_| ProblemCode::NotFound)
}

#[derive(Serialize, ToSchema)]
struct Heard {
    heard: bool,
}
