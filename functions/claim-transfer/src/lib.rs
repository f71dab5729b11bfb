//! `POST /v1/top-ups/claims`: a person names the transaction of a USDT transfer whose amount fitted no order.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use edge::{Caller, JsonBody, Problem, ProblemCode, ProblemResponse, Routes, Wording};
use payments::{ChainDesk, ClaimOutcome, WaitingClaim};
use platform::{InvalidSettings, Platform};
use primitives::{Credits, CreditsView, Timestamp, Unit};
use rails::tron::TxId;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(paths(claim), components(schemas(ClaimRequest, ClaimAnswer, WaitingView, edge::ProblemDocument)))]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    chain: Option<ChainDesk>,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk = Desk { platform: platform.clone(), chain: ChainDesk::new(platform)? };
    Routes::new().route("/v1/top-ups/claims", post(claim)).finish(platform, desk)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ClaimRequest {
    /// The TRON transaction's id: 64 hexadecimal digits, with or without `0x` before them; or the address of its page
    /// in an explorer
    #[schema(
        min_length = 64,
        max_length = 500,
        pattern = "^(|.*[^0-9A-Za-z])(0[xX]|2[Ff]|3[Dd])?[0-9A-Fa-f]{64}(|[^0-9A-Za-z].*)$",
        example = "https://tronscan.org/#/transaction/7c2d4206c03a883dd9066d6c839f4e5fbb5a2e1a5f5b4b8d8f8d0b1a3c9e6d70"
    )]
    transaction_id: String,
}

/// Longer than the address of any explorer's page.
const TEXT_CHARS_MAX: usize = 500;

/// What of the transaction is yours now, and what waits.
#[derive(Serialize, ToSchema)]
struct ClaimAnswer {
    credited: CreditsView,
    /// The orders it was credited to
    top_up_ids: Vec<String>,
    /// Transfers of the transaction that become yours later
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<WaitingView>,
}

/// A claim that becomes credit by itself if no other person claims the same transfer.
#[derive(Serialize, ToSchema)]
struct WaitingView {
    /// What it will bring
    credits: CreditsView,
    /// Your order it will be credited to
    top_up_id: String,
    #[schema(value_type = String, format = DateTime)]
    waiting_until: Timestamp,
    /// The same in words
    message: String,
}

/// Claim a USDT transfer that arrived with another amount than your order's, e.g. because an exchange kept a fee.
///
/// The exact amount of an order of yours that came too late is credited at once. An amount near your order's waits a
/// day, because everyone can see the chain: it becomes credit by itself if no other person claims the same transfer
/// until then (`202`, `waiting`); claim it again to see how it stands. What is not that plain, or claimed by two
/// people, is decided by a person (`claim_unclear`).
#[utoipa::path(
    post, path = "/v1/top-ups/claims", operation_id = "claim_transfer", tag = "top-ups", request_body = ClaimRequest,
    responses(
        (status = 200, description = "It is yours, now or since before", body = ClaimAnswer),
        (status = 202, description = "It waits for others to object", body = ClaimAnswer),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn claim(
    State(desk): State<Desk>,
    caller: Caller,
    JsonBody(wish): JsonBody<ClaimRequest>,
) -> Result<(StatusCode, Json<ClaimAnswer>), ProblemResponse> {
    let chain = desk.chain.ok_or(ProblemCode::MethodUnavailable)?;
    let tx = transaction(&wish.transaction_id).ok_or_else(|| {
        let why = Wording::new(
            "send the transaction's id, 64 hexadecimal digits, or the address of its page in an explorer",
            "hãy gửi mã giao dịch gồm 64 chữ số thập lục phân, hoặc địa chỉ trang của giao dịch trên trình duyệt chuỗi",
        );
        Problem::new(ProblemCode::InvalidInput).pointer("/transaction_id", why)
    })?;
    let outcome =
        chain.claim(caller.account(), tx, desk.platform.now()).await.map_err(|error| error.problem())?;
    let status = if outcome.waiting.is_empty() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(answer(&outcome, desk.platform.profile().unit)?)))
}

fn transaction(text: &str) -> Option<TxId> {
    let is_short = text.chars().count() <= TEXT_CHARS_MAX;
    is_short.then(|| TxId::in_text(text).ok()).flatten()
}

fn answer(outcome: &ClaimOutcome, unit: Unit) -> Result<ClaimAnswer, Problem> {
    let credited = &outcome.credited;
    let sum = credited.iter().try_fold(Credits::ZERO, |sum, one| sum.checked_add(one.credits));
    Ok(ClaimAnswer {
        credited: CreditsView::new(sum.map_err(|_| Problem::new(ProblemCode::Internal))?, unit),
        top_up_ids: credited.iter().filter_map(|one| one.order).map(|order| order.to_string()).collect(),
        waiting: outcome.waiting.iter().map(|claim| WaitingView::of(claim, unit)).collect(),
    })
}

impl WaitingView {
    fn of(claim: &WaitingClaim, unit: Unit) -> WaitingView {
        WaitingView {
            credits: CreditsView::new(claim.credits, unit),
            top_up_id: claim.order.to_string(),
            waiting_until: claim.until,
            message: format!(
                "The transfer waits until {}. If no other person claims it by then, it becomes your credit by itself; \
                 otherwise support decides and writes to you.",
                claim.until
            ),
        }
    }
}
