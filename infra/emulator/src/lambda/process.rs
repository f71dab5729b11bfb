//! What the kernel does with a process, and knows of it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

pub(super) fn send(pid: u32, signal: Signal) {
    let Ok(number) = i32::try_from(pid) else { return };
    if let Err(error) = kill(Pid::from_raw(number), signal) {
        // It has ended meanwhile; whoever waits for it tells.
        tracing::debug!(pid, error = %error, "a signal found nobody");
    }
}

/// Processor time of all threads so far, in nanoseconds as the scheduler counts. Threads that have ended are not in it.
pub(super) fn cpu(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_task = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.filter_map(of_task).sum())
}

/// The most memory it ever held, in bytes.
pub(super) fn memory_peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// Whether it is neither stopped nor at its end.
pub(super) fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name in brackets may hold anything; the state stands behind it.
    stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with(['T', 'Z', 'X']))
}
