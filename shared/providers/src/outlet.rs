use crate::failure::FailureClass;
use crate::{Artifact, Event};
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, timeout_at};

/// Reasoning arrives in hundreds of pieces; a sign of life a second is enough.
const THINKING_EVERY: Duration = Duration::from_secs(1);

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
    text_bytes: usize,
}

impl<'a> Outlet<'a> {
    pub(crate) fn new(events: &'a Sender<Event>, limit: Instant) -> Outlet<'a> {
        Outlet { events, limit, is_abandoned: false, first_content: None, last_thinking: None, text_bytes: 0 }
    }

    /// When the first text or file was sent.
    pub(crate) fn first_content(&self) -> Option<Instant> {
        self.first_content
    }

    pub(crate) fn content_was_sent(&self) -> bool {
        self.first_content.is_some()
    }

    pub(crate) fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    pub(crate) async fn thinking(&mut self) -> Result<(), FailureClass> {
        let now = Instant::now();
        if self.last_thinking.is_some_and(|last| now < last + THINKING_EVERY) {
            return Ok(());
        }
        self.last_thinking = Some(now);
        self.send(Event::Thinking).await
    }

    pub(crate) async fn delta(&mut self, text: String) -> Result<(), FailureClass> {
        self.first_content.get_or_insert_with(Instant::now);
        self.text_bytes += text.len();
        self.send(Event::Delta(text)).await
    }

    pub(crate) async fn artifact(&mut self, artifact: Artifact) -> Result<(), FailureClass> {
        self.first_content.get_or_insert_with(Instant::now);
        self.send(Event::Artifact(artifact)).await
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
