//! What the two text services share: the answer, and how it is played with its accidents.

mod answer;
mod play;

pub(crate) use answer::{Answer, Finish, Question, Usage, text_of, tokens};
pub(crate) use play::{Frames, play};
