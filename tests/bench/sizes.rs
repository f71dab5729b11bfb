use crate::figures::{Figure, megabytes};
use crate::program::{build, cargo};
use std::path::Path;

/// The stripped binary of each function, built one package at a time: building several at once would give all
/// of them the features of each.
pub(crate) fn all() -> Vec<Figure> {
    let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions");
    let mut names: Vec<String> = std::fs::read_dir(functions)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.iter().map(|name| size(name)).collect()
}

fn size(package: &str) -> Figure {
    let bytes = std::fs::metadata(build(package)).unwrap().len();
    let bounds = if uses_s3(package) { ("≤ 12 MB", "") } else { ("≤ 10 MB", "") };
    Figure::new(format!("binary of `{package}`"), megabytes(bytes), bounds)
}

/// Everybody could, through `platform`; who depends on `media` does.
fn uses_s3(package: &str) -> bool {
    let tree =
        cargo().args(["tree", "--edges", "normal", "--prefix", "none", "-p", package]).output().unwrap();
    String::from_utf8_lossy(&tree.stdout).contains("citipen-media ")
}
