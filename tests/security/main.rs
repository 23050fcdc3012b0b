//! What hostile functions can do to the host, the service and one another in isolation `namespaces`: nothing.
//!
//! A real server, and functions in Python, Node.js and C (`packages/`, `native/`) that try what an event tells them and
//! answer what became of it. After every attack the function itself, a neighbour and the service go on as before, and
//! when the function is deleted, nothing of it is left on the host.
//!
//! Tests are named after the numbered cases. `isolation` is about walls, `resources` about appetite, `ends` about what
//! must be gone or refused. Needs root, as the walls do; where something is missing, the tests say that they are skipped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(clippy::disallowed_methods, reason = "the tests start programs and read clocks")]

mod ends;
mod hostile;
mod isolation;
mod leftovers;
mod resources;
