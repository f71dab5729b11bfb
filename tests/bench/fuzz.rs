//! Spoilt inputs at everything that strangers can reach on the way to credit, for some seconds each.
//!
//! A failure prints the input, its number and the seed; `--fuzz --seed N` makes the same inputs again. (At the running
//! product they meet another clock and other ids.)

mod chance;
mod mutation;
mod readers;
mod route;
mod samples;

use crate::figures::Figure;
use chance::Chance;
use mutation::mutated;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// What one input is put to.
type Trial = fn(&mut Chance, &[u8], &[Vec<u8>]);

pub(crate) struct Fuzz {
    /// For each target.
    pub(crate) seconds: Duration,
    pub(crate) seed: u64,
}

impl Fuzz {
    pub(crate) async fn all(&self, program: &Path) -> Vec<Figure> {
        let mut figures = vec![
            self.reader("the bank webhook's body and signature", samples::transfers(), readers::bank),
            self.reader("the IPN's body and secret", samples::notifications(), readers::ipn),
            self.reader("the search for codes in a memo", samples::memos(), readers::memo),
        ];
        let begun = Instant::now();
        let execs = route::run(program, self.seconds, &mut Chance::new(self.seed)).await;
        figures.push(self.figure("both webhooks of the running product", execs, begun.elapsed()));
        figures
    }

    fn reader(&self, name: &str, samples: Vec<Vec<u8>>, trial: Trial) -> Figure {
        let (mut chance, mut execs, begun) = (Chance::new(self.seed), 0_u64, Instant::now());
        while begun.elapsed() < self.seconds {
            let input = mutated(&mut chance, &samples);
            if catch_unwind(AssertUnwindSafe(|| trial(&mut chance, &input, &samples))).is_err() {
                panic!("{name}: input {execs} of seed {}:\n{}", self.seed, input.escape_ascii());
            }
            execs += 1;
        }
        self.figure(name, execs, begun.elapsed())
    }

    fn figure(&self, name: &str, execs: u64, wall: Duration) -> Figure {
        let per_second = execs * 1_000 / u64::try_from(wall.as_millis()).unwrap().max(1);
        let what = format!("fuzz, seed {}: {name}", self.seed);
        Figure::plain(what, format!("{execs} inputs, {per_second} a second, none got through"))
    }
}
