//! `/v1/drives` and `/v1/saves`: Google Drive and Dropbox linked, preferred and disconnected, and outputs saved there.

mod closed_sets;
mod views;

use axum::extract::{Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use drives::{DriveKind, DrivesError, Order, SaveId, Saving};
use edge::{Caller, JsonBody, Page, Problem, ProblemCode, ProblemResponse, Routes, Wording};
use platform::{InvalidSettings, Platform};
use primitives::RunId;
use runs::History;
use utoipa::OpenApi;
use views::{
    DisconnectedView, DrivesView, LinkView, PreferenceChange, SavePage, SaveRequest, SaveView, cookie,
};

#[derive(OpenApi)]
#[openapi(
    paths(list, prefer, link, disconnect, saves, save),
    components(schemas(
        DrivesView,
        PreferenceChange,
        LinkView,
        DisconnectedView,
        SaveRequest,
        SaveView,
        SavePage,
        edge::ProblemDocument
    ))
)]
pub struct Api;

#[derive(Clone)]
struct Desk {
    platform: Platform,
    saving: Saving,
    history: History,
}

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    let desk =
        Desk { saving: Saving::new(platform)?, history: History::new(platform)?, platform: platform.clone() };
    Routes::new()
        .route("/v1/drives", get(list).patch(prefer))
        .route("/v1/drives/{drive}", delete(disconnect))
        .route("/v1/drives/{drive}/link", post(link))
        .route("/v1/saves", get(saves).post(save))
        .finish(platform, desk)
}

