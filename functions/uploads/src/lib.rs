//! `/v1/uploads`: files for use in runs. They go straight to the bucket by a signed form; here they are announced, looked at
//! and removed.

mod closed_sets;
mod views;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use edge::{Caller, JsonBody, Problem, ProblemCode, ProblemResponse, Routes};
use media::{Media, UploadState, UploadWish, Uploads};
use platform::{InvalidSettings, Platform};
use primitives::{Language, UploadId};
use utoipa::OpenApi;
use views::{UploadRequest, UploadView};

/// How soon the file may be there: a page that has sent it knows, and asks at once.
const LOOK_AGAIN_SECONDS: &str = "5";

#[derive(OpenApi)]
#[openapi(paths(begin, show, remove), components(schemas(UploadRequest, UploadView, edge::ProblemDocument)))]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    uploads: Uploads,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk = Desk { uploads: Media::new(platform)?.uploads(), platform: platform.clone() };
    Routes::new()
        .route("/v1/uploads", post(begin))
        .route("/v1/uploads/{id}", get(show).delete(remove))
        .finish(platform, desk)
}

/// Announce a file. The answer has a form that takes exactly this file, for ten minutes: post its fields and then the
/// file, as `file`, to its address.
#[utoipa::path(
    post, path = "/v1/uploads", operation_id = "begin_upload", tag = "uploads", request_body = UploadRequest,
    responses(
        (status = 201, description = "The upload, with its form", body = UploadView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn begin(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    caller: Caller,
    JsonBody(wish): JsonBody<UploadRequest>,
) -> Result<(StatusCode, Json<UploadView>), ProblemResponse> {
    let rules = desk.uploads.rules();
    let wish = UploadWish::parse(&wish.kind, &wish.content_type, wish.bytes, &wish.sha256, rules);
    let wish = wish.map_err(|faults| media::UploadError::Faults(faults).problem())?;
    let now = desk.platform.now();
    let begun = desk.uploads.begin(caller.account(), wish, now).await;
    let (upload, form) = begun.map_err(|error| error.problem())?;
    Ok((StatusCode::CREATED, Json(UploadView::of(&upload, Some(form), language, now))))
}

/// One of your uploads. The first look after the file has come reads it, and says what it is or why it can't be used.
/// While nothing has come, `Retry-After` says when to look again.
#[utoipa::path(
    get, path = "/v1/uploads/{id}", operation_id = "show_upload", tag = "uploads",
    params(("id" = String, Path, description = "The upload's id")),
    responses(
        (status = 200, description = "The upload", body = UploadView,
            headers(("Retry-After" = u64, description = "seconds; only while the file may still come"))),
        (status = "default", description = "Refused, failed or not yours", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn show(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ProblemResponse> {
    let (id, now) = (upload_id(&id)?, desk.platform.now());
    let upload = desk.uploads.show(caller.account(), id, now).await.map_err(|error| error.problem())?;
    let is_awaited = upload.state == UploadState::Waiting && now < upload.form_until;
    let again = is_awaited.then_some([(RETRY_AFTER, LOOK_AGAIN_SECONDS)]);
    Ok((again, Json(UploadView::of(&upload, None, language, now))).into_response())
}

/// Remove an upload and its file. Runs that have begun with it go on.
#[utoipa::path(
    delete, path = "/v1/uploads/{id}", operation_id = "remove_upload", tag = "uploads",
    params(("id" = String, Path, description = "The upload's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "Refused, failed or not yours", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn remove(
    State(desk): State<Desk>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ProblemResponse> {
    let removed = desk.uploads.remove(caller.account(), upload_id(&id)?, desk.platform.now()).await;
    removed.map_err(|error| error.problem())?;
    Ok(StatusCode::NO_CONTENT)
}

/// Answers 404 to a text that is no id, as to an upload that is not there.
fn upload_id(text: &str) -> Result<UploadId, Problem> {
    text.parse().map_err(|_| ProblemCode::NotFound.into())
}
