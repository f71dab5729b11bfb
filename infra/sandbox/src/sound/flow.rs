//! A tune on its way: made piece by piece when it is asked for, with the accident that was ordered.

use std::ops::Range;
use std::time::Duration;

use axum::body::{Body, Bytes};

use super::{Melody, Sending};
use crate::{Fault, reply};

/// Half a second of sound.
const PIECE_BYTES: u64 = 24_000;

/// What goes wrong on the way, after so many pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accident {
    None,
    Cut { after: u64 },
    EndEarly { after: u64 },
    Stall { after: u64, pause: Duration },
}

impl Accident {
    pub(crate) fn after(fault: Option<&Fault>) -> Accident {
        match fault {
            Some(Fault::CutStream { after }) => Accident::Cut { after: *after as u64 },
            Some(Fault::EndEarly { after }) => Accident::EndEarly { after: *after as u64 },
            Some(Fault::Stall { ms, after }) => {
                Accident::Stall { after: *after as u64, pause: Duration::from_millis(*ms) }
            }
            _ => Accident::None,
        }
    }
}

struct Progress {
    melody: Melody,
    left: Range<u64>,
    sent: u64,
    gap: Duration,
    accident: Accident,
}

/// Bytes `range` of the melody's WAV file.
pub(super) fn body(melody: Melody, range: Range<u64>, sending: &Sending) -> Body {
    let progress = Progress { melody, left: range, sent: 0, gap: sending.gap, accident: sending.accident };
    Body::from_stream(futures_util::stream::unfold(progress, next))
}

async fn next(mut progress: Progress) -> Option<(Result<Bytes, std::io::Error>, Progress)> {
    match progress.accident {
        Accident::Cut { after } if progress.sent == after => {
            progress.left = 0..0;
            progress.accident = Accident::None;
            // One turn of "pending" lets the server flush what came before the accident.
            tokio::task::yield_now().await;
            return Some((reply::aborted(), progress));
        }
        Accident::EndEarly { after } if progress.sent == after => return None,
        Accident::Stall { after, pause } if progress.sent == after => tokio::time::sleep(pause).await,
        _ => {}
    }
    if progress.left.is_empty() {
        return None;
    }
    if progress.sent > 0 && !progress.gap.is_zero() {
        tokio::time::sleep(progress.gap).await;
    }
    let piece = progress.left.start..progress.left.end.min(progress.left.start + PIECE_BYTES);
    progress.left.start = piece.end;
    progress.sent += 1;
    let bytes = progress.melody.file(piece);
    Some((Ok(Bytes::from(bytes)), progress))
}
