#![doc = include_str!("../README.md")]

mod codes;
mod problem;
#[cfg(test)]
mod tests;

pub use codes::{Meaning, ProblemCode};
pub use problem::{Credit, FieldProblem, Problem, ProblemDocument, RequestLimit};
