//! The composition root: puts a server together, serves it, and ends it in order.

mod deployment;
mod insight;
mod settings;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub use settings::Settings;

/// Reads the wall clock. The only place that does.
#[allow(clippy::disallowed_methods, reason = "the clock that everybody else is handed")]
fn epoch_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
