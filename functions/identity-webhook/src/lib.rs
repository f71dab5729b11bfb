//! `POST /v1/webhooks/clerk`: what Clerk tells about people, signed by Svix.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use credits::Ledger;
use edge::{Problem, ProblemCode, ProblemResponse, Routes};
use identity::{Applied, UserEvent, Users, WebhookSettings, svix};
use platform::{InvalidSettings, Platform, with_causes};
use primitives::AccountId;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(receive), components(schemas(edge::ProblemDocument)))]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    settings: WebhookSettings,
    users: Users,
    ledger: Ledger,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk = Desk {
        platform: platform.clone(),
        settings: platform.env().section(WebhookSettings::read)?,
        users: Users::new(platform)?,
        ledger: Ledger::new(platform)?,
    };
    Routes::new().route("/v1/webhooks/clerk", post(receive)).finish(platform, desk)
}

/// For Clerk. The signature is checked over the raw body before anything is read; repeats change nothing.
#[utoipa::path(
    post, path = "/v1/webhooks/clerk", operation_id = "receive_clerk_event", tag = "webhooks", request_body(content = String, content_type = "application/json"),
    responses(
        (status = 204, description = "Handled, or nothing to do"),
        (status = "default", description = "Not authentic, or to be sent again", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("clerk_signature" = []))
)]
async fn receive(
    State(desk): State<Desk>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, ProblemResponse> {
    let message = svix::verify(&desk.settings.secrets, &headers, &body, desk.platform.now());
    let message = message.map_err(|why| {
        tracing::warn!(reason = %why, "a webhook that is not from Clerk was refused");
        Problem::new(ProblemCode::WebhookRefused)
    })?;
    let event = UserEvent::parse(&body, desk.settings.instance_id.as_deref()).map_err(|invalid| {
        tracing::warn!(reason = %invalid, "a signed webhook can't be read");
        Problem::new(ProblemCode::InvalidInput).detail("The event can't be read. Nothing was changed.")
    })?;
    let deleted = match &event {
        UserEvent::Deleted(user) => Some(user.clone()),
        UserEvent::Changed(_) | UserEvent::Ignored(_) => None,
    };
    // The closed account is what every route looks at, so it comes first; killed behind it, Clerk's retry does both.
    if let Some(user) = deleted {
        desk.ledger.close(&AccountId::from(&user)).await.map_err(|error| unavailable(&error))?;
    }
    let applied: Applied = desk.users.apply(&message, event).await.map_err(|error| unavailable(&error))?;
    tracing::info!(?applied, "an identity event was handled");
    Ok(StatusCode::NO_CONTENT)
}

fn unavailable(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error = %with_causes(error), "an identity event could not be handled; it will be sent again");
    Problem::new(ProblemCode::StoreUnavailable).detail("Send the event again later.")
}
