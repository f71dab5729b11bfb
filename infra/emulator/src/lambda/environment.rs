use super::{Fleet, Function, FunctionError, Invocation, Reply, process, runtime_api};
use crate::connections::{Serving, serve};
use axum::body::Bytes;
use nix::sys::signal::Signal;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Lambda gives a start this long.
const INIT_MAX: Duration = Duration::from_secs(10);

/// One process of a function.
pub(super) struct Environment {
    fleet: Weak<Fleet>,
    function: String,
    arn: String,
    pid: u32,
    started: Instant,
    inbox: mpsc::UnboundedSender<Invocation>,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    state: Mutex<State>,
    _runtime_api: Mutex<Option<Serving>>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    is_waiting: bool,
    is_frozen: bool,
    polls: Vec<Poll>,
    memory_peak: u64,
    /// Why we killed it, if we did.
    killed: Option<Ending>,
    ending: Option<Ending>,
}

/// An event as the process gets it.
pub(super) struct Handed {
    pub(super) id: String,
    pub(super) event: Bytes,
    pub(super) deadline_ms: u64,
    pub(super) trace: String,
}

/// The event it works on.
struct Current {
    id: String,
    reply: Option<oneshot::Sender<Reply>>,
}

/// An environment's life so far.
#[derive(Debug, Clone)]
pub struct Course {
    pub pid: u32,
    /// One for each time it asked for an event: the first ends its start, each further one an invocation.
    pub polls: Vec<Poll>,
    /// It waits for an event and is stopped.
    pub is_frozen: bool,
    /// The most memory it held until its last poll, in bytes.
    pub memory_peak: u64,
    pub ending: Option<Ending>,
}

/// A moment at which it asked for its next event.
#[derive(Debug, Clone, Copy)]
pub struct Poll {
    /// Since the process was started.
    pub after: Duration,
    /// Processor time the process had taken by then.
    pub cpu: Duration,
}

/// How an environment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// By itself; a function never should.
    Exited(Option<i32>),
    /// Killed, because an invocation took longer than the function's timeout.
    TimedOut,
    /// Killed by the test.
    Killed,
}

impl Environment {
    /// Starts the process. It finds its Runtime API at an address of its own, as in Lambda.
    pub(super) fn start(fleet: &Arc<Fleet>, function: &Function) -> std::io::Result<Arc<Environment>> {
        let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let mut command = Command::new(&function.program);
        command.args(&function.arguments).env_clear();
        command.envs(lambdas_own(function, &fleet.region, &listener.local_addr()?.to_string()));
        command.envs(&function.variables);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let started = Instant::now();
        let mut child = command.spawn()?;
        let pid = child.id().ok_or_else(|| std::io::Error::other("the process ended at once"))?;
        let (inbox, events) = mpsc::unbounded_channel();
        let outputs = [
            tokio::spawn(keep_lines(child.stdout.take(), fleet.clone(), function.name.clone())),
            tokio::spawn(keep_lines(child.stderr.take(), fleet.clone(), function.name.clone())),
        ];
        let environment = Arc::new(Environment {
            fleet: Arc::downgrade(fleet),
            function: function.name.clone(),
            arn: format!("arn:aws:lambda:{}:123456789012:function:citipen-{}", fleet.region, function.name),
            pid,
            started,
            inbox,
            events: tokio::sync::Mutex::new(events),
            state: Mutex::default(),
            _runtime_api: Mutex::default(),
        });
        let api = serve(listener, runtime_api::router(environment.clone(), fleet.client_gone));
        *environment._runtime_api.lock().unwrap_or_else(PoisonError::into_inner) = Some(api);
        tokio::spawn(watch_start(environment.clone()));
        tokio::spawn(environment.clone().watch(child, outputs));
        Ok(environment)
    }

    pub(super) fn function(&self) -> &str {
        &self.function
    }

    pub(super) fn arn(&self) -> &str {
        &self.arn
    }

    pub(super) fn is_waiting_for(&self, function: &str) -> bool {
        let state = self.state();
        self.function == function && state.is_waiting && state.killed.is_none() && state.ending.is_none()
    }

    pub(super) fn give(&self, invocation: Invocation) {
        {
            let mut state = self.state();
            state.is_waiting = false;
            state.is_frozen = false;
        }
        if let Err(refused) = self.inbox.send(invocation) {
            fail(refused.0.reply, FunctionError::new("Runtime.ExitError", "the environment has ended"));
        }
    }

    pub(super) fn kill(&self) {
        self.kill_because(Ending::Killed);
    }

    pub(super) fn course(&self) -> Course {
        let state = self.state();
        Course {
            pid: self.pid,
            polls: state.polls.clone(),
            is_frozen: state.is_frozen,
            memory_peak: state.memory_peak,
            ending: state.ending.clone(),
        }
    }

    /// The process asks for its next event: what it worked on is over, and it is stopped until there is one.
    pub(super) async fn next(self: &Arc<Environment>) -> Option<Handed> {
        self.note_poll();
        let mut events = self.events.lock().await;
        let invocation = match events.try_recv() {
            Ok(invocation) => invocation,
            Err(_) => {
                self.freeze().await;
                let invocation = events.recv().await?;
                process::send(self.pid, Signal::SIGCONT);
                invocation
            }
        };
        let Invocation { id, event, deadline, deadline_ms, trace, reply } = invocation;
        self.state().current = Some(Current { id: id.clone(), reply: Some(reply) });
        tokio::spawn(watch_deadline(self.clone(), id.clone(), deadline));
        Some(Handed { id, event, deadline_ms, trace })
    }

