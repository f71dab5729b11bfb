use crate::stores::LifecycleRule;
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use edge::SourceIp;
use platform::{InvalidSettings, Platform, Profile, Settings, TableSpec};
use std::net::SocketAddr;

/// Every table of the product, as their owners declare them.
pub fn tables() -> Vec<TableSpec> {
    let owned = [
        credits::TABLES,
        identity::TABLES,
        runs::TABLES,
        edge::TABLES,
        providers::TABLES,
        payments::TABLES,
        rates::TABLES,
        media::TABLES,
        drives::TABLES,
    ];
    owned.concat()
}

/// When the objects of each class end in the embedded bucket, as in every profile's days and in `template.yaml`.
pub fn media_rules() -> [LifecycleRule; 2] {
    ["tmp30/", "up30/"].map(|prefix| LifecycleRule { prefix: prefix.to_owned(), days: 30 })
}

/// Every section of a profile, as their owners declare them.
pub fn sections() -> Vec<&'static str> {
    let owned = [
        platform::SECTIONS,
        credits::SECTIONS,
        identity::SECTIONS,
        edge::SECTIONS,
        media::SECTIONS,
        drives::SECTIONS,
        runs::SECTIONS,
        payments::SECTIONS,
    ];
    owned.concat()
}

/// All functions on one router, as one API Gateway offers them.
pub fn functions(platform: &Platform) -> Result<Router, InvalidSettings> {
    functions_in_roles(platform, |_| Ok(platform.clone()))
}

/// As [`functions`], each built from a platform of its own. `role` is asked with the name of a function's folder.
pub fn functions_in_roles(
    gateway: &Platform,
    role: impl Fn(&str) -> Result<Platform, InvalidSettings>,
) -> Result<Router, InvalidSettings> {
    gateway.env().section(|settings| refuse_unowned(gateway.profile(), settings))?;
    let of_pages = Router::new()
        .merge(function_account::router(&role("account")?)?)
        .merge(function_admin::router(&role("admin")?)?)
        .merge(function_claim_transfer::router(&role("claim-transfer")?)?)
        .merge(function_drives::router(&role("drives")?)?)
        .merge(function_oauth_callback::router(&role("oauth-callback")?)?)
        .merge(function_pricing::router(&role("pricing")?)?)
        .merge(function_run_tool::router(&role("run-tool")?)?)
        .merge(function_runs::router(&role("runs")?)?)
        .merge(function_top_ups::router(&role("top-ups")?)?)
        .merge(function_uploads::router(&role("uploads")?)?);
    let of_services = Router::new()
        .merge(function_identity_webhook::router(&role("identity-webhook")?)?)
        .merge(function_provider_webhook::router(&role("provider-webhook")?)?)
        .merge(function_sepay_webhook::router(&role("sepay-webhook")?)?);
    // The gateway's part: it answers what browsers ask before they call, and what leads nowhere.
    let merged = edge::preflights(of_pages, gateway)?.merge(of_services);
    edge::fallback(merged, gateway)
}

/// A function knows only the sections of the crates it is built of; here all are known.
fn refuse_unowned(profile: &Profile, settings: &mut Settings<'_>) {
    let owned = sections();
    for section in profile.sections().filter(|section| !owned.contains(section)) {
        profile.complain(settings, &format!("has a section [{section}] that belongs to no crate"));
    }
}

/// Tells the edge where a connection came from, as API Gateway does in its event.
pub fn with_source_ip(router: Router) -> Router {
    router.layer(from_fn(async |mut request: Request, next: Next| -> Response {
        if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
            request.extensions_mut().insert(SourceIp(address.ip()));
        }
        next.run(request).await
    }))
}
