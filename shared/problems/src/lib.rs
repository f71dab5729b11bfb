#![doc = include_str!("../README.md")]

mod codes;
mod problem;
mod schema;
#[cfg(test)]
mod tests;
mod words;

pub use codes::{Meaning, ProblemCode};
pub use problem::{Credit, FieldProblem, Problem, ProblemDocument, RequestLimit, Wording};
pub use schema::one_of;
pub use words::wanted_language;
