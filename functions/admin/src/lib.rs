//! `/v1/admin/payments`: payments that no rule could match, and credit to be taken back. For administrators only
//! (`ADMIN_USER_IDS`); whatever changes something needs a fresh sign-in and leaves an audit row.

mod closed_sets;
mod views;

use axum::extract::{Extension, Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use edge::{Caller, JsonBody, Page, Problem, ProblemCode, ProblemResponse, Routes};
use payments::{Assignment, FactKey, Payments, PaymentsError, Reinstatement, Reversal, TopUpError};
use platform::{InvalidSettings, Platform, with_causes};
use primitives::{Amounts, Currency, Language, Timestamp};
use rates::{Quote, Rates};
use utoipa::OpenApi;
use views::{
    AssignRequest, DismissRequest, EntryView, InboxPaymentView, PaymentListView, ReinstateRequest,
    ReverseRequest, invalid,
};

#[derive(OpenApi)]
#[openapi(
    paths(list, show, assign, dismiss, reverse, reinstate),
    components(schemas(
        PaymentListView,
        InboxPaymentView,
        AssignRequest,
        DismissRequest,
        ReverseRequest,
        ReinstateRequest,
        EntryView,
        edge::ProblemDocument
    ))
)]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    payments: Payments,
    rates: Rates,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk =
        Desk { platform: platform.clone(), payments: Payments::new(platform)?, rates: Rates::new(platform)? };
    Routes::new()
        .route("/v1/admin/payments", get(list))
        .route("/v1/admin/payments/{id}", get(show))
        .route("/v1/admin/payments/{id}/assign", post(assign))
        .route("/v1/admin/payments/{id}/dismiss", post(dismiss))
        .route("/v1/admin/payments/{id}/reverse", post(reverse))
        .route("/v1/admin/payments/{id}/reinstate", post(reinstate))
        .finish(platform, desk)
}

