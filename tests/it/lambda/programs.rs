//! The binaries, as cargo builds them.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// All functions' binaries of the development profile by their folders' names, built once.
///
/// Together with the tests, so that dependencies have the features they have in the test command: what it built is
/// then used again, and little but linking is left to do.
pub(super) fn of_development() -> &'static BTreeMap<String, PathBuf> {
    static PROGRAMS: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    PROGRAMS.get_or_init(|| build(&["--workspace", "--bins", "--tests"]))
}

/// The release binary of one function, built alone, as it is deployed.
pub(super) fn of_release(package: &str) -> PathBuf {
    build(&["--release", "-p", package]).remove(package).expect("the package has a binary of its name")
}

/// As from a terminal: cargo tells a test which package it is of, and build scripts that look at such variables would
/// run again, here and in the next test command.
pub(super) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        command.env_remove(name);
    }
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command
}

fn build(what: &[&str]) -> BTreeMap<String, PathBuf> {
    let arguments = ["build", "--locked", "--message-format=json-render-diagnostics"];
    let mut command = cargo();
    command.args(arguments).args(what).env("CARGO_TARGET_DIR", target()).stderr(Stdio::inherit());
    let output = command.output().unwrap();
    assert!(output.status.success(), "`cargo build {}` failed", what.join(" "));
    let messages = String::from_utf8(output.stdout).unwrap();
    let binary = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_binary = message["target"]["kind"][0] == "bin" && message["profile"]["test"] == false;
        let name = message["target"]["name"].as_str().filter(|_| is_binary)?;
        Some((name.to_owned(), PathBuf::from(message["executable"].as_str()?)))
    };
    messages.lines().filter_map(binary).collect()
}

/// The folder this test was built in; its binary lies in `<target>/<profile>/deps`.
fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}
