//! `cargo run`: all of Citipen on one machine.

use citipen::args::{self, Command, Options};
use citipen::stores::Elsewhere;
use citipen::{Local, Stopped, Stops, open_files, openapi};
use platform::{LogSettings, LogSink, start_logs};
use std::collections::HashMap;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    match args::parse(std::env::args().skip(1)) {
        Ok(Command::Run(options)) => run(&options),
        Ok(Command::OpenApi) => print_openapi(),
        Ok(Command::Help) => say(args::HELP),
        Err(complaint) => refuse(&complaint),
    }
}

fn run(options: &Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("the runtime can't start: {error}")),
    };
    runtime.block_on(async {
        let given = match given() {
            Ok(given) => given,
            Err(complaint) => return refuse(&complaint),
        };
        let level = given.get("LOG_LEVEL").map(|level| level.trim()).filter(|level| !level.is_empty());
        let level = level.unwrap_or("warn").to_owned();
        start_logs(&LogSettings { level, metrics_namespace: None }, LogSink::Stderr);
        let local = match Local::start(options, given).await {
            Ok(local) => local,
            Err(error) => return refuse(&error.to_string()),
        };
        if let Err(complaint) = open_files::raise() {
            tracing::warn!("{complaint}");
        }
        let stops = match stops() {
            Ok(stops) => stops,
            Err(error) => return refuse(&format!("signals can't be heard: {error}")),
        };
        let elsewhere = local.elsewhere.clone();
        say(&welcome(&local.base, options, &elsewhere));
        let stopped = local.serve(stops).await;
        match elsewhere.is_nowhere() {
            true => say(farewell(stopped, options)),
            false => say(&format!("stopped; the stores keep what they hold ({elsewhere})")),
        }
    })
}

/// The environment, with what `.env` adds; the environment wins, but an empty variable counts as absent.
fn given() -> Result<HashMap<String, String>, String> {
    let mut given = HashMap::new();
    match dotenvy::from_filename_iter(".env") {
        Ok(lines) => {
            for line in lines {
                // The error would quote the line, and with it what may be a key.
                let (name, value) = line.map_err(|_| unreadable_env(given.len()))?;
                given.insert(name, value);
            }
        }
        Err(error) if error.not_found() => {}
        Err(error) => return Err(format!(".env can't be read: {error}")),
    }
    given.extend(std::env::vars().filter(|(_, value)| !value.trim().is_empty()));
    Ok(given)
}

fn unreadable_env(readable: usize) -> String {
    format!(
        ".env can't be read after its setting number {readable}: write NAME=value, one a line, comments on lines of \
         their own, and quote values that hold spaces, # or quotes"
    )
}

/// Ctrl-C and SIGTERM, each time they come.
fn stops() -> std::io::Result<Stops> {
    let (stopper, stops) = Stops::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signals, stopper) = (signal(kind)?, stopper.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                stopper.stop();
            }
        });
    }
    Ok(stops)
}

fn farewell(stopped: Stopped, options: &Options) -> &'static str {
    match (options.memory, stopped) {
        (true, _) => "stopped; nothing is kept, as --memory says",
        (false, Stopped::Whole) => "stopped; everything is kept",
        (false, Stopped::BrokenOff) => {
            "stopped; everything is kept, and the next start brings to their end the runs that were broken off"
        }
    }
}

fn welcome(base: &str, options: &Options, elsewhere: &Elsewhere) -> String {
    let data = if options.memory { "memory only".to_owned() } else { options.data.display().to_string() };
    let data = if elsewhere.is_nowhere() { data } else { format!("{data}; {elsewhere}") };
    format!(
        "\
Citipen is running at {base}   (data: {data}; Ctrl-C stops)
  the outside world and its faults: {base}/sandbox

Do the main job as ann, who gets $1.00 of welcome credit:

  TOKEN=$(curl -s '{base}/sandbox/clerk/token?person=ann')
  curl -s {base}/v1/pricing
  curl -s {base}/v1/account -H \"Authorization: Bearer $TOKEN\"
  curl -N {base}/v1/runs -H \"Authorization: Bearer $TOKEN\" -H 'Accept: text/event-stream' \\
    -H 'Content-Type: application/json' -d '{{\"tool\":\"script\",\"input\":{{\"prompt\":\"Ten seconds about a red kite\"}}}}'
  curl -s {base}/v1/runs -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\
    -d '{{\"tool\":\"image\",\"input\":{{\"prompt\":\"a red kite\"}}}}'
  curl -s {base}/v1/account/transactions -H \"Authorization: Bearer $TOKEN\"

Pay credit in (README: \"Pay credit in\"; the person `admin` is an administrator here):

  curl -s {base}/v1/top-ups -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\
    -d '{{\"method\":\"viet_qr\",\"credits\":{{\"amount\":500,\"unit\":\"USD cent\"}}}}'

A token lives a minute; ask for a fresh one when a call answers 401."
    )
}

fn print_openapi() -> ExitCode {
    match openapi().to_pretty_json() {
        Ok(document) => say(&document),
        Err(error) => refuse(&format!("the document can't be written: {error}")),
    }
}

#[expect(clippy::print_stdout, reason = "this is the terminal program")]
fn say(text: &str) -> ExitCode {
    println!("{text}");
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "this is the terminal program")]
fn refuse(text: &str) -> ExitCode {
    eprintln!("citipen: {text}");
    ExitCode::FAILURE
}
