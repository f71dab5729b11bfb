use crate::Settings;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSink {
    /// Lambda's: each line is an event in CloudWatch.
    Stdout,
    /// A terminal's, where `stdout` is for results.
    Stderr,
}

/// How this process logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// `LOG_LEVEL`: error, warn, info (default) or debug
    pub level: String,
    /// `METRICS_NAMESPACE`: where in CloudWatch numbers are counted; absent, they only stand in the log
    pub metrics_namespace: Option<String>,
}

/// Where our lines come from: the shared crates, and the functions by their crates' names.
const OURS: [&str; 20] = [
    "citipen",
    "account",
    "admin",
    "claim_transfer",
    "drives_function",
    "exchange_rates",
    "identity_webhook",
    "oauth_callback",
    "payment_reconciliation",
    "pricing",
    "provider_balances",
    "reservation_sweep",
    "run_tool",
    "runs_function",
    "provider_webhook",
    "run_poll",
    "sepay_webhook",
    "top_ups",
    "tron_poll",
    "uploads",
];

const LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];

impl LogSettings {
    /// What the settings say; a level that is none is a complaint.
    pub fn read(settings: &mut Settings<'_>) -> LogSettings {
        let level = settings.text_or("LOG_LEVEL", "info");
        if !LEVELS.contains(&level.as_str()) {
            settings.complain("LOG_LEVEL", &format!("must be one of {}, not `{level}`", LEVELS.join(", ")));
        }
        LogSettings { level, metrics_namespace: settings.optional("METRICS_NAMESPACE") }
    }
}

/// One JSON object per line. Only our own crates log below `warn`: a library's debug lines may hold contents.
///
/// An event with a field `metric` also prints its number for CloudWatch (`Metrics`). A second call changes nothing.
pub fn start_logs(settings: &LogSettings, sink: LogSink) {
    let _ = match sink {
        LogSink::Stdout => subscriber(settings, io::stdout).try_init(),
        LogSink::Stderr => subscriber(settings, io::stderr).try_init(),
    };
}

/// What [`start_logs`] installs, with a place for its lines that a test can read.
pub fn subscriber<W>(settings: &LogSettings, writer: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(writer.clone());
    let metrics = settings.metrics_namespace.clone().map(|namespace| Metrics { namespace, writer });
    tracing_subscriber::registry().with(targets(&settings.level)).with(lines).with(metrics)
}

fn targets(level: &str) -> Targets {
    let ours: LevelFilter = level.parse::<Level>().map_or(LevelFilter::INFO, LevelFilter::from_level);
    Targets::new()
        .with_default(LevelFilter::WARN)
        // The embedded store warns about every failed condition, which is everyday business here.
        .with_targets([("dynoxide", LevelFilter::ERROR), ("s3s", LevelFilter::ERROR)])
        .with_targets(OURS.map(|crate_name| (crate_name, ours)))
}

/// Prints the numbers among the log lines in CloudWatch's embedded metric format, one object on a line of its own:
/// `metric` names the number, `value` is it, 1 where the event says none. The line beside it tells what happened.
///
/// Without dimensions: the log line tells the rail or provider, and a metric per rail would need an alarm per rail.
/// Delivered at least once, so no number here is a ledger
/// (CloudWatch documentation, "Specification: Embedded metric format").
struct Metrics<W> {
    namespace: String,
    writer: W,
}

impl<S, W> Layer<S> for Metrics<W>
where
    S: Subscriber,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut number = Number::default();
        event.record(&mut number);
        let Some(metric) = number.metric else { return };
        let line = embedded(&self.namespace, &metric, number.value.unwrap_or(1), now_millis());
        // A log that can't be written has nowhere to say so.
        let _ = writeln!(self.writer.make_writer(), "{line}");
    }
}

#[derive(Default)]
struct Number {
    metric: Option<String>,
    value: Option<i64>,
}

impl Visit for Number {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "metric" {
            self.metric = Some(value.to_owned());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == "value" {
            self.value = Some(value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_i64(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

fn embedded(namespace: &str, metric: &str, value: i64, now_millis: u64) -> Value {
    let directive = json!({
        "Namespace": namespace, "Dimensions": [[]], "Metrics": [{ "Name": metric, "Unit": "Count" }],
    });
    let mut line = Map::new();
    line.insert("_aws".to_owned(), json!({ "Timestamp": now_millis, "CloudWatchMetrics": [directive] }));
    line.insert(metric.to_owned(), json!(value));
    Value::Object(line)
}

/// Of the machine's clock, as the log's own times are; CloudWatch refuses times far from now.
fn now_millis() -> u64 {
    primitives::Clock::system().now().millis()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines_of(work: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let writer = written.clone();
        let metrics = Metrics { namespace: "Citipen/test".to_owned(), writer: move || writer.clone() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(metrics), work);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_number_in_the_log_is_counted_by_cloudwatch_and_nothing_else_is() {
        let lines = lines_of(|| {
            tracing::info!(metric = "payments_waiting", value = 3_u32, rail = "viet_qr", "payments wait");
            tracing::warn!(metric = "rate_refused", "a rate was refused");
            tracing::info!(value = 7, "no number of ours");
        });

        let numbers: Vec<(&Value, &Value)> = lines
            .iter()
            .map(|line| (&line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Name"], line))
            .map(|(name, line)| (name, &line[name.as_str().unwrap()]))
            .collect();
        assert_eq!(numbers, [(&json!("payments_waiting"), &json!(3)), (&json!("rate_refused"), &json!(1))]);
        for line in &lines {
            assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Citipen/test");
            assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([[]]));
            assert!(line["_aws"]["Timestamp"].as_u64().is_some_and(|millis| millis > 1_700_000_000_000));
            assert_eq!(line.as_object().unwrap().len(), 2, "the number and nothing else: {line}");
        }
    }

    #[test]
    fn only_our_own_crates_talk_below_a_warning() {
        let targets = targets("info");
        for (target, level, is_told) in [
            ("citipen_runs::conduct", Level::INFO, true),
            ("citipen_runs", Level::DEBUG, false),
            ("run_tool", Level::INFO, true),
            ("hyper", Level::INFO, false),
            ("hyper", Level::WARN, true),
            ("dynoxide::actions", Level::WARN, false),
        ] {
            assert_eq!(targets.would_enable(target, &level), is_told, "{target} {level}");
        }
    }
}
