//! `POST /v1/top-ups/claims`: a person names the transaction of a USDT transfer whose amount fitted no order.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use edge::{Allowed, Edge, JsonBody, Problem, ProblemCode, Spend};
use payments::{ChainDesk, Credited};
use platform::{InvalidSettings, Platform};
use primitives::Credits;
use rails::tron::TxId;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(paths(claim), components(schemas(ClaimRequest, ClaimAnswer, edge::ProblemDocument)))]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    chain: Option<ChainDesk>,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk = Desk { platform: platform.clone(), chain: ChainDesk::new(platform)? };
    let routes = Router::new().route("/v1/top-ups/claims", post(claim)).with_state(desk);
    Ok(edge::finish(routes, &Edge::new(platform)?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClaimRequest {
    /// The TRON transaction's hash
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    transaction_id: String,
}

/// What of the transaction is yours now.
#[derive(Serialize, ToSchema)]
struct ClaimAnswer {
    #[schema(value_type = u64)]
    credited: Credits,
    /// The orders it was credited to
    top_up_ids: Vec<String>,
}

/// Claim a USDT transfer that arrived with another amount than your order's, e.g. because an exchange kept a fee.
///
/// Its time and amount must fit one of your own orders and nobody else's. What is not that plain is noted, and a
/// person decides (`claim_unclear`).
#[utoipa::path(
    post, path = "/v1/top-ups/claims", operation_id = "claim_transfer", tag = "top-ups", request_body = ClaimRequest,
    responses(
        (status = 200, description = "It is yours, now or since before", body = ClaimAnswer),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn claim(
    State(desk): State<Desk>,
    person: Allowed<Spend>,
    JsonBody(wish): JsonBody<ClaimRequest>,
) -> Result<Json<ClaimAnswer>, Problem> {
    let chain = desk.chain.ok_or(ProblemCode::MethodUnavailable)?;
    let tx: TxId = wish.transaction_id.trim().parse().map_err(|_| {
        Problem::new(ProblemCode::InvalidInput)
            .pointer("/transaction_id", "send the transaction's hash: 64 hexadecimal digits")
    })?;
    let credited =
        chain.claim(person.account(), tx, desk.platform.now()).await.map_err(|error| error.problem())?;
    answer(&credited).map(Json)
}

fn answer(credited: &[Credited]) -> Result<ClaimAnswer, Problem> {
    let sum = credited.iter().try_fold(Credits::ZERO, |sum, one| sum.checked_add(one.credits));
    Ok(ClaimAnswer {
        credited: sum.map_err(|_| Problem::new(ProblemCode::Internal))?,
        top_up_ids: credited.iter().filter_map(|one| one.order).map(|order| order.to_string()).collect(),
    })
}
