//! A text on its way from its provider: to the client that this process answers, and to listeners (clients of
//! `GET /v1/runs/{id}/events`) that other processes answer.

use crate::live::{Live, Owned};
use crate::telling::{Progress, Stage, Teller};
use platform::Platform;
use primitives::{Timestamp, times};
use providers::{Chain, Event, Failed, Job, Served};
use std::pin::pin;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// More than any language needs for a token.
pub(crate) const BYTES_PER_TOKEN_MAX: usize = 16;

/// A text that is to be written, and the client that hears it.
pub(crate) struct Writing<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) live: &'a Live,
    pub(crate) chain: &'a Chain,
    pub(crate) job: &'a Job,
    pub(crate) tell: Option<&'a Teller>,
    /// The most that the provider may write.
    pub(crate) output_tokens_max: u32,
}

/// What was written.
pub(crate) struct Written {
    /// `None`: the process ends before the provider has ended the text.
    pub(crate) result: Option<Result<Served, Failed>>,
    pub(crate) gathered: Gathered,
}

/// The text so far, as the provider's events brought it.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) text: String,
    pub(crate) first_at: Option<Timestamp>,
    pub(crate) is_cut: bool,
}

impl Writing<'_> {
    pub(crate) async fn write(&self) -> Written {
        let (sender, receiver) = mpsc::channel(64);
        let work = async {
            let result = tokio::select! {
                biased;
                result = self.chain.run(self.job, &sender) => Some(result),
                () = self.platform.stopped() => None,
            };
            drop(sender);
            result
        };
        let (result, gathered) = tokio::join!(work, self.gather(receiver));
        Written { result, gathered }
    }

    /// Passes text on as it comes and keeps all of it.
    async fn gather(&self, mut events: mpsc::Receiver<Event>) -> Gathered {
        let mut gathered = Gathered::default();
        let every = times::LIVE_TEXT.limit;
        let mut beat = interval_at(Instant::now() + every, every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The call of `show` that is under way.
        let mut call = pin!(None);
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(event) => self.take(event, &mut gathered),
                    None => return gathered,
                },
                _ = async { call.as_mut().as_pin_mut().expect("a call is under way").await }, if call.is_some() => {
                    call.set(None);
                }
                _ = beat.tick(), if call.is_none() => {
                    call.set(Some(self.show(gathered.text.clone())));
                }
            }
        }
    }

    /// Stores the text so far for a listener at another process, if one is there. The run does not wait for this call,
    /// and does not fail when the call fails.
    async fn show(&self, text: String) -> bool {
        let of = Owned { account: &self.job.account, run: self.job.run };
        self.live.show(of, &text, self.platform.now()).await
    }

    fn take(&self, event: Event, gathered: &mut Gathered) {
        match event {
            // The client is told only that the model thinks: its reasoning is not content, and another provider may
            // still take over.
            Event::Thinking => {
                self.tell.into_iter().for_each(|tell| tell.reach(Progress::at(Stage::Thinking)))
            }
            // The next provider was asked: the stage goes back to waiting, which only the next sign of life tells.
            Event::Asked => self.note(Stage::Waiting),
            Event::Delta(text) if gathered.takes(&text, self.bytes_max()) => {
                gathered.first_at.get_or_insert_with(|| self.platform.now());
                self.note(Stage::Writing);
                gathered.text.push_str(&text);
                if let Some(tell) = self.tell {
                    tell.tell_piece(text);
                }
            }
            Event::Delta(_) => {}
        }
    }

    fn note(&self, stage: Stage) {
        if let Some(tell) = self.tell {
            tell.note(Progress::at(stage));
        }
    }

    /// Also bounds what a listener that reads slowly, or not at all, can make us keep: pieces are never empty, so at most
    /// this many wait in the channel.
    fn bytes_max(&self) -> usize {
        self.output_tokens_max as usize * BYTES_PER_TOKEN_MAX
    }
}

impl Gathered {
    /// A provider that ignores the limit it was given must not fill our memory. After the first piece that is too much
    /// the text is over: a smaller one that follows would leave a hole.
    fn takes(&mut self, text: &str, bytes_max: usize) -> bool {
        self.is_cut |= self.text.len() + text.len() > bytes_max;
        !self.is_cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_first_dropped_piece_nothing_more_is_taken() {
        let mut gathered = Gathered::default();
        for piece in ["12345", "678901", "6", ""] {
            if gathered.takes(piece, 10) {
                gathered.text.push_str(piece);
            }
        }
        assert_eq!((gathered.text.as_str(), gathered.is_cut), ("12345", true));
    }
}
