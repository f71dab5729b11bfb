//! `/v1/top-ups`: orders to pay credit in, how to pay them, and what came of them. Moves no credit.

mod closed_sets;
mod pages;
mod views;

use axum::extract::{Extension, Path, State};
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use credits::Standings;
use edge::{Caller, IdempotencyKey, JsonBody, Page, Problem, ProblemCode, ProblemResponse, Routes, Wording};
use payments::{Rail, TopUpWish, TopUps};
use platform::{InvalidSettings, Platform, with_causes};
use primitives::{Language, TopUpId};
use signup::{Signup, SignupError};
use utoipa::OpenApi;
use views::{MethodsView, TopUpListView, TopUpRequest, TopUpView};

/// How soon a payment may be seen: banks and cards are told of within seconds.
const LOOK_AGAIN_SECONDS: &str = "3";

#[derive(OpenApi)]
#[openapi(
    paths(methods, create, list, show, cancel, pages::qr_svg, pages::qr_png, pages::checkout),
    components(schemas(MethodsView, TopUpRequest, TopUpView, TopUpListView, edge::ProblemDocument))
)]
pub struct Api;

#[derive(Clone)]
pub(crate) struct Desk {
    platform: Platform,
    signup: Signup,
    standings: Standings,
    top_ups: TopUps,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk = Desk {
        platform: platform.clone(),
        signup: Signup::new(platform)?,
        standings: Standings::new(platform),
        top_ups: TopUps::new(platform)?,
    };
    Routes::new()
        .route("/v1/top-ups/methods", get(methods))
        .route("/v1/top-ups", get(list).post(create))
        .route("/v1/top-ups/{id}", get(show))
        .route("/v1/top-ups/{id}/cancel", post(cancel))
        .route("/v1/top-ups/{id}/qr.svg", get(pages::qr_svg))
        .route("/v1/top-ups/{id}/qr.png", get(pages::qr_png))
        .route("/v1/top-ups/{id}/checkout", get(pages::checkout))
        .finish(platform, desk)
}

/// What can be paid in, and how. Needs no sign-in.
#[utoipa::path(
    get, path = "/v1/top-ups/methods", operation_id = "list_top_up_methods", tag = "top-ups",
    responses(
        (status = 200, description = "Amounts and methods", body = MethodsView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(())
)]
async fn methods(State(desk): State<Desk>) -> Json<MethodsView> {
    Json(MethodsView::of(&desk.top_ups))
}

/// Order a top-up. The answer has what the payer needs; the exchange rate is fixed from here on.
///
/// Send an `Idempotency-Key`: the same key with the same body shows the same order again.
#[utoipa::path(
    post, path = "/v1/top-ups", operation_id = "create_top_up", tag = "top-ups", request_body = TopUpRequest,
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^(\"[!#-\\[\\]-~]{1,255}\"|[!#-\\[\\]-~]{1,255})$", 
            description = "your own name of this intention, 1 to 255 visible ASCII characters; kept 48 hours")),
    responses(
        (status = 201, description = "The order", body = TopUpView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn create(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    caller: Caller,
    IdempotencyKey(key): IdempotencyKey,
    JsonBody(wish): JsonBody<TopUpRequest>,
) -> Result<(axum::http::StatusCode, Json<TopUpView>), ProblemResponse> {
    let now = desk.platform.now();
    let rail: Rail = wish.method.parse().map_err(|_: payments::UnknownRail| unknown_method())?;
    desk.signup.open(caller.account(), caller.sight(), now).await.map_err(|error| problem(&error))?;
    let credits = wish.credits.amount_in(desk.platform.profile().unit);
    let wish = TopUpWish { account: caller.account().clone(), rail, credits, key };
    let order = desk.top_ups.create(&wish, now).await.map_err(|error| error.problem())?;
    Ok((axum::http::StatusCode::CREATED, Json(TopUpView::of(&order, &desk.top_ups, now, language))))
}

/// Your top-ups, newest first: the history of your payments with their reference codes.
#[utoipa::path(
    get, path = "/v1/top-ups", operation_id = "list_top_ups", tag = "top-ups",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "default 20"),
           ("cursor" = Option<String>, Query, pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}$", description = "`next_cursor` of the page before")),
    responses(
        (status = 200, description = "A page of orders", body = TopUpListView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn list(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    caller: Caller,
    page: Page,
) -> Result<Json<TopUpListView>, ProblemResponse> {
    let before = page.cursor::<TopUpId>()?;
    let page = desk.top_ups.list(caller.account(), page.limit, before).await;
    let page = page.map_err(|error| error.problem())?;
    Ok(Json(TopUpListView::of(&page, &desk.top_ups, desk.platform.now(), language)))
}

/// One top-up: its status, what arrived, what remains, and the ledger entries it led to. While it is to be paid,
/// `Retry-After` says when to look again.
#[utoipa::path(
    get, path = "/v1/top-ups/{id}", operation_id = "show_top_up", tag = "top-ups",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "The order", body = TopUpView,
            headers(("Retry-After" = u64, description = "seconds; only while there is something to pay"))),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
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
    let order = desk.top_ups.show(caller.account(), top_up_id(&id)?).await;
    let order = order.map_err(|error| error.problem())?;
    let view = TopUpView::of(&order, &desk.top_ups, desk.platform.now(), language);
    let again = view.is_to_be_paid().then_some([(RETRY_AFTER, LOOK_AGAIN_SECONDS)]);
    Ok((again, Json(view)).into_response())
}

/// Cancel the order. What you have paid, or still pay, is credited all the same.
#[utoipa::path(
    post, path = "/v1/top-ups/{id}/cancel", operation_id = "cancel_top_up", tag = "top-ups",
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "The order afterwards", body = TopUpView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn cancel(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<TopUpView>, ProblemResponse> {
    let (id, now) = (top_up_id(&id)?, desk.platform.now());
    let order = desk.top_ups.cancel(caller.account(), id, now).await.map_err(|error| error.problem())?;
    Ok(Json(TopUpView::of(&order, &desk.top_ups, now, language)))
}

fn unknown_method() -> Problem {
    let names: Vec<&str> = Rail::ALL.iter().map(|rail| rail.as_str()).collect();
    let names = names.join(", ");
    let why = Wording::new(format!("choose one of {names}"), format!("hãy chọn một trong: {names}"));
    Problem::new(ProblemCode::InvalidInput).pointer("/method", why)
}

/// Answers 404 to a text that is not a ULID, as to an order that is not there.
pub(crate) fn top_up_id(text: &str) -> Result<TopUpId, Problem> {
    text.parse().map_err(|_| ProblemCode::NotFound.into())
}

fn problem(error: &SignupError) -> Problem {
    if matches!(error, SignupError::Identity(identity::IdentityError::Deleted)) {
        return Problem::deleted_person();
    }
    tracing::error!(error = %with_causes(error), "an account could not be found or opened");
    Problem::new(ProblemCode::StoreUnavailable)
}
