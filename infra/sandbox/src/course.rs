//! How a long job moves: with the looks of its caller in an instant sandbox, else by a clock of its own.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::progress::{Phase, Progress};
use crate::{Fault, World};

/// A tick in gaps of a paced stream: a second and a half at the usual 25 ms.
const GAPS_PER_TICK: u32 = 60;

/// Where a job is on its way.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    progress: Progress,
    moves_by_looks: bool,
    is_cut_short: bool,
}

impl Course {
    /// `late` makes it wait for so many looks, or ticks, longer.
    pub(crate) fn new(fault: Option<&Fault>, is_instant: bool) -> Course {
        let late = match fault {
            Some(Fault::Late { polls }) => *polls,
            _ => 0,
        };
        let progress = Progress::new(late, is_instant);
        Course { progress, moves_by_looks: is_instant, is_cut_short: false }
    }

    /// The caller looks.
    pub(crate) fn look(&mut self) -> Phase {
        if self.is_cut_short {
            return Phase::Done;
        }
        if self.moves_by_looks { self.progress.look(0) } else { self.progress.peek() }
    }

    /// The job's own clock moves it on.
    pub(crate) fn tick(&mut self) -> Phase {
        if self.is_cut_short { Phase::Done } else { self.progress.look(0) }
    }

    /// Done at once.
    pub(crate) fn cut_short(&mut self) {
        self.is_cut_short = true;
    }
}

/// Ticks a job to its end, unless the sandbox is instant; `step` answers whether it is over.
pub(crate) fn run(world: &Arc<World>, pace_ms: u64, step: impl Fn(&Arc<World>) -> bool + Send + 'static) {
    if world.config.zero_latency {
        return;
    }
    let tick = Duration::from_millis(pace_ms) * GAPS_PER_TICK;
    let world: Weak<World> = Arc::downgrade(world);
    tokio::spawn(async move {
        while world.upgrade().is_some_and(|world| !step(&world)) {
            tokio::time::sleep(tick).await;
        }
    });
}
