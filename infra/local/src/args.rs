use std::path::PathBuf;
use std::time::Duration;

pub const HELP: &str = "\
Starts all of Citipen on this machine: stores, functions, schedules and a sandbox of the outside world.

usage: cargo run [--release] [-- OPTIONS]
  --port N        listen on 127.0.0.1:N (default 3000; 0 takes any free port)
  --data DIR      keep everything in DIR (default .local)
  --fresh         empty the data folder first
                  (erases it: keep a copy of what you may need)
  --memory        keep nothing on disk
  --zero-latency  the sandbox answers at once (for benches)
  --drain-ms N    after Ctrl-C let open requests and runs go on for N ms (default 5000); then each run that has
                  not ended is told so and its credit given back. Ctrl-C again stops at once
  --idle-ms N     close connections that send no whole request for N ms (default 30000)
  --help          this text
  openapi         print the OpenAPI document of all functions and end

With AWS_ENDPOINT_URL_DYNAMODB or AWS_ENDPOINT_URL_S3 the program uses the store there, with the keys in AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, and makes the tables or the bucket it misses.

Settings are read from the environment and from `.env`; `.env.example` explains each.";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Run(Options),
    OpenApi,
    Help,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub port: u16,
    pub data: PathBuf,
    pub fresh: bool,
    pub memory: bool,
    pub zero_latency: bool,
    /// How long what is open at a stop may go on.
    pub drain: Duration,
    /// How long a connection may take for the head of its next request, and again for its body.
    pub idle: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            port: 3000,
            data: PathBuf::from(".local"),
            fresh: false,
            memory: false,
            zero_latency: false,
            drain: Duration::from_secs(5),
            idle: Duration::from_secs(30),
        }
    }
}

/// The error is one line for the terminal.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || {
            let value = inline.clone().or_else(|| arguments.next());
            value.ok_or_else(|| format!("{name} needs a value; --help tells more"))
        };
        match name.as_str() {
            "--port" => {
                let text = value()?;
                options.port =
                    text.parse().map_err(|_| format!("--port needs a number up to 65535, not `{text}`"))?;
            }
            "--drain-ms" => options.drain = millis(&name, &value()?)?,
            "--idle-ms" => options.idle = millis(&name, &value()?)?.max(Duration::from_millis(1)),
            "--data" => options.data = PathBuf::from(value()?),
            "--fresh" => options.fresh = true,
            "--memory" => options.memory = true,
            "--zero-latency" => options.zero_latency = true,
            "--help" | "-h" => return Ok(Command::Help),
            "openapi" => return Ok(Command::OpenApi),
            _ => return Err(format!("`{name}` is no option; --help lists them")),
        }
    }
    Ok(Command::Run(options))
}

fn millis(name: &str, text: &str) -> Result<Duration, String> {
    let millis = text.parse().map_err(|_| format!("{name} needs a number of milliseconds, not `{text}`"));
    millis.map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn options_are_read_in_either_spelling() {
        let expected = Options { port: 4000, data: "x".into(), fresh: true, ..Options::default() };
        assert_eq!(parsed(&["--port", "4000", "--data=x", "--fresh"]), Ok(Command::Run(expected)));
    }

    #[test]
    fn a_wrong_option_is_named_in_one_line() {
        for (arguments, part) in [
            (vec!["--port", "99999"], "65535"),
            (vec!["--data"], "needs a value"),
            (vec!["--prot"], "--prot"),
            (vec!["--drain-ms", "soon"], "--drain-ms needs a number of milliseconds, not `soon`"),
            (vec!["--idle-ms"], "needs a value"),
        ] {
            let error = parsed(&arguments).unwrap_err();
            assert!(error.contains(part) && !error.contains('\n'), "{error}");
        }
    }
}
