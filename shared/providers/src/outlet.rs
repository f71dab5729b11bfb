use crate::Event;
use crate::failure::FailureClass;
use primitives::is_blank;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, timeout_at};

/// Reasoning arrives in hundreds of pieces; a sign of life a second is enough.
const THINKING_EVERY: Duration = Duration::from_secs(1);
/// Blanks before the first visible character are kept up to this length; no text begins with more of them.
const LEADING_BLANKS_MAX: usize = 4_096;

/// Where an attempt's output goes, and what is known about it.
///
/// When nobody receives any more, the work goes on: the output is paid for and still fetchable.
pub(crate) struct Outlet<'a> {
    events: &'a Sender<Event>,
    /// A receiver that takes nothing must not hold the run for ever.
    limit: Instant,
    is_abandoned: bool,
    first_content: Option<Instant>,
    last_thinking: Option<Instant>,
    /// What this attempt wrote before its first visible character. It is sent together with that.
    leading_blanks: String,
    /// All text of this attempt in bytes, reasoning and blanks included: what it was written for is paid.
    written: usize,
}

impl<'a> Outlet<'a> {
    pub(crate) fn new(events: &'a Sender<Event>, limit: Instant) -> Outlet<'a> {
        Outlet {
            events,
            limit,
            is_abandoned: false,
            first_content: None,
            last_thinking: None,
            leading_blanks: String::new(),
            written: 0,
        }
    }

    /// Forgets what an earlier attempt wrote and never showed.
    pub(crate) fn begin_attempt(&mut self) {
        self.leading_blanks.clear();
        self.written = 0;
        // A sign that finds no room is left out: it is no content.
        let _ = self.events.try_send(Event::Asked);
    }

    /// When the first text was sent.
    pub(crate) fn first_content(&self) -> Option<Instant> {
        self.first_content
    }

    pub(crate) fn content_was_sent(&self) -> bool {
        self.first_content.is_some()
    }

    /// Bytes of text and reasoning in this attempt.
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// A piece of reasoning of so many bytes.
    pub(crate) async fn thinking(&mut self, bytes: usize) -> Result<(), FailureClass> {
        self.written += bytes;
        let now = Instant::now();
        if self.last_thinking.is_some_and(|last| now < last + THINKING_EVERY) {
            return Ok(());
        }
        self.last_thinking = Some(now);
        self.send(Event::Thinking).await
    }

    /// Sends a piece of text; false when it was held back, because nothing visible has come yet.
    pub(crate) async fn delta(&mut self, text: String) -> Result<bool, FailureClass> {
        self.written += text.len();
        if self.first_content.is_some() {
            self.send(Event::Delta(text)).await?;
            return Ok(true);
        }
        if is_blank(&text) {
            if self.leading_blanks.len() + text.len() <= LEADING_BLANKS_MAX {
                self.leading_blanks.push_str(&text);
            }
            return Ok(false);
        }
        self.first_content = Some(Instant::now());
        let mut whole = std::mem::take(&mut self.leading_blanks);
        whole.push_str(&text);
        self.send(Event::Delta(whole)).await?;
        Ok(true)
    }

    /// Errs when the receiver is there and took nothing until the limit: its output would have a hole.
    async fn send(&mut self, event: Event) -> Result<(), FailureClass> {
        if self.is_abandoned {
            return Ok(());
        }
        let sent = match self.events.try_send(event) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => false,
            Err(TrySendError::Full(event)) => match timeout_at(self.limit, self.events.send(event)).await {
                Ok(sent) => sent.is_ok(),
                Err(_) => return Err(FailureClass::BrokenStream),
            },
        };
        self.is_abandoned = !sent;
        Ok(())
    }
}
