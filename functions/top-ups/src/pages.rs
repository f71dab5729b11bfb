//! What a link in an order opens: the QR as a picture, and the page that takes the browser to SePay. The link's key
//! stands in for a sign-in, because pictures and page loads carry no token.

use crate::{Desk, top_up_id};
use axum::extract::{Path, Query, State};
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use credits::{Block, Freshness};
use edge::{Problem, ProblemCode, ProblemResponse};
use payments::{PayBy, TopUp};
use platform::with_causes;
use primitives::AccountId;
use rails::sepay_card::{PageLanguage, checkout_page, page_style_source};
use rails::viet_qr::{self, Undrawable};
use serde::Deserialize;
use subtle::ConstantTimeEq;

#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    key: String,
    /// `vi` or `en`
    #[serde(default)]
    lang: String,
}

/// The order's VietQR, as a vector picture. The address is in the order (`pay.qr_svg_url`).
#[utoipa::path(
    get, path = "/v1/top-ups/{id}/qr.svg", operation_id = "show_top_up_qr_svg", tag = "top-ups",
    params(("id" = String, Path), ("key" = String, Query)),
    responses(
        (status = 200, description = "The picture", content_type = "image/svg+xml"),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("order_key" = []))
)]
pub(crate) async fn qr_svg(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    Query(link): Query<Link>,
) -> Result<Response, ProblemResponse> {
    let payload = desk.payload(&id, &link).await?;
    Ok(picture("image/svg+xml", viet_qr::svg(&payload))?)
}

/// The order's VietQR, as a bitmap. The address is in the order (`pay.qr_png_url`).
#[utoipa::path(
    get, path = "/v1/top-ups/{id}/qr.png", operation_id = "show_top_up_qr_png", tag = "top-ups",
    params(("id" = String, Path), ("key" = String, Query)),
    responses(
        (status = 200, description = "The picture", content_type = "image/png"),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("order_key" = []))
)]
pub(crate) async fn qr_png(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    Query(link): Query<Link>,
) -> Result<Response, ProblemResponse> {
    let payload = desk.payload(&id, &link).await?;
    Ok(picture("image/png", viet_qr::png(&payload))?)
}

/// The page whose button posts the signed form to SePay. The address is in the order (`pay.page_url`).
#[utoipa::path(
    get, path = "/v1/top-ups/{id}/checkout", operation_id = "show_top_up_checkout", tag = "top-ups",
    params(("id" = String, Path), ("key" = String, Query), ("lang" = Option<String>, Query)),
    responses(
        (status = 200, description = "The page", content_type = "text/html"),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("order_key" = []))
)]
pub(crate) async fn checkout(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    Query(link): Query<Link>,
) -> Result<Response, ProblemResponse> {
    let order = desk.linked_order(&id, &link).await?;
    let Some(PayBy::Card(form)) = desk.top_ups.methods().pay_by(&order) else {
        return Err(ProblemCode::NotFound.into());
    };
    let language = if link.lang == "vi" { PageLanguage::Vietnamese } else { PageLanguage::English };
    if !order.is_open(desk.platform.now()) {
        return Ok(nothing_to_pay(language, &desk.platform.profile().brand));
    }
    let page = checkout_page(&form, &desk.platform.profile().brand, language);
    let policy = format!(
        "default-src 'none'; style-src {}; form-action {}; base-uri 'none'; frame-ancestors 'none'",
        page_style_source(),
        form.targets(),
    );
    const HTML: &str = "text/html; charset=utf-8";
    let headers: [(HeaderName, String); 2] =
        [(CONTENT_TYPE, HTML.to_owned()), (CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, page).into_response())
}

fn picture<T: IntoResponse>(kind: &'static str, drawn: Result<T, Undrawable>) -> Result<Response, Problem> {
    let picture = drawn.map_err(|error| {
        tracing::error!(error = %with_causes(&error), "a VietQR can't be drawn");
        ProblemCode::Internal
    })?;
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=3600")], picture).into_response())
}

/// For whoever presses Back after paying, or opens the link too late.
fn nothing_to_pay(language: PageLanguage, brand: &str) -> Response {
    let (tag, text) = match language {
        PageLanguage::English => {
            ("en", "There is nothing to pay here any more: it was paid, cancelled, or has expired.")
        }
        PageLanguage::Vietnamese => {
            ("vi", "Không còn gì để thanh toán: đơn đã được trả, bị hủy hoặc hết hạn.")
        }
    };
    let brand = brand.replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><html lang=\"{tag}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{brand}</title></head>\
         <body><main><h1>{brand}</h1><p>{text}</p></main></body></html>\n"
    );
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

impl Desk {
    async fn payload(&self, id: &str, link: &Link) -> Result<String, Problem> {
        let order = self.open_order(id, link).await?;
        match self.top_ups.methods().pay_by(&order) {
            Some(PayBy::Transfer { payload, .. }) => Ok(payload.as_str().to_owned()),
            _ => Err(ProblemCode::NotFound.into()),
        }
    }

    /// Whoever has the link may see how to pay, as long as there is something to pay.
    async fn open_order(&self, id: &str, link: &Link) -> Result<TopUp, Problem> {
        let order = self.linked_order(id, link).await?;
        let (now, rules, unit) = (self.platform.now(), self.top_ups.rules(), self.top_ups.unit());
        order.to_pay(now, rules, unit).ok_or_else(|| ProblemCode::NotFound.into())
    }

    async fn linked_order(&self, id: &str, link: &Link) -> Result<TopUp, Problem> {
        let nothing = || Problem::new(ProblemCode::NotFound);
        let (account, key) = link.key.split_once('.').ok_or_else(nothing)?;
        let account: AccountId = account.parse().map_err(|_| nothing())?;
        let order = self.top_ups.show(&account, top_up_id(id)?).await.map_err(|error| error.problem())?;
        let is_right = bool::from(order.page_key.expose().as_bytes().ct_eq(key.as_bytes()));
        if !is_right {
            return Err(nothing());
        }
        // Nobody is asked to pay into a deleted person's account. Who is suspended may pay what they ordered before.
        let block = self.standings.block(&account, Freshness::Eventual).await.map_err(|error| {
            tracing::error!(
                error = %with_causes(&error),
                "it could not be looked up whether an order's person is still there"
            );
            Problem::new(ProblemCode::StoreUnavailable)
        })?;
        if block == Some(Block::Closed) {
            return Err(nothing());
        }
        Ok(order)
    }
}
