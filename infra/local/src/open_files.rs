//! Every connection is an open file, and most systems allow a process a thousand unless it asks for more.

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// What macOS allows at most, whatever its hard limit says (`getrlimit(2)` there: `OPEN_MAX`).
const OPEN_MAX: rlim_t = 10_240;

/// Below this many a page with some tabs and the sandbox's own calls come into each other's way.
const ENOUGH: rlim_t = 1_024;

/// Raises this process's soft limit as far as it may. The error is one line for the terminal.
pub fn raise() -> Result<(), String> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(unknown)?;
    let wishes = [hard, hard.min(OPEN_MAX)];
    let raised = wishes.into_iter().filter(|wish| *wish > soft).find(|wish| set(*wish, hard).is_ok());
    let limit = raised.unwrap_or(soft);
    if limit < ENOUGH {
        return Err(format!(
            "only {limit} files may be open at once, and each connection is one: raise `ulimit -n` for more than a few callers"
        ));
    }
    Ok(())
}

fn set(soft: rlim_t, hard: rlim_t) -> Result<(), Errno> {
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)
}

fn unknown(errno: Errno) -> String {
    format!("the limit of open files can't be read ({errno}): many callers at once may be refused")
}
