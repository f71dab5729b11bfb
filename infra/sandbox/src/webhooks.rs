//! What a test does with jobs at vendors: ends them, and carries their webhooks itself.

use crate::{Delivery, Sandbox, apify, replicate};

impl Sandbox {
    /// Ends one of Replicate's predictions now, as it would have ended; false for an unknown id. Its webhooks are sent
    /// if it has one on this machine.
    pub fn finish_prediction(&self, id: &str) -> bool {
        replicate::finish(&self.world, id)
    }

    /// The webhook about the end of a prediction, signed now; `None` before the end, for a prediction without a
    /// webhook, and for an unknown id. A second one repeats id and body.
    pub fn prediction_webhook(&self, id: &str) -> Option<Delivery> {
        replicate::webhook(&self.world, id)
    }

    /// Ends one of Apify's runs now, as it would have ended; false for an unknown id. Its webhooks are sent if it has
    /// any on this machine.
    pub fn finish_actor_run(&self, id: &str) -> bool {
        apify::finish(&self.world, id)
    }

    /// The webhook about the end of a run, which nobody signs; `None` before the end, for a run without a webhook for
    /// that end, and for an unknown id.
    pub fn actor_run_webhook(&self, id: &str) -> Option<Delivery> {
        apify::webhook(&self.world, id)
    }
}