/// The drives that you can link, those that you have linked, and where your outputs go.
#[utoipa::path(
    get, path = "/v1/drives", operation_id = "list_drives", tag = "drives",
    responses(
        (status = 200, description = "Your drives", body = DrivesView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn list(State(desk): State<Desk>, caller: Caller) -> Result<Json<DrivesView>, ProblemResponse> {
    Ok(Json(desk.view(&caller).await?))
}

/// Choose the drive that a save goes to unless it names another one, and whether every output goes there by itself.
#[utoipa::path(
    patch, path = "/v1/drives", operation_id = "prefer_drive", tag = "drives", request_body = PreferenceChange,
    responses(
        (status = 200, description = "Your drives afterwards", body = DrivesView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn prefer(
    State(desk): State<Desk>,
    caller: Caller,
    JsonBody(wish): JsonBody<PreferenceChange>,
) -> Result<Json<DrivesView>, ProblemResponse> {
    let preferred = desk.saving.drives().prefer(caller.account(), wish.parse()?).await;
    preferred.map_err(problem)?;
    Ok(Json(desk.view(&caller).await?))
}

/// Begin to link a drive: send the browser to the address in the answer, the drive's own page. It comes back to the site's
/// `/settings` with `?drive=…&result=…`. Call this from a page of the API's own site, with credentials included: the answer's
/// cookie binds the link to this browser. It needs a sign-in of the last ten minutes.
#[utoipa::path(
    post, path = "/v1/drives/{drive}/link", operation_id = "link_drive", tag = "drives",
    params(("drive" = closed_sets::DriveName, Path, description = "Which drive")),
    responses(
        (status = 201, description = "Where the person says yes or no", body = LinkView,
            headers(("Set-Cookie" = String, description = "binds the link to this browser"))),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn link(
    State(desk): State<Desk>,
    caller: Caller,
    Path(drive): Path<String>,
) -> Result<(StatusCode, HeaderMap, Json<LinkView>), ProblemResponse> {
    let kind = named(&drive)?;
    let begun = desk.saving.drives().begin(caller.account(), kind).await.map_err(problem)?;
    let cookie = HeaderValue::from_str(&cookie(kind, &begun, desk.platform.now()));
    let cookie = cookie.map_err(|_| Problem::new(ProblemCode::Internal))?;
    Ok((StatusCode::CREATED, HeaderMap::from_iter([(SET_COOKIE, cookie)]), Json(LinkView::of(&begun))))
}

/// Disconnect a drive: we forget our access at once, and then end it at the drive. Files that were saved there stay. It needs
/// a sign-in of the last ten minutes.
#[utoipa::path(
    delete, path = "/v1/drives/{drive}", operation_id = "disconnect_drive", tag = "drives",
    params(("drive" = closed_sets::DriveName, Path, description = "Which drive")),
    responses(
        (status = 200, description = "It is forgotten here", body = DisconnectedView),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn disconnect(
    State(desk): State<Desk>,
    caller: Caller,
    Path(drive): Path<String>,
) -> Result<Json<DisconnectedView>, ProblemResponse> {
    let kind = named(&drive)?;
    let ended = desk.saving.drives().disconnect(caller.account(), kind).await;
    Ok(Json(DisconnectedView::of(kind, ended.map_err(problem)?)))
}

/// Your saves and what has come of them, those of the newest runs first.
#[utoipa::path(
    get, path = "/v1/saves", operation_id = "list_saves", tag = "drives",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "default 20"),
           ("cursor" = Option<String>, Query, pattern = "^[0-7][0-9A-HJKMNP-TV-Z]{25}[.][0-9]{1,10}[.][a-z_]{1,20}$", description = "`next_cursor` of the page before")),
    responses(
        (status = 200, description = "A page of saves", body = SavePage),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn saves(
    State(desk): State<Desk>,
    caller: Caller,
    page: Page,
) -> Result<Json<SavePage>, ProblemResponse> {
    let before = page.cursor::<SaveId>()?;
    let page = desk.saving.saves().page(caller.account(), page.limit, before).await;
    let page = page.map_err(|error| problem(error.into()))?;
    Ok(Json(SavePage::of(page, desk.platform.now())))
}

/// Save an output of a run in a drive, or try a save that failed once more. It goes on behind the answer: look at
/// `GET /v1/runs/{id}` or here. The same output is in a drive once, however often you ask.
#[utoipa::path(
    post, path = "/v1/saves", operation_id = "save_output", tag = "drives", request_body = SaveRequest,
    responses(
        (status = 202, description = "What has come of it so far", body = SaveView),
        (status = "default", description = "Refused, failed or not yours", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("sign_in_token" = []))
)]
async fn save(
    State(desk): State<Desk>,
    caller: Caller,
    JsonBody(wish): JsonBody<SaveRequest>,
) -> Result<(StatusCode, Json<SaveView>), ProblemResponse> {
    let (run, number, drive) = wish.parse()?;
    let brought = desk.history.brought(caller.account(), run).await.map_err(|error| error.problem())?;
    let order = Order { account: caller.account(), run, tool: &brought.tool, outputs: &brought.outputs };
    let save = desk.saving.ask(order, number, drive).await.map_err(problem)?;
    let view = SaveView::of(&save, desk.platform.now());
    let saving = desk.saving.clone();
    desk.platform.spawn(async move { saving.begin(save).await });
    Ok((StatusCode::ACCEPTED, Json(view)))
}

impl Desk {
    async fn view(&self, caller: &Caller) -> Result<DrivesView, Problem> {
        let drives = self.saving.drives();
        let (links, preference) = drives.list(caller.account()).await.map_err(problem)?;
        Ok(DrivesView::of(drives.offered(), &links, preference))
    }
}

fn problem(error: DrivesError) -> Problem {
    error.problem()
}

/// An address that names no drive leads nowhere.
fn named(text: &str) -> Result<DriveKind, Problem> {
    text.parse().map_err(|_| ProblemCode::NotFound.into())
}

impl SaveRequest {
    fn parse(self) -> Result<(RunId, usize, Option<DriveKind>), Problem> {
        let drive = self.drive.as_deref().map(str::parse::<DriveKind>).transpose();
        let mut problem = Problem::new(ProblemCode::InvalidInput);
        if drive.is_err() {
            problem = problem.pointer("/drive", no_such_drive());
        }
        let run = self.run_id.parse::<RunId>();
        if run.is_err() {
            problem =
                problem.pointer("/run_id", Wording::new("is the id of a run", "là mã của một lần chạy"));
        }
        match (run, drive) {
            (Ok(run), Ok(drive)) => Ok((run, usize::from(self.output), drive)),
            _ => Err(problem),
        }
    }
}

fn no_such_drive() -> Wording {
    let names: Vec<&str> = DriveKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let names = names.join(", ");
    Wording::new(format!("is one of {names}"), format!("là một trong: {names}"))
}
