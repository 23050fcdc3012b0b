//! What another way of keeping environments would have done with the calls that there were: recorded traffic, replayed in
//! a simulation of the scheduler.
//!
//! A pure state machine: no I/O, and time is a number of microseconds. What it imitates is `pool`: the environment that was
//! used last is taken first, one runs one call at a time, a call waits a moment for an environment that is about to be free,
//! only so many cold starts run at once, and the environment that is idle for longest goes when there are too many.
//!
//! It does not ask whether the calls would have come at other times if they had been answered sooner.

mod advice;
mod environments;
mod outcome;
mod policy;
mod prices;
mod report;
mod simulation;
mod traffic;

pub use advice::{Advice, CALLS_TO_ADVISE_MIN};
pub use outcome::{Cost, Outcome};
pub use policy::{Policy, PolicyKind, UnknownPolicy};
pub use prices::Prices;
pub use report::{AsRecorded, Question, Report, WhatIfError, what_if};
pub use simulation::{Scheduler, simulate};
pub use traffic::{FunctionKey, Recorded, RecordedStart, Traffic, TrafficBuilder};
