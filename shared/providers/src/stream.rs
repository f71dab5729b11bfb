use crate::failure::FailureClass;
use crate::outlet::Outlet;
use crate::settings::Timing;
use crate::sse::SseReader;
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// How long the end of a finished stream is waited for; only then can its connection be used again.
const LAST_BYTES: Duration = Duration::from_millis(100);

/// What one event of a provider's stream means.
pub(crate) enum Piece {
    Nothing,
    /// A piece of reasoning; its text was not even kept.
    Thinking,
    Text(String),
    /// The provider says that the stream is over.
    End,
}

/// One provider's way to write a stream.
pub(crate) trait Dialect {
    /// `data` is one event's.
    fn read(&mut self, data: &[u8]) -> Result<Piece, FailureClass>;

    /// The provider has said why the text ends: whatever is cut afterwards, the text is whole.
    fn is_finished(&self) -> bool;
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
}

/// A 200 with another type is an error body or a proxy's page.
pub(crate) fn is_event_stream(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
}

/// Passes the text on as it arrives, until the provider ends the stream.
pub(crate) async fn forward(
    mut response: Response,
    dialect: &mut impl Dialect,
    deadlines: Deadlines,
    outlet: &mut Outlet<'_>,
) -> Result<(), FailureClass> {
    let mut sse = SseReader::default();
    let mut has_token = false;
    let mut patience = deadlines.first_token;
    loop {
        let chunk = match timeout_at(patience, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            _ if dialect.is_finished() => return Ok(()),
            Err(_) if !has_token => return Err(FailureClass::Unavailable),
            Err(_) | Ok(Ok(None) | Err(_)) => return Err(FailureClass::BrokenStream),
        };
        match forward_chunk(&chunk, &mut sse, dialect, outlet).await? {
            Progress::Ended => {
                drain(response).await;
                return Ok(());
            }
            Progress::Token => {
                has_token = true;
                patience = deadlines.total.min(Instant::now() + deadlines.gap);
            }
            Progress::None => {}
        }
    }
}

enum Progress {
    /// Keep-alives and other signs of life that bring the text no further.
    None,
    Token,
    Ended,
}

async fn forward_chunk(
    mut bytes: &[u8],
    sse: &mut SseReader,
    dialect: &mut impl Dialect,
    outlet: &mut Outlet<'_>,
) -> Result<Progress, FailureClass> {
    let mut progress = Progress::None;
    while let Some(data) = sse.next(&mut bytes).map_err(|_| FailureClass::BrokenStream)? {
        match dialect.read(data)? {
            Piece::Nothing => continue,
            Piece::Thinking => outlet.thinking().await?,
            Piece::Text(text) => outlet.delta(text).await?,
            Piece::End => return Ok(Progress::Ended),
        }
        progress = Progress::Token;
    }
    Ok(progress)
}

/// A connection goes back to the pool only when its answer was read to the last byte.
async fn drain(mut response: Response) {
    let _ = timeout(LAST_BYTES, async { while let Ok(Some(_)) = response.chunk().await {} }).await;
}
