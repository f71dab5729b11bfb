use crate::limit::{Limiter, Subject};
use crate::settings::{administrators, allowed_origins, body_bytes_max};
use crate::{Permission, Problem, ProblemCode, Role, Route};
use credits::{Block, Freshness, Standings};
use http::{HeaderValue, Method};
use identity::{SignIn, Unverified, Verifier};
use platform::{InvalidSettings, Platform, with_causes};
use primitives::{AccountId, UserId};
use std::collections::HashSet;
use std::sync::Arc;

/// What the requests of one function pass on their way in; built once, and only what its routes need. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Edge(Arc<Inner>);

struct Inner {
    platform: Platform,
    routes: Vec<Route>,
    body_bytes_max: usize,
    /// Pages that may call from a browser; `None`: only other services call these routes.
    origins: Option<Vec<HeaderValue>>,
    /// `None`: requests are not counted.
    limiter: Option<Limiter>,
    /// `None`: nobody signs in.
    people: Option<People>,
}

/// How a person is recognised, and what is known of them.
struct People {
    verifier: Verifier,
    standings: Standings,
    administrators: HashSet<UserId>,
}

impl Edge {
    pub(crate) fn new(platform: &Platform, routes: Vec<Route>) -> Result<Edge, InvalidSettings> {
        let any = |holds: fn(Permission) -> bool| routes.iter().any(|route| holds(route.permission));
        let is_called_by_pages = any(|permission| permission != Permission::Signed);
        let needs_sign_in = any(Permission::needs_sign_in);
        let has_administrators = any(|permission| permission.role() == Some(Role::Administrator));
        let people = match needs_sign_in {
            true => Some(People::new(platform, has_administrators)?),
            false => None,
        };
        Edge::build(platform, routes, is_called_by_pages, people)
    }

    /// For addresses without a route: the answer is a problem, and pages of allowed origins may read it.
    pub(crate) fn without_routes(platform: &Platform) -> Result<Edge, InvalidSettings> {
        Edge::build(platform, Vec::new(), true, None)
    }

    fn build(
        platform: &Platform,
        routes: Vec<Route>,
        is_called_by_pages: bool,
        people: Option<People>,
    ) -> Result<Edge, InvalidSettings> {
        let is_counted = routes.iter().any(|route| route.permission != Permission::Signed);
        let inner = Inner {
            platform: platform.clone(),
            body_bytes_max: platform.env().section(body_bytes_max)?,
            origins: match is_called_by_pages {
                true => Some(platform.env().section(allowed_origins)?),
                false => None,
            },
            limiter: match is_counted {
                true => Some(Limiter::new(platform)?),
                false => None,
            },
            routes,
            people,
        };
        Ok(Edge(Arc::new(inner)))
    }

    pub(crate) fn platform(&self) -> &Platform {
        &self.0.platform
    }

    pub(crate) fn body_bytes_max(&self) -> usize {
        self.0.body_bytes_max
    }

    pub(crate) fn origins(&self) -> Option<&[HeaderValue]> {
        self.0.origins.as_deref()
    }

    /// What the table says of a route; `HEAD` is answered as `GET` is.
    pub(crate) fn permission(&self, method: &Method, path: &str) -> Option<Permission> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let row = self.0.routes.iter().find(|row| row.method == *method && row.path == path);
        row.map(|row| row.permission)
    }

    pub(crate) fn count(&self, subject: Subject<'_>) -> Result<(), Problem> {
        self.0.limiter.as_ref().map_or(Ok(()), |limiter| limiter.check(subject))
    }

    /// Who the only `Authorization` header proves the caller to be.
    pub(crate) async fn verify(&self, authorization: Option<&str>) -> Result<SignIn, Problem> {
        self.people()?.verifier.verify(authorization).await.map_err(problem_of)
    }

    pub(crate) fn roles(&self, user: &UserId) -> Vec<Role> {
        let is_administrator =
            self.0.people.as_ref().is_some_and(|people| people.administrators.contains(user));
        if is_administrator { vec![Role::Administrator] } else { Vec::new() }
    }

    /// Whether the account's person is suspended or deleted now.
    pub(crate) async fn block(
        &self,
        account: &AccountId,
        freshness: Freshness,
    ) -> Result<Option<Block>, Problem> {
        self.people()?.standings.block(account, freshness).await.map_err(|error| {
            tracing::error!(error = %with_causes(&error), "it could not be looked up whether a person may go on");
            ProblemCode::StoreUnavailable.into()
        })
    }

    /// Set whenever a route of this edge needs a sign-in.
    fn people(&self) -> Result<&People, Problem> {
        self.0.people.as_ref().ok_or_else(|| {
            tracing::error!("somebody was to be recognised at an edge that knows no people");
            ProblemCode::Internal.into()
        })
    }
}

impl People {
    fn new(platform: &Platform, has_administrators: bool) -> Result<People, InvalidSettings> {
        let administrators = match has_administrators {
            true => platform.env().section(administrators)?,
            false => HashSet::new(),
        };
        let (verifier, standings) = (Verifier::new(platform)?, Standings::new(platform));
        Ok(People { verifier, standings, administrators })
    }
}

/// The caller hears one answer for every failed check; the log keeps the reason.
fn problem_of(unverified: Unverified) -> Problem {
    match unverified {
        Unverified::Token(reason) => {
            tracing::info!("a sign-in token was refused: {reason}");
            ProblemCode::Unauthenticated.into()
        }
        Unverified::KeysUnavailable => ProblemCode::IdentityUnavailable.into(),
    }
}
