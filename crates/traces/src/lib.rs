//! Traces: each invocation whose trace is kept goes, as spans, to a collector that speaks OTLP over HTTP.
//!
//! Spans are read from the same steps as log lines and bills. Nobody waits for the collector: what it does not take in
//! time is dropped and counted, and the server's log says so.

mod collector;
mod exporter;
mod otlp;
mod queue;
mod spans;

pub use collector::{Collector, CollectorError};
pub use exporter::{Traces, start};
pub use spans::Origin;
