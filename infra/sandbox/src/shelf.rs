//! A map that forgets its oldest entries, so that a long benchmark does not fill the memory.

use std::collections::{HashMap, VecDeque};

const KEPT: usize = 20_000;

/// Entries by id, the latest 20 000 of them.
pub(crate) struct Shelf<T> {
    entries: HashMap<String, T>,
    order: VecDeque<String>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Shelf<T> {
    pub(crate) fn put(&mut self, id: String, entry: T) {
        if self.entries.insert(id.clone(), entry).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.entries.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.entries.get_mut(id)
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Oldest first.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &String> {
        self.order.iter()
    }
}
