//! What can't be counted on one machine: how Lambda and its neighbours behave, and how long others take.
//!
//! Each is a number that stands in the sheet's legend; change it here and the sheet follows.

use super::steps::{Counted, Work};

/// A streamed script, an image, and two providers that refuse.
const SCRIPT_MS: u64 = 10_000;
const IMAGE_MS: u64 = 8_000;
const REFUSALS_MS: u64 = 2_000;
/// A request to a processor, an indexer, a feed or Clerk.
const OUTSIDE_MS: u64 = 300;
/// A call of a store from a Lambda, half of the time ("Latency measured from Lambda": a put takes 7.55 ms).
const STORE_MS: u64 = 8;
/// A function of this size has one processor.
const WHOLE_PROCESSOR_MB: u64 = 1_769;
/// A tick without work; the local stack can't be measured for one alone.
const TICK_CPU_MICROS: u64 = 5_000;
/// A new environment, from its start to its first request.
const INIT_MS: u64 = 150;
/// Of so many requests one meets a new environment.
const COLD_ONE_IN: u64 = 100;
/// An environment that is kept warm is asked so often,
const ASKED_EVERY_MS: u64 = 10_000;
/// and reads its secrets anew so often.
const SECRETS_MS: u64 = 5 * 60 * 1_000;
/// An environment that was not asked for so long is taken to be gone.
pub(crate) const WARM_MINUTES: u64 = 5;
/// A bucket key stands for so many requests.
pub(crate) const BUCKET_KEY_ONE_IN: u128 = 100;
/// A provider's picture; the sandbox's is smaller.
pub(crate) const IMAGE_BYTES: u64 = 1_000_000;
/// CloudWatch adds so much to every event.
const EVENT_BYTES: u64 = 26;

/// What Lambda itself writes of an invocation at the level INFO, in its JSON format.
const PLATFORM_LINES: [&str; 2] = [
    r#"{"time":"2026-01-01T00:00:00.000Z","type":"platform.start","record":{"requestId":"00000000-0000-0000-0000-000000000000","version":"$LATEST","tracing":{"spanId":"0000000000000000","type":"X-Amzn-Trace-Id","value":"Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=1"}}}"#,
    r#"{"time":"2026-01-01T00:00:00.000Z","type":"platform.report","record":{"requestId":"00000000-0000-0000-0000-000000000000","metrics":{"durationMs":10000.000,"billedDurationMs":10000,"memorySizeMB":256,"maxMemoryUsedMB":64},"tracing":{"spanId":"0000000000000000","type":"X-Amzn-Trace-Id","value":"Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=1"},"status":"success"}}"#,
];

/// Log bytes as CloudWatch takes them in.
pub(crate) fn log_bytes(step: &Counted, invocations: u64) -> u64 {
    let platform: u64 = PLATFORM_LINES.iter().map(|line| line.len() as u64 + EVENT_BYTES).sum();
    step.log_bytes + step.log_lines * EVENT_BYTES + invocations * platform
}

/// A line of the front door is taken to be as long as its format.
pub(crate) fn access_log_bytes(format: Option<&str>) -> u64 {
    format.map_or(0, |format| format.len() as u64 + EVENT_BYTES)
}

/// How long a function of this size is busy with a step, in microseconds.
pub(crate) fn duration_micros(step: &Counted, cpu_micros: u64, memory_mb: u64) -> u64 {
    let waiting_ms = match step.work {
        Work::Script => SCRIPT_MS,
        Work::Image => IMAGE_MS,
        Work::Failed => REFUSALS_MS,
        _ => step.outside * OUTSIDE_MS,
    };
    let stores_ms = step.tally.rounds * STORE_MS;
    (waiting_ms + stores_ms) * 1_000 + cpu_micros * WHOLE_PROCESSOR_MB.max(memory_mb) / memory_mb
}

pub(crate) fn tick_cpu_micros() -> u64 {
    TICK_CPU_MICROS
}

/// What a million requests take for starting environments, in microseconds.
pub(crate) fn init_micros(requests: u128) -> u128 {
    requests * u128::from(INIT_MS) * 1_000 / u128::from(COLD_ONE_IN)
}

/// One environment's start.
pub(crate) fn start_micros() -> u64 {
    INIT_MS * 1_000
}

/// How often secrets are read for so many requests: at every start, and every five minutes.
pub(crate) fn secret_readings(requests: u128) -> u128 {
    let starts = requests / u128::from(COLD_ONE_IN);
    starts + requests * u128::from(ASKED_EVERY_MS) / u128::from(SECRETS_MS)
}

/// GetParameters takes ten names at most.
pub(crate) fn calls_for(secrets: u64) -> u64 {
    secrets.div_ceil(10)
}

pub(crate) fn legend() -> String {
    format!(
        "Lines without a letter are counted in the scenarios' world, per request and per byte; a write that was refused \
         by its condition counts as one unit. How AWS itself behaves was read or is believed, not measured:\n\
         - **a** Lambda time: waiting is assumed ({} s a script, {} s an image, {} s for two refusals, {OUTSIDE_MS} ms \
         each other request to the outside), store round trips are counted and taken as {STORE_MS} ms, our own \
         processor time is measured (embedded stores and outside world included) and stretched to the function's \
         share of a processor ({WHOLE_PROCESSOR_MB} MB is a whole one); one request in {COLD_ONE_IN} starts an \
         environment, {INIT_MS} ms. Memory is `template.yaml`'s.\n\
         - **b** Our log lines are counted at the level info; Lambda's own two an invocation, the front door's if it \
         has any, and CloudWatch's {EVENT_BYTES} bytes an event are added.\n\
         - **c** Every request is traced: below one a second X-Ray's default rule takes all; above, one in twenty, \
         and this line falls to a twentieth.\n\
         - **d** Secrets are read at every start of an environment and every {} minutes, one being asked every \
         {} seconds; KMS is asked once for each secret. A bucket key stands for {BUCKET_KEY_ONE_IN} S3 requests. \
         Table keys depend on time, not on requests, and stand in the month.\n\
         - **e** The limits per person and network write once for a sixteenth of the limit.\n\
         - **f** Answers are counted with their heads, requests to others by path and body. A picture is taken as \
         {} KB, opened once; a script is as short as the sandbox's. No answer reaches the 6 MB that Lambda streams \
         for nothing.\n\
         - **g** Stored for one month; pictures and texts are removed after 30 days, ledger and usage log stay.\n\
         - **h** As a; a schedule's own processor time is taken as {} ms, and one that is ticked every {WARM_MINUTES} \
         minutes or less often starts an environment each time.\n\
         - **k** One for each table that a ticked function may touch, every {WARM_MINUTES} minutes or every tick: DynamoDB \
         keeps a table's key that long for each caller.\n\
         - **m** Every name that a log line of the sources counts under; hours without a number are free.\n",
        SCRIPT_MS / 1_000,
        IMAGE_MS / 1_000,
        REFUSALS_MS / 1_000,
        SECRETS_MS / 60_000,
        ASKED_EVERY_MS / 1_000,
        IMAGE_BYTES / 1_000,
        TICK_CPU_MICROS / 1_000,
    )
}
