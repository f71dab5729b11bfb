use crate::failure::FailureClass;
use crate::lenient;
use crate::outlet::Outlet;
use crate::settings::Timing;
use crate::sse::{SseEvent, SseReader};
use reqwest::Response;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long the end of a finished stream is waited for; only then can its connection be used again.
const LAST_BYTES: Duration = Duration::from_millis(100);
/// How long the usage may follow after the text was said to be finished.
const LAST_EVENTS: Duration = Duration::from_secs(5);
/// An answer that is no stream is read up to this length.
const DOCUMENT_MAX: usize = 1024 * 1024;

/// What one event of a provider's stream means.
pub(crate) enum Piece {
    Nothing,
    /// A piece of reasoning of so many bytes; its text was not even kept.
    Thinking(usize),
    Text(String),
    /// The provider says that the stream is over.
    End,
}

/// One provider's way to write a stream.
pub(crate) trait Dialect {
    fn read(&mut self, event: SseEvent<'_>) -> Result<Piece, FailureClass>;

    /// An answer that is no stream: an error that was told with 200, or the whole text at once.
    fn read_whole(&mut self, document: &Value) -> Result<String, FailureClass>;

    /// The provider has said why the text ends: whatever is cut afterwards, the text is whole.
    fn is_finished(&self) -> bool;
}

/// Why a text has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) class: FailureClass,
    /// The provider said so itself, or was none: nobody worked until we gave up.
    pub(crate) is_refusal: bool,
}

impl Broken {
    fn told(class: FailureClass) -> Broken {
        Broken { class, is_refusal: true }
    }

    fn lost(class: FailureClass) -> Broken {
        Broken { class, is_refusal: false }
    }
}

/// The moments at which patience ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    pub(crate) first_token: Instant,
    gap: Duration,
    total: Instant,
}

impl Deadlines {
    /// Of an attempt that starts now and must be over at `limit`.
    pub(crate) fn of(timing: &Timing, limit: Instant) -> Deadlines {
        let now = Instant::now();
        let total = limit.min(now + timing.total);
        Deadlines { first_token: total.min(now + timing.first_content), gap: timing.gap, total }
    }

    fn within(&self, patience: Duration) -> Instant {
        self.total.min(Instant::now() + patience)
    }
}

/// Passes the text on as it arrives, until the provider ends the stream. The answer's type is only a claim: what
/// counts is whether events come.
pub(crate) async fn forward(
    mut response: Response,
    dialect: &mut impl Dialect,
    deadlines: Deadlines,
    outlet: &mut Outlet<'_>,
) -> Result<(), Broken> {
    let mut sse = SseReader::default();
    let mut head = Head::default();
    let mut has_token = false;
    let mut patience = deadlines.first_token;
    loop {
        let chunk = match timeout_at(patience, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            _ if dialect.is_finished() => return Ok(()),
            Ok(Ok(None)) => return head.deliver(dialect, outlet).await,
            Err(_) if !has_token => return Err(Broken::lost(FailureClass::Unavailable)),
            Err(_) | Ok(Err(_)) => return Err(Broken::lost(FailureClass::BrokenStream)),
        };
        head.note(&chunk);
        match forward_chunk(&chunk, &mut sse, &mut head, dialect, outlet).await? {
            Progress::Ended => {
                drain(response).await;
                return Ok(());
            }
            Progress::Token => {
                has_token = true;
                patience = deadlines.within(deadlines.gap);
            }
            Progress::None => {}
        }
        if dialect.is_finished() {
            patience = patience.min(deadlines.within(LAST_EVENTS));
        }
    }
}

enum Progress {
    /// Keep-alives and other signs of life that bring the text no further, such as blanks before its beginning.
    None,
    Token,
    Ended,
}

async fn forward_chunk(
    mut bytes: &[u8],
    sse: &mut SseReader,
    head: &mut Head,
    dialect: &mut impl Dialect,
    outlet: &mut Outlet<'_>,
) -> Result<Progress, Broken> {
    let mut progress = Progress::None;
    loop {
        // A text that has its end is whole: what is odd behind that decides nothing any more.
        let is_finished = dialect.is_finished();
        let event = match sse.next(&mut bytes) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(progress),
            Err(_) if is_finished => return Ok(Progress::Ended),
            Err(_) => return Err(Broken::lost(FailureClass::BrokenStream)),
        };
        head.forget();
        let piece = match dialect.read(event) {
            Err(_) if is_finished => return Ok(Progress::Ended),
            piece => piece.map_err(Broken::told)?,
        };
        match piece {
            Piece::Nothing => continue,
            Piece::Thinking(bytes) => outlet.thinking(bytes).await.map_err(Broken::lost)?,
            Piece::Text(text) => {
                let is_shown = outlet.delta(text).await.map_err(Broken::lost)?;
                if !is_shown {
                    continue;
                }
            }
            Piece::End => return Ok(Progress::Ended),
        }
        progress = Progress::Token;
    }
}

/// The bytes of an answer as long as no event was in them: it may be no stream at all.
#[derive(Default)]
struct Head {
    bytes: Vec<u8>,
    is_stream: bool,
}

impl Head {
    fn note(&mut self, chunk: &[u8]) {
        if self.is_stream {
            return;
        }
        if self.bytes.len() + chunk.len() > DOCUMENT_MAX {
            return self.forget();
        }
        self.bytes.extend_from_slice(chunk);
    }

    fn forget(&mut self) {
        self.is_stream = true;
        self.bytes = Vec::new();
    }

    /// The end came without a word about it: that is a cut, unless the answer is one whole document.
    async fn deliver(self, dialect: &mut impl Dialect, outlet: &mut Outlet<'_>) -> Result<(), Broken> {
        if self.is_stream {
            return Err(Broken::lost(FailureClass::BrokenStream));
        }
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        let Some(document) = lenient::document(bytes) else {
            return Err(Broken::told(FailureClass::BrokenStream));
        };
        let text = dialect.read_whole(&document).map_err(Broken::told)?;
        if !dialect.is_finished() {
            return Err(Broken::told(FailureClass::BrokenStream));
        }
        outlet.delta(text).await.map_err(Broken::lost)?;
        Ok(())
    }
}

/// A connection goes back to the pool only when its answer was read to the last byte.
async fn drain(mut response: Response) {
    let _ = timeout(LAST_BYTES, async { while let Ok(Some(_)) = response.chunk().await {} }).await;
}
