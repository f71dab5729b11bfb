//! How far a queued job is: it moves when somebody looks, never with the clock.

/// The stages of a job, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Waiting,
    Running,
    Done,
}

/// Counts the looks through up to two windows (ComfyUI is watched through its queue and its history).
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    looks: [u32; 2],
    late: u32,
    instant: bool,
    shown: Phase,
}

impl Progress {
    /// `late` looks are answered "waiting" first; an `instant` job is then done, others run for a look.
    pub(crate) fn new(late: u32, instant: bool) -> Progress {
        Progress { looks: [0; 2], late, instant, shown: Phase::Waiting }
    }

    /// Looks through a window: the answer never goes back, whatever window showed more before.
    pub(crate) fn look(&mut self, window: usize) -> Phase {
        self.shown = self.shown.max(self.phase_after(self.looks[window]));
        self.looks[window] = self.looks[window].saturating_add(1);
        self.shown
    }

    /// The stage without counting as a look.
    pub(crate) fn peek(&self) -> Phase {
        let looked = self.looks[0].max(self.looks[1]);
        if self.instant { self.shown.max(self.phase_after(looked)) } else { self.shown }
    }

    fn phase_after(&self, looks: u32) -> Phase {
        match looks.checked_sub(self.late) {
            None => Phase::Waiting,
            Some(_) if self.instant => Phase::Done,
            Some(0) => Phase::Waiting,
            Some(1) => Phase::Running,
            Some(_) => Phase::Done,
        }
    }
}
