//! Who calls: recognised once, before the handler, and handed to it.

use crate::edge::Edge;
use crate::extract::{ClientNetwork, Country, unfinished};
use crate::limit::Subject;
use crate::{Permission, Problem, ProblemCode, ProblemResponse, SourceIp};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::request::Parts;
use identity::{FirstSight, SignIn};
use primitives::{AccountId, UserId};

/// A person who may do what the route is for: verified, within their limits, neither deleted nor otherwise kept out.
#[derive(Debug, Clone)]
pub struct Caller {
    sign_in: SignIn,
    account: AccountId,
    roles: Vec<Role>,
    /// Already truncated.
    network: Option<String>,
    country: Option<String>,
}

/// What a person is here beside the owner of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Decides about other people's payments (`ADMIN_USER_IDS`).
    Administrator,
}

/// A person who starts a run: verified, within their limits, themselves.
///
/// Whether they were deleted or suspended is a condition of the reserving write, because a run makes one round trip to
/// the store before its provider is called. A request that does not get as far as that is answered by
/// [`Runner::refusal`].
#[derive(Clone)]
pub struct Runner {
    caller: Caller,
    edge: Edge,
}

/// Lets a request through to its handler, or not, by [`crate::ROUTES`]. Of the request it reads the token alone, so that a
/// stranger does not learn what a request should look like.
pub(crate) async fn admit(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match edge.admit(&mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => ProblemResponse::from(problem).into_response(),
    }
}

impl Edge {
    async fn admit(&self, parts: &mut Parts) -> Result<(), Problem> {
        let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let Some(permission) = self.permission(&parts.method, path) else {
            tracing::error!("a route that is served has no row in edge::ROUTES, so nobody is let in");
            return Err(ProblemCode::Internal.into());
        };
        match permission {
            Permission::Signed => Ok(()),
            Permission::Public => self.count_network(parts),
            Permission::Run => {
                let caller = self.recognise(parts).await?;
                if caller.sign_in.is_impersonated {
                    // Always refuses: 401 if the person was deleted meanwhile, 403 otherwise.
                    self.check(&caller, permission).await?;
                }
                parts.extensions.insert(Runner { caller, edge: self.clone() });
                Ok(())
            }
            Permission::Look
            | Permission::Change
            | Permission::AskPrice
            | Permission::Spend
            | Permission::Link
            | Permission::Unlink
            | Permission::Inspect
            | Permission::Administer => {
                let caller = self.recognise(parts).await?;
                self.check(&caller, permission).await?;
                parts.extensions.insert(caller);
                Ok(())
            }
        }
    }

    /// The network's limit comes first, so that forged tokens cost us no signature checks beyond it.
    async fn recognise(&self, parts: &mut Parts) -> Result<Caller, Problem> {
        self.count_network(parts)?;
        let sign_in = self.verify(only_authorization(parts)?).await?;
        self.count(Subject::User(&sign_in.user))?;
        let Ok(ClientNetwork(network)) = ClientNetwork::from_request_parts(parts, &()).await;
        let Ok(Country(country)) = Country::from_request_parts(parts, &()).await;
        let (account, roles) = (account_of(&sign_in), self.roles(&sign_in.user));
        Ok(Caller { sign_in, account, roles, network, country })
    }

    /// Refuses a caller whom the permission does not let in, by the account's `blocked` as it is now.
    async fn check(&self, caller: &Caller, permission: Permission) -> Result<(), Problem> {
        let Some(rule) = permission.rule() else { return Ok(()) };
        let block = self.block(&caller.account, rule.freshness()).await?;
        rule.judge(&caller.sign_in, &caller.roles, block)
    }

    fn count_network(&self, parts: &Parts) -> Result<(), Problem> {
        match parts.extensions.get::<SourceIp>() {
            Some(source) => self.count(Subject::Network(&source.network())),
            None => Ok(()),
        }
    }
}

/// Whose credit a person sees and spends: their own account. The one place that says so.
fn account_of(sign_in: &SignIn) -> AccountId {
    AccountId::from(&sign_in.user)
}

/// The request's one `Authorization`. Two of them are refused, because they could name two callers.
fn only_authorization(parts: &Parts) -> Result<Option<&str>, Problem> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        tracing::debug!("a request came with two authorization headers");
        return Err(ProblemCode::Unauthenticated.into());
    }
    let Some(value) = first else { return Ok(None) };
    value.to_str().map(Some).map_err(|_| ProblemCode::Unauthenticated.into())
}

impl Caller {
    pub fn user(&self) -> &UserId {
        &self.sign_in.user
    }

    /// Whose credit they see and spend.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    pub fn network(&self) -> Option<&str> {
        self.network.as_deref()
    }

    pub fn country(&self) -> Option<&str> {
        self.country.as_deref()
    }

    /// What `identity` wants to know when it sees somebody for the first time.
    pub fn sight(&self) -> FirstSight<'_> {
        FirstSight { user: self.user(), country: self.country(), network: self.network() }
    }
}

impl Runner {
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The answer to a request that can't become a run: why the person may not run anything, or else `problem`, what is wrong
    /// with the request.
    pub async fn refusal(&self, problem: Problem) -> Problem {
        self.edge.check(&self.caller, Permission::Run).await.err().unwrap_or(problem)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, ProblemResponse> {
        parts.extensions.get().cloned().ok_or_else(|| unfinished("a route without a caller asks for one"))
    }
}

impl<S: Sync> FromRequestParts<S> for Runner {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Runner, ProblemResponse> {
        parts
            .extensions
            .get()
            .cloned()
            .ok_or_else(|| unfinished("a route that starts no run asks for a runner"))
    }
}
