//! The smallest native runtime: answers every event with itself.

use crate::connection::Connection;

/// Serves events until the Runtime API closes the connection.
pub(crate) fn run(address: &str) {
    let Ok(mut connection) = Connection::open(address) else { return };
    let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {address}\r\n\r\n");
    while let Ok(event) = connection.exchange(next.as_bytes()) {
        let Some(id) = event.header("lambda-runtime-aws-request-id") else { return };
        let mut response = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            event.body.len()
        )
        .into_bytes();
        response.extend_from_slice(&event.body);
        if connection.exchange(&response).is_err() {
            return;
        }
    }
}
