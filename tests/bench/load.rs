use crate::stack::Stack;
use crate::wire::{Answer, Connection, holds};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How a run's stream ends.
pub(crate) const RUN_DONE: &str = "event: done";

/// The same requests, sent in turn over some connections.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) authority: String,
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
    pub(crate) connections: usize,
    /// Between the first requests of two connections; paced answers keep them apart from then on.
    pub(crate) spread: Duration,
}

/// What a number of requests took, each.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) cpu_micros: u64,
    pub(crate) per_second: u64,
}

impl Load {
    /// Sends this many requests; `mark` must be in every answer.
    pub(crate) async fn make(&self, requests: usize, mark: &'static str, stack: &Stack) -> Taken {
        let (cpu, begun) = (stack.cpu_micros(), Instant::now());
        self.each(requests, mark, |_, _| ()).await;
        let (count, wall) = (requests as u64, begun.elapsed());
        Taken {
            cpu_micros: (stack.cpu_micros() - cpu) / count,
            per_second: count * 1_000_000 / u64::try_from(wall.as_micros()).unwrap(),
        }
    }

    /// How long it takes from each request to the mark in its answer.
    pub(crate) async fn times_to(&self, mark: &'static str, requests: usize) -> Vec<Duration> {
        let time =
            |begun, answer: Answer| answer.marked_at.unwrap_or_else(Instant::now).duration_since(begun);
        self.each(requests, mark, time).await
    }

    /// Sends every request once and returns what was answered, in no order.
    pub(crate) async fn bodies(&self) -> Vec<Vec<u8>> {
        self.each(self.requests.len(), "", |_, answer| answer.body).await
    }

    async fn each<T: Send + 'static>(
        &self,
        requests: usize,
        mark: &'static str,
        note: fn(Instant, Answer) -> T,
    ) -> Vec<T> {
        let turn = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for nth in 0..self.connections {
            let (load, turn) = (self.clone(), turn.clone());
            let wait = self.spread * u32::try_from(nth).unwrap();
            tasks.spawn(async move {
                tokio::time::sleep(wait).await;
                let mut connection = Connection::open(&load.authority).await;
                let mut notes = Vec::new();
                loop {
                    let at = turn.fetch_add(1, Ordering::Relaxed);
                    if at >= requests {
                        return notes;
                    }
                    let begun = Instant::now();
                    let answer = connection.ask(&load.requests[at % load.requests.len()], mark).await;
                    assert!(
                        holds(&answer.body, mark.as_bytes()),
                        "{}",
                        String::from_utf8_lossy(&answer.body)
                    );
                    notes.push(note(begun, answer));
                }
            });
        }
        tasks.join_all().await.into_iter().flatten().collect()
    }
}
