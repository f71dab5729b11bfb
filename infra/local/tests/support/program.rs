use primitives::random_bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Longer than anything here takes; a hanging process fails its test instead of holding up all.
const PATIENCE: Duration = Duration::from_secs(60);

/// A working directory of the test's own: no `.env` of the machine, and gone with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        let name = format!("citipen-process-{:016x}", u64::from_be_bytes(random_bytes()));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The program as a person would call it here, with nothing else in its environment.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_citipen"));
        command.args(arguments).env_clear().current_dir(&self.0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(crate) async fn ended(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
        let mut command = self.program(arguments);
        let output = command.envs(settings.iter().copied()).output();
        tokio::time::timeout(PATIENCE, output).await.expect("the program ends").unwrap()
    }

    /// Starts the program on a free port and waits until its banner is told.
    pub(crate) async fn start(&self, arguments: &[&str]) -> Running {
        let mut program = self.program(arguments);
        program.args(["--port", "0"]);
        self.serving(program).await
    }

    /// The same after a shell has changed its limits.
    pub(crate) async fn start_limited(&self, limit: &str, arguments: &[&str]) -> Running {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{limit} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_citipen")]);
        shell.args(arguments).args(["--port", "0"]).env_clear().current_dir(&self.0).kill_on_drop(true);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.serving(shell).await
    }

    async fn serving(&self, mut program: Command) -> Running {
        let mut child = program.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let banner = tokio::time::timeout(PATIENCE, banner(&mut lines)).await.expect("a banner is told");
        let base = banner[0].split_whitespace().find(|word| word.starts_with("http://"));
        Running { base: base.unwrap().to_owned(), banner, child, lines }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn banner(lines: &mut Lines<BufReader<ChildStdout>>) -> Vec<String> {
    let mut banner = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let is_last = line.starts_with("A token lives");
        banner.push(line);
        if is_last {
            return banner;
        }
    }
    panic!("the program ended with its banner half told: {banner:?}");
}

/// The program, serving.
pub(crate) struct Running {
    pub(crate) base: String,
    pub(crate) banner: Vec<String>,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// How the program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Without the banner.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    /// As the kernel kills: without a word.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends the signal (`INT`, `TERM`) and waits for the end.
    pub(crate) async fn signal(self, signal: &str) -> Ended {
        self.send(signal).await;
        self.ended().await
    }

    pub(crate) async fn send(&self, signal: &str) {
        let pid = self.child.id().unwrap();
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().await.unwrap();
        assert!(sent.success());
    }

    pub(crate) async fn ended(self) -> Ended {
        tokio::time::timeout(PATIENCE, self.end()).await.expect("the program ends")
    }

    async fn end(mut self) -> Ended {
        let mut stdout = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            stdout.push(line);
        }
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        let status = self.child.wait().await.unwrap();
        Ended { code: status.code(), stdout: stdout.join("\n"), stderr }
    }

    pub(crate) async fn token(&self, person: &str) -> String {
        let url = format!("{}/sandbox/clerk/token?person={person}", self.base);
        client().get(url).send().await.unwrap().text().await.unwrap()
    }

    pub(crate) async fn get(&self, person: &str, path: &str) -> Value {
        let request = client().get(format!("{}{path}", self.base)).bearer_auth(self.token(person).await);
        json_of(request).await
    }

    /// Runs a tool and waits for the one JSON answer.
    pub(crate) async fn run(&self, person: &str, wish: &Value) -> Value {
        json_of(self.wish(person, wish).await).await
    }

    /// Runs a tool and leaves the events to the caller.
    pub(crate) async fn stream(&self, person: &str, wish: &Value) -> reqwest::Response {
        self.wish(person, wish).await.header(ACCEPT, "text/event-stream").send().await.unwrap()
    }

    async fn wish(&self, person: &str, wish: &Value) -> reqwest::RequestBuilder {
        let request = client().post(format!("{}/v1/runs", self.base)).bearer_auth(self.token(person).await);
        request.header(CONTENT_TYPE, "application/json").body(wish.to_string())
    }

    /// Orders a fault from the sandbox.
    pub(crate) async fn fault(&self, order: &Value) {
        let asked = client().post(format!("{}/sandbox/faults", self.base)).body(order.to_string());
        assert_eq!(asked.send().await.unwrap().status(), 201);
    }
}

async fn json_of(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tests look from outside, with a client of their own")]
pub(crate) fn client() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    // Every test has a runtime of its own; a pooled connection must not outlive the one it was made on.
    CLIENT.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap()
    })
}
