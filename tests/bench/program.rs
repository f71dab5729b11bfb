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

/// As from a terminal: cargo tells a bench which package it is of, and build scripts that look at such variables
/// would run again, here and in the next command.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        command.env_remove(name);
    }
    command
}
