//! What the local stack costs and how fast it is: `cargo bench -p citipen-tests [-- --sizes]`.
//!
//! `BENCH_PROGRAM=/some/citipen` measures another binary, say that of the commit before.
//!
//! Drives the release binary as a child process over HTTP and prints one table. The load comes from this process,
//! so its own work is in no figure but the runs per second, where both share the machine's cores.

mod figures;
mod load;
mod measures;
mod program;
mod seeds;
mod sizes;
mod stack;
mod wire;
#[path = "../it/world/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the scenarios' world; here it only counts write units")]
mod world;

use figures::Figure;
use std::path::PathBuf;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a terminal program")]
fn main() {
    let wants_sizes = std::env::args().any(|argument| argument == "--sizes");
    let given = std::env::var_os("BENCH_PROGRAM").map(PathBuf::from);
    let program = given.unwrap_or_else(|| program::build("citipen"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let before = figures::machine();
    let mut figures = runtime.block_on(measures::all(&program));
    if wants_sizes {
        figures.extend(sizes::all());
    }
    println!("{}", Figure::table(&figures));
    println!("Machine before: {before}\nMachine after:  {}", figures::machine());
    eprintln!(
        "Figures with the store on disk unless a row says otherwise; `--sizes` adds the functions' binaries."
    );
}
