use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What the functions printed on either output, in the order it arrived. Cloning shares it.
#[derive(Clone)]
pub struct Logs(Arc<Inner>);

struct Inner {
    lines: Mutex<Vec<(String, String)>>,
    count: watch::Sender<usize>,
}

impl Default for Logs {
    fn default() -> Logs {
        Logs(Arc::new(Inner { lines: Mutex::default(), count: watch::Sender::new(0) }))
    }
}

impl Logs {
    pub(crate) fn add(&self, function: &str, line: String) {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push((function.to_owned(), line));
        self.0.count.send_replace(lines.len());
    }

    /// The lines of one function.
    pub fn of(&self, function: &str) -> Vec<String> {
        let lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|(of, _)| of == function).map(|(_, line)| line.clone()).collect()
    }

    /// Every line of every function.
    pub fn all(&self) -> Vec<String> {
        let lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(_, line)| line.clone()).collect()
    }

    /// Waits for a line of the function that has this text in it.
    pub async fn line(&self, function: &str, text: &str) -> String {
        let mut count = self.0.count.subscribe();
        loop {
            count.borrow_and_update();
            if let Some(line) = self.of(function).into_iter().find(|line| line.contains(text)) {
                return line;
            }
            // The sender lives as long as `self`.
            let _ = count.changed().await;
        }
    }
}
