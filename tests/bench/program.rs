use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Builds the release binary of a package, as its owner would, and tells where it is.
pub(crate) fn build(package: &str) -> PathBuf {
    let output = cargo()
        .args(["build", "--release", "--message-format=json-render-diagnostics", "-p", package])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{package} does not build");
    let messages = String::from_utf8(output.stdout).unwrap();
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_ours = message["target"]["name"] == package;
        message["executable"].as_str().filter(|_| is_ours).map(PathBuf::from)
    };
    messages.lines().find_map(executable).expect("the package has a binary of its name")
}

pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
