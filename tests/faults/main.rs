//! What goes wrong, and what Hearth promises then: wrong input, hostile packages, broken runtimes, slow clients,
//! crashes, races. A real server, driven from outside.
//!
//! A test of a numbered case of the project's list of cases is named after it: `case_041_…`, or `case_037_038_…` when
//! one test covers several. `cargo xtask test` fails when a number that the list in `xtask/src/cases.rs` names has no
//! test. Cases that are facts of one crate stand in that crate, named in the same way.
//!
//! After every fault the server must go on: a plain call still works, and nothing of ours answers 5xx.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::disallowed_methods, reason = "the tests start programs and read clocks")]

mod api_input;
mod calls;
mod crashes;
mod extensions;
mod layers;
mod packages;
mod races;
mod reserved;
mod runtime_api;
mod silence;
mod telemetry;
mod transport;
