use super::edge_of;
use super::headers::{ClientNetwork, Country};
use crate::limit::Subject;
use crate::{Edge, Permission, Problem, ProblemCode, ProblemResponse, SourceIp, Spend};
use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use identity::{Caller, FirstSight, Refused};
use primitives::{AccountId, UserId};
use std::fmt;
use std::marker::PhantomData;

/// A person who may do what `P` says: verified, within their limits, neither deleted nor otherwise kept out.
///
/// Write it as a handler's first argument after the state: what comes behind it reads the request, and a stranger must
/// not learn what a request should look like.
pub struct Allowed<P> {
    person: Person,
    permission: PhantomData<P>,
}

/// A person who starts a run: verified, within their limits, themselves.
///
/// Whether they were deleted or suspended is a condition of the reserving write, because a run makes one round trip to
/// the store before its provider is called. A request that does not get as far as that is answered by
/// [`Runner::refusal`].
pub struct Runner {
    person: Person,
    edge: Edge,
}

/// Anybody, within their network's limits; for routes without sign-in.
#[derive(Debug, Clone, Copy)]
pub struct Public;

/// A verified person together with what the edge knows of where they are.
#[derive(Debug, Clone)]
pub struct Person {
    caller: Caller,
    account: AccountId,
    /// Already truncated.
    network: Option<String>,
    country: Option<String>,
}

impl Person {
    pub fn user(&self) -> &UserId {
        &self.caller.user
    }

    /// Whose credit they spend and see.
    pub fn account(&self) -> &AccountId {
        &self.account
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

    /// The network's limit comes first, so that forged tokens cost us no signature checks beyond it.
    async fn signed_in(edge: &Edge, parts: &mut Parts) -> Result<Person, Problem> {
        check_network(edge, parts)?;
        let caller = edge.verifier().verify(only_authorization(parts)?).await.map_err(told)?;
        edge.limiter().check(Subject::User(&caller.user))?;
        let Ok(ClientNetwork(network)) = ClientNetwork::from_request_parts(parts, &()).await;
        let Ok(Country(country)) = Country::from_request_parts(parts, &()).await;
        Ok(Person { account: AccountId::from(&caller.user), caller, network, country })
    }

    /// Whether they may do what `P` says, by what the store says of them now.
    async fn check<P: Permission>(&self, edge: &Edge) -> Result<(), Problem> {
        let block = edge.standings().block(&self.account, P::RULE.freshness()).await.map_err(|error| {
            tracing::error!(error = %error, "it could not be looked up whether a person may go on");
            Problem::new(ProblemCode::StoreUnavailable)
        })?;
        P::RULE.judge(&self.caller, block, edge.is_administrator(self.user()))
    }
}

impl<P> std::ops::Deref for Allowed<P> {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.person
    }
}

impl<P> fmt::Debug for Allowed<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Allowed").field(&self.person).finish()
    }
}

impl std::ops::Deref for Runner {
    type Target = Person;

    fn deref(&self) -> &Person {
        &self.person
    }
}

impl Runner {
    /// What a request is told that can't become a run: what speaks against the person, before what speaks against the
    /// request.
    pub async fn refusal(&self, problem: Problem) -> Problem {
        self.person.check::<Spend>(&self.edge).await.err().unwrap_or(problem)
    }
}

impl<P: Permission, S: Sync> FromRequestParts<S> for Allowed<P> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Allowed<P>, ProblemResponse> {
        let edge = edge_of(parts)?;
        let person = Person::signed_in(&edge, parts).await?;
        person.check::<P>(&edge).await?;
        Ok(Allowed { person, permission: PhantomData })
    }
}

impl<S: Sync> FromRequestParts<S> for Runner {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Runner, ProblemResponse> {
        let edge = edge_of(parts)?;
        let person = Person::signed_in(&edge, parts).await?;
        if person.caller.is_impersonated {
            // Refuses in every case; it only remains whether the person is still there.
            person.check::<Spend>(&edge).await?;
        }
        Ok(Runner { person, edge })
    }
}

impl<S: Sync> FromRequestParts<S> for Public {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Public, ProblemResponse> {
        check_network(&edge_of(parts)?, parts)?;
        Ok(Public)
    }
}

fn check_network(edge: &Edge, parts: &Parts) -> Result<(), Problem> {
    match parts.extensions.get::<SourceIp>() {
        Some(source) => edge.limiter().check(Subject::Network(&source.network())),
        None => Ok(()),
    }
}

/// Two headers could mean two callers.
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

/// The caller hears one answer for every failed check; the log keeps the reason.
fn told(refused: Refused) -> Problem {
    match refused {
        Refused::Token(reason) => {
            tracing::info!("a sign-in token was refused: {reason}");
            ProblemCode::Unauthenticated.into()
        }
        Refused::KeysUnavailable => ProblemCode::IdentityUnavailable.into(),
    }
}
