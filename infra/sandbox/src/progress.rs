//! How far a queued job is: it moves when somebody looks, or when it is told to end.

/// The stages of a job, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Waiting,
    Running,
    Done,
}

/// Counts the looks through up to three windows (ComfyUI is watched through its queue, its history and its list of jobs).
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    looks: [u32; 3],
    /// How many looks find it waiting.
    waiting: u32,
    /// How many looks after those find it running.
    running: u32,
    instant: bool,
    shown: Phase,
}

impl Progress {
    /// `late` looks are answered "waiting" first; an `instant` job is then done, others wait and run for a look.
    pub(crate) fn new(late: u32, instant: bool) -> Progress {
        Progress::lasting(late, instant, 1)
    }

    /// A job of minutes: it waits and runs for three looks.
    pub(crate) fn long(late: u32, instant: bool) -> Progress {
        Progress::lasting(late, instant, 3)
    }

    fn lasting(late: u32, instant: bool, looks: u32) -> Progress {
        let looks = if instant { 0 } else { looks };
        let waiting = late.saturating_add(looks);
        Progress { looks: [0; 3], waiting, running: looks, instant, shown: Phase::Waiting }
    }

    /// Looks through a window: the answer never goes back, whatever window showed more before.
    pub(crate) fn look(&mut self, window: usize) -> Phase {
        self.shown = self.shown.max(self.phase_after(self.looks[window]));
        self.looks[window] = self.looks[window].saturating_add(1);
        self.shown
    }

    /// The stage without counting as a look.
    pub(crate) fn peek(&self) -> Phase {
        if self.instant { self.shown.max(self.phase_after(self.looked())) } else { self.shown }
    }

    /// The job ends now, however few have looked.
    pub(crate) fn finish(&mut self) {
        self.shown = Phase::Done;
    }

    /// How many others stand before it in the queue: one fewer with each look, none at the last one that finds it waiting.
    pub(crate) fn ahead(&self) -> u32 {
        self.waiting.saturating_sub(self.looked().max(1))
    }

    /// How many steps of its work were seen; at least one, as soon as it runs.
    pub(crate) fn steps(&self) -> u32 {
        self.looked().saturating_sub(self.waiting).clamp(1, self.running.max(1))
    }

    fn looked(&self) -> u32 {
        self.looks.into_iter().max().unwrap_or(0)
    }

    fn phase_after(&self, looks: u32) -> Phase {
        match looks.checked_sub(self.waiting) {
            None => Phase::Waiting,
            Some(past) if past < self.running => Phase::Running,
            Some(_) => Phase::Done,
        }
    }
}
