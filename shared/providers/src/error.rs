/// A tool's chain can't be built; the text names the step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownStep {
    #[error("a chain needs at least one step")]
    Empty,
    #[error("there is no provider step `{0}`")]
    Unknown(String),
    #[error("the step `{0}` makes something else than the steps before it")]
    OtherKind(String),
}
