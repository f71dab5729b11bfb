//! What was counted, and how the counting process hands it over between the product's log lines.

use crate::world::Tally;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::process::Stdio;
use tokio::process::Command;

/// Tells this program, started again by itself, to count.
pub(crate) const COUNT: &str = "--costs-count";

/// Numbers in log lines are printed for CloudWatch too, as in the cloud.
pub(crate) const NAMESPACE: &str = "Citipen/costs";

/// No log line begins like this: they are JSON objects.
const MARK: &str = "= ";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Script,
    Image,
    Failed,
    SignUp,
    AccountPage,
    Bank,
    Card,
    Usdt,
    /// A poll that found nothing, to be taken off one that did.
    UsdtQuiet,
    /// A schedule in a stack where nothing happens.
    Tick,
    /// Its first tick ever.
    Warming,
}

/// What a step asks of the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Work {
    Script,
    Image,
    Failed,
    ClerkWebhook,
    Preflight,
    AccountPage,
    Order,
    Checkout,
    Look,
    BankWebhook,
    CardWebhook,
    Tick,
}

/// One thing that one function did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) kind: Kind,
    pub(crate) work: Work,
    pub(crate) function: String,
    pub(crate) tally: Tally,
    /// Through the front door.
    pub(crate) requests: u64,
    /// Heads included, here and in the answers.
    pub(crate) asked_bytes: u64,
    pub(crate) answer_bytes: u64,
    /// Requests to others: providers, processors, Clerk.
    pub(crate) outside: u64,
    /// Their paths and bodies.
    pub(crate) outside_bytes: u64,
    /// By how much the tables have grown.
    pub(crate) stored_bytes: u64,
    pub(crate) log_lines: u64,
    pub(crate) log_bytes: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Mark {
    Begin,
    End(Counted),
}

impl Mark {
    pub(crate) fn line(&self) -> String {
        format!("{MARK}{}", serde_json::to_string(self).unwrap())
    }

    fn of(line: &str) -> Option<Mark> {
        Some(serde_json::from_str(line.strip_prefix(MARK)?).unwrap())
    }
}

impl Counted {
    /// How often a function was called: the front door answers preflights by itself.
    pub(crate) fn invocations(&self) -> u64 {
        if self.is_front_doors() { 0 } else { self.requests }
    }

    pub(crate) fn is_front_doors(&self) -> bool {
        self.work == Work::Preflight
    }

    /// Requests of somebody whose limit counts them.
    pub(crate) fn signed_in(&self) -> u64 {
        match self.work {
            Work::Script | Work::Image | Work::Failed | Work::AccountPage | Work::Order | Work::Look => {
                self.requests
            }
            Work::Preflight | Work::Checkout | Work::ClerkWebhook => 0,
            Work::BankWebhook | Work::CardWebhook | Work::Tick => 0,
        }
    }

    /// What is left without the other.
    pub(crate) fn without(&self, other: &Counted) -> Counted {
        Counted {
            tally: self.tally - other.tally,
            outside: self.outside.saturating_sub(other.outside),
            outside_bytes: self.outside_bytes.saturating_sub(other.outside_bytes),
            log_lines: self.log_lines.saturating_sub(other.log_lines),
            log_bytes: self.log_bytes.saturating_sub(other.log_bytes),
            ..self.clone()
        }
    }
}

/// Starts this program again to count, and reads what it says.
pub(crate) async fn count() -> Vec<Counted> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg(COUNT)
        .env("METRICS_NAMESPACE", NAMESPACE)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "the counting failed: {}", output.status);
    read(&String::from_utf8(output.stdout).unwrap())
}

fn read(output: &str) -> Vec<Counted> {
    let (mut steps, mut lines, mut bytes) = (Vec::new(), 0, 0);
    for line in output.lines() {
        match Mark::of(line) {
            Some(Mark::Begin) => (lines, bytes) = (0, 0),
            Some(Mark::End(counted)) => {
                steps.push(Counted { log_lines: lines, log_bytes: bytes, ..counted });
            }
            None if is_ours(line) => {
                lines += 1;
                bytes += line.len() as u64 + 1;
            }
            None => {}
        }
    }
    steps
}

/// The outside world and the local run log too, in the same process.
fn is_ours(line: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no log line: {line}"));
    let of_others = |target: &str| target.starts_with("citipen_sandbox") || target.starts_with("citipen::");
    // A line of numbers has no target.
    !line["target"].as_str().is_some_and(of_others)
}
