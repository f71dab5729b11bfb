#![doc = include_str!("../README.md")]

mod cors;
mod edge;
mod extract;
mod finish;
mod in_time;
mod limit;
mod network;
mod permission;
mod problem;
mod request_id;
mod settings;
pub mod sse;
#[cfg(test)]
mod tests;

pub use cors::{EXPOSED_HEADERS, PREFLIGHT_HEADERS, preflights};
pub use edge::Edge;
pub use extract::{
    AcceptKind, Allowed, ClientNetwork, Country, IdempotencyKey, JsonBody, Page, Person, Public, RawBody,
    Runner,
};
pub use finish::{fallback, finish, finish_webhook};
pub use in_time::AnswerBy;
pub use limit::{Limiter, REQUEST_LIMITS, Subject, TABLES};
pub use network::SourceIp;
pub use permission::{Administer, AskPrice, Change, Inspect, Look, Permission, Spend};
pub use problem::{
    Credit, FieldProblem, LedgerAmount, Meaning, Problem, ProblemCode, ProblemDocument, RUN_ID,
};
pub use request_id::{RequestId, TraceId};
pub use settings::EdgeSettings;
