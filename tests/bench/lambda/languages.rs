//! The same trivial function in the languages that most functions are written in.

use emulator::Function;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What their packages need, in the pinned versions, and how they are started.
pub(super) fn install() -> Vec<Function> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/lambda");
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("bench-lambda");
    let installed = Command::new(here.join("install.sh")).arg(&target).status().unwrap();
    assert!(installed.success(), "the other languages' packages can't be installed");
    let path = |path: PathBuf| path.to_str().unwrap().to_owned();
    let node = vec!["--use-openssl-ca".to_owned(), path(target.join("node/prices.mjs"))];
    let python = vec![path(here.join("prices.py"))];
    vec![
        function("the price table in Node 20", program("node"), node),
        function("the price table in Python 3.11", target.join("python/bin/python"), python),
    ]
}

fn function(name: &str, program: PathBuf, arguments: Vec<String>) -> Function {
    let variables = BTreeMap::from([("TABLE_PREFIX".to_owned(), "citipen-".to_owned())]);
    Function {
        name: name.to_owned(),
        program,
        arguments,
        memory_mb: 256,
        timeout: Duration::from_secs(20),
        variables,
    }
}

/// Where a program of the search path is.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed"))
}
