//! How far a client has heard a run's story. Each event of lasting worth has a place as its id; a client that lost its
//! stream sends the last one it saw, and goes on behind it.

use crate::RunEvent;
use primitives::{Private, RunId};
use std::fmt;
use std::str::FromStr;

/// How far a client has heard a run's story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub run: RunId,
    pub heard: Heard,
}

/// What of the story came before a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// So many bytes of the text, 0 before the first one.
    Text(usize),
    /// So many outputs.
    Outputs(u32),
    End,
}

/// The text is no id of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an event")]
pub struct NotAPlace;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.heard {
            Heard::Text(bytes) => write!(f, "{}.{bytes}", self.run),
            Heard::Outputs(1) => write!(f, "{}.output", self.run),
            Heard::Outputs(count) => write!(f, "{}.output{count}", self.run),
            Heard::End => write!(f, "{}.end", self.run),
        }
    }
}

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Place, NotAPlace> {
        let (run, heard) = text.split_once('.').ok_or(NotAPlace)?;
        let heard = match heard {
            "output" => Heard::Outputs(1),
            "end" => Heard::End,
            other => match other.strip_prefix("output") {
                Some(count) => Heard::Outputs(count.parse().map_err(|_| NotAPlace)?),
                None => Heard::Text(other.parse().map_err(|_| NotAPlace)?),
            },
        };
        Ok(Place { run: run.parse().map_err(|_| NotAPlace)?, heard })
    }
}

impl Heard {
    fn outputs(self) -> u32 {
        if let Heard::Outputs(count) = self { count } else { 0 }
    }
}

impl Place {
    /// Before the first event of a run.
    pub fn begin(run: RunId) -> Place {
        Place { run, heard: Heard::Text(0) }
    }

    /// What of the next event of a story that is told again from its beginning the client has not heard.
    ///
    /// `told` is the place after the events before it. A place between the bytes of a character was never
    /// one of ours: then the piece is told whole.
    pub fn unheard(self, told: Place, event: RunEvent) -> Option<RunEvent> {
        match (event, self.heard, told.heard) {
            (RunEvent::Run(_) | RunEvent::Progress { .. }, ..) => None,
            (RunEvent::Delta(_), Heard::Outputs(_), _) => None,
            (RunEvent::Output(_), Heard::Outputs(heard), told) if heard > told.outputs() => None,
            (RunEvent::Delta(_) | RunEvent::Output(_), Heard::End, _) => None,
            (RunEvent::Delta(text), Heard::Text(heard), Heard::Text(told)) => {
                let known = heard.saturating_sub(told).min(text.expose().len());
                let rest = text.expose().get(known..).unwrap_or(text.expose()).to_owned();
                (!rest.is_empty()).then(|| RunEvent::Delta(Private::new(rest)))
            }
            (event, ..) => Some(event),
        }
    }

    /// The place after `event`; events that only say that the run goes on leave it as it is.
    pub fn after(self, event: &RunEvent) -> Place {
        let heard = match (event, self.heard) {
            (RunEvent::Delta(text), Heard::Text(bytes)) => Heard::Text(bytes + text.expose().len()),
            (RunEvent::Output(_), heard) => Heard::Outputs(heard.outputs() + 1),
            (RunEvent::Done(_) | RunEvent::Failed(_), _) => Heard::End,
            (_, heard) => heard,
        };
        Place { heard, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "01KABCDEFGHJKMNPQRSTVWXYZ0";

    fn place(heard: Heard) -> Place {
        Place { run: RUN.parse().unwrap(), heard }
    }

    fn delta(text: &str) -> RunEvent {
        RunEvent::Delta(Private::new(text.to_owned()))
    }

    #[test]
    fn a_place_is_read_as_it_is_written_and_nothing_else_is_one() {
        for heard in [Heard::Text(0), Heard::Text(5_000), Heard::Outputs(1), Heard::End] {
            assert_eq!(place(heard).to_string().parse(), Ok(place(heard)));
        }
        for text in ["", "7", RUN, "01KABCDEFGHJKMNPQRSTVWXYZ0.", "01KABCDEFGHJKMNPQRSTVWXYZ0.-1", "x.0"] {
            assert_eq!(text.parse::<Place>(), Err(NotAPlace), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_told_again_goes_on_where_the_client_was() {
        let whole = "Một con diều đỏ";
        for (heard, rest) in [
            (Heard::Text(0), Some(whole)),
            (Heard::Text("Một con ".len()), Some("diều đỏ")),
            (Heard::Text(whole.len()), None),
            (Heard::Outputs(1), None),
            // Between the bytes of a character: never told by us.
            (Heard::Text(2), Some(whole)),
        ] {
            let unheard = place(heard).unheard(place(Heard::Text(0)), delta(whole));
            let text = unheard
                .map(|event| if let RunEvent::Delta(text) = event { text.into_inner() } else { panic!() });
            assert_eq!(text.as_deref(), rest, "{heard:?}");
        }
    }

    #[test]
    fn the_place_moves_with_the_text() {
        let after = place(Heard::Text(3)).after(&delta("đỏ"));
        assert_eq!(after, place(Heard::Text(3 + "đỏ".len())));
    }
}
