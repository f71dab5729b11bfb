use primitives::random_bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

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
        Running::of(self.program(arguments)).await
    }

    /// The same after a shell has changed its limits.
    pub(crate) async fn start_limited(&self, limit: &str, arguments: &[&str]) -> Running {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{limit} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_citipen")]);
        shell.args(arguments).env_clear().current_dir(&self.0).kill_on_drop(true);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::of(shell).await
    }

    /// The program with its folder `data` on a disk of this size, which only it sees. `keeper` is run by the shell before it.
    pub(crate) fn on_a_disk(&self, size: &str, keeper: &str) -> Command {
        let program = env!("CARGO_BIN_EXE_citipen");
        let script = format!(
            "mkdir -p data && mount -t tmpfs -o size={size} none data && {{ {keeper}\n exec {program} \"$@\"; }}"
        );
        let mut command = Command::new("/usr/bin/unshare");
        command.args(["--map-root-user", "--mount", "/bin/sh", "-c", &script, "sh"]);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(&self.0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Asks the keeper of a disk for something, by a file, and waits until it is done.
    pub(crate) async fn ask(&self, wish: &str, done: &str) {
        std::fs::write(self.0.join(wish), "").unwrap();
        until(async || self.0.join(done).exists().then_some(())).await;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn banner(lines: &mut Lines<BufReader<ChildStdout>>, stderr: &mut ChildStderr) -> Vec<String> {
    let mut banner = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let is_last = line.starts_with("A token lives");
        banner.push(line);
        if is_last {
            return banner;
        }
    }
    panic!("the program ended with its banner half told: {banner:?}; {}", complaint(stderr).await);
}

async fn complaint(stderr: &mut ChildStderr) -> String {
    let mut complaint = String::new();
    stderr.read_to_string(&mut complaint).await.unwrap();
    complaint
}

/// The program, serving.
pub(crate) struct Running {
    pub(crate) base: String,
    pub(crate) banner: Vec<String>,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What was read of its log so far.
    heard: String,
}

/// How the program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// Without the banner.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Looks again and again until there is something.
pub(crate) async fn until<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it comes")
}

impl Running {
    /// Starts it on a free port and waits until its banner is told.
    pub(crate) async fn of(mut command: Command) -> Running {
        let mut child = command.args(["--port", "0"]).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = child.stderr.as_mut().unwrap();
        let banner = banner(&mut lines, stderr);
        let banner = tokio::time::timeout(PATIENCE, banner).await.expect("a banner is told");
        let base = banner[0].split_whitespace().find(|word| word.starts_with("http://"));
        Running { base: base.unwrap().to_owned(), banner, child, lines, heard: String::new() }
    }

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
        let stderr = self.heard + &complaint(&mut self.child.stderr.take().unwrap()).await;
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

    /// Asks for a run that may be refused.
    pub(crate) async fn try_run(&self, person: &str, wish: &Value) -> reqwest::Response {
        self.wish(person, wish).await.send().await.unwrap()
    }

    /// Posts until it is accepted: what is ordered may need an exchange rate, which is fetched after the start.
    pub(crate) async fn post(&self, person: &str, path: &str, body: &Value) -> Value {
        until(async || {
            let request = client().post(format!("{}{path}", self.base)).bearer_auth(self.token(person).await);
            let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
            let answer = request.send().await.unwrap();
            let is_made = answer.status() == 201;
            let body = answer.text().await.unwrap();
            is_made.then(|| serde_json::from_str(&body).unwrap())
        })
        .await
    }

    /// A control call of the sandbox.
    pub(crate) async fn sandbox(&self, path: &str, body: &Value) {
        let asked = client().post(format!("{}/sandbox{path}", self.base)).body(body.to_string());
        let answer = asked.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    /// What a page of the sandbox shows.
    pub(crate) async fn outside(&self, path: &str) -> Value {
        json_of(client().get(format!("{}/sandbox{path}", self.base))).await
    }

    /// Posts a card order's form to SePay, as a browser does.
    pub(crate) async fn check_out(&self, order: &Value) {
        let mut form = String::new();
        for field in order["pay"]["fields"].as_array().unwrap() {
            let encode = |value: &Value| -> String {
                let text = value.as_str().unwrap();
                text.bytes().map(|byte| format!("%{byte:02x}")).collect()
            };
            form += &format!("{}={}&", encode(&field["name"]), encode(&field["value"]));
        }
        let request = client()
            .post(order["pay"]["action"].as_str().unwrap())
            .body(form.trim_end_matches('&').to_owned());
        let page = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").send().await.unwrap();
        assert_eq!(page.status(), 200);
    }

    /// Waits until all three rails were compared with their processors' lists, and returns how many differences each
    /// had. For a program that logs what it does (`LOG_LEVEL=info`).
    pub(crate) async fn compared(&mut self) -> Vec<u64> {
        let stderr = self.child.stderr.as_mut().unwrap();
        let heard = &mut self.heard;
        let reading = async {
            loop {
                let lines = heard.lines().filter(|line| line.contains("\"a rail was compared\""));
                let lines: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
                if lines.len() == 3 {
                    return lines.iter().map(|line| line["value"].as_u64().unwrap()).collect();
                }
                let mut piece = [0; 4096];
                let length = stderr.read(&mut piece).await.unwrap();
                assert!(length > 0, "the program ended: {heard}");
                heard.push_str(std::str::from_utf8(&piece[..length]).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect("the rails are compared")
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

/// Stores of another process, as far as the program can tell.
pub(crate) struct Theirs {
    stores: citipen::stores::Stores,
    pub(crate) dynamo: String,
    pub(crate) s3: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Theirs {
    pub(crate) async fn start() -> Theirs {
        use citipen::stores::{Place, Stores};
        let clock = primitives::Clock::system();
        let stores = Stores::open(&Place::Memory, &[], "", "other-media", &[], &clock).await.unwrap();
        let dynamo = format!("http://{}", stores.serve_dynamo().await.unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let s3 = format!("http://{}", listener.local_addr().unwrap());
        let service = stores.s3_service().unwrap();
        let objects = axum::Router::new().fallback(async move |request: axum::extract::Request| {
            service.call(request.map(s3s::Body::http_body_unsync)).await.unwrap().map(axum::body::Body::new)
        });
        let serving = tokio::spawn(async move { axum::serve(listener, objects).await.unwrap() });
        Theirs { stores, dynamo, s3, serving }
    }

    /// How many runs a table of entries says were charged.
    pub(crate) async fn charges(&self, table: &str) -> usize {
        let variables = self.stores.variables("http://s3.test").into_iter();
        let env = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let platform =
            self.stores.carry(&platform::Platform::build(env, primitives::Clock::system(), None).unwrap());
        let rows = platform.dynamo().scan().table_name(table).send().await.unwrap();
        rows.items()
            .iter()
            .filter(|row| row.get("kind").is_some_and(|kind| kind.as_s().is_ok_and(|kind| kind == "charge")))
            .count()
    }
}

impl Drop for Theirs {
    fn drop(&mut self) {
        self.serving.abort();
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