/// Payments that wait for a decision, oldest first.
#[utoipa::path(
    get, path = "/v1/admin/payments", operation_id = "list_waiting_payments", tag = "admin",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "default 20"),
           ("cursor" = Option<String>, Query, pattern = "^(sepay_card|viet_qr|tron_usdt)[.][A-Za-z0-9_-]{1,128}[.][A-Za-z0-9_-]{1,40}$", description = "`next_cursor` of the page before")),
    responses(
        (status = 200, description = "A page of payments", body = PaymentListView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn list(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    page: Page,
) -> Result<Json<PaymentListView>, ProblemResponse> {
    let after = page.cursor::<FactKey>()?;
    let page = desk.payments.waiting(page.limit, after.as_ref()).await.map_err(|error| error.problem())?;
    Ok(Json(PaymentListView::of(&page, desk.amounts(language))))
}

/// One payment with its raw deliveries, reversals and audit rows. Looking is noted in the log.
#[utoipa::path(
    get, path = "/v1/admin/payments/{id}", operation_id = "show_payment", tag = "admin",
    params(("id" = String, Path, example = "viet_qr.92704.0")),
    responses(
        (status = 200, description = "The payment", body = InboxPaymentView),
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
) -> Result<Json<InboxPaymentView>, ProblemResponse> {
    let key = fact_key(&id)?;
    tracing::info!(payment = %key, administrator = %caller.user(), "an administrator looked at a payment");
    Ok(Json(desk.payment(&key, language).await?))
}

/// Give a payment to a person: credit, link and audit row in one step. The same assignment again changes nothing.
#[utoipa::path(
    post, path = "/v1/admin/payments/{id}/assign", operation_id = "assign_payment", tag = "admin",
    params(("id" = String, Path)), request_body = AssignRequest,
    responses(
        (status = 200, description = "The payment afterwards", body = InboxPaymentView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn assign(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(wish): JsonBody<AssignRequest>,
) -> Result<Json<InboxPaymentView>, ProblemResponse> {
    let (who, key, now) = (caller.user(), fact_key(&id)?, desk.platform.now());
    let (account, order, credits, note) = wish.parse(desk.platform.profile().unit)?;
    let rate = desk.todays_rate(now).await;
    let wish = Assignment {
        account,
        order,
        credits,
        rate,
        who: who.to_string(),
        what: "assigned",
        note,
        seen: None,
    };
    desk.payments.assign(&key, &wish, now).await.map_err(|error| match error {
        PaymentsError::NoAccount => {
            invalid("/account_id", "there is no such account", "không có tài khoản này")
        }
        PaymentsError::TopUp(TopUpError::NoTopUp) => {
            invalid("/top_up_id", "the account has no such top-up", "tài khoản không có lần nạp tiền này")
        }
        error => error.problem(),
    })?;
    Ok(Json(desk.payment(&key, language).await?))
}

/// Say that a payment is not a top-up. It can still be assigned later.
#[utoipa::path(
    post, path = "/v1/admin/payments/{id}/dismiss", operation_id = "dismiss_payment", tag = "admin",
    params(("id" = String, Path)), request_body = DismissRequest,
    responses(
        (status = 200, description = "The payment afterwards", body = InboxPaymentView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn dismiss(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(wish): JsonBody<DismissRequest>,
) -> Result<Json<InboxPaymentView>, ProblemResponse> {
    let (who, key, now) = (caller.user(), fact_key(&id)?, desk.platform.now());
    let note = wish.parse()?;
    let dismissed = desk.payments.dismiss(&key, who.as_str(), &note, now).await;
    dismissed.map_err(|error| error.problem())?;
    Ok(Json(desk.payment(&key, language).await?))
}

/// Take credit back because the money was taken back: what is unspent of the credit, and the rest as debt. Once per case.
#[utoipa::path(
    post, path = "/v1/admin/payments/{id}/reverse", operation_id = "reverse_payment", tag = "admin",
    params(("id" = String, Path)), request_body = ReverseRequest,
    responses(
        (status = 200, description = "The ledger entry it led to", body = EntryView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn reverse(
    State(desk): State<Desk>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(wish): JsonBody<ReverseRequest>,
) -> Result<Json<EntryView>, ProblemResponse> {
    let (who, key, now) = (caller.user(), fact_key(&id)?, desk.platform.now());
    let (cause, case, credits, note) = wish.parse(desk.platform.profile().unit)?;
    let wish = Reversal { cause, case, credits, who: who.to_string(), note };
    let entry_id = desk.payments.reverse(&key, &wish, now).await.map_err(|error| error.problem())?;
    Ok(Json(EntryView { entry_id }))
}

/// Give back exactly what one reversal took, because the dispute was won. Once per reversal.
#[utoipa::path(
    post, path = "/v1/admin/payments/{id}/reinstate", operation_id = "reinstate_payment", tag = "admin",
    params(("id" = String, Path)), request_body = ReinstateRequest,
    responses(
        (status = 200, description = "The ledger entry it led to", body = EntryView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn reinstate(
    State(desk): State<Desk>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBody(wish): JsonBody<ReinstateRequest>,
) -> Result<Json<EntryView>, ProblemResponse> {
    let (who, key, now) = (caller.user(), fact_key(&id)?, desk.platform.now());
    let (reversal, note) = wish.parse()?;
    let wish = Reinstatement { reversal, who: who.to_string(), note };
    let entry_id = desk.payments.reinstate(&key, &wish, now).await.map_err(|error| error.problem())?;
    Ok(Json(EntryView { entry_id }))
}

impl Desk {
    fn amounts(&self, language: Language) -> Amounts {
        Amounts { unit: self.platform.profile().unit, language }
    }

    async fn payment(&self, key: &FactKey, language: Language) -> Result<InboxPaymentView, Problem> {
        let dossier = self.payments.dossier(key).await.map_err(|error| error.problem())?;
        Ok(InboxPaymentView::of_dossier(&dossier, self.amounts(language)))
    }

    /// Without a rate an administrator names the credit.
    async fn todays_rate(&self, now: Timestamp) -> Option<Quote> {
        match self.rates.for_orders(Currency::VND, now).await {
            Ok(quote) => Some(quote),
            Err(error) => {
                tracing::warn!(error = %with_causes(&error), "a payment is assigned without today's rate");
                None
            }
        }
    }
}

fn fact_key(id: &str) -> Result<FactKey, Problem> {
    id.parse().map_err(|_| ProblemCode::NotFound.into())
}
