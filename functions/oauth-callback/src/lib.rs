//! `GET /v1/oauth/{drive}/callback`: a browser comes back from a drive's page, where a person said yes or no. Nothing of the
//! request is believed but what the state and the cookie prove; wherever it ends, the browser goes to our own page.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::routing::get;
use drives::{BrowserKey, Callback, DriveKind, Drives, DrivesError, Returned, StateToken};
use edge::{Problem, ProblemCode, ProblemResponse, Routes};
use platform::{InvalidSettings, Platform};
use primitives::Secret;
use serde::Deserialize;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(paths(returned), components(schemas(edge::ProblemDocument)))]
pub struct Api;

pub fn router(platform: &Platform) -> Result<Router, InvalidSettings> {
    Routes::new().route("/v1/oauth/{drive}/callback", get(returned)).finish(platform, Drives::new(platform)?)
}

/// What a drive adds to our address. Texts of the drive's own are not read.
#[derive(Deserialize, Default)]
struct Query {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    code: Option<Secret>,
    #[serde(default)]
    error: Option<String>,
}

/// For browsers that a drive sends back. They go on to the site's `/settings?drive=…&result=…`, where `result` is `linked`,
/// `declined`, `expired` (begin again), `other_browser`, `already_linked`, `grant_too_small` or `failed`.
#[utoipa::path(
    get, path = "/v1/oauth/{drive}/callback", operation_id = "return_from_drive", tag = "drives",
    params(("drive" = String, Path, description = "Which drive"),
           ("state" = Option<String>, Query, description = "as we sent it"),
           ("code" = Option<String>, Query, description = "the person said yes"),
           ("error" = Option<String>, Query, description = "the person said no, or it failed")),
    responses(
        (status = 303, description = "Back to the site's settings",
            headers(("Location" = String, description = "always our own page"))),
        (status = "default", description = "Refused or failed", body = edge::ProblemDocument,
            content_type = "application/problem+json"),
    ),
    security(("link_cookie" = []))
)]
async fn returned(
    State(drives): State<Drives>,
    Path(drive): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 3]), ProblemResponse> {
    let kind: DriveKind = drive.parse().map_err(|_| Problem::new(ProblemCode::NotFound))?;
    let page = drives.settings_page().ok_or(Problem::new(ProblemCode::NotFound))?.to_owned();
    let result = result_of(drives.finish(callback(kind, query.as_deref(), &headers)).await, kind);
    let address = format!("{page}/settings?drive={kind}&result={result}");
    let forget =
        format!("{}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax", BrowserKey::cookie_name(kind));
    let value = |text: String| HeaderValue::from_str(&text).map_err(|_| Problem::new(ProblemCode::Internal));
    Ok((
        StatusCode::SEE_OTHER,
        [
            (LOCATION, value(address)?),
            (SET_COOKIE, value(forget)?),
            // The page must not learn the code from where it was called.
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ],
    ))
}

fn callback(kind: DriveKind, query: Option<&str>, headers: &HeaderMap) -> Callback {
    let uri = format!("/?{}", query.unwrap_or_default()).parse();
    let query = uri.ok().and_then(|uri| axum::extract::Query::<Query>::try_from_uri(&uri).ok());
    let Query { state, code, error } = query.map(|query| query.0).unwrap_or_default();
    let returned = match (code, error.as_deref()) {
        (Some(code), None) => Returned::Code(code),
        (None, Some("access_denied")) => Returned::Declined,
        _ => Returned::Failed,
    };
    let state = state.as_deref().and_then(StateToken::parse);
    Callback { kind, state, browser: browser_key(kind, headers), returned }
}

/// From the one cookie of that name. Two of them could be an attacker's and the browser's own.
fn browser_key(kind: DriveKind, headers: &HeaderMap) -> Option<BrowserKey> {
    let name = BrowserKey::cookie_name(kind);
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(known, _)| *known == name).map(|(_, value)| value);
    match (ours.next(), ours.next()) {
        (Some(value), None) => BrowserKey::parse(value),
        _ => None,
    }
}

/// One word for our page. What is ours to mend goes to the log.
fn result_of(finished: Result<(), DrivesError>, kind: DriveKind) -> &'static str {
    let Err(error) = finished else { return "linked" };
    match error {
        DrivesError::Declined => "declined",
        DrivesError::StateUnknown => "expired",
        DrivesError::OtherBrowser => {
            tracing::warn!(drive = %kind, "a return from a drive came to another browser than the one that was sent there");
            "other_browser"
        }
        DrivesError::AlreadyLinked => "already_linked",
        DrivesError::GrantTooSmall => "grant_too_small",
        error => {
            let code = error.problem().code();
            tracing::warn!(drive = %kind, code = code.as_str(), "a drive could not be linked");
            "failed"
        }
    }
}
