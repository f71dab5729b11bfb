//! Money in: every way a payment can come, through the real HTTP shape, with the books checked at the end.

mod desk;
mod happy;
