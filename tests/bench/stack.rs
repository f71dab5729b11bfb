use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// `/proc` counts processor time in hundredths of a second, whatever the kernel's own tick is.
const MICROS_PER_TICK: u64 = 10_000;

/// Where a stack lives: the address stays the same over restarts, so that sign-in tokens do too.
pub(crate) struct Site {
    pub(crate) program: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
}

/// The local stack as a child process.
pub(crate) struct Stack {
    child: Child,
    pid: u32,
    _stdout: BufReader<ChildStdout>,
}

impl Site {
    /// A folder and a port nobody uses.
    pub(crate) fn new(program: &Path) -> Site {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("citipen-bench-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Site { program: program.to_owned(), folder, port }
    }

    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the stack and waits until it listens. What it logs is shown.
    pub(crate) async fn start(&self, options: &[&str]) -> Stack {
        self.start_logging_to(options, Stdio::inherit()).await
    }

    /// As [`Site::start`], with its log kept aside.
    pub(crate) async fn start_quietly(&self, options: &[&str]) -> Stack {
        let log = std::fs::File::create(self.log()).unwrap();
        self.start_logging_to(options, log.into()).await
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    async fn start_logging_to(&self, options: &[&str], log: Stdio) -> Stack {
        let mut command = Command::new(&self.program);
        command.args(["--port", &self.port.to_string(), "--data", "data"]).args(options);
        command.env_clear().envs(UNLIMITED).current_dir(&self.folder).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        stdout.read_line(&mut banner).await.unwrap();
        assert!(banner.contains(&self.authority()), "the stack did not start: {banner}");
        Stack { pid: child.id().unwrap(), child, _stdout: stdout }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The limits protect a service against its callers; here they would only end the measurement.
const UNLIMITED: [(&str, &str); 6] = [
    ("OPEN_HOLDS_MAX", "100000"),
    ("UNPAID_OPEN_HOLDS_MAX", "100000"),
    ("RUNS_PER_MINUTE_MAX", "100000000"),
    ("USER_REQUESTS_PER_MINUTE_MAX", "100000000"),
    ("NETWORK_REQUESTS_PER_MINUTE_MAX", "100000000"),
    ("WELCOMES_PER_NETWORK_DAY_MAX", "100000000"),
];

impl Stack {
    /// Processor time of the whole process so far, user and system, in microseconds.
    pub(crate) fn cpu_micros(&self) -> u64 {
        let stat = self.proc("stat");
        // The name in brackets may hold blanks; the 14th and 15th fields are counted behind it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
        (ticks(11) + ticks(12)) * MICROS_PER_TICK
    }

    /// The most memory the process ever held, in bytes.
    pub(crate) fn memory_peak(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.pid)).unwrap()
    }

    /// Asks it to stop and waits.
    pub(crate) async fn stop(mut self) {
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.pid)]).status();
        assert!(asked.await.unwrap().success());
        assert!(self.child.wait().await.unwrap().success());
    }
}