    /// The one who waits for the answer to this event; each event is answered once.
    pub(super) fn take_reply(&self, id: &str) -> Option<oneshot::Sender<Reply>> {
        let mut state = self.state();
        state.current.as_mut().filter(|current| current.id == id)?.reply.take()
    }

    /// The start failed and the process says why; it ends by itself then.
    pub(super) fn note_failed_start(&self, error: FunctionError) {
        // Only a process that has started waits for events and holds this.
        let Ok(mut events) = self.events.try_lock() else { return };
        while let Ok(invocation) = events.try_recv() {
            fail(invocation.reply, error.clone());
        }
    }

    fn note_poll(&self) {
        let poll = Poll { after: self.started.elapsed(), cpu: process::cpu(self.pid) };
        let mut state = self.state();
        state.polls.push(poll);
        state.memory_peak = process::memory_peak(self.pid).unwrap_or(state.memory_peak);
        if let Some(current) = state.current.take()
            && let Some(reply) = current.reply
        {
            fail(
                reply,
                FunctionError::new("Runtime.Unanswered", "the function asked for the next event instead"),
            );
        }
    }

    /// The kernel stops a process soon after the signal, not with it.
    async fn freeze(&self) {
        process::send(self.pid, Signal::SIGSTOP);
        while process::runs(self.pid) {
            tokio::task::yield_now().await;
        }
        {
            let mut state = self.state();
            state.is_waiting = true;
            state.is_frozen = true;
        }
        self.tell();
    }

    fn kill_because(&self, ending: Ending) {
        {
            let mut state = self.state();
            if state.ending.is_some() || state.killed.is_some() {
                return;
            }
            state.killed = Some(ending);
        }
        process::send(self.pid, Signal::SIGKILL);
    }

    /// Waits for the end of the process and tells everybody who waits for it.
    async fn watch(self: Arc<Environment>, mut child: Child, outputs: [tokio::task::JoinHandle<()>; 2]) {
        let status = child.wait().await;
        for output in outputs {
            let _ = output.await;
        }
        let ending = {
            let mut state = self.state();
            let by_itself = || Ending::Exited(status.as_ref().ok().and_then(ExitStatus::code));
            let ending = state.killed.clone().unwrap_or_else(by_itself);
            state.ending = Some(ending.clone());
            state.is_waiting = false;
            ending
        };
        let error = match &ending {
            Ending::TimedOut => FunctionError::new("Sandbox.Timedout", "the function took too long"),
            ending => FunctionError::new("Runtime.ExitError", format!("the process ended: {ending:?}")),
        };
        // The Runtime API ends with the process that asked it, and gives the events back.
        self._runtime_api.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut events = self.events.lock().await;
        events.close();
        while let Ok(invocation) = events.try_recv() {
            fail(invocation.reply, error.clone());
        }
        let current = self.state().current.take();
        if let Some(reply) = current.and_then(|current| current.reply) {
            fail(reply, error);
        }
        self.tell();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        if let Some(fleet) = self.fleet.upgrade() {
            fleet.changed();
        }
    }
}

fn fail(reply: oneshot::Sender<Reply>, error: FunctionError) {
    // Nobody waits any more when the client has left.
    let _ = reply.send(Reply::Failed(error));
}

async fn watch_start(environment: Arc<Environment>) {
    tokio::time::sleep(INIT_MAX).await;
    if environment.state().polls.is_empty() {
        environment.kill_because(Ending::TimedOut);
    }
}

/// An invocation lasts until the process asks for its next event, not until it has answered.
async fn watch_deadline(environment: Arc<Environment>, id: String, deadline: Instant) {
    tokio::time::sleep_until(deadline).await;
    let is_current = environment.state().current.as_ref().is_some_and(|current| current.id == id);
    if is_current {
        environment.kill_because(Ending::TimedOut);
    }
}

async fn keep_lines(output: Option<impl AsyncRead + Unpin>, fleet: Arc<Fleet>, function: String) {
    let Some(output) = output else { return };
    let mut lines = BufReader::new(output).lines();
    loop {
        match lines.next_line().await {
            Ok(Some(line)) => fleet.logs.add(&function, line),
            Ok(None) => return,
            Err(error) => {
                tracing::error!(error = %error, "what {function} prints can't be read any more");
                return;
            }
        }
    }
}

/// What Lambda puts into the environment of every function on an OS-only runtime, and nothing else.
fn lambdas_own(function: &Function, region: &str, runtime_api: &str) -> Vec<(&'static str, String)> {
    let name = &function.name;
    let log_stream = format!("2026/01/01/[$LATEST]{}", crate::moment::uuid().replace('-', ""));
    vec![
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
        ("_HANDLER", "bootstrap".to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", format!("citipen-{name}")),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/citipen-{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO".to_owned()),
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        // The role's own, by which `iam` knows it.
        ("AWS_ACCESS_KEY_ID", name.clone()),
        ("AWS_SECRET_ACCESS_KEY", citipen::stores::SECRET_KEY.to_owned()),
        ("AWS_SESSION_TOKEN", crate::front::SESSION_TOKEN.to_owned()),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
        ("AWS_XRAY_DAEMON_ADDRESS", "169.254.79.129:2000".to_owned()),
        ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned()),
    ]
}
