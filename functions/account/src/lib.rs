//! `GET` and `PATCH /v1/account`, `GET /v1/account/transactions`: who you are here, what you have, what moved.

mod cursor;
mod views;

use axum::extract::{Extension, State};
use axum::routing::get;
use axum::{Json, Router};
use credits::{Account, CreditsError, Entry, Ledger, PostingError};
use cursor::Cursor;
use edge::{Caller, JsonBody, Page, Problem, ProblemCode, ProblemResponse, Routes};
use identity::{IdentityError, User};
use platform::{InvalidSettings, Platform, StoreError, with_causes};
use primitives::{AccountId, CreditsDelta, Language, Unit};
use rates::{Rates, Reference};
use signup::{Signup, SignupError};
use utoipa::OpenApi;
use views::{AccountChange, AccountView, Transaction, TransactionPage};

#[derive(OpenApi)]
#[openapi(
    paths(show, change, transactions),
    components(schemas(
        AccountView,
        Reference,
        AccountChange,
        Transaction,
        TransactionPage,
        edge::ProblemDocument
    ))
)]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    signup: Signup,
    rates: Rates,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk =
        Desk { platform: platform.clone(), signup: Signup::new(platform)?, rates: Rates::new(platform)? };
    Routes::new()
        .route("/v1/account", get(show).patch(change))
        .route("/v1/account/transactions", get(transactions))
        .finish(platform, desk)
}

/// Your account: available, reserved, debt, and what we keep about you. The first call opens it.
#[utoipa::path(
    get, path = "/v1/account", operation_id = "show_account", tag = "account",
    responses(
        (status = 200, description = "The account", body = AccountView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn show(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    caller: Caller,
) -> Result<Json<AccountView>, ProblemResponse> {
    let (user, account) =
        desk.signup.find(caller.account(), caller.sight(), desk.platform.now()).await.map_err(problem)?;
    Ok(view(&desk, &user, &account, language).await?)
}

/// Correct your name or preferences. What you leave out stays.
#[utoipa::path(
    patch, path = "/v1/account", operation_id = "change_account", tag = "account", request_body = AccountChange,
    responses(
        (status = 200, description = "The account afterwards", body = AccountView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn change(
    State(desk): State<Desk>,
    Extension(language): Extension<Language>,
    caller: Caller,
    JsonBody(wish): JsonBody<AccountChange>,
) -> Result<Json<AccountView>, ProblemResponse> {
    let (profile, preferences) = wish.parse()?;
    let (_, account) =
        desk.signup.find(caller.account(), caller.sight(), desk.platform.now()).await.map_err(problem)?;
    let users = desk.signup.users();
    users.update_profile(caller.user(), &profile).await.map_err(|error| problem(error.into()))?;
    let user = users.update_preferences(caller.user(), &preferences).await;
    let user = user.map_err(|error| problem(error.into()))?;
    Ok(view(&desk, &user, &account, language).await?)
}

/// The account, with what is available in the owner's display currency beside it.
async fn view(
    desk: &Desk,
    user: &User,
    account: &Account,
    language: Language,
) -> Result<Json<AccountView>, Problem> {
    let rate = desk.rates.reference(user.preferences.display_currency, desk.platform.now()).await;
    AccountView::of(user, account, desk.platform.profile(), rate, language).map(Json)
}

/// Every movement of your credit, newest first. The sum of all movements is your balance.
#[utoipa::path(
    get, path = "/v1/account/transactions", operation_id = "list_transactions", tag = "account",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "default 20"),
           ("cursor" = Option<String>, Query, pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}([.]-?[0-9]{1,16})?$", description = "`next_cursor` of the page before")),
    responses(
        (status = 200, description = "A page of entries", body = TransactionPage),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn transactions(
    State(desk): State<Desk>,
    caller: Caller,
    page: Page,
) -> Result<Json<TransactionPage>, ProblemResponse> {
    let cursor = page.cursor::<Cursor>()?;
    let (ledger, unit) = (desk.signup.ledger(), desk.platform.profile().unit);
    let page = movements(ledger, caller.account(), page.limit, cursor, unit).await;
    Ok(Json(page.map_err(|error| problem(error.into()))?))
}

/// Entries read at once, and queries made for one page at most.
const READ_AT_ONCE: u32 = 200;
const QUERIES_MAX: usize = 10;

/// Leaves out runs that were not charged, and reads on until the page is full or the ledger ends. After thousands of such
/// runs in a row the page is shorter than `limit`, and its cursor leads to the rest.
async fn movements(
    ledger: &Ledger,
    account: &AccountId,
    limit: u32,
    cursor: Option<Cursor>,
    unit: Unit,
) -> Result<TransactionPage, CreditsError> {
    let at_once = READ_AT_ONCE.max(limit);
    let (mut page, mut balance) = match cursor {
        None => ledger.newest_entries(account, at_once).await?,
        Some(cursor) => (ledger.entries(account, at_once, Some(cursor.before)).await?, cursor.balance),
    };
    let mut transactions = Vec::new();
    for query in 1..=QUERIES_MAX {
        let last = page.items.last().map(|entry| entry.id);
        for entry in &page.items {
            let after = balance;
            balance = after.and_then(|after| before(after, entry));
            if entry.amount.get() == 0 {
                continue;
            }
            transactions.push(Transaction::of(entry, after, unit));
            if transactions.len() == limit as usize {
                let is_last = page.next.is_none() && last == Some(entry.id);
                let next = (!is_last).then_some(Cursor { before: entry.id, balance });
                return Ok(TransactionPage { transactions, next_cursor: next.map(|next| next.to_string()) });
            }
        }
        let Some(next) = page.next else { break };
        if query == QUERIES_MAX {
            let next = Cursor { before: next, balance };
            return Ok(TransactionPage { transactions, next_cursor: Some(next.to_string()) });
        }
        page = ledger.entries(account, at_once, Some(next)).await?;
    }
    Ok(TransactionPage { transactions, next_cursor: None })
}

/// The balance before an entry, from the balance after it. `None` when it would lie outside the ledger's range: the caller
/// sent a cursor that is not ours.
fn before(after: CreditsDelta, entry: &Entry) -> Option<CreditsDelta> {
    let taken_back = CreditsDelta::new(-entry.amount.get()).ok()?;
    after.checked_add(taken_back).ok()
}

fn problem(error: SignupError) -> Problem {
    if matches!(error, SignupError::Identity(IdentityError::Deleted)) {
        return Problem::deleted_person();
    }
    let is_ours = matches!(
        error,
        SignupError::Identity(IdentityError::Store(StoreError::Corrupt { .. }))
            | SignupError::Credits(CreditsError::Overflow(_))
            | SignupError::Welcome(PostingError::Overflow(_))
    );
    tracing::error!(error = %with_causes(&error), "an account could not be shown or changed");
    Problem::new(if is_ours { ProblemCode::Internal } else { ProblemCode::StoreUnavailable })
}
