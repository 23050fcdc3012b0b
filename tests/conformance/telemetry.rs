//! The Telemetry API, the Logs API that came before it, and the timeline: what extensions and operators are told of a
//! function's life, from outside.
//!
//! The subscribers are scripts that keep each event as it was written. What they do wrong stands in
//! `tests/faults/telemetry.rs`.

mod agreement;
mod client;
mod events;
mod formats;
mod logs_api;
mod subscription;
mod timeline;
