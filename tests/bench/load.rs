use crate::stack::Stack;
use crate::wire::{Connection, holds};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The same requests, sent in turn over some connections.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) authority: String,
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
    pub(crate) connections: usize,
    /// Between the first requests of two connections; paced answers keep them apart from then on.
    pub(crate) spread: Duration,
}

/// What a number of runs took.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) cpu_micros_per_run: u64,
    pub(crate) runs_per_second: u64,
}

impl Load {
    /// Makes this many runs, each to its end.
    pub(crate) async fn make(&self, runs: usize, stack: &Stack) -> Taken {
        let (cpu, begun) = (stack.cpu_micros(), Instant::now());
        self.each(runs, "event: done", |_, _| ()).await;
        let (count, wall) = (runs as u64, begun.elapsed());
        Taken {
            cpu_micros_per_run: (stack.cpu_micros() - cpu) / count,
            runs_per_second: count * 1_000_000 / u64::try_from(wall.as_micros()).unwrap(),
        }
    }

    /// How long it takes from each request to the mark in its answer.
    pub(crate) async fn times_to(&self, mark: &'static str, runs: usize) -> Vec<Duration> {
        self.each(runs, mark, |begun, marked| marked.duration_since(begun)).await
    }

    async fn each<T: Send + 'static>(
        &self,
        runs: usize,
        mark: &'static str,
        note: fn(Instant, Instant) -> T,
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
                    if at >= runs {
                        return notes;
                    }
                    let begun = Instant::now();
                    let answer = connection.ask(&load.requests[at % load.requests.len()], mark).await;
                    assert!(
                        holds(&answer.body, mark.as_bytes()),
                        "{}",
                        String::from_utf8_lossy(&answer.body)
                    );
                    notes.push(note(begun, answer.marked_at.unwrap_or_else(Instant::now)));
                }
            });
        }
        tasks.join_all().await.into_iter().flatten().collect()
    }
}
