use problems::Wording;

/// One thing wrong with an input: where (a JSON pointer) and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    pub pointer: String,
    pub why: Wording,
}

impl FieldError {
    pub fn new(pointer: &str, why: Wording) -> FieldError {
        FieldError { pointer: pointer.to_owned(), why }
    }
}
