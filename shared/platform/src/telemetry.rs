use crate::Settings;
use std::io;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Where log lines go.
pub enum LogSink {
    Stdout,
    Stderr,
}

/// Where our lines come from: the shared crates, and the functions by their crates' names.
const OURS: [&str; 8] = [
    "citipen",
    "account",
    "exchange_rates",
    "identity_webhook",
    "pricing",
    "reservation_sweep",
    "run_tool",
    "runs_function",
];

const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

/// `LOG_LEVEL`, info when absent.
pub(crate) fn read_level(settings: &mut Settings<'_>) -> String {
    let level = settings.text_or("LOG_LEVEL", "info");
    if !LEVELS.contains(&level.as_str()) {
        settings.complain("LOG_LEVEL", &format!("must be one of {}, not `{level}`", LEVELS.join(", ")));
    }
    level
}

/// One JSON object per line. Only our own crates log below `warn`: a library's debug lines may hold contents.
///
/// `level` is one of error, warn, info, debug; anything else counts as info. A second call changes nothing.
pub fn start_logs(level: &str, sink: LogSink) {
    match sink {
        LogSink::Stdout => install(level, io::stdout),
        LogSink::Stderr => install(level, io::stderr),
    }
}

fn install(level: &str, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let level = if LEVELS.contains(&level) { level } else { "info" };
    // The embedded store warns about every failed condition, which is everyday business here.
    let mut filter = String::from("warn,dynoxide=error,s3s=error");
    for ours in OURS {
        filter += &format!(",{ours}={level}");
    }
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(writer);
    let _ = tracing_subscriber::registry().with(EnvFilter::new(filter)).with(lines).try_init();
}
