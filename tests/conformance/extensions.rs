//! Extensions, from outside: programs that others wrote, unmodified, and scripts where a test needs a certain behaviour.
//!
//! Each module is one part of their life. What they do wrong stands in `tests/faults/extensions.rs`.

mod clients;
mod internal;
mod invoke;
mod order;
mod registration;
mod reset;
mod shutdown;
mod telemetry;
mod web_adapter;
