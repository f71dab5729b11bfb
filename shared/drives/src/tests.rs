//! What may become of a save, and how rows are written, without a store.

mod rows;
mod saves;
