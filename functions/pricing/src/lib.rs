//! `GET /v1/pricing`, `POST /v1/quotes` and `GET /v1/openapi.json`: what can be bought, for how much, and how.

mod display;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use display::DisplayCurrency;
use edge::{Caller, JsonBody, ProblemResponse, Routes};
use platform::{InvalidSettings, Platform};
use primitives::{Language, Private};
use rates::{Rates, Reference};
use runs::{OrderError, PriceView, QuoteView, Shop, ToolForm, ToolInput, ToolRequests};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{OpenApi, PartialSchema, ToSchema};

#[derive(OpenApi)]
#[openapi(
    paths(pricing, quote, openapi),
    components(schemas(
        Pricing,
        PricedTool,
        PriceView,
        Reference,
        QuoteRequestSchema,
        QuoteView,
        edge::ProblemDocument
    ))
)]
pub struct Api;

#[derive(Clone)]
struct Desk {
    shop: Shop,
    rates: Rates,
    platform: Platform,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk = Desk { shop: Shop::new(platform)?, rates: Rates::new(platform)?, platform: platform.clone() };
    Routes::new()
        .route("/v1/pricing", get(pricing))
        .route("/v1/quotes", post(quote))
        .route("/v1/openapi.json", get(openapi))
        .finish(platform, desk)
}

/// The price list.
#[derive(Serialize, ToSchema)]
struct Pricing {
    tools: Vec<PricedTool>,
    /// What to ask a person for each tool that is sold.
    forms: Vec<ToolForm>,
}

/// One thing that can be bought.
#[derive(Serialize, ToSchema)]
struct PricedTool {
    #[serde(flatten)]
    price: PriceView,
    /// The price in the currency that was asked for, for reference only; absent without a rate for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuoteRequest {
    tool: String,
    input: Private<Value>,
}

/// `QuoteRequest` as OpenAPI describes it.
struct QuoteRequestSchema;

impl PartialSchema for QuoteRequestSchema {
    fn schema() -> RefOr<Schema> {
        ToolRequests::of("Quote", &Map::new()).any
    }
}

impl ToSchema for QuoteRequestSchema {
    fn name() -> Cow<'static, str> {
        "QuoteRequest".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend(ToolRequests::of("Quote", &Map::new()).components);
    }
}

/// Every tool with its parameters and its exact price, and a form for each. Needs no sign-in.
///
/// With `currency`, each price also stands in that currency, for reference only: what is charged is `price`.
#[utoipa::path(
    get, path = "/v1/pricing", operation_id = "list_prices", tag = "pricing",
    params(("currency" = Option<String>, Query, pattern = "^[A-Z]{3}$", description = "ISO 4217, such as VND; for reference only")),
    responses(
        (status = 200, description = "The price list", body = Pricing),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(())
)]
async fn pricing(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    DisplayCurrency(currency): DisplayCurrency,
) -> Result<Json<Pricing>, ProblemResponse> {
    let now = desk.platform.now();
    let forms = desk.shop.forms(language, now).await.map_err(|error| error.problem())?;
    let prices = desk.shop.prices(now).await.map_err(|error| error.problem())?;
    let rate = match currency {
        Some(currency) => desk.rates.reference(currency, now).await,
        None => None,
    };
    let priced = |price: PriceView| {
        let reference = rate.and_then(|rate| rate.reference(price.price.unit, price.price.amount, language));
        PricedTool { price, reference }
    };
    let tools = prices.into_iter().map(priced).collect();
    Ok(Json(Pricing { tools, forms }))
}

/// Bind the price to an input.
///
/// The quote holds for exactly this input and account until `expires_at`, whatever happens to the price list.
#[utoipa::path(
    post, path = "/v1/quotes", operation_id = "make_quote", tag = "pricing", request_body = QuoteRequestSchema,
    responses(
        (status = 200, description = "The bound price", body = QuoteView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn quote(
    State(desk): State<Desk>,
    caller: Caller,
    JsonBody(wish): JsonBody<QuoteRequest>,
) -> Result<Json<QuoteView>, ProblemResponse> {
    let input = ToolInput::parse(&wish.tool, wish.input.expose());
    let input = input.map_err(|fields| OrderError::InvalidInput(fields).problem())?;
    let input = input.ok_or_else(|| OrderError::UnknownTool.problem())?;
    let quote = desk.shop.quote(caller.account(), &input, desk.platform.now()).await;
    Ok(Json(quote.map_err(|error| error.problem())?))
}

/// This document. Written by `cargo run -p citipen -- openapi` from the code of all functions.
#[utoipa::path(
    get, path = "/v1/openapi.json", operation_id = "show_openapi", tag = "pricing",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json")),
    security(())
)]
async fn openapi() -> Response {
    let document = include_str!("../openapi.json");
    ([(axum::http::header::CONTENT_TYPE, "application/json")], document).into_response()
}
