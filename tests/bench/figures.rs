use std::fmt::Write;
use std::time::Duration;

/// A row of the table.
pub(crate) struct Figure {
    what: String,
    measured: String,
    target: &'static str,
    stretch: &'static str,
}

impl Figure {
    /// `bounds` are target and stretch.
    pub(crate) fn new(
        what: impl Into<String>,
        measured: impl Into<String>,
        bounds: (&'static str, &'static str),
    ) -> Figure {
        Figure { what: what.into(), measured: measured.into(), target: bounds.0, stretch: bounds.1 }
    }

    /// Without a budget.
    pub(crate) fn plain(what: impl Into<String>, measured: impl Into<String>) -> Figure {
        Figure::new(what, measured, ("", ""))
    }

    pub(crate) fn table(figures: &[Figure]) -> String {
        let mut table = String::from("\n| what | measured | target | stretch |\n|---|---|---|---|\n");
        for Figure { what, measured, target, stretch } in figures {
            let _ = writeln!(table, "| {what} | {measured} | {target} | {stretch} |");
        }
        table
    }
}

/// Milliseconds with two decimals; may be negative.
pub(crate) fn ms(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let hundredths = micros.unsigned_abs().div_ceil(10);
    format!("{sign}{}.{:02} ms", hundredths / 100, hundredths % 100)
}

/// Seconds with one decimal.
pub(crate) fn seconds(micros: u64) -> String {
    let tenths = micros.div_ceil(100_000);
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// `part` of `whole` with two decimals.
pub(crate) fn ratio(part: u64, whole: u64) -> String {
    let hundredths = part * 100 / whole.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Megabytes of 10^6 bytes with one decimal.
pub(crate) fn megabytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100_000);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) fn median<T: Ord + Copy>(values: impl IntoIterator<Item = T>) -> T {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_unstable();
    values[values.len() / 2]
}

/// Cores, kernel, and how busy others keep the machine: times mean nothing without it.
pub(crate) fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let loads = read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ");
    let model = model.unwrap_or("unknown processor");
    format!("{cores} × {model}, Linux {}, load {loads}", read("/proc/sys/kernel/osrelease").trim())
}
