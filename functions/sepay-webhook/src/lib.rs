//! `POST /v1/webhooks/sepay/bank` and `POST /v1/webhooks/sepay/ipn`: what SePay tells about transfers and cards.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use edge::{ProblemCode, ProblemResponse, Routes};
use payments::{BankDesk, CardDesk, CardNews};
use platform::{InvalidSettings, Platform};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(paths(bank, ipn), components(schemas(Received, edge::ProblemDocument)))]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    bank: Option<BankDesk>,
    card: Option<CardDesk>,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk = Desk {
        platform: platform.clone(),
        bank: BankDesk::for_messages(platform)?,
        card: CardDesk::for_messages(platform)?,
    };
    Routes::new()
        .route("/v1/webhooks/sepay/bank", post(bank))
        .route("/v1/webhooks/sepay/ipn", post(ipn))
        .finish(platform, desk)
}

/// For SePay's bank webhook. Authentic messages are answered with success whatever they say: what can't be matched
/// or read is kept for an administrator, because a refusal only makes SePay give up.
#[utoipa::path(
    post, path = "/v1/webhooks/sepay/bank", operation_id = "receive_sepay_transfer", tag = "webhooks",
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 200, description = "Booked, kept or known: nothing is to be sent again", body = Received),
        (status = "default", description = "Not authentic, or to be sent again", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sepay_signature" = []), ("sepay_api_key" = []))
)]
async fn bank(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Received>, ProblemResponse> {
    let (bank, now) = (desk.bank.ok_or(ProblemCode::NotFound)?, desk.platform.now());
    bank.authenticate(&headers, &body, now).map_err(|refused| {
        tracing::warn!(reason = %refused, rail = "viet_qr", "a message that is not from SePay was refused");
        ProblemCode::WebhookRefused
    })?;
    bank.take(&body, now).await.map_err(|error| error.problem())?;
    Ok(RECEIVED)
}

/// For SePay's gateway (IPN). The message only says which order to ask SePay for; the order's own state decides.
#[utoipa::path(
    post, path = "/v1/webhooks/sepay/ipn", operation_id = "receive_sepay_ipn", tag = "webhooks",
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 200, description = "Booked, kept or known: nothing is to be sent again", body = Received),
        (status = "default", description = "Not authentic, or to be sent again", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sepay_secret" = []))
)]
async fn ipn(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Received>, ProblemResponse> {
    let (card, now) = (desk.card.ok_or(ProblemCode::NotFound)?, desk.platform.now());
    card.authenticate(&headers).map_err(|refused| {
        tracing::warn!(reason = %refused, rail = "sepay_card", "a message that is not from SePay was refused");
        ProblemCode::WebhookRefused
    })?;
    let news = card.take(&body, now).await.map_err(|error| error.problem())?;
    if news == CardNews::Later {
        tracing::warn!("an IPN waits for reconciliation");
    }
    Ok(RECEIVED)
}

/// What SePay takes for success in both of its descriptions.
#[derive(Serialize, ToSchema)]
struct Received {
    success: bool,
}

const RECEIVED: Json<Received> = Json(Received { success: true });
