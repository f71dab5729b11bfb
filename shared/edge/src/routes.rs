//! Every route of the product with what it needs of its caller, and how a function's routes are served by it.

use crate::caller::admit;
use crate::finish::surrounded;
use crate::{Edge, Permission};
use Permission::{Administer, AskPrice, Change, Inspect, Link, Look, Public, Run, Signed, Spend, Unlink};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;
use http::Method;
use platform::{InvalidSettings, Platform};

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Route {
    pub method: Method,
    pub path: &'static str,
    pub permission: Permission,
}

/// Who may call what. A route that has no row here is served to nobody.
pub const ROUTES: &[Route] = &[
    get("/v1/account", Look),
    patch("/v1/account", Change),
    get("/v1/account/transactions", Look),
    get("/v1/admin/payments", Inspect),
    get("/v1/admin/payments/{id}", Inspect),
    post("/v1/admin/payments/{id}/assign", Administer),
    post("/v1/admin/payments/{id}/dismiss", Administer),
    post("/v1/admin/payments/{id}/reinstate", Administer),
    post("/v1/admin/payments/{id}/reverse", Administer),
    get("/v1/drives", Look),
    patch("/v1/drives", Change),
    delete("/v1/drives/{drive}", Unlink),
    post("/v1/drives/{drive}/link", Link),
    // A browser comes back from a drive's page: no token, but a state that stands for the person, and a cookie.
    get("/v1/oauth/{drive}/callback", Public),
    // Tells how to call everything else.
    get("/v1/openapi.json", Public),
    // Prices, and the ways to pay, are shown before anybody signs in.
    get("/v1/pricing", Public),
    post("/v1/quotes", AskPrice),
    get("/v1/runs", Look),
    post("/v1/runs", Run),
    get("/v1/runs/{id}", Look),
    post("/v1/runs/{id}/cancel", Change),
    get("/v1/runs/{id}/events", Look),
    get("/v1/saves", Look),
    post("/v1/saves", Change),
    get("/v1/top-ups", Look),
    post("/v1/top-ups", Spend),
    post("/v1/top-ups/claims", Spend),
    get("/v1/top-ups/methods", Public),
    get("/v1/top-ups/{id}", Look),
    post("/v1/top-ups/{id}/cancel", Change),
    // Opened by a link of the order that holds the order's own key: pictures and page loads carry no token.
    get("/v1/top-ups/{id}/checkout", Public),
    get("/v1/top-ups/{id}/qr.png", Public),
    get("/v1/top-ups/{id}/qr.svg", Public),
    post("/v1/uploads", Spend),
    delete("/v1/uploads/{id}", Change),
    get("/v1/uploads/{id}", Look),
    post("/v1/webhooks/clerk", Signed),
    post("/v1/webhooks/providers/apify/{id}", Signed),
    post("/v1/webhooks/providers/fal/{id}", Signed),
    post("/v1/webhooks/providers/replicate/{id}", Signed),
    post("/v1/webhooks/sepay/bank", Signed),
    post("/v1/webhooks/sepay/ipn", Signed),
];

pub(crate) const fn get(path: &'static str, permission: Permission) -> Route {
    Route { method: Method::GET, path, permission }
}

pub(crate) const fn post(path: &'static str, permission: Permission) -> Route {
    Route { method: Method::POST, path, permission }
}

pub(crate) const fn patch(path: &'static str, permission: Permission) -> Route {
    Route { method: Method::PATCH, path, permission }
}

pub(crate) const fn delete(path: &'static str, permission: Permission) -> Route {
    Route { method: Method::DELETE, path, permission }
}

/// The routes of one function.
///
/// Each is let in as [`ROUTES`] says, and only what these routes need is built and read from the settings: a webhook's
/// function knows no sign-in.
#[must_use]
pub struct Routes<S> {
    routes: Vec<(&'static str, MethodRouter<S>)>,
    table: &'static [Route],
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    #[expect(clippy::new_without_default, reason = "routes begin with the first one, not with none")]
    pub fn new() -> Routes<S> {
        Routes::by(ROUTES)
    }

    pub(crate) fn by(table: &'static [Route]) -> Routes<S> {
        Routes { routes: Vec::new(), table }
    }

    /// As axum's own `route`.
    pub fn route(mut self, path: &'static str, methods: MethodRouter<S>) -> Routes<S> {
        self.routes.push((path, methods));
        self
    }

    /// Puts everything around the routes that every answer has in common. What comes of it can be merged with others.
    ///
    /// # Panics
    /// When a path has no row in the table: nobody could be let in.
    pub fn finish(self, platform: &Platform, state: S) -> Result<Router, InvalidSettings> {
        let edge = Edge::new(platform, self.rows())?;
        // Around each method, so that another method of the same path is axum's to refuse.
        let admitting = from_fn_with_state(edge.clone(), admit);
        let routes = self.routes.into_iter();
        let router = routes.fold(Router::new(), |router, (path, methods)| {
            router.route(path, methods.route_layer(admitting.clone()))
        });
        Ok(surrounded(router.with_state(state), &edge))
    }

    fn rows(&self) -> Vec<Route> {
        let mut rows = Vec::new();
        for (path, _) in &self.routes {
            let before = rows.len();
            rows.extend(self.table.iter().filter(|row| row.path == *path).cloned());
            assert!(rows.len() > before, "{path} has no row in edge::ROUTES");
        }
        rows
    }
}
