//! The native runtime: answers every event with itself. The smallest that speaks the Runtime API.

use std::io;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hearth_tests::Connection;

/// An event that starts like this says until when it is to be held, in microseconds since 1970. It is answered with the
/// moment at which it came.
const HOLD: &[u8] = b"{\"hold_until_us\":";
/// An event that starts like this says for how long to work, in microseconds, before the response streams. Its first chunk
/// says after how many nanoseconds it was sent.
const STREAM: &[u8] = b"{\"stream_after_us\":";
/// How long a stream goes on after its first chunk, so that the first one comes alone.
const STREAM_GOES_ON: Duration = Duration::from_millis(2);

/// Serves events until the Runtime API closes the connection.
pub(crate) fn serve(address: &str) {
    let Ok(mut connection) = Connection::open(address) else { return };
    let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut response = Vec::new();
    while let Ok(event) = connection.exchange(next.as_bytes()) {
        let came = Instant::now();
        let Some(id) = event.header("lambda-runtime-aws-request-id") else { return };
        if let Some(after_us) = event.body.strip_prefix(STREAM) {
            let (id, after_us) = (id.to_owned(), number(after_us));
            if stream(&mut connection, address, &id, came, Duration::from_micros(after_us)).is_err() {
                return;
            }
            continue;
        }
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

/// Returns the event that has a native function stream after having worked for so long.
pub(crate) fn stream_event(works: Duration) -> String {
    format!("{{\"stream_after_us\":{}}}", works.as_micros())
}

/// Streams two chunks: the first when the work is done, the second a while later.
fn stream(
    connection: &mut Connection,
    address: &str,
    id: &str,
    came: Instant,
    works: Duration,
) -> io::Result<()> {
    // It works, and does not sleep: a sleep ends late, and by how much differs.
    while came.elapsed() < works {
        std::hint::spin_loop();
    }
    let head = format!(
        "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: {address}\r\n\
         Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let own_ns = came.elapsed().as_nanos().to_string();
    connection.send(format!("{head}{:x}\r\n{own_ns}\r\n", own_ns.len()).as_bytes())?;
    thread::sleep(STREAM_GOES_ON);
    connection.exchange(b"1\r\n!\r\n0\r\n\r\n").map(drop)
}

fn number(text: &[u8]) -> u64 {
    String::from_utf8_lossy(text).trim_end_matches('}').trim().parse().unwrap_or(0)
}

fn hold(until_us: &[u8]) -> String {
    let came_us = now_us();
    let until_us = number(until_us);
    thread::sleep(Duration::from_micros(until_us.saturating_sub(now_us())));
    came_us.to_string()
}
