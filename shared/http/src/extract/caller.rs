use super::edge_of;
use super::headers::{ClientNetwork, Country};
use crate::limit::Subject;
use crate::{Edge, Problem, ProblemCode, SourceIp};
use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use identity::{Caller, FirstSight, Refused};

/// Minutes a sign-in may be old for what can't be undone.
const STEP_UP_MINUTES_MAX: u32 = 10;

/// A verified person within their limits. For what spends or deletes, go through the methods.
#[derive(Debug, Clone)]
pub struct Authenticated(pub Caller);

/// Anybody, within their network's limits; for routes without sign-in.
#[derive(Debug, Clone, Copy)]
pub struct Public;

/// A verified person together with what the edge knows of where they are.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub person: Authenticated,
    /// Already truncated.
    pub network: Option<String>,
    pub country: Option<String>,
}

impl Visitor {
    /// What `identity` wants to know when it sees somebody for the first time.
    pub fn sight(&self) -> FirstSight<'_> {
        FirstSight {
            user: &self.person.0.user,
            country: self.country.as_deref(),
            network: self.network.as_deref(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Visitor, Problem> {
        let person = Authenticated::from_request_parts(parts, state).await?;
        let Ok(ClientNetwork(network)) = ClientNetwork::from_request_parts(parts, state).await;
        let Ok(Country(country)) = Country::from_request_parts(parts, state).await;
        Ok(Visitor { person, network, country })
    }
}

impl Authenticated {
    /// The person themselves, not somebody who acts in their name.
    pub fn in_person(&self) -> Result<&Caller, Problem> {
        if self.0.is_impersonated {
            return Err(ProblemCode::ImpersonationRefused.into());
        }
        Ok(&self.0)
    }

    /// The person themselves, who proved it within the last ten minutes.
    pub fn stepped_up(&self) -> Result<&Caller, Problem> {
        let caller = self.in_person()?;
        match caller.factor_age_minutes {
            Some(age) if age <= STEP_UP_MINUTES_MAX => Ok(caller),
            _ => Err(ProblemCode::StepUpRequired.into()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = Problem;

    /// The network's limit comes first, so that forged tokens cost us no signature checks beyond it.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Authenticated, Problem> {
        let edge = edge_of(parts)?;
        check_network(&edge, parts)?;
        let caller = edge.verifier().verify(only_authorization(parts)?).await.map_err(told)?;
        edge.limiter().check(Subject::User(&caller.user))?;
        Ok(Authenticated(caller))
    }
}

impl<S: Sync> FromRequestParts<S> for Public {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Public, Problem> {
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
