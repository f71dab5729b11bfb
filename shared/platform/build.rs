//! Lists the files of `infra/profiles` for `src/profiles.rs`, so that each is in every binary and no list in code names it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, error, fs};

fn main() -> Result<(), Box<dyn error::Error>> {
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../infra/profiles").canonicalize()?;
    // Of a folder cargo watches what is in it: files that change, come and go.
    println!("cargo::rerun-if-changed={}", folder.display());
    let files = fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = files.collect::<Result<Vec<PathBuf>, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();

    let mut source = String::from("pub(crate) const PROFILES: &[(&str, &str)] = &[\n");
    for file in &files {
        let name = file.file_stem().unwrap_or_default();
        writeln!(source, "    ({name:?}, include_str!({file:?})),")?;
    }
    source.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("profiles.rs"), source)?;
    Ok(())
}
