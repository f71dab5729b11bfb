//! Lambda: functions, their environments, and who answers which event.

mod environment;
mod process;
mod runtime_api;

use crate::logs::Logs;
use axum::body::Bytes;
use environment::Environment;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

pub use environment::{Course, Ending, Poll};

/// Lambda takes events up to this size.
const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;

/// A program and how it is run.
#[derive(Debug, Clone)]
pub struct Function {
    pub name: String,
    pub program: PathBuf,
    /// None for our binaries; a script for other languages.
    pub arguments: Vec<String>,
    pub memory_mb: u64,
    pub timeout: Duration,
    /// What it has beside what Lambda gives to every function.
    pub variables: BTreeMap<String, String>,
}

/// What becomes of a function's answer when the client it was for has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientGone {
    /// It is read to its end and thrown away.
    #[default]
    Drained,
    /// The connection it comes on is reset.
    Cut,
}

/// A function's own account of why it could not answer, or Lambda's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct FunctionError {
    pub kind: String,
    pub message: String,
}

/// What a function answered.
#[derive(Debug)]
pub enum Reply {
    Whole(Bytes),
    Streamed(Streamed),
    Failed(FunctionError),
}

/// An answer that comes in parts. Dropping it is leaving.
#[derive(Debug)]
pub struct Streamed {
    pub content_type: String,
    pub parts: mpsc::Receiver<Part>,
}

/// The channel's end without a failure is the answer's end.
#[derive(Debug)]
pub enum Part {
    Data(Bytes),
    Failed(FunctionError),
}

/// The event reached no function.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    #[error("there is no function {0}")]
    Unknown(String),
    #[error("the event has {0} bytes, more than Lambda takes")]
    TooLarge(usize),
    #[error("the environment can't be started: {0}")]
    Start(#[from] std::io::Error),
}

/// All functions and their environments. Cloning shares them.
#[derive(Clone)]
pub struct Lambda(pub(crate) Arc<Fleet>);

pub(crate) struct Fleet {
    functions: Vec<Function>,
    client_gone: ClientGone,
    logs: Logs,
    region: String,
    environments: Mutex<Vec<Arc<Environment>>>,
    clients_left: AtomicUsize,
    /// Told whenever an environment changes or a client leaves.
    changes: watch::Sender<u64>,
}

/// A client that waits for an answer. Dropped before it was told the end, it has left.
pub(crate) struct Client {
    fleet: Arc<Fleet>,
    is_served: bool,
}

/// One event on its way to an environment.
pub(crate) struct Invocation {
    pub(crate) id: String,
    pub(crate) event: Bytes,
    pub(crate) deadline: Instant,
    pub(crate) deadline_ms: u64,
    pub(crate) trace: String,
    pub(crate) reply: oneshot::Sender<Reply>,
}

impl FunctionError {
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> FunctionError {
        FunctionError { kind: kind.to_owned(), message: message.into() }
    }
}

impl Lambda {
    pub fn new(functions: Vec<Function>, region: &str, client_gone: ClientGone, logs: Logs) -> Lambda {
        Lambda(Arc::new(Fleet {
            functions,
            client_gone,
            logs,
            region: region.to_owned(),
            environments: Mutex::default(),
            clients_left: AtomicUsize::new(0),
            changes: watch::Sender::new(0),
        }))
    }

    /// Gives the event to an environment that waits, or to a new one.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Reply, InvokeError> {
        let reply = self.send(function, event, &format!("Root={}", crate::moment::trace_root()))?;
        let lost = || Reply::Failed(FunctionError::new("Runtime.Unknown", "the environment went away"));
        Ok(reply.await.unwrap_or_else(|_| lost()))
    }

    /// The same without waiting for the answer. `trace` begins with `Root=`.
    pub(crate) fn send(
        &self,
        function: &str,
        event: &Value,
        trace: &str,
    ) -> Result<oneshot::Receiver<Reply>, InvokeError> {
        let known = self.0.functions.iter().find(|known| known.name == function);
        let known = known.ok_or_else(|| InvokeError::Unknown(function.to_owned()))?;
        let event = Bytes::from(event.to_string());
        if event.len() > EVENT_BYTES_MAX {
            return Err(InvokeError::TooLarge(event.len()));
        }
        let (reply, replied) = oneshot::channel();
        let parent = &crate::moment::uuid().replace('-', "")[..16];
        let invocation = Invocation {
            id: crate::moment::uuid(),
            event,
            deadline: Instant::now() + known.timeout,
            deadline_ms: crate::moment::now().after(known.timeout).millis(),
            trace: format!("{trace};Parent={parent};Sampled=1"),
            reply,
        };
        // Taken and given the event under one lock, so that no two events meet in one environment.
        let mut environments = self.0.environments();
        let waiting = environments.iter().rev().find(|environment| environment.is_waiting_for(function));
        match waiting {
            Some(environment) => environment.give(invocation),
            None => {
                let environment = Environment::start(&self.0, known)?;
                environment.give(invocation);
                environments.push(environment);
            }
        }
        Ok(replied)
    }

    /// Everything that is known of the function's environments, in the order of their start.
    pub fn courses(&self, function: &str) -> Vec<Course> {
        let environments = self.0.environments();
        environments.iter().filter(|one| one.function() == function).map(|one| one.course()).collect()
    }

    /// Waits until the function has nothing to do: each of its environments is frozen or has ended.
    pub async fn rest(&self, function: &str) {
        self.until(|| {
            self.courses(function).iter().all(|course| course.is_frozen || course.ending.is_some())
        })
        .await;
    }

    /// As [`Lambda::rest`], of all functions.
    pub async fn rest_all(&self) {
        for function in &self.0.functions {
            self.rest(&function.name).await;
        }
    }

    /// Kills every environment of the function, as a crash would.
    pub fn kill(&self, function: &str) {
        for environment in self.0.environments().iter().filter(|one| one.function() == function) {
            environment.kill();
        }
    }

    /// Waits until so many clients in all have left before their answer's end, and the gateway has noticed.
    pub async fn clients_left(&self, count: usize) {
        self.until(|| self.0.clients_left.load(Ordering::SeqCst) >= count).await;
    }

    pub(crate) fn client(&self) -> Client {
        Client { fleet: self.0.clone(), is_served: false }
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        let mut changes = self.0.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if is_so() {
                return;
            }
            // The sender lives as long as `self`.
            let _ = changes.changed().await;
        }
    }
}

impl Client {
    pub(crate) fn served(&mut self) {
        self.is_served = true;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !self.is_served {
            self.fleet.clients_left.fetch_add(1, Ordering::SeqCst);
            self.fleet.changed();
        }
    }
}

impl Fleet {
    fn environments(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Environment>>> {
        self.environments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}
