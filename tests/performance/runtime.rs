//! The native runtime: answers every event with itself. The smallest that speaks the Runtime API.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::connection::Connection;

/// An event that starts like this says until when it is to be held, in microseconds since 1970. It is answered with the
/// moment at which it came.
const HOLD: &[u8] = b"{\"hold_until_us\":";

/// Serves events until the Runtime API closes the connection.
pub(crate) fn serve(address: &str) {
    let Ok(mut connection) = Connection::open(address) else { return };
    let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut response = Vec::new();
    while let Ok(event) = connection.exchange(next.as_bytes()) {
        let Some(id) = event.header("lambda-runtime-aws-request-id") else { return };
        let held = event.body.strip_prefix(HOLD).map(hold);
        let body = held.as_deref().map_or(event.body, str::as_bytes);
        response.clear();
        response.extend_from_slice(
            format!(
                "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: {address}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )
            .as_bytes(),
        );
        response.extend_from_slice(body);
        if connection.exchange(&response).is_err() {
            return;
        }
    }
}

/// Returns the event that keeps a native function busy until a moment.
pub(crate) fn hold_event(until_us: u64) -> String {
    format!("{{\"hold_until_us\":{until_us}}}")
}

/// Returns the time, in microseconds since 1970.
pub(crate) fn now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

fn hold(until_us: &[u8]) -> String {
    let came_us = now_us();
    let text = String::from_utf8_lossy(until_us);
    let until_us = text.trim_end_matches('}').trim().parse().unwrap_or(0_u64);
    thread::sleep(Duration::from_micros(until_us.saturating_sub(now_us())));
    came_us.to_string()
}
