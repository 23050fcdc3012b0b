//! The native runtime: answers every event with itself. The smallest that speaks the Runtime API.

use std::io::Read as _;
use std::net::TcpStream;

use crate::connection::Connection;

/// An event that starts like this names the port of a gate; it is answered when the gate opens.
const GATE: &[u8] = b"{\"gate\":";

/// Serves events until the Runtime API closes the connection.
pub(crate) fn serve(address: &str) {
    let Ok(mut connection) = Connection::open(address) else { return };
    let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut response = Vec::new();
    while let Ok(event) = connection.exchange(next.as_bytes()) {
        let Some(id) = event.header("lambda-runtime-aws-request-id") else { return };
        if event.body.starts_with(GATE) {
            wait_at_gate(event.body);
        }
        response.clear();
        response.extend_from_slice(
            format!(
                "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: {address}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                event.body.len()
            )
            .as_bytes(),
        );
        response.extend_from_slice(event.body);
        if connection.exchange(&response).is_err() {
            return;
        }
    }
}

/// Returns the event that makes a native function wait at a gate.
pub(crate) fn gate_event(port: u16) -> String {
    format!("{{\"gate\":{port}}}")
}

fn wait_at_gate(event: &[u8]) {
    let text = String::from_utf8_lossy(&event[GATE.len()..]);
    let Ok(port) = text.trim_end_matches('}').trim().parse::<u16>() else { return };
    if let Ok(mut gate) = TcpStream::connect(("127.0.0.1", port)) {
        let _ = gate.read(&mut [0; 1]);
    }
}
