//! How the program ends: runs may end, the credit of those that can't is given back and their clients are told, and a
//! second Ctrl-C ends the wait.

use crate::server::Open;
use platform::Platform;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What a run that was told to stop needs to give its credit back and say so.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Every wish to stop (Ctrl-C, SIGTERM), as it comes.
pub struct Stops(mpsc::UnboundedReceiver<()>);

/// Tells [`Stops`] of one more wish.
#[derive(Clone)]
pub struct Stopper(mpsc::UnboundedSender<()>);

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every request has its answer, every run its end.
    Whole,
    /// At the second wish, or because something did not end: the next start's sweep does the rest.
    BrokenOff,
}

impl Stops {
    pub fn new() -> (Stopper, Stops) {
        let (stopper, stops) = mpsc::unbounded_channel();
        (Stopper(stopper), Stops(stops))
    }

    /// Resolves at the next wish.
    pub(crate) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            // Nobody is left who could ask.
            std::future::pending::<()>().await;
        }
    }
}

impl Stopper {
    pub fn stop(&self) {
        // Whoever has stopped already needs no second wish.
        let _ = self.0.send(());
    }
}

/// Lets what goes on end for `drain`, then tells it to end; does not outlast another wish.
pub(crate) async fn wind_down(
    open: Open,
    platform: &Platform,
    drain: Duration,
    stops: &mut Stops,
) -> Stopped {
    let mut quiet = pin!(async {
        open.ended().await;
        // A run goes on although its client has left.
        platform.idle().await;
    });
    let ended = async {
        if timeout(drain, &mut quiet).await.is_ok() {
            return Stopped::Whole;
        }
        platform.stop();
        match timeout(LAST_WORDS, &mut quiet).await {
            Ok(()) => Stopped::Whole,
            Err(_) => Stopped::BrokenOff,
        }
    };
    tokio::select! {
        ended = ended => ended,
        () = stops.next() => Stopped::BrokenOff,
    }
}
