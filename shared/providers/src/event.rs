use std::fmt;

/// What a run sees while a provider works.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// A provider is being asked: the first one, again, or a fallback.
    Asked,
    /// A piece of reasoning arrived. Its text is never passed on; at most one of these a second.
    Thinking,
    /// The next piece of the text.
    Delta(String),
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Asked => f.write_str("Asked"),
            Event::Thinking => f.write_str("Thinking"),
            Event::Delta(_) => f.write_str("Delta([private])"),
        }
    }
}
