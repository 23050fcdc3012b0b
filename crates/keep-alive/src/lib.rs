//! Which idle environments are kept, and for how long: the decisions of `pool`, and of `whatif`, which imitates it.
//!
//! Pure functions and plain numbers: no I/O, no clock, and no other crate of ours, so that a simulation decides as the
//! pool does.

mod greedy_dual;
mod histogram;

pub use greedy_dual::{Candidate, choose, worth};
pub use histogram::{Advised, IdleTimes};
