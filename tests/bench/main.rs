//! What the local stack costs and how fast it is: `cargo bench -p citipen-tests [-- --sizes]`.
//!
//! `-- --lambda` starts every function's release binary as Lambda would (`infra/emulator`) and prints a table of its
//! own, with the same work in Node and Python beside it.
//!
//! `-- --videos` prints only its last table: what `run-poll` holds while videos of up to 500 MiB pass.
//!
//! The last rows fuzz what takes money's messages, ten seconds each; `-- --fuzz [SECONDS] [--seed N]` does only that,
//! and `-- --payments` measures only the rows about payments. `-- --costs` prints what all of it costs at AWS.
//!
//! `BENCH_PROGRAM=/some/citipen` measures another binary, say that of the commit before.
//!
//! Drives the release binary as a child process over HTTP and prints one table. The load comes from this process,
//! so its own work is in no figure but the runs per second, where both share the machine's cores.

#[path = "../it/books.rs"]
#[expect(dead_code, reason = "the scenarios' own; the desk looks into them")]
mod books;
mod costs;
#[path = "../it/payments/desk.rs"]
#[expect(dead_code, reason = "the scenarios' own; here it only pays in")]
mod desk;
mod figures;
mod fuzz;
mod lambda;
mod load;
mod measures;
mod money;
mod program;
mod seeds;
mod sizes;
mod stack;
mod till;
mod wire;
#[path = "../it/world/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the scenarios' world; here it only counts")]
mod world;

use figures::Figure;
use fuzz::Fuzz;
use std::path::PathBuf;
use std::time::Duration;

/// For each target of the fuzz.
const FUZZ_SECONDS: u64 = 10;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a terminal program")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let wants = |name: &str| arguments.iter().any(|argument| argument == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if wants(costs::COUNT) {
        return runtime.block_on(costs::count_here());
    }
    let of_lambda = wants("--lambda").then_some(lambda::all as fn() -> String);
    if let Some(measure) = of_lambda.or(wants("--videos").then_some(lambda::videos)) {
        let before = figures::machine();
        println!("{}", measure());
        println!("Machine before: {before}\nMachine after:  {}", figures::machine());
        return;
    }
    let fuzz = Fuzz {
        seconds: Duration::from_secs(number(&arguments, "--fuzz").unwrap_or(FUZZ_SECONDS)),
        seed: number(&arguments, "--seed").unwrap_or_else(|| u64::from_be_bytes(primitives::random_bytes())),
    };
    let given = std::env::var_os("BENCH_PROGRAM").map(PathBuf::from);
    let program = given.unwrap_or_else(|| program::build("citipen"));
    let before = figures::machine();
    if wants("--costs") {
        println!("{}", runtime.block_on(costs::sheet(&program)));
        println!("Measured on {before}");
        return;
    }
    eprintln!("The seed of the fuzz is {}.", fuzz.seed);
    let (wants_fuzz, wants_payments) = (wants("--fuzz"), wants("--payments"));
    let mut figures = runtime.block_on(async {
        match (wants_fuzz, wants_payments) {
            (false, false) => measures::all(&program).await,
            (_, true) => money::all(&program).await,
            (true, false) => Vec::new(),
        }
    });
    if wants_fuzz || !wants_payments {
        figures.extend(runtime.block_on(fuzz.all(&program)));
    }
    if wants("--sizes") {
        figures.extend(sizes::all());
    }
    println!("{}", Figure::table(&figures));
    println!("Machine before: {before}\nMachine after:  {}", figures::machine());
    eprintln!(
        "Figures with the store on disk unless a row says otherwise; `--sizes` adds the functions' binaries."
    );
}

/// The number behind an option, if there is one.
fn number(arguments: &[String], name: &str) -> Option<u64> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1)?.parse().ok()
}
