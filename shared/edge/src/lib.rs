#![doc = include_str!("../README.md")]

mod caller;
mod cors;
mod edge;
mod etag;
mod extract;
mod finish;
mod in_time;
mod limit;
mod network;
mod permission;
mod request_id;
mod response;
mod routes;
mod settings;
pub mod sse;
#[cfg(test)]
mod tests;

pub use caller::{Caller, Role, Runner};
pub use cors::{EXPOSED_HEADERS, PREFLIGHT_HEADERS, preflights};
pub use extract::{AcceptKind, ClientNetwork, Country, IdempotencyKey, JsonBody, Page, RawBody};
pub use finish::fallback;
pub use in_time::AnswerBy;
pub use limit::{REQUEST_LIMITS, RequestRules, SECTIONS, TABLES};
pub use network::SourceIp;
pub use permission::Permission;
pub use problems::{Problem, ProblemCode, ProblemDocument, Wording, closed_set};
pub use request_id::RequestId;
pub use response::{ProblemResponse, RUN_ID};
pub use routes::{ROUTES, Route, Routes};
pub use settings::allowed_origins;

use edge::Edge;
